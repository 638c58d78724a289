//! The official suites on another runtime: `cargo run --example wasmi -- wasm-1.0 wasm-2.0 simd`.

#[cfg(feature = "quickjs")]
extern crate no_wamr as _;

use std::env;

use conformance::config::Config;
use conformance::features::{Feature, Features};
use conformance::host::{Failure, FailureKind, Host, InstanceId, ModuleId, Source};
use conformance::judge::judge;
use conformance::run::{run_file, with_deep_stack};
use conformance::suite;
use conformance::value::{Top, Value};
use wasmi::errors::ErrorKind;
use wasmi::{
    Engine, Error, ExternRef, Instance, Linker, Module, Nullable, Store, TrapCode, Val, ValType,
};

struct Wasmi {
    store: Store<()>,
    linker: Linker<()>,
    modules: Vec<Module>,
    instances: Vec<Instance>,
}

impl Wasmi {
    fn new(features: &Features) -> Self {
        let mut config = wasmi::Config::default();
        config
            .wasm_bulk_memory(features.has(Feature::BulkMemory))
            .wasm_custom_page_sizes(features.has(Feature::CustomPageSizes))
            .wasm_multi_memory(features.has(Feature::MultiMemory))
            .wasm_multi_value(features.has(Feature::MultiValue))
            .wasm_reference_types(features.has(Feature::ReferenceTypes))
            .wasm_simd(features.has(Feature::Simd))
            .wasm_wide_arithmetic(true);
        let engine = Engine::new(&config);
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
            Value::F32(bits) => Val::F32(wasmi::F32::from_bits(bits)),
            Value::F64(bits) => Val::F64(wasmi::F64::from_bits(bits)),
            Value::V128(bytes) => Val::V128(u128::from_le_bytes(bytes).into()),
            Value::Null(Some(Top::Func)) => Val::FuncRef(Nullable::Null),
            Value::Null(_) => Val::ExternRef(Nullable::Null),
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
            Val::FuncRef(Nullable::Null) => Value::Null(Some(Top::Func)),
            Val::FuncRef(Nullable::Val(_)) => Value::Func,
            Val::ExternRef(Nullable::Null) => Value::Null(Some(Top::Extern)),
            Val::ExternRef(Nullable::Val(value)) => {
                Value::Extern(value.data(&self.store).downcast_ref().copied())
            }
        }
    }
}

fn failure(error: Error) -> Failure {
    let kind = match (error.kind(), error.as_trap_code()) {
        (_, Some(TrapCode::StackOverflow)) => FailureKind::Exhaustion,
        (_, Some(_)) => FailureKind::Trap,
        (ErrorKind::Linker(_) | ErrorKind::Instantiation(_), _) => FailureKind::Unlinkable,
        _ => FailureKind::Other,
    };
    Failure::new(kind, error.to_string())
}

impl Host for Wasmi {
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
        let mut results = vec![Val::default_for_ty(ValType::I32); results];
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

fn main() -> anyhow::Result<()> {
    let suites = Config::load()?.suites;
    for name in env::args().skip(1) {
        let (mut passed, mut failed) = (0, 0);
        for file in suite::find(&name)? {
            let judged = with_deep_stack(|| {
                let wasmi = |features: &_| Ok(Box::new(Wasmi::new(features)) as Box<dyn Host>);
                judge(run_file(&file, &suites.features(&file), &[], &wasmi), &[])
            })?;
            passed += judged.passed;
            failed += judged.failed.len();
        }
        println!("{name}: {passed} passed, {failed} failed");
    }
    Ok(())
}
