;; Asynchronous functions, tasks, streams and futures between components of one instance.

;; A task that returns its result before its function ends.
(component
  (canon task.return (result u32) (core func $return))
  (core module $m
    (import "" "return" (func $return (param i32)))
    (global $after (mut i32) (i32.const 0))
    (func (export "early") (param i32)
      (call $return (i32.add (local.get 0) (i32.const 1)))
      (global.set $after (i32.add (global.get $after) (i32.const 1))))
    (func (export "after") (result i32) (global.get $after)))
  (core instance $i (instantiate $m (with "" (instance (export "return" (func $return))))))
  (func (export "early") async (param "n" u32) (result u32) (canon lift (core func $i "early") async))
  (func (export "after") (result u32) (canon lift (core func $i "after"))))

(assert_return (invoke "early" (u32.const 41)) (u32.const 42))
(assert_return (invoke "after") (u32.const 1))
(assert_return (invoke "early" (u32.const 1)) (u32.const 2))
(assert_return (invoke "after") (u32.const 2))

;; A task that returns twice, and one that never does.
(component
  (canon task.return (result u32) (core func $return))
  (core module $m
    (import "" "return" (func $return (param i32)))
    (func (export "twice") (call $return (i32.const 1)) (call $return (i32.const 2))))
  (core instance $i (instantiate $m (with "" (instance (export "return" (func $return))))))
  (func (export "twice") async (result u32) (canon lift (core func $i "twice") async)))

(assert_trap (invoke "twice") "`task.return` or `task.cancel` called more than once for current task")

(component
  (core module $m (func (export "never")))
  (core instance $i (instantiate $m))
  (func (export "never") async (result u32) (canon lift (core func $i "never") async)))

(assert_trap (invoke "never") "async-lifted export failed to produce a result")

;; A component that calls an asynchronous function of another one, and waits for it.
(component
  (component $callee
    (canon task.return (result u32) (core func $return))
    (core module $m
      (import "" "return" (func $return (param i32)))
      (func (export "double") (param i32) (call $return (i32.mul (local.get 0) (i32.const 2)))))
    (core instance $i (instantiate $m (with "" (instance (export "return" (func $return))))))
    (func (export "double") async (param "n" u32) (result u32) (canon lift (core func $i "double") async)))
  (component $caller
    (import "double" (func $double async (param "n" u32) (result u32)))
    (core module $libc (memory (export "memory") 1))
    (core instance $libc (instantiate $libc))
    (core func $sync (canon lower (func $double)))
    (core func $async (canon lower (func $double) async (memory (core memory $libc "memory"))))
    (canon task.return (result u32) (core func $return))
    (core module $m
      (import "" "sync" (func $sync (param i32) (result i32)))
      (import "" "async" (func $async (param i32 i32) (result i32)))
      (import "" "return" (func $return (param i32)))
      (import "libc" "memory" (memory 1))
      (func (export "wait") (param i32) (call $return (call $sync (local.get 0))))
      ;; The callee returns at once: the status 2 says that the result is there.
      (func (export "start") (param i32)
        (if (i32.ne (call $async (local.get 0) (i32.const 16)) (i32.const 2)) (then unreachable))
        (call $return (i32.load (i32.const 16)))))
    (core instance $i (instantiate $m
      (with "libc" (instance $libc))
      (with "" (instance
        (export "sync" (func $sync)) (export "async" (func $async)) (export "return" (func $return))))))
    (func (export "wait") async (param "n" u32) (result u32) (canon lift (core func $i "wait") async))
    (func (export "start") async (param "n" u32) (result u32) (canon lift (core func $i "start") async)))
  (instance $callee (instantiate $callee))
  (instance $caller (instantiate $caller (with "double" (func $callee "double"))))
  (func (export "wait") (alias export $caller "wait"))
  (func (export "start") (alias export $caller "start")))

(assert_return (invoke "wait" (u32.const 5)) (u32.const 10))
(assert_return (invoke "start" (u32.const 6)) (u32.const 12))

