//! Stores, and the one cell through which everything reaches them.
//!
//! wasmtime lends out its store as `&mut`. While a guest runs, a function of the host may want
//! the same store again (an import that calls `malloc` is normal), so the store sits in a cell
//! that knows where the live borrow is: at rest it hands out the store itself, and inside a host
//! function the context that wasmtime passed to that function.

mod host_call;
mod outcome;
mod raw;
mod running;
mod shared;
mod thread;

use std::cell::{Cell, RefCell, UnsafeCell};
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use wasmtime::{
    AsContextMut, Engine, Func, FuncType, Global, Store, StoreContextMut, Table, Tag, ValRaw,
    ValType,
};

use self::host_call::host_call;
pub use self::outcome::Outcome;
pub(crate) use self::outcome::{Aborted, outcome, ran};
use self::raw::{lift, lower};
use self::running::Event;
pub use self::running::{Progress, RunningCall};
pub(crate) use self::shared::{read_shared, write_shared};
use self::thread::Way;
use super::deadline;
use super::error::WasmError;
use super::host::HostFunction;
use super::intern::Interned;
use super::interrupt::{self, Interrupt};
use super::limits::Limits;
use super::memory::Linear;
use super::refs::Refs;
use super::wasi::{Outputs, Wasi};

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

/// What wasmtime keeps beside the guest.
pub(crate) struct StoreData {
    cell: Weak<StoreCell>,
    /// The tag of exceptions that carry a value of the host, made when first needed.
    host_tag: Option<Tag>,
    pub(crate) limits: Limits,
    pub(crate) wasi: Option<Wasi>,
    pub(crate) interrupt: Arc<Interrupt>,
    pub(crate) refs: Refs,
    pub(crate) funcs: Interned<FuncEntry>,
    pub(crate) memories: Interned<Linear>,
    pub(crate) globals: Interned<Global>,
    pub(crate) tables: Interned<Table>,
    pub(crate) tags: Interned<Tag>,
    /// How many instances this store holds, and the count of the whole state that includes them.
    instances: u32,
    live_instances: Arc<AtomicU32>,
}

impl Drop for StoreData {
    fn drop(&mut self) {
        self.live_instances
            .fetch_sub(self.instances, Ordering::Relaxed);
    }
}

/// A function of the store, with its type at hand for checking calls.
#[derive(Clone)]
pub(crate) struct FuncEntry {
    pub(crate) func: Func,
    pub(crate) signature: Arc<Signature>,
}

/// A function's type, taken apart.
#[derive(Debug)]
pub struct Signature {
    /// What it takes.
    pub params: Box<[ValType]>,
    /// What it returns.
    pub results: Box<[ValType]>,
    /// Whether any of them is a reference, which needs translating.
    refs: bool,
}

impl Signature {
    pub(crate) fn new(ty: &FuncType) -> Self {
        let params: Box<[_]> = ty.params().collect();
        let results: Box<[_]> = ty.results().collect();
        Self {
            refs: params.iter().chain(&results).any(ValType::is_ref),
            params,
            results,
        }
    }

    /// How many slots a call frame needs.
    pub fn slots(&self) -> usize {
        self.params.len().max(self.results.len())
    }
}

struct StoreCell {
    access: Cell<Access>,
    store: UnsafeCell<Store<StoreData>>,
    /// How long a call may take.
    timeout: Option<Duration>,
    /// Whether the code of its guests can be interrupted.
    interruptible: bool,
    interrupt: Arc<Interrupt>,
    /// Whether its guests may wait, which can be interrupted too.
    waits: bool,
    /// The way to the guest's thread, while a guest runs on one.
    way: RefCell<Option<Bound>>,
    /// Whether it is the turn of a guest whose caller does not wait: then nothing else in here may
    /// be touched from the caller's thread, which gives and takes the turns.
    away: AtomicBool,
    /// Guest objects to let go of, when it was not the caller's turn.
    released: RefCell<Vec<u32>>,
    /// What its guests have written.
    outputs: Outputs,
}

/// How a guest's thread and its caller's meet.
#[derive(Clone)]
struct Bound {
    way: Way,
    /// Where the guest asks for the host's functions, if the caller does not wait for it.
    asks: Option<UnboundedSender<Event>>,
}

// SAFETY: the fields are only touched through `WasmStore`, which is neither `Send` nor `Sync` and
// is only made, by `WasmStore::new` and from the `Weak` in `StoreData`, on the thread that runs the
// store. Where that is two threads, they take turns: one of them waits for the other, as in `thread`,
// or `away`, which is atomic, says whose turn it is, as in `running`. Elsewhere there is only
// `StoreLease`, which does nothing but drop the cell; dropping it is exclusive, and all that it holds
// is `Send`.
unsafe impl Send for StoreCell {}
// SAFETY: as above: a shared reference on another thread cannot reach the fields.
unsafe impl Sync for StoreCell {}

