//! The state of one runtime: its modules, stores and instances.

pub(crate) mod async_components;
mod calls;
mod component_images;
mod components;
mod groups;
mod stores;

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
#[cfg(feature = "testing")]
use std::collections::VecDeque;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use wasmtime::Linker;
#[cfg(feature = "testing")]
use wasmtime::SharedMemory;

use crate::runtime::admission;
use crate::runtime::base::capabilities::WasmCapabilities;
use crate::runtime::base::error::WasmError;
use crate::runtime::base::instance_pool::InstancePool;
use crate::runtime::base::module_limits::{ExceededLimit, ModuleLimits};
use crate::runtime::base::options::{Checks, StoreOptions};
use crate::runtime::base::tls::TlsConnector;
use crate::runtime::component::WasmComponent;
use crate::runtime::component::instance::ComponentInstance;
#[cfg(feature = "testing")]
use crate::runtime::engine::Tune;
use crate::runtime::engine::compile_queue::CompileQueue;
use crate::runtime::engine::disk_cache::{self, CacheFolders};
use crate::runtime::engine::grants::{CompilableFiles, GrantedPaths};
use crate::runtime::engine::group::Group;
use crate::runtime::engine::instance_pool::TABLE_ELEMENTS;
use crate::runtime::engine::network::GrantedNetwork;
use crate::runtime::engine::{EngineChoice, EngineKind};
use crate::runtime::instance::{Import, Instantiation, WasmInstance};
use crate::runtime::linking::host_imports::HostImports;
use crate::runtime::linking::wasi;
use crate::runtime::module::compiler::Compiler;
use crate::runtime::module::unclaimed::UnclaimedModules;
use crate::runtime::module::{Code, CodeCache, WasmModule};
#[cfg(feature = "testing")]
use crate::runtime::store::native_stack::ThreadStack;
use crate::runtime::store::{Outcome, StoreData, WasmStore};
use crate::runtime::wasi::p2::http::incoming::HttpExchange;

/// The modules, stores and instances of one runtime, each with a numeric handle.
///
/// Every method takes `&self` and holds no borrow while a guest runs, so that the guest's imports can use the same
/// state.
pub struct WasmState {
    code_cache: Arc<CodeCache>,
    capabilities: WasmCapabilities,
    files: Arc<CompilableFiles>,
    compiles: CompileQueue,
    module_limits: Arc<ModuleLimits>,
    preopens: GrantedPaths,
    network: GrantedNetwork,
    tls_connector: RefCell<Option<Arc<dyn TlsConnector>>>,
    modules: RefCell<HashMap<u32, WasmModule>>,
    components: RefCell<HashMap<u32, WasmComponent>>,
    unclaimed: Arc<UnclaimedModules>,
    groups: RefCell<HashMap<u32, Arc<Group>>>,
    stores: RefCell<HashMap<u32, Entry>>,
    instances: RefCell<HashMap<u32, WasmInstance>>,
    next_module_id: Cell<u32>,
    next_component_id: Cell<u32>,
    next_group_id: Cell<u32>,
    next_store_id: Cell<u32>,
    next_instance_id: Cell<u32>,
    /// The number of instances whose store is alive. The stores update it.
    live_instances: Arc<AtomicU32>,
    running_calls: Arc<AtomicU32>,
    /// Shared memories of other states: see [`WasmState::give_shared_memory`].
    #[cfg(feature = "testing")]
    given_memories: RefCell<VecDeque<SharedMemory>>,
    /// The WASI functions for each engine, made on first use.
    wasi_linkers: [OnceCell<Linker<StoreData>>; EngineChoice::WAYS],
}

/// A store that has not been dropped from the state.
struct Entry {
    store: WasmStore,
    engine: EngineChoice,
    /// The kind of its engine.
    kind: EngineKind,
    /// The instances that were made in the store, including dropped ones.
    instances: Vec<u32>,
    /// The component that the store is for.
    component: Option<WasmComponent>,
    /// The instance of the component, once it is made.
    component_instance: Option<Rc<ComponentInstance>>,
    /// The request that the instance handles, or handled last.
    http_exchange: Option<HttpExchange>,
}

