;; Waits on a shared memory, which no deadline could end: instantiating it is refused where there is one.
(module
  (memory (export "memory") 1 1 shared)
  (func (export "wait") (param i32 i32 i64) (result i32)
    (memory.atomic.wait32 (local.get 0) (local.get 1) (local.get 2))))
