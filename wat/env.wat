;; One export of each kind, for other fixtures to import.
(module
  (memory (export "memory") 1 4)
  (table (export "table") 4 8 funcref)
  (global (export "answer") i32 (i32.const 42))
  (global (export "counter") (mut i32) (i32.const 0))
  (tag (export "error") (param i32))
  (func (export "log") (param i32))
  (func (export "twice") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2))))