const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<Store<StoreData>>();
    is_send::<Bound>();
    is_send::<Outputs>();
};

/// Where the live borrow of the store is.
#[derive(Clone, Copy)]
enum Access {
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

impl WasmStore {
    pub(crate) fn new(
        engine: &Engine,
        limits: Limits,
        wasi: Option<Wasi>,
        interruptible: bool,
        timeout: Option<Duration>,
        live_instances: Arc<AtomicU32>,
    ) -> Self {
        let interrupt = Arc::<Interrupt>::default();
        let outputs = wasi.as_ref().map(Wasi::outputs).unwrap_or_default();
        let waits = wasi.is_some();
        let cell = Arc::new_cyclic(|cell| {
            let data = StoreData {
                cell: cell.clone(),
                host_tag: None,
                limits,
                wasi,
                interrupt: interrupt.clone(),
                refs: Refs::default(),
                funcs: Interned::new("function"),
                memories: Interned::new("memory"),
                globals: Interned::new("global"),
                tables: Interned::new("table"),
                tags: Interned::new("tag"),
                instances: 0,
                live_instances,
            };
            let mut store = Store::new(engine, data);
            store.limiter(|data| &mut data.limits);
            if interruptible {
                store.epoch_deadline_callback(interrupt::epoch_moved);
            }
            StoreCell {
                access: Cell::new(Access::Rest),
                store: UnsafeCell::new(store),
                timeout,
                interruptible,
                interrupt,
                waits,
                way: RefCell::new(None),
                away: AtomicBool::new(false),
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

    /// Runs `f`, which may run guest code, with the store.
    ///
    /// # Errors
    /// As [`WasmStore::with`]; `RuntimeError` if there can be no thread to keep its deadline.
    pub(crate) fn run<R>(
        &self,
        f: impl FnOnce(StoreContextMut<'_, StoreData>) -> Result<R, WasmError>,
    ) -> Result<R, WasmError> {
        if !self.is_at_rest() {
            return self.with(f);
        }
        let timeout = self.cell.timeout;
        let begins = self.cell.interruptible || self.cell.waits;
        let begin = || self.with(|store| deadline::begin(store, timeout, false));
        let _watch = begins.then(begin).transpose()?;
        self.with(f)
    }

    /// Runs `f` with the store, wherever it is.
    ///
    /// # Errors
    /// `RuntimeError` if `f` of another `with`, or a guest whose caller does not wait, has the store;
    /// what `f` returns otherwise.
    pub(crate) fn with<R>(
        &self,
        f: impl FnOnce(StoreContextMut<'_, StoreData>) -> Result<R, WasmError>,
    ) -> Result<R, WasmError> {
        if self.is_away() {
            return Err(WasmError::busy());
        }
        let access = self.cell.access.replace(Access::Taken);
        let _restore = Restore {
            cell: &self.cell.access,
            access,
        };
        match access {
            Access::Rest => {
                // SAFETY: this thread alone reaches the cell, and `access` was `Rest`: no other
                // reference into the store exists, and none is made while it is `Taken`.
                let store = unsafe { &mut *self.cell.store.get() };
                f(store.as_context_mut())
            }
            Access::Host(mut context) => {
                // SAFETY: the pointer is to a context on the stack of a `lend` that has not
                // returned (its `Restore` takes the pointer away when it does), which holds the
                // store's only live borrow and does not use it meanwhile. `access` is `Taken`
                // until `f` is done, so that the context is borrowed once at a time.
                let context = unsafe { context.as_mut() };
                let bound = self.cell.way.borrow().clone();
                match bound {
                    // The guest is in the middle of a call on that thread, and what `f` does (run
                    // more of it, collect its garbage) has to find that call on its stack.
                    Some(Bound { way, asks }) => {
                        let _waits = self.wait_for_guest(asks);
                        way.run(|| f(context.as_context_mut()))
                    }
                    None => f(context.as_context_mut()),
                }
            }
            Access::Taken => Err(WasmError::busy()),
        }
    }

    /// Whether nothing runs in it.
    fn is_at_rest(&self) -> bool {
        !self.is_away() && matches!(self.cell.access.get(), Access::Rest)
    }

    /// Whether a guest runs in it whose caller does not wait.
    fn is_away(&self) -> bool {
        self.cell.away.load(Ordering::Acquire)
    }

    /// Says that this thread waits for what runs on the guest's from now on, until what is returned
    /// is dropped. `asks` is how it was before.
    fn wait_for_guest(&self, asks: Option<UnboundedSender<Event>>) -> impl Drop {
        struct Waits<'a>(&'a RefCell<Option<Bound>>, Option<UnboundedSender<Event>>);
        impl Drop for Waits<'_> {
            fn drop(&mut self) {
                if let Some(bound) = &mut *self.0.borrow_mut() {
                    bound.asks = self.1.take();
                }
            }
        }
        if let Some(bound) = &mut *self.cell.way.borrow_mut() {
            bound.asks = None;
        }
        Waits(&self.cell.way, asks)
    }

    /// Lends `context`, the live borrow of this store, to whoever calls `with` while `f` runs.
    fn lend<R>(&self, context: &mut StoreContextMut<'_, StoreData>, f: impl FnOnce() -> R) -> R {
        let lent = Access::Host(NonNull::from(context).cast());
        let _restore = Restore {
            cell: &self.cell.access,
            access: self.cell.access.replace(lent),
        };
        f()
    }

    /// A function of this store that runs `host`.
    pub(crate) fn host_func(
        &self,
        ty: FuncType,
        host: Arc<dyn HostFunction>,
    ) -> Result<Func, WasmError> {
        let signature = Signature::new(&ty);
        self.with(|store| {
            // SAFETY: `host_call` reads the parameters and writes the results by `signature`,
            // which is `ty` taken apart, after checking every reference it writes against it.
            Ok(unsafe {
                Func::new_unchecked(store, ty, move |caller, slots| {
                    host_call(caller, slots, &signature, &host)
                })
            })
        })
    }

    /// Calls the function of handle `func`, with arguments in the first slots of `frame`, which
    /// its results then replace. References travel as the bits of their [`RefHandle`].
    ///
    /// # Errors
    /// `TypeMismatch` if a reference does not fit its parameter, `FunctionNotFound` for an unknown
    /// handle, `RuntimeError` for traps, `FuelExhausted`.
    pub fn call_frame(&self, func: u32, frame: &mut [ValRaw]) -> Result<Outcome<()>, WasmError> {
        self.run(|store| call_in(store, func, frame))
    }
}

/// See [`WasmStore::call_frame`].
fn call_in(
    mut store: StoreContextMut<'_, StoreData>,
    func: u32,
    frame: &mut [ValRaw],
) -> Result<Outcome<()>, WasmError> {
    let FuncEntry { func, signature } = store.data().funcs.get(func)?.clone();
    let frame = frame
        .get_mut(..signature.slots())
        .ok_or_else(|| WasmError::mismatch("the call frame is too short for the function"))?;
    if signature.refs {
        lower(store.as_context_mut(), frame, &signature.params)?;
    }
    // SAFETY: the frame is long enough and holds a value of each parameter's type: any bits are a
    // number, and references were just made from handles that `lower` checked. No collection can
    // have happened since. The caller's `&mut` keeps the frame from everyone else during the call.
    let called = unsafe { func.call_unchecked(store.as_context_mut(), frame) };
    match called {
        Ok(()) => {
            if signature.refs {
                lift(store, frame, &signature.results)?;
            }
            Ok(Outcome::Returned(()))
        }
        Err(error) => outcome(store, &error),
    }
}

impl StoreData {
    /// The number of `func`, the same each time for the same function.
    pub(crate) fn intern_func(
        mut store: StoreContextMut<'_, StoreData>,
        func: Func,
    ) -> Result<u32, WasmError> {
        let key = func.to_raw(&mut store).addr() as u64;
        if let Some(number) = store.data().funcs.find(key) {
            return Ok(number);
        }
        let ty = func.ty(&store);
        store.data_mut().funcs.intern(key, || FuncEntry {
            func,
            signature: Arc::new(Signature::new(&ty)),
        })
    }

    /// Counts one more instance, for as long as the store lives.
    pub(crate) fn count_instance(&mut self) {
        self.instances += 1;
        self.live_instances.fetch_add(1, Ordering::Relaxed);
    }
}

impl WasmStore {
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

    /// How often any of the store's memories was allowed to grow; wraps around.
    ///
    /// # Errors
    /// `RuntimeError` if the store is busy; so for the others here.
    pub fn growths(&self) -> Result<u32, WasmError> {
        self.with(|store| Ok(store.data().limits.growths()))
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

    /// Collects the guest's garbage and returns the numbers of the host's values that no
    /// reference holds any more.
    pub fn collect(&self) -> Result<Vec<u32>, WasmError> {
        self.with(|mut store| {
            store
                .gc(None)
                .map_err(|error| WasmError::runtime(format!("{error:#}")))?;
            Ok(store.data_mut().refs.take_released())
        })
    }
}

fn unmetered() -> WasmError {
    WasmError::runtime("the store has no fuel budget: give it one when it is made")
}