/// The engines of a state, with the code that they have compiled.
#[cfg(feature = "testing")]
#[derive(Clone)]
pub struct StateEngines(Arc<CodeCache>);

impl WasmState {
    /// Returns an empty state.
    ///
    /// # Errors
    /// `CompileError` if wasmtime does not support this machine, the cache folder of the capabilities cannot be
    /// used, the capabilities grant guests access to a cache folder of this process, or one of their patterns or
    /// entries of the network is not valid.
    pub fn new(capabilities: WasmCapabilities) -> Result<Self, WasmError> {
        let pool = pool_of(&capabilities);
        Self::with_code_cache(capabilities, |disk_cache| {
            CodeCache::new(None, disk_cache, pool)
        })
    }

    /// Returns an empty state whose engines are configured by `tune`. A conformance suite may need WebAssembly
    /// features on or off that apps cannot configure.
    ///
    /// # Errors
    /// As [`WasmState::new`]; `CompileError` if wasmtime does not support the configuration.
    #[cfg(feature = "testing")]
    pub fn with_engine(
        capabilities: WasmCapabilities,
        tune: Option<Tune>,
    ) -> Result<Self, WasmError> {
        let pool = pool_of(&capabilities);
        Self::with_code_cache(capabilities, |disk_cache| {
            CodeCache::new(tune, disk_cache, pool)
        })
    }

    /// Returns an empty state with the engines of another state, which may be on another thread: stores of both states
    /// can share memories. A folder for machine code is that of the other state.
    ///
    /// # Errors
    /// As [`WasmState::new`]; `CompileError` if the current thread has a stack of another size than the thread that
    /// made the engines.
    #[cfg(feature = "testing")]
    pub fn with_engines_of(
        capabilities: WasmCapabilities,
        engines: StateEngines,
    ) -> Result<Self, WasmError> {
        if engines.0.engines().stack() != ThreadStack::current().class() {
            let message = "the engines are for threads with stacks of another size";
            return Err(WasmError::compile(message));
        }
        let capabilities = WasmCapabilities {
            cache_path: None,
            ..capabilities
        };
        Self::with_code_cache(capabilities, |_| Ok(engines.0))
    }

    /// Returns the engines, for a state on another thread.
    #[cfg(feature = "testing")]
    pub fn engines(&self) -> StateEngines {
        StateEngines(self.code_cache.clone())
    }

    fn with_code_cache(
        capabilities: WasmCapabilities,
        code_cache: impl FnOnce(Option<CacheFolders>) -> Result<Arc<CodeCache>, WasmError>,
    ) -> Result<Self, WasmError> {
        let paths = match capabilities.allow_wasi {
            true => &capabilities.preopen_paths[..],
            false => &[],
        };
        let base = &capabilities.base_folder;
        let preopens = GrantedPaths::new(paths, &capabilities.preopen_globs, base)?;
        let files = Arc::new(CompilableFiles::new(&capabilities)?);
        let disk_cache = disk_cache::enter(capabilities.cache_path.as_deref(), &preopens)?;
        Ok(Self {
            code_cache: code_cache(disk_cache)?,
            files,
            compiles: CompileQueue::new(capabilities.max_pending_compiles),
            module_limits: Arc::new(capabilities.module_limits.clone()),
            preopens,
            network: GrantedNetwork::new(&capabilities.network)?,
            tls_connector: RefCell::default(),
            unclaimed: Arc::new(UnclaimedModules::new(capabilities.max_modules)),
            capabilities,
            modules: RefCell::default(),
            components: RefCell::default(),
            groups: RefCell::default(),
            stores: RefCell::default(),
            instances: RefCell::default(),
            next_module_id: Cell::new(1),
            next_component_id: Cell::new(1),
            next_group_id: Cell::new(1),
            next_store_id: Cell::new(1),
            next_instance_id: Cell::new(1),
            live_instances: Arc::default(),
            running_calls: Arc::default(),
            #[cfg(feature = "testing")]
            given_memories: RefCell::default(),
            wasi_linkers: Default::default(),
        })
    }

