//! The Rust API of the runtime, without JavaScript.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use ext_wasm::runtime::{
    ExternInfo, HostFunction, HostImports, Import, ImportInfo, Outcome, RefHandle, Stop,
    StoreOptions, WasmError, WasmInstance, WasmState, WasmStore, WasmValue,
};
use ext_wasm::{CallOptions, ExportKind, WasmCapabilities, WasmErrorCode};
use wasmtime::ValRaw;

fn state() -> WasmState {
    WasmState::new(WasmCapabilities::default()).unwrap()
}

fn instance(state: &WasmState, wat: &str, imports: Vec<Import>) -> WasmInstance {
    let module = state.compile(wat.as_bytes()).unwrap();
    let (store, _) = state.new_store(StoreOptions::default()).unwrap();
    match state.instantiate(module.id, store, imports).unwrap() {
        Outcome::Returned(instance) => instance,
        other => panic!("{:?}", std::mem::discriminant(&other)),
    }
}

fn call(
    instance: &WasmInstance,
    name: &str,
    args: &[WasmValue],
) -> Result<Outcome<Vec<WasmValue>>, WasmError> {
    let (kind, handle) = instance.export(name)?;
    assert_eq!(kind, ExportKind::Function);
    instance.store().func(handle)?.call(args)
}

#[test]
fn a_guest_is_called_with_values() {
    let state = state();
    let add = instance(&state, include_str!("../wat/add.wat"), vec![]);
    let sum = call(&add, "add", &[WasmValue::I32(1), WasmValue::I32(-3)]);
    assert_eq!(sum, Ok(Outcome::Returned(vec![WasmValue::I32(-2)])));

    let code = |args: &[WasmValue]| call(&add, "add", args).unwrap_err().code;
    assert_eq!(code(&[]), WasmErrorCode::TypeMismatch);
    assert_eq!(
        code(&[WasmValue::I32(1), WasmValue::I64(1)]),
        WasmErrorCode::TypeMismatch
    );
    let missing = add.export("sub").unwrap_err().code;
    assert_eq!(missing, WasmErrorCode::FunctionNotFound);
}

