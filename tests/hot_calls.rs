//! Calls that a JavaScript engine has optimised, because there were many, end in the same manner as the first calls.

use serde_json::json;

use crate::support::js::Js;

/// Functions that trap at -1 and grow the memory at -2, and return all other numbers.
const GUEST: &str = r#"(module
    (import "env" "import" (func $import (param i32) (result i32)))
    (memory (export "memory") 1)
    (func $own (export "own") (param i32) (result i32)
        (if (i32.eq (local.get 0) (i32.const -1)) (then unreachable))
        (if (i32.eq (local.get 0) (i32.const -2)) (then (drop (memory.grow (i32.const 1)))))
        (local.get 0))
    (func (export "through") (param i32) (result i32)
        (call $own (call $import (local.get 0)))))"#;

/// `hot(f)` calls a function until the engine has optimised the calls. `ends(f, memory)` returns the ends of calls
/// with special numbers.
const HELPERS: &str = r#"
    const attempt = (f, ...args) => {
        try { return f(...args); } catch (error) { return [error.code, error.trap ?? null]; }
    };
    const hot = (f) => {
        const once = (x) => { try { return f(x); } catch (error) { return [error.code, error.trap ?? null]; } };
        for (let i = 0; i < 100_000; i++) if (once(i) !== i) throw `${i} is ${once(i)}`;
        return once;
    };
    const ends = (once, memory) => {
        const view = memory.buffer;
        const results = [once(-1), once(7), once(-2), view.byteLength, memory.byteLength / 65536];
        return [...results, once(1.5), once(2 ** 32 - 3), once(2n), once(), once(8)];
    };
"#;

