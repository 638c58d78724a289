;; 128-bit vectors.
(module
  (func (export "add") (param v128 v128) (result v128)
    (i32x4.add (local.get 0) (local.get 1)))
  (func (export "splat") (param i32) (result v128) (i8x16.splat (local.get 0)))
  (func (export "lane") (param v128) (result i32) (i8x16.extract_lane_u 15 (local.get 0)))
  (func (export "madd") (param v128 v128 v128) (result v128)
    (f32x4.relaxed_madd (local.get 0) (local.get 1) (local.get 2))))
