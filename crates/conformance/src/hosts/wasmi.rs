//! [`wasmi`](https://docs.rs/wasmi), an interpreter that shares no code with wasmtime but its parser.

use ::wasmi::errors::{ErrorKind, InstantiationError, TableError};
use ::wasmi::{
    Config, Engine, Error, ExternRef, Instance, Linker, Module, Ref, Store, TrapCode, Val, ValType,
};

use crate::features::{Feature, Features};
use crate::host::{Failure, FailureKind, Host, Inspect, InstanceId, ModuleId, Source};
use crate::value::{Top, Value};

/// A store of `wasmi`, and all that a script made in it.
pub struct WasmiHost {
    store: Store<()>,
    linker: Linker<()>,
    modules: Vec<Module>,
    instances: Vec<Instance>,
}

impl WasmiHost {
    /// A store of an engine with these features on, as far as wasmi has them.
    pub fn new(features: &Features) -> Self {
        Self::of(&config(features))
    }

    /// The same, whose code runs for as long as this budget lasts, in wasmi's own units.
    ///
    /// # Errors
    ///
    /// When wasmi does not take the budget.
    pub fn with_fuel(features: &Features, fuel: u64) -> anyhow::Result<Self> {
        let mut config = config(features);
        config.consume_fuel(true);
        let mut this = Self::of(&config);
        this.store.set_fuel(fuel)?;
        Ok(this)
    }

    fn of(config: &Config) -> Self {
        let engine = Engine::new(config);
        let mut linker = Linker::new(&engine);
        linker.allow_shadowing(true);
        Self {
            store: Store::new(&engine, ()),
            linker,
            modules: Vec::new(),
            instances: Vec::new(),
        }
    }

    fn argument(&mut self, value: &Value) -> Result<Val, Failure> {
        Ok(match *value {
            Value::I32(value) => Val::I32(value),
            Value::I64(value) => Val::I64(value),
            Value::F32(bits) => Val::F32(::wasmi::F32::from_bits(bits)),
            Value::F64(bits) => Val::F64(::wasmi::F64::from_bits(bits)),
            Value::V128(bytes) => Val::V128(u128::from_le_bytes(bytes).into()),
            Value::Null(Some(Top::Func)) => Val::FuncRef(Ref::Null),
            Value::Null(_) => Val::ExternRef(Ref::Null),
            Value::Extern(Some(n)) => Val::from(ExternRef::new(&mut self.store, n)),
            other => return Err(Failure::other(format!("wasmi has no {other}"))),
        })
    }

    fn result(&self, value: &Val) -> Value {
        match value {
            Val::I32(value) => Value::I32(*value),
            Val::I64(value) => Value::I64(*value),
            Val::F32(value) => Value::F32(value.to_bits()),
            Val::F64(value) => Value::F64(value.to_bits()),
            Val::V128(value) => Value::V128(value.as_u128().to_le_bytes()),
            Val::FuncRef(Ref::Null) => Value::Null(Some(Top::Func)),
            Val::FuncRef(Ref::Val(_)) => Value::Func,
            Val::ExternRef(Ref::Null) => Value::Null(Some(Top::Extern)),
            Val::ExternRef(Ref::Val(value)) => {
                Value::Extern(value.data(&self.store).downcast_ref().copied())
            }
        }
    }
}

fn config(features: &Features) -> Config {
    let mut config = Config::default();
    config
        .wasm_bulk_memory(features.has(Feature::BulkMemory))
        .wasm_custom_page_sizes(features.has(Feature::CustomPageSizes))
        .wasm_extended_const(features.has(Feature::ExtendedConst))
        .wasm_memory64(features.has(Feature::Memory64))
        .wasm_multi_memory(features.has(Feature::MultiMemory))
        .wasm_multi_value(features.has(Feature::MultiValue))
        .wasm_reference_types(features.has(Feature::ReferenceTypes))
        .wasm_simd(features.has(Feature::Simd))
        .wasm_tail_call(features.has(Feature::TailCall))
        .wasm_wide_arithmetic(features.has(Feature::WideArithmetic));
    config
}

fn failure(error: Error) -> Failure {
    let message = error.to_string();
    match (error.kind(), error.as_trap_code()) {
        (_, Some(TrapCode::StackOverflow)) => Failure::new(FailureKind::Exhaustion, message),
        (_, Some(TrapCode::OutOfFuel)) => Failure::new(FailureKind::OutOfFuel, message),
        (_, Some(TrapCode::UnreachableCodeReached)) => {
            Failure::new(FailureKind::Trap, "unreachable")
        }
        // Its own words tell the instruction too.
        (_, Some(code)) => Failure::new(FailureKind::Trap, code.to_string()),
        // To the specification these are traps.
        (
            ErrorKind::Instantiation(InstantiationError::ElementSegmentDoesNotFit { .. })
            | ErrorKind::Table(
                TableError::CopyOutOfBounds
                | TableError::FillOutOfBounds
                | TableError::InitOutOfBounds,
            ),
            _,
        ) => Failure::new(FailureKind::Trap, "out of bounds table access"),
        (ErrorKind::Linker(_) | ErrorKind::Instantiation(_), _) => {
            Failure::new(FailureKind::Unlinkable, message)
        }
        _ => Failure::other(message),
    }
}

impl Host for WasmiHost {
    fn compile(&mut self, source: Source<'_>) -> Result<ModuleId, Failure> {
        let module = Module::new(self.store.engine(), &source.to_binary()?)
            .map_err(|error| Failure::new(FailureKind::Invalid, error.to_string()))?;
        self.modules.push(module);
        Ok(ModuleId(self.modules.len() - 1))
    }

    fn instantiate(&mut self, module: ModuleId) -> Result<InstanceId, Failure> {
        let module = &self.modules[module.0];
        let instance = self.linker.instantiate_and_start(&mut self.store, module);
        self.instances.push(instance.map_err(failure)?);
        Ok(InstanceId(self.instances.len() - 1))
    }

    fn register(&mut self, name: &str, instances: &[InstanceId]) -> Result<(), Failure> {
        for id in instances {
            let (store, instance) = (&mut self.store, self.instances[id.0]);
            let linked = self.linker.instance(store, name, instance);
            linked.map_err(failure)?;
        }
        Ok(())
    }

    fn invoke(&mut self, id: InstanceId, f: &str, args: &[Value]) -> Result<Vec<Value>, Failure> {
        let function = self.instances[id.0].get_func(&self.store, f);
        let function = function.ok_or_else(|| Failure::other("no such function"))?;
        let args: Result<Vec<Val>, _> = args.iter().map(|arg| self.argument(arg)).collect();
        let results = function.ty(&self.store).results().len();
        let mut results = vec![Val::default(ValType::I32); results];
        let called = function.call(&mut self.store, &args?, &mut results);
        called.map_err(failure)?;
        let results = results.iter().map(|result| self.result(result));
        Ok(results.collect())
    }

    fn get(&mut self, id: InstanceId, name: &str) -> Result<Value, Failure> {
        let global = self.instances[id.0].get_global(&self.store, name);
        let global = global.ok_or_else(|| Failure::other("no such global"))?;
        Ok(self.result(&global.get(&self.store)))
    }
}

impl Inspect for WasmiHost {
    fn memory(&mut self, id: InstanceId, name: &str) -> Result<Vec<u8>, Failure> {
        let memory = self.instances[id.0].get_memory(&self.store, name);
        let memory = memory.ok_or_else(|| Failure::other("no such memory"))?;
        Ok(memory.data(&self.store).to_vec())
    }
}
