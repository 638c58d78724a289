//! The stores of a state.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use wasmtime::MemoryType;
#[cfg(feature = "testing")]
use wasmtime::SharedMemory;

use crate::runtime::base::error::WasmError;
use crate::runtime::base::options::{Checks, StoreOptions};
use crate::runtime::base::stats::StateStats;
use crate::runtime::engine::group::Group;
use crate::runtime::engine::instance_pool::{PoolShare, PooledEngine};
use crate::runtime::engine::limiter::{Limits, Usage};
use crate::runtime::engine::{EngineChoice, EngineKind};
use crate::runtime::objects::memory::WasmMemory;
use crate::runtime::state::{Entry, WasmState, dropped, next_id};
use crate::runtime::store::concurrent::exchange::ExchangeLimits;
use crate::runtime::store::{CallLimits, StoreEngine, StoreWasi, WasmStore};
use crate::runtime::wasi::Wasi;
use crate::runtime::wasi::p2::WasiP2;

/// The use of a new store.
pub(super) enum StoreKind {
    /// A store of its own, for instances of modules.
    Single,
    /// A store of its own, for an instance of the module with this handle and of others. It can be in the pool.
    ForModule(u32),
    /// A store of a group.
    Grouped(Arc<Group>),
    /// The store for the instance of a component that needs engines of this kind.
    Component(EngineKind),
}

impl WasmState {
    /// Makes a store with `options`, limited by the capabilities. Returns its handle and the store.
    ///
    /// # Errors
    /// `InstantiateError` if there are too many stores, no handles are left for them, or the options ask for WASI
    /// resources that are not granted.
    pub fn new_store(&self, options: StoreOptions) -> Result<(u32, WasmStore), WasmError> {
        self.make_store(options.capped(&self.capabilities), StoreKind::Single)
    }

    /// Makes a store for an instance of the module with this handle, as [`WasmState::new_store`]. The store is in the
    /// [pool of instances](crate::WasmCapabilities::instance_pool), if there is one, it has room, and the module fits. Other
    /// instances in the same store need room in the pool, too.
    ///
    /// # Errors
    /// As [`WasmState::new_store`]; where there is a pool, also if the module was dropped or never existed.
    pub fn new_store_for(
        &self,
        module: u32,
        options: StoreOptions,
    ) -> Result<(u32, WasmStore), WasmError> {
        let kind = StoreKind::ForModule(module);
        self.make_store(options.capped(&self.capabilities), kind)
    }

    /// Takes a place in the pool for an instance of a module, if there is a pool, it has room, and the module fits.
    fn place_for(
        &self,
        module: u32,
        checks: Checks,
    ) -> Result<Option<(&PooledEngine, PoolShare)>, WasmError> {
        let Some(pool) = self.code_cache.engines().pooled(checks) else {
            return Ok(None);
        };
        let choice = EngineChoice {
            checks,
            is_pooled: true,
        };
        // A module that is not compiled for the pool may not fit.
        let is_ready = self.module(module)?.code.is_ready(choice);
        let place = is_ready.then(|| pool.take_place()).flatten();
        Ok(place.map(|place| (pool, place)))
    }

    /// Makes a store for the instance of a component, as [`WasmState::new_store`].
    ///
    /// # Errors
    /// As [`WasmState::new_store`].
    pub(crate) fn new_component_store(
        &self,
        options: StoreOptions,
        kind: EngineKind,
    ) -> Result<(u32, WasmStore), WasmError> {
        let kind = StoreKind::Component(kind);
        self.make_store(options.capped(&self.capabilities), kind)
    }

