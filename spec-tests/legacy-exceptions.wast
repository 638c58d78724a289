;; Legacy exceptions: `try` with `catch`, `catch_all`, `rethrow` and `delegate`. The text format has them unfolded.

(module $thrower
  (tag $e (export "e") (param i32))
  (tag $f (export "f"))
  (func (export "throw-e") (param i32) (throw $e (local.get 0)))
  (func (export "throw-f") (throw $f)))
(register "thrower" $thrower)

;; Which handler runs, and with which values.
(module
  (import "thrower" "e" (tag $e (param i32)))
  (import "thrower" "f" (tag $f))
  (import "thrower" "throw-e" (func $throw-e (param i32)))
  (import "thrower" "throw-f" (func $throw-f))
  (tag $pair (param i32 i64))
  (tag $same (param i32))

  ;; 0 throws nothing, 1 throws $e, 2 throws $f, 3 throws $pair, 4 throws $same.
  (func $throw (param i32)
    (block $same (block $pair (block $f (block $e (block $none
      (br_table $none $e $f $pair $same (local.get 0)))
      (return))
      (call $throw-e (i32.const 10))
      (return))
      (call $throw-f)
      (return))
      (throw $pair (i32.const 20) (i64.const 30)))
    (throw $same (i32.const 40)))

  (func (export "first-that-fits") (param i32) (result i32)
    try (result i32)
      local.get 0
      call $throw
      i32.const -1
    catch $f
      i32.const 1
    catch $e
    catch $pair
      i32.wrap_i64
      i32.add
    catch_all
      i32.const 2
    end)

  (func (export "without-catch-all") (param i32) (result i32)
    try (result i32)
      local.get 0
      call $throw
      i32.const -1
    catch $e
    catch $same
      i32.const 1
      i32.add
    end)

  (func (export "without-handlers") (param i32) (result i32)
    try (result i32)
      local.get 0
      call $throw
      i32.const 5
    end)

  ;; A handler does not catch its own exceptions.
  (func (export "from-handler") (param i32) (result i32)
    try (result i32)
      try (result i32)
        i32.const 1
        call $throw
        i32.const -1
      catch $e
        drop
        local.get 0
        call $throw
        i32.const -2
      catch_all
        i32.const -3
      end
    catch $e
      i32.const 100
      i32.add
    catch $f
      i32.const 101
    end)

  ;; Several values into a block and out of it, from its body and from its handlers.
  (func (export "values") (param i32) (result i32 i64 f32)
    local.get 0
    i64.const 7
    try (param i32 i64) (result i32 i64 f32)
      local.get 0
      call $throw
      f32.const 0.5
    catch $pair
      f32.const 1.5
    catch $e
      i64.const 8
      f32.const 2.5
    catch_all
      i32.const 9
      i64.const 9
      f32.const 3.5
    end)

  ;; Values below a `try` stay where they are.
  (func (export "below") (param i32) (result i32)
    i32.const 1000
    try (result i32)
      i32.const 1
      local.get 0
      call $throw
    catch_all
      i32.const 2
    end
    i32.add))

(assert_return (invoke "first-that-fits" (i32.const 0)) (i32.const -1))
(assert_return (invoke "first-that-fits" (i32.const 1)) (i32.const 10))
(assert_return (invoke "first-that-fits" (i32.const 2)) (i32.const 1))
(assert_return (invoke "first-that-fits" (i32.const 3)) (i32.const 50))
(assert_return (invoke "first-that-fits" (i32.const 4)) (i32.const 2))
(assert_return (invoke "without-catch-all" (i32.const 0)) (i32.const -1))
(assert_return (invoke "without-catch-all" (i32.const 1)) (i32.const 10))
(assert_exception (invoke "without-catch-all" (i32.const 2)))
(assert_return (invoke "without-catch-all" (i32.const 4)) (i32.const 41))
(assert_return (invoke "without-handlers" (i32.const 0)) (i32.const 5))
(assert_exception (invoke "without-handlers" (i32.const 1)))
(assert_return (invoke "from-handler" (i32.const 0)) (i32.const -2))
(assert_return (invoke "from-handler" (i32.const 1)) (i32.const 110))
(assert_return (invoke "from-handler" (i32.const 2)) (i32.const 101))
(assert_exception (invoke "from-handler" (i32.const 3)))
(assert_return (invoke "values" (i32.const 0)) (i32.const 0) (i64.const 7) (f32.const 0.5))
(assert_return (invoke "values" (i32.const 1)) (i32.const 10) (i64.const 8) (f32.const 2.5))
(assert_return (invoke "values" (i32.const 2)) (i32.const 9) (i64.const 9) (f32.const 3.5))
(assert_return (invoke "values" (i32.const 3)) (i32.const 20) (i64.const 30) (f32.const 1.5))
(assert_return (invoke "below" (i32.const 0)) (i32.const 1001))
(assert_return (invoke "below" (i32.const 1)) (i32.const 1002))

