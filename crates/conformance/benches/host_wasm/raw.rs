//! wasmtime alone: the reference.

use std::time::{Duration, Instant};

use wasmtime::{Config, Engine, Instance, Module, Store, TypedFunc, WasmParams, WasmResults};

/// Converts an error of wasmtime to an error of anyhow.
pub fn ok<T>(result: wasmtime::Result<T>) -> anyhow::Result<T> {
    result.map_err(|error| anyhow::anyhow!("{error:#}"))
}

/// An engine with the same layout of memories as `host:wasm`, without checks in the code of guests.
pub fn engine() -> anyhow::Result<Engine> {
    let mut config = Config::new();
    config
        .memory_reservation(ext_wasm::runtime::MEMORY_RESERVATION)
        .memory_may_move(false);
    ok(Engine::new(&config))
}

/// An instance without imports.
pub struct Guest {
    store: Store<()>,
    instance: Instance,
}

impl Guest {
    pub fn new(text: &str) -> anyhow::Result<Self> {
        let engine = engine()?;
        let module = ok(Module::new(&engine, wat::parse_str(text)?))?;
        let mut store = Store::new(&engine, ());
        let instance = ok(Instance::new(&mut store, &module, &[]))?;
        Ok(Self { store, instance })
    }

    pub fn func<P: WasmParams, R: WasmResults>(
        &mut self,
        name: &str,
    ) -> anyhow::Result<TypedFunc<P, R>> {
        ok(self.instance.get_typed_func(&mut self.store, name))
    }

    /// The time of `n` calls.
    pub fn time<P: WasmParams, R: WasmResults>(
        &mut self,
        func: &TypedFunc<P, R>,
        n: u32,
        mut args: impl FnMut(u32) -> P,
    ) -> anyhow::Result<Duration> {
        let start = Instant::now();
        for i in 0..n {
            std::hint::black_box(ok(func.call(&mut self.store, args(i)))?);
        }
        Ok(start.elapsed())
    }
}
