// The world `notes`: notebooks are resources of this program, and write to files, which are resources of the app.
import { File } from "test:notes/files@0.1.0";

class Notebook {
  #backup;
  #notes = new Map();

  constructor(backup) {
    this.#backup = backup;
  }

  apply({ tag, val }) {
    if (tag === "added") {
      if (this.#notes.has(val.id)) throw `two notes ${val.id}`;
      try {
        this.#backup.append(`${val.id} ${val.text}`);
      } catch (error) {
        throw `${this.#backup.name()}: ${error.payload}`;
      }
      this.#notes.set(val.id, val);
    } else if (tag === "cleared") {
      this.#notes.clear();
    } else if (!this.#notes.delete(val)) {
      throw `no note ${val}`;
    }
    return this.#notes.size;
  }

  notes(marks) {
    const wanted = Object.keys(marks).filter((mark) => marks[mark]);
    return [...this.#notes.values()].filter((note) => wanted.every((mark) => note.marks[mark]));
  }

  static restored(source) {
    const notebook = new Notebook(new File(`copy of ${source.name()}`, "append"));
    for (const line of source.lines()) {
      const [id] = line.split(" ", 1);
      const marks = { pinned: false, done: false, forLater: true };
      notebook.apply({ tag: "added", val: { id: BigInt(id), text: line.slice(id.length + 1), marks, place: [0.5, -1] } });
    }
    return notebook;
  }

  static close(notebook) {
    return notebook.#backup;
  }
}

export const notebooks = {
  Notebook,
  merge(target, others) {
    for (const other of others) {
      for (const val of other.notes({})) target.apply({ tag: "added", val });
    }
  },
  backups() {
    return File.all().map((file) => [file.name(), file.lines().length]);
  },
};
