// The import of the programs, for their translations to JavaScript.
export function write(line) {
  globalThis.lines.push(line);
}
