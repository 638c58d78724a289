;; A start function that has run before anything can be called.
(module
  (global $ran (mut i32) (i32.const 0))
  (start $start)
  (func $start (global.set $ran (i32.const 1)))
  (func (export "ran") (result i32) (global.get $ran)))
