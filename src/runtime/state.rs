//! Everything one runtime of the host holds.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use wasmtime::{Linker, ValRaw};

use super::cache;
use super::capabilities::WasmCapabilities;
use super::compile_queue::CompileQueue;
use super::engine::{Checks, Engines, Tune};
use super::error::WasmError;
use super::granted::{Files, Granted};
use super::hosted::HostImports;
use super::instance::{Import, Parts, WasmInstance};
use super::limits::{CallOptions, Limits, StoreOptions};
use super::module::{Code, Compiler, WasmModule};
use super::module_limits::ModuleLimits;
use super::store::{Outcome, RunningCall, StoreData, WasmStore};
use super::wasi::{self, Wasi};

/// The modules, stores and instances of one runtime, under numbers.
///
/// Every method takes `&self` and holds no borrow while a guest runs, so that a guest's imports
/// may use the same state.
pub struct WasmState {
    engine: Engines,
    capabilities: WasmCapabilities,
    files: Arc<Files>,
    compiles: CompileQueue,
    module_limits: Arc<ModuleLimits>,
    preopens: Granted,
    modules: RefCell<HashMap<u32, WasmModule>>,
    stores: RefCell<HashMap<u32, Entry>>,
    instances: RefCell<HashMap<u32, WasmInstance>>,
    next_module_id: Cell<u32>,
    next_store_id: Cell<u32>,
    next_instance_id: Cell<u32>,
    /// Instances whose store is alive, counted by the stores themselves.
    live_instances: Arc<AtomicU32>,
    running_calls: Arc<AtomicU32>,
    /// The functions of WASI for each of the engines, made when first needed.
    wasi_linkers: [OnceCell<Linker<StoreData>>; Checks::WAYS],
}

/// A store that somebody may still name.
struct Entry {
    store: WasmStore,
    checks: Checks,
    /// The instances that were made in it, some of which may be dropped.
    instances: Vec<u32>,
}

impl WasmState {
    /// An empty state.
    ///
    /// # Errors
    /// `CompileError` if wasmtime does not support this machine, the cache of the capabilities cannot be
    /// used, or they grant guests what this process keeps machine code in.
    pub fn new(capabilities: WasmCapabilities) -> Result<Self, WasmError> {
        Self::with_engine(capabilities, None)
    }

    /// An empty state whose engines are tuned by `tune`: a conformance suite may need features
    /// on or off that apps have no say in.
    ///
    /// # Errors
    /// As [`WasmState::new`]; `CompileError` if wasmtime does not support the configuration.
    pub fn with_engine(
        capabilities: WasmCapabilities,
        tune: Option<Tune>,
    ) -> Result<Self, WasmError> {
        let preopens = Granted::new(&capabilities.preopen_paths);
        let cache = cache::enter(capabilities.cache_path.as_deref(), &preopens)?;
        Ok(Self {
            engine: Engines::new(tune, cache)?,
            files: Arc::new(Files::new(&capabilities)),
            compiles: CompileQueue::new(capabilities.max_pending_compiles),
            module_limits: Arc::new(capabilities.module_limits.clone()),
            preopens,
            capabilities,
            modules: RefCell::default(),
            stores: RefCell::default(),
            instances: RefCell::default(),
            next_module_id: Cell::new(1),
            next_store_id: Cell::new(1),
            next_instance_id: Cell::new(1),
            live_instances: Arc::default(),
            running_calls: Arc::default(),
            wasi_linkers: Default::default(),
        })
    }

    /// What the host granted.
    pub fn capabilities(&self) -> &WasmCapabilities {
        &self.capabilities
    }

    /// The files that may be compiled; may be sent to another thread.
    pub fn files(&self) -> Arc<Files> {
        self.files.clone()
    }

    /// What compiles for this state; may be sent to another thread.
    pub fn compiler(&self) -> Compiler {
        let options = StoreOptions::default().capped(&self.capabilities);
        let limits = self.module_limits.clone();
        let queue = self.compiles.clone();
        Compiler::new(self.engine.clone(), options.checks(), limits, queue)
    }

