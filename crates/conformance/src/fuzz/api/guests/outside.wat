;; The second data segment is out of bounds: instantiation fails after the first one is written.
(module
  (import "host" "memory" (memory 1))
  (import "host" "table" (table 1 funcref))
  (memory (export "own") 1)
  (elem (i32.const 0) func $late)
  (func $late (export "late"))
  (data (i32.const 0) "written")
  (data (i32.const 0x7fffffff) "outside"))
