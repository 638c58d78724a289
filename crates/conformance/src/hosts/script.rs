//! The `script` lane: `ext_wasm`'s TypeScript API in a JavaScript runtime.

use std::cell::RefCell;
use std::rc::Rc;

use anyhow::Context as _;
use deno_core::{
    JsRuntime, ModuleSpecifier, OpState, PollEventLoopOptions, RuntimeOptions, op2, v8,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{helper, runtime};
use crate::features::Features;
use crate::host::{Failure, FailureKind, Host, InstanceId, ModuleId, Source};
use crate::value::{Top, Value};

/// A JavaScript runtime with `host:wasm`, and the functions of `script.js` in it.
pub struct ScriptHost {
    runtime: JsRuntime,
    event_loop: tokio::runtime::Runtime,
}

/// The module that is to be compiled, on its way to JavaScript.
#[derive(Clone, Default)]
struct Pending(Rc<RefCell<Vec<u8>>>);

#[op2]
#[buffer]
fn op_conformance_source(state: &mut OpState) -> Vec<u8> {
    state.borrow::<Pending>().0.take()
}

deno_core::extension!(
    conformance,
    ops = [op_conformance_source],
    state = |state| state.put(Pending::default())
);

/// What a function of `script.js` answers.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Answer<T> {
    Ok(T),
    Error(JsError),
}

#[derive(Deserialize)]
struct JsError {
    code: Option<u16>,
    message: String,
    trap: Option<String>,
    #[serde(default)]
    exception: bool,
}

impl From<JsError> for Failure {
    fn from(error: JsError) -> Self {
        if error.exception {
            return Failure::new(FailureKind::Exception, error.message);
        }
        match error.code {
            Some(code) => runtime::sort(code, error.trap.as_deref(), error.message),
            None => Failure::other(error.message),
        }
    }
}

/// A value that came out: its type, and its bits or what is known of the reference.
#[derive(Deserialize)]
struct JsValue {
    #[serde(rename = "type")]
    ty: String,
    bits: Option<String>,
    reference: Option<Reference>,
}

#[derive(Deserialize)]
struct Reference {
    kind: String,
    #[serde(default)]
    n: u32,
}

impl ScriptHost {
    /// A runtime whose engine has exactly these features.
    ///
    /// # Errors
    ///
    /// When wasmtime cannot have this set of features, or JavaScript does not start.
    pub fn new(features: &Features) -> anyhow::Result<Self> {
        let event_loop = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let wasm = runtime::state(features)?;
        let entered = event_loop.enter();
        let runtime = JsRuntime::new(RuntimeOptions {
            extensions: vec![ext_wasm::host_wasm::init(wasm), conformance::init()],
            ..Default::default()
        });
        drop(entered);
        let mut this = Self {
            runtime,
            event_loop,
        };
        // `host:wasm` is the only WebAssembly here: see crates/no-wamr.
        this.runtime
            .execute_script("conformance:setup", "delete globalThis.WebAssembly;")?;
        this.evaluate(include_str!("script.js"))?;
        if helper::needed(features) {
            let failed = |failure: Failure| anyhow::anyhow!("the helper module: {failure}");
            let module = this.compile(Source::Text(helper::WAT.as_bytes()));
            let instance = this.instantiate(module.map_err(failed)?).map_err(failed)?;
            let help = format!("host.help({})", instance.0);
            this.ask::<()>(&help).map_err(failed)?;
        }
        Ok(this)
    }

    fn evaluate(&mut self, module: &'static str) -> anyhow::Result<()> {
        let specifier = ModuleSpecifier::parse("conformance:script.js")?;
        let runtime = &mut self.runtime;
        self.event_loop.block_on(async {
            let id = runtime
                .load_side_es_module_from_code(&specifier, module)
                .await
                .context("script.js")?;
            let evaluated = runtime.mod_evaluate(id);
            runtime
                .run_event_loop(PollEventLoopOptions::default())
                .await?;
            Ok(evaluated.await?)
        })
    }

    /// Evaluates a call of one of the functions that answer at once.
    fn ask<T: DeserializeOwned>(&mut self, call: &str) -> Result<T, Failure> {
        let answer = self
            .runtime
            .execute_script("conformance:ask", call.to_owned());
        self.read(answer.map_err(|error| Failure::other(error.to_string()))?)
    }

    /// Evaluates a call of one of the functions that answer with a promise.
    fn wait<T: DeserializeOwned>(&mut self, call: &str) -> Result<T, Failure> {
        let promise = {
            // Compiling happens on the event loop's other threads.
            let _entered = self.event_loop.enter();
            self.runtime
                .execute_script("conformance:ask", call.to_owned())
        };
        let promise = promise.map_err(|error| Failure::other(error.to_string()))?;
        let resolved = self.runtime.resolve(promise);
        let options = PollEventLoopOptions::default();
        let waiting = self
            .runtime
            .with_event_loop_promise(Box::pin(resolved), options);
        let answer = self.event_loop.block_on(waiting);
        self.read(answer.map_err(|error| Failure::other(error.to_string()))?)
    }

    fn read<T: DeserializeOwned>(&mut self, answer: v8::Global<v8::Value>) -> Result<T, Failure> {
        deno_core::scope!(scope, self.runtime);
        let json = v8::Local::new(scope, answer).to_rust_string_lossy(scope);
        match serde_json::from_str(&json) {
            Ok(Answer::Ok(value)) => Ok(value),
            Ok(Answer::Error(error)) => Err(error.into()),
            Err(error) => Err(Failure::other(format!("{error} in the answer {json}"))),
        }
    }