    /// Compiles a module, in the binary or the text format, on this thread, which waits for its turn:
    /// one a core is compiled at a time.
    ///
    /// # Errors
    /// `CompileError` if it is not valid.
    pub fn compile(&self, source: &[u8]) -> Result<WasmModule, WasmError> {
        let compiler = self.compiler();
        self.add_module(compiler.in_turn(|compiler| compiler.compile(source))?)
    }

    /// Compiles the module in a file that the capabilities grant.
    ///
    /// # Errors
    /// `CompileError` if the file is not granted or not readable, or the module is not valid.
    pub fn compile_file(&self, path: &Path) -> Result<WasmModule, WasmError> {
        let cap = self.capabilities.module_limits.max_source_bytes();
        self.compile(&self.files.read(path, cap)?)
    }

    /// Takes in what a [`Compiler`] of this state made.
    ///
    /// # Errors
    /// `CompileError` if there are too many modules, or no more numbers for them.
    pub fn add_module(&self, code: Arc<Code>) -> Result<WasmModule, WasmError> {
        let cap = self.capabilities.max_modules;
        if self.live_modules() >= cap as usize {
            return Err(WasmError::compile(format!(
                "too many modules: the cap is {cap}"
            )));
        }
        let id = next(&self.next_module_id)
            .ok_or_else(|| WasmError::compile("too many modules were compiled"))?;
        let module = WasmModule::new(id, code);
        self.modules.borrow_mut().insert(id, module.clone());
        Ok(module)
    }

    /// The module of this number.
    ///
    /// # Errors
    /// `InstantiateError` if it was dropped or never was.
    pub fn module(&self, id: u32) -> Result<WasmModule, WasmError> {
        let module = self.modules.borrow().get(&id).cloned();
        module.ok_or_else(|| {
            WasmError::instantiate(format!("module {id} was dropped or never compiled"))
        })
    }

    /// Forgets a module; its instances live on. Returns whether there was one.
    pub fn drop_module(&self, id: u32) -> bool {
        let dropped = self.modules.borrow_mut().remove(&id);
        tracing::debug!(id, "dropped a module");
        dropped.is_some()
    }

    /// How many modules somebody may still name.
    pub fn live_modules(&self) -> usize {
        self.modules.borrow().len()
    }

    /// A new store, with `options` cut down to the capabilities, and its number.
    ///
    /// # Errors
    /// `InstantiateError` if there are too many stores, or no more numbers for them, or WASI is not granted
    /// as the options ask for it.
    pub fn new_store(&self, options: StoreOptions) -> Result<(u32, WasmStore), WasmError> {
        let cap = self.capabilities.max_stores;
        if self.stores.borrow().len() >= cap as usize {
            return Err(WasmError::instantiate(format!(
                "too many stores: the cap is {cap}"
            )));
        }
        let options = options.capped(&self.capabilities);
        let checks = options.checks();
        let limits = Limits::new(&options, &self.capabilities);
        let wasi = options.wasi;
        let wasi = wasi.map(|config| Wasi::new(config, &self.capabilities, &self.preopens));
        let store = WasmStore::new(
            self.engine.get(checks)?,
            limits,
            wasi.transpose()?,
            checks.interrupt,
            options.timeout_ms.map(Duration::from_millis),
            self.live_instances.clone(),
        );
        if let Some(fuel) = options.fuel {
            store.set_fuel(fuel)?;
        }
        let id = next(&self.next_store_id)
            .ok_or_else(|| WasmError::instantiate("too many stores were made"))?;
        let entry = Entry {
            store: store.clone(),
            checks,
            instances: Vec::new(),
        };
        self.stores.borrow_mut().insert(id, entry);
        Ok((id, store))
    }

