//! JavaScript functions as a guest's imports.

use deno_core::v8;
use wasmtime::ValRaw;

use super::{Bridge, scope};
use crate::runtime::{HostFunction, RefHandle, Stop, WasmError, WasmErrorCode, WasmStore};

/// The function that JavaScript keeps under this number for the instance's store.
///
/// JavaScript keeps it, and not this, so that an import that refers to its own instance does
/// not keep the two alive.
pub struct JsImport(pub u32);

impl HostFunction for JsImport {
    fn call(&self, store: &WasmStore, frame: &mut [ValRaw]) -> Result<(), Stop> {
        scope::with_current(|scope, bridge| {
            bridge.frame.write(frame);
            bridge
                .frame
                .set_growths(store.growths().map_err(Stop::Error)?);
            match dispatch(scope, bridge, self.0)? {
                Completion::Returned => {
                    bridge.frame.read_into(frame);
                    Ok(())
                }
                Completion::Threw => Err(Stop::Throw(thrown(bridge)?)),
                Completion::Rethrew => Err(Stop::Rethrow(reference(bridge)?)),
                Completion::Aborted => Err(Stop::Abort),
            }
        })
        .unwrap_or_else(|| Err(stop("an import was called while no JavaScript runs")))
    }
}

/// How `dispatch` says that an import ended. What was thrown is in the frame's first slot; why
/// one was aborted, JavaScript keeps for itself.
#[derive(Clone, Copy)]
enum Completion {
    Returned,
    Threw,
    Rethrew,
    Aborted,
}

/// Runs the import with its arguments in the frame.
fn dispatch(
    scope: &mut v8::PinScope<'_, '_>,
    bridge: &Bridge,
    index: u32,
) -> Result<Completion, Stop> {
    let function = bridge.dispatch.borrow().clone();
    let function = function.ok_or_else(|| stop("host:wasm was never evaluated"))?;
    v8::tc_scope!(let scope, scope);
    let function = v8::Local::new(scope, function);
    let this = v8::undefined(scope).into();
    let index = v8::Integer::new_from_unsigned(scope, index).into();
    match function.call(scope, this, &[index]) {
        Some(completion) => match completion.uint32_value(scope) {
            Some(0) => Ok(Completion::Returned),
            Some(1) => Ok(Completion::Threw),
            Some(2) => Ok(Completion::Rethrew),
            Some(3) => Ok(Completion::Aborted),
            _ => Err(stop("an import ended in an unknown way")),
        },
        None if scope.has_terminated() => {
            Err(stop("JavaScript was terminated while the guest ran"))
        }
        // `dispatch` catches whatever the import throws; only where the stack has no room left
        // even for that does an exception come through.
        None => Err(Stop::Error(WasmError::stack_exhausted())),
    }
}

fn thrown(bridge: &Bridge) -> Result<u32, Stop> {
    match reference(bridge)? {
        RefHandle::Host(index) => Ok(index),
        _ => Err(stop("an import threw something unknown")),
    }
}

fn reference(bridge: &Bridge) -> Result<RefHandle, Stop> {
    RefHandle::from_bits(bridge.frame.first().get_u64())
        .ok_or_else(|| stop("an import threw something unknown"))
}

fn stop(message: &str) -> Stop {
    Stop::Error(WasmError::new(WasmErrorCode::RuntimeError, message))
}
