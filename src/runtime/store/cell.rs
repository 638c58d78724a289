//! The cell that a store is in, and knows where its live borrow is.

use std::cell::{Cell, RefCell, UnsafeCell};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use wasmtime::{AsContextMut, Store, StoreContextMut};

use crate::runtime::base::error::WasmError;
use crate::runtime::engine::deadline::{self, Watch};
use crate::runtime::engine::interrupt::Interrupt;
use crate::runtime::engine::native_stack::{ThreadStack, is_above};
use crate::runtime::store::running::Event;
use crate::runtime::store::thread::{GuestChannel, OwnStack};
use crate::runtime::store::{StoreData, WasmStore};
use crate::runtime::wasi::Outputs;

pub(super) struct StoreCell {
    pub(super) access: Cell<Access>,
    pub(super) store: UnsafeCell<Store<StoreData>>,
    /// The lowest address down to which the stack of the store's thread may be in use when a guest is
    /// entered: below it is less than the store's engine lets a guest use.
    pub(super) entry_floor: usize,
    /// How long a call may take.
    pub(super) timeout: Option<Duration>,
    /// Whether the code of its guests can be interrupted.
    pub(super) interruptible: bool,
    pub(super) interrupt: Arc<Interrupt>,
    /// Whether its guests may wait, which can be interrupted too.
    pub(super) waits: bool,
    /// Whether a memory was allowed to grow, and nobody was told yet: shared with `Limits`. Not part of
    /// the store, so that to ask is cheap wherever the store is.
    pub(super) grown: Arc<AtomicBool>,
    /// Whether functions of the host can run in it, which may do anything.
    pub(super) has_host_funcs: Cell<bool>,
    /// The link to the guest's thread, while a guest runs on one.
    pub(super) guest: RefCell<Option<GuestLink>>,
    /// Whether it is the turn of a guest whose caller does not wait: then nothing else in here may
    /// be touched from the caller's thread, which gives and takes the turns.
    pub(super) guest_turn: AtomicBool,
    /// How many uses of a waiting guest's store are under way.
    pub(super) nested: Cell<u32>,
    /// Whether the guest resumes when they have ended.
    pub(super) resumes: Cell<bool>,
    /// Guest objects to let go of, when it was not the caller's turn.
    pub(super) released: RefCell<Vec<u32>>,
    /// What its guests have written.
    pub(super) outputs: Outputs,
}

/// How a guest's thread and its caller's reach each other.
#[derive(Clone)]
pub(super) struct GuestLink {
    pub(super) channel: GuestChannel,
    /// Where the guest's calls of host functions go, if the caller does not wait for the guest.
    pub(super) host_calls: Option<UnboundedSender<Event>>,
}

// SAFETY: the fields are only touched through `WasmStore`, which is neither `Send` nor `Sync` and
// is only made, by `WasmStore::new` and from the `Weak` in `StoreData`, on the thread that runs the
// store. Where that is two threads, they take turns: one of them waits for the other, as in `thread`,
// or `guest_turn`, which is atomic, says whose turn it is, as in `running`. Elsewhere there is only
// `StoreLease`, which does nothing but drop the cell; dropping it is exclusive, and all that it holds
// is `Send`.
unsafe impl Send for StoreCell {}
// SAFETY: as above: a shared reference on another thread cannot reach the fields.
unsafe impl Sync for StoreCell {}

const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<Store<StoreData>>();
    is_send::<GuestLink>();
    is_send::<Outputs>();
};

/// Where the live borrow of the store is.
#[derive(Clone, Copy)]
pub(super) enum Access {
    /// Nowhere: the store is at rest.
    Rest,
    /// In a host function, which lent it out here.
    Host(NonNull<StoreContextMut<'static, StoreData>>),
    /// In somebody's hands: nobody else may have it.
    Taken,
}

/// Puts the access back as it was, also when unwinding.
struct Restore<'a> {
    cell: &'a Cell<Access>,
    access: Access,
}

impl Drop for Restore<'_> {
    fn drop(&mut self) {
        self.cell.set(self.access);
    }
}

/// Forgets the link to a guest's thread, also when unwinding.
struct UnlinkGuest<'a>(&'a StoreCell);

