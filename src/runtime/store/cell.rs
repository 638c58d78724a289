//! The cell that holds a store and records where the store's live borrow is.

use std::cell::{Cell, RefCell, UnsafeCell};
use std::mem;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use wasmtime::{AsContextMut, Store, StoreContextMut};

use crate::runtime::base::error::WasmError;
use crate::runtime::engine::deadline::{self, Watch};
use crate::runtime::engine::group::Group;
use crate::runtime::engine::instance_pool::PoolShare;
use crate::runtime::engine::interrupt::{Deadline, Interrupt};
use crate::runtime::engine::limiter::Usage;
use crate::runtime::store::component_values::ComponentMailbox;
use crate::runtime::store::group_fuel::{self, FuelShare};
use crate::runtime::store::native_stack::{ThreadStack, is_above};
use crate::runtime::store::running::Event;
use crate::runtime::store::suspendable::Exchange;
use crate::runtime::store::thread::{GuestChannel, OwnStack};
use crate::runtime::store::{StoreData, WasmStore};
use crate::runtime::wasi::Outputs;

pub(super) struct StoreCell {
    pub(super) access: Cell<Access>,
    pub(super) store: UnsafeCell<Store<StoreData>>,
    /// The lowest stack pointer at which a guest may be entered on the thread's stack. Below it, less stack is left
    /// than the store's engine lets a guest use.
    pub(super) entry_floor: usize,
    /// The maximum duration of a call.
    pub(super) timeout: Option<Duration>,
    /// Whether the guest code checks for interrupts.
    pub(super) interruptible: bool,
    pub(super) interrupt: Arc<Interrupt>,
    /// Whether guests may wait in WASI functions, which can be interrupted too.
    pub(super) waits: bool,
    /// Whether a memory may have grown since the last `WasmStore::take_grown`. Shared with `Limits`. Not a part of the
    /// store, so that the check is cheap also while the store is borrowed.
    pub(super) grown: Arc<AtomicBool>,
    /// How much the memories and tables use. Shared with `Limits`.
    pub(super) usage: Usage,
    /// The group of stores whose limits the store shares.
    pub(super) group: Option<Arc<Group>>,
    /// Whether host functions can run in the store. They may do anything with it.
    pub(super) has_host_funcs: Cell<bool>,
    /// The link to the guest's thread, while a guest runs on its own thread.
    pub(super) guest: RefCell<Option<GuestLink>>,
    /// Whether the guest of an asynchronous call has the turn. Then the caller's thread must not access any other
    /// field. The caller's thread gives the turn to the guest and takes it back.
    pub(super) guest_turn: AtomicBool,
    /// The number of suspendable calls that have not ended.
    pub(super) suspendable_calls: Cell<u32>,
    /// Whether the innermost use of the store is a suspended call.
    pub(super) suspended: Cell<bool>,
    /// Number of leases for the bytes of unshared memories.
    pub(super) exclusive_leases: AtomicU32,
    /// The number of nested uses of the store while the guest of an asynchronous call waits.
    pub(super) nested: Cell<u32>,
    /// Whether the guest resumes after the last nested use.
    pub(super) resume_pending: Cell<bool>,
    /// Guest objects to release. They were released by the host while the store was busy.
    pub(super) released: RefCell<Vec<u32>>,
    /// The values of the calls of a component.
    pub(super) component_values: Arc<ComponentMailbox>,
    /// The captured output of the guests.
    pub(super) outputs: Outputs,
    /// The places of the instances in a pool. They are given back after the store is dropped, which frees the instances:
    /// so this field comes after it.
    pub(super) places: RefCell<Option<PoolShare>>,
}

/// The connection between the guest's thread and the caller's.
#[derive(Clone)]
pub(super) struct GuestLink {
    pub(super) channel: GuestChannel,
    pub(super) host_calls: HostCalls,
}

