//! Stores, and the cell through which all code accesses them.
//!
//! wasmtime passes a store as `&mut`. While a guest runs, a host function may need the same store again: an import
//! that calls `malloc` is common. So the store is in a cell that records where the live borrow is. At rest, the
//! cell hands out the store itself; in a host function, the context that wasmtime passed to that function.

mod backtrace;
mod cell;
mod code_units;
pub(crate) mod component_handles;
pub(crate) mod component_values;
pub(crate) mod concurrent;
mod data;
mod group_fuel;
mod handle_table;
mod host_call;
pub(crate) mod host_function;
mod identity;
pub(crate) mod move_module;
pub(crate) mod native_stack;
mod object_numbers;
mod outcome;
mod raw;
pub(crate) mod references;
mod running;
mod shared;
mod suspendable;
mod thread;

use std::cell::{Cell, RefCell, UnsafeCell};
use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use wasmtime::UpdateDeadline;
use wasmtime::ValRaw;
use wasmtime::{AsContextMut, Caller, Engine, Func, FuncType, Linker, Store, StoreContextMut};

use self::cell::{Access, StoreCell};
pub(crate) use self::code_units::CodeUnits;
use self::component_handles::ComponentHandles;
use self::concurrent::exchange::{Exchange, ExchangeLimits};
use self::data::FuelMeter;
pub use self::data::Signature;
pub(crate) use self::data::{FuncEntry, HostType, LinearMemory, StoreData};
use self::handle_table::HandleTable;
use self::host_call::host_call;
pub(crate) use self::host_call::{call_codec_import, call_component_import};
use self::host_function::{HostFunction, HostTags};
use self::identity::FuncIdentities;
use self::native_stack::ThreadStack;
pub use self::outcome::{Outcome, Stopped};
pub(crate) use self::outcome::{outcome, ran};
use self::raw::{lift, lower};
use self::references::Refs;
pub use self::running::{Progress, RunningCall};
pub(crate) use self::shared::{read_shared, write_shared};
pub use self::suspendable::{SuspendableCall, Turn};
use crate::runtime::base::error::WasmError;
use crate::runtime::base::stats::StoreStats;
use crate::runtime::engine::group::Group;
use crate::runtime::engine::instance_pool::PoolShare;
use crate::runtime::engine::limiter::{Limits, Usage};
use crate::runtime::wasi::p2::WasiP2;
use crate::runtime::wasi::{Outputs, Wasi};

/// A store: a group of instances that can import from each other, with all their objects. It is freed as a whole.
///
/// A clone is another handle to the same store.
#[derive(Clone)]
pub struct WasmStore {
    cell: Arc<StoreCell>,
    /// Keeps the store on the thread that made it: see `StoreCell`.
    one_thread: PhantomData<*const ()>,
}

/// The WASI state of a new store.
pub(crate) enum StoreWasi {
    /// For instances of modules.
    Modules(Wasi),
    /// For the instance of a component.
    Component(Box<WasiP2>),
}

/// Keeps a store's memories mapped, without access to the store. It can be held and dropped on any thread.
pub struct StoreLease {
    cell: Arc<StoreCell>,
    /// Whether it is for the bytes of an unshared memory, which no guest may change from another thread meanwhile.
    is_exclusive: bool,
}

impl Drop for StoreLease {
    fn drop(&mut self) {
        if self.is_exclusive {
            self.cell.exclusive_leases.fetch_sub(1, Ordering::Release);
        }
    }
}

/// The engine of a new store.
pub(crate) struct StoreEngine<'a> {
    pub(crate) engine: &'a Engine,
    /// The places that the store has in the pool of the engine, if it has one.
    pub(crate) places: Option<PoolShare>,
}

/// What can end the calls of a store.
pub(crate) struct CallLimits {
    /// Whether the code of its guests checks for interrupts.
    pub(crate) interruptible: bool,
    pub(crate) timeout: Option<Duration>,
}