impl Drop for UnlinkGuest<'_> {
    fn drop(&mut self) {
        self.0.guest.replace(None);
    }
}

/// A use of a waiting guest's store, for which this thread waits, until it is dropped.
struct Nested<'a> {
    cell: &'a StoreCell,
    /// How it was before.
    host_calls: Option<UnboundedSender<Event>>,
}

impl<'a> Nested<'a> {
    fn new(cell: &'a StoreCell, host_calls: Option<UnboundedSender<Event>>) -> Self {
        cell.nested.update(|nested| nested + 1);
        if let Some(link) = &mut *cell.guest.borrow_mut() {
            link.host_calls = None;
        }
        Self { cell, host_calls }
    }
}

impl Drop for Nested<'_> {
    fn drop(&mut self) {
        if let Some(link) = &mut *self.cell.guest.borrow_mut() {
            link.host_calls = self.host_calls.take();
        }
        self.cell.nested.update(|nested| nested - 1);
    }
}

/// Has the guest go on that was to do so during a nested use: its thread was busy with that.
struct AfterNested<'a>(&'a StoreCell);

impl Drop for AfterNested<'_> {
    fn drop(&mut self) {
        if self.0.nested.get() == 0 && self.0.resumes.replace(false) {
            self.0.resume();
        }
    }
}

impl StoreCell {
    /// Gives the guest that waits its turn; where something nested runs, when that has ended.
    pub(super) fn resume(&self) {
        if self.nested.get() > 0 {
            self.resumes.set(true);
            return;
        }
        let link = self.guest.borrow().clone();
        self.guest_turn.store(true, Ordering::Release);
        if let Some(link) = link {
            link.channel.resume();
        }
    }
}

