;; A module that a plugin for Extism is linked with.
(module
  (func (export "upper") (param $letter i32) (result i32)
    (select
      (i32.sub (local.get $letter) (i32.const 32))
      (local.get $letter)
      (i32.lt_u (i32.sub (local.get $letter) (i32.const 97)) (i32.const 26)))))
