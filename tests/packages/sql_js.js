// A database of Emscripten's, with a function of JavaScript's in SQL: the glue makes a module for it, synchronously.

import { createWebAssembly } from "host:wasm";
import { require } from "./commonjs.js";

globalThis.WebAssembly = createWebAssembly({ maxMemoryBytes: 256 << 20, timeoutMs: 60_000 });
const initSqlJs = require("sql.js/dist/sql-wasm.js");
const SQL = await initSqlJs({ wasmBinary: readFile(packageFile("sql.js/dist/sql-wasm.wasm")) });

const db = new SQL.Database();
db.run("CREATE TABLE numbers (n INTEGER, name TEXT, half REAL, raw BLOB)");
const insert = db.prepare("INSERT INTO numbers VALUES (?, ?, ?, ?)");
db.run("BEGIN");
for (let n = 0; n < 10_000; n++) insert.run([n, `number ${n} ✓`, n / 2, new Uint8Array([n & 255])]);
db.run("COMMIT");
insert.free();
db.create_function("cube", (n) => n ** 3);
db.create_aggregate("joined", {
  init: () => [],
  step: (state, value) => [...state, value],
  finalize: (state) => state.join("+"),
});
const rows = db.exec("SELECT n, name, half, cube(n) FROM numbers WHERE n % 4999 = 1");
const sums = db.exec("SELECT sum(n), count(*), max(hex(raw)), joined(n % 10) FILTER (WHERE n < 4) FROM numbers");

const caught = (action) => {
  try {
    action();
  } catch (error) {
    return error.message;
  }
};
const saved = new SQL.Database(db.export());

export default {
  rows: rows[0].values,
  sums: sums[0].values[0],
  saved: saved.exec("SELECT count(*) FROM numbers")[0].values,
  bad: caught(() => db.exec("SELEC 1")),
  throwing: caught(() => {
    db.create_function("fail", () => {
      throw new Error("from JavaScript");
    });
    db.exec("SELECT fail()");
  }),
};
