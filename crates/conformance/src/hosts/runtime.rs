//! The `runtime` lane: `ext_wasm`'s Rust API, without JavaScript.

use std::collections::HashMap;
use std::sync::Arc;

use ext_wasm::runtime::{
    ComponentInstance, Import, Outcome, RefHandle, StoreOptions, WasmComponent, WasmModule,
    WasmState,
};
use ext_wasm::{ExportKind, WasmCapabilities, WasmError, WasmErrorCode, WasmInstance, WasmValue};
use json_from_wast::ComponentConst;
use wasmtime::{Config, HeapType, ValType};

use super::helper;
use crate::component::{ComponentValue, from_val, to_val};
use crate::features::Features;
use crate::host::{
    ComponentId, ComponentInstanceId, Failure, FailureKind, Host, InstanceId, ModuleId, NewThread,
    Source, ThreadHost,
};
use crate::value::{Top, Value};

/// A state with one store, and all that a script made in it.
pub struct RuntimeHost {
    state: WasmState,
    store: u32,
    modules: Vec<WasmModule>,
    instances: Vec<Exports>,
    registered: HashMap<String, Vec<Exports>>,
    helper: Option<WasmInstance>,
    components: Vec<WasmComponent>,
    component_instances: Vec<ComponentInstance>,
}

/// The exports of an instance.
#[derive(Clone)]
enum Exports {
    /// An instance of this store.
    Own(WasmInstance),
    /// The shared memories of an instance that the script made outside of this thread: names, and handles in this store.
    Shared(Vec<(String, u32)>),
}

impl Exports {
    fn get(&self, name: &str) -> Result<(ExportKind, u32), Failure> {
        match self {
            Exports::Own(instance) => instance.export(name).map_err(failure),
            Exports::Shared(memories) => {
                let memory = memories.iter().find(|(export, _)| export == name);
                let memory = memory.ok_or_else(|| Failure::other(format!("no `{name}`")))?;
                Ok((ExportKind::Memory, memory.1))
            }
        }
    }

    /// The names and handles of the memories.
    fn memories(&self) -> Result<Vec<(String, u32)>, Failure> {
        let instance = match self {
            Exports::Own(instance) => instance,
            Exports::Shared(memories) => return Ok(memories.clone()),
        };
        let exports = instance.exports.iter();
        let memories = exports.filter(|export| export.kind == ExportKind::Memory);
        memories
            .map(|export| Ok((export.name.to_string(), self.get(&export.name)?.1)))
            .collect()
    }
}

/// A state whose engine has exactly these features.
///
/// # Errors
///
/// When wasmtime cannot have this set of features.
pub fn state(features: &Features) -> Result<WasmState, WasmError> {
    let features = features.clone();
    let tune = move |config: &mut Config| {
        features.configure(config);
        // Scripts already run in parallel.
        config.parallel_compilation(false);
    };
    WasmState::with_engine(WasmCapabilities::default(), Some(Arc::new(tune)))
}

impl RuntimeHost {
    /// A state whose engine has exactly these features.
    ///
    /// # Errors
    ///
    /// When wasmtime cannot have this set of features.
    pub fn new(features: &Features) -> anyhow::Result<Self> {
        Self::with_state(state(features)?, helper::needed(features))
    }

    fn with_state(state: WasmState, needs_helper: bool) -> anyhow::Result<Self> {
        let (store, _) = state.new_store(StoreOptions::default())?;
        let mut this = Self {
            state,
            store,
            modules: Vec::new(),
            instances: Vec::new(),
            registered: HashMap::new(),
            helper: None,
            components: Vec::new(),
            component_instances: Vec::new(),
        };
        if needs_helper {
            let module = this.state.compile(helper::WAT.as_bytes())?;
            let made = this.state.instantiate(module.id, store, Vec::new())?;
            this.helper = Some(returned(made).map_err(|failure| anyhow::anyhow!("{failure}"))?);
        }
        Ok(this)
    }

    /// An instance of this store, which has functions and globals.
    fn own(&self, instance: InstanceId) -> Result<&WasmInstance, Failure> {
        match &self.instances[instance.0] {
            Exports::Own(instance) => Ok(instance),
            Exports::Shared(_) => Err(Failure::other("a thread shares memories only")),
        }
    }

    fn call_helper(&self, name: &str, arg: RefHandle) -> Result<WasmValue, Failure> {
        let helper = self.helper.as_ref();
        let helper = helper.ok_or_else(|| Failure::other("references need the feature gc"))?;
        let results = call(helper, name, &[WasmValue::Ref(arg)])?;
        let result = results.first().copied();
        result.ok_or_else(|| Failure::other("the helper returned nothing"))
    }

