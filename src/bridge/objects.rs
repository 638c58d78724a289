//! Ops on globals, tables and tags. Values pass through the first slot of the call frame.

use std::rc::Rc;

use deno_core::{OpState, op2, serde_json};
use wasmtime::{GlobalType, Mutability, TableType, ValType};

use super::error::to_json;
use super::state::Bridge;
use crate::runtime::{
    RefHandle, WasmError, WasmErrorCode, WasmGlobal, WasmTable, parse_type, quote,
};

fn global(bridge: &Bridge, store: u32, global: u32) -> Result<WasmGlobal, WasmError> {
    bridge.state.store(store)?.global(global)
}

fn table(bridge: &Bridge, store: u32, table: u32) -> Result<WasmTable, WasmError> {
    bridge.state.store(store)?.table(table)
}

/// Makes a global that holds the value in the frame, and returns its handle.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_new_global(
    state: &mut OpState,
    store: u32,
    #[string] value: String,
    mutable: bool,
) -> Result<u32, WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    let mutability = if mutable {
        Mutability::Var
    } else {
        Mutability::Const
    };
    let ty = GlobalType::new(value_type(&value)?, mutability);
    let store = bridge.state.store(store)?;
    Ok(store
        .new_global(ty, &bridge.context.frame.first())?
        .handle())
}

/// A global's type, as JSON.
#[op2(reentrant)]
#[string]
pub(crate) fn op_wasm_global_type(
    state: &mut OpState,
    store: u32,
    handle: u32,
) -> Result<String, WasmError> {
    let global = global(state.borrow::<Rc<Bridge>>(), store, handle)?;
    Ok(to_json(&global.info()?))
}

/// Puts the value of a global into the frame.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_get_global(
    state: &mut OpState,
    store: u32,
    handle: u32,
) -> Result<(), WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    let value = global(bridge, store, handle)?.get()?;
    bridge.context.frame.write(&[value]);
    Ok(())
}

/// Sets a global to the value in the frame.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_set_global(
    state: &mut OpState,
    store: u32,
    handle: u32,
) -> Result<(), WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    global(bridge, store, handle)?.set(&bridge.context.frame.first())
}

/// The type of a table. A negative maximum stands for none.
fn table_type(
    element: &str,
    minimum: u64,
    maximum: i64,
    is_64: bool,
) -> Result<TableType, WasmError> {
    let ValType::Ref(element) = value_type(element)? else {
        return Err(WasmError::new(
            WasmErrorCode::TypeMismatch,
            format!("{element:?} is no reference type"),
        ));
    };
    let maximum = u64::try_from(maximum).ok();
    let small = |limit: u64| u32::try_from(limit).ok();
    match (is_64, small(minimum), maximum.map(small)) {
        (true, ..) => Ok(TableType::new64(element, minimum, maximum)),
        (false, Some(minimum), None) => Ok(TableType::new(element, minimum, None)),
        (false, Some(minimum), Some(Some(maximum))) => {
            Ok(TableType::new(element, minimum, Some(maximum)))
        }
        _ => Err(WasmError::new(
            WasmErrorCode::InstantiateError,
            "a table with 32-bit indices holds less than 2^32 elements",
        )),
    }
}

/// Makes a table of a `TableType` of `host:wasm`, which TypeScript has checked, and returns its handle. Each element is
/// the value in the frame. A negative maximum stands for none.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_new_table(
    state: &mut OpState,
    store: u32,
    #[string] element: String,
    #[number] minimum: u64,
    #[number] maximum: i64,
    is64: bool,
) -> Result<u32, WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    let store = bridge.state.store(store)?;
    let ty = table_type(&element, minimum, maximum, is64)?;
    let table = store.new_table(ty, &bridge.context.frame.first())?;
    Ok(table.handle())
}

/// A table's type, as JSON.
#[op2(reentrant)]
#[string]
pub(crate) fn op_wasm_table_type(
    state: &mut OpState,
    store: u32,
    handle: u32,
) -> Result<String, WasmError> {
    let table = table(state.borrow::<Rc<Bridge>>(), store, handle)?;
    Ok(to_json(&table.info()?))
}

/// The number of elements of a table.
#[op2(nofast, reentrant)]
#[number]
pub(crate) fn op_wasm_table_size(
    state: &mut OpState,
    store: u32,
    handle: u32,
) -> Result<u64, WasmError> {
    table(state.borrow::<Rc<Bridge>>(), store, handle)?.size()
}

/// Puts an element of a table into the frame.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_get_table(
    state: &mut OpState,
    store: u32,
    handle: u32,
    #[number] index: u64,
) -> Result<(), WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    let element = table(bridge, store, handle)?.get(index)?;
    bridge.context.frame.write(&[element]);
    Ok(())
}

/// Sets an element of a table to the value in the frame.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_set_table(
    state: &mut OpState,
    store: u32,
    handle: u32,
    #[number] index: u64,
) -> Result<(), WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    table(bridge, store, handle)?.set(index, &bridge.context.frame.first())
}

/// Adds elements that are the value in the frame to a table. Returns the number of elements before.
#[op2(nofast, reentrant)]
#[number]
pub(crate) fn op_wasm_grow_table(
    state: &mut OpState,
    store: u32,
    handle: u32,
    #[number] delta: u64,
) -> Result<u64, WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    table(bridge, store, handle)?.grow(delta, &bridge.context.frame.first())
}

/// Makes a tag, and returns its handle. `params` are the types of its parameters: a list of strings, as JSON.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_new_tag(
    state: &mut OpState,
    store: u32,
    #[string] params: String,
) -> Result<u32, WasmError> {
    let params: Vec<String> = serde_json::from_str(&params).map_err(|error| {
        let message = format!("the parameters of a tag are unusable: {error}");
        WasmError::new(WasmErrorCode::InstantiateError, message)
    })?;
    let params = params
        .iter()
        .map(|name| value_type(name))
        .collect::<Result<_, _>>()?;
    state
        .borrow::<Rc<Bridge>>()
        .state
        .store(store)?
        .new_tag(params)
}

/// The number of an object among those of its store.
pub(super) fn object_number(handle: RefHandle) -> Result<u32, WasmError> {
    match handle {
        RefHandle::Object(object) => Ok(object),
        _ => Err(WasmError::mismatch("not an object of the store")),
    }
}

/// A tag's type, as JSON.
#[op2(reentrant)]
#[string]
pub(crate) fn op_wasm_tag_type(
    state: &mut OpState,
    store: u32,
    handle: u32,
) -> Result<String, WasmError> {
    let store = state.borrow::<Rc<Bridge>>().state.store(store)?;
    Ok(to_json(&store.tag_info(handle)?))
}

/// The value type of this name in the text format.
fn value_type(name: &str) -> Result<ValType, WasmError> {
    parse_type(name).ok_or_else(|| {
        WasmError::new(
            WasmErrorCode::TypeMismatch,
            format!("{} is no value type that the host can name", quote(name)),
        )
    })
}
