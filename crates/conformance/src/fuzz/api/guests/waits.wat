;; Waits on a shared memory. No deadline can end such a wait, so a store with a deadline refuses the module.
(module
  (memory (export "memory") 1 1 shared)
  (func (export "wait") (param i32 i32 i64) (result i32)
    (memory.atomic.wait32 (local.get 0) (local.get 1) (local.get 2))))
