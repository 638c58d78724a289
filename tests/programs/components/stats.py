from wit_world import exports


class Counter(exports.stats.Counter):
    def __init__(self, start):
        self.value = start
    def next(self):
        self.value += 1
        return self.value - 1
    @staticmethod
    def describe(of):
        return f"counter at {of.value}"