#[test]
fn of_a_guest_without_imports() {
    let result = Js::new().run(&format!(
        "{HELPERS}
         const guest = await load({}.replace(/\\(import.*/, '(func $import (param i32) (result i32) (local.get 0))'));
         const once = hot(guest.func('own'));
         const outcome = ends(once, guest.memory());
         guest.store.drop();
         return [outcome, once(1)];",
        json!(GUEST)
    ));
    assert_eq!(result, json!([ended(), [5002, null]]));
}

#[test]
fn of_a_guest_with_imports() {
    let result = Js::new().run(&format!(
        "{HELPERS}
         const guest = await load({}, {{ env: {{ import: (x) => x }} }});
         return ['own', 'through'].map((name) => ends(hot(guest.func(name)), guest.memory()));",
        json!(GUEST)
    ));
    let mut second = ended();
    second[4] = json!(3);
    assert_eq!(result, json!([ended(), second]));
}

fn ended() -> serde_json::Value {
    json!([
        [5002, "unreachable"],
        7,
        -2,
        0,
        2,
        [5005, null],
        -3,
        [5005, null],
        [5005, null],
        8
    ])
}

#[test]
fn of_a_guest_whose_store_gets_imports_later() {
    let result = Js::new().run(&format!(
        "{HELPERS}
         const guest = await load(`(module
            (table (export \"table\") 1 funcref)
            (memory (export \"memory\") 1)
            (func $own (param i32) (result i32) (local.get 0))
            (elem (i32.const 0) $own)
            (func (export \"through\") (param i32) (result i32)
                (call_indirect (param i32) (result i32) (local.get 0) (i32.const 0))))`);
         const once = hot(guest.func('through'));
         const {{ store }} = guest;
         const module = await compile(text({}));
         const other = await instantiate(module, {{ env: {{ import: (x) => 2 * x }} }}, {{ store }});
         guest.table('table').set(0, other.func('through'));
         const same = guest.func('through');
         const results = [];
         for (let i = 0; i < 1000; i++) results[i % 10] = once(i) + same(i);
         return [results, once(-0.5), ends(once, other.memory())];",
        json!(GUEST)
    ));
    let doubled: Vec<_> = (990..1000).map(|i| 4 * i).collect();
    // The import doubles the argument, so -1 grows the memory.
    let ends = json!([
        -2,
        14,
        -4,
        0,
        2,
        [5005, null],
        -6,
        [5005, null],
        [5005, null],
        16
    ]);
    assert_eq!(result, json!([doubled, [5005, null], ends]));
}

#[test]
fn of_an_import() {
    let result = Js::new().run(&format!(
        "{HELPERS}
         let result = (x) => x;
         let guest, inner;
         guest = await load({}, {{ env: {{ import: (x) => result(x) }} }});
         const once = hot(guest.func('through'));
         const own = guest.func('own');
         const memory = guest.memory();
         const results = [];
         for (result of [
             () => {{ throw 'mine' }}, () => 'no number', () => 2 ** 32, () => undefined, () => 2 ** 32 - 1,
             () => -2, () => own(5), () => (attempt(own, -1), 6),
             () => {{
                 const view = memory.buffer;
                 own(-2);
                 return view.byteLength;
             }},
             (x) => x,
         ]) results.push(once(9));
         return results;",
        json!(GUEST)
    ));
    assert_eq!(
        result,
        json!([
            [5002, null],
            [5005, null],
            [5005, null],
            [5005, null],
            [5002, "unreachable"],
            -2,
            5,
            6,
            0,
            9
        ])
    );
}

#[test]
fn of_runtimes_one_after_another() {
    for i in 0..4 {
        let result = Js::new().run(&format!(
            "const guest = await load('(module (func (export \"own\") (result i32) (i32.const {i})))');
             return guest.call('own');"
        ));
        assert_eq!(result, json!(i));
    }
}

/// Functions with at most two parameters, all of them numbers, are called through an op of their own.
#[test]
fn of_numbers() {
    let result = Js::new().run(
        r#"
        const guest = await load(`(module
            (func (export "nothing"))
            (func (export "nan") (result f64) (f64.div (f64.const 0) (f64.const 0)))
            (func (export "f64") (param f64) (result f64) (local.get 0))
            (func (export "f32") (param f32) (result f32) (local.get 0))
            (func (export "drop") (param i32 f32))
            (func (export "second") (param i32 f64) (result f64) (local.get 1))
            (func (export "sub") (param i32 i32) (result i32) (i32.sub (local.get 0) (local.get 1))))`);
        const numbers = [0.1, -0, NaN, Infinity, 2 ** 31, -(2 ** 31), 1e300, 5e-324];
        const show = (value) => Object.is(value, -0) ? '-0' : value === undefined ? 'undefined' : String(value);
        const { nothing, nan, f64, f32, drop, second, sub } = guest.namespace;
        const round = () => [
            nothing(), nan(), ...numbers.map((x) => f64(x)), ...numbers.map((x) => f32(x)), drop(1, 0.5),
            ...numbers.map((x) => second(-1, x)),
            sub(2 ** 32 - 1, 1), sub(-(2 ** 31), 1), sub(-0, -0), sub(7, 2 ** 31),
        ].map(show).join(' ');
        const wrong = () => [[f64, '1'], [f64], [nan, 1], [sub, 1], [sub, 1, 2, undefined], [sub, 0.5, 1],
            [sub, 1, 2 ** 32], [sub, -(2 ** 31) - 1, 1], [sub, NaN, 1], [sub, 1, -Infinity], [second, 1, 1n], [sub, { valueOf() { throw 'called'; } }, 1]]
            .map(([f, ...args]) => { try { return f(...args); } catch (error) { return error.code; } });
        const first = [round(), wrong()];
        for (let i = 0; i < 20_000; i++) if (round() !== first[0]) throw round();
        for (let i = 0; i < 2_000; i++) if (String(wrong()) !== String(first[1])) throw wrong();
        return first;
        "#,
    );
    let same = "0.1 -0 NaN Infinity 2147483648 -2147483648 1e+300 5e-324";
    let rounded = "0.10000000149011612 -0 NaN Infinity 2147483648 -2147483648 Infinity 0";
    let subtracted = "-2 2147483647 0 -2147483641";
    let round = format!("undefined NaN {same} {rounded} undefined {same} {subtracted}");
    assert_eq!(result, json!([round, vec![5005; 12]]));
}

/// Only engines with a JIT use this op through `host:wasm`. The test calls the op on every engine.
#[test]
fn of_the_op_that_takes_doubles() {
    let mut js = Js::new();
    let result = js.run(
        r#"
        const guest = await load(`(module
            (memory 1)
            (func (export "sub") (param i32 i32) (result i32) (i32.sub (local.get 0) (local.get 1)))
            (func (export "nan") (param f32) (result f64) (f64.const nan:0x4321))
            (func (export "nothing") (param f64))
            (func (export "three") (param f64 f64 f64) (result f64) (local.get 2))
            (func (export "trap") (result i32) (drop (memory.grow (i32.const 1))) (unreachable))
            (func (export "grow") (param i32) (result i32)
                (drop (memory.grow (local.get 0))) (i32.const 77)))`);
        // The first functions of a thread. A function gets its number at the first lookup.
        const [sub, nan, nothing, three, trap, grow] = guest.exports.map(({ name }, number) => {
            guest.func(name);
            return number;
        });
        const { op_wasm_call_doubles: call, op_wasm_last_status: ended } = Deno.core.ops;
        const outcome = (...args) => {
            const result = call(...args);
            if (result === result) return result;
            try {
                return `ended ${ended()}`;
            } catch (error) {
                return error.trap ?? error.code;
            }
        };
        // The first call reports that there is a memory.
        outcome(sub, 0, 0);
        globalThis.outcome = outcome;
        globalThis.grow = grow;
        return [
            outcome(sub, 5, 3), outcome(sub, 0.5, 3), outcome(sub, 2 ** 32 - 1, 1), outcome(sub, 1, 2 ** 32),
            outcome(nan, 0.1, 0), outcome(nothing, 1, 0), outcome(three, 1, 2), outcome(trap, 0, 0),
            outcome(sub, 1, 1),
        ];
        "#,
    );
    let misfit = "ended 6";
    assert_eq!(
        result,
        json!([
            2,
            misfit,
            -2,
            misfit,
            "ended 0",
            misfit,
            5005,
            "unreachable",
            0
        ])
    );
    // If a call ends with a status, its result is in the frame.
    assert_eq!(js.eval("JSON.stringify(outcome(grow, 1, 0))"), "ended 16");
    assert_eq!(js.frame_bits(1)[0] as u32, 77);
    assert_eq!(js.eval("JSON.stringify(outcome(grow, 0, 0))"), 77);
}