    /// Has the components of stores that are made from now on send requests with the scheme `https`, over connections that
    /// `connector` secures. Without a connector these requests fail with `TLS-protocol-error`.
    pub fn set_tls_connector(&self, connector: impl TlsConnector + 'static) {
        self.tls_connector.replace(Some(Arc::new(connector)));
    }

    /// Returns the capabilities that the host granted.
    pub fn capabilities(&self) -> &WasmCapabilities {
        &self.capabilities
    }

    /// Returns the files that may be compiled. The value can be sent to another thread.
    pub(crate) fn files(&self) -> Arc<CompilableFiles> {
        self.files.clone()
    }

    /// Returns a compiler for this state. It can be sent to another thread.
    pub(crate) fn compiler(&self) -> Compiler {
        self.compiler_with(StoreOptions::default())
    }

    /// Returns a compiler whose code is ready for stores with these options.
    pub(crate) fn compiler_with(&self, options: StoreOptions) -> Compiler {
        self.compiler_for(options.capped(&self.capabilities).checks())
    }

    fn compiler_for(&self, checks: Checks) -> Compiler {
        let limits = self.module_limits.clone();
        let queue = self.compiles.clone();
        Compiler::new(
            self.code_cache.clone(),
            checks,
            limits,
            self.capabilities.allow_legacy_exceptions,
            queue,
        )
    }

    /// Compiles a module in the binary or the text format on this thread. It waits for its turn, since a process
    /// runs one compilation per core at a time.
    ///
    /// # Errors
    /// `CompileError` if the module is not valid, exceeds a cap, or too many compilations wait.
    pub fn compile(&self, source: &[u8]) -> Result<WasmModule, WasmError> {
        self.compile_for(source, StoreOptions::default())
    }

    /// As [`WasmState::compile`], for stores with options like these. Code has only the checks that its stores need. If it
    /// lacks those of a store, [`WasmState::instantiate`] compiles it again.
    ///
    /// # Errors
    /// As [`WasmState::compile`].
    pub fn compile_for(
        &self,
        source: &[u8],
        options: StoreOptions,
    ) -> Result<WasmModule, WasmError> {
        let compiler = self.compiler_with(options);
        self.add_module(compiler.in_turn(|compiler| compiler.compile(source))?)
    }

    /// Compiles the module in a file that the capabilities grant.
    ///
    /// # Errors
    /// `CompileError` if the file is not granted or not readable, or as [`WasmState::compile`].
    pub fn compile_file(&self, path: &Path) -> Result<WasmModule, WasmError> {
        let cap = self.capabilities.module_limits.max_source_bytes();
        self.compile(&self.files.read(path, cap)?)
    }

    /// Returns every limit on modules that a module in the binary or the text format exceeds; none if the limits let it
    /// through. It is not compiled, and may be invalid.
    ///
    /// # Errors
    /// `CompileError` if the source is malformed text, or neither binary nor text.
    pub fn exceeded_limits(&self, source: &[u8]) -> Result<Vec<ExceededLimit>, WasmError> {
        admission::exceeded_limits(source, &self.module_limits)
    }

    /// Adds a module that a [`Compiler`] of this state compiled.
    ///
    /// # Errors
    /// `CompileError` if there are too many modules, or no handles are left for them.
    pub(crate) fn add_module(&self, code: Arc<Code>) -> Result<WasmModule, WasmError> {
        self.check_module_count()?;
        let id = next_id(&self.next_module_id)
            .ok_or_else(|| WasmError::compile("too many modules were compiled"))?;
        let module = WasmModule::new(id, code);
        self.modules.borrow_mut().insert(id, module.clone());
        Ok(module)
    }

    /// Checks that one more module or component may be added.
    fn check_module_count(&self) -> Result<(), WasmError> {
        let cap = self.capabilities.max_modules;
        if self.live_modules() >= cap as usize {
            return Err(WasmError::compile(format!(
                "too many modules: the cap is {cap}"
            )));
        }
        Ok(())
    }

