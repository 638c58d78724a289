;; Calls an import in the middle of its own work, as deep as it is told: for re-entrancy.
(module
  (import "env" "twice" (func $callback (param i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "run") (param $x i32) (result i32)
    (i32.store (i32.const 0) (local.get $x))
    (i32.add (call $callback (local.get $x)) (i32.load (i32.const 0))))
  (func (export "catch") (param $x i32) (result i32)
    (block $caught
      (try_table (catch_all $caught)
        (return (call $callback (local.get $x)))))
    (i32.const -1)))
