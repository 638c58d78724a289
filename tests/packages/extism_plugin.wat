;; A plugin for Extism: it gets its input byte by byte, and calls functions of the host and of another module.
(module
  (import "extism:host/env" "input_length" (func $input_length (result i64)))
  (import "extism:host/env" "input_load_u8" (func $input_load_u8 (param i64) (result i32)))
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "length" (func $length (param i64) (result i64)))
  (import "extism:host/env" "store_u8" (func $store_u8 (param i64 i32)))
  (import "extism:host/env" "output_set" (func $output_set (param i64 i64)))
  (import "extism:host/env" "error_set" (func $error_set (param i64)))
  (import "extism:host/user" "greet" (func $greet (param i64) (result i64)))
  (import "letters" "upper" (func $upper (param i32) (result i32)))

  ;; A block with the input in upper case.
  (func $shouted (result i64)
    (local $block i64) (local $at i64) (local $size i64)
    (local.set $size (call $input_length))
    (local.set $block (call $alloc (local.get $size)))
    (block $done
      (loop $next
        (br_if $done (i64.eq (local.get $at) (local.get $size)))
        (call $store_u8
          (i64.add (local.get $block) (local.get $at))
          (call $upper (call $input_load_u8 (local.get $at))))
        (local.set $at (i64.add (local.get $at) (i64.const 1)))
        (br $next)))
    (local.get $block))

  (func (export "shout") (result i32)
    (local $greeting i64)
    (local.set $greeting (call $greet (call $shouted)))
    (call $output_set (local.get $greeting) (call $length (local.get $greeting)))
    (i32.const 0))

  (func (export "fail") (result i32)
    (call $error_set (call $shouted))
    (i32.const 1))

  (func (export "spin") (result i32)
    (loop $forever (br $forever))
    (i32.const 0)))
