//! The scope of the op that is running, for the imports that run JavaScript inside it.

use std::cell::Cell;
use std::ptr::NonNull;

use deno_core::v8;

use super::Bridge;

thread_local! {
    /// The innermost op that is running a guest on this thread.
    static CURRENT: Cell<Option<NonNull<Running<'static>>>> = const { Cell::new(None) };
}

struct Running<'a> {
    scope: NonNull<v8::PinScope<'a, 'a>>,
    bridge: NonNull<Bridge>,
}

/// Puts back what was current, also when unwinding.
struct Restore(Option<NonNull<Running<'static>>>);

impl Drop for Restore {
    fn drop(&mut self) {
        CURRENT.set(self.0);
    }
}

/// Runs `f`, during which [`with_current`] on this thread reaches `scope`.
pub fn enter<R>(scope: &mut v8::PinScope<'_, '_>, bridge: &Bridge, f: impl FnOnce() -> R) -> R {
    let running = Running {
        scope: NonNull::from(scope).cast(),
        bridge: NonNull::from(bridge),
    };
    let _restore = Restore(CURRENT.replace(Some(NonNull::from(&running).cast())));
    f()
}

/// Runs `f` in a new scope inside that of the op that is running; `None` if there is no such op.
pub fn with_current<R>(f: impl FnOnce(&mut v8::PinScope<'_, '_>, &Bridge) -> R) -> Option<R> {
    let mut running = CURRENT.take()?;
    // Nobody else gets at the scope while it is borrowed below. Ops that `f` leads to have
    // scopes of their own, and `enter` them.
    let _restore = Restore(Some(running));
    // SAFETY: `running` is on the stack of an `enter` that has not returned: its `Restore`
    // takes the pointer away when it does.
    let running = unsafe { running.as_mut() };
    // SAFETY: `enter` holds the only borrow of the scope and does not use it while its `f`
    // runs, and `CURRENT` was emptied above, so that this is the only one in use.
    let scope = unsafe { running.scope.as_mut() };
    // SAFETY: `enter`'s caller holds a reference to the bridge for as long as `enter` runs.
    let bridge = unsafe { running.bridge.as_ref() };
    v8::scope!(let scope, scope);
    Some(f(scope, bridge))
}