impl WasmStore {
    /// Runs `f`, which may run guest code, with the store.
    ///
    /// # Errors
    /// As [`WasmStore::with`]; `RuntimeError` if there can be no thread to keep its deadline, or the
    /// native stack has no room for a guest.
    #[inline]
    pub(crate) fn run<R, E: From<WasmError>>(
        &self,
        f: impl FnOnce(StoreContextMut<'_, StoreData>) -> Result<R, E>,
    ) -> Result<R, E> {
        if !self.is_at_rest() {
            ThreadStack::current().check()?;
            return self.with_lent(|store| {
                // Where the guest has a thread, this is there.
                ThreadStack::current().check()?;
                f(store)
            });
        }
        let in_place = is_above(self.cell.entry_floor);
        // A guest with a thread is asked whether it has to end, whatever its store: see `host_call`.
        let begins = self.cell.interruptible || self.cell.waits || !in_place;
        let _watch = if begins {
            self.begin(self.cell.timeout, false)?
        } else {
            None
        };
        if in_place {
            // SAFETY: it is at rest; what `begin` did with it has ended.
            unsafe { self.take(f) }
        } else {
            // SAFETY: as above.
            unsafe { self.take_with_own_stack(f) }
        }
    }

    /// Runs `f` with the store on a stack of its own: of this thread's, less is left than the guest may use.
    ///
    /// # Safety
    /// As of [`WasmStore::take`].
    #[cold]
    unsafe fn take_with_own_stack<R, E: From<WasmError>>(
        &self,
        f: impl FnOnce(StoreContextMut<'_, StoreData>) -> Result<R, E>,
    ) -> Result<R, E> {
        ThreadStack::current().check()?;
        let own = OwnStack::take()?;
        // What the guest wants of the host comes back to this thread.
        let link = GuestLink {
            channel: own.channel(),
            host_calls: None,
        };
        self.cell.guest.replace(Some(link));
        let _unlink = UnlinkGuest(&self.cell);
        // SAFETY: as promised; nothing has used it since.
        unsafe { self.take(|mut store| own.channel().run(|| f(store.as_context_mut()))) }
    }

    /// Starts the time of a call.
    pub(super) fn begin(
        &self,
        timeout: Option<Duration>,
        abortable: bool,
    ) -> Result<Option<Watch>, WasmError> {
        self.with(|mut store| {
            store.set_epoch_deadline(1);
            deadline::begin(store.engine(), &store.data().interrupt, timeout, abortable)
        })
    }

    /// Runs `f` with the store, wherever it is.
    ///
    /// # Errors
    /// `RuntimeError` if `f` of another `with`, or a guest whose caller does not wait, has the store;
    /// what `f` returns otherwise.
    #[inline]
    pub(crate) fn with<R>(
        &self,
        f: impl FnOnce(StoreContextMut<'_, StoreData>) -> Result<R, WasmError>,
    ) -> Result<R, WasmError> {
        self.enter(f)
    }

    /// As [`WasmStore::with`], with errors of any type.
    #[inline]
    fn enter<R, E: From<WasmError>>(
        &self,
        f: impl FnOnce(StoreContextMut<'_, StoreData>) -> Result<R, E>,
    ) -> Result<R, E> {
        if self.is_at_rest() {
            // SAFETY: it is at rest.
            unsafe { self.take(f) }
        } else {
            self.with_lent(f)
        }
    }

    /// Runs `f` with the store.
    ///
    /// # Safety
    /// The store is at rest.
    #[inline]
    unsafe fn take<R, E: From<WasmError>>(
        &self,
        f: impl FnOnce(StoreContextMut<'_, StoreData>) -> Result<R, E>,
    ) -> Result<R, E> {
        self.cell.access.set(Access::Taken);
        let _restore = Restore {
            cell: &self.cell.access,
            access: Access::Rest,
        };
        // SAFETY: this thread alone reaches the cell, and `access` was `Rest`: no other
        // reference into the store exists, and none is made while it is `Taken`.
        let store = unsafe { &mut *self.cell.store.get() };
        f(store.as_context_mut())
    }

    /// Runs `f` with a store that a host function lent out, if one did.
    fn with_lent<R, E: From<WasmError>>(
        &self,
        f: impl FnOnce(StoreContextMut<'_, StoreData>) -> Result<R, E>,
    ) -> Result<R, E> {
        if self.has_guest_turn() {
            return Err(WasmError::busy().into());
        }
        // Dropped last, when nothing in the cell is touched any more.
        let _after = AfterNested(&self.cell);
        let access = self.cell.access.replace(Access::Taken);
        let _restore = Restore {
            cell: &self.cell.access,
            access,
        };
        let Access::Host(mut context) = access else {
            return Err(WasmError::busy().into());
        };
        // SAFETY: the pointer is to a context on the stack of a `lend` that has not
        // returned (its `Restore` takes the pointer away when it does), which holds the
        // store's only live borrow and does not use it meanwhile. `access` is `Taken`
        // until `f` is done, so that the context is borrowed once at a time.
        let context = unsafe { context.as_mut() };
        let link = self.cell.guest.borrow().clone();
        match link {
            Some(link) => self.with_lent_there(link, || f(context.as_context_mut())),
            None => f(context.as_context_mut()),
        }
    }

    /// Runs `f` on the guest's own thread: the guest is in the middle of a call there, and what `f` does
    /// (run more of it, collect its garbage) has to find that call on its stack.
    ///
    /// Not inlined, so that calls of guests that have no thread, which can nest deeply, need no stack for
    /// it.
    #[inline(never)]
    fn with_lent_there<R>(
        &self,
        GuestLink {
            channel,
            host_calls,
        }: GuestLink,
        f: impl FnOnce() -> R,
    ) -> R {
        let _nested = Nested::new(&self.cell, host_calls);
        channel.run(f)
    }

    /// Whether nothing runs in it.
    #[inline]
    pub fn is_at_rest(&self) -> bool {
        !self.has_guest_turn() && matches!(self.cell.access.get(), Access::Rest)
    }

    /// Whether a guest runs in it whose caller does not wait.
    #[inline]
    pub(super) fn has_guest_turn(&self) -> bool {
        self.cell.guest_turn.load(Ordering::Acquire)
    }

    /// Lends `context`, the live borrow of this store, to whoever calls `with` while `f` runs.
    pub(super) fn lend<R>(
        &self,
        context: &mut StoreContextMut<'_, StoreData>,
        f: impl FnOnce() -> R,
    ) -> R {
        let lent = Access::Host(NonNull::from(context).cast());
        let _restore = Restore {
            cell: &self.cell.access,
            access: self.cell.access.replace(lent),
        };
        f()
    }
}