impl WasmStore {
    pub(crate) fn new(
        StoreEngine { engine, places }: StoreEngine<'_>,
        limits: Limits,
        wasi: Option<StoreWasi>,
        CallLimits {
            interruptible,
            timeout,
        }: CallLimits,
        live_instances: Arc<AtomicU32>,
        group: Option<Arc<Group>>,
        exchange_limits: Option<ExchangeLimits>,
    ) -> Self {
        let stack = ThreadStack::current();
        let waits = wasi.is_some();
        let interrupt = match &wasi {
            Some(StoreWasi::Component(wasi)) => wasi.interrupt(),
            _ => Arc::default(),
        };
        let (outputs, wasi, wasi_p2) = match wasi {
            None => (Outputs::default(), None, None),
            Some(StoreWasi::Modules(wasi)) => (wasi.outputs(), Some(wasi), None),
            Some(StoreWasi::Component(wasi)) => (wasi.outputs(), None, Some(wasi)),
        };
        let entries = exchange_limits.as_ref().map(ExchangeLimits::table_entries);
        let exchange = exchange_limits
            .map(|limits| Arc::new(Exchange::new(interrupt.clone(), limits, timeout)));
        let grown = limits.grown.clone();
        let usage = limits.usage();
        let cap = limits.max_references;
        let cell = Arc::new_cyclic(|cell| {
            let data = StoreData {
                cell: cell.clone(),
                host_tags: HostTags::default(),
                refs: Refs::new(cap, group.is_some()),
                limits,
                wasi,
                wasi_p2,
                interrupt: interrupt.clone(),
                host_funcs: HashMap::new(),
                funcs: HandleTable::new("function", cap),
                identities: FuncIdentities::default(),
                code_units: None,
                memories: HandleTable::new("memory", cap),
                globals: HandleTable::new("global", cap),
                tables: HandleTable::new("table", cap),
                tags: HandleTable::new("tag", cap),
                modules: HashMap::new(),
                instances: 0,
                component_imports: Arc::default(),
                component_handles: ComponentHandles::new(cap),
                exchange,
                fuel: FuelMeter::default(),
                live_instances,
            };
            let mut store = Store::new(engine, data);
            if let (Some(table), Some(entries)) = (store.concurrent_resource_table(), entries) {
                table.set_max_capacity(entries);
            }
            store.limiter(|data| &mut data.limits);
            if interruptible {
                store.epoch_deadline_callback(on_epoch_deadline);
            }
            StoreCell {
                access: Cell::new(Access::Rest),
                store: UnsafeCell::new(store),
                entry_floor: stack.limit() + stack.class().guest_bytes(),
                timeout,
                interruptible,
                interrupt,
                waits,
                grown,
                usage,
                group,
                has_host_funcs: Cell::new(false),
                guest: RefCell::new(None),
                guest_turn: AtomicBool::new(false),
                suspendable_calls: Cell::new(0),
                suspended: Cell::new(false),
                exclusive_leases: AtomicU32::new(0),
                nested: Cell::new(0),
                resume_pending: Cell::new(false),
                released: RefCell::default(),
                component_values: Arc::default(),
                outputs,
                places: RefCell::new(places),
            }
        });
        Self {
            cell,
            one_thread: PhantomData,
        }
    }

