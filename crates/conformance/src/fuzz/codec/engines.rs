//! The two engines that run a case: ours, whose values cross by the codec, and wasmtime alone with its dynamic values.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use ext_wasm::wasmtime::component::{Component, Instance, Linker, Val};
use ext_wasm::wasmtime::{self, Config, Engine, Store};
use ext_wasm::{StoreOptions, WasmCapabilities, WasmErrorCode, WasmState};

/// The values that an import got, and those that it returns.
#[derive(Default)]
pub struct Exchange {
    pub got: Vec<Val>,
    pub returns: Option<Val>,
}

/// What an import of both engines shares with the case.
pub type Exchanged = Arc<Mutex<Exchange>>;

fn exchange(shared: &Exchanged, args: &[Val]) -> Option<Val> {
    let mut exchange = shared.lock().unwrap_or_else(PoisonError::into_inner);
    exchange.got = args.to_vec();
    exchange.returns.clone()
}

/// A call that did not return: the guest trapped, or the host refused its values.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended {
    /// The reason that is the same in both engines.
    Trapped,
    /// Too many values: the engines count them differently.
    TooMany,
}

impl Ended {
    fn of(message: &str) -> Self {
        match message.contains("fuel allocated for hostcalls") {
            true => Self::TooMany,
            false => Self::Trapped,
        }
    }
}

fn failed(error: wasmtime::Error) -> anyhow::Error {
    anyhow::anyhow!("{error:?}")
}

/// An instance in one of the engines.
pub trait Guest {
    /// Calls an exported function.
    ///
    /// # Errors
    /// If the call ended the instance.
    fn call(&mut self, name: &str, args: &[Val]) -> Result<Option<Val>, Ended>;
}

/// A component in both engines.
pub struct Engines {
    state: WasmState,
    ours: u32,
    engine: Engine,
    component: Component,
}

impl Engines {
    /// Compiles a component.
    ///
    /// # Errors
    /// If either engine refuses it.
    pub fn new(binary: &[u8]) -> anyhow::Result<Self> {
        let state = WasmState::new(WasmCapabilities::default())?;
        let ours = state.compile_component(binary)?.id;
        let mut config = Config::new();
        config.wasm_component_model_fixed_length_lists(true);
        let engine = Engine::new(&config).map_err(failed)?;
        let component = Component::new(&engine, binary).map_err(failed)?;
        Ok(Self {
            state,
            ours,
            engine,
            component,
        })
    }

    /// Compiles a component that was damaged, and calls its functions. Returns whether it was valid.
    ///
    /// # Errors
    /// If it was refused for another reason than that it is not valid.
    pub fn run_damaged(&self, binary: &[u8]) -> anyhow::Result<bool> {
        let component = match self.state.compile_component(binary) {
            Ok(component) => component,
            Err(error) => {
                let is_refusal = error.code == WasmErrorCode::CompileError;
                anyhow::ensure!(is_refusal, "a damaged component was refused with {error}");
                return Ok(false);
            }
        };
        let hosts = (0..component.host_functions()).map(|_| {
            let host = |_: &_, _: &[Val]| Ok(Vec::new());
            Box::new(host) as Box<ext_wasm::runtime::ComponentFunction>
        });
        let options = StoreOptions::default().with_fuel(100_000);
        let made = self
            .state
            .instantiate_component(component.id, options, hosts.collect());
        if let Ok((store, instance)) = made {
            for name in ["give", "relay"] {
                let _ = instance.call(name, &[]);
            }
            self.state.drop_store(store);
        }
        self.state.drop_component(component.id);
        Ok(true)
    }

