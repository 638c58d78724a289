//! Modules with a function so large that the host lets another register allocator compile them.

use std::sync::{Arc, Mutex};

use ext_wasm::{Import, ModuleLimits, StoreOptions, WasmCapabilities, WasmState, WasmValue};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::estimates::{compile, raised_bytes, raised_milliseconds};

/// The largest body for the usual allocator.
const LARGE: u64 = 1_000;

/// A module whose function reads so many values of an imported memory before it uses them that registers do not
/// suffice, and calls an imported function.
fn large(values: usize) -> Vec<u8> {
    let load = |i| format!("local.get 0 i32.load offset={} ", 4 * i);
    let loads: String = (0..values).map(load).collect();
    let floats: String = (0..values)
        .map(|i| load(i) + "f64.convert_i32_s ")
        .collect();
    let (sums, float_sums) = ("i32.add ", "f64.add ");
    let module = format!(
        r#"(module
            (import "other" "memory" (memory 1))
            (import "other" "twice" (func $twice (param i32) (result i32)))
            (func (export "run") (param i32) (result i32 f64)
                {loads} {} call $twice {floats} {})
            (func (export "fail") (param i32) local.get 0 i32.load offset=65536 drop))"#,
        sums.repeat(values - 1),
        float_sums.repeat(values - 1),
    );
    wat::parse_str(module).unwrap()
}

/// Its code is of the same engine as that of all others: a store runs them together.
#[test]
fn a_very_large_function_runs_beside_others() {
    let mut capabilities = WasmCapabilities::default();
    capabilities.module_limits.single_pass_above_body_bytes = LARGE;
    let state = WasmState::new(capabilities).unwrap();
    let other = state
        .compile(
            br#"(module (memory (export "memory") 1)
                (func (export "twice") (param i32) (result i32) (i32.mul (i32.const 2) (local.get 0)))
                (func (export "set") (param i32 i32) (i32.store (local.get 0) (local.get 1))))"#,
        )
        .unwrap();
    let options = StoreOptions::default().with_fuel(10_000_000);
    let (store, _) = state.new_store(options).unwrap();
    let other = state.instantiate(other.id, store, Vec::new()).unwrap();
    let other = other.returned().unwrap();
    let values = 100;
    for i in 0..values {
        let args = [WasmValue::I32(8 + 4 * i), WasmValue::I32(1 + i)];
        other.call("set", &args).unwrap();
    }
    let module = state.compile(&large(100)).unwrap();
    let imports = vec![
        Import::Memory(other.export("memory").unwrap().1),
        Import::Func(other.export("twice").unwrap().1),
    ];
    let instance = state.instantiate(module.id, store, imports).unwrap();
    let instance = instance.returned().unwrap();
    let results = instance.call("run", &[WasmValue::I32(8)]).unwrap();
    assert_eq!(results, [WasmValue::I32(10_100), WasmValue::F64(5_050.0)]);
    let error = instance.call("fail", &[WasmValue::I32(0)]).unwrap_err();
    assert_eq!(error.trap, Some("out of bounds memory access"));
}

/// The events of `host:wasm` on this thread that have the number of functions which are compiled at a time.
#[derive(Clone, Default)]
struct Functions(Arc<Mutex<Vec<u64>>>);

impl Subscriber for Functions {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("ext_wasm")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn event(&self, event: &Event<'_>) {
        struct Numbers<'a>(&'a Functions);
        impl Visit for Numbers<'_> {
            fn record_u64(&mut self, field: &Field, value: u64) {
                if field.name() == "functions" {
                    self.0.0.lock().unwrap().push(value);
                }
            }

            fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
        }
        event.record(&mut Numbers(self));
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// Of functions that together take more memory than the limit, one is compiled after the other. A module is refused if
/// that takes too long, or if one alone takes too much.
#[test]
fn as_many_functions_are_compiled_at_a_time_as_fit_into_the_memory() {
    let function = |name: &str| {
        let body = "(local.set 0 (i32.rem_s (i32.load (local.get 0)) (local.get 0)))".repeat(3_000);
        format!("(func (export \"{name}\") (param i32) (result i32) {body} local.get 0)")
    };
    let of = |names: &[&str]| {
        let functions: String = names.iter().map(|name| function(name)).collect();
        format!("(module (memory 1) {functions})")
    };
    let (one, two) = (of(&["a"]), of(&["a", "b"]));
    let mut limits = ModuleLimits::default();
    (limits.max_compile_bytes, limits.max_compile_bytes_per_byte) =
        ((raised_bytes(&one) + raised_bytes(&two)) / 2, 0);
    let functions = |limits: &ModuleLimits, module: &str| {
        let seen = Functions::default();
        let compiled = tracing::subscriber::with_default(seen.clone(), || compile(limits, module));
        let seen = seen.0.lock().unwrap().clone();
        compiled.map(|()| seen)
    };
    // With a single core, it is one at a time in any case.
    let cores = std::thread::available_parallelism().unwrap().get();
    let fewer: &[u64] = if cores > 1 { &[1] } else { &[] };
    assert_eq!(functions(&limits, &one).unwrap(), [0; 0]);
    assert_eq!(functions(&ModuleLimits::default(), &two).unwrap(), [0; 0]);
    assert_eq!(functions(&limits, &two).unwrap(), fewer);

    let least = limits.max_compile_bytes;
    limits.max_compile_bytes = raised_bytes(&one) / 2;
    let error = compile(&limits, &two).unwrap_err().message;
    assert!(error.contains("max_compile_bytes"), "{error}");
    // Long enough for two at a time.
    limits.max_compile_bytes = least;
    let two_at_a_time = raised_milliseconds(&two);
    (limits.max_compile_ms, limits.max_compile_ns_per_byte) = (two_at_a_time + 1, 0);
    let error = compile(&limits, &two).unwrap_err().message;
    assert!(error.contains("max_compile_bytes"), "{error}");
    limits.max_compile_ms = two_at_a_time * 3;
    assert_eq!(functions(&limits, &two).unwrap(), fewer);
}