    /// Whether both are handles to the same store.
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.cell, &other.cell)
    }

    /// Returns a key that identifies the store among all stores that are alive or have a [lease](StoreLease).
    pub fn key(&self) -> usize {
        Arc::as_ptr(&self.cell).addr()
    }

    /// Returns a lease, which keeps this store's memories mapped while it is held.
    pub fn lease(&self) -> StoreLease {
        StoreLease {
            cell: self.cell.clone(),
            is_exclusive: false,
        }
    }

    /// Returns a lease for the bytes of an unshared memory. While it is held, no [asynchronous call](Self::start) starts.
    pub(crate) fn exclusive_lease(&self) -> StoreLease {
        self.cell.exclusive_leases.fetch_add(1, Ordering::Relaxed);
        StoreLease {
            cell: self.cell.clone(),
            is_exclusive: true,
        }
    }

    /// Checks that nothing uses the bytes of an unshared memory, so that another thread may write them.
    ///
    /// # Errors
    /// `RuntimeError` if a [lease](Self::exclusive_lease) is held.
    pub(crate) fn check_bytes_unused(&self) -> Result<(), WasmError> {
        match self.cell.exclusive_leases.load(Ordering::Acquire) {
            0 => Ok(()),
            _ => Err(WasmError::runtime(
                "a buffer of the store's memories is in use elsewhere: a guest cannot run beside it",
            )),
        }
    }

    /// Returns the number of places that the store has in a pool.
    pub(crate) fn places(&self) -> u32 {
        self.cell
            .places
            .borrow()
            .as_ref()
            .map_or(0, PoolShare::count)
    }

    /// Takes a place in the pool for one more instance, if the store is in a pool.
    ///
    /// # Errors
    /// `InstantiateError` if the pool is full.
    pub(crate) fn occupy_place(&self) -> Result<(), WasmError> {
        let mut places = self.cell.places.borrow_mut();
        let has_place = places.as_mut().is_none_or(PoolShare::occupy);
        has_place.then_some(()).ok_or_else(|| {
            WasmError::instantiate("the store is in the pool of instances, which is full")
        })
    }

    /// Gives back the place of an instance that could not be made.
    pub(crate) fn vacate_place(&self) {
        if let Some(places) = &mut *self.cell.places.borrow_mut() {
            places.vacate();
        }
    }

    /// Returns the default maximum duration of a call.
    pub(crate) fn timeout(&self) -> Option<Duration> {
        self.cell.timeout
    }

    /// Returns the captured output of the guests.
    pub fn outputs(&self) -> &Outputs {
        &self.cell.outputs
    }

    /// Returns a function of this store that runs `host`. It is the same one for the same
    /// [number](HostFunction::number) and type, since wasmtime frees functions only together with their store.
    pub(crate) fn host_func(
        &self,
        HostType { ty, signature }: &HostType,
        host: Arc<dyn HostFunction>,
    ) -> Result<Func, WasmError> {
        let signature = signature.clone();
        let number = host.number();
        self.expect_host_funcs();
        self.with(|mut store| {
            let known = number.and_then(|number| store.data().host_funcs.get(&number).copied());
            if let Some(known) = known
                && FuncType::eq(&known.ty(&store), ty)
            {
                return Ok(known);
            }
            // SAFETY: `host_call` reads the parameters and writes the results according to `signature`, which has
            // the same types as `ty`. It checks the type of every reference that it writes.
            let func = unsafe {
                Func::new_unchecked(&mut store, ty.clone(), move |caller, slots| {
                    host_call(caller, slots, &signature, &host)
                })
            };
            if let Some(number) = number {
                store.data_mut().host_funcs.insert(number, func);
                StoreData::add_host_func(store, &func, number);
            }
            Ok(func)
        })
    }

    /// Records that host functions can run in the store.
    pub(crate) fn expect_host_funcs(&self) {
        self.cell.has_host_funcs.set(true);
    }

    /// Returns the function with this handle, and its type.
    ///
    /// # Errors
    /// `FunctionNotFound` if there is none.
    pub(crate) fn func_entry(&self, handle: u32) -> Result<FuncEntry, WasmError> {
        self.with(|store| {
            let entry = store.data().funcs.get(handle);
            let entry = entry.map_err(|error| WasmError::not_found(error.message))?;
            Ok(entry.clone())
        })
    }

    /// Whether host functions can run in the store. Otherwise only guests and WASI functions run in it, and neither
    /// of them can access the slots of a call.
    #[inline]
    pub(crate) fn has_host_funcs(&self) -> bool {
        self.cell.has_host_funcs.get()
    }

    /// Calls a function without references, in a store without host functions. `slots` holds the arguments, and
    /// afterwards the results.
    #[inline]
    pub(crate) fn call_in_place(
        &self,
        FuncEntry { func, signature }: &FuncEntry,
        slots: &[Cell<ValRaw>],
    ) -> Result<(), Stopped> {
        assert!(!self.has_host_funcs() && !signature.refs && signature.slots() <= slots.len());
        let slots = std::ptr::from_ref(slots) as *mut [ValRaw];
        // SAFETY: the slots are long enough, and any bits are a valid number. They are `Cell`s, so they may be
        // written through a shared reference. Only wasmtime accesses them until the call has ended, since the store
        // has no host function that could.
        self.run(|store| unsafe { call_raw(store, func, slots) })
    }
}

