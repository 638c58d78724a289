# The resource of notes.py: componentize-py looks for it in a module with the name of the interface.
from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.notebooks import Change_Added, Change_Cleared, Marks, Note
from wit_world.imports.files import File, Mode


class Notebook(exports.notebooks.Notebook):
    def __init__(self, backup):
        self.backup = backup
        self.kept = {}

    def apply(self, change):
        if isinstance(change, Change_Added):
            note = change.value
            if note.id in self.kept:
                raise Err(f"two notes {note.id}")
            try:
                self.backup.append(f"{note.id} {note.text}")
            except Err as error:
                raise Err(f"{self.backup.name()}: {error.value}")
            self.kept[note.id] = note
        elif isinstance(change, Change_Cleared):
            self.kept.clear()
        elif self.kept.pop(change.value, None) is None:
            raise Err(f"no note {change.value}")
        return len(self.kept)

    def notes(self, wanted):
        return [note for note in self.kept.values() if wanted in note.marks]

    @classmethod
    def restored(cls, source):
        notebook = cls(File(f"copy of {source.name()}", Mode.APPEND))
        for line in source.lines():
            id, text = line.split(" ", 1)
            notebook.apply(Change_Added(Note(int(id), text, Marks.FOR_LATER, (0.5, -1))))
        return notebook

    @staticmethod
    def close(notebook):
        return notebook.backup
