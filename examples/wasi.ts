// A program for WASI, with files and piped output:
//
//     cargo run --example embed -- --allow-wasi --allow-preopen . examples/wasi.ts
// The program is a small `cat`: it reads the name of a file from standard input, and copies the file to standard
// output. It is in the text format here, so that the example needs no compiler.
import { compile, instantiate, WasmError } from "host:wasm";

const program = `(module
  (import "wasi_snapshot_preview1" "fd_read"
    (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (func $try (param $errno i32)
    (if (local.get $errno) (then (call $exit (local.get $errno)))))
  ;; Reads from a file to address 1024, and returns the number of bytes.
  (func $more (param $fd i32) (result i32)
    (i32.store (i32.const 0) (i32.const 1024))
    (i32.store (i32.const 4) (i32.const 4096))
    (call $try (call $read (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8)))
    (i32.load (i32.const 8)))
  (func (export "_start") (local $fd i32) (local $length i32)
    (local.set $length (call $more (i32.const 0)))
    ;; The first preopened folder is descriptor 3. The number 2 is the right to read.
    (call $try (call $open (i32.const 3) (i32.const 1) (i32.const 1024) (local.get $length)
      (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 12)))
    (local.set $fd (i32.load (i32.const 12)))
    (loop $again
      (local.set $length (call $more (local.get $fd)))
      (i32.store (i32.const 4) (local.get $length))
      (call $try (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
      (br_if $again (local.get $length)))))`;

const cat = await compile(Deno.core.encode(program));

for (const file of ["LICENSE", "../outside", "missing"]) {
  const instance = await instantiate(cat, {}, {
    wasi: { preopens: { "/": { path: ".", readonly: true } }, stdin: file, stdout: "piped" },
  });
  const status = instance.start();
  const output = String.fromCharCode(...instance.stdout());
  console.log(`${file}: exit status ${status}, ${output.length} bytes: ${output.split("\n")[0]}`);
  instance.drop();
}

try {
  await instantiate(cat, {}, { wasi: { preopens: { "/": "/" } } });
} catch (error) {
  if (error instanceof WasmError) console.log(`${error.code}: ${error.message}`);
}
