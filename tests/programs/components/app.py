from wit_world import exports
from wit_world.imports import log
from wit_world.exports.stats import Word, Problem_Empty, Problem_TooLong
from componentize_py_types import Err

class Stats(exports.Stats):
    def words(self, text, max):
        if text == "":
            raise Err(Problem_Empty())
        if max is not None and len(text) > max:
            raise Err(Problem_TooLong(len(text)))
        counts = {}
        for word in text.split():
            counts[word] = counts.get(word, 0) + 1
        log.write(f"{len(counts)} words")
        return [Word(text, count) for text, count in counts.items()]
    def sum(self, numbers):
        return sum(numbers)