    /// Makes a store with options that are limited by the capabilities.
    pub(super) fn make_store(
        &self,
        options: StoreOptions,
        kind: StoreKind,
    ) -> Result<(u32, WasmStore), WasmError> {
        let cap = self.capabilities.max_stores;
        if self.stores.borrow().len() >= cap as usize {
            return Err(WasmError::instantiate(format!(
                "too many stores: the cap is {cap}"
            )));
        }
        let checks = options.checks();
        let (group, is_for_component, kind, pooled) = match kind {
            StoreKind::Single => (None, false, EngineKind::Plain, None),
            StoreKind::ForModule(module) => {
                let place = self.place_for(module, checks)?;
                (None, false, EngineKind::Plain, place)
            }
            StoreKind::Grouped(group) => (Some(group), false, EngineKind::Plain, None),
            StoreKind::Component(kind) => (None, true, kind, None),
        };
        let (pool, places) = pooled.unzip();
        let is_grouped = group.is_some();
        let memories = pool.map(PooledEngine::memories);
        let limits = Limits::new(&options, &self.capabilities, group.as_deref(), memories);
        let wasi = options.wasi;
        let wasi = wasi.map(|config| {
            let (capabilities, preopens) = (&self.capabilities, &self.preopens);
            let tls = self.tls_connector.borrow().clone();
            Ok::<_, WasmError>(match is_for_component {
                false => StoreWasi::Modules(Wasi::new(config, capabilities, preopens)?),
                true => {
                    let wasi = WasiP2::new(config, capabilities, preopens, &self.network, tls)?;
                    StoreWasi::Component(Box::new(wasi))
                }
            })
        });
        let store = WasmStore::new(
            StoreEngine {
                engine: match pool {
                    Some(pool) => &pool.engine,
                    None => self.code_cache.engines().of_kind(kind, checks)?,
                },
                places,
            },
            limits,
            wasi.transpose()?,
            CallLimits {
                interruptible: checks.interrupt,
                timeout: options.timeout_ms.map(Duration::from_millis),
            },
            self.live_instances.clone(),
            group,
            (kind == EngineKind::Async).then_some(ExchangeLimits {
                calls: self.capabilities.max_component_calls,
                streams: self.capabilities.max_component_streams,
            }),
        );
        // A store of a group gets fuel when a guest runs in it.
        if let Some(fuel) = options.fuel.filter(|_| !is_grouped) {
            store.set_fuel(fuel)?;
        }
        let id = next_id(&self.next_store_id)
            .ok_or_else(|| WasmError::instantiate("too many stores were made"))?;
        let entry = Entry {
            store: store.clone(),
            engine: EngineChoice {
                checks,
                is_pooled: pool.is_some(),
            },
            kind,
            instances: Vec::new(),
            component: None,
            component_instance: None,
            http_exchange: None,
        };
        self.stores.borrow_mut().insert(id, entry);
        Ok((id, store))
    }

    /// Returns the store with this handle.
    ///
    /// # Errors
    /// `RuntimeError` if the store was dropped or never existed.
    pub fn store(&self, id: u32) -> Result<WasmStore, WasmError> {
        self.entry(id, |entry| entry.store.clone())
    }

    /// Checks that the store with this handle can be used.
    ///
    /// # Errors
    /// `RuntimeError` if the store was dropped or never existed, or is busy.
    pub fn check_store(&self, id: u32) -> Result<(), WasmError> {
        match self.entry(id, |entry| entry.store.is_busy())? {
            true => Err(WasmError::busy()),
            false => Ok(()),
        }
    }

    /// Returns the checks in the guest code of the store with this handle.
    ///
    /// # Errors
    /// As [`WasmState::store`].
    pub(crate) fn checks(&self, id: u32) -> Result<Checks, WasmError> {
        self.entry(id, |entry| entry.engine.checks)
    }

    /// Returns the engine of the store with this handle.
    ///
    /// # Errors
    /// As [`WasmState::store`].
    pub(crate) fn engine_choice(&self, id: u32) -> Result<EngineChoice, WasmError> {
        self.entry(id, |entry| entry.engine)
    }

    /// Checks that code of modules can run in the store with this handle.
    ///
    /// # Errors
    /// `InstantiateError` if it is the store of an asynchronous component; otherwise as [`WasmState::store`].
    pub(super) fn check_store_is_plain(&self, id: u32) -> Result<(), WasmError> {
        match self.entry(id, |entry| entry.kind)? {
            EngineKind::Plain => Ok(()),
            EngineKind::Async => Err(WasmError::instantiate(
                "the store is for an asynchronous component, which has it alone",
            )),
        }
    }

