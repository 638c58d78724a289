//! Ops on instances.

use std::cell::RefCell;
use std::iter::repeat;
use std::rc::Rc;

use deno_core::{OpState, op2, v8};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::Bridge;
use super::call::RETURNED;
use super::import::JsImport;
use super::scope::{self, Guest};
use crate::runtime::{ExternInfo, Import, WasmError};

/// What an import is satisfied with; the numbers are those of the instance's store.
#[derive(Deserialize)]
#[serde(tag = "kind", content = "handle", rename_all = "lowercase")]
pub enum JsExtern {
    Function(u32),
    Memory(u32),
    Global(u32),
    Table(u32),
    Tag(u32),
    /// A JavaScript function, under the number that `dispatch` takes.
    Host(u32),
    /// A function of WASI, of which the module tells which.
    Wasi(IgnoredAny),
}

impl JsExtern {
    /// For an import of this type, if the module has that many.
    fn satisfy(self, ty: Option<&ExternInfo>) -> Import {
        match self {
            Self::Function(handle) => Import::Func(handle),
            Self::Memory(handle) => Import::Memory(handle),
            Self::Global(handle) => Import::Global(handle),
            Self::Table(handle) => Import::Table(handle),
            Self::Tag(handle) => Import::Tag(handle),
            Self::Host(number) => Import::Host(Box::new(JsImport::new(number, ty))),
            Self::Wasi(_) => Import::Wasi,
        }
    }
}

/// Instantiates a module. Returns how it ended, and the instance's number if it came to be.
#[op2(reentrant)]
#[serde]
pub fn op_wasm_instantiate<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: Rc<RefCell<OpState>>,
    module: u32,
    store: u32,
    #[serde] externs: Vec<JsExtern>,
    imports: v8::Local<'s, v8::Array>,
) -> Result<(u32, u32), WasmError> {
    let bridge = Bridge::of(&state);
    let declared = bridge.state.module(module)?.imports;
    let types = declared.iter().map(|import| &import.ty).map(Some);
    let externs = externs.into_iter().zip(types.chain(repeat(None)));
    let externs = externs.map(|(import, ty)| import.satisfy(ty)).collect();
    let made = scope::enter(scope, &bridge, Guest::of(imports), || {
        bridge.state.instantiate(module, store, externs)
    });
    Ok(match bridge.ended(made?) {
        Ok(instance) => (RETURNED, instance.id),
        Err(ended) => (ended, 0),
    })
}

/// The number that an export has in its store.
#[op2(fast)]
pub fn op_wasm_get_export(
    state: &mut OpState,
    instance: u32,
    #[string] name: &str,
) -> Result<u32, WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    let (_, handle) = bridge.state.instance(instance)?.export(name)?;
    Ok(handle)
}

#[op2(fast)]
pub fn op_wasm_drop_instance(state: &mut OpState, instance: u32) {
    state.borrow::<Rc<Bridge>>().state.drop_instance(instance);
}
