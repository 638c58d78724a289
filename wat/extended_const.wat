;; Constant expressions that compute, in globals and segments.
(module
  (import "env" "answer" (global $answer i32))
  (memory (export "memory") 1)
  (global (export "more") i32 (i32.add (global.get $answer) (i32.mul (i32.const 2) (i32.const 4))))
  (data (i32.add (global.get $answer) (i32.const 6)) "x"))
