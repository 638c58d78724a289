//! The `engine` lane: wasmtime alone, the reference for the other lanes.

mod component;

use std::collections::HashMap;

use json_from_wast::ComponentConst;
use wasmparser::{Validator, WasmFeatures};
use wasmtime::{
    AnyRef, Config, Engine, Error, Extern, ExternRef, Instance, Linker, Module, RootScope, Rooted,
    SharedMemory, Store, ThrownException, Trap, Val,
};

use self::component::EngineComponents;
use crate::component::ComponentValue;
use crate::features::Features;
use crate::host::{
    ComponentId, ComponentInstanceId, Failure, FailureKind, Host, InstanceId, ModuleId, NewThread,
    Source, ThreadHost,
};
use crate::value::{Top, Value};

/// A wasmtime store and all that a script made in it.
pub struct EngineHost {
    features: WasmFeatures,
    store: Store<()>,
    modules: Vec<Module>,
    instances: Vec<Exports>,
    registered: HashMap<String, Vec<Exports>>,
    components: EngineComponents,
}

/// The exports of an instance.
#[derive(Clone)]
enum Exports {
    /// An instance of this store.
    Own(Instance),
    /// The shared memories of an instance that the script made outside of this thread, by name.
    Shared(Vec<(String, SharedMemory)>),
}

impl Exports {
    fn get(&self, store: &mut Store<()>, name: &str) -> Option<Extern> {
        match self {
            Exports::Own(instance) => instance.get_export(store, name),
            Exports::Shared(memories) => {
                let mut memories = memories.iter();
                let (_, memory) = memories.find(|(export, _)| export == name)?;
                Some(memory.clone().into())
            }
        }
    }

    fn shared_memories(&self, store: &mut Store<()>) -> Vec<(String, SharedMemory)> {
        match self {
            Exports::Own(instance) => {
                let exports = instance.exports(store);
                exports
                    .filter_map(|export| {
                        let name = export.name().to_owned();
                        Some((name, export.into_extern().into_shared_memory()?))
                    })
                    .collect()
            }
            Exports::Shared(memories) => memories.clone(),
        }
    }
}

impl EngineHost {
    /// A store of an engine with exactly these features on.
    ///
    /// # Errors
    ///
    /// When wasmtime cannot have this set of features.
    pub fn new(features: &Features) -> anyhow::Result<Self> {
        let mut config = Config::new();
        features.configure(&mut config);
        // Scripts already run in parallel.
        config.parallel_compilation(false);
        let engine = Engine::new(&config).map_err(|error| anyhow::anyhow!("{error:#}"))?;
        Ok(Self::with_engine(&engine, features.flags()))
    }

    fn with_engine(engine: &Engine, features: WasmFeatures) -> Self {
        Self {
            features,
            store: Store::new(engine, ()),
            modules: Vec::new(),
            instances: Vec::new(),
            registered: HashMap::new(),
            components: EngineComponents::default(),
        }
    }

    /// Sorts an error that came out of running WebAssembly.
    fn failure(&mut self, error: Error) -> Failure {
        if error.is::<ThrownException>() {
            // It would stay in the store, and alive, as the pending exception.
            self.store.take_pending_exception();
            return Failure::new(FailureKind::Exception, "uncaught exception");
        }
        let Some(trap) = error.downcast_ref::<Trap>() else {
            return Failure::other(format!("{error:#}"));
        };
        let kind = match trap {
            Trap::StackOverflow => FailureKind::Exhaustion,
            Trap::UnhandledTag => FailureKind::Suspension,
            _ => FailureKind::Trap,
        };
        Failure::new(kind, trap.to_string())
    }
}

