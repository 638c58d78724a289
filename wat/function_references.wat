;; Typed function references, called directly.
(module
  (type $unary (func (param i32) (result i32)))
  (elem declare func $square)
  (func $square (export "square") (type $unary) (i32.mul (local.get 0) (local.get 0)))
  (func (export "apply") (param $f (ref $unary)) (param $x i32) (result i32)
    (call_ref $unary (local.get $x) (local.get $f)))
  (func (export "get") (result (ref $unary)) (ref.func $square)))
