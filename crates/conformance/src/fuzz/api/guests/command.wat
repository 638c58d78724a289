;; A command of WASI 0.2 that writes, waits for a clock, and exits in its third run.
(component
  (import "wasi:io/poll@0.2.0" (instance $poll
    (export "pollable" (type $pollable (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $pollable))))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (alias outer 1 $pollable (type $p))
    (export "pollable" (type $pollable (eq $p)))
    (export "subscribe-duration" (func (param "when" u64) (result (own $pollable))))))
  (import "wasi:cli/exit@0.2.0" (instance $exit
    (export "exit" (func (param "status" (result))))))
  (import "wasi:io/error@0.2.0" (instance $error (export "error" (type (sub resource)))))
  (alias export $error "error" (type $error))
  (import "wasi:io/streams@0.2.0" (instance $streams
    (alias outer 1 $error (type $e))
    (export "error" (type $error (eq $e)))
    (type $failure (variant (case "last-operation-failed" (own $error)) (case "closed")))
    (export "stream-error" (type $stream-error (eq $failure)))
    (export "output-stream" (type $output (sub resource)))
    (export "[method]output-stream.blocking-write-and-flush"
      (func (param "self" (borrow $output)) (param "contents" (list u8)) (result (result (error $stream-error)))))))
  (alias export $streams "output-stream" (type $output))
  (import "wasi:cli/stdout@0.2.0" (instance $stdout
    (alias outer 1 $output (type $o))
    (export "output-stream" (type $output (eq $o)))
    (export "get-stdout" (func (result (own $output))))))

  (core module $memory (memory (export "memory") 1) (data (i32.const 64) "a line of output\0a"))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $m))
  (core func $block (canon lower (func $poll "[method]pollable.block")))
  (core func $subscribe (canon lower (func $clock "subscribe-duration")))
  (core func $exit (canon lower (func $exit "exit")))
  (core func $write (canon lower (func $streams "[method]output-stream.blocking-write-and-flush") (memory $m)))
  (core func $stdout (canon lower (func $stdout "get-stdout")))
  (core module $main
    (import "" "block" (func $block (param i32)))
    (import "" "subscribe" (func $subscribe (param i64) (result i32)))
    (import "" "exit" (func $exit (param i32)))
    (import "" "write" (func $write (param i32 i32 i32 i32)))
    (import "" "stdout" (func $stdout (result i32)))
    (import "" "memory" (memory 1))
    (global $runs (mut i32) (i32.const 0))
    (func (export "run") (result i32)
      (global.set $runs (i32.add (global.get $runs) (i32.const 1)))
      (call $write (call $stdout) (i32.const 64) (i32.const 17) (i32.const 16))
      (call $block (call $subscribe (i64.const 1000)))
      (if (i32.eq (global.get $runs) (i32.const 3)) (then (call $exit (i32.const 1))))
      (i32.and (global.get $runs) (i32.const 1))))
  (core instance $main (instantiate $main (with "" (instance
    (export "block" (func $block)) (export "subscribe" (func $subscribe)) (export "exit" (func $exit))
    (export "write" (func $write)) (export "stdout" (func $stdout)) (export "memory" (memory $m))))))
  (func $run (result (result)) (canon lift (core func $main "run")))
  (instance $command (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $command)))
