//! The `script` lane: `ext_wasm`'s TypeScript API in a JavaScript runtime.

mod message;
mod session;

use std::cell::RefCell;
use std::rc::Rc;
use std::thread;

use ext_wasm::wasmtime::SharedMemory;
use ext_wasm::{ExportKind, WasmCapabilities, WasmError, WasmState};
use json_from_wast::ComponentConst;
use message::{JsValue, is_nan};
use serde::Serialize;
use session::Session;

use super::helper;
use crate::component::{ComponentValue, argument};
use crate::features::Features;
use crate::host::{
    ComponentId, ComponentInstanceId, Failure, Host, Inspect, InstanceId, ModuleId, NewThread,
    Source, ThreadHost,
};
use crate::value::Value;

/// A store of `host:wasm`, and all that a script made in it.
pub struct ScriptHost {
    features: Features,
    /// Taken away when it ends.
    session: Option<Session>,
    sessions: Sessions,
}

/// The JavaScript runtime of the last script that ended, which the next one runs in if it needs the same features: to
/// start one takes longer than most scripts.
#[derive(Clone, Default)]
pub struct Sessions(Rc<RefCell<Option<(Features, Session)>>>);

impl Sessions {
    fn take(&self, features: &Features) -> anyhow::Result<Session> {
        match self.0.take() {
            Some((of, session)) if of == *features => Ok(session),
            other => {
                // One at a time on a thread.
                drop(other);
                Session::new(features)
            }
        }
    }
}

/// The limits of a store, as `StoreOptions` of `host:wasm` has them.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fence {
    pub fuel: u32,
    pub max_memory_bytes: u32,
}

impl ScriptHost {
    /// A store in a runtime whose engine has exactly these features.
    ///
    /// # Errors
    ///
    /// When wasmtime cannot have this set of features, or JavaScript does not start.
    pub fn new(features: &Features, sessions: &Sessions) -> anyhow::Result<Self> {
        Self::begin(features, sessions, None)
    }

    /// The same, whose store has limits.
    ///
    /// # Errors
    ///
    /// When wasmtime cannot have this set of features, or JavaScript does not start.
    pub fn fenced(features: &Features, sessions: &Sessions, fence: Fence) -> anyhow::Result<Self> {
        Self::begin(features, sessions, Some(fence))
    }

    fn begin(
        features: &Features,
        sessions: &Sessions,
        fence: Option<Fence>,
    ) -> anyhow::Result<Self> {
        Self::begin_in(sessions.take(features)?, features, sessions, fence)
    }

    fn begin_in(
        mut session: Session,
        features: &Features,
        sessions: &Sessions,
        fence: Option<Fence>,
    ) -> anyhow::Result<Self> {
        let failed = |failure: Failure| anyhow::anyhow!("script.js: {failure}");
        session.request::<()>("begin", (fence,)).map_err(failed)?;
        if helper::needed(features) {
            let help = session.request::<()>("help", (helper::WAT,));
            help.map_err(failed)?;
        }
        Ok(Self {
            features: features.clone(),
            session: Some(session),
            sessions: sessions.clone(),
        })
    }

    fn session(&mut self) -> Result<&mut Session, Failure> {
        let session = self.session.as_mut();
        session.ok_or_else(|| Failure::other("the script has ended"))
    }

    /// The values that a request answers with. They are those of the last call.
    fn values(&mut self, name: &str, args: impl Serialize) -> Result<Vec<Value>, Failure> {
        let session = self.session()?;
        let values: Vec<JsValue> = session.request(name, args)?;
        let frame = session.frame_bits(values.len());
        let values = values.iter().zip(frame);
        values.map(|(value, frame)| value.result(frame)).collect()
    }
}

/// The shared memories that an instance exports, with their names.
fn shared_memories(wasm: &WasmState, id: u32) -> Result<Vec<(String, SharedMemory)>, WasmError> {
    let instance = wasm.instance(id)?;
    let mut shared = Vec::new();
    for export in &*instance.exports {
        if export.kind == ExportKind::Memory {
            let (_, handle) = instance.export(&export.name)?;
            let memory = instance.store().memory(handle)?.shared()?;
            shared.extend(memory.map(|memory| (export.name.clone(), memory)));
        }
    }
    Ok(shared)
}

impl ScriptHost {
    /// Makes an instance that exports these memories of another thread.
    fn share(&mut self, memories: Vec<(String, SharedMemory)>) -> Result<InstanceId, Failure> {
        let session = self.session()?;
        let wasm = session.wasm();
        let mut types = Vec::new();
        let mut text = String::from("(module");
        for (i, (name, memory)) in memories.into_iter().enumerate() {
            let ty = memory.ty();
            let (minimum, maximum) = (ty.minimum(), ty.maximum().unwrap_or(u64::MAX));
            let address = if ty.is_64() { "i64" } else { "i32" };
            // Any name can be written with its bytes in hexadecimal.
            let name: String = name.bytes().map(|byte| format!("\\{byte:02x}")).collect();
            let import = format!("(import \"\" \"{i}\")");
            text += &format!(
                "(memory (export \"{name}\") {import} {address} {minimum} {maximum} shared)"
            );
            types.push(serde_json::json!({
                "minimum": minimum, "maximum": maximum, "shared": true, "address": address,
            }));
            wasm.give_shared_memory(memory);
        }
        text.push(')');
        session.request("share", (text, types)).map(InstanceId)
    }
}