    /// Returns the modules that the host has compiled for scripts. The value can be sent to another thread.
    pub(crate) fn unclaimed(&self) -> Arc<UnclaimedModules> {
        self.unclaimed.clone()
    }

    /// Adds the module that the host has compiled under this number to the modules of the scripts.
    ///
    /// # Errors
    /// `CompileError` if there is no such module, or not any more; otherwise as [`WasmState::add_module`].
    pub(crate) fn claim_module(&self, number: u32) -> Result<WasmModule, WasmError> {
        let code = self.unclaimed.get(number);
        let code = code.ok_or_else(|| {
            WasmError::compile(format!("no module was loaded under the number {number}"))
        })?;
        // A module that cannot be added stays: there may be room after garbage was collected.
        let module = self.add_module(code)?;
        self.unclaimed.remove(number);
        Ok(module)
    }

    /// Returns the module with this handle.
    ///
    /// # Errors
    /// `InstantiateError` if the module was dropped or never existed.
    pub fn module(&self, id: u32) -> Result<WasmModule, WasmError> {
        let module = self.modules.borrow().get(&id).cloned();
        module.ok_or_else(|| {
            WasmError::instantiate(format!("module {id} was dropped or never compiled"))
        })
    }

    /// Drops a module; its instances stay alive. Returns whether the module existed.
    pub fn drop_module(&self, id: u32) -> bool {
        let dropped = self.modules.borrow_mut().remove(&id);
        tracing::debug!(id, "dropped a module");
        dropped.is_some()
    }

    /// The number of modules and components that have not been dropped.
    pub fn live_modules(&self) -> usize {
        self.modules.borrow().len() + self.components.borrow().len()
    }

    /// Instantiates a module in a store and runs its start function.
    ///
    /// # Errors
    /// `InstantiateError` if the module or an import is unknown or of the wrong type, or a cap is exceeded;
    /// `RuntimeError` if the store was dropped or is busy; `RuntimeError` and `FuelExhausted` from the start
    /// function.
    pub fn instantiate(
        &self,
        module: u32,
        store: u32,
        imports: Vec<Import>,
    ) -> Result<Outcome<WasmInstance>, WasmError> {
        self.instantiate_module(&self.module(module)?, store, imports)
    }

    /// Instantiates a module as [`WasmState::instantiate`] does.
    pub(crate) fn instantiate_module(
        &self,
        module: &WasmModule,
        store: u32,
        imports: Vec<Import>,
    ) -> Result<Outcome<WasmInstance>, WasmError> {
        self.instantiate_with(module, store, |instantiation, engine| {
            instantiation.link(imports, &|| self.wasi_linker(engine))
        })
    }

    /// Instantiates a module that imports only functions, with the functions of `H`, and runs its start function.
    /// [`HostImports`] says how often the functions are made.
    ///
    /// # Errors
    /// `InstantiateError` if the module imports another kind of object; otherwise as [`WasmState::instantiate`].
    pub fn instantiate_hosted<H: HostImports>(
        &self,
        module: u32,
        store: u32,
    ) -> Result<Outcome<WasmInstance>, WasmError> {
        self.instantiate_module_hosted::<H>(&self.module(module)?, store)
    }

    /// Instantiates a module as [`WasmState::instantiate_hosted`] does.
    pub(crate) fn instantiate_module_hosted<H: HostImports>(
        &self,
        module: &WasmModule,
        store: u32,
    ) -> Result<Outcome<WasmInstance>, WasmError> {
        self.instantiate_with(module, store, |instantiation, _| instantiation.host::<H>())
    }