    fn to_wasm(&self, value: Value) -> Result<WasmValue, Failure> {
        Ok(match value {
            Value::I32(value) => WasmValue::I32(value),
            Value::I64(value) => WasmValue::I64(value),
            Value::F32(bits) => WasmValue::F32(f32::from_bits(bits)),
            Value::F64(bits) => WasmValue::F64(f64::from_bits(bits)),
            Value::V128(bytes) => WasmValue::V128(u128::from_le_bytes(bytes)),
            Value::Null(_) => WasmValue::Ref(RefHandle::Null),
            Value::Extern(Some(n)) => WasmValue::Ref(RefHandle::Host(n)),
            Value::Host(n) => self.call_helper("internalize", RefHandle::Host(n))?,
            other => return Err(Failure::other(format!("no argument of a script: {other}"))),
        })
    }

    fn to_script(&self, value: &WasmValue, ty: &ValType) -> Result<Value, Failure> {
        Ok(match *value {
            WasmValue::I32(value) => Value::I32(value),
            WasmValue::I64(value) => Value::I64(value),
            WasmValue::F32(value) => Value::F32(value.to_bits()),
            WasmValue::F64(value) => Value::F64(value.to_bits()),
            WasmValue::V128(value) => Value::V128(value.to_le_bytes()),
            WasmValue::Ref(RefHandle::Null) => Value::Null(top(ty)),
            WasmValue::Ref(RefHandle::Func(_)) => Value::Func,
            WasmValue::Ref(RefHandle::Host(n)) => Value::Extern(Some(n)),
            WasmValue::Ref(object @ RefHandle::Object(_)) => match top(ty) {
                Some(Top::Extern) => Value::Extern(None),
                Some(Top::Exn) => Value::Exn,
                _ => self.look_into(object)?,
            },
            ref other => return Err(Failure::other(format!("no value of a script: {other:?}"))),
        })
    }

    fn look_into(&self, object: RefHandle) -> Result<Value, Failure> {
        if let WasmValue::Ref(RefHandle::Host(n)) = self.call_helper("externalize", object)? {
            return Ok(Value::Host(n));
        }
        match self.call_helper("kind", object)? {
            WasmValue::I32(kind) => Ok(helper::kind(kind)),
            other => Err(Failure::other(format!("the helper returned {other:?}"))),
        }
    }
}

impl Host for RuntimeHost {
    fn compile(&mut self, source: Source<'_>) -> Result<ModuleId, Failure> {
        let (Source::Binary(bytes) | Source::Text(bytes)) = source;
        self.modules
            .push(self.state.compile(bytes).map_err(failure)?);
        Ok(ModuleId(self.modules.len() - 1))
    }

    fn instantiate(&mut self, module: ModuleId) -> Result<InstanceId, Failure> {
        let module = &self.modules[module.0];
        let mut imports = Vec::new();
        for wanted in &*module.imports {
            let mut registered = self.registered.get(&wanted.module).into_iter().flatten();
            let export = registered.find_map(|exports| exports.get(&wanted.name).ok());
            let (kind, handle) = export.ok_or_else(|| {
                let message = format!("no `{}` in `{}`", wanted.name, wanted.module);
                Failure::new(FailureKind::Unlinkable, message)
            })?;
            imports.push(match kind {
                ExportKind::Function => Import::Func(handle),
                ExportKind::Memory => Import::Memory(handle),
                ExportKind::Global => Import::Global(handle),
                ExportKind::Table => Import::Table(handle),
                _ => Import::Tag(handle),
            });
        }
        let made = self.state.instantiate(module.id, self.store, imports);
        self.instances
            .push(Exports::Own(returned(made.map_err(failure)?)?));
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
        let instance = self.own(instance)?;
        let args = args.iter().map(|arg| self.to_wasm(*arg));
        let args = args.collect::<Result<Vec<_>, _>>()?;
        let results = call(instance, function, &args)?;
        let (_, handle) = instance.export(function).map_err(failure)?;
        let func = instance.store().func(handle).map_err(failure)?;
        let types = &func.signature().results;
        let values = results.iter().zip(types);
        values
            .map(|(value, ty)| self.to_script(value, ty))
            .collect()
    }

    fn get(&mut self, instance: InstanceId, global: &str) -> Result<Value, Failure> {
        let instance = self.own(instance)?;
        let (kind, handle) = instance.export(global).map_err(failure)?;
        if kind != ExportKind::Global {
            return Err(Failure::other(format!("`{global}` is no global")));
        }
        let global = instance.store().global(handle).map_err(failure)?;
        let value = global.value().map_err(failure)?;
        self.to_script(&value, &global.content().map_err(failure)?)
    }

    fn compile_component(&mut self, source: Source<'_>) -> Result<ComponentId, Failure> {
        let (Source::Binary(bytes) | Source::Text(bytes)) = source;
        let component = self.state.compile_component(bytes).map_err(failure)?;
        self.components.push(component);
        Ok(ComponentId(self.components.len() - 1))
    }