impl Drop for ScriptHost {
    fn drop(&mut self) {
        let Some(mut session) = self.session.take() else {
            return;
        };
        // A panic may have left it in any state.
        if !thread::panicking() && session.request::<()>("end", ((),)).is_ok() {
            self.sessions
                .0
                .replace(Some((self.features.clone(), session)));
        }
    }
}

impl Host for ScriptHost {
    fn compile(&mut self, source: Source<'_>) -> Result<ModuleId, Failure> {
        let (Source::Binary(bytes) | Source::Text(bytes)) = source;
        let session = self.session()?;
        session.set_bytes(bytes);
        session.request("compile", ((),)).map(ModuleId)
    }

    fn instantiate(&mut self, module: ModuleId) -> Result<InstanceId, Failure> {
        let session = self.session()?;
        session.request("instantiate", (module.0,)).map(InstanceId)
    }

    fn register(&mut self, name: &str, instances: &[InstanceId]) -> Result<(), Failure> {
        let instances: Vec<usize> = instances.iter().map(|instance| instance.0).collect();
        self.session()?.request("register", (name, instances))
    }

    fn invoke(
        &mut self,
        InstanceId(instance): InstanceId,
        name: &str,
        args: &[Value],
    ) -> Result<Vec<Value>, Failure> {
        // A NaN goes in as bits, through a function that takes them as an integer.
        let adapted = args.iter().any(is_nan);
        if adapted {
            let session = self.session()?;
            session.request::<()>("adapt", (instance, name))?;
        }
        let args = args.iter().map(|arg| JsValue::argument(*arg, adapted));
        let args: Vec<JsValue> = args.collect::<Result<_, _>>()?;
        let invoke = if adapted { "invokeAdapted" } else { "invoke" };
        self.values(invoke, (instance, name, args))
    }

    fn get(&mut self, InstanceId(instance): InstanceId, name: &str) -> Result<Value, Failure> {
        let value = self.values("get", (instance, name))?.pop();
        value.ok_or_else(|| Failure::other("no value"))
    }

    fn compile_component(&mut self, source: Source<'_>) -> Result<ComponentId, Failure> {
        let (Source::Binary(bytes) | Source::Text(bytes)) = source;
        let session = self.session()?;
        session.set_bytes(bytes);
        session.request("compileComponent", ((),)).map(ComponentId)
    }

    fn instantiate_component(
        &mut self,
        component: ComponentId,
    ) -> Result<ComponentInstanceId, Failure> {
        let session = self.session()?;
        let made = session.request("instantiateComponent", (component.0,));
        made.map(ComponentInstanceId)
    }

    fn invoke_component(
        &mut self,
        instance: ComponentInstanceId,
        function: &str,
        args: &[&ComponentConst<'_>],
    ) -> Result<Option<ComponentValue>, Failure> {
        let args: Vec<_> = args.iter().map(|arg| argument(arg)).collect();
        let session = self.session()?;
        session.request("invokeComponent", (instance.0, function, args))
    }

    fn thread(&mut self, shared: Option<InstanceId>) -> Result<NewThread, Failure> {
        let session = self.session()?;
        let mut memories = Vec::new();
        if let Some(InstanceId(instance)) = shared {
            let id: u32 = session.request("id", (instance,))?;
            memories = shared_memories(&session.wasm(), id)
                .map_err(|error| Failure::other(error.message))?;
        }
        let (engines, features) = (session.wasm().engines(), self.features.clone());
        Ok(Box::new(move || {
            let wasm = WasmState::with_engines_of(WasmCapabilities::default(), engines)?;
            let session = Session::with_state(wasm)?;
            // The runtime of a thread is used once.
            let mut host = Self::begin_in(session, &features, &Sessions::default(), None)?;
            let shared = shared.map(|_| host.share(memories)).transpose();
            let shared = shared.map_err(|failure| anyhow::anyhow!("script.js: {failure}"))?;
            Ok(ThreadHost {
                host: Box::new(host),
                shared,
            })
        }))
    }
}

impl Inspect for ScriptHost {
    fn memory(&mut self, InstanceId(instance): InstanceId, name: &str) -> Result<Vec<u8>, Failure> {
        let session = self.session()?;
        session.request::<()>("memory", (instance, name))?;
        Ok(session.take_bytes())
    }
}
