//! Exceptions that the host makes, reads and recognises.

use ext_wasm::runtime::WasmState;
use ext_wasm::wasmtime::{ValRaw, ValType};
use ext_wasm::{
    Import, Outcome, RefHandle, StoreOptions, WasmCapabilities, WasmErrorCode, WasmInstance,
    WasmStore, WasmValue,
};
use serde_json::json;

use crate::support::js::Js;

/// Throws and catches exceptions with an imported tag.
const GUEST: &str = r#"(module
    (import "a" "tag" (tag $tag (param i32 externref i64)))
    (import "a" "js" (tag $js (param externref)))
    (import "a" "f" (func $f))
    (type $struct (struct))
    (export "again" (tag $tag))
    (func (export "struct") (result structref) (struct.new $struct))
    (func (export "throw") (param externref) (throw $tag (i32.const 7) (local.get 0) (i64.const -1)))
    (func (export "rethrow") (param exnref) (throw_ref (local.get 0)))
    (func (export "payload") (param exnref) (result i32 externref i64)
        (block $caught (result i32 externref i64)
            (try_table (catch $tag $caught) (throw_ref (local.get 0)))
            (unreachable)))
    (func (export "throw_js") (param externref) (throw $js (local.get 0)))
    (func (export "catch_js") (result externref)
        (block $caught (result externref)
            (try_table (catch $js $caught) (call $f))
            (ref.null extern))))"#;

struct Guest {
    store: WasmStore,
    tag: u32,
    js: u32,
    instance: WasmInstance,
}

fn guest() -> Guest {
    let state = WasmState::new(WasmCapabilities::default()).unwrap();
    let (id, store) = state.new_store(StoreOptions::default()).unwrap();
    let params = vec![ValType::I32, ValType::EXTERNREF, ValType::I64];
    let tag = store.new_tag(params).unwrap();
    let js = store.host_tag().unwrap();
    assert_eq!(store.host_tag(), Ok(js));
    let module = state.compile(GUEST.as_bytes()).unwrap();
    let throws = Import::func(|_, _| Err(ext_wasm::Stop::Throw(55)));
    let imports = vec![Import::Tag(tag), Import::Tag(js), throws];
    let instance = state.instantiate(module.id, id, imports).unwrap();
    let instance = instance.returned().unwrap();
    Guest {
        store,
        tag,
        js,
        instance,
    }
}

fn payload(host: u32) -> Vec<ValRaw> {
    vec![
        ValRaw::i32(5),
        ValRaw::u64(RefHandle::Host(host).to_bits()),
        ValRaw::i64(i64::MIN),
    ]
}

