//! Components on wasmtime alone.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use json_from_wast::ComponentConst;
use wasmparser::{Validator, WasmFeatures};
use wasmtime::component::{Component, Instance, Linker, Val};
use wasmtime::{Engine, Error, Store, Trap};

use crate::component::{ComponentValue, from_val, to_val};
use crate::host::{ComponentId, ComponentInstanceId, Failure, FailureKind, Source};

/// The components of a script, and their instances, each of which has a store of its own.
#[derive(Default)]
pub(super) struct EngineComponents {
    components: Vec<Component>,
    instances: Vec<(Store<()>, Instance)>,
}

impl EngineComponents {
    pub(super) fn compile(
        &mut self,
        engine: &Engine,
        features: WasmFeatures,
        source: Source<'_>,
    ) -> Result<ComponentId, Failure> {
        let binary = source.to_binary()?;
        let component = Component::from_binary(engine, &binary).map_err(|error| {
            let valid = Validator::new_with_features(features).validate_all(&binary);
            let kind = match valid {
                Ok(_) => FailureKind::Other,
                Err(_) => FailureKind::Invalid,
            };
            Failure::new(kind, format!("{error:#}"))
        })?;
        self.components.push(component);
        Ok(ComponentId(self.components.len() - 1))
    }

    pub(super) fn instantiate(
        &mut self,
        component: ComponentId,
    ) -> Result<ComponentInstanceId, Failure> {
        let component = &self.components[component.0];
        let mut store = Store::new(component.engine(), ());
        let linker = Linker::new(component.engine());
        let linked = linker
            .instantiate_pre(component)
            .map_err(|error| Failure::new(FailureKind::Unlinkable, format!("{error:#}")))?;
        let instance = wait(linked.instantiate_async(&mut store));
        let instance = instance.map_err(|error| failure(&error))?;
        self.instances.push((store, instance));
        Ok(ComponentInstanceId(self.instances.len() - 1))
    }

    pub(super) fn invoke(
        &mut self,
        instance: ComponentInstanceId,
        function: &str,
        args: &[&ComponentConst<'_>],
    ) -> Result<Option<ComponentValue>, Failure> {
        let (store, instance) = &mut self.instances[instance.0];
        let func = instance
            .get_func(&mut *store, function)
            .ok_or_else(|| Failure::other(format!("no exported function `{function}`")))?;
        let args: Vec<Val> = args.iter().map(|arg| to_val(arg)).collect();
        let mut results = vec![Val::Bool(false); func.ty(&mut *store).results().len()];
        let called = wait(func.call_async(&mut *store, &args, &mut results));
        called.map_err(|error| failure(&error))?;
        Ok(results.first().map(from_val))
    }
}

/// Polls a future until it is done. No host function takes part, so that it never waits for anything outside of wasmtime.
fn wait<R>(future: impl Future<Output = R>) -> R {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(result) = future.as_mut().poll(&mut context) {
            return result;
        }
    }
}

/// Sorts an error that came out of running a component. All errors of the canonical ABI are traps.
fn failure(error: &Error) -> Failure {
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => Failure::new(FailureKind::Exhaustion, format!("{error:#}")),
        _ => Failure::new(FailureKind::Trap, format!("{error:#}")),
    }
}