;; `rethrow`, of the innermost handler and of those around it.
(module
  (tag $e (param i32))
  (tag $f (param i32))
  (tag $g)

  (func (export "inner") (param i32) (result i32)
    try (result i32)
      try (result i32)
        local.get 0
        throw $e
      catch $e
        drop
        rethrow 0
      end
    catch $e
    end)

  ;; 0 rethrows the inner exception, 1 that of the middle, 2 the outer one.
  (func (export "choose") (param i32) (result i32)
    try (result i32)
      try $outer (result i32)
        i32.const 1
        throw $e
      catch $e
        drop
        try $middle (result i32)
          i32.const 2
          throw $f
        catch_all
          try $inner (result i32)
            i32.const 3
            throw $e
          catch $e
            drop
            block $two
              block $one
                block $zero
                  local.get 0
                  br_table $zero $one $two
                end
                rethrow $inner
              end
              rethrow $middle
            end
            rethrow $outer
          end
        end
      end
    catch $e
      i32.const 10
      i32.add
    catch $f
      i32.const 20
      i32.add
    end)

  ;; Handlers beside each other, one of which is in a loop, keep their own exceptions.
  (func (export "beside") (param $turns i32) (result i32)
    (local $sum i32)
    loop $again
      try
        try $first
          local.get $turns
          throw $e
        catch $e
          drop
          try
            throw $g
          catch $g
          end
          rethrow $first
        end
      catch $e
        local.get $sum
        i32.add
        local.set $sum
      end
      try
        try $second
          i32.const 100
          throw $e
        catch_all
          rethrow $second
        end
      catch $e
        local.get $sum
        i32.add
        local.set $sum
      end
      local.get $turns
      i32.const 1
      i32.sub
      local.tee $turns
      br_if $again
    end
    local.get $sum)

  ;; The locals of exceptions come after the function's own.
  (func (export "locals") (param i64 f32) (result i64)
    (local $a i64) (local $b f64) (local $c externref) (local $d i64)
    i64.const 5
    local.set $d
    try
      try $t
        throw $g
      catch $g
        local.get 0
        local.set $a
        rethrow $t
      end
    catch_all
    end
    local.get $a
    local.get $d
    i64.add))

(assert_return (invoke "inner" (i32.const 6)) (i32.const 6))
(assert_return (invoke "choose" (i32.const 0)) (i32.const 13))
(assert_return (invoke "choose" (i32.const 1)) (i32.const 22))
(assert_return (invoke "choose" (i32.const 2)) (i32.const 11))
(assert_return (invoke "beside" (i32.const 3)) (i32.const 306))
(assert_return (invoke "locals" (i64.const 8) (f32.const 0)) (i64.const 13))