    /// The store of this number.
    ///
    /// # Errors
    /// `RuntimeError` if it was dropped or never was.
    pub fn store(&self, id: u32) -> Result<WasmStore, WasmError> {
        self.entry(id, |entry| entry.store.clone())
    }

    /// Fails where a use of the store of this number would, because it was dropped or is busy.
    ///
    /// # Errors
    /// `RuntimeError` if it was or is.
    pub fn check_store(&self, id: u32) -> Result<(), WasmError> {
        match self.entry(id, |entry| entry.store.is_busy())? {
            true => Err(WasmError::busy()),
            false => Ok(()),
        }
    }

    /// What the code of the guests in the store of this number checks for.
    ///
    /// # Errors
    /// As [`WasmState::store`].
    pub fn checks(&self, id: u32) -> Result<Checks, WasmError> {
        self.entry(id, |entry| entry.checks)
    }

    fn entry<R>(&self, id: u32, f: impl FnOnce(&Entry) -> R) -> Result<R, WasmError> {
        let stores = self.stores.borrow();
        let entry = stores.get(&id).ok_or_else(|| dropped("store", id))?;
        Ok(f(entry))
    }

    /// Forgets a store and its instances. It is freed when the last call into it has returned
    /// and the last [`super::StoreLease`] is gone. Returns whether there was one.
    pub fn drop_store(&self, id: u32) -> bool {
        let Some(entry) = self.stores.borrow_mut().remove(&id) else {
            return false;
        };
        let mut instances = self.instances.borrow_mut();
        for id in &entry.instances {
            instances.remove(id);
        }
        tracing::debug!(id, "dropped a store");
        true
    }

    /// Gives a store a new budget, cut down to the cap.
    ///
    /// # Errors
    /// `RuntimeError` if the store is dropped, busy, or was made without a budget.
    pub fn set_fuel(&self, store: u32, fuel: u64) -> Result<(), WasmError> {
        let fuel = fuel.min(self.capabilities.max_fuel.unwrap_or(u64::MAX));
        self.store(store)?.set_fuel(fuel)
    }

    /// Instantiates a module in a store and runs its start function.
    ///
    /// # Errors
    /// `InstantiateError` if the module or an import is unknown or of the wrong type, a cap is
    /// exceeded; `RuntimeError` and `FuelExhausted` from the start function.
    pub fn instantiate(
        &self,
        module: u32,
        store: u32,
        imports: Vec<Import>,
    ) -> Result<Outcome<WasmInstance>, WasmError> {
        self.make(module, store, |parts, checks| {
            parts.link(imports, &|| self.wasi_linker(checks))
        })
    }

    /// Instantiates a module that imports functions alone, with those of `H`, and runs its start function.
    /// See there how often they are made.
    ///
    /// # Errors
    /// `InstantiateError` if it imports something else; otherwise as [`WasmState::instantiate`].
    pub fn instantiate_hosted<H: HostImports>(
        &self,
        module: u32,
        store: u32,
    ) -> Result<Outcome<WasmInstance>, WasmError> {
        self.make(module, store, |parts, _| parts.host::<H>())
    }