    /// The values that a call just returned.
    fn values(&mut self, told: &[JsValue]) -> Result<Vec<Value>, Failure> {
        let state = self.runtime.op_state();
        let bits = ext_wasm::frame_bits(&state.borrow(), told.len());
        told.iter()
            .zip(bits)
            .map(|(told, bits)| value(told, bits))
            .collect()
    }
}

/// A value, of which JavaScript told this and the call frame holds these bits.
fn value(told: &JsValue, frame: u128) -> Result<Value, Failure> {
    if let Some(reference) = &told.reference {
        return Ok(match reference.kind.as_str() {
            "null" => Value::Null(helper::hierarchy(&told.ty)),
            "func" => Value::Func,
            "extern" => Value::Extern(Some(reference.n)),
            "host" => Value::Host(reference.n),
            "any" => helper::kind(reference.n as i32),
            _ if helper::hierarchy(&told.ty) == Some(Top::Exn) => Value::Exn,
            _ => Value::Extern(None),
        });
    }
    let bits = told.bits.as_deref().unwrap_or_default();
    let unreadable = || Failure::other(format!("{bits:?} is no {}", told.ty));
    // What JavaScript got must be what is in the frame, except for what it cannot tell of a NaN.
    let same = |value: Value, nan: bool, told: Option<Value>| match told {
        Some(told) if nan || told == value => Ok(value),
        Some(told) => Err(Failure::other(format!(
            "{value}, of which JavaScript got {told}"
        ))),
        None => Err(unreadable()),
    };
    match told.ty.as_str() {
        "i32" => same(
            Value::I32(frame as i32),
            false,
            bits.parse().ok().map(Value::I32),
        ),
        "i64" => same(
            Value::I64(frame as i64),
            false,
            bits.parse().ok().map(Value::I64),
        ),
        "f32" => same(
            Value::F32(frame as u32),
            f32::from_bits(frame as u32).is_nan()
                && bits.parse().is_ok_and(|bits| f32::from_bits(bits).is_nan()),
            bits.parse().ok().map(Value::F32),
        ),
        "f64" => same(
            Value::F64(frame as u64),
            f64::from_bits(frame as u64).is_nan()
                && bits.parse().is_ok_and(|bits| f64::from_bits(bits).is_nan()),
            bits.parse().ok().map(Value::F64),
        ),
        "v128" => same(
            Value::V128(frame.to_le_bytes()),
            false,
            bits.parse::<u128>()
                .ok()
                .map(|bits| Value::V128(bits.to_le_bytes())),
        ),
        _ => Err(unreadable()),
    }
}

impl Host for ScriptHost {
    fn compile(&mut self, source: Source<'_>) -> Result<ModuleId, Failure> {
        let (Source::Binary(bytes) | Source::Text(bytes)) = source;
        let pending = self.runtime.op_state().borrow().borrow::<Pending>().clone();
        pending.0.replace(bytes.to_vec());
        self.wait("host.compile()").map(ModuleId)
    }

    fn instantiate(&mut self, module: ModuleId) -> Result<InstanceId, Failure> {
        self.wait(&format!("host.instantiate({})", module.0))
            .map(InstanceId)
    }

    fn register(&mut self, name: &str, instance: InstanceId) -> Result<(), Failure> {
        self.ask(&format!("host.register({}, {})", quote(name), instance.0))
    }

    fn invoke(
        &mut self,
        instance: InstanceId,
        function: &str,
        args: &[Value],
    ) -> Result<Vec<Value>, Failure> {
        let name = quote(function);
        // A NaN goes in as bits, through a function that takes them as an integer.
        let adapted = args.iter().any(is_nan);
        if adapted {
            self.wait::<()>(&format!("host.adapt({}, {name})", instance.0))?;
        }
        let args = args.iter().map(|arg| argument(*arg, adapted));
        let args = args.collect::<Result<Vec<_>, _>>()?.join(",");
        let call = format!("host.invoke({}, {name}, [{args}], {adapted})", instance.0);
        let told: Vec<JsValue> = self.ask(&call)?;
        self.values(&told)
    }

    fn get(&mut self, instance: InstanceId, global: &str) -> Result<Value, Failure> {
        let call = format!("host.get({}, {})", instance.0, quote(global));
        let told: JsValue = self.ask(&call)?;
        let values = self.values(std::slice::from_ref(&told))?;
        values
            .first()
            .copied()
            .ok_or_else(|| Failure::other("no value"))
    }
}

fn is_nan(value: &Value) -> bool {
    match *value {
        Value::F32(bits) => f32::from_bits(bits).is_nan(),
        Value::F64(bits) => f64::from_bits(bits).is_nan(),
        _ => false,
    }
}

/// A string literal of JavaScript.
fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// An argument in the form that `script.js` reads; `adapted` turns floats into integers.
fn argument(value: Value, adapted: bool) -> Result<String, Failure> {
    let (ty, bits) = match value {
        Value::I32(value) => ("i32", value.to_string()),
        Value::I64(value) => ("i64", value.to_string()),
        Value::F32(bits) if adapted => ("i32", (bits as i32).to_string()),
        Value::F64(bits) if adapted => ("i64", (bits as i64).to_string()),
        Value::F32(bits) => ("f32", bits.to_string()),
        Value::F64(bits) => ("f64", bits.to_string()),
        Value::V128(bytes) => ("v128", u128::from_le_bytes(bytes).to_string()),
        Value::Null(_) => ("null", String::new()),
        Value::Extern(Some(n)) => ("extern", n.to_string()),
        Value::Host(n) => ("host", n.to_string()),
        other => return Err(Failure::other(format!("no argument of a script: {other}"))),
    };
    Ok(format!(r#"{{"type":"{ty}","bits":"{bits}"}}"#))
}
