//! What the op that is running has at hand, for the imports that run JavaScript inside it.

use std::cell::Cell;
use std::ptr::NonNull;

use deno_core::v8;

use super::crossing::Crossing;

thread_local! {
    /// The innermost op that is running a guest on this thread.
    static CURRENT: Cell<Option<NonNull<Running<'static>>>> = const { Cell::new(None) };
}

/// The JavaScript side of the guest that runs.
#[derive(Clone, Copy)]
pub struct Guest<'s> {
    /// An array: the functions that its store imports, behind the `StoreState` of `ts/store_state.ts`.
    pub imports: v8::Local<'s, v8::Value>,
    /// Whether its call waits for imports that return promises.
    pub waits: bool,
}

impl<'s> Guest<'s> {
    /// That of a call that does not wait for imports.
    pub fn of(imports: v8::Local<'s, v8::Value>) -> Self {
        Self {
            imports,
            waits: false,
        }
    }
}

struct Running<'a> {
    scope: NonNull<v8::PinScope<'a, 'a>>,
    crossing: NonNull<Crossing>,
    guest: Guest<'a>,
    /// The import that was called last: a guest often calls the same one again and again.
    last: Option<(u32, v8::Local<'a, v8::Function>)>,
}

/// Puts back what was current, also when unwinding.
struct Restore(Option<NonNull<Running<'static>>>);

impl Drop for Restore {
    fn drop(&mut self) {
        CURRENT.set(self.0);
    }
}

/// Runs `f`, during which [`with_import`] on this thread reaches `scope`.
pub fn enter<'s, R>(
    scope: &mut v8::PinScope<'s, '_>,
    crossing: &Crossing,
    guest: Guest<'s>,
    f: impl FnOnce() -> R,
) -> R {
    let running = Running {
        scope: NonNull::from(scope).cast(),
        crossing: NonNull::from(crossing),
        guest,
        last: None,
    };
    let _restore = Restore(CURRENT.replace(Some(NonNull::from(&running).cast())));
    f()
}

/// Runs `f` in a new scope inside that of the op that is running, with the guest and its import of
/// this number if that is a function; `None` if there is no such op.
pub fn with_import<R>(
    index: u32,
    f: impl for<'s> FnOnce(
        &mut v8::PinScope<'s, '_>,
        &Crossing,
        Guest<'s>,
        Option<v8::Local<'s, v8::Function>>,
    ) -> R,
) -> Option<R> {
    let mut running = CURRENT.take()?;
    // Nobody else gets at the scope while it is borrowed below. Ops that `f` leads to have
    // scopes of their own, and `enter` them.
    let _restore = Restore(Some(running));
    // SAFETY: `running` is on the stack of an `enter` that has not returned: its `Restore`
    // takes the pointer away when it does. `CURRENT` was emptied above: this is the only reference.
    let running = unsafe { running.as_mut() };
    // SAFETY: `enter` holds the only borrow of the scope and does not use it while its `f`
    // runs, and `CURRENT` was emptied above, so that this is the only one in use.
    let scope = unsafe { running.scope.as_mut() };
    // SAFETY: `enter`'s caller holds a reference to the crossing for as long as `enter` runs.
    let crossing = unsafe { running.crossing.as_ref() };
    let function = match running.last {
        Some((last, function)) if last == index => Some(function),
        _ => {
            // In the op's own scope, where the handle lives until the op returns.
            let imports = v8::Local::<v8::Object>::try_from(running.guest.imports);
            let function = imports
                .ok()
                .and_then(|imports| imports.get_index(scope, index));
            let function = function.and_then(|function| function.try_into().ok());
            running.last = function.map(|function| (index, function));
            function
        }
    };
    let guest = running.guest;
    v8::scope!(let scope, scope);
    Some(f(scope, crossing, guest, function))
}
