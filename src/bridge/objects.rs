//! Ops on globals, tables and tags. Values travel in the frame's first slot.

use std::rc::Rc;

use deno_core::{OpState, op2};
use serde::Deserialize;
use wasmtime::{GlobalType, Mutability, ValType};

use super::Bridge;
use crate::runtime::{ExternInfo, WasmError, WasmErrorCode, WasmGlobal, WasmTable, parse_type};

fn global(bridge: &Bridge, store: u32, global: u32) -> Result<WasmGlobal, WasmError> {
    bridge.state.store(store)?.global(global)
}

fn table(bridge: &Bridge, store: u32, table: u32) -> Result<WasmTable, WasmError> {
    bridge.state.store(store)?.table(table)
}

#[op2(fast)]
pub fn op_wasm_new_global(
    state: &mut OpState,
    store: u32,
    #[string] value: &str,
    mutable: bool,
) -> Result<u32, WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    let mutability = if mutable {
        Mutability::Var
    } else {
        Mutability::Const
    };
    let ty = GlobalType::new(value_type(value)?, mutability);
    let store = bridge.state.store(store)?;
    Ok(store
        .new_global(ty, &bridge.crossing.frame.first())?
        .handle())
}

#[op2]
#[serde]
pub fn op_wasm_global_type(
    state: &mut OpState,
    store: u32,
    handle: u32,
) -> Result<ExternInfo, WasmError> {
    global(state.borrow::<Rc<Bridge>>(), store, handle)?.info()
}

#[op2(fast)]
pub fn op_wasm_get_global(state: &mut OpState, store: u32, handle: u32) -> Result<(), WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    let value = global(bridge, store, handle)?.get()?;
    bridge.crossing.frame.write(&[value]);
    Ok(())
}

#[op2(fast)]
pub fn op_wasm_set_global(state: &mut OpState, store: u32, handle: u32) -> Result<(), WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    global(bridge, store, handle)?.set(&bridge.crossing.frame.first())
}

/// `TableType` of `host:wasm`, checked there.
#[derive(Deserialize)]
pub struct TableType {
    element: String,
    minimum: u64,
    maximum: Option<u64>,
    #[serde(default)]
    is64: bool,
}

impl TableType {
    fn build(&self) -> Result<wasmtime::TableType, WasmError> {
        let ValType::Ref(element) = value_type(&self.element)? else {
            return Err(WasmError::new(
                WasmErrorCode::TypeMismatch,
                format!("{:?} is no reference type", self.element),
            ));
        };
        let small = |limit: u64| u32::try_from(limit).ok();
        match (self.is64, small(self.minimum), self.maximum.map(small)) {
            (true, ..) => Ok(wasmtime::TableType::new64(
                element,
                self.minimum,
                self.maximum,
            )),
            (false, Some(minimum), None) => Ok(wasmtime::TableType::new(element, minimum, None)),
            (false, Some(minimum), Some(Some(maximum))) => {
                Ok(wasmtime::TableType::new(element, minimum, Some(maximum)))
            }
            _ => Err(WasmError::new(
                WasmErrorCode::InstantiateError,
                "a table with 32-bit indices holds less than 2^32 elements",
            )),
        }
    }
}

#[op2]
pub fn op_wasm_new_table(
    state: &mut OpState,
    store: u32,
    #[serde] ty: TableType,
) -> Result<u32, WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    let store = bridge.state.store(store)?;
    let table = store.new_table(ty.build()?, &bridge.crossing.frame.first())?;
    Ok(table.handle())
}

#[op2]
#[serde]
pub fn op_wasm_table_type(
    state: &mut OpState,
    store: u32,
    handle: u32,
) -> Result<ExternInfo, WasmError> {
    table(state.borrow::<Rc<Bridge>>(), store, handle)?.info()
}

#[op2(fast)]
#[number]
pub fn op_wasm_table_size(state: &mut OpState, store: u32, handle: u32) -> Result<u64, WasmError> {
    table(state.borrow::<Rc<Bridge>>(), store, handle)?.size()
}

#[op2(fast)]
pub fn op_wasm_get_table(
    state: &mut OpState,
    store: u32,
    handle: u32,
    #[number] index: u64,
) -> Result<(), WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    let element = table(bridge, store, handle)?.get(index)?;
    bridge.crossing.frame.write(&[element]);
    Ok(())
}

#[op2(fast)]
pub fn op_wasm_set_table(
    state: &mut OpState,
    store: u32,
    handle: u32,
    #[number] index: u64,
) -> Result<(), WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    table(bridge, store, handle)?.set(index, &bridge.crossing.frame.first())
}

/// Grows a table and returns how many elements it had.
#[op2(fast)]
#[number]
pub fn op_wasm_grow_table(
    state: &mut OpState,
    store: u32,
    handle: u32,
    #[number] delta: u64,
) -> Result<u64, WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    table(bridge, store, handle)?.grow(delta, &bridge.crossing.frame.first())
}

#[op2]
pub fn op_wasm_new_tag(
    state: &mut OpState,
    store: u32,
    #[serde] params: Vec<String>,
) -> Result<u32, WasmError> {
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

/// A value type by its name in the text format.
fn value_type(name: &str) -> Result<ValType, WasmError> {
    parse_type(name).ok_or_else(|| {
        WasmError::new(
            WasmErrorCode::TypeMismatch,
            format!("{name:?} is no value type that the host can name"),
        )
    })
}