/// Adds a function that runs `host` to a linker, under the names of a module and of the function.
pub(crate) fn add_host_func(
    linker: &mut Linker<StoreData>,
    (module, name): (&str, &str),
    HostType { ty, signature }: &HostType,
    host: Arc<dyn HostFunction>,
) -> wasmtime::Result<()> {
    let signature = signature.clone();
    let run = move |caller: Caller<'_, StoreData>, slots: &mut [_]| {
        host_call(caller, slots, &signature, &host)
    };
    // SAFETY: as in `host_func`.
    unsafe { linker.func_new_unchecked(module, name, ty.clone(), run) }?;
    Ok(())
}

/// Calls a function of this store: see [`WasmFunc::call_frame`].
///
/// [`WasmFunc::call_frame`]: crate::runtime::WasmFunc::call_frame
#[inline]
pub(crate) fn call_in(
    mut store: StoreContextMut<'_, StoreData>,
    FuncEntry { func, signature }: &FuncEntry,
    frame: &mut [ValRaw],
) -> Result<(), Stopped> {
    let frame = frame.get_mut(..signature.slots()).ok_or_else(short_frame)?;
    if signature.refs {
        lower_params(store.as_context_mut(), frame, signature)?;
    }
    // SAFETY: the frame is long enough and holds a value of each parameter's type: any bits are a number, and
    // `lower` has just made the references from handles that it checked. No collection can have happened since. The
    // `&mut` excludes any other access to the frame during the call.
    unsafe { call_raw(store.as_context_mut(), func, frame) }?;
    if signature.refs {
        lift_results(store, frame, signature)?;
    }
    Ok(())
}

// These functions are not inlined: most calls do not need them, and guests and the host can call each other a
// thousand levels deep. Inlined, they would take stack at each level.

#[inline(never)]
fn lower_params(
    store: StoreContextMut<'_, StoreData>,
    frame: &mut [ValRaw],
    signature: &Signature,
) -> Result<(), Stopped> {
    Ok(lower(store, frame, &signature.params)?)
}

#[inline(never)]
fn lift_results(
    store: StoreContextMut<'_, StoreData>,
    frame: &mut [ValRaw],
    signature: &Signature,
) -> Result<(), Stopped> {
    Ok(lift(store, frame, &signature.results)?)
}

#[cold]
#[inline(never)]
fn stopped(store: StoreContextMut<'_, StoreData>, error: &wasmtime::Error) -> Stopped {
    outcome(store, error).into()
}

#[cold]
#[inline(never)]
fn short_frame() -> Stopped {
    WasmError::mismatch("the call frame is too short for the function").into()
}

/// Calls a function of this store. `slots` holds the arguments, and afterwards the results.
///
/// # Safety
/// `slots` has to be as long as the parameters and as the results, and to hold a value of each parameter's type,
/// references in wasmtime's raw form. No other code may read or write the slots until this function returns.
#[inline]
unsafe fn call_raw(
    mut store: StoreContextMut<'_, StoreData>,
    func: &Func,
    slots: *mut [ValRaw],
) -> Result<(), Stopped> {
    // SAFETY: guaranteed by the caller; wasmtime checks that the function belongs to this store.
    unsafe { func.call_unchecked(store.as_context_mut(), slots) }
        .map_err(|error| stopped(store, &error))
}

