;; Typical kernels of guests that compute. The parameter of each function is the number of repetitions.
(module
  (memory (export "memory") 4)

  ;; FNV-1a over 64 KiB. It stores a byte of the hash at each step.
  (func (export "hash") (param $n i32) (result i32)
    (local $at i32) (local $hash i32)
    (local.set $hash (i32.const 0x811c9dc5))
    (loop $rounds
      (local.set $at (i32.const 0))
      (loop $bytes
        (local.set $hash
          (i32.mul
            (i32.xor (local.get $hash) (i32.load8_u (local.get $at)))
            (i32.const 0x01000193)))
        (i32.store8 (local.get $at) (local.get $hash))
        (br_if $bytes
          (i32.lt_u
            (local.tee $at (i32.add (local.get $at) (i32.const 1)))
            (i32.const 65536))))
      (br_if $rounds (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $hash))

  ;; The product of two 96 by 96 matrices of f64.
  (func $element (param $base i32) (param $row i32) (param $column i32) (result i32)
    (i32.add
      (local.get $base)
      (i32.shl
        (i32.add (i32.mul (local.get $row) (i32.const 96)) (local.get $column))
        (i32.const 3))))
  (func (export "matrix") (param $n i32) (result i32)
    (local $i i32) (local $j i32) (local $k i32) (local $sum f64)
    (loop $rounds
      (local.set $i (i32.const 0))
      (loop $rows
        (local.set $j (i32.const 0))
        (loop $columns
          (local.set $k (i32.const 0))
          (local.set $sum (f64.const 1))
          (loop $inner
            (local.set $sum
              (f64.add
                (local.get $sum)
                (f64.mul
                  (f64.load (call $element (i32.const 0) (local.get $i) (local.get $k)))
                  (f64.load (call $element (i32.const 73728) (local.get $k) (local.get $j))))))
            (br_if $inner
              (i32.lt_u
                (local.tee $k (i32.add (local.get $k) (i32.const 1)))
                (i32.const 96))))
          (f64.store
            (call $element (i32.const 147456) (local.get $i) (local.get $j))
            (local.get $sum))
          (br_if $columns
            (i32.lt_u
              (local.tee $j (i32.add (local.get $j) (i32.const 1)))
              (i32.const 96))))
        (br_if $rows
          (i32.lt_u
            (local.tee $i (i32.add (local.get $i) (i32.const 1)))
            (i32.const 96))))
      (br_if $rounds (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (i32.trunc_sat_f64_s (local.get $sum)))

  ;; Quicksort of 32,768 numbers from a random generator.
  (func $sort (param $low i32) (param $high i32)
    (local $i i32) (local $j i32) (local $pivot i32) (local $swap i32)
    (if (i32.ge_s (local.get $low) (local.get $high)) (then (return)))
    (local.set $i (local.get $low))
    (local.set $j (local.get $high))
    (local.set $pivot
      (i32.load
        (i32.and
          (i32.shr_u (i32.add (local.get $low) (local.get $high)) (i32.const 1))
          (i32.const -4))))
    (loop $partition
      (loop $left
        (if (i32.lt_s (i32.load (local.get $i)) (local.get $pivot))
          (then
            (local.set $i (i32.add (local.get $i) (i32.const 4)))
            (br $left))))
      (loop $right
        (if (i32.gt_s (i32.load (local.get $j)) (local.get $pivot))
          (then
            (local.set $j (i32.sub (local.get $j) (i32.const 4)))
            (br $right))))
      (if (i32.le_s (local.get $i) (local.get $j))
        (then
          (local.set $swap (i32.load (local.get $i)))
          (i32.store (local.get $i) (i32.load (local.get $j)))
          (i32.store (local.get $j) (local.get $swap))
          (local.set $i (i32.add (local.get $i) (i32.const 4)))
          (local.set $j (i32.sub (local.get $j) (i32.const 4)))))
      (br_if $partition (i32.le_s (local.get $i) (local.get $j))))
    (call $sort (local.get $low) (local.get $j))
    (call $sort (local.get $i) (local.get $high)))
  (func (export "sort") (param $n i32) (result i32)
    (local $at i32) (local $seed i32)
    (local.set $seed (i32.const 1))
    (loop $rounds
      (local.set $at (i32.const 0))
      (loop $fill
        (local.set $seed
          (i32.add (i32.mul (local.get $seed) (i32.const 1103515245)) (i32.const 12345)))
        (i32.store (local.get $at) (local.get $seed))
        (br_if $fill
          (i32.lt_u
            (local.tee $at (i32.add (local.get $at) (i32.const 4)))
            (i32.const 131072))))
      (call $sort (i32.const 0) (i32.const 131068))
      (br_if $rounds (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (i32.load (i32.const 65536)))

  ;; A loop that interprets a program of seven instructions of one byte each, and repeats it.
  (data (i32.const 200000) "\00\01\02\01\03\00\04")
  (func $add (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func $mul (param i32 i32) (result i32) (i32.mul (local.get 0) (local.get 1)))
  (func $xor (param i32 i32) (result i32) (i32.xor (local.get 0) (local.get 1)))
  (table funcref (elem $add $mul $xor))
  (func (export "interpret") (param $n i32) (result i32)
    (local $at i32) (local $a i32) (local $b i32)
    (local.set $b (i32.const 7))
    (loop $next
      (block $jump (block $swap (block $apply
        (br_table $apply $apply $apply $swap $jump
          (i32.load8_u offset=200000 (local.get $at))))
        (local.set $a
          (call_indirect (param i32 i32) (result i32)
            (local.get $a) (local.get $b)
            (i32.load8_u offset=200000 (local.get $at))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next))
        (local.set $b (i32.add (local.get $a) (local.get $b)))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next))
      (local.set $at (i32.const 0))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $a)))
