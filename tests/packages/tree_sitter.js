// A parser of Emscripten's with dynamic linking: each grammar is a side module, which shares memory and table.

import { createWebAssembly } from "host:wasm";
import { Language, Parser, Query } from "web-tree-sitter";

globalThis.WebAssembly = createWebAssembly({ maxMemoryBytes: 256 << 20, timeoutMs: 60_000 });
await Parser.init({ wasmBinary: readFile(packageFile("web-tree-sitter/web-tree-sitter.wasm")) });
const parser = new Parser();
const language = (name) => Language.load(readFile(packageFile(`tree-sitter-${name}/tree-sitter-${name}.wasm`)));

parser.setLanguage(await language("json"));
const json = parser.parse('{"name": [1, true, null]}').rootNode.toString();

const javascript = await language("javascript");
parser.setLanguage(javascript);
const source = "function add(a, b) {\n  return a + b;\n}\nconst sum = add(1, `${2}`);\n".repeat(50);
const tree = parser.parse(source);
const query = new Query(javascript, "(function_declaration name: (identifier) @name)");
const names = query.captures(tree.rootNode).map(({ node }) => node.text);
tree.edit({
  startIndex: 9,
  oldEndIndex: 12,
  newEndIndex: 15,
  startPosition: { row: 0, column: 9 },
  oldEndPosition: { row: 0, column: 12 },
  newEndPosition: { row: 0, column: 15 },
});
const edited = parser.parse(source.replace("add", "append"), tree);

export default {
  json,
  names: names.length,
  first: tree.rootNode.firstChild.toString(),
  edited: edited.rootNode.firstChild.childForFieldName("name").text,
  hasError: [tree.rootNode.hasError, parser.parse("let = (").rootNode.hasError],
};
