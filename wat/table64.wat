;; A table with 64-bit indices.
(module
  (table (export "table") i64 2 4 externref)
  (func (export "get") (param i64) (result externref) (table.get (local.get 0)))
  (func (export "set") (param i64 externref) (table.set (local.get 0) (local.get 1)))
  (func (export "size") (result i64) (table.size)))
