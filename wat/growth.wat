;; Grows its memory a page at a time until that fails, and tells how far it got.
(module
  (memory (export "memory") 0)
  (func (export "fill") (param $most i32) (result i32)
    (loop $more
      (if (i32.lt_u (memory.size) (local.get $most))
        (then (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))))
    (memory.size)))