    /// Has `instantiate` make an instance of a module in a store, and takes it in.
    fn make(
        &self,
        module: u32,
        store_id: u32,
        instantiate: impl FnOnce(Parts<'_>, Checks) -> Result<Outcome<WasmInstance>, WasmError>,
    ) -> Result<Outcome<WasmInstance>, WasmError> {
        let module = self.module(module)?;
        let checks = self.checks(store_id)?;
        if module.code.profile.waits && (checks.fuel || checks.interrupt) {
            return Err(WasmError::instantiate(
                "the module waits on shared memory (memory.atomic.wait), which neither fuel nor a \
                 deadline can end",
            ));
        }
        self.compiler().prepare(&module.code, checks)?;
        let code = module.code.get(checks);
        let code = code.ok_or_else(|| WasmError::instantiate("the module is not compiled"))?;
        let store = self.store(store_id)?;
        let cap = self.capabilities.max_instances;
        if self.live_instances() >= cap {
            return Err(WasmError::instantiate(format!(
                "too many instances: the cap is {cap}"
            )));
        }
        let id = next(&self.next_instance_id)
            .ok_or_else(|| WasmError::instantiate("too many instances were made"))?;
        let parts = Parts {
            id,
            module: &module,
            code,
            store: &store,
        };
        let made = instantiate(parts, checks)?;
        if let Outcome::Returned(instance) = &made {
            // Its start function may have dropped it: nobody would drop the instance.
            let stores = &mut *self.stores.borrow_mut();
            let entry = stores.get_mut(&store_id);
            let entry = entry.ok_or_else(|| dropped("store", store_id))?;
            entry.instances.push(id);
            self.instances.borrow_mut().insert(id, instance.clone());
            tracing::debug!(id, module = module.id, "instantiated");
        }
        Ok(made)
    }

    /// Starts a call of a function of a store, which goes on while its caller does something else.
    /// `frame` holds the arguments, as for [`WasmFunc::call_frame`](super::WasmFunc::call_frame).
    ///
    /// # Errors
    /// `RuntimeError` if the store was dropped or is busy, too many calls run, or the options want to
    /// interrupt the call and the code of the store's guests cannot be interrupted.
    pub fn start_call(
        &self,
        store: u32,
        func: u32,
        frame: Vec<ValRaw>,
        options: CallOptions,
    ) -> Result<RunningCall, WasmError> {
        let CallOptions {
            timeout_ms,
            abortable,
        } = options;
        if (abortable || timeout_ms.is_some()) && !self.checks(store)?.interrupt {
            return Err(WasmError::uninterruptible());
        }
        let cap = self.capabilities.max_running_calls;
        let running = Counted::new(&self.running_calls);
        if self.running_calls.load(Ordering::Relaxed) > cap {
            return Err(WasmError::runtime(format!(
                "too many calls run at the same time: the cap is {cap}"
            )));
        }
        let store = self.store(store)?;
        let cap_ms = self.capabilities.max_timeout_ms.unwrap_or(u64::MAX);
        let timeout = timeout_ms.map(|timeout_ms| Duration::from_millis(timeout_ms.min(cap_ms)));
        let timeout = timeout.or(store.timeout());
        store.start(func, frame, timeout, running)
    }

    fn wasi_linker(&self, checks: Checks) -> Result<&Linker<StoreData>, WasmError> {
        let cell = &self.wasi_linkers[checks.index()];
        if let Some(linker) = cell.get() {
            return Ok(linker);
        }
        let linker = wasi::linker(self.engine.get(checks)?)?;
        Ok(cell.get_or_init(|| linker))
    }

    /// The instance of this number.
    ///
    /// # Errors
    /// `RuntimeError` if it was dropped or never was.
    pub fn instance(&self, id: u32) -> Result<WasmInstance, WasmError> {
        let instance = self.instances.borrow().get(&id).cloned();
        instance.ok_or_else(|| dropped("instance", id))
    }

    /// Forgets an instance; its memory is freed with its store. Returns whether there was one.
    pub fn drop_instance(&self, id: u32) -> bool {
        let dropped = self.instances.borrow_mut().remove(&id);
        tracing::debug!(id, "dropped an instance");
        dropped.is_some()
    }

    /// How many instances take up memory: all whose store is not freed.
    pub fn live_instances(&self) -> u32 {
        self.live_instances.load(Ordering::Relaxed)
    }
}

/// One more in a count, until it is dropped.
struct Counted(Arc<AtomicU32>);

impl Counted {
    fn new(count: &Arc<AtomicU32>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn dropped(what: &str, id: u32) -> WasmError {
    WasmError::runtime(format!("{what} {id} was dropped"))
}

/// The next number, if there is one.
fn next(counter: &Cell<u32>) -> Option<u32> {
    let id = counter.get();
    counter.set(id.checked_add(1)?);
    Some(id)
}
