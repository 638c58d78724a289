//! The scope and the imports of the op that is running a guest, for the imports that run JavaScript inside of it.

use std::cell::Cell;
use std::ptr::NonNull;

use deno_core::v8;

use super::js_call_context::JsCallContext;
use crate::runtime::{Stop, WasmError};

thread_local! {
    /// The innermost op that is running a guest on this thread.
    static CURRENT: Cell<Option<NonNull<RunningOp<'static>>>> = const { Cell::new(None) };
}

/// The JavaScript functions that the store of the running guest imports.
#[derive(Clone, Copy)]
pub(super) struct StoreImports<'s> {
    /// `imports` of a `StoreState` (`ts/store_state.ts`): the state itself, and the functions behind it. An array, but
    /// that is checked only where a function is looked up.
    pub functions: v8::Local<'s, v8::Value>,
    pub waits: Waits,
}

/// Whether the guest of a call waits for imports that return promises.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Waits {
    No,
    /// It waits on its own thread, where it also runs beside JavaScript.
    Beside,
    /// It is suspended. It never runs beside JavaScript.
    Suspended,
}

impl<'s> StoreImports<'s> {
    /// The imports of a synchronous call, which does not wait for promises.
    pub(super) fn of_sync_call(functions: v8::Local<'s, v8::Value>) -> Self {
        Self {
            functions,
            waits: Waits::No,
        }
    }
}

/// How many imports an op keeps after they were looked up. An op may run for long, and keeps a handle for each.
const KEPT_IMPORTS: usize = 4;

struct RunningOp<'a> {
    scope: NonNull<v8::PinScope<'a, 'a>>,
    context: NonNull<JsCallContext>,
    imports: StoreImports<'a>,
    /// Imports that were called: a guest often calls the same ones again and again.
    kept: [Option<(u32, v8::Local<'a, v8::Function>)>; KEPT_IMPORTS],
}

/// Restores the previous running op, also when unwinding.
struct Restore(Option<NonNull<RunningOp<'static>>>);

impl Drop for Restore {
    fn drop(&mut self) {
        CURRENT.set(self.0);
    }
}

/// Runs `f`, during which [`with_import`] on this thread reaches `scope`.
pub(super) fn enter<'s, R>(
    scope: &mut v8::PinScope<'s, '_>,
    context: &JsCallContext,
    imports: StoreImports<'s>,
    f: impl FnOnce() -> R,
) -> R {
    let running = RunningOp {
        scope: NonNull::from(scope).cast(),
        context: NonNull::from(context),
        imports,
        kept: [None; KEPT_IMPORTS],
    };
    let _restore = Restore(CURRENT.replace(Some(NonNull::from(&running).cast())));
    f()
}

/// Runs `f` in a new scope inside of the scope of the running op, with the store's imports, and the import of this
/// index if it is a function.
///
/// # Errors
/// If no op is running, or the stack has no room for JavaScript; otherwise the errors of `f`.
#[inline]
pub(super) fn with_import(
    index: u32,
    f: impl for<'s> FnOnce(
        &mut v8::PinScope<'s, '_>,
        &JsCallContext,
        StoreImports<'s>,
        Option<v8::Local<'s, v8::Function>>,
    ) -> Result<(), Stop>,
) -> Result<(), Stop> {
    let Some(mut running) = CURRENT.take() else {
        return Err(stop("an import was called while no JavaScript runs"));
    };
    // `CURRENT` stays empty while the scope is borrowed below, so that nothing else borrows the scope. Ops that `f`
    // leads to have scopes of their own, and `enter` them.
    let _restore = Restore(Some(running));
    // SAFETY: `running` is on the stack of an `enter` that has not returned: its `Restore` removes the pointer when it
    // does. `CURRENT` was emptied above: this is the only reference.
    let running = unsafe { running.as_mut() };
    // SAFETY: `enter` holds the only borrow of the scope and does not use it while its `f`
    // runs, and `CURRENT` was emptied above, so that this is the only one in use.
    let scope = unsafe { running.scope.as_mut() };
    // SAFETY: the caller of `enter` holds a reference to the context for as long as `enter` runs.
    let context = unsafe { running.context.as_ref() };
    // Before anything else is asked of the engine, which may itself use the stack below its limit.
    if !context.has_room() {
        return Err(exhausted());
    }
    let function = match running.kept[0] {
        Some((kept, function)) if kept == index => Some(function),
        _ => running.find(scope, index),
    };
    let imports = running.imports;
    v8::scope!(let scope, scope);
    let function = function.or_else(|| look_up(scope, imports, index));
    f(scope, context, imports, function)
}

impl<'a> RunningOp<'a> {
    /// The import of this index, if it is a function and there is room to keep it. From now on it is the first of the
    /// kept imports.
    #[inline(never)]
    fn find(
        &mut self,
        scope: &mut v8::PinScope<'a, '_>,
        index: u32,
    ) -> Option<v8::Local<'a, v8::Function>> {
        let is_it = |kept: &Option<(u32, _)>| kept.is_none_or(|kept| kept.0 == index);
        let place = self.kept.iter().position(is_it)?;
        if self.kept[place].is_none() {
            // In the op's own scope, where the handle lives until the op returns.
            let function = look_up(scope, self.imports, index)?;
            self.kept[place] = Some((index, function));
        }
        self.kept.swap(0, place);
        self.kept[0].map(|(_, function)| function)
    }
}

#[inline(never)]
fn look_up<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    imports: StoreImports<'_>,
    index: u32,
) -> Option<v8::Local<'s, v8::Function>> {
    let functions = v8::Local::<v8::Object>::try_from(imports.functions).ok()?;
    functions.get_index(scope, index)?.try_into().ok()
}

/// The error of an import for which the stack has no room.
#[cold]
#[inline(never)]
pub(super) fn exhausted() -> Stop {
    Stop::Error(WasmError::stack_exhausted())
}

/// An error that ends the guest.
#[cold]
#[inline(never)]
pub(super) fn stop(message: &str) -> Stop {
    Stop::Error(WasmError::runtime(message))
}
