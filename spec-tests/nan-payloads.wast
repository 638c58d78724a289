;; NaN payloads: a value goes in and comes out bit for bit, whatever it goes through on the way.

(module
  (global $f32 (mut f32) (f32.const 0))
  (global $f64 (mut f64) (f64.const 0))
  (memory 1)

  (func (export "f32") (param f32) (result f32) (local.get 0))
  (func (export "f64") (param f64) (result f64) (local.get 0))
  (func (export "v128") (param v128) (result v128) (local.get 0))

  (func (export "f32-memory") (param f32) (result f32)
    (f32.store (i32.const 8) (local.get 0))
    (f32.load (i32.const 8)))
  (func (export "f64-memory") (param f64) (result f64)
    (f64.store (i32.const 8) (local.get 0))
    (f64.load (i32.const 8)))
  (func (export "f32-global") (param f32) (result f32)
    (global.set $f32 (local.get 0))
    (global.get $f32))
  (func (export "f64-global") (param f64) (result f64)
    (global.set $f64 (local.get 0))
    (global.get $f64))

  ;; The same without a float ever leaving the module.
  (func $f32-same (param f32) (result f32) (local.get 0))
  (func $f64-same (param f64) (result f64) (local.get 0))
  (func (export "f32-bits") (param i32) (result i32)
    (i32.reinterpret_f32 (call $f32-same (f32.reinterpret_i32 (local.get 0)))))
  (func (export "f64-bits") (param i64) (result i64)
    (i64.reinterpret_f64 (call $f64-same (f64.reinterpret_i64 (local.get 0)))))

  (func (export "f32-zeros-divided") (result f32) (f32.div (f32.const 0) (f32.const 0)))
  (func (export "f64-neg") (param f64) (result f64) (f64.neg (local.get 0))))

;; Quiet, with and without more payload; signalling; both signs.
(assert_return (invoke "f32" (f32.const nan)) (f32.const nan))
(assert_return (invoke "f32" (f32.const -nan)) (f32.const -nan))
(assert_return (invoke "f32" (f32.const nan:0x400001)) (f32.const nan:0x400001))
(assert_return (invoke "f32" (f32.const nan:0x1)) (f32.const nan:0x1))
(assert_return (invoke "f32" (f32.const -nan:0x200000)) (f32.const -nan:0x200000))
(assert_return (invoke "f64" (f64.const nan)) (f64.const nan))
(assert_return (invoke "f64" (f64.const -nan)) (f64.const -nan))
(assert_return (invoke "f64" (f64.const nan:0x8000000000001)) (f64.const nan:0x8000000000001))
(assert_return (invoke "f64" (f64.const nan:0x1)) (f64.const nan:0x1))
(assert_return (invoke "f64" (f64.const -nan:0x4000000000000)) (f64.const -nan:0x4000000000000))
(assert_return
  (invoke "v128" (v128.const f32x4 nan:0x1 -nan nan:0x7fffff -0))
  (v128.const f32x4 nan:0x1 -nan nan:0x7fffff -0))
(assert_return
  (invoke "v128" (v128.const f64x2 nan:0x1 -nan:0x7ffffffffffff))
  (v128.const f64x2 nan:0x1 -nan:0x7ffffffffffff))

(assert_return (invoke "f32-memory" (f32.const nan:0x1)) (f32.const nan:0x1))
(assert_return (invoke "f64-memory" (f64.const nan:0x1)) (f64.const nan:0x1))
(assert_return (invoke "f32-global" (f32.const -nan:0x1)) (f32.const -nan:0x1))
(assert_return (invoke "f64-global" (f64.const -nan:0x1)) (f64.const -nan:0x1))

(assert_return (invoke "f32-bits" (i32.const 0x7f800001)) (i32.const 0x7f800001))
(assert_return (invoke "f32-bits" (i32.const 0xffbfffff)) (i32.const 0xffbfffff))
(assert_return (invoke "f64-bits" (i64.const 0x7ff0000000000001)) (i64.const 0x7ff0000000000001))
(assert_return (invoke "f64-bits" (i64.const 0xfff7ffffffffffff)) (i64.const 0xfff7ffffffffffff))

(assert_return (invoke "f32-zeros-divided") (f32.const nan:canonical))
(assert_return (invoke "f64-neg" (f64.const nan:0x8000000000001)) (f64.const -nan:0x8000000000001))
(assert_return (invoke "f64-neg" (f64.const 0)) (f64.const -0))
