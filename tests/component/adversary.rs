//! Hostile components, and hostile scripts around them.

use ext_wasm::wasmtime::component::Val;
use ext_wasm::{StoreOptions, WasmCapabilities, WasmErrorCode, WasmState};
use serde_json::json;

use super::{echo, with_source};
use crate::support::js::Js;

/// A component with a nested component, an import and values of several types.
fn seed() -> Vec<u8> {
    let text = r#"(component
      (import "my:pkg/host@0.1.0" (instance $host
        (export "ask" (func (param "n" u32) (result (list string))))))
      (component $inner
        (import "ask" (func $ask (param "n" u32) (result (list string))))
        (core module $memory
          (memory (export "memory") 1)
          (global $next (mut i32) (i32.const 1024))
          (func (export "realloc") (param i32 i32 i32 i32) (result i32)
            (local $at i32)
            (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
            (global.set $next (i32.add (local.get $at) (local.get 3)))
            (local.get $at)))
        (core instance $memory (instantiate $memory))
        (core func $ask (canon lower (func $ask) (memory (core memory $memory "memory"))
          (realloc (core func $memory "realloc"))))
        (core module $m
          (import "" "ask" (func $ask (param i32 i32)))
          (import "memory" "memory" (memory 1))
          (func (export "f") (param i32) (result i32)
            (call $ask (local.get 0) (i32.const 64))
            (i32.const 64)))
        (core instance $i (instantiate $m
          (with "" (instance (export "ask" (func $ask))))
          (with "memory" (instance $memory))))
        (func (export "f") (param "n" u32) (result (list string))
          (canon lift (core func $i "f") (memory (core memory $memory "memory")))))
      (alias export $host "ask" (func $ask))
      (instance $c (instantiate $inner (with "ask" (func $ask))))
      (export "f" (func $c "f")))"#;
    wat::parse_str(text).unwrap()
}

/// Compiles a component, instantiates it if it is valid, and calls its first function. Nothing that it does may panic.
fn run(state: &WasmState, binary: &[u8]) -> Result<Option<Val>, WasmErrorCode> {
    let component = state.compile_component(binary).map_err(|error| {
        assert_eq!(error.code, WasmErrorCode::CompileError, "{error}");
        error.code
    })?;
    let ask = |_: &_, args: &[Val]| match args {
        [Val::U32(n)] => Ok(vec![Val::List(vec![Val::String(n.to_string())])]),
        _ => Ok(Vec::new()),
    };
    let options = StoreOptions::default().with_fuel(10_000);
    let made = state.instantiate_component(component.id, options, vec![Box::new(ask)]);
    state.drop_component(component.id);
    let (store, instance) = made.map_err(|error| error.code)?;
    let called = instance.call("f", &[Val::U32(5)]);
    state.drop_store(store);
    called.map_err(|error| error.code)
}

#[test]
fn a_component_with_a_flipped_bit_is_refused_or_ends_as_guests_do() {
    let state = WasmState::new(WasmCapabilities::default()).unwrap();
    let seed = seed();
    let answer = Val::List(vec![Val::String("5".to_owned())]);
    assert_eq!(run(&state, &seed), Ok(Some(answer.clone())));
    let (mut refused, mut ended, mut unchanged) = (0, 0, 0);
    for position in 8..seed.len() {
        let mut binary = seed.clone();
        binary[position] ^= 1 << (position % 8);
        match run(&state, &binary) {
            Err(WasmErrorCode::CompileError) => refused += 1,
            Ok(Some(value)) if value == answer => unchanged += 1,
            _ => ended += 1,
        }
    }
    assert!(
        refused > 100 && ended > 5 && unchanged > 100,
        "{refused} {ended} {unchanged}"
    );
    assert_eq!(state.live_instances(), 0);
}

