;; Several memories in one module, one of them with 64-bit addresses: kept apart, copied between, grown, bounds-checked.

(module
  (memory $small (export "small") 1 2)
  (memory $wide (export "wide") i64 1 3)
  (data (memory $small) (i32.const 0) "small")
  (data (memory $wide) (i64.const 0) "wide!")

  (func (export "small8") (param i32) (result i32) (i32.load8_u $small (local.get 0)))
  (func (export "wide8") (param i64) (result i32) (i32.load8_u $wide (local.get 0)))
  (func (export "wide64") (param i64) (result i64) (i64.load $wide (local.get 0)))
  (func (export "wide64-far") (param i64) (result i64)
    (i64.load $wide offset=0xffff_ffff_ffff_fff0 (local.get 0)))
  (func (export "wide-store") (param i64 i64) (i64.store $wide (local.get 0) (local.get 1)))
  (func (export "copy") (param i64 i32 i32)
    (memory.copy $wide $small (local.get 0) (local.get 1) (local.get 2)))
  (func (export "fill") (param i64 i32 i64)
    (memory.fill $wide (local.get 0) (local.get 1) (local.get 2)))
  (func (export "sizes") (result i32 i64) (memory.size $small) (memory.size $wide))
  (func (export "grow-small") (param i32) (result i32) (memory.grow $small (local.get 0)))
  (func (export "grow-wide") (param i64) (result i64) (memory.grow $wide (local.get 0))))

(assert_return (invoke "small8" (i32.const 0)) (i32.const 0x73))
(assert_return (invoke "wide8" (i64.const 0)) (i32.const 0x77))

(invoke "copy" (i64.const 100) (i32.const 0) (i32.const 5))
(assert_return (invoke "wide64" (i64.const 100)) (i64.const 0x6c_6c61_6d73))
(assert_return (invoke "small8" (i32.const 100)) (i32.const 0))
(invoke "fill" (i64.const 200) (i32.const 0xff) (i64.const 8))
(assert_return (invoke "wide64" (i64.const 200)) (i64.const -1))

;; The last byte, the first one outside, and addresses that would wrap around.
(assert_return (invoke "wide64" (i64.const 65528)) (i64.const 0))
(assert_trap (invoke "wide64" (i64.const 65529)) "out of bounds memory access")
(assert_trap (invoke "wide64" (i64.const -1)) "out of bounds memory access")
(assert_trap (invoke "wide64" (i64.const 0x1_0000_0000)) "out of bounds memory access")
(assert_trap (invoke "wide64-far" (i64.const 16)) "out of bounds memory access")
(assert_trap (invoke "small8" (i32.const 65536)) "out of bounds memory access")
(assert_trap (invoke "small8" (i32.const -1)) "out of bounds memory access")
(assert_trap (invoke "wide-store" (i64.const 65532) (i64.const -1)) "out of bounds memory access")
;; A store that trapped wrote nothing.
(assert_return (invoke "wide8" (i64.const 65532)) (i32.const 0))
(assert_trap (invoke "copy" (i64.const 65530) (i32.const 0) (i32.const 7)) "out of bounds memory access")

(assert_return (invoke "sizes") (i32.const 1) (i64.const 1))
(assert_return (invoke "grow-wide" (i64.const 2)) (i64.const 1))
(assert_return (invoke "grow-wide" (i64.const 1)) (i64.const -1))
(assert_return (invoke "grow-wide" (i64.const 0x1_0000_0000)) (i64.const -1))
(assert_return (invoke "grow-small" (i32.const 1)) (i32.const 1))
(assert_return (invoke "grow-small" (i32.const 1)) (i32.const -1))
(assert_return (invoke "sizes") (i32.const 2) (i64.const 3))
(assert_return (invoke "wide64" (i64.const 131072)) (i64.const 0))
(assert_return (invoke "small8" (i32.const 0)) (i32.const 0x73))

(assert_invalid (module (memory 65537)) "memory size")
(assert_invalid (module (memory i64 0x1_0000_0000_0001)) "memory size")