/// How the guest calls host functions.
#[derive(Clone)]
pub(super) enum HostCalls {
    /// On the caller's thread, which waits for the guest.
    OnCaller,
    /// By this channel: the call is asynchronous.
    Requested(UnboundedSender<Event>),
    /// On the caller's thread, or by the exchange where the function [may answer
    /// later](crate::runtime::HostFunction::suspends): the call can be suspended.
    Suspending(Arc<Exchange>),
}

// SAFETY: the fields are only accessed through `WasmStore`, which is neither `Send` nor `Sync`. A `WasmStore` is
// only made by `WasmStore::new`, and from the `Weak` in `StoreData`, on the thread that runs the store. If two
// threads run the store, they take turns: one of them waits for the other, as in `thread`, or the atomic
// `guest_turn` says which one has the turn, as in `running`. Any other thread has only a `StoreLease`, which does
// nothing but drop the cell. The drop has exclusive access, and everything in the cell is `Send`.
unsafe impl Send for StoreCell {}
// SAFETY: as above: no field can be reached through a shared reference on another thread.
unsafe impl Sync for StoreCell {}

const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<Store<StoreData>>();
    is_send::<GuestLink>();
    is_send::<Outputs>();
    is_send::<PoolShare>();
};

/// The place of the store's live borrow.
#[derive(Clone, Copy)]
pub(super) enum Access {
    /// There is no borrow: no call runs in the store.
    Rest,
    /// A running host function has lent its context here.
    Host(NonNull<StoreContextMut<'static, StoreData>>),
    /// The store is in use, and cannot be borrowed again.
    Taken,
}

/// Restores the previous access on drop, also during unwinding.
struct Restore<'a> {
    cell: &'a Cell<Access>,
    access: Access,
}

impl Drop for Restore<'_> {
    fn drop(&mut self) {
        self.cell.set(self.access);
    }
}

/// Removes the link to the guest's thread on drop, also during unwinding.
struct UnlinkGuest<'a>(&'a StoreCell);

impl Drop for UnlinkGuest<'_> {
    fn drop(&mut self) {
        self.0.guest.replace(None);
    }
}

/// A nested use of the store of a waiting guest. The current thread waits for it. It ends on drop.
struct Nested<'a> {
    cell: &'a StoreCell,
    /// The value in the link before the nested use.
    host_calls: HostCalls,
    /// Whether the innermost use of the store before was a suspended call.
    suspended: bool,
}

impl<'a> Nested<'a> {
    fn new(cell: &'a StoreCell) -> Self {
        cell.nested.update(|nested| nested + 1);
        Self {
            cell,
            host_calls: cell.set_host_calls(HostCalls::OnCaller),
            suspended: cell.suspended.replace(false),
        }
    }
}

impl Drop for Nested<'_> {
    fn drop(&mut self) {
        let before = mem::replace(&mut self.host_calls, HostCalls::OnCaller);
        self.cell.set_host_calls(before);
        self.cell.suspended.set(self.suspended);
        self.cell.nested.update(|nested| nested - 1);
    }
}

/// Resumes the guest on drop if this was requested during a nested use, when the guest's thread was busy.
struct ResumeAfterNested<'a>(&'a StoreCell);

impl Drop for ResumeAfterNested<'_> {
    fn drop(&mut self) {
        if self.0.nested.get() == 0 && self.0.resume_pending.replace(false) {
            self.0.resume();
        }
    }
}

impl StoreCell {
    /// Gives the turn to the waiting guest, or does so after the last nested use has ended.
    pub(super) fn resume(&self) {
        if self.nested.get() > 0 {
            self.resume_pending.set(true);
            return;
        }
        let link = self.guest.borrow().clone();
        self.guest_turn.store(true, Ordering::Release);
        if let Some(link) = link {
            link.channel.resume();
        }
    }

    /// Sets how the guest that runs next on the guest's thread calls host functions. Returns the value before.
    pub(super) fn set_host_calls(&self, host_calls: HostCalls) -> HostCalls {
        match &mut *self.guest.borrow_mut() {
            Some(link) => mem::replace(&mut link.host_calls, host_calls),
            None => HostCalls::OnCaller,
        }
    }
}

