;; Objects on the garbage-collected heap, which the host can hold but not look into.
(module
  (type $pair (struct (field (mut i32)) (field i32)))
  (type $ints (array (mut i32)))
  (func (export "pair") (param i32 i32) (result (ref $pair))
    (struct.new $pair (local.get 0) (local.get 1)))
  (func (export "sum") (param (ref $pair)) (result i32)
    (i32.add (struct.get $pair 0 (local.get 0)) (struct.get $pair 1 (local.get 0))))
  (func (export "ints") (param i32) (result (ref $ints)) (array.new_default $ints (local.get 0)))
  (func (export "length") (param arrayref) (result i32) (array.len (local.get 0)))
  (func (export "i31") (param i32) (result i31ref) (ref.i31 (local.get 0)))
  (func (export "i31.get") (param i31ref) (result i32) (i31.get_s (local.get 0)))
  (func (export "internalize") (param externref) (result anyref)
    (any.convert_extern (local.get 0)))
  (func (export "externalize") (param anyref) (result externref)
    (extern.convert_any (local.get 0)))
  ;; Makes garbage: `n` pairs that nothing holds on to.
  (func (export "churn") (param $n i32)
    (loop $more
      (drop (struct.new $pair (local.get $n) (i32.const 0)))
      (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))))
