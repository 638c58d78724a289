//! Ops on instances.

use std::cell::RefCell;
use std::rc::Rc;

use deno_core::{OpState, op2, v8};
use wasmtime::ValRaw;

use super::import::JsImport;
use super::protocol::{
    IMPORT_FUNCTION, IMPORT_GLOBAL, IMPORT_HOST_FUNCTION, IMPORT_MEMORY,
    IMPORT_SUSPENDING_FUNCTION, IMPORT_TABLE, IMPORT_TAG, IMPORT_WASI_FUNCTION, RETURNED,
};
use super::scope::{self, StoreImports};
use super::state::Bridge;
use crate::runtime::{
    ExternInfo, HostFunction, HostImports, Import, ImportInfo, Outcome, WasmError, WasmInstance,
    WasmState,
};

/// An import of this kind, and of this type. The number is a handle in the store, or the index of a JavaScript function
/// among the imports of the store.
fn import(kind: u32, number: u32, ty: &ExternInfo) -> Result<Import, WasmError> {
    Ok(match kind {
        IMPORT_FUNCTION => Import::Func(number),
        IMPORT_MEMORY => Import::Memory(number),
        IMPORT_GLOBAL => Import::Global(number),
        IMPORT_TABLE => Import::Table(number),
        IMPORT_TAG => Import::Tag(number),
        IMPORT_HOST_FUNCTION => Import::Host(Box::new(JsImport::new(number, ty))),
        IMPORT_SUSPENDING_FUNCTION => Import::Host(Box::new(JsImport::suspending(number))),
        IMPORT_WASI_FUNCTION => Import::Wasi,
        _ => return Err(WasmError::instantiate("an import of an unknown kind")),
    })
}

/// The JavaScript functions that the first instance of a store imports.
struct FirstImports;

impl HostImports for FirstImports {
    fn function(number: usize, import: &ImportInfo) -> Box<dyn HostFunction> {
        // At index 0 stands the state of the store: see `StoreImports`.
        Box::new(JsImport::new(number as u32 + 1, &import.ty))
    }
}

fn instantiate(
    state: &WasmState,
    module: u32,
    store: u32,
    imports: &[u32],
) -> Result<Outcome<WasmInstance>, WasmError> {
    let module = state.module(module)?;
    let declared = &module.imports;
    let pairs = || imports.chunks_exact(2);
    let mut firsts = (1..).zip(pairs());
    let are_firsts = firsts.all(|(i, pair)| pair == [IMPORT_HOST_FUNCTION, i]);
    if pairs().len() == declared.len() && are_firsts {
        return state.instantiate_module_hosted::<FirstImports>(&module, store);
    }
    let pairs = pairs().zip(&**declared);
    let imports: Result<_, _> = pairs
        .map(|(pair, declared)| import(pair[0], pair[1], &declared.ty))
        .collect();
    state.instantiate_module(&module, store, imports?)
}

/// Instantiates a module, and runs its start function. `imports` are pairs of a kind and a number, in the order of the
/// module; `functions` are the JavaScript functions that the store imports. Returns the status of the run; if it
/// returned, the number of the instance is in the frame.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_instantiate<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: Rc<RefCell<OpState>>,
    module: u32,
    store: u32,
    // JavaScript may detach the buffer while the start function runs.
    #[buffer(copy)] imports: Vec<u32>,
    functions: v8::Local<'s, v8::Value>,
) -> Result<u32, WasmError> {
    let bridge = Bridge::of(&state);
    let functions = StoreImports::of_sync_call(functions);
    let made = scope::enter(scope, &bridge.context, functions, || {
        instantiate(&bridge.state, module, store, &imports)
    });
    Ok(match bridge.context.returned(made?) {
        Ok(instance) => {
            bridge.context.frame.write(&[ValRaw::u32(instance.id)]);
            RETURNED
        }
        Err(status) => status,
    })
}

/// The handle of an export in its store.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_get_export(
    state: &mut OpState,
    instance: u32,
    #[string] name: String,
) -> Result<u32, WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    let (_, handle) = bridge.state.instance(instance)?.export(&name)?;
    Ok(handle)
}

/// Drops an instance.
#[op2(fast)]
pub(crate) fn op_wasm_drop_instance(state: &mut OpState, instance: u32) {
    state.borrow::<Rc<Bridge>>().state.drop_instance(instance);
}
