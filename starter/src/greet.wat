;; A guest as wasm-bindgen makes them: strings go in and come out as UTF-8 in its memory.
;; `wat2wasm greet.wat` or `wasm-tools parse greet.wat -o greet.wasm` makes the binary.
(module
  (import "./greet_bg.js" "__wbindgen_throw" (func $throw (param i32 i32)))
  (memory (export "memory") 1)
  (global $free (mut i32) (i32.const 1024))
  (data (i32.const 16) "Hello, ")
  (data (i32.const 32) "a name is needed")

  (func $malloc (export "__wbindgen_malloc") (param $size i32) (param $align i32) (result i32)
    (global.get $free)
    (global.set $free (i32.add (global.get $free) (local.get $size))))

  ;; Frees what was allocated last, and all behind it.
  (func (export "__wbindgen_free") (param $at i32) (param $size i32) (param $align i32)
    (global.set $free (local.get $at)))

  (func (export "greet") (param $name i32) (param $size i32) (result i32 i32)
    (local $text i32)
    (if (i32.eqz (local.get $size)) (then (call $throw (i32.const 32) (i32.const 16))))
    (local.set $text (call $malloc (i32.add (local.get $size) (i32.const 8)) (i32.const 1)))
    (memory.copy (local.get $text) (i32.const 16) (i32.const 7))
    (memory.copy (i32.add (local.get $text) (i32.const 7)) (local.get $name) (local.get $size))
    (i32.store8 (i32.add (local.get $text) (i32.add (local.get $size) (i32.const 7))) (i32.const 33))
    (local.get $text)
    (i32.add (local.get $size) (i32.const 8))))