;; `delegate`.
(module
  (tag $e (param i32))
  (tag $f)

  ;; Past the `try` between.
  (func (export "over-one") (result i32)
    try $outer (result i32)
      try (result i32)
        try (result i32)
          i32.const 1
          throw $e
        delegate $outer
      catch_all
        i32.const -1
      end
    catch $e
    end)

  ;; To the `try` that is around it anyway.
  (func (export "to-the-next") (result i32)
    try $outer (result i32)
      try (result i32)
        i32.const 2
        throw $e
      delegate $outer
    catch $e
    end)

  ;; A label that is no `try`: the next `try` around the label.
  (func (export "to-a-block") (result i32)
    try (result i32)
      block $b (result i32)
        try (result i32)
          try (result i32)
            i32.const 3
            throw $e
          delegate $b
        catch_all
          i32.const -1
        end
      end
    catch $e
    end)

  ;; From a handler, its own `try` is no target any more.
  (func (export "from-handler") (result i32)
    try (result i32)
      try $caught (result i32)
        throw $f
      catch_all
        try (result i32)
          try (result i32)
            i32.const 4
            throw $e
          delegate $caught
        catch_all
          i32.const -1
        end
      end
    catch $e
    end)

  ;; To the caller.
  (func $to-caller (param i32) (result i32)
    try (result i32)
      try (result i32)
        try (result i32)
          local.get 0
          if
            local.get 0
            throw $e
          end
          i32.const 5
        delegate 2
      catch_all
        i32.const -1
      end
    catch $e
      drop
      i32.const -2
    end)
  (func (export "to-caller") (param i32) (result i32)
    try (result i32)
      local.get 0
      call $to-caller
    catch $e
      i32.const 100
      i32.add
    end)
  (func (export "to-the-host") (param i32) (result i32)
    local.get 0
    call $to-caller)

  ;; To a `try` that delegates itself.
  (func (export "chain") (result i32)
    try $a (result i32)
      try (result i32)
        try $b (result i32)
          try (result i32)
            try (result i32)
              i32.const 6
              throw $e
            delegate $b
          catch_all
            i32.const -1
          end
        delegate $a
      catch_all
        i32.const -2
      end
    catch $e
    end)

  ;; The target has no handler for it: on to the one around the target.
  (func (export "on-from-the-target") (result i32)
    try (result i32)
      try $target (result i32)
        try (result i32)
          try (result i32)
            i32.const 7
            throw $e
          delegate $target
        catch_all
          i32.const -1
        end
      catch $f
        i32.const -2
      end
    catch $e
    end)

  ;; A target with parameters and results, whose body is left in all ways.
  (func (export "delegates-in-a-row") (param i32) (result i32)
    (local $n i32)
    i32.const 40
    try $target (param i32) (result i32)
      try
        try
          local.get 0
          i32.const 1
          i32.eq
          if
            i32.const 1
            throw $e
          end
        delegate $target
      catch_all
        unreachable
      end
      try
        try
          local.get 0
          i32.const 2
          i32.eq
          if
            i32.const 2
            throw $e
          end
        delegate $target
      catch_all
        unreachable
      end
      i32.const 2
      i32.add
      local.get 0
      i32.const 3
      i32.eq
      br_if $target
      i32.const 1
      i32.add
    catch $e
    end))

(assert_return (invoke "over-one") (i32.const 1))
(assert_return (invoke "to-the-next") (i32.const 2))
(assert_return (invoke "to-a-block") (i32.const 3))
(assert_return (invoke "from-handler") (i32.const 4))
(assert_return (invoke "to-caller" (i32.const 0)) (i32.const 5))
(assert_return (invoke "to-caller" (i32.const 1)) (i32.const 101))
(assert_return (invoke "to-the-host" (i32.const 0)) (i32.const 5))
(assert_exception (invoke "to-the-host" (i32.const 1)))
(assert_return (invoke "chain") (i32.const 6))
(assert_return (invoke "on-from-the-target") (i32.const 7))
(assert_return (invoke "delegates-in-a-row" (i32.const 0)) (i32.const 43))
(assert_return (invoke "delegates-in-a-row" (i32.const 1)) (i32.const 1))
(assert_return (invoke "delegates-in-a-row" (i32.const 2)) (i32.const 2))
(assert_return (invoke "delegates-in-a-row" (i32.const 3)) (i32.const 42))

