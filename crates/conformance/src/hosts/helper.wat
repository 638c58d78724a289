;; Tells the harness what a reference in the `any` hierarchy is, and passes host values into it.
(module
  (func (export "internalize") (param externref) (result anyref)
    (any.convert_extern (local.get 0)))
  (func (export "externalize") (param anyref) (result externref)
    (extern.convert_any (local.get 0)))
  (func (export "kind") (param anyref) (result i32)
    (if (ref.test i31ref (local.get 0)) (then (return (i32.const 1))))
    (if (ref.test structref (local.get 0)) (then (return (i32.const 2))))
    (if (ref.test arrayref (local.get 0)) (then (return (i32.const 3))))
    (i32.const 0)))
