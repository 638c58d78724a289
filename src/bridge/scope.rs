//! What the op that is running has at hand, for the imports that run JavaScript inside it.

use std::cell::Cell;
use std::ptr::NonNull;

use deno_core::v8;

use super::crossing::Crossing;
use super::import::{exhausted, stop};
use crate::runtime::Stop;

thread_local! {
    /// The innermost op that is running a guest on this thread.
    static CURRENT: Cell<Option<NonNull<Running<'static>>>> = const { Cell::new(None) };
}

/// The JavaScript side of the guest that runs.
#[derive(Clone, Copy)]
pub struct Guest<'s> {
    /// The functions that its store imports, behind the `StoreState` of `ts/store_state.ts`. An array, but
    /// only where one of them is looked up is it asked whether it is.
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

/// How many imports are looked up once for an op, which may run for long: so many handles it keeps.
const KNOWN: usize = 4;

struct Running<'a> {
    scope: NonNull<v8::PinScope<'a, 'a>>,
    crossing: NonNull<Crossing>,
    guest: Guest<'a>,
    /// Imports that were called: a guest often calls the same ones again and again.
    known: [Option<(u32, v8::Local<'a, v8::Function>)>; KNOWN],
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
        known: [None; KNOWN],
    };
    let _restore = Restore(CURRENT.replace(Some(NonNull::from(&running).cast())));
    f()
}

/// Runs `f` in a new scope inside that of the op that is running, with the guest and its import of
/// this number if that is a function.
///
/// # Errors
/// If there is no such op, or the stack has no room for JavaScript; otherwise those of `f`.
#[inline]
pub fn with_import(
    index: u32,
    f: impl for<'s> FnOnce(
        &mut v8::PinScope<'s, '_>,
        &Crossing,
        Guest<'s>,
        Option<v8::Local<'s, v8::Function>>,
    ) -> Result<(), Stop>,
) -> Result<(), Stop> {
    let Some(mut running) = CURRENT.take() else {
        return Err(stop("an import was called while no JavaScript runs"));
    };
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
    // Before anything else is asked of the engine, which may use the stack below its limit itself.
    if !crossing.has_room() {
        return Err(exhausted());
    }
    let function = match running.known[0] {
        Some((known, function)) if known == index => Some(function),
        _ => running.find(scope, index),
    };
    let guest = running.guest;
    v8::scope!(let scope, scope);
    let function = function.or_else(|| look_up(scope, guest, index));
    f(scope, crossing, guest, function)
}

impl<'a> Running<'a> {
    /// The import of this number, if it is a function and this is one of those that are kept, which from
    /// now on is looked at first.
    #[inline(never)]
    fn find(
        &mut self,
        scope: &mut v8::PinScope<'a, '_>,
        index: u32,
    ) -> Option<v8::Local<'a, v8::Function>> {
        let is_it = |known: &Option<(u32, _)>| known.is_none_or(|known| known.0 == index);
        let place = self.known.iter().position(is_it)?;
        if self.known[place].is_none() {
            // In the op's own scope, where the handle lives until the op returns.
            let function = look_up(scope, self.guest, index)?;
            self.known[place] = Some((index, function));
        }
        self.known.swap(0, place);
        self.known[0].map(|(_, function)| function)
    }
}

#[inline(never)]
fn look_up<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    guest: Guest<'_>,
    index: u32,
) -> Option<v8::Local<'s, v8::Function>> {
    let imports = v8::Local::<v8::Object>::try_from(guest.imports).ok()?;
    imports.get_index(scope, index)?.try_into().ok()
}