fn number(handle: RefHandle) -> u32 {
    match handle {
        RefHandle::Object(number) => number,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_exception_of_the_host_has_its_tag_and_payload() {
    let Guest {
        store,
        tag,
        instance,
        ..
    } = guest();
    let made = store
        .new_exception(tag, |slots| {
            assert_eq!(slots, 3);
            payload(44)
        })
        .unwrap();
    assert_eq!(store.exception_tag(number(made)), Ok(Some(tag)));
    assert_eq!(instance.export("again").unwrap().1, tag);
    let read = store.read_exception(number(made)).unwrap();
    let bits = |slots: &[ValRaw]| {
        (
            slots[0].get_i32(),
            RefHandle::from_bits(slots[1].get_u64()),
            slots[2].get_i64(),
        )
    };
    let expected = (5, Some(RefHandle::Host(44)), i64::MIN);
    assert_eq!(bits(&read), expected);
    let values = instance.call("payload", &[made.into()]);
    let host = WasmValue::Ref(RefHandle::Host(44));
    assert_eq!(values, Ok(vec![5.into(), host, i64::MIN.into()]));
    let thrown = instance.func("rethrow").unwrap().call(&[made.into()]);
    let Ok(Outcome::Exception(thrown)) = thrown else {
        panic!("{thrown:?}");
    };
    let read = store.read_exception(number(thrown)).unwrap();
    assert_eq!(bits(&read), expected);
}

#[test]
fn an_exception_of_a_guest_is_read() {
    let Guest {
        store,
        tag,
        instance,
        ..
    } = guest();
    let value = WasmValue::Ref(RefHandle::Host(3));
    let thrown = instance.func("throw").unwrap().call(&[value]);
    let Ok(Outcome::Exception(thrown)) = thrown else {
        panic!("{thrown:?}");
    };
    assert_eq!(store.exception_tag(number(thrown)), Ok(Some(tag)));
    let read = store.read_exception(number(thrown)).unwrap();
    assert_eq!((read[0].get_i32(), read[2].get_i64()), (7, -1));
    assert_eq!(
        RefHandle::from_bits(read[1].get_u64()),
        Some(RefHandle::Host(3))
    );
}

#[test]
fn guests_catch_and_throw_values_of_the_host_by_the_host_tag() {
    let Guest {
        store,
        tag,
        js,
        instance,
    } = guest();
    assert_ne!(js, tag);
    let value = WasmValue::Ref(RefHandle::Host(55));
    assert_eq!(instance.call("catch_js", &[]), Ok(vec![value]));
    let throw = instance.func("throw_js").unwrap();
    let value = WasmValue::Ref(RefHandle::Host(9));
    assert_eq!(throw.call(&[value]), Ok(Outcome::Threw(9)));
    // The null reference is no value of the host.
    let Ok(Outcome::Exception(thrown)) = throw.call(&[RefHandle::Null.into()]) else {
        panic!("not an exception");
    };
    assert_eq!(store.exception_tag(number(thrown)), Ok(Some(js)));
    let slot = RefHandle::Host(8).to_bits();
    let made = store
        .new_exception(js, |_| vec![ValRaw::u64(slot)])
        .unwrap();
    let rethrow = instance.func("rethrow").unwrap();
    assert_eq!(rethrow.call(&[made.into()]), Ok(Outcome::Threw(8)));
}

#[test]
fn bad_tags_payloads_and_objects_are_errors() {
    let Guest {
        store,
        tag,
        instance,
        ..
    } = guest();
    let code = |made: Result<RefHandle, ext_wasm::WasmError>| made.unwrap_err().code;
    assert_eq!(
        code(store.new_exception(77, |_| vec![])),
        WasmErrorCode::InstantiateError
    );
    assert_eq!(
        code(store.new_exception(tag, |_| vec![])),
        WasmErrorCode::TypeMismatch
    );
    let mut wrong = payload(1);
    wrong[1] = ValRaw::u64(RefHandle::Func(0).to_bits());
    let error = store.new_exception(tag, |_| wrong).unwrap_err();
    assert_eq!(error.code, WasmErrorCode::TypeMismatch);
    assert!(error.message.starts_with("value 1: "), "{error}");
    let made = instance.call("struct", &[]).unwrap();
    let WasmValue::Ref(made) = made[0] else {
        panic!("{made:?}");
    };
    for object in [number(made), 1000] {
        assert_eq!(store.exception_tag(object), Ok(None));
        let error = store.read_exception(object).unwrap_err();
        assert_eq!(error.code, WasmErrorCode::TypeMismatch);
    }
}

#[test]
fn ops_on_exceptions_use_the_call_frame() {
    let result = Js::new().run(
        r#"
        const { ops } = Deno.core;
        const store = new WasmStore();
        const tag = new WasmTag(store, { params: ["i32"] });
        const thrower = await load(`(module (import "a" "tag" (tag $tag (param i32)))
            (func (export "throw") (param i32) (throw $tag (local.get 0)))
            (func (export "payload") (param exnref) (result i32)
                (block $caught (result i32)
                    (try_table (catch $tag $caught) (throw_ref (local.get 0)))
                    (unreachable))))`, { a: { tag } });
        const { cause } = await caught(() => thrower.call("throw", [12]));
        // The first object of the store.
        const [js, own, none] = [ops.op_wasm_js_tag(1), ops.op_wasm_exception_tag(1, 0), ops.op_wasm_exception_tag(1, 99)];
        ops.op_wasm_read_exception(1, 0);
        const made = ops.op_wasm_new_exception(1, own);
        const global = await load(`(module (global (export "g") (mut exnref) (ref.null exn)))`, {}, { store });
        ops.op_wasm_read_exception(1, made);
        const errors = [await codeOf(() => ops.op_wasm_read_exception(1, 99)), await codeOf(() => ops.op_wasm_new_exception(1, 99)),
            await codeOf(() => ops.op_wasm_js_tag(99))];
        return [js !== own, none, made, ops.op_wasm_exception_tag(1, made) === own, thrower.call("payload", [cause]), errors];
        "#,
    );
    assert_eq!(result, json!([true, -1, 1, true, 12, [5005, 5001, 5002]]));
}