impl WasmStore {
    /// Runs `f`, which may run guest code, with the store.
    ///
    /// # Errors
    /// As [`WasmStore::with`]; `RuntimeError` if no thread can be started for its deadline, or the native stack has
    /// not enough space for a guest.
    #[inline]
    pub(crate) fn run<R, E: From<WasmError>>(
        &self,
        f: impl FnOnce(StoreContextMut<'_, StoreData>) -> Result<R, E>,
    ) -> Result<R, E> {
        match &self.cell.group {
            None => self.run_alone(f),
            Some(group) if !group.limits_runs() => self.run_alone(f),
            Some(group) => self.run_in_group(group, f),
        }
    }

    /// As [`WasmStore::run`], within the limits of the group.
    #[inline(never)]
    fn run_in_group<R, E: From<WasmError>>(
        &self,
        group: &Group,
        f: impl FnOnce(StoreContextMut<'_, StoreData>) -> Result<R, E>,
    ) -> Result<R, E> {
        let _entered = if self.is_at_rest() {
            Some(group.enter(self.deadline()))
        } else if self.cell.suspended.get() {
            // The deadline of the suspended call goes on.
            Some(group.enter(self.cell.interrupt.deadline()))
        } else {
            None
        };
        self.run_alone(|mut store| {
            group_fuel::with_share(&mut store, Some(group), FuelShare::All, |store| {
                f(store.as_context_mut())
            })?
        })
    }

    /// As [`WasmStore::run`], for a store without a group, or after the fuel of its group was taken.
    #[inline]
    fn run_alone<R, E: From<WasmError>>(
        &self,
        f: impl FnOnce(StoreContextMut<'_, StoreData>) -> Result<R, E>,
    ) -> Result<R, E> {
        if !self.is_at_rest() {
            ThreadStack::current().check()?;
            return self.with_lent(|store| {
                // A guest with its own thread runs `f` there, so the stack that counts is that thread's.
                ThreadStack::current().check()?;
                f(store)
            });
        }
        let in_place = is_above(self.cell.entry_floor);
        // `host_call` checks for interrupts in every guest with its own thread, even if its store is not
        // interruptible.
        let needs_watch = self.cell.interruptible || self.cell.waits || !in_place;
        let _watch = if needs_watch {
            self.begin(self.deadline(), false)?
        } else {
            None
        };
        if in_place {
            // SAFETY: the store is at rest; the borrow in `begin` has ended.
            unsafe { self.take(f) }
        } else {
            // SAFETY: as above.
            unsafe { self.take_with_own_stack(f) }
        }
    }

    /// Runs `f` with the store on another thread's stack, because too little is left of the current one.
    ///
    /// # Safety
    /// As for [`WasmStore::take`].
    #[cold]
    unsafe fn take_with_own_stack<R, E: From<WasmError>>(
        &self,
        f: impl FnOnce(StoreContextMut<'_, StoreData>) -> Result<R, E>,
    ) -> Result<R, E> {
        ThreadStack::current().check()?;
        let own = OwnStack::take()?;
        // Calls of host functions run on this thread, which waits for the guest.
        let link = GuestLink {
            channel: own.channel(),
            host_calls: HostCalls::OnCaller,
        };
        self.cell.guest.replace(Some(link));
        let _unlink = UnlinkGuest(&self.cell);
        // SAFETY: the caller guarantees that the store is at rest; nothing has used it since.
        unsafe { self.take(|mut store| own.channel().run(|| f(store.as_context_mut()))) }
    }

    /// Returns the deadline of a run that starts now.
    pub(super) fn deadline(&self) -> Option<Deadline> {
        let own = self.cell.timeout.and_then(Deadline::after);
        match &self.cell.group {
            Some(group) => group.within_outer(own),
            None => own,
        }
    }

    /// Starts the deadline of a call.
    pub(super) fn begin(
        &self,
        deadline: Option<Deadline>,
        abortable: bool,
    ) -> Result<Option<Watch>, WasmError> {
        self.with(|mut store| {
            store.set_epoch_deadline(1);
            deadline::begin(store.engine(), &store.data().interrupt, deadline, abortable)
        })
    }

    /// Runs `f` with the store, at rest or lent by a host function.
    ///
    /// # Errors
    /// `RuntimeError` if the store is in use by another `with` or by the guest of an asynchronous call; otherwise
    /// the error of `f`.
    #[inline]
    pub(crate) fn with<R>(
        &self,
        f: impl FnOnce(StoreContextMut<'_, StoreData>) -> Result<R, WasmError>,
    ) -> Result<R, WasmError> {
        self.enter(f)
    }

    /// As [`WasmStore::with`], with any error type.
    #[inline]
    fn enter<R, E: From<WasmError>>(
        &self,
        f: impl FnOnce(StoreContextMut<'_, StoreData>) -> Result<R, E>,
    ) -> Result<R, E> {
        if self.is_at_rest() {
            // SAFETY: the store is at rest.
            unsafe { self.take(f) }
        } else {
            self.with_lent(f)
        }
    }

    /// Runs `f` with the store.
    ///
    /// # Safety
    /// The store has to be at rest.
    #[inline]
    pub(super) unsafe fn take<R, E: From<WasmError>>(
        &self,
        f: impl FnOnce(StoreContextMut<'_, StoreData>) -> Result<R, E>,
    ) -> Result<R, E> {
        self.cell.access.set(Access::Taken);
        let _restore = Restore {
            cell: &self.cell.access,
            access: Access::Rest,
        };
        // SAFETY: only this thread reaches the cell, and `access` was `Rest`. So no other reference into the store
        // exists, and none is made while `access` is `Taken`.
        let store = unsafe { &mut *self.cell.store.get() };
        f(store.as_context_mut())
    }

    /// Runs `f` with the store that a host function has lent.
    fn with_lent<R, E: From<WasmError>>(
        &self,
        f: impl FnOnce(StoreContextMut<'_, StoreData>) -> Result<R, E>,
    ) -> Result<R, E> {
        if self.has_guest_turn() {
            return Err(WasmError::busy().into());
        }
        // Declared first and so dropped last, when nothing accesses the cell any more.
        let _after = ResumeAfterNested(&self.cell);
        let access = self.cell.access.replace(Access::Taken);
        let _restore = Restore {
            cell: &self.cell.access,
            access,
        };
        let Access::Host(mut context) = access else {
            return Err(WasmError::busy().into());
        };
        // SAFETY: the pointer is to a context on the stack of a `lend` that has not returned: its `Restore` removes
        // the pointer when it does. The context is the store's only live borrow, and `lend` does not use it in the
        // meantime. `access` is `Taken` until `f` has returned, so the context is borrowed only once at a time.
        let context = unsafe { context.as_mut() };
        let link = self.cell.guest.borrow().clone();
        match link {
            Some(link) => {
                self.with_lent_on_guest_thread(&link.channel, || f(context.as_context_mut()))
            }
            None => f(context.as_context_mut()),
        }
    }

    /// Runs `f` on the guest's own thread. The guest is in the middle of a call there, and `f` (which may run guest
    /// code or collect garbage) has to find that call on its stack.
    ///
    /// Not inlined, so that it takes no stack from the deeply nested calls of guests without a thread.
    #[inline(never)]
    fn with_lent_on_guest_thread<R>(&self, channel: &GuestChannel, f: impl FnOnce() -> R) -> R {
        let _nested = Nested::new(&self.cell);
        channel.run(f)
    }

    /// Whether no call runs in the store.
    #[inline]
    pub fn is_at_rest(&self) -> bool {
        !self.has_guest_turn() && matches!(self.cell.access.get(), Access::Rest)
    }

    /// Whether the guest of an asynchronous call has the turn.
    #[inline]
    pub(super) fn has_guest_turn(&self) -> bool {
        self.cell.guest_turn.load(Ordering::Acquire)
    }

    /// Lends `context`, the live borrow of this store, to calls of `with` while `f` runs.
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
