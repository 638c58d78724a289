//! Modules with a function so large that the host lets another register allocator compile them.

use ext_wasm::{Import, StoreOptions, WasmCapabilities, WasmState, WasmValue};

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
