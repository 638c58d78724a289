//! Ops on instances.

use std::cell::RefCell;
use std::rc::Rc;

use deno_core::{OpState, op2, v8};
use wasmtime::ValRaw;

use super::Bridge;
use super::crossing::RETURNED;
use super::import::JsImport;
use super::scope::{self, Guest};
use crate::runtime::{
    ExternInfo, HostFunction, HostImports, Import, ImportInfo, Outcome, WasmError, WasmInstance,
    WasmState,
};

/// The kind of an import that is a function of JavaScript.
const HOST_FUNCTION: u32 = 5;

/// What an import of this type is satisfied with, as `host:wasm` tells it: a kind, and a number among
/// those of that kind in the instance's store.
fn import(kind: u32, number: u32, ty: &ExternInfo) -> Result<Import, WasmError> {
    Ok(match kind {
        0 => Import::Func(number),
        1 => Import::Memory(number),
        2 => Import::Global(number),
        3 => Import::Table(number),
        4 => Import::Tag(number),
        HOST_FUNCTION => Import::Host(Box::new(JsImport::new(number, ty))),
        // Of which the module tells which.
        6 => Import::Wasi,
        _ => return Err(WasmError::instantiate("an import of an unknown kind")),
    })
}

/// The functions that JavaScript keeps for the imports of a store's first instance.
struct FirstImports;

impl HostImports for FirstImports {
    fn function(number: usize, import: &ImportInfo) -> Box<dyn HostFunction> {
        // What JavaScript keeps first is something else: see `Guest`.
        Box::new(JsImport::new(number as u32 + 1, &import.ty))
    }
}

fn instantiate(
    state: &WasmState,
    module: u32,
    store: u32,
    externs: &[u32],
) -> Result<Outcome<WasmInstance>, WasmError> {
    let declared = state.module(module)?.imports;
    let pairs = || externs.chunks_exact(2);
    let mut firsts = (1..).zip(pairs());
    if pairs().len() == declared.len() && firsts.all(|(i, pair)| pair == [HOST_FUNCTION, i]) {
        return state.instantiate_hosted::<FirstImports>(module, store);
    }
    let pairs = pairs().zip(&*declared);
    let externs: Result<_, _> = pairs
        .map(|(pair, declared)| import(pair[0], pair[1], &declared.ty))
        .collect();
    state.instantiate(module, store, externs?)
}

/// Instantiates a module. Its imports are pairs of a kind and a number, in the module's order. Returns
/// how it ended; the instance's number is in the frame if it came to be.
#[op2(nofast, reentrant)]
pub fn op_wasm_instantiate<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: Rc<RefCell<OpState>>,
    module: u32,
    store: u32,
    // JavaScript may detach the buffer while the start function runs.
    #[buffer(copy)] externs: Vec<u32>,
    imports: v8::Local<'s, v8::Value>,
) -> Result<u32, WasmError> {
    let bridge = Bridge::of(&state);
    let made = scope::enter(scope, &bridge.crossing, Guest::of(imports), || {
        instantiate(&bridge.state, module, store, &externs)
    });
    Ok(match bridge.crossing.ended(made?) {
        Ok(instance) => {
            bridge.crossing.frame.write(&[ValRaw::u32(instance.id)]);
            RETURNED
        }
        Err(ended) => ended,
    })
}

/// The number that an export has in its store.
#[op2(nofast, reentrant)]
pub fn op_wasm_get_export(
    state: &mut OpState,
    instance: u32,
    #[string] name: String,
) -> Result<u32, WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    let (_, handle) = bridge.state.instance(instance)?.export(&name)?;
    Ok(handle)
}

#[op2(fast)]
pub fn op_wasm_drop_instance(state: &mut OpState, instance: u32) {
    state.borrow::<Rc<Bridge>>().state.drop_instance(instance);
}