;; Branches out of bodies and handlers, and back into loops around them.
(module
  (tag $e (param i32))
  (type $nothing (func))
  (type $s (struct (field i32)))
  (table funcref (elem $callee))
  (func $callee)

  (func (export "br") (param i32) (result i32)
    block $out (result i32)
      try $t (result i32)
        local.get 0
        if
          i32.const 1
          local.get 0
          i32.const 1
          i32.eq
          br_if $out
          drop
          i32.const 2
          br $t
        end
        i32.const 3
        throw $e
      catch $e
        i32.const 10
        i32.add
        br $t
      catch_all
        i32.const -1
        br $out
      end
      i32.const 100
      i32.add
    end)

  (func (export "br_table") (param i32) (result i32)
    block $a (result i32)
      block $b (result i32)
        try $t (result i32)
          i32.const 1
          throw $e
        catch $e
          local.get 0
          br_table $t $b $a 3 $t
        end
        i32.const 10
        i32.add
      end
      i32.const 100
      i32.add
    end
    i32.const 1000
    i32.add)

  (func (export "br_on_null") (param i32) (result i32)
    block $null
      try
        local.get 0
        if
          ref.null func
          br_on_null $null
          drop
        end
        i32.const 1
        throw $e
      catch $e
        drop
        ref.null func
        br_on_null $null
        drop
      end
      i32.const -1
      return
    end
    i32.const 7)

  (func (export "br_on_non_null") (result i32)
    block $found (result (ref func))
      try
        i32.const 1
        throw $e
      catch $e
        table.get 0
        br_on_non_null $found
      end
      i32.const 1
      return
    end
    drop
    i32.const 2)

  (func (export "br_on_cast") (param i32) (result i32)
    (local $any anyref)
    local.get 0
    if
      i32.const 5
      struct.new $s
      local.set $any
    end
    block $struct (result (ref $s))
      block $other (result anyref)
        try
          i32.const 1
          throw $e
        catch $e
          drop
          local.get $any
          br_on_cast $struct anyref (ref $s)
          br_on_cast_fail $other anyref (ref $s)
          drop
        end
        unreachable
      end
      drop
      i32.const -1
      return
    end
    struct.get $s 0)

  ;; Sums up the thrown values.
  (func (export "loop") (param $n i32) (result i32)
    (local $sum i32)
    loop $again
      try
        local.get $n
        throw $e
      catch $e
        local.get $sum
        i32.add
        local.set $sum
        local.get $n
        i32.const 1
        i32.sub
        local.tee $n
        br_if $again
      end
    end
    local.get $sum)

  (func (export "return") (param i32) (result i32)
    try (result i32)
      local.get 0
      if
        i32.const 1
        return
      end
      i32.const 2
      throw $e
    catch $e
      i32.const 10
      i32.add
      return
    end
    drop
    i32.const -1))

(assert_return (invoke "br" (i32.const 0)) (i32.const 113))
(assert_return (invoke "br" (i32.const 1)) (i32.const 1))
(assert_return (invoke "br" (i32.const 2)) (i32.const 102))
(assert_return (invoke "br_table" (i32.const 0)) (i32.const 1111))
(assert_return (invoke "br_table" (i32.const 1)) (i32.const 1101))
(assert_return (invoke "br_table" (i32.const 2)) (i32.const 1001))
(assert_return (invoke "br_table" (i32.const 3)) (i32.const 1))
(assert_return (invoke "br_table" (i32.const 4)) (i32.const 1111))
(assert_return (invoke "br_on_null" (i32.const 0)) (i32.const 7))
(assert_return (invoke "br_on_null" (i32.const 1)) (i32.const 7))
(assert_trap (invoke "br_on_non_null") "out of bounds table access")
(assert_return (invoke "br_on_cast" (i32.const 0)) (i32.const -1))
(assert_return (invoke "br_on_cast" (i32.const 1)) (i32.const 5))
(assert_return (invoke "loop" (i32.const 5)) (i32.const 15))
(assert_return (invoke "return" (i32.const 0)) (i32.const 12))
(assert_return (invoke "return" (i32.const 1)) (i32.const 1))

