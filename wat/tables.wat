;; A table of functions that the guest calls through, and that the host may change.
(module
  (type $unary (func (param i32) (result i32)))
  (table (export "table") 3 5 funcref)
  (elem (i32.const 0) $double $negate)
  (func $double (export "double") (type $unary) (i32.shl (local.get 0) (i32.const 1)))
  (func $negate (export "negate") (type $unary) (i32.sub (i32.const 0) (local.get 0)))
  (func (export "call") (param $i i32) (param $x i32) (result i32)
    (call_indirect (type $unary) (local.get $x) (local.get $i)))
  (func (export "grow") (param i32) (result i32) (table.grow (ref.null func) (local.get 0))))
