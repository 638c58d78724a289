// An analytical database of Emscripten's, with exceptions, and its blocking bindings for browsers.

import { createWebAssembly } from "host:wasm";
import { require } from "./commonjs.js";

globalThis.WebAssembly = createWebAssembly({ maxMemoryBytes: 1 << 30, timeoutMs: 300_000 });
const isNode = typeof process !== "undefined";
const duckdb = require(`@duckdb/duckdb-wasm/dist/duckdb-${isNode ? "node" : "browser"}-blocking.cjs`);

const mainModule = packageFile("@duckdb/duckdb-wasm/dist/duckdb-eh.wasm");
const bundles = { mvp: { mainModule }, eh: { mainModule } };
const db = await duckdb.createDuckDB(bundles, new duckdb.VoidLogger(), isNode ? duckdb.NODE_RUNTIME : duckdb.BROWSER_RUNTIME);
await db.instantiate(() => {});
const connection = db.connect();
const rows = (sql) => connection.query(sql).toArray().map((row) => row.toJSON());

connection.query(`CREATE TABLE orders AS
  SELECT i AS id, i % 100 AS customer, (i * 7919) % 1000 AS cents, 'item ' || (i % 10) AS item FROM range(1000000) t(i)`);
const total = rows("SELECT count(*)::INT AS n, sum(cents)::DOUBLE AS cents, max(item) AS item FROM orders");
const best = rows(`SELECT customer::INT AS customer, sum(cents)::DOUBLE AS cents FROM orders
  GROUP BY customer ORDER BY cents DESC, customer LIMIT 3`);
const ranked = rows(`SELECT id::INT AS id, rank() OVER (ORDER BY cents DESC, id)::INT AS place FROM orders
  QUALIFY place <= 2 ORDER BY place`);
db.registerFileText("people.csv", "name,age\nAda,36\nGrace,85\n");
const people = rows("SELECT name, age::INT AS age FROM read_csv_auto('people.csv') ORDER BY age DESC");
const caught = (action) => {
  try {
    action();
  } catch (error) {
    return error.message.split("\n")[0];
  }
};

export default {
  version: db.getVersion(),
  total,
  best,
  ranked,
  people,
  bad: caught(() => connection.query("SELECT nothing FROM orders")),
  cast: caught(() => connection.query("SELECT 'x'::INT")),
};
