;; Exceptions: thrown to the host, caught by tag, caught whatever they are, and thrown again.
(module
  (tag $e (export "e") (param i32))
  (func $throw (export "throw") (param i32) (throw $e (local.get 0)))
  (func (export "catch") (param i32) (result i32)
    (block $caught (result i32)
      (try_table (catch $e $caught) (call $throw (local.get 0)))
      (i32.const 0)))
  (func (export "catch_all") (param i32) (result i32)
    (block $caught
      (try_table (catch_all $caught) (call $throw (local.get 0)))
      (return (i32.const 0)))
    (i32.const -1))
  (func (export "rethrow") (param i32)
    (block $caught (result exnref)
      (try_table (catch_all_ref $caught) (call $throw (local.get 0)))
      (return))
    (throw_ref)))
