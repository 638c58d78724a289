;; The call stack: too deep a recursion is a trap that leaves everything usable, and a tail call takes no room.

(module $deep
  (type $i (func (param i32)))
  (global $count (mut i32) (i32.const 0))
  (table 1 funcref)
  (elem (i32.const 0) $indirect)

  (func $direct (export "direct")
    (global.set $count (i32.add (global.get $count) (i32.const 1)))
    (call $direct))
  (func $indirect (export "indirect") (param i32)
    (call_indirect (type $i) (local.get 0) (i32.const 0)))
  (func $even (export "mutual") (param i64) (result i64)
    (call $odd (i64.add (local.get 0) (i64.const 1))))
  (func $odd (param i64) (result i64)
    (call $even (i64.add (local.get 0) (i64.const 1))))
  (func $bounded (export "bounded") (param i32) (result i32)
    (if (result i32) (i32.eqz (local.get 0))
      (then (i32.const 0))
      (else (i32.add (i32.const 1) (call $bounded (i32.sub (local.get 0) (i32.const 1)))))))
  (func (export "counted-anything") (result i32) (i32.gt_u (global.get $count) (i32.const 100))))
(register "deep" $deep)

(assert_exhaustion (invoke "direct") "call stack exhausted")
(assert_exhaustion (invoke "indirect" (i32.const 0)) "call stack exhausted")
(assert_exhaustion (invoke "mutual" (i64.const 0)) "call stack exhausted")
;; What was done before the trap stays done, and the stack is whole again.
(assert_return (invoke "counted-anything") (i32.const 1))
(assert_return (invoke "bounded" (i32.const 1000)) (i32.const 1000))

;; In another instance's start function.
(assert_trap
  (module (import "deep" "direct" (func $direct)) (start $direct))
  "call stack exhausted")
(assert_return (invoke $deep "bounded" (i32.const 1000)) (i32.const 1000))

(module
  (type $down (func (param i32) (result i32)))
  (table 1 funcref)
  (elem (i32.const 0) $indirect)
  (elem declare func $ref)

  (func $direct (export "return_call") (type $down)
    (if (i32.eqz (local.get 0)) (then (return (i32.const 7))))
    (return_call $direct (i32.sub (local.get 0) (i32.const 1))))
  (func $indirect (export "return_call_indirect") (type $down)
    (if (i32.eqz (local.get 0)) (then (return (i32.const 8))))
    (return_call_indirect (type $down) (i32.sub (local.get 0) (i32.const 1)) (i32.const 0)))
  (func $ref (export "return_call_ref") (type $down)
    (if (i32.eqz (local.get 0)) (then (return (i32.const 9))))
    (return_call_ref $down (i32.sub (local.get 0) (i32.const 1)) (ref.func $ref))))

;; Far deeper than any stack.
(assert_return (invoke "return_call" (i32.const 5_000_000)) (i32.const 7))
(assert_return (invoke "return_call_indirect" (i32.const 5_000_000)) (i32.const 8))
(assert_return (invoke "return_call_ref" (i32.const 5_000_000)) (i32.const 9))
