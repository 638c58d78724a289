//! JavaScript functions as a guest's imports.

use deno_core::v8;
use wasmtime::ValRaw;

use super::js_call_context::JsCallContext;
use super::numeric::{MAX_PARAMS, NumericSignature};
use super::protocol::{
    ABORTED, CALL_IMPORT, CALL_IMPORT_GROWN, EXCEPTION, PENDING, RETURNED, TAKE_ERROR, TAKE_RESULT,
    THREW, THREW_PRIVATELY,
};
use super::scope::{StoreImports, Waits, exhausted, stop, with_import};
use crate::runtime::{ExternInfo, HostFunction, RefHandle, Stop, WasmStore};

/// A JavaScript function that guests import, by its index among the imports of the guests' store.
///
/// JavaScript keeps the function itself: an import that refers to its own instance can be collected together with it.
pub(super) struct JsImport {
    index: u32,
    /// If the function takes and returns only a few numbers, and nothing waits for it: then it is called without the
    /// import dispatcher.
    numeric: Option<NumericSignature>,
    /// Whether its guest is suspended while it runs, and waits for the promise that it returns.
    suspends: bool,
}

impl JsImport {
    /// The import at this index, of this type.
    pub(super) fn new(index: u32, ty: &ExternInfo) -> Self {
        let numeric = NumericSignature::of(ty);
        Self {
            index,
            numeric,
            suspends: false,
        }
    }

    /// The import at this index, whose result the guest waits for: only the import dispatcher knows how.
    pub(super) fn suspending(index: u32) -> Self {
        Self {
            index,
            numeric: None,
            suspends: true,
        }
    }

    /// The import at this index of a component: its values are not in the call frame.
    pub(super) fn of_component(index: u32) -> Self {
        Self {
            index,
            numeric: None,
            suspends: false,
        }
    }
}

impl HostFunction for JsImport {
    fn number(&self) -> Option<u32> {
        Some(self.index)
    }

    fn suspends(&self) -> bool {
        self.suspends
    }

    fn call(&self, store: &WasmStore, frame: &mut [ValRaw]) -> Result<(), Stop> {
        let grown = store.take_grown();
        with_import(self.index, |scope, context, imports, function| {
            let mut call = ImportCall {
                index: self.index,
                context,
                imports,
                frame,
            };
            match (&self.numeric, function) {
                // The dispatcher detaches views where a memory has grown, or another thread is going to use it.
                (Some(signature), Some(function)) if !grown && imports.waits != Waits::Beside => {
                    call.call_numeric(scope, signature, function)
                }
                _ => {
                    let result = call.call_by_dispatcher(scope, grown);
                    if imports.waits == Waits::Beside && !matches!(result, Err(Stop::Later)) {
                        hand_over(scope, context, store)?;
                    }
                    result
                }
            }
        })
    }
}

/// The result of an import, as the import dispatcher returns it. A thrown reference is in the first slot of the frame;
/// JavaScript keeps the error of an import that was aborted.
#[derive(Clone, Copy)]
pub(super) enum ImportResult {
    Returned,
    Threw,
    ThrewPrivately,
    Rethrew,
    Aborted,
    /// The import returned a promise.
    Pending,
}

impl ImportResult {
    /// # Errors
    /// An error if the dispatcher returns no such status.
    pub(super) fn of_status(status: u32) -> Result<Self, Stop> {
        match status {
            RETURNED => Ok(Self::Returned),
            THREW => Ok(Self::Threw),
            THREW_PRIVATELY => Ok(Self::ThrewPrivately),
            EXCEPTION => Ok(Self::Rethrew),
            ABORTED => Ok(Self::Aborted),
            PENDING => Ok(Self::Pending),
            _ => Err(stop("an import ended in an unknown way")),
        }
    }

    /// Gives the result to the guest whose frame this is.
    ///
    /// # Errors
    /// The stop of an import that did not return.
    pub(super) fn read(self, context: &JsCallContext, frame: &mut [ValRaw]) -> Result<(), Stop> {
        match self {
            Self::Returned => {
                context.frame.read_into(frame);
                Ok(())
            }
            Self::Threw => Err(Stop::Throw(thrown(context)?)),
            Self::ThrewPrivately => Err(Stop::ThrowPrivately(thrown(context)?)),
            Self::Rethrew => Err(Stop::Rethrow(reference(context)?)),
            Self::Aborted => Err(Stop::Abort),
            Self::Pending => Err(Stop::Later),
        }
    }
}

/// A call of an import.
struct ImportCall<'a, 's> {
    index: u32,
    context: &'a JsCallContext,
    imports: StoreImports<'s>,
    frame: &'a mut [ValRaw],
}

