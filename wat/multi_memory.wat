;; Two memories that grow apart.
(module
  (memory $a (export "a") 1 4)
  (memory $b (export "b") 2 4)
  (data (memory $a) (i32.const 0) "a")
  (data (memory $b) (i32.const 0) "b")
  (func (export "copy") (param i32 i32 i32)
    (memory.copy $b $a (local.get 0) (local.get 1) (local.get 2)))
  (func (export "grow_a") (param i32) (result i32) (memory.grow $a (local.get 0)))
  (func (export "grow_b") (param i32) (result i32) (memory.grow $b (local.get 0))))
