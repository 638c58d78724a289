;; Functions that return several values, of one type and of many.
(module
  (func (export "swap") (param i32 i32) (result i32 i32) (local.get 1) (local.get 0))
  (func (export "each") (result i32 i64 f32 f64 externref)
    (i32.const 1) (i64.const 2) (f32.const 3.5) (f64.const 4.25) (ref.null extern))
  (func (export "none")))
