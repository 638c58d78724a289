//! Every kind of trap has its name, and the stack names the function that trapped.

use serde_json::{Value, json};

use crate::support::js::Js;

/// The parts of the module that the code needs.
const AROUND: &str = r#"
    (memory 1)
    (table $t 2 funcref)
    (elem (table $t) (i32.const 0) func $other)
    (type $struct (struct (field i32)))
    (type $array (array (mut i32)))
    (type $func (func))
    (func $other (param i32))
"#;

/// The name of a trap, and the code of a function that traps so.
const TRAPS: [(&str, &str); 17] = [
    ("unreachable", "unreachable"),
    (
        "integer divide by zero",
        "(drop (i32.div_s (i32.const 1) (i32.const 0)))",
    ),
    (
        "integer overflow",
        "(drop (i32.div_s (i32.const 0x80000000) (i32.const -1)))",
    ),
    (
        "invalid conversion to integer",
        "(drop (i32.trunc_f32_s (f32.const nan)))",
    ),
    (
        "out of bounds memory access",
        "(drop (i32.load (i32.const 65533)))",
    ),
    ("unaligned atomic", "(drop (i32.atomic.load (i32.const 2)))"),
    (
        "expected shared memory",
        "(drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const 0)))",
    ),
    (
        "undefined element: out of bounds table access",
        "(drop (table.get $t (i32.const 2)))",
    ),
    (
        "uninitialized element",
        "(call_indirect $t (type $func) (i32.const 1))",
    ),
    (
        "indirect call type mismatch",
        "(call_indirect $t (type $func) (i32.const 0))",
    ),
    (
        "null reference",
        "(drop (struct.get $struct 0 (ref.null $struct)))",
    ),
    (
        "out of bounds array access",
        "(drop (array.get $array (array.new $array (i32.const 1) (i32.const 1)) (i32.const 1)))",
    ),
    (
        "allocation size too large",
        "(drop (array.new $array (i32.const 1) (i32.const -1)))",
    ),
    (
        "cast failure",
        "(drop (ref.cast (ref i31) (struct.new $struct (i32.const 1))))",
    ),
    ("call stack exhausted", "(call $guilty)"),
    ("null reference", "(call_ref $func (ref.null $func))"),
    ("null reference", "(throw_ref (ref.null exn))"),
];

#[test]
fn each_trap_has_its_name_and_the_name_of_its_function() {
    let mut js = Js::new();
    for (name, code) in TRAPS {
        let module =
            format!("(module {AROUND} (func $guilty {code}) (func (export \"f\") (call $guilty)))");
        let result = js.run(&format!(
            "const instance = await load({});
             const {{ code, kind, trap, message, wasmStack }} = await caught(() => instance.call('f'));
             return [code, kind, trap, message, wasmStack];",
            json!(module)
        ));
        let [number, kind, trap, message, stack] = result.as_array().unwrap().as_slice() else {
            panic!("{result}");
        };
        assert_eq!(
            [number, kind, trap, message],
            [
                &json!(5002),
                &json!("RuntimeError"),
                &json!(name),
                &json!(format!("wasm trap: {name}"))
            ],
            "{code}"
        );
        // The error of an exhausted stack has only the innermost functions.
        let stack: Vec<&str> = stack.as_str().unwrap().lines().collect();
        assert!(stack[0].starts_with("guilty"), "{code}: {stack:?}");
        let outermost = *stack.last().unwrap();
        if name != "call stack exhausted" {
            assert!(stack[0].starts_with("guilty (@0x"), "{code}: {stack:?}");
            assert_eq!(stack.len(), 2, "{code}: {stack:?}");
            assert!(outermost.starts_with("<function "), "{code}: {stack:?}");
        }
    }
}

#[test]
fn only_traps_have_a_wasm_stack() {
    let result = Js::new().run(
        "const instance = await fixture('add');
         return (await caught(() => instance.call('add', [1]))).wasmStack ?? null;",
    );
    assert_eq!(result, Value::Null);
}
