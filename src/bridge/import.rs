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
            dispatch(scope, bridge, self.0)?.read(bridge, frame)
        })
        .unwrap_or_else(|| Err(stop("an import was called while no JavaScript runs")))
    }
}

/// How `dispatch` says that an import ended. What was thrown is in the frame's first slot; why
/// one was aborted, JavaScript keeps for itself.
#[derive(Clone, Copy)]
pub enum Completion {
    Returned,
    Threw,
    Rethrew,
    Aborted,
    /// It does so later.
    Pending,
}

impl Completion {
    /// The way of this number, as `host:wasm` knows it.
    pub fn from_number(number: u32) -> Result<Self, Stop> {
        match number {
            0 => Ok(Self::Returned),
            1 => Ok(Self::Threw),
            2 => Ok(Self::Rethrew),
            3 => Ok(Self::Aborted),
            4 => Ok(Self::Pending),
            _ => Err(stop("an import ended in an unknown way")),
        }
    }

    /// Tells the guest, whose frame this is.
    pub fn read(self, bridge: &Bridge, frame: &mut [ValRaw]) -> Result<(), Stop> {
        match self {
            Self::Returned => {
                bridge.frame.read_into(frame);
                Ok(())
            }
            Self::Threw => Err(Stop::Throw(thrown(bridge)?)),
            Self::Rethrew => Err(Stop::Rethrow(reference(bridge)?)),
            Self::Aborted => Err(Stop::Abort),
            Self::Pending => Err(Stop::Later),
        }
    }
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
        Some(completion) => {
            Completion::from_number(completion.uint32_value(scope).unwrap_or(u32::MAX))
        }
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
