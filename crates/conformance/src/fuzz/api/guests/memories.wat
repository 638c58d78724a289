;; A shared memory, a memory with 64-bit addresses, and a memory that cannot grow.
(module
  (memory $shared (export "shared") 1 4 shared)
  (memory $long (export "long") i64 1 4)
  (memory $small (export "small") 0 0)
  (func (export "growShared") (param i32) (result i32) (memory.grow $shared (local.get 0)))
  (func (export "growLong") (param i64) (result i64) (memory.grow $long (local.get 0)))
  (func (export "growSmall") (param i32) (result i32) (memory.grow $small (local.get 0)))
  (func (export "notify") (param i32 i32) (result i32)
    (memory.atomic.notify $shared (local.get 0) (local.get 1)))
  (func (export "fill") (param i64 i32 i64) (memory.fill $long (local.get 0) (local.get 1) (local.get 2)))
  (func (export "copy") (param i64 i32 i32) (memory.copy $long $shared (local.get 0) (local.get 1) (local.get 2))))