    /// An instance in our engine.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn ours(&self, shared: &Exchanged) -> anyhow::Result<Ours<'_>> {
        let shared = shared.clone();
        let host = move |_: &_, args: &[Val]| Ok(exchange(&shared, args).into_iter().collect());
        let imports: Vec<Box<ext_wasm::runtime::ComponentFunction>> = vec![Box::new(host)];
        let options = StoreOptions::default();
        let (store, instance) = self
            .state
            .instantiate_component(self.ours, options, imports)?;
        Ok(Ours {
            state: &self.state,
            store,
            instance,
        })
    }

    /// An instance in wasmtime alone.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn theirs(&self, shared: &Exchanged) -> anyhow::Result<Theirs> {
        let mut linker = Linker::new(&self.engine);
        let shared = shared.clone();
        let added = linker.root().func_new("host", move |_, _, args, results| {
            if let Some(value) = exchange(&shared, args) {
                results[0] = value;
            }
            Ok(())
        });
        added.map_err(failed)?;
        let mut store = Store::new(&self.engine, ());
        let made = linker.instantiate(&mut store, &self.component);
        let instance = made.map_err(failed)?;
        Ok(Theirs { store, instance })
    }
}

/// An instance in our engine.
pub struct Ours<'a> {
    state: &'a WasmState,
    store: u32,
    instance: ext_wasm::runtime::ComponentInstance,
}

impl Drop for Ours<'_> {
    fn drop(&mut self) {
        self.state.drop_store(self.store);
    }
}

impl Ours<'_> {
    /// The first bytes of the memory.
    ///
    /// # Errors
    /// If the instance has ended.
    pub fn memory(&self, length: u32) -> anyhow::Result<Vec<u8>> {
        let mut image = vec![0; 4];
        image.extend(length.to_le_bytes());
        Ok(self.instance.call_image(GET, image)?.1)
    }

    /// Whether the values of the functions cross as images.
    pub fn has_images(&self) -> bool {
        let refused = self.instance.call_image(TAKE, Vec::new()).err();
        !refused.is_some_and(|error| error.message.contains("do not cross as bytes"))
    }

    /// Calls `give`, and returns the image of its result.
    ///
    /// # Errors
    /// If the call ended the instance.
    pub fn give_image(&self) -> anyhow::Result<Vec<u8>> {
        let (mut head, heap) = self.instance.call_image(GIVE, Vec::new())?;
        head.extend(heap);
        Ok(head)
    }

    /// Calls `take` with the bytes of its arguments. Returns whether they fit.
    ///
    /// # Errors
    /// If bytes that fit ended the instance, or bytes that do not fit did, or were refused in another way.
    pub fn take_image(&self, image: &[u8]) -> anyhow::Result<bool> {
        match self.instance.call_image(TAKE, image.to_vec()) {
            Ok(_) => Ok(true),
            Err(error) => {
                let ended = self.instance.ended();
                anyhow::ensure!(
                    error.code == WasmErrorCode::TypeMismatch && !ended,
                    "an image was refused with {error}, and the instance has ended: {ended}"
                );
                Ok(false)
            }
        }
    }
}

/// The numbers of functions among the exports.
const TAKE: u32 = 0;
const GIVE: u32 = 1;
const GET: u32 = 5;

impl Guest for Ours<'_> {
    fn call(&mut self, name: &str, args: &[Val]) -> Result<Option<Val>, Ended> {
        let called = self.instance.call(name, args);
        called.map_err(|error| Ended::of(&error.message))
    }
}

/// An instance in wasmtime alone.
pub struct Theirs {
    store: Store<()>,
    instance: Instance,
}

impl Guest for Theirs {
    fn call(&mut self, name: &str, args: &[Val]) -> Result<Option<Val>, Ended> {
        let func = self.instance.get_func(&mut self.store, name);
        let func = func.context("no such function");
        let called = func.map_err(|error| error.to_string()).and_then(|func| {
            let results = func.ty(&self.store).results().len();
            let mut results = vec![Val::Bool(false); results];
            let called = func.call(&mut self.store, args, &mut results);
            called.map_err(|error| format!("{error:?}"))?;
            Ok(results.pop())
        });
        called.map_err(|message| Ended::of(&message))
    }
}