    pub(super) fn store_and_checks(&self, id: u32) -> Result<(WasmStore, Checks), WasmError> {
        self.entry(id, |entry| (entry.store.clone(), entry.engine.checks))
    }

    pub(super) fn entry<R>(&self, id: u32, f: impl FnOnce(&Entry) -> R) -> Result<R, WasmError> {
        let stores = self.stores.borrow();
        let entry = stores.get(&id).ok_or_else(|| dropped("store", id))?;
        Ok(f(entry))
    }

    /// Makes a memory in the store with this handle, for a script.
    ///
    /// # Errors
    /// As [`WasmState::store`] and [`WasmStore::new_memory`].
    pub(crate) fn new_memory(&self, store: u32, ty: MemoryType) -> Result<WasmMemory, WasmError> {
        let store = self.store(store)?;
        #[cfg(feature = "testing")]
        if ty.is_shared()
            && let Some(given) = self.given_memories.borrow_mut().pop_front()
        {
            return store.add_shared_memory(given);
        }
        store.new_memory(ty)
    }

    /// Returns the elements from index `start` to before `end` of an array of mutable 16-bit numbers, as bytes in
    /// little-endian order. `object` is the number of the array in the store with this handle.
    ///
    /// # Errors
    /// `TypeMismatch` if the object is another one, `MemoryError` if an index is out of bounds, `RuntimeError` if the
    /// store was dropped or is busy or its guests' heap is full, `FuelExhausted` if the fuel ran out.
    pub fn read_array16(
        &self,
        store: u32,
        object: u32,
        start: u32,
        end: u32,
    ) -> Result<Vec<u8>, WasmError> {
        self.check_store_is_plain(store)?;
        let (store, engine) = (self.store(store)?, self.engine_choice(store)?);
        let code = self.code_cache.engines().code_units(engine)?;
        store.read_array16(code, object, start, end)
    }

    /// Sets the elements from index `start` on of such an array to `units`: bytes in little-endian order. A last odd
    /// byte is ignored.
    ///
    /// # Errors
    /// As [`WasmState::read_array16`].
    pub fn write_array16(
        &self,
        store: u32,
        object: u32,
        start: u32,
        units: &[u8],
    ) -> Result<(), WasmError> {
        self.check_store_is_plain(store)?;
        let (store, engine) = (self.store(store)?, self.engine_choice(store)?);
        let code = self.code_cache.engines().code_units(engine)?;
        store.write_array16(code, object, start, units)
    }

    /// Gives the scripts of this state a shared memory of another state, which has
    /// [the same engines](WasmState::with_engines_of): the next shared memory that a script makes is this one. Scripts
    /// themselves cannot hand a memory to another thread.
    #[cfg(feature = "testing")]
    pub fn give_shared_memory(&self, memory: SharedMemory) {
        self.given_memories.borrow_mut().push_back(memory);
    }

    /// Drops a store and its instances. Its memory is freed when the last call into the store has returned and the
    /// last [`crate::runtime::StoreLease`] is dropped. Returns whether the store existed.
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

    /// Returns how much the modules, stores and calls of this state use together. Guests may be running.
    pub fn stats(&self) -> StateStats {
        let stores = self.stores.borrow();
        let usages = || stores.values().map(|entry| entry.store.usage());
        StateStats {
            modules: self.live_modules(),
            stores: stores.len(),
            instances: self.live_instances(),
            pooled_instances: stores.values().map(|entry| entry.store.places()).sum(),
            running_calls: self.running_calls.load(Ordering::Relaxed),
            memory_bytes: usages().map(Usage::memory_bytes).sum(),
            table_elements: usages().map(Usage::table_elements).sum(),
        }
    }

    /// Sets the fuel of a store, limited by the cap.
    ///
    /// # Errors
    /// `RuntimeError` if the store was dropped, is busy, or was made without fuel.
    pub fn set_fuel(&self, store: u32, fuel: u64) -> Result<(), WasmError> {
        let fuel = fuel.min(self.capabilities.max_fuel.unwrap_or(u64::MAX));
        self.store(store)?.set_fuel(fuel)
    }
}