#[test]
fn bytes_that_a_script_makes_up_are_no_values() {
    let source = echo(
        "",
        &[
            ("bools", "bool"),
            ("chars", "char"),
            ("strings", "string"),
            ("lists", "(list (option (list u8)))"),
            ("results", "(result u16 (error (tuple char bool)))"),
            ("maps", "(map string (list u8 2))"),
        ],
    );
    let mut js = with_source(&source);
    js.run("globalThis.instance = await component();");
    let got = js.run(
        "const { op_wasm_call_component, op_wasm_component_results, op_wasm_import_arguments,
                 op_wasm_set_import_results, op_wasm_start_component_call, op_wasm_component_ended } = Deno.core.ops;
         const outcomes = {};
         const count = (outcome) => { outcomes[outcome] = (outcomes[outcome] ?? 0) + 1; };
         let seed = 1;
         const random = (below) => {
             seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
             return (seed >>> 8) % below;
         };
         // The first store of the runtime is that of the instance.
         const store = 1;
         for (let i = 0; i < 3000; i++) {
             const bytes = new Uint8Array(random(16));
             for (let j = 0; j < bytes.length; j++) {
                 bytes[j] = j === 0 ? random(3) : j < 4 ? 0 : [0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 0x61, 0xff, random(256)][random(13)];
             }
             try {
                 count(op_wasm_call_component(store, random(7), bytes, [{}]));
                 op_wasm_component_results(store, random(7));
             } catch (error) {
                 count(error.code);
             }
         }
         for (const op of [() => op_wasm_import_arguments(store),
                           () => op_wasm_set_import_results(store, new Uint8Array(4)),
                           () => op_wasm_component_results(99, 0),
                           () => op_wasm_component_ended(99),
                           () => op_wasm_start_component_call(store, 0, new Uint8Array(3), -1, false)]) {
             try { op(); count('nothing'); } catch (error) { count(`op ${error.code}`); }
         }
         return [outcomes, instance.ended, [...instance.exports.strings(['still'])]];",
    );
    assert_eq!(got[1], false, "{got:#}");
    assert_eq!(got[2], json!(["still"]));
    let outcomes = got[0].as_object().unwrap();
    let names: Vec<&str> = outcomes.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["0", "5004", "5005", "op 5002", "op 5005"],
        "{got:#}"
    );
    assert!(outcomes["0"].as_u64() > Some(20), "{got:#}");
}

#[test]
fn the_values_of_a_call_have_a_cap_in_both_directions() {
    let mut capabilities = WasmCapabilities::default();
    capabilities.max_component_value_bytes = 40_000;
    let mut js = Js::with(capabilities);
    let source = serde_json::to_string(&echo("", &[("bytes", "u8"), ("strings", "string")]));
    let many = r#"(component
      (core module $m
        (memory (export "memory") 1)
        (func (export "many") (param i32) (result i32)
          (i32.store (i32.const 16) (i32.const 64))
          (i32.store (i32.const 20) (local.get 0))
          (i32.const 16)))
      (core instance $i (instantiate $m))
      (func (export "many") (param "count" u32) (result (list u8))
        (canon lift (core func $i "many") (memory (core memory $i "memory"))))
      (func (export "text") (param "count" u32) (result string)
        (canon lift (core func $i "many") (memory (core memory $i "memory")))))"#;
    let got = js.run(&format!(
        "const make = async (source) => await instantiateComponent(await compileComponent(text(source)));
         const instance = await make({});
         const many = await make(`{many}`);
         const long = await make(`{many}`);
         return [
             instance.exports.bytes(new Uint8Array(39_000)).length,
             tell(await caught(() => instance.exports.bytes(new Uint8Array(40_001)))),
             tell(await caught(() => instance.exports.strings(Array(8_000).fill('')))),
             tell(await caught(() => instance.exports.strings(['x'.repeat(40_001)]))),
             instance.ended,
             many.exports.many(39_000).length,
             tell(await caught(() => many.exports.many(40_001))),
             many.ended,
             long.exports.text(39_000).length,
             tell(await caught(() => long.exports.text(40_001))).code,
             long.ended,
         ];",
        source.unwrap()
    ));
    assert_eq!(
        (&got[0], &got[4], &got[5]),
        (&json!(39_000), &json!(false), &json!(39_000)),
        "{got:#}"
    );
    for refused in [&got[1], &got[2], &got[3]] {
        assert_eq!(refused["code"], 5005, "{got:#}");
        let message = refused["message"].as_str().unwrap();
        assert!(
            message.contains("40000 bytes of memory (max_component_value_bytes)"),
            "{message}"
        );
    }
    assert_eq!(
        (&got[6]["code"], &got[7]),
        (&json!(5002), &json!(true)),
        "{got:#}"
    );
    assert_eq!(
        (&got[8], &got[9], &got[10]),
        (&json!(39_000), &json!(5002), &json!(true)),
        "{got:#}"
    );
}