#[test]
fn every_nan_keeps_its_payload() {
    let state = state();
    let identity = instance(&state, include_str!("../wat/identity.wat"), vec![]);
    for bits in [0x7fc0_0000, 0x7f80_0001, 0xffc1_2345, 0x7fff_ffff_u32] {
        let value = WasmValue::F32(f32::from_bits(bits));
        match call(&identity, "f32", &[value]).unwrap() {
            Outcome::Returned(values) => match values[..] {
                [WasmValue::F32(back)] => assert_eq!(back.to_bits(), bits),
                _ => panic!("{values:?}"),
            },
            other => panic!("{other:?}"),
        }
    }
    for bits in [
        0x7ff8_0000_0000_0000,
        0x7ff0_0000_0000_0001,
        0xfff8_1234_5678_9abc_u64,
    ] {
        let value = WasmValue::F64(f64::from_bits(bits));
        match call(&identity, "f64", &[value]).unwrap() {
            Outcome::Returned(values) => match values[..] {
                [WasmValue::F64(back)] => assert_eq!(back.to_bits(), bits),
                _ => panic!("{values:?}"),
            },
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_host_function_calls_back_and_throws() {
    let state = state();
    let depth = Arc::new(AtomicU32::new(0));
    let seen = depth.clone();
    let host = move |store: &WasmStore, frame: &mut [ValRaw]| {
        let x = frame[0].get_i32();
        if x < 0 {
            return Err(Stop::Throw(x.unsigned_abs()));
        }
        seen.fetch_max(x as u32, Ordering::Relaxed);
        if x < 5 {
            // Function 0 of the store is the running function, because it was looked up first.
            let again = store.func(0).map_err(Stop::Error)?;
            match again.call(&[WasmValue::I32(x + 1)]).map_err(Stop::Error)? {
                Outcome::Returned(_) => {}
                other => panic!("{other:?}"),
            }
        }
        frame[0] = ValRaw::i32(2 * x);
        Ok(())
    };
    let import = vec![Import::Host(Box::new(host))];
    let callback = instance(&state, include_str!("../wat/callback.wat"), import);
    assert_eq!(callback.export("run"), Ok((ExportKind::Function, 0)));

    let result = call(&callback, "run", &[WasmValue::I32(1)]);
    // The innermost call left its argument, 5, in memory.
    assert_eq!(result, Ok(Outcome::Returned(vec![WasmValue::I32(7)])));
    assert_eq!(depth.load(Ordering::Relaxed), 5);

    let thrown = call(&callback, "run", &[WasmValue::I32(-9)]);
    assert_eq!(thrown, Ok(Outcome::Threw(9)));
    let caught = call(&callback, "catch", &[WasmValue::I32(-9)]);
    assert_eq!(caught, Ok(Outcome::Returned(vec![WasmValue::I32(-1)])));
}

#[test]
fn states_on_two_threads_share_a_memory_with_the_same_engines_only() {
    use ext_wasm::runtime::StateEngines;

    let tune = |_: &mut wasmtime::Config| {};
    let one = WasmState::with_engine(WasmCapabilities::default(), Some(Arc::new(tune))).unwrap();
    let (_, store) = one.new_store(StoreOptions::default()).unwrap();
    let memory = store
        .new_memory(wasmtime::MemoryType::shared(1, 2))
        .unwrap();
    memory.write(7, &[1, 2]).unwrap();
    let shared = memory.shared().unwrap().unwrap();
    let own = store
        .new_memory(wasmtime::MemoryType::new(1, None))
        .unwrap();
    assert!(own.shared().unwrap().is_none());
    let engines = one.engines();
    let on_thread = |stack: usize, engines: StateEngines| {
        let shared = shared.clone();
        let thread = std::thread::Builder::new().stack_size(stack);
        let thread = thread.spawn(move || {
            let other = WasmState::with_engines_of(WasmCapabilities::default(), engines)?;
            let (_, small) =
                other.new_store(StoreOptions::default().with_max_memory_bytes(65_536))?;
            let refused = small.add_shared_memory(shared.clone()).err();
            assert_eq!(refused.map(code_of), Some(WasmErrorCode::InstantiateError));
            let (_, store) = other.new_store(StoreOptions::default())?;
            let memory = store.add_shared_memory(shared)?;
            let mut bytes = [0; 2];
            memory.read(7, &mut bytes)?;
            memory.write(8, &[9])?;
            Ok::<_, WasmError>(bytes)
        });
        thread.unwrap().join().unwrap()
    };
    // The stack of this thread is as large: `.cargo/config.toml`.
    assert_eq!(on_thread(8 << 20, engines.clone()), Ok([1, 2]));
    let mut bytes = [0; 2];
    memory.read(7, &mut bytes).unwrap();
    assert_eq!(bytes, [1, 9]);
    let error = on_thread(1 << 20, engines).unwrap_err();
    assert_eq!(error.code, WasmErrorCode::CompileError);
}

#[test]
fn no_guest_runs_on_another_thread_while_a_buffer_shows_its_memory() {
    let mut js = crate::support::js::Js::new();
    let state = js.state();
    let id = js.run(
        "globalThis.kept = await fixture('memory', {}, { interruptible: true });
         globalThis.view = kept.memory().buffer;
         return kept.id;",
    );
    let instance = state.instance(id.as_u64().unwrap() as u32).unwrap();
    let (_, handle) = instance.export("memory").unwrap();
    let memory = instance.store().memory(handle).unwrap();
    let module = state.compile(br#"(module (func (export "f")))"#).unwrap();
    let store = js.run("return kept.store.id ?? 1;").as_u64().unwrap() as u32;
    let made = state
        .instantiate(module.id, store, vec![])
        .unwrap()
        .returned()
        .unwrap();
    let (_, func) = made.export("f").unwrap();
    let start = || state.start_call(store, func, vec![], CallOptions::default());
    let error = start().map(drop).unwrap_err();
    assert_eq!(error.code, WasmErrorCode::RuntimeError);
    assert!(error.message.contains("in use elsewhere"), "{error}");
    js.run("Deno.core.ops.op_host_detach(view);");
    let view = memory.view().unwrap();
    start().map(drop).unwrap_err();
    drop(view);
    start().map(drop).unwrap();
}

#[test]
fn a_host_can_look_up_the_state_of_its_runtime() {
    let mut js = crate::support::js::Js::new();
    let state = js.state();
    assert_eq!(state.live_modules(), 0);
    let id = js.run("globalThis.kept = await compile(text(fixtures.add)); return kept.id;");
    assert_eq!(state.live_modules(), 1);
    let module = state.module(id.as_u64().unwrap() as u32).unwrap();
    assert_eq!(&*module.exports[0].name, "add");
    assert!(ext_wasm::state(&deno_core::OpState::new(None)).is_none());
}

#[test]
fn a_host_function_takes_and_returns_values() {
    let state = state();
    let wat = r#"(module
        (import "host" "f" (func $f (param i32 i64 f32 f64 v128 externref) (result f64 i32)))
        (func (export "g") (param i32 i64 f32 f64 v128 externref) (result f64 i32)
            (call $f (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get 5)))
        (memory (export "memory") 1))"#;
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let (record, returns) = (seen.clone(), Arc::new(std::sync::Mutex::new(Vec::new())));
    let answer = returns.clone();
    let f = Import::func(move |_, args| {
        *record.lock().unwrap() = args.to_vec();
        Ok(answer.lock().unwrap().clone())
    });
    let instance = instance(&state, wat, vec![f]);
    let args = [
        1.into(),
        2_i64.into(),
        3_f32.into(),
        4_f64.into(),
        5_u128.into(),
        RefHandle::Host(6).into(),
    ];
    let call = |returned: &[WasmValue]| {
        *returns.lock().unwrap() = returned.to_vec();
        instance.call("g", &args)
    };
    let results = [0.5.into(), (-7).into()];
    assert_eq!(call(&results), Ok(results.to_vec()));
    assert_eq!(*seen.lock().unwrap(), args);

    for (returned, message) in [
        (
            &results[..1],
            "a function of the host has 2 results, and returned 1",
        ),
        (
            &[0.5.into(), 1_i64.into()],
            "value 1: expected i32, got i64",
        ),
    ] {
        let error = call(returned).unwrap_err();
        assert_eq!(error.code, WasmErrorCode::TypeMismatch);
        assert_eq!(error.message, message);
    }
    let code = |error: WasmError| error.code;
    assert_eq!(
        instance.call("memory", &[]).map_err(code),
        Err(WasmErrorCode::FunctionNotFound)
    );
    assert_eq!(
        instance.call("h", &[]).map_err(code),
        Err(WasmErrorCode::FunctionNotFound)
    );
    assert_eq!(
        instance.memory("g").map(drop).map_err(code),
        Err(WasmErrorCode::MemoryError)
    );
    assert_eq!(instance.memory("memory").unwrap().byte_len(), Ok(65_536));
}

#[test]
fn calls_that_return_no_values_are_errors() {
    let state = state();
    let throws = Import::func(|_, _| Err(Stop::Throw(3)));
    let wat = r#"(module (import "host" "f" (func $f)) (export "f" (func $f))
        (tag $e) (func (export "throws") (throw $e)))"#;
    let instance = instance(&state, wat, vec![throws]);
    for (name, message) in [
        ("f", "a function of the host threw its value 3"),
        ("throws", "uncaught WebAssembly exception"),
    ] {
        let error = instance.call(name, &[]).unwrap_err();
        assert_eq!(
            (error.code, &*error.message),
            (WasmErrorCode::RuntimeError, message)
        );
    }
    let (store, _) = state.new_store(StoreOptions::default()).unwrap();
    let module = state
        .compile(b"(module (import \"a\" \"b\" (memory 1)))")
        .unwrap();
    let wrong = state.instantiate(module.id, store, vec![Import::func(|_, _| Ok(vec![]))]);
    assert_eq!(
        wrong.err().map(code_of),
        Some(WasmErrorCode::InstantiateError)
    );
}

fn code_of(error: WasmError) -> WasmErrorCode {
    error.code
}

/// Functions that return ten times the number of their import, plus `BY`.
struct Numbered<const BY: i32>;

/// The number of functions that were made.
static NUMBERED: AtomicU32 = AtomicU32::new(0);

impl<const BY: i32> HostImports for Numbered<BY> {
    fn function(number: usize, import: &ImportInfo) -> Box<dyn HostFunction> {
        assert!(matches!(&import.ty, ExternInfo::Function { params, .. } if params.is_empty()));
        NUMBERED.fetch_add(1, Ordering::Relaxed);
        Box::new(move |_: &WasmStore, frame: &mut [ValRaw]| {
            frame[0] = ValRaw::i32(number as i32 * 10 + BY);
            Ok(())
        })
    }
}

#[test]
fn functions_for_all_stores_are_made_once() {
    let state = state();
    let source = r#"(module
        (import "a" "b" (func $f (result i32)))
        (import "c" "d" (func $g (result i32)))
        (func (export "f") (result i32) (call $f))
        (func (export "g") (result i32) (call $g)))"#;
    let module = state.compile(source.as_bytes()).unwrap();
    let results = |made: Result<Outcome<WasmInstance>, WasmError>| {
        let Ok(Outcome::Returned(instance)) = made else {
            panic!("not made");
        };
        ["f", "g"].map(|name| call(&instance, name, &[]).unwrap())
    };
    let store = || state.new_store(StoreOptions::default()).unwrap().0;
    let returned = |value| Outcome::Returned(vec![WasmValue::I32(value)]);
    for _ in 0..3 {
        let made = state.instantiate_hosted::<Numbered<1>>(module.id, store());
        assert_eq!(results(made), [returned(1), returned(11)]);
    }
    assert_eq!(NUMBERED.load(Ordering::Relaxed), 2);
    // Two instances in one store share the functions. A metered store needs new ones, because its code is compiled
    // differently.
    let twice = store();
    let mut options = StoreOptions::default();
    options.fuel = Some(1000);
    let (metered, _) = state.new_store(options).unwrap();
    for store in [twice, twice, metered] {
        let made = state.instantiate_hosted::<Numbered<1>>(module.id, store);
        assert_eq!(results(made), [returned(1), returned(11)]);
    }
    assert_eq!(NUMBERED.load(Ordering::Relaxed), 4);
    // Another set of host imports has its own functions.
    let made = state.instantiate_hosted::<Numbered<2>>(module.id, store());
    assert_eq!(results(made), [returned(2), returned(12)]);
    // Functions that are made for one store are independent of both sets.
    let other = || Import::Host(Numbered::<3>::function(5, &module.imports[0]));
    let made = state.instantiate(module.id, store(), vec![other(), other()]);
    assert_eq!(results(made), [returned(53), returned(53)]);
}

#[test]
fn an_import_that_is_no_function_cannot_be_made_for_all_stores() {
    let state = state();
    let source = br#"(module (import "a" "b" (func)) (import "a" "c" (memory 1)))"#;
    let module = state.compile(source).unwrap();
    let (store, _) = state.new_store(StoreOptions::default()).unwrap();
    struct Any;
    impl HostImports for Any {
        fn function(_: usize, import: &ImportInfo) -> Box<dyn HostFunction> {
            assert_eq!(import.kind, ExportKind::Function);
            Box::new(|_: &WasmStore, _: &mut [ValRaw]| Ok(()))
        }
    }
    for _ in 0..2 {
        let made = state.instantiate_hosted::<Any>(module.id, store);
        let error = made.err().unwrap();
        assert_eq!(error.code, WasmErrorCode::InstantiateError);
        assert_eq!(
            error.message,
            "import \"a\".\"c\": a function is no such import"
        );
    }
}

#[test]
fn a_host_function_that_panics_leaves_the_store_usable() {
    let state = state();
    let host = |_: &WasmStore, frame: &mut [ValRaw]| {
        assert_ne!(frame[0].get_i32(), 13, "unlucky");
        Ok(())
    };
    let import = vec![Import::Host(Box::new(host))];
    let callback = instance(&state, include_str!("../wat/callback.wat"), import);
    let unlucky = std::panic::AssertUnwindSafe(|| call(&callback, "run", &[WasmValue::I32(13)]));
    assert!(std::panic::catch_unwind(unlucky).is_err());
    let result = call(&callback, "run", &[WasmValue::I32(4)]);
    assert_eq!(result, Ok(Outcome::Returned(vec![WasmValue::I32(8)])));
}

#[test]
fn a_handle_has_bits_and_other_bits_are_no_handle() {
    for handle in [
        RefHandle::Null,
        RefHandle::Host(7),
        RefHandle::Func(u32::MAX),
        RefHandle::Object(0),
        RefHandle::I31(-1),
    ] {
        assert_eq!(RefHandle::from_bits(handle.to_bits()), Some(handle));
    }
    for bits in [1, 5 << 32, u64::MAX] {
        assert_eq!(RefHandle::from_bits(bits), None);
    }
}

#[test]
fn host_values_and_objects_are_handles() {
    let state = state();
    let refs = instance(&state, include_str!("../wat/reference_types.wat"), vec![]);
    let value = WasmValue::Ref(RefHandle::Host(77));
    call(&refs, "keep", &[value]).unwrap();
    assert_eq!(call(&refs, "kept", &[]), Ok(Outcome::Returned(vec![value])));
    assert_eq!(refs.store().collect(78), Ok((0..77).collect()));
    call(&refs, "keep", &[WasmValue::Ref(RefHandle::Null)]).unwrap();
    assert_eq!(refs.store().collect(78), Ok((0..78).collect()));

    let gc = instance(&state, include_str!("../wat/gc.wat"), vec![]);
    let args = [WasmValue::I32(40), WasmValue::I32(2)];
    let pair = match call(&gc, "pair", &args).unwrap() {
        Outcome::Returned(values) => values[0],
        other => panic!("{other:?}"),
    };
    let sum = call(&gc, "sum", &[pair]);
    assert_eq!(sum, Ok(Outcome::Returned(vec![WasmValue::I32(42)])));
    let unknown = WasmValue::Ref(RefHandle::Object(1000));
    let error = call(&gc, "sum", &[unknown]).unwrap_err();
    assert_eq!(error.code, WasmErrorCode::TypeMismatch);
    assert!(error.message.starts_with("value 0: "), "{}", error.message);
}

#[test]
fn a_lease_keeps_a_memory_mapped() {
    let state = state();
    let (id, store) = state.new_store(StoreOptions::default()).unwrap();
    let memory = store
        .new_memory(wasmtime::MemoryType::new(1, None))
        .unwrap();
    memory.write(0, b"alive").unwrap();
    let second = store.new_memory(wasmtime::MemoryType::new(1, None));
    assert_eq!((memory.handle(), second.unwrap().handle()), (0, 1));
    let view = memory.view().unwrap();
    let base = view.base as usize;
    drop((memory, store));
    assert!(state.drop_store(id));
    let seen = std::thread::spawn(move || {
        // SAFETY: the lease is held until the end of this closure.
        let bytes = unsafe { std::slice::from_raw_parts(base as *const u8, 5) }.to_vec();
        (bytes, view.len)
    });
    assert_eq!(seen.join().unwrap(), (b"alive".to_vec(), 65536));
}

#[test]
fn codes_have_numbers_and_names() {
    let codes = [
        (WasmErrorCode::CompileError, 5000, "CompileError"),
        (WasmErrorCode::InstantiateError, 5001, "InstantiateError"),
        (WasmErrorCode::RuntimeError, 5002, "RuntimeError"),
        (WasmErrorCode::MemoryError, 5003, "MemoryError"),
        (WasmErrorCode::FunctionNotFound, 5004, "FunctionNotFound"),
        (WasmErrorCode::TypeMismatch, 5005, "TypeMismatch"),
        (WasmErrorCode::FuelExhausted, 5006, "FuelExhausted"),
    ];
    for (code, number, name) in codes {
        assert_eq!((code.code(), code.to_string()), (number, name.to_owned()));
    }
}

#[test]
fn a_value_of_the_wrong_type_is_named() {
    let state = state();
    let add = instance(&state, include_str!("../wat/add.wat"), vec![]);
    for (value, name) in [
        (WasmValue::I64(1), "i64"),
        (WasmValue::F32(1.0), "f32"),
        (WasmValue::F64(1.0), "f64"),
        (WasmValue::V128(1), "v128"),
        (WasmValue::Ref(RefHandle::Null), "reference"),
    ] {
        let error = call(&add, "add", &[value, value]).unwrap_err();
        let expected = format!("expected i32, got {name}");
        assert!(error.message.ends_with(&expected), "{}", error.message);
    }
    let identity = instance(&state, include_str!("../wat/identity.wat"), vec![]);
    let error = call(&identity, "i64", &[WasmValue::I32(1)]).unwrap_err();
    assert!(
        error.message.ends_with("expected i64, got i32"),
        "{}",
        error.message
    );
}

#[test]
fn a_second_drop_returns_false() {
    let state = state();
    let module = state.compile(b"(module)").unwrap();
    assert_eq!(state.live_modules(), 1);
    assert!(state.drop_module(module.id));
    assert!(!state.drop_module(module.id));
    assert_eq!(state.live_modules(), 0);
    let add = instance(&state, include_str!("../wat/add.wat"), vec![]);
    assert!(state.drop_instance(add.id));
    assert!(!state.drop_instance(add.id));
}

#[test]
fn a_state_returns_its_capabilities() {
    let mut capabilities = WasmCapabilities::default();
    capabilities.max_instances = 3;
    let state = WasmState::new(capabilities).unwrap();
    assert_eq!(state.capabilities().max_instances, 3);
}
