;; A start function that calls JavaScript, and segments that are written before it.
(module
  (import "host" "call" (func $call (param i32 externref) (result externref)))
  (memory (export "memory") 1 2)
  (table (export "table") 2 funcref)
  (data (i32.const 65530) "start")
  (elem (i32.const 0) func $start)
  (func $start (drop (call $call (i32.const 1) (ref.null extern))))
  (func (export "again") (call $start))
  (start $start))
