;; Globals of every value type, immutable and mutable.
(module
  (global (export "i32") i32 (i32.const -1))
  (global (export "i64") i64 (i64.const -9223372036854775808))
  (global (export "f32") f32 (f32.const 0.5))
  (global (export "f64") f64 (f64.const -0))
  (global (export "v128") v128 (v128.const i64x2 1 2))
  (global (export "externref") externref (ref.null extern))
  (global (export "funcref") funcref (ref.func $f))
  (global (export "mut_i32") (mut i32) (i32.const 7))
  (global (export "mut_i64") (mut i64) (i64.const 7))
  (global (export "mut_f64") (mut f64) (f64.const 7))
  (global (export "mut_externref") (mut externref) (ref.null extern))
  (func $f (export "get") (result i32) (global.get 7)))
