;; Exceptions: caught by tag and by catch_all, thrown again, across instances, or uncaught; traps are none of them.

(module $thrower
  (tag $number (export "number") (param i32))
  (tag $private)
  (func (export "throw") (param i32) (throw $number (local.get 0)))
  (func (export "throw-private") (throw $private))
  (func (export "trap") (unreachable)))
(register "thrower" $thrower)

(assert_exception (invoke "throw" (i32.const 1)))
(assert_exception (invoke "throw-private"))
(assert_trap (invoke "trap") "unreachable")
;; An exception that nobody caught leaves nothing behind.
(assert_exception (invoke "throw" (i32.const 2)))

(module
  (import "thrower" "number" (tag $number (param i32)))
  (import "thrower" "throw" (func $throw (param i32)))
  (import "thrower" "throw-private" (func $throw-private))
  (import "thrower" "trap" (func $trap))
  (global $cleaned (mut i32) (i32.const 0))

  (func (export "catch") (param i32) (result i32)
    (block $caught (result i32)
      (try_table (catch $number $caught) (call $throw (local.get 0)))
      (i32.const -1)))

  (func (export "catch-all") (result i32)
    (block $caught
      (try_table (catch_all $caught) (call $throw-private))
      (return (i32.const 0)))
    (i32.const 1))

  (func (export "clean-up") (param i32)
    (local $exception exnref)
    (block $caught (result exnref)
      (try_table (catch_all_ref $caught) (call $throw (local.get 0)))
      (return))
    (local.set $exception)
    (global.set $cleaned (i32.add (global.get $cleaned) (i32.const 1)))
    (throw_ref (local.get $exception)))
  (func (export "cleaned") (result i32) (global.get $cleaned))

  (func (export "trap-in-try") (result i32)
    (block $caught
      (try_table (catch_all $caught) (call $trap))
      (return (i32.const 0)))
    (i32.const 1)))

(assert_return (invoke "catch" (i32.const 42)) (i32.const 42))
(assert_return (invoke "catch-all") (i32.const 1))
(assert_exception (invoke "clean-up" (i32.const 1)))
(assert_return (invoke "cleaned") (i32.const 1))
(assert_trap (invoke "trap-in-try") "unreachable")
;; Also after all of that.
(assert_return (invoke "catch" (i32.const -7)) (i32.const -7))
