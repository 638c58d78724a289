import { write } from "test:text/log@0.1.0";
class Counter {
  constructor(start) { this.value = start; }
  next() { return this.value++; }
  static describe(of) { return `counter at ${of.value}`; }
}
export const stats = {
  words(text, max) {
    if (text === "") throw { tag: "empty" };
    if (max !== undefined && text.length > max) throw { tag: "too-long", val: text.length };
    const counts = new Map();
    for (const word of text.split(/\s+/)) counts.set(word, (counts.get(word) ?? 0) + 1);
    write(`${counts.size} words`);
    return [...counts].map(([text, count]) => ({ text, count }));
  },
  sum(numbers) { let sum = 0; for (const n of numbers) sum += n; return sum; },
  Counter,
};