;; Tail calls: the frame with the handlers is gone.
(module
  (tag $e (param i32))
  (type $throws (func (param i32) (result i32)))
  (table funcref (elem $throw))
  (elem declare func $throw)
  (func $throw (param i32) (result i32) (throw $e (local.get 0)))
  (func $direct (param i32) (result i32)
    try (result i32)
      local.get 0
      return_call $throw
    catch_all
      i32.const -1
    end)
  (func $indirect (param i32) (result i32)
    try (result i32)
      local.get 0
      i32.const 0
      return_call_indirect (type $throws)
    catch_all
      i32.const -1
    end)
  (func $ref (param i32) (result i32)
    try (result i32)
      local.get 0
      ref.func $throw
      return_call_ref $throws
    catch_all
      i32.const -1
    end)
  (func $delegated (param i32) (result i32)
    try $t (result i32)
      try (result i32)
        try (result i32)
          local.get 0
          return_call $throw
        delegate $t
      catch_all
        i32.const -1
      end
    catch_all
      i32.const -2
    end)
  (func $from-handler (param i32) (result i32)
    try (result i32)
      local.get 0
      throw $e
    catch $e
      i32.const 1
      i32.add
      return_call $throw
    end)
  (func $not-a-tail-call (param i32) (result i32)
    try (result i32)
      local.get 0
      call $throw
    catch_all
      i32.const -1
    end)
  (func (export "call") (param i32) (result i32)
    try (result i32)
      block $other (result i32)
        block $5 block $4 block $3 block $2 block $1
          local.get 0
          br_table $1 $2 $3 $4 $5
        end
          i32.const 10
          call $direct
          br $other
        end
          i32.const 20
          call $indirect
          br $other
        end
          i32.const 30
          call $ref
          br $other
        end
          i32.const 40
          call $delegated
          br $other
        end
          i32.const 50
          call $from-handler
      end
    catch $e
      i32.const 1000
      i32.add
    end)
  (func (export "not-a-tail-call") (result i32)
    i32.const 1
    call $not-a-tail-call))

(assert_return (invoke "call" (i32.const 0)) (i32.const 1010))
(assert_return (invoke "call" (i32.const 1)) (i32.const 1020))
(assert_return (invoke "call" (i32.const 2)) (i32.const 1030))
(assert_return (invoke "call" (i32.const 3)) (i32.const 1040))
(assert_return (invoke "call" (i32.const 4)) (i32.const 1051))
(assert_return (invoke "not-a-tail-call") (i32.const -1))

;; Code that is never reached, and takes any values from the stack.
(module
  (tag $e (param i32 i64))
  (func (export "unreachable") (result i32)
    try $t (result i32)
      i32.const 2
      i64.const 3
      throw $e
      try (param i64 i32) (result i32)
        drop
        drop
        try (result i32)
          unreachable
          i32.add
        delegate $t
      catch $e
        drop
        drop
        rethrow 0
        i32.add
        br 1
      catch_all
        unreachable
        br_table 0 1 0
      end
    catch $e
      drop
      br $t
    catch $e
      unreachable
    end)
  ;; Each `try` here is in dead code.
  (func (export "dead") (result i32)
    i32.const 4
    return
    try (param i32 i32 i64) (result i32)
      try
        unreachable
        drop
        br 2
      delegate 1
      drop
      drop
      drop
      i32.const 1
    catch $e
      try
        rethrow 1
      catch_all
        rethrow 0
        rethrow 1
      end
      drop
      drop
      i32.const 1
    end
    i32.add))
(assert_return (invoke "unreachable") (i32.const 2))
(assert_return (invoke "dead") (i32.const 4))

(assert_invalid
  (module quote
    "(tag $e (param i32))"
    "(func (result i32) try (result i32) i32.const 1 catch $e i64.const 1 end)")
  "type mismatch")
(assert_invalid
  (module quote "(func try catch_all end rethrow 0)")
  "invalid rethrow label")
(assert_invalid
  (module quote "(func try rethrow 0 catch_all end)")
  "invalid rethrow label")
(assert_invalid
  (module quote "(func try delegate 1)")
  "unknown label")
(assert_invalid
  (module quote "(func try catch 0 end)")
  "unknown tag")