impl ImportCall<'_, '_> {
    /// Calls the function with numbers. TypeScript handles each result that is not a number which fits.
    #[inline]
    fn call_numeric(
        &mut self,
        scope: &mut v8::PinScope<'_, '_>,
        signature: &NumericSignature,
        function: v8::Local<'_, v8::Function>,
    ) -> Result<(), Stop> {
        let this: v8::Local<'_, v8::Value> = v8::undefined(scope).into();
        let mut args = [this; MAX_PARAMS];
        let params = signature.params();
        for ((arg, ty), slot) in args.iter_mut().zip(params).zip(&*self.frame) {
            *arg = ty.value(scope, slot);
        }
        v8::tc_scope!(let scope, scope);
        let Some(returned) = function.call(scope, this, &args[..params.len()]) else {
            return self.threw(scope);
        };
        let Some(result) = signature.result else {
            return Ok(());
        };
        match (result.slot(returned), self.frame.first_mut()) {
            (Some(value), Some(slot)) => {
                *slot = value;
                Ok(())
            }
            _ => self.dispatch(scope, TAKE_RESULT, returned),
        }
    }

    /// Has the dispatcher take the value that the function threw.
    #[inline(never)]
    fn threw(
        &mut self,
        scope: &mut v8::PinnedRef<'_, v8::TryCatch<'_, '_, v8::HandleScope<'_>>>,
    ) -> Result<(), Stop> {
        if scope.has_terminated() {
            return Err(terminated());
        }
        let thrown = match scope.exception() {
            Some(thrown) => thrown,
            None => v8::undefined(scope).into(),
        };
        scope.reset();
        self.dispatch(scope, TAKE_ERROR, thrown)
    }

    /// Has the dispatcher call the function.
    #[inline(never)]
    fn call_by_dispatcher(
        &mut self,
        scope: &mut v8::PinScope<'_, '_>,
        grown: bool,
    ) -> Result<(), Stop> {
        self.context.frame.write(self.frame);
        v8::tc_scope!(let scope, scope);
        let nothing = v8::undefined(scope).into();
        let task = if grown {
            CALL_IMPORT_GROWN
        } else {
            CALL_IMPORT
        };
        self.dispatch(scope, task, nothing)
    }

    /// Has the import dispatcher do a task. Not inlined: the calls of functions with numbers, which can nest deeply,
    /// need no stack for it.
    #[inline(never)]
    fn dispatch(
        &mut self,
        scope: &mut v8::PinnedRef<'_, v8::TryCatch<'_, '_, v8::HandleScope<'_>>>,
        task: u32,
        value: v8::Local<'_, v8::Value>,
    ) -> Result<(), Stop> {
        let dispatcher = self.context.dispatcher.borrow().clone();
        let dispatcher = dispatcher.ok_or_else(|| stop("host:wasm was never evaluated"))?;
        let dispatcher = v8::Local::new(scope, dispatcher);
        let this = v8::undefined(scope).into();
        let args = [
            self.imports.functions,
            v8::Integer::new_from_unsigned(scope, self.index).into(),
            v8::Boolean::new(scope, self.imports.waits != Waits::No).into(),
            v8::Integer::new_from_unsigned(scope, task).into(),
            value,
        ];
        match dispatcher.call(scope, this, &args) {
            Some(status) => {
                let status = status.uint32_value(scope).unwrap_or(u32::MAX);
                ImportResult::of_status(status)?.read(self.context, self.frame)
            }
            None if scope.has_terminated() => Err(terminated()),
            // The dispatcher catches all that the import throws. An exception comes through only where the stack has no
            // room for the dispatcher itself.
            None => Err(exhausted()),
        }
    }
}

/// Detaches the views of a store's memories: from here on its guest runs on another thread. Not inlined: calls that
/// nest deeply need no stack for it.
#[inline(never)]
fn hand_over(
    scope: &mut v8::PinScope<'_, '_>,
    context: &JsCallContext,
    store: &WasmStore,
) -> Result<(), Stop> {
    context.views.detach_all(scope, store).map_err(Stop::Error)
}

fn thrown(context: &JsCallContext) -> Result<u32, Stop> {
    match reference(context)? {
        RefHandle::Host(index) => Ok(index),
        _ => Err(stop("an import threw something unknown")),
    }
}

fn reference(context: &JsCallContext) -> Result<RefHandle, Stop> {
    RefHandle::from_bits(context.frame.first().get_u64())
        .ok_or_else(|| stop("an import threw something unknown"))
}

#[cold]
#[inline(never)]
fn terminated() -> Stop {
    stop("JavaScript was terminated while the guest ran")
}
