//! Stores, and the one cell through which everything reaches them.
//!
//! wasmtime lends out its store as `&mut`. While a guest runs, a function of the host may want
//! the same store again (an import that calls `malloc` is normal), so the store sits in a cell
//! that knows where the live borrow is: at rest it hands out the store itself, and inside a host
//! function the context that wasmtime passed to that function.

mod cell;
mod data;
mod handle_table;
mod host_call;
pub(crate) mod host_function;
mod outcome;
mod raw;
pub(crate) mod references;
mod running;
mod shared;
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
pub use self::data::Signature;
pub(crate) use self::data::{FuncEntry, HostType, LinearMemory, StoreData};
use self::handle_table::HandleTable;
use self::host_call::host_call;
use self::host_function::HostFunction;
pub use self::outcome::{Outcome, Stopped};
pub(crate) use self::outcome::{outcome, ran};
use self::raw::{lift, lower};
use self::references::Refs;
pub use self::running::{Progress, RunningCall};
pub(crate) use self::shared::{read_shared, write_shared};
use crate::runtime::base::error::WasmError;
use crate::runtime::engine::interrupt::Interrupt;
use crate::runtime::engine::limiter::Limits;
use crate::runtime::engine::native_stack::ThreadStack;
use crate::runtime::wasi::{Outputs, Wasi};

/// A store: what instances share that can import from each other. Freed as a whole.
///
/// A clone is another handle to the same store.
#[derive(Clone)]
pub struct WasmStore {
    cell: Arc<StoreCell>,
    /// Stays on the thread that made it: see `StoreCell`.
    one_thread: PhantomData<*const ()>,
}

