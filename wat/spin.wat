;; Loops that end when they are told to, or not at all: for fuel.
(module
  (memory (export "memory") 1)
  (func (export "forever") (loop $again (br $again)))
  (func (export "count") (param $n i32) (result i32)
    (local $i i32)
    (loop $again
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (i32.store (i32.const 0) (local.get $i))
      (br_if $again (i32.lt_u (local.get $i) (local.get $n))))
    (local.get $i)))