    /// Calls `instantiate` for a module and a store, and adds the instance that it makes.
    fn instantiate_with(
        &self,
        module: &WasmModule,
        store_id: u32,
        instantiate: impl FnOnce(
            Instantiation<'_>,
            EngineChoice,
        ) -> Result<Outcome<WasmInstance>, WasmError>,
    ) -> Result<Outcome<WasmInstance>, WasmError> {
        let (store, engine) = self.entry(store_id, |entry| (entry.store.clone(), entry.engine))?;
        let checks = engine.checks;
        if self.entry(store_id, |entry| entry.component.is_some())? {
            return Err(WasmError::instantiate(
                "the store is that of a component instance, which has it alone",
            ));
        }
        self.check_store_is_plain(store_id)?;
        if module.code.profile.waits && (checks.fuel || checks.interrupt) {
            return Err(waits("module"));
        }
        let code = match module.code.get(engine) {
            Some(code) => code,
            None => {
                self.compiler().prepare(&module.code, engine)?;
                let code = module.code.get(engine);
                code.ok_or_else(|| WasmError::instantiate("the module is not compiled"))?
            }
        };
        self.check_instance_count(1)?;
        let id = next_id(&self.next_instance_id)
            .ok_or_else(|| WasmError::instantiate("too many instances were made"))?;
        let instantiation = Instantiation {
            id,
            module,
            code,
            store: &store,
        };
        let span = tracing::debug_span!("instantiate", id, module = module.id, store = store_id);
        let outcome = span.in_scope(|| instantiate(instantiation, engine))?;
        if let Outcome::Returned(instance) = &outcome {
            // The start function may have dropped the store. Then the instance must not be added, since it would
            // never be dropped.
            let stores = &mut *self.stores.borrow_mut();
            let entry = stores.get_mut(&store_id);
            let entry = entry.ok_or_else(|| dropped("store", store_id))?;
            entry.instances.push(id);
            self.instances.borrow_mut().insert(id, instance.clone());
            tracing::debug!(id, module = module.id, "instantiated a module");
        }
        Ok(outcome)
    }

    /// Checks that this many more instances may be made.
    fn check_instance_count(&self, more: u32) -> Result<(), WasmError> {
        let cap = self.capabilities.max_instances;
        if self.live_instances().saturating_add(more) > cap {
            return Err(WasmError::instantiate(format!(
                "too many instances: the cap is {cap}"
            )));
        }
        Ok(())
    }

    fn wasi_linker(&self, engine: EngineChoice) -> Result<&Linker<StoreData>, WasmError> {
        let cell = &self.wasi_linkers[engine.index()];
        if let Some(linker) = cell.get() {
            return Ok(linker);
        }
        let linker = wasi::linker(self.code_cache.engines().chosen(engine)?)?;
        Ok(cell.get_or_init(|| linker))
    }

    /// Returns the instance with this handle.
    ///
    /// # Errors
    /// `RuntimeError` if the instance was dropped or never existed.
    pub fn instance(&self, id: u32) -> Result<WasmInstance, WasmError> {
        let instance = self.instances.borrow().get(&id).cloned();
        instance.ok_or_else(|| dropped("instance", id))
    }

    /// Drops an instance; its memory is freed with its store. Returns whether the instance existed.
    pub fn drop_instance(&self, id: u32) -> bool {
        let dropped = self.instances.borrow_mut().remove(&id);
        tracing::debug!(id, "dropped an instance");
        dropped.is_some()
    }

    /// The number of instances that take up memory: all instances whose store is not freed.
    pub fn live_instances(&self) -> u32 {
        self.live_instances.load(Ordering::Relaxed)
    }
}

/// Returns the pool for the instances of a state with these capabilities.
fn pool_of(capabilities: &WasmCapabilities) -> Option<InstancePool> {
    let fits = capabilities.max_table_elements <= TABLE_ELEMENTS;
    capabilities.instance_pool.filter(|_| fits)
}

/// The error of a guest that could wait without an end.
fn waits(what: &str) -> WasmError {
    WasmError::instantiate(format!(
        "the {what} waits on shared memory (memory.atomic.wait), which neither fuel nor a deadline can end"
    ))
}

fn dropped(what: &str, id: u32) -> WasmError {
    WasmError::runtime(format!("{what} {id} was dropped"))
}

/// Returns the next handle, or `None` if none is left.
fn next_id(counter: &Cell<u32>) -> Option<u32> {
    let id = counter.get();
    counter.set(id.checked_add(1)?);
    Some(id)
}