/// Keeps a store's memories mapped without giving access to the store. Any thread may hold and
/// drop one.
pub struct StoreLease(#[expect(dead_code, reason = "held, never used")] Arc<StoreCell>);

impl WasmStore {
    pub(crate) fn new(
        engine: &Engine,
        limits: Limits,
        wasi: Option<Wasi>,
        interruptible: bool,
        timeout: Option<Duration>,
        live_instances: Arc<AtomicU32>,
    ) -> Self {
        let stack = ThreadStack::current();
        let interrupt = Arc::<Interrupt>::default();
        let outputs = wasi.as_ref().map(Wasi::outputs).unwrap_or_default();
        let waits = wasi.is_some();
        let grown = limits.grown.clone();
        let cap = limits.max_references;
        let cell = Arc::new_cyclic(|cell| {
            let data = StoreData {
                cell: cell.clone(),
                host_tag: None,
                refs: Refs::new(cap),
                limits,
                wasi,
                interrupt: interrupt.clone(),
                host_funcs: HashMap::new(),
                funcs: HandleTable::new("function", cap),
                memories: HandleTable::new("memory", cap),
                globals: HandleTable::new("global", cap),
                tables: HandleTable::new("table", cap),
                tags: HandleTable::new("tag", cap),
                instances: 0,
                live_instances,
            };
            let mut store = Store::new(engine, data);
            store.limiter(|data| &mut data.limits);
            if interruptible {
                store.epoch_deadline_callback(epoch_moved);
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
                has_host_funcs: Cell::new(false),
                guest: RefCell::new(None),
                guest_turn: AtomicBool::new(false),
                nested: Cell::new(0),
                resumes: Cell::new(false),
                released: RefCell::default(),
                outputs,
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

    /// What tells it from the other stores that are alive, its [lease](StoreLease)s included.
    pub fn key(&self) -> usize {
        Arc::as_ptr(&self.cell).addr()
    }

    /// Keeps this store's memories mapped for as long as the lease is held.
    pub fn lease(&self) -> StoreLease {
        StoreLease(self.cell.clone())
    }

    /// How long its calls may take, unless it is said otherwise.
    pub(crate) fn timeout(&self) -> Option<Duration> {
        self.cell.timeout
    }

    /// What its guests have written to the streams that are captured.
    pub fn outputs(&self) -> &Outputs {
        &self.cell.outputs
    }

    /// A function of this store that runs `host`: the same one for the same [number](HostFunction::number) and
    /// type, since wasmtime frees functions with their store only.
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
            // SAFETY: `host_call` reads the parameters and writes the results by `signature`,
            // which is `ty` taken apart, after checking every reference it writes against it.
            let func = unsafe {
                Func::new_unchecked(&mut store, ty.clone(), move |caller, slots| {
                    host_call(caller, slots, &signature, &host)
                })
            };
            if let Some(number) = number {
                store.data_mut().host_funcs.insert(number, func);
            }
            Ok(func)
        })
    }

    /// Has calls expect functions of the host to run in it.
    pub(crate) fn expect_host_funcs(&self) {
        self.cell.has_host_funcs.set(true);
    }

    /// The function of this handle, with its type.
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

    /// Whether functions of the host can run in it. Without, nothing but guests and WASI can run in it,
    /// neither of which knows of a call's slots.
    #[inline]
    pub(crate) fn has_host_funcs(&self) -> bool {
        self.cell.has_host_funcs.get()
    }

    /// Calls a function of this store, which has no host functions, of numbers alone, with
    /// arguments in `slots`, which its results then replace.
    #[inline]
    pub(crate) fn call_in_place(
        &self,
        FuncEntry { func, signature }: &FuncEntry,
        slots: &[Cell<ValRaw>],
    ) -> Result<(), Stopped> {
        assert!(!self.has_host_funcs() && !signature.refs && signature.slots() <= slots.len());
        let slots = std::ptr::from_ref(slots) as *mut [ValRaw];
        // SAFETY: the slots are long enough, and any bits are a number. They are `Cell`s, which may be
        // written, and until the call has ended only wasmtime does: no function of the host is in the
        // store to reach them.
        self.run(|store| unsafe { call_raw(store, func, slots) })
    }
}

/// Gives a linker a function under these names, of a module and of its own, that runs `host`.
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
    // SAFETY: the frame is long enough and holds a value of each parameter's type: any bits are a
    // number, and references were just made from handles that `lower` checked. No collection can
    // have happened since. The `&mut` keeps the frame from everyone else during the call.
    unsafe { call_raw(store.as_context_mut(), func, frame) }?;
    if signature.refs {
        lift_results(store, frame, signature)?;
    }
    Ok(())
}

// Not inlined, like all that most calls do without: guests and the host can call each other a thousand
// levels deep, and at each level this would take stack.

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

/// Calls a function of this store with arguments in `slots`, which its results then replace.
///
/// # Safety
/// `slots` are as many as the function takes and as it returns, and hold a value of each parameter's
/// type, references in wasmtime's raw form. Until this returns nobody else reads or writes them.
#[inline]
unsafe fn call_raw(
    mut store: StoreContextMut<'_, StoreData>,
    func: &Func,
    slots: *mut [ValRaw],
) -> Result<(), Stopped> {
    // SAFETY: as promised; that the function is one of this store, wasmtime checks.
    unsafe { func.call_unchecked(store.as_context_mut(), slots) }
        .map_err(|error| stopped(store, &error))
}

impl WasmStore {
    /// Whether something runs in it that has to end first, or to ask for a function of the host.
    pub fn is_busy(&self) -> bool {
        self.has_guest_turn() || matches!(self.cell.access.get(), Access::Taken)
    }

    /// What is left of the budget.
    ///
    /// # Errors
    /// `RuntimeError` if the store is busy or was made without a budget.
    pub fn fuel(&self) -> Result<u64, WasmError> {
        self.with(|store| store.get_fuel().map_err(|_| unmetered()))
    }

    /// Sets what is left of the budget.
    ///
    /// # Errors
    /// As [`WasmStore::fuel`].
    pub fn set_fuel(&self, fuel: u64) -> Result<(), WasmError> {
        self.with(|mut store| store.set_fuel(fuel).map_err(|_| unmetered()))
    }

    /// Whether any of the store's memories was allowed to grow since this was last asked.
    pub fn take_grown(&self) -> bool {
        let grown = &self.cell.grown;
        // Whose turn it is has been told with more than this. To look first spares a locked write.
        grown.load(Ordering::Relaxed) && grown.swap(false, Ordering::Relaxed)
    }

    /// Forgets the host's hold on the object of this number, if there is one; as soon as can be, if
    /// the store is busy.
    pub fn release_object(&self, object: u32) {
        self.cell.released.borrow_mut().push(object);
        // Nothing is lost if it is busy.
        let _ = self.with(|mut store| {
            for object in self.cell.released.take() {
                store.data_mut().refs.release_object(object);
            }
            Ok(())
        });
    }

    /// Collects the guest's garbage and returns which of the host's values with numbers below `count` no
    /// reference of the guest's holds.
    ///
    /// # Errors
    /// `RuntimeError` if the store is busy, wasmtime cannot collect, or `count` is far more than the
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

fn unmetered() -> WasmError {
    WasmError::runtime("the store has no fuel budget: give it one when it is made")
}

/// What guest code is told when its engine's epoch has moved on.
fn epoch_moved(store: StoreContextMut<'_, StoreData>) -> wasmtime::Result<UpdateDeadline> {
    match store.data().interrupt.due() {
        Some(due) => Err(due),
        // It was for the guest of another store.
        None => Ok(UpdateDeadline::Continue(1)),
    }
}