;; Both kinds of instructions in one module, and in one function.
(module
  (tag $e (param i32))
  (tag $f)
  (func $legacy (param i32) (result i32)
    try (result i32)
      local.get 0
      throw $e
    catch $f
      i32.const -1
    end)
  (func $standard (param i32) (result i32)
    (block $caught (result i32)
      (try_table (result i32) (catch $e $caught) (call $legacy (local.get 0)))))
  (func (export "two-functions") (param i32) (result i32)
    local.get 0
    call $standard)

  (func (export "standard-in-legacy") (param i32) (result i32)
    try $t (result i32)
      block $all (result exnref)
        block $one (result i32)
          try_table (catch $e $one) (catch_all_ref $all)
            local.get 0
            i32.eqz
            if
              i32.const 0
              throw $e
            end
            throw $f
          end
          unreachable
        end
        br $t
      end
      throw_ref
    catch $f
      i32.const 100
    end)

  (func (export "labels") (param i32) (result i32)
    block $caught (result i32)
      try $t
        try_table (catch $e $caught) (catch_all $t)
          try
            local.get 0
            br_if 0
            local.get 0
            throw $e
          catch $f
            unreachable
          end
          throw $f
        end
        unreachable
      catch_all
        unreachable
      end
      i32.const 10
    end)

  ;; A `delegate` to a `try_table`, over a `try`.
  (func (export "delegate-to-standard") (param i32) (result i32)
    block $caught (result i32)
      try_table $t (result i32) (catch $e $caught)
        try (result i32)
          try (result i32)
            local.get 0
            i32.eqz
            if
              i32.const 5
              throw $e
            end
            local.get 0
          delegate $t
        catch_all
          i32.const -1
        end
        i32.const 20
        i32.add
      end
      i32.const 30
      i32.add
    end)

  ;; A `delegate` over a `try_table`.
  (func (export "delegate-over-standard") (param i32) (result i32)
    try $t (result i32)
      block $caught (result i32)
        try_table (result i32) (catch $e $caught)
          try (result i32)
            local.get 0
            throw $e
          delegate $t
        end
      end
      drop
      i32.const -1
    catch $e
    end)

  (func (export "reference-of-a-legacy-exception") (param i32) (result i32)
    block $caught (result i32 exnref)
      try_table (catch_ref $e $caught)
        try $t
          local.get 0
          throw $e
        catch $e
          drop
          rethrow $t
        end
      end
      unreachable
    end
    drop))

(assert_return (invoke "two-functions" (i32.const 3)) (i32.const 3))
(assert_return (invoke "standard-in-legacy" (i32.const 0)) (i32.const 0))
(assert_return (invoke "standard-in-legacy" (i32.const 1)) (i32.const 100))
(assert_return (invoke "labels" (i32.const 0)) (i32.const 0))
(assert_return (invoke "labels" (i32.const 4)) (i32.const 10))
(assert_return (invoke "delegate-to-standard" (i32.const 0)) (i32.const 5))
(assert_return (invoke "delegate-to-standard" (i32.const 1)) (i32.const 51))
(assert_return (invoke "delegate-over-standard" (i32.const 6)) (i32.const 6))
(assert_return (invoke "reference-of-a-legacy-exception" (i32.const 7)) (i32.const 7))

;; Non-nullable locals: which are set is forgotten at the end of a body and of a handler.
(module
  (tag $e (param i32))
  (type $s (struct (field i32)))
  (func (export "non-null") (param i32) (result i32)
    (local $s (ref $s))
    try $t (result i32)
      local.get 0
      struct.new $s
      local.set $s
      local.get $s
      struct.get $s 0
      throw $e
    catch $e
      struct.new $s
      local.set $s
      local.get $s
      struct.get $s 0
      i32.const 1
      i32.add
    end))
(assert_return (invoke "non-null" (i32.const 7)) (i32.const 8))

;; Traps are no exceptions.
(module
  (func $deep (call $deep))
  (func (export "trap") (result i32)
    try (result i32)
      unreachable
    catch_all
      i32.const 1
    end)
  (func (export "exhaustion") (result i32)
    try (result i32)
      call $deep
      i32.const 2
    catch_all
      i32.const 1
    end))
(assert_trap (invoke "trap") "unreachable")
(assert_exhaustion (invoke "exhaustion") "call stack exhausted")

;; A start function, globals, data and elements are as they were.
(module
  (tag $e (param i32))
  (memory (export "m") 1)
  (data (i32.const 8) "\2a")
  (global $g (mut i32) (i32.const 0))
  (table funcref (elem $one $two))
  (type $f (func (result i32)))
  (func $one (result i32)
    try (result i32) i32.const 1 throw $e catch $e end)
  (func $two (result i32)
    try (result i32) i32.const 2 throw $e catch $e end)
  (func $start
    try
      i32.const 8
      i32.load8_u
      throw $e
    catch $e
      global.set $g
    end)
  (start $start)
  (func (export "g") (result i32) (global.get $g))
  (func (export "call") (param i32) (result i32) (call_indirect (type $f) (local.get 0))))
(assert_return (invoke "g") (i32.const 42))
(assert_return (invoke "call" (i32.const 0)) (i32.const 1))
(assert_return (invoke "call" (i32.const 1)) (i32.const 2))
