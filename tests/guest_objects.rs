//! Structs, arrays and 31-bit numbers of guests that the host tells apart, and the types of references.

use ext_wasm::runtime::{ObjectKind, WasmState};
use ext_wasm::{
    RefHandle, StoreOptions, WasmCapabilities, WasmError, WasmErrorCode, WasmInstance, WasmValue,
};
use serde_json::json;

use crate::support::js::Js;

const GUEST: &str = r#"(module
    (type $struct (struct (field (mut i32))))
    (type $array16 (array (mut i16)))
    (type $array16c (array i16))
    (type $array8 (array (mut i8)))
    (tag $tag)
    (global $kept (mut anyref) (ref.null any))
    (func (export "struct") (param i32) (result anyref)
        (global.set $kept (struct.new $struct (local.get 0)))
        (global.get $kept))
    (func (export "kept") (result anyref) (global.get $kept))
    (func (export "kept_outside") (result externref) (extern.convert_any (global.get $kept)))
    (func (export "keep") (param anyref) (global.set $kept (local.get 0)))
    (func (export "field") (param anyref) (result i32)
        (struct.get $struct 0 (ref.cast (ref $struct) (local.get 0))))
    (func (export "same") (param eqref eqref) (result i32) (ref.eq (local.get 0) (local.get 1)))
    (func (export "array16") (param i32) (result (ref $array16))
        (array.new $array16 (i32.const 0xffff) (local.get 0)))
    (func (export "array16c") (result anyref) (array.new $array16c (i32.const 1) (i32.const 3)))
    (func (export "array8") (result anyref) (array.new $array8 (i32.const 1) (i32.const 3)))
    (func (export "element") (param (ref $array16) i32) (result i32)
        (array.get_u $array16 (local.get 0) (local.get 1)))
    (rec (type $first (array (mut i16))) (type $second (struct)))
    (func (export "array16_of_group") (param i32) (result (ref $first))
        (array.new $first (i32.const 0xffff) (local.get 0)))
    (func (export "element_of_any") (param $any anyref) (param $index i32) (result i32)
        (block $other (result anyref)
            (br_on_cast_fail $other anyref (ref $array16) (local.get $any))
            (return (array.get_u $array16 (local.get $index))))
        (array.get_u $first (ref.cast (ref $first)) (local.get $index)))
    (func (export "i31") (param i32) (result i31ref) (ref.i31 (local.get 0)))
    (func (export "to_any") (param externref) (result anyref) (any.convert_extern (local.get 0)))
    (func (export "to_extern") (param anyref) (result externref) (extern.convert_any (local.get 0)))
    (func (export "catch") (result exnref)
        (block $caught (result exnref)
            (try_table (catch_all_ref $caught) (throw $tag))
            (unreachable)))
    (func (export "churn") (param i32)
        (loop $again
            (drop (struct.new $struct (local.get 0)))
            (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))"#;

fn guest(state: &WasmState, is_grouped: bool) -> WasmInstance {
    let options = StoreOptions::default();
    guest_with(state, is_grouped, options).1
}

/// An instance in a store with these options, or in a store of a group with them, and the handle of the store.
fn guest_with(state: &WasmState, is_grouped: bool, options: StoreOptions) -> (u32, WasmInstance) {
    let module = state.compile(GUEST.as_bytes()).unwrap();
    let store = if is_grouped {
        let group = state.new_group(options).unwrap();
        state.new_grouped_store(group, None).unwrap().0
    } else {
        state.new_store(options).unwrap().0
    };
    let made = state.instantiate(module.id, store, vec![]);
    (store, made.unwrap().returned().unwrap())
}

fn state() -> WasmState {
    WasmState::new(WasmCapabilities::default()).unwrap()
}

/// The reference that a function returns.
fn reference(instance: &WasmInstance, name: &str, args: &[WasmValue]) -> RefHandle {
    let results = instance.call(name, args).unwrap();
    match results[..] {
        [WasmValue::Ref(handle)] => handle,
        _ => panic!("{results:?}"),
    }
}

fn number(handle: RefHandle) -> u32 {
    match handle {
        RefHandle::Object(number) => number,
        other => panic!("{other:?}"),
    }
}

fn code<T>(result: Result<T, WasmError>) -> WasmErrorCode {
    result.map(drop).unwrap_err().code
}

#[test]
fn the_kinds_of_objects_are_told_apart() {
    let state = state();
    let instance = guest(&state, true);
    let store = instance.store();
    let kind =
        |name, args: &[WasmValue]| store.object_kind(number(reference(&instance, name, args)));
    assert_eq!(kind("struct", &[1.into()]), Ok(ObjectKind::Struct));
    assert_eq!(kind("array16", &[1.into()]), Ok(ObjectKind::Array));
    assert_eq!(kind("array8", &[]), Ok(ObjectKind::Array));
    assert_eq!(kind("catch", &[]), Ok(ObjectKind::Exception));
    assert_eq!(code(store.object_kind(1000)), WasmErrorCode::TypeMismatch);
}

#[test]
fn a_31_bit_number_takes_no_room_in_a_group() {
    let state = state();
    let least = -(1 << 30);
    let grouped = guest(&state, true);
    let before = grouped.store().stats().unwrap().handles;
    for value in [least, -1, 0, i32::MAX >> 1] {
        let number = reference(&grouped, "i31", &[value.into()]);
        assert_eq!(number, RefHandle::I31(value));
        let same = grouped.call("same", &[number.into(), number.into()]);
        assert_eq!(same, Ok(vec![1.into()]));
    }
    // The handles of the two functions.
    assert_eq!(grouped.store().stats().unwrap().handles, before + 2);
    for value in [1 << 30, i32::MIN] {
        let wrong = WasmValue::Ref(RefHandle::I31(value));
        let error = code(grouped.call("same", &[wrong, wrong]));
        assert_eq!(error, WasmErrorCode::TypeMismatch);
    }
    let strict = guest(&state, false);
    let object = number(reference(&strict, "i31", &[least.into()]));
    let kind = strict.store().object_kind(object);
    assert_eq!(kind, Ok(ObjectKind::I31(least)));
}

#[test]
fn an_object_has_one_number_while_the_host_holds_it() {
    let state = state();
    let instance = guest(&state, true);
    let store = instance.store();
    let first = reference(&instance, "struct", &[1.into()]);
    let held: Vec<RefHandle> = (2..200)
        .map(|field| reference(&instance, "struct", &[field.into()]))
        .collect();
    instance.call("keep", &[first.into()]).unwrap();
    let exception = reference(&instance, "catch", &[]);
    assert_ne!(reference(&instance, "catch", &[]), exception);
    for round in 0..50 {
        // Objects move when garbage is collected, here and in the guest.
        if round % 3 == 0 {
            store.collect(0).unwrap();
        }
        instance
            .call("churn", &[(1 + 5000 * (round % 2)).into()])
            .unwrap();
        assert_eq!(reference(&instance, "kept", &[]), first);
        assert_eq!(reference(&instance, "kept_outside", &[]), first);
        let other = held[round as usize];
        instance.call("keep", &[other.into()]).unwrap();
        assert_eq!(reference(&instance, "kept", &[]), other);
        assert_eq!(
            instance.call("field", &[other.into()]),
            Ok(vec![(round + 2).into()])
        );
        instance.call("keep", &[first.into()]).unwrap();
        // A new object may be where another one was.
        let new = reference(&instance, "struct", &[5.into()]);
        assert!(new != first && !held.contains(&new));
        store.release_object(number(new));
        instance.call("keep", &[first.into()]).unwrap();
    }
    store.release_object(number(first));
    let again = reference(&instance, "kept", &[]);
    assert_eq!(instance.call("field", &[again.into()]), Ok(vec![1.into()]));
    assert_eq!(reference(&instance, "kept", &[]), again);
    assert!(!held.contains(&again));
}

#[test]
fn without_a_group_each_reference_has_its_own_number() {
    let state = state();
    let instance = guest(&state, false);
    let first = reference(&instance, "struct", &[1.into()]);
    assert_ne!(reference(&instance, "kept", &[]), first);
}

#[test]
fn a_host_value_as_anyref_is_the_host_value_in_a_group_only() {
    let state = state();
    let value = WasmValue::Ref(RefHandle::Host(6));
    let grouped = guest(&state, true);
    for name in ["to_any", "to_extern"] {
        assert_eq!(reference(&grouped, name, &[value]), RefHandle::Host(6));
    }
    grouped.call("keep", &[value]).unwrap();
    assert_eq!(reference(&grouped, "kept", &[]), RefHandle::Host(6));
    // It is no struct.
    assert_eq!(
        code(grouped.call("same", &[value, value])),
        WasmErrorCode::TypeMismatch
    );
    let object = reference(&grouped, "struct", &[1.into()]);
    assert_eq!(reference(&grouped, "to_extern", &[object.into()]), object);
    assert_eq!(reference(&grouped, "to_any", &[object.into()]), object);

    let strict = guest(&state, false);
    let inside = reference(&strict, "to_any", &[value]);
    let kind = strict.store().object_kind(number(inside));
    assert_eq!(kind, Ok(ObjectKind::HostValue));
    assert_eq!(
        code(strict.call("keep", &[value])),
        WasmErrorCode::TypeMismatch
    );
}

#[test]
fn arrays_of_mutable_16_bit_numbers_are_read_and_written() {
    let state = state();
    let (id, instance) = guest_with(&state, true, StoreOptions::default());
    let store = instance.store();
    let array = reference(&instance, "array16", &[4.into()]);
    let object = number(array);
    assert_eq!(store.array16_length(object), Ok(Some(4)));
    let write = |object, start, units: &[u8]| state.write_array16(id, object, start, units);
    write(object, 1, &[1, 2, 0xff, 0xd8, 9]).unwrap();
    assert_eq!(
        state.read_array16(id, object, 0, 4),
        Ok(vec![0xff, 0xff, 1, 2, 0xff, 0xd8, 0xff, 0xff])
    );
    assert_eq!(
        instance.call("element", &[array.into(), 2.into()]),
        Ok(vec![0xd8ff.into()])
    );
    assert_eq!(state.read_array16(id, object, 4, 4), Ok(vec![]));
    for (start, end) in [(0, 5), (3, 2), (5, 5), (u32::MAX, u32::MAX)] {
        let read = state.read_array16(id, object, start, end);
        assert_eq!(code(read), WasmErrorCode::MemoryError, "{start} {end}");
    }
    for start in [3, 4, u32::MAX] {
        let written = write(object, start, &[0; 4]);
        assert_eq!(code(written), WasmErrorCode::MemoryError, "{start}");
    }
    let others = [
        number(reference(&instance, "array16c", &[])),
        number(reference(&instance, "array8", &[])),
        number(reference(&instance, "struct", &[1.into()])),
        number(reference(&instance, "catch", &[])),
        1000,
    ];
    for other in others {
        assert_eq!(store.array16_length(other), Ok(None), "{other}");
        let read = state.read_array16(id, other, 0, 1);
        assert_eq!(code(read), WasmErrorCode::TypeMismatch);
        assert_eq!(code(write(other, 0, &[0; 2])), WasmErrorCode::TypeMismatch);
    }
}

#[test]
fn long_arrays_are_copied_as_short_ones_are() {
    let state = state();
    let (id, instance) = guest_with(&state, true, StoreOptions::default());
    // The second type is one of several that are defined together.
    for name in ["array16", "array16_of_group"] {
        let length = 70_000;
        let array = reference(&instance, name, &[(length as i32).into()]);
        let object = number(array);
        let units: Vec<u8> = (0..2 * length)
            .map(|byte: u32| (byte * 31 / 7) as u8)
            .collect();
        for (start, end) in [(0, 16), (0, 17), (3, 32_771), (1, 65_538), (0, length)] {
            let part = &units[2 * start as usize..2 * end as usize];
            state.write_array16(id, object, start, part).unwrap();
            let read = state.read_array16(id, object, start, end).unwrap();
            assert!(read == part, "{name}: {start} {end}");
        }
        for index in [0, 16, 32_768, length - 1] {
            let at = 2 * index as usize;
            let unit = u16::from_le_bytes([units[at], units[at + 1]]);
            assert_eq!(
                instance.call("element_of_any", &[array.into(), (index as i32).into()]),
                Ok(vec![i32::from(unit).into()])
            );
        }
    }
    // The copies are garbage, which does not pile up.
    let object = number(reference(&instance, "array16", &[70_000.into()]));
    for _ in 0..200 {
        state.read_array16(id, object, 0, 70_000).unwrap();
    }
    assert!(instance.store().stats().unwrap().memory_bytes < 8 << 20);
}

#[test]
fn copies_of_long_arrays_use_fuel() {
    let state = state();
    let options = StoreOptions::default().with_fuel(10_000_000);
    for is_grouped in [true, false] {
        let (id, instance) = guest_with(&state, is_grouped, options.clone());
        let object = number(reference(&instance, "array16", &[1000.into()]));
        let left = || state.store(id).unwrap().fuel().unwrap();
        let before = left();
        state.read_array16(id, object, 0, 1000).unwrap();
        state.write_array16(id, object, 0, &[5; 2000]).unwrap();
        assert!((2000..100_000).contains(&(before - left())));
        state.set_fuel(id, 1000).unwrap();
        let read = state.read_array16(id, object, 0, 1000);
        assert_eq!(code(read), WasmErrorCode::FuelExhausted);
    }
}

#[test]
fn references_that_are_never_null_have_globals_and_tables() {
    let result = Js::new().run(
        r#"
        const store = new WasmStore();
        const { func, i31, struct } = (await load(`(module
            (type $s (struct)) (func (export "func"))
            (func (export "i31") (result (ref i31)) (ref.i31 (i32.const 5)))
            (func (export "struct") (result (ref struct)) (struct.new $s)))`, {}, { store })).namespace;
        const results = [];
        for (const [value, content] of [["(ref extern)", "text"], ["(ref func)", func], ["(ref i31)", i31()],
            ["(ref any)", struct()], ["(ref eq)", i31()], ["(ref struct)", struct()]]) {
            const global = new WasmGlobal(store, { value, mutable: true }, content);
            const table = new WasmTable(store, { element: value, minimum: 2 }, content);
            const guest = await load(`(module (import "a" "g" (global (mut ${value}))) (import "a" "t" (table 2 ${value})))`,
                { a: { g: global, t: table } });
            results.push(global.type.value === value, table.type.element === value, typeof global.value === typeof content,
                await codeOf(() => new WasmGlobal(store, { value, mutable: true }, null)));
        }
        for (const name of ["extern", "func", "any", "eq", "i31", "struct", "array", "none", "noextern", "nofunc", "exn", "noexn"]) {
            const global = new WasmGlobal(store, { value: `(ref null ${name})`, mutable: true }, null);
            results.push(global.type.value.endsWith("ref"));
        }
        const wrong = [];
        for (const value of ["(ref $f)", "(ref  i31)", "(ref null)", "(ref i32)", "(ref none", "(ref none)"]) {
            wrong.push(await codeOf(() => new WasmGlobal(store, { value, mutable: true }, null)));
        }
        return [results, wrong];
        "#,
    );
    let each = [json!(true), json!(true), json!(true), json!(5005)];
    let mut expected: Vec<_> = std::iter::repeat_n(each, 6).flatten().collect();
    expected.extend(vec![json!(true); 12]);
    assert_eq!(
        result,
        json!([expected, [5005, 5005, 5005, 5005, 5005, 5005]])
    );
}

#[test]
fn ops_on_objects_use_their_numbers() {
    let result = Js::new().run(
        r#"
        const { ops } = Deno.core;
        const instance = await load(`(module (type $a (array (mut i16)))
            (func (export "array") (result (ref $a)) (array.new $a (i32.const 3) (i32.const 2)))
            (func (export "i31") (result i31ref) (ref.i31 (i32.const 5))))`);
        const kept = [instance.call("array"), instance.call("i31")];
        const five = 1;
        ops.op_wasm_write_array16(1, 0, 1, new Uint8Array([4, 1]));
        return [
            ops.op_wasm_exception_tag(1, 0), ops.op_wasm_exception_tag(1, five),
            ops.op_wasm_array16_length(1, 0), ops.op_wasm_array16_length(1, five), [...ops.op_wasm_read_array16(1, 0, 0, 2)],
            kept.length, await codeOf(() => ops.op_wasm_read_exception(1, 99)),
            await codeOf(() => ops.op_wasm_read_array16(1, 0, 0, 2 ** 32 - 1)),
        ];
        "#,
    );
    assert_eq!(result, json!([-1, -1, 2, -1, [3, 0, 4, 1], 2, 5005, 5003]));
}

#[test]
fn a_table_of_the_host_holds_exceptions() {
    let result = Js::new().run(
        r#"
        const store = new WasmStore();
        const table = new WasmTable(store, { element: "exnref", minimum: 2 });
        const guest = await load(`(module (import "a" "t" (table 1 exnref)) (tag $tag (param i32))
            (func (export "catch") (param i32) (result exnref)
                (block $caught (result exnref)
                    (try_table (catch_all_ref $caught) (throw $tag (local.get 0)))
                    (unreachable)))
            (func (export "payload") (param i32) (result i32)
                (block $caught (result i32)
                    (try_table (catch $tag $caught) (throw_ref (table.get 0 (local.get 0))))
                    (unreachable))))`, { a: { t: table } });
        table.set(1, guest.call("catch", [7]));
        const grown = table.grow(2, guest.call("catch", [8]));
        return [table.get(0), guest.call("payload", [1]), grown, guest.call("payload", [3]), table.type.element];
        "#,
    );
    assert_eq!(result, json!([null, 7, 2, 8, "exnref"]));
}