impl Host for EngineHost {
    fn compile(&mut self, source: Source<'_>) -> Result<ModuleId, Failure> {
        let binary = source.to_binary()?;
        let engine = self.store.engine();
        let module = Module::from_binary(engine, &binary).map_err(|error| {
            // What the validator has nothing against is beyond wasmtime, not invalid. `Module::validate` will not
            // do for this: it reads some encodings of features that are off.
            let valid = Validator::new_with_features(self.features).validate_all(&binary);
            let kind = match valid {
                Ok(_) => FailureKind::Other,
                Err(_) => FailureKind::Invalid,
            };
            Failure::new(kind, format!("{error:#}"))
        })?;
        self.modules.push(module);
        Ok(ModuleId(self.modules.len() - 1))
    }

    fn instantiate(&mut self, module: ModuleId) -> Result<InstanceId, Failure> {
        let module = &self.modules[module.0];
        let unlinkable = |message: String| Failure::new(FailureKind::Unlinkable, message);
        let mut linker = Linker::new(self.store.engine());
        // A module may import the same thing twice.
        linker.allow_shadowing(true);
        for import in module.imports() {
            let mut registered = self.registered.get(import.module()).into_iter().flatten();
            let item = registered
                .find_map(|exports| exports.get(&mut self.store, import.name()))
                .ok_or_else(|| {
                    unlinkable(format!("no `{}` in `{}`", import.name(), import.module()))
                })?;
            linker
                .define(&mut self.store, import.module(), import.name(), item)
                .map_err(|error| Failure::other(format!("{error:#}")))?;
        }
        let linked = linker
            .instantiate_pre(module)
            .map_err(|error| unlinkable(format!("{error:#}")))?;
        let instance = linked
            .instantiate(&mut self.store)
            .map_err(|error| self.failure(error))?;
        self.instances.push(Exports::Own(instance));
        Ok(InstanceId(self.instances.len() - 1))
    }

    fn register(&mut self, name: &str, instances: &[InstanceId]) -> Result<(), Failure> {
        let instances = instances.iter().map(|id| self.instances[id.0].clone());
        self.registered.insert(name.to_owned(), instances.collect());
        Ok(())
    }

    fn invoke(
        &mut self,
        instance: InstanceId,
        function: &str,
        args: &[Value],
    ) -> Result<Vec<Value>, Failure> {
        let func = self.instances[instance.0]
            .get(&mut self.store, function)
            .and_then(Extern::into_func)
            .ok_or_else(|| Failure::other(format!("no exported function `{function}`")))?;
        let mut results = vec![Val::I32(0); func.ty(&self.store).results().len()];
        // References that go in or come out are roots; they are not needed longer than this call.
        let mut scope = RootScope::new(&mut self.store);
        let called = args
            .iter()
            .map(|arg| to_wasmtime(&mut scope, *arg))
            .collect::<wasmtime::Result<Vec<Val>>>()
            .and_then(|args| func.call(&mut scope, &args, &mut results));
        let values = called.and_then(|()| {
            results
                .iter()
                .map(|result| from_wasmtime(&mut scope, result))
                .collect()
        });
        drop(scope);
        values.map_err(|error| self.failure(error))
    }

    fn get(&mut self, instance: InstanceId, global: &str) -> Result<Value, Failure> {
        let global = self.instances[instance.0]
            .get(&mut self.store, global)
            .and_then(Extern::into_global)
            .ok_or_else(|| Failure::other(format!("no exported global `{global}`")))?;
        let mut scope = RootScope::new(&mut self.store);
        let value = global.get(&mut scope);
        let value = from_wasmtime(&mut scope, &value);
        drop(scope);
        value.map_err(|error| self.failure(error))
    }

    fn compile_component(&mut self, source: Source<'_>) -> Result<ComponentId, Failure> {
        let engine = self.store.engine();
        self.components.compile(engine, self.features, source)
    }

    fn instantiate_component(
        &mut self,
        component: ComponentId,
    ) -> Result<ComponentInstanceId, Failure> {
        self.components.instantiate(component)
    }