    fn instantiate_component(
        &mut self,
        component: ComponentId,
    ) -> Result<ComponentInstanceId, Failure> {
        let component = self.components[component.0].id;
        let options = StoreOptions::default();
        let made = self
            .state
            .instantiate_component(component, options, Vec::new());
        let (_, instance) = made.map_err(component_failure)?;
        self.component_instances.push(instance);
        Ok(ComponentInstanceId(self.component_instances.len() - 1))
    }

    fn invoke_component(
        &mut self,
        instance: ComponentInstanceId,
        function: &str,
        args: &[&ComponentConst<'_>],
    ) -> Result<Option<ComponentValue>, Failure> {
        let args: Vec<_> = args.iter().map(|arg| to_val(arg)).collect();
        let called = self.component_instances[instance.0].call(function, &args);
        Ok(called.map_err(component_failure)?.as_ref().map(from_val))
    }

    fn thread(&mut self, shared: Option<InstanceId>) -> Result<NewThread, Failure> {
        let mut memories = Vec::new();
        if let Some(instance) = shared {
            let store = self.state.store(self.store).map_err(failure)?;
            for (name, handle) in self.instances[instance.0].memories()? {
                let memory = store.memory(handle).map_err(failure)?;
                let memory = memory.shared().map_err(failure)?;
                memories.extend(memory.map(|memory| (name, memory)));
            }
        }
        let (engines, needs_helper) = (self.state.engines(), self.helper.is_some());
        Ok(Box::new(move || {
            let state = WasmState::with_engines_of(WasmCapabilities::default(), engines)?;
            let mut host = Self::with_state(state, needs_helper)?;
            let store = host.state.store(host.store)?;
            let memories = memories.into_iter();
            let memories = memories
                .map(|(name, memory)| Ok((name, store.add_shared_memory(memory)?.handle())));
            let memories: Vec<(String, u32)> = memories.collect::<Result<_, WasmError>>()?;
            host.instances.push(Exports::Shared(memories));
            Ok(ThreadHost {
                shared: shared.map(|_| InstanceId(0)),
                host: Box::new(host),
            })
        }))
    }
}

fn call(
    instance: &WasmInstance,
    name: &str,
    args: &[WasmValue],
) -> Result<Vec<WasmValue>, Failure> {
    let (kind, handle) = instance.export(name).map_err(failure)?;
    if kind != ExportKind::Function {
        return Err(Failure::other(format!("`{name}` is no function")));
    }
    let func = instance.store().func(handle).map_err(failure)?;
    returned(func.call(args).map_err(failure)?)
}

/// What a run returned, if it did.
fn returned<T>(outcome: Outcome<T>) -> Result<T, Failure> {
    match outcome {
        Outcome::Returned(value) => Ok(value),
        Outcome::Threw(_) | Outcome::Aborted => {
            Err(Failure::other("a function of the host ended the call"))
        }
        Outcome::Exception(_) => Err(Failure::new(FailureKind::Exception, "uncaught exception")),
    }
}

fn failure(error: WasmError) -> Failure {
    failure_of(error.code.code(), error.trap, error.message)
}

fn component_failure(error: WasmError) -> Failure {
    component_failure_of(error.code.code(), error.trap, error.message)
}

/// The failure that a script sees in an error of a component's call. Whatever ends one is a trap.
pub fn component_failure_of(code: u16, trap: Option<&str>, message: String) -> Failure {
    let failure = failure_of(code, trap, message);
    match code == WasmErrorCode::RuntimeError.code() && failure.kind == FailureKind::Other {
        true => Failure::new(FailureKind::Trap, failure.message),
        false => failure,
    }
}

/// The failure that a script sees in an error of `ext_wasm`.
pub fn failure_of(code: u16, trap: Option<&str>, message: String) -> Failure {
    let is = |wanted: WasmErrorCode| code == wanted.code();
    match trap {
        Some("call stack exhausted") => Failure::new(FailureKind::Exhaustion, message),
        Some("unhandled tag") => Failure::new(FailureKind::Suspension, message),
        Some(_) => Failure::new(FailureKind::Trap, message),
        None if is(WasmErrorCode::CompileError) => Failure::new(FailureKind::Invalid, message),
        None if is(WasmErrorCode::InstantiateError) => {
            Failure::new(FailureKind::Unlinkable, message)
        }
        None if is(WasmErrorCode::FuelExhausted) => Failure::new(FailureKind::OutOfFuel, message),
        None => Failure::other(message),
    }
}

fn top(ty: &ValType) -> Option<Top> {
    match ty.as_ref()?.heap_type().top() {
        HeapType::Any => Some(Top::Any),
        HeapType::Func => Some(Top::Func),
        HeapType::Extern => Some(Top::Extern),
        HeapType::Exn => Some(Top::Exn),
        HeapType::Cont => Some(Top::Cont),
        _ => None,
    }
}
