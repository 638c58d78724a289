//! The native stack of hosts without JavaScript.

use std::cell::RefCell;

use ext_wasm::runtime::{Import, Outcome, Stop, StoreOptions, WasmFunc, WasmStore, WasmValue};
use ext_wasm::{WasmCapabilities, WasmError, WasmErrorCode, WasmState};
use serde_json::{Value, json};
use wasmtime::ValRaw;

use super::{SIZES, on_stack};
use crate::support::child::this_test;

/// Host functions in Rust. Three stores call each other.
#[test]
fn rust_and_guests_call_each_other() {
    for size in SIZES {
        let result = on_stack(this_test!(), size, "", |_| three_stores_call_each_other());
        println!("{result}");
        assert!(result["levels"].as_u64().unwrap() >= 20, "{result}");
    }
}

fn three_stores_call_each_other() -> Value {
    thread_local! {
        static FUNCS: RefCell<Vec<WasmFunc>> = RefCell::default();
    }

    fn call(level: i32) -> Result<i32, WasmError> {
        let func = FUNCS.with_borrow(|funcs| funcs[level as usize % funcs.len()].clone());
        match func.call(&[WasmValue::I32(level)])? {
            Outcome::Returned(values) => match values[..] {
                [WasmValue::I32(value)] => Ok(value),
                _ => panic!("{values:?}"),
            },
            other => panic!("{other:?}"),
        }
    }

    fn host(_: &WasmStore, frame: &mut [ValRaw]) -> Result<(), Stop> {
        let level = frame[0].get_i32();
        let below = if level == 0 {
            0
        } else {
            1 + call(level - 1).map_err(Stop::Error)?
        };
        frame[0] = ValRaw::i32(below);
        Ok(())
    }

    let state = WasmState::new(WasmCapabilities::default()).unwrap();
    let source = r#"(module
        (import "" "f" (func $f (param i32) (result i32)))
        (func (export "run") (param i32) (result i32)
            (i32.add (i32.const 0) (call $f (local.get 0)))))"#;
    let module = state.compile(source.as_bytes()).unwrap();
    for _ in 0..3 {
        let (store, _) = state.new_store(StoreOptions::default()).unwrap();
        let imports = vec![Import::Host(Box::new(host))];
        let Outcome::Returned(instance) = state.instantiate(module.id, store, imports).unwrap()
        else {
            panic!("not instantiated");
        };
        let (_, run) = instance.export("run").unwrap();
        let func = instance.store().func(run).unwrap();
        FUNCS.with_borrow_mut(|funcs| funcs.push(func));
    }
    let mut levels = 1;
    loop {
        match call(levels) {
            Ok(reached) => assert_eq!(reached, levels),
            Err(error) => {
                assert_eq!(error.code, WasmErrorCode::RuntimeError);
                assert_eq!(error.trap, Some("call stack exhausted"));
                break;
            }
        }
        levels += 1 + levels / 10;
    }
    assert_eq!(call(7), Ok(7));
    json!({ "levels": levels })
}

/// A compiler that recursed over nested blocks would exhaust a small stack. Without an event loop, the calling thread
/// compiles the module.
#[test]
fn modules_are_compiled_on_small_stacks() {
    let result = on_stack(this_test!(), SIZES[0], "", |_| {
        let state = WasmState::new(WasmCapabilities::default()).unwrap();
        let nested = |depth: usize, last: &str| {
            let (open, close) = ("block ".repeat(depth), "end ".repeat(depth));
            format!("(module (func {open} {last} {close}))")
        };
        state.compile(nested(5000, "nop").as_bytes()).unwrap();
        let refused = state.compile(nested(5000, "i32.add").as_bytes());
        json!(["compiled", refused.err().map(|error| error.code.code())])
    });
    assert_eq!(result, json!(["compiled", 5000]));
}