;; A wait that nothing ends.
(component
  (core module $libc (memory (export "memory") 1))
  (core instance $libc (instantiate $libc))
  (core func $new (canon waitable-set.new))
  (core func $wait (canon waitable-set.wait (memory (core memory $libc "memory"))))
  (core module $m
    (import "" "new" (func $new (result i32)))
    (import "" "wait" (func $wait (param i32 i32) (result i32)))
    (func (export "wait") (drop (call $wait (call $new) (i32.const 0)))))
  (core instance $i (instantiate $m (with "" (instance
    (export "new" (func $new)) (export "wait" (func $wait))))))
  (func (export "wait") async (canon lift (core func $i "wait") async)))

(assert_trap (invoke "wait") "deadlock detected: event loop cannot make further progress")

;; Numbers through a stream from one component to another, and the type of what is not asynchronous.
(component
  (component $source
    (type $numbers (stream u16))
    (core module $libc (memory (export "memory") 1) (data (i32.const 8) "\01\00\02\00\03\00"))
    (core instance $libc (instantiate $libc))
    (core func $new (canon stream.new $numbers))
    (core func $write (canon stream.write $numbers (memory (core memory $libc "memory"))))
    (core func $close (canon stream.drop-writable $numbers))
    (canon task.return (result $numbers) (core func $return))
    (core module $m
      (import "" "new" (func $new (result i64)))
      (import "" "write" (func $write (param i32 i32 i32) (result i32)))
      (import "" "close" (func $close (param i32)))
      (import "" "return" (func $return (param i32)))
      (func (export "numbers") (local $ends i64) (local $writable i32)
        (local.set $ends (call $new))
        (local.set $writable (i32.wrap_i64 (i64.shr_u (local.get $ends) (i64.const 32))))
        (call $return (i32.wrap_i64 (local.get $ends)))
        (drop (call $write (local.get $writable) (i32.const 8) (i32.const 3)))
        (call $close (local.get $writable))))
    (core instance $i (instantiate $m (with "" (instance
      (export "new" (func $new)) (export "write" (func $write)) (export "close" (func $close))
      (export "return" (func $return))))))
    (func (export "numbers") async (result $numbers) (canon lift (core func $i "numbers") async)))
  (component $sink
    (type $numbers (stream u16))
    (import "numbers" (func $numbers async (result $numbers)))
    (core module $libc (memory (export "memory") 1))
    (core instance $libc (instantiate $libc))
    (core func $numbers' (canon lower (func $numbers)))
    (core func $read (canon stream.read $numbers (memory (core memory $libc "memory"))))
    (core func $drop (canon stream.drop-readable $numbers))
    (canon task.return (result u32) (core func $return))
    (core module $m
      (import "" "numbers" (func $numbers (result i32)))
      (import "" "read" (func $read (param i32 i32 i32) (result i32)))
      (import "" "drop" (func $drop (param i32)))
      (import "" "return" (func $return (param i32)))
      (import "libc" "memory" (memory 1))
      (func (export "sum") (local $stream i32) (local $read i32) (local $sum i32)
        (local.set $stream (call $numbers))
        (loop $next
          (local.set $read (call $read (local.get $stream) (i32.const 32) (i32.const 1)))
          (if (i32.shr_u (local.get $read) (i32.const 4)) (then
            (local.set $sum (i32.add (local.get $sum) (i32.load16_u (i32.const 32))))))
          (br_if $next (i32.eqz (i32.and (local.get $read) (i32.const 15)))))
        (call $drop (local.get $stream))
        (call $return (local.get $sum))))
    (core instance $i (instantiate $m
      (with "libc" (instance $libc))
      (with "" (instance
        (export "numbers" (func $numbers')) (export "read" (func $read)) (export "drop" (func $drop))
        (export "return" (func $return))))))
    (func (export "sum") async (result u32) (canon lift (core func $i "sum") async)))
  (instance $source (instantiate $source))
  (instance $sink (instantiate $sink (with "numbers" (func $source "numbers"))))
  (func (export "sum") (alias export $sink "sum")))

(assert_return (invoke "sum") (u32.const 6))
(assert_return (invoke "sum") (u32.const 6))

(assert_invalid
  (component
    (core module $m (func (export "f")))
    (core instance $i (instantiate $m))
    (func (export "f") (param "s" (stream (borrow 0))) (canon lift (core func $i "f"))))
  "unknown type")