#[test]
fn values_are_read_once_and_only_from_their_own_properties() {
    let types = r#"(type $p' (record (field "x" u32) (field "to-string" (list (tuple u8 u8)))))
                   (export $p "p" (type $p'))"#;
    let mut js = with_source(&echo(
        types,
        &[("records", "$p"), ("u32s", "u32"), ("maps", "(map u8 $p)")],
    ));
    let got = js.run(
        "const instance = await component();
         let reads = 0;
         const nested = { get x() { reads++; return instance.exports.u32s([7, 8])[1]; }, toString: [[1, 2]] };
         // Setters that a script has put on the prototypes of everything.
         const seen = [];
         for (const name of ['x', 'tag', 'val', '0']) {
             Object.defineProperty(Object.prototype, name, {
                 configurable: true, set(value) { seen.push(name); }, get() { seen.push(name); return 1; },
             });
         }
         Object.defineProperty(Array.prototype, '1', { configurable: true, set() { seen.push('1'); }, get() { return 9; } });
         try {
             const [first, second] = instance.exports.records([nested, { x: 2, toString: [] }]);
             const own = Object.getOwnPropertyNames(first);
             const holes = tell(await caught(() => instance.exports.u32s([1, , 3])));
             return [first.x, first.toString.length, first.toString[0].length, second.x, own, reads, seen, holes.message];
         } finally {
             for (const name of ['x', 'tag', 'val', '0']) delete Object.prototype[name];
             delete Array.prototype[1];
         }",
    );
    assert_eq!(
        got,
        json!([
            8,
            1,
            2,
            2,
            ["x", "toString"],
            1,
            [],
            "argument \"values\" of \"u32s\", at [1]: expected u32, got undefined"
        ])
    );
}

#[test]
fn deep_and_wide_types_take_time_in_proportion() {
    let mut js = Js::new();
    // Types nest up to a hundred deep, and each of these has two parts of the one before.
    let deep = |levels: usize| {
        let types: String = (1..=levels)
            .map(|level| format!("(type $t{level} (tuple $t{} $t{}))", level - 1, level - 1))
            .collect();
        format!(
            "(component (type $t0 (list u8)) {types} (import \"f\" (func (param \"x\" $t{levels}))))"
        )
    };
    let compiled = |js: &mut Js, source: &str| {
        js.run(&format!(
            "try {{ return (await compileComponent(text(`{source}`))).imports[0].params[0].type.length; }}
             catch (error) {{ return [error.code, error.message]; }}"
        ))
    };
    assert_eq!(compiled(&mut js, &deep(15)), 101);
    let refused = compiled(&mut js, &deep(60));
    assert_eq!(refused[0], 5000, "{refused}");
    let lists = |levels: usize| {
        let (open, close) = ("(list ".repeat(levels), ")".repeat(levels));
        format!("(component (import \"f\" (func (param \"x\" {open} u8 {close}))))")
    };
    assert_eq!(compiled(&mut js, &lists(90)), 101);
    let refused = compiled(&mut js, &lists(200));
    assert_eq!(refused[0], 5000, "{refused}");
}

#[test]
fn components_work_where_scripts_have_replaced_the_builtins() {
    let mut js = with_source(&echo(
        "",
        &[("bytes", "u8"), ("pairs", "(tuple string u8)")],
    ));
    let got = js.run(
        "const changed = [];
         const patch = (holder, name) => {
             changed[changed.length] = [holder, name, getOwnPropertyDescriptor(holder, name)];
             const value = () => { throw new Error('a script replaced ' + String(name)); };
             defineProperty(holder, name, { value, configurable: true, writable: true });
         };
         const { encode } = Deno.core;
         const bytes = encode(source);
         const { defineProperty, getOwnPropertyDescriptor } = Object;
         const targets = [
             [Array.prototype, [Symbol.iterator, 'push', 'map', 'slice', 'join']],
             [Object.getPrototypeOf([].values()), ['next']],
             [Map.prototype, ['get', 'set', 'has']], [WeakMap.prototype, ['get', 'set', 'delete']],
             [Function.prototype, ['apply', 'bind']], [String.prototype, ['split', 'replace', 'slice', 'charCodeAt']],
             [RegExp.prototype, ['exec', 'test']], [JSON, ['parse', 'stringify']],
             [Object.getPrototypeOf(Uint8Array.prototype), ['set', 'subarray', 'fill', Symbol.iterator]],
         ];
         for (let i = 0; i < targets.length; i++) {
             const names = targets[i][1];
             for (let j = 0; j < names.length; j++) patch(targets[i][0], names[j]);
         }
         let outcome;
         try {
             const made = await wasm.compileComponent(bytes);
             const instance = await wasm.instantiateComponent(made, {});
             const pair = instance.exports.pairs([['a', 1]])[0];
             outcome = [instance.exports.bytes([1, 2])[1], pair[0], pair[1], (await instance.callAsync('bytes', [[7]]))[0],
                        made.exports[0].name];
             instance.drop();
         } catch (error) {
             outcome = `${error} ${error.stack}`;
         }
         for (let i = changed.length - 1; i >= 0; i--) {
             const change = changed[i];
             defineProperty(change[0], change[1], change[2]);
         }
         return outcome;",
    );
    assert_eq!(got, json!([2, "a", 1, 7, "bytes"]));
}

/// wasmtime counts the bytes of the names of flags, and not the memory that each name takes besides.
#[test]
fn flags_take_no_more_memory_than_other_values() {
    let names: String = ('a'..='z').map(|name| format!(" \"{name}\"")).collect();
    let source = format!(
        r#"(component
          (import "i" (instance $i
            (type $f' (flags {names}))
            (export "f" (type $f (eq $f')))
            (export "take" (func (param "x" (list $f))))))
          (core module $lib (memory (export "memory") 200))
          (core instance $lib (instantiate $lib))
          (core func $take (canon lower (func $i "take") (memory (core memory $lib "memory"))))
          (core module $m
            (import "" "memory" (memory 1))
            (import "" "take" (func $take (param i32 i32)))
            (func (export "go") (param i32)
              (memory.fill (i32.const 16) (i32.const 255) (i32.mul (local.get 0) (i32.const 4)))
              (call $take (i32.const 16) (local.get 0))))
          (core instance $m (instantiate $m (with "" (instance
            (export "memory" (memory $lib "memory")) (export "take" (func $take))))))
          (func (export "go") (param "n" u32) (canon lift (core func $m "go"))))"#
    );
    let mut js = with_source(&source);
    let got = js.run(
        "let count;
         const imports = { i: { take(list) { count = list.length; } } };
         const outcomes = [];
         for (const n of [10_000, 200_000]) {
             const instance = await component(imports);
             const error = await caught(() => instance.exports.go(n));
             outcomes.push(error.code ?? count, instance.ended);
         }
         return outcomes;",
    );
    assert_eq!(got, json!([10_000, false, 5002, true]));
}

/// The bytes name one of a few cases, and the value that wasmtime makes of them has the whole name.
#[test]
fn a_long_name_counts_for_each_value_with_it() {
    let source = echo(
        &format!(
            "(type $e' (enum \"{}\")) (export $e \"e\" (type $e'))",
            "a".repeat(50_000)
        ),
        &[("names", "(map u8 $e)"), ("cases", "$e")],
    );
    let mut js = with_source(&source);
    let got = js.run(
        "const instance = await component();
         const name = 'a'.repeat(50_000);
         const map = new Map([[1, name]]);
         const few = instance.exports.names([map, map]).length;
         const error = await caught(() => instance.exports.names(Array(4_000).fill(map)));
         // A function without maps takes the number of the case.
         const cases = instance.exports.cases(Array(4_000).fill(name)).length;
         return [few, error.code, instance.ended, cases];",
    );
    assert_eq!(got, json!([2, 5005, false, 4_000]));
}