impl WasmStore {
    /// Whether the store is in use, so that no other call can run in it until that call ends or calls a host
    /// function.
    pub fn is_busy(&self) -> bool {
        self.has_guest_turn() || matches!(self.cell.access.get(), Access::Taken)
    }

    /// Returns the remaining fuel.
    ///
    /// # Errors
    /// `RuntimeError` if the store is busy or was made without fuel.
    pub fn fuel(&self) -> Result<u64, WasmError> {
        let of_group = self.cell.group.as_ref().and_then(|group| group.fuel());
        self.with(|store| {
            let left = store.get_fuel().map_err(|_| unmetered())?;
            Ok(left.saturating_add(of_group.unwrap_or(0)))
        })
    }

    /// Sets the remaining fuel, of all stores of its group if it is in one.
    ///
    /// # Errors
    /// As [`WasmStore::fuel`].
    pub fn set_fuel(&self, fuel: u64) -> Result<(), WasmError> {
        self.with(|mut store| {
            if let Some(group) = &self.cell.group
                && group.is_metered()
            {
                group.set_fuel(fuel);
                return Ok(());
            }
            let left = store.get_fuel().map_err(|_| unmetered())?;
            store.set_fuel(fuel).map_err(|_| unmetered())?;
            store.data_mut().fuel.set(left, fuel);
            Ok(())
        })
    }

    /// Returns how much the store uses.
    ///
    /// # Errors
    /// `RuntimeError` if the store is busy.
    pub fn stats(&self) -> Result<StoreStats, WasmError> {
        let usage = self.usage();
        self.with(|store| {
            let fuel_left = store.get_fuel().ok();
            let data = store.data();
            Ok(StoreStats {
                memory_bytes: usage.memory_bytes(),
                table_elements: usage.table_elements(),
                instances: data.instances,
                handles: data.handles() as u64,
                fuel_used: fuel_left.map(|left| data.fuel.used(left)),
            })
        })
    }

    /// Returns how much the memories and tables use, also while a guest runs.
    pub(crate) fn usage(&self) -> &Usage {
        &self.cell.usage
    }

    /// Whether a memory of the store may have grown since the last call of this method.
    pub fn take_grown(&self) -> bool {
        let grown = &self.cell.grown;
        // `Relaxed` is enough, since the turn is passed with a stronger ordering. The plain load avoids an atomic
        // write.
        grown.load(Ordering::Relaxed) && grown.swap(false, Ordering::Relaxed)
    }

    /// Releases the host's reference to the guest object with this number, if there is one. If the store is busy,
    /// the object is released later.
    pub fn release_object(&self, object: u32) {
        self.cell.released.borrow_mut().push(object);
        // If the store is busy, the numbers stay in `released`.
        let _ = self.with(|mut store| {
            for object in self.cell.released.take() {
                store.data_mut().refs.release_object(object);
            }
            Ok(())
        });
    }

    /// Collects the garbage of the guests. Returns the numbers below `count` of host values that no guest reference
    /// holds.
    ///
    /// # Errors
    /// `RuntimeError` if the store is busy, wasmtime cannot collect, or `count` is far above the store's cap on
    /// references.
    /// store's cap on references.
    pub fn collect(&self, count: u32) -> Result<Vec<u32>, WasmError> {
        self.with(|mut store| {
            store
                .gc(None)
                .map_err(|error| WasmError::runtime(format!("{error:#}")))?;
            store.data().refs.unheld(count)
        })
    }
}

pub(crate) fn unmetered() -> WasmError {
    WasmError::runtime("the store has no fuel budget: give it one when it is made")
}

/// Handles the epoch deadline of guest code: wasmtime calls it when the engine's epoch was incremented.
fn on_epoch_deadline(store: StoreContextMut<'_, StoreData>) -> wasmtime::Result<UpdateDeadline> {
    match store.data().interrupt.due() {
        Some(due) => Err(due),
        // The epoch was incremented for a guest of another store.
        None => Ok(UpdateDeadline::Continue(1)),
    }
}