    fn invoke_component(
        &mut self,
        instance: ComponentInstanceId,
        function: &str,
        args: &[&ComponentConst<'_>],
    ) -> Result<Option<ComponentValue>, Failure> {
        self.components.invoke(instance, function, args)
    }

    fn thread(&mut self, shared: Option<InstanceId>) -> Result<NewThread, Failure> {
        let memories = shared.map(|id| self.instances[id.0].shared_memories(&mut self.store));
        let (engine, features) = (self.store.engine().clone(), self.features);
        Ok(Box::new(move || {
            let mut host = EngineHost::with_engine(&engine, features);
            host.instances.extend(memories.map(Exports::Shared));
            Ok(ThreadHost {
                shared: shared.map(|_| InstanceId(0)),
                host: Box::new(host),
            })
        }))
    }
}

type Scope<'a> = RootScope<&'a mut Store<()>>;

fn to_wasmtime(scope: &mut Scope<'_>, value: Value) -> wasmtime::Result<Val> {
    Ok(match value {
        Value::I32(value) => Val::I32(value),
        Value::I64(value) => Val::I64(value),
        Value::F32(bits) => Val::F32(bits),
        Value::F64(bits) => Val::F64(bits),
        Value::V128(bytes) => Val::V128(u128::from_le_bytes(bytes).into()),
        Value::Null(Some(Top::Any)) => Val::AnyRef(None),
        Value::Null(Some(Top::Func)) => Val::FuncRef(None),
        Value::Null(Some(Top::Extern)) => Val::ExternRef(None),
        Value::Null(Some(Top::Exn)) => Val::ExnRef(None),
        Value::Extern(Some(n)) => Val::ExternRef(Some(ExternRef::new(scope, n)?)),
        Value::Host(n) => {
            let host = ExternRef::new(&mut *scope, n)?;
            Val::AnyRef(Some(AnyRef::convert_extern(scope, host)?))
        }
        other => wasmtime::bail!("no argument of a script: {other}"),
    })
}

fn from_wasmtime(scope: &mut Scope<'_>, value: &Val) -> wasmtime::Result<Value> {
    Ok(match value {
        Val::I32(value) => Value::I32(*value),
        Val::I64(value) => Value::I64(*value),
        Val::F32(bits) => Value::F32(*bits),
        Val::F64(bits) => Value::F64(*bits),
        Val::V128(value) => Value::V128(value.as_u128().to_le_bytes()),
        Val::AnyRef(None) => Value::Null(Some(Top::Any)),
        Val::FuncRef(None) => Value::Null(Some(Top::Func)),
        Val::ExternRef(None) => Value::Null(Some(Top::Extern)),
        Val::ExnRef(None) => Value::Null(Some(Top::Exn)),
        Val::ContRef(None) => Value::Null(Some(Top::Cont)),
        Val::FuncRef(Some(_)) => Value::Func,
        Val::ExternRef(Some(reference)) => Value::Extern(host_value(scope, *reference)?),
        Val::AnyRef(Some(reference)) if reference.is_i31(&*scope)? => Value::I31,
        Val::AnyRef(Some(reference)) if reference.is_struct(&*scope)? => Value::Struct,
        Val::AnyRef(Some(reference)) if reference.is_array(&*scope)? => Value::Array,
        Val::AnyRef(Some(reference)) => {
            let external = ExternRef::convert_any(&mut *scope, *reference)?;
            host_value(scope, external)?.map_or(Value::Any, Value::Host)
        }
        Val::ExnRef(Some(_)) => Value::Exn,
        Val::ContRef(Some(_)) => Value::Cont,
    })
}

/// The number that a script wrapped as a host value, if that is what this is.
fn host_value(scope: &Scope<'_>, reference: Rooted<ExternRef>) -> wasmtime::Result<Option<u32>> {
    let data = reference.data(scope)?;
    Ok(data.and_then(|data| data.downcast_ref::<u32>().copied()))
}
