;; Counts the bytes of a file in the preopened folder.
(module
    (import "wasi_snapshot_preview1" "path_open"
        (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    ;; The name of the file is in the first `length` bytes of the memory. Returns the number of bytes in the file, or
    ;; minus the error number.
    (func (export "count") (param $length i32) (result i32)
        (local $error i32) (local $sum i32)
        (local.set $error (call $path_open (i32.const 3) (i32.const 0) (i32.const 0) (local.get $length)
            (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 1024)))
        (if (local.get $error) (then (return (i32.sub (i32.const 0) (local.get $error)))))
        ;; One buffer of 4 KiB at 4096.
        (i32.store (i32.const 1032) (i32.const 4096))
        (i32.store (i32.const 1036) (i32.const 4096))
        (loop $more
            (local.set $error (call $fd_read (i32.load (i32.const 1024)) (i32.const 1032) (i32.const 1) (i32.const 1028)))
            (if (local.get $error) (then (return (i32.sub (i32.const 0) (local.get $error)))))
            (local.set $sum (i32.add (local.get $sum) (i32.load (i32.const 1028))))
            (br_if $more (i32.load (i32.const 1028))))
        (local.get $sum)))
