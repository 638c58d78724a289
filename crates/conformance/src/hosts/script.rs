//! The `script` lane: `ext_wasm`'s TypeScript API in a JavaScript runtime.

mod session;

use std::cell::RefCell;
use std::rc::Rc;
use std::str::FromStr;
use std::thread;

use session::{Argument, Session};

use super::helper;
use crate::features::Features;
use crate::host::{Failure, Host, Inspect, InstanceId, ModuleId, Source};
use crate::value::{Top, Value};

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

/// The limits of a store.
#[derive(Clone, Copy, Debug)]
pub struct Fence {
    pub fuel: u32,
    pub max_memory_bytes: u32,
}

/// What JavaScript tells of a value that came out.
struct Told<'a> {
    ty: &'a str,
    kind: &'a str,
    /// The bits of a number, or the number of a reference, where it has one.
    detail: &'a str,
}

impl<'a> Told<'a> {
    fn parse(line: &'a str) -> Result<Self, Failure> {
        let mut parts = line.split('\t');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(ty), Some(kind), Some(detail)) => Ok(Self { ty, kind, detail }),
            _ => Err(Failure::other(format!("no value: {line}"))),
        }
    }

    fn number<T: FromStr>(&self) -> Result<T, Failure> {
        let unreadable = |_| Failure::other(format!("{:?} is no {}", self.detail, self.ty));
        self.detail.parse().map_err(unreadable)
    }
}

impl ScriptHost {
    /// A store in a runtime whose engine has exactly these features.
    ///
    /// # Errors
    ///
    /// When wasmtime cannot have this set of features, or JavaScript does not start.
    pub fn new(features: &Features, sessions: &Sessions) -> anyhow::Result<Self> {
        Self::begin(features, sessions, &[])
    }

    /// The same, whose store has limits.
    ///
    /// # Errors
    ///
    /// When wasmtime cannot have this set of features, or JavaScript does not start.
    pub fn fenced(features: &Features, sessions: &Sessions, fence: Fence) -> anyhow::Result<Self> {
        let limits = [fence.fuel, fence.max_memory_bytes];
        let args = limits.map(|limit| Argument::Number(limit as usize));
        Self::begin(features, sessions, &args)
    }

    fn begin(
        features: &Features,
        sessions: &Sessions,
        args: &[Argument<'_>],
    ) -> anyhow::Result<Self> {
        let mut session = sessions.take(features)?;
        let failed = |failure: Failure| anyhow::anyhow!("script.js: {failure}");
        session.ask("begin", args).map_err(failed)?;
        if helper::needed(features) {
            let text = Argument::Text(helper::WAT);
            session.wait("help", &[text]).map_err(failed)?;
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

    /// The values that a call just returned, of which JavaScript told this.
    fn values(&mut self, told: &str) -> Result<Vec<Value>, Failure> {
        let told: Vec<Told<'_>> = told.lines().map(Told::parse).collect::<Result<_, _>>()?;
        let bits = self.session()?.frame_bits(told.len());
        let values = told.iter().zip(bits);
        values.map(|(told, bits)| value(told, bits)).collect()
    }
}

impl Drop for ScriptHost {
    fn drop(&mut self) {
        let Some(mut session) = self.session.take() else {
            return;
        };
        // After a panic, who knows what state it is in.
        if !thread::panicking() && session.ask("end", &[]).is_ok() {
            self.sessions
                .0
                .replace(Some((self.features.clone(), session)));
        }
    }
}

/// A value, of which JavaScript told this. If it is a NaN, the call frame holds these bits.
fn value(told: &Told<'_>, frame: u128) -> Result<Value, Failure> {
    // A JavaScript number is all of the value, but for a NaN, of which it cannot tell the bits.
    let told_or = |told: Value, frame: Value| match (is_nan(&told), is_nan(&frame)) {
        (false, _) => Ok(told),
        (true, true) => Ok(frame),
        (true, false) => {
            let message = format!("{frame}, of which JavaScript got {told}");
            Err(Failure::other(message))
        }
    };
    match (told.kind, told.ty) {
        ("bits", "i32") => Ok(Value::I32(told.number()?)),
        ("bits", "i64") => Ok(Value::I64(told.number()?)),
        ("bits", "f32") => told_or(Value::F32(told.number()?), Value::F32(frame as u32)),
        ("bits", "f64") => told_or(Value::F64(told.number()?), Value::F64(frame as u64)),
        ("bits", "v128") => Ok(Value::V128(told.number::<u128>()?.to_le_bytes())),
        ("null", ty) => Ok(Value::Null(helper::hierarchy(ty))),
        ("func", _) => Ok(Value::Func),
        ("extern", _) => Ok(Value::Extern(Some(told.number()?))),
        ("host", _) => Ok(Value::Host(told.number()?)),
        ("any", _) => Ok(helper::kind(told.number()?)),
        ("object", ty) => Ok(match helper::hierarchy(ty) {
            Some(Top::Exn) => Value::Exn,
            _ => Value::Extern(None),
        }),
        (kind, ty) => Err(Failure::other(format!("no value: {kind} {ty}"))),
    }
}

/// The number of something that was just made.
fn number(answer: &str) -> Result<usize, Failure> {
    let unreadable = |_| Failure::other(format!("no number: {answer}"));
    answer.parse().map_err(unreadable)
}

// It starts no threads: no API of `host:wasm` gives a shared memory of one store to another one.
impl Host for ScriptHost {
    fn compile(&mut self, source: Source<'_>) -> Result<ModuleId, Failure> {
        let (Source::Binary(bytes) | Source::Text(bytes)) = source;
        let session = self.session()?;
        session.leave_source(bytes);
        number(&session.wait("compile", &[])?).map(ModuleId)
    }

    fn instantiate(&mut self, module: ModuleId) -> Result<InstanceId, Failure> {
        let args = [Argument::Number(module.0)];
        number(&self.session()?.wait("instantiate", &args)?).map(InstanceId)
    }

    fn register(&mut self, name: &str, instances: &[InstanceId]) -> Result<(), Failure> {
        let instances: Vec<usize> = instances.iter().map(|instance| instance.0).collect();
        let instances = format!("{instances:?}");
        let args = [Argument::Text(name), Argument::Text(&instances)];
        self.session()?.ask("register", &args).map(|_| ())
    }

    fn invoke(
        &mut self,
        instance: InstanceId,
        function: &str,
        args: &[Value],
    ) -> Result<Vec<Value>, Failure> {
        let (instance, function) = (Argument::Number(instance.0), Argument::Text(function));
        // A NaN goes in as bits, through a function that takes them as an integer.
        let adapted = args.iter().any(is_nan);
        if adapted {
            self.session()?.wait("adapt", &[instance, function])?;
        }
        let values = args.iter().map(|arg| argument(*arg, adapted));
        let values = values.collect::<Result<Vec<_>, _>>()?.join(",");
        let values = format!("[{values}]");
        let args = [
            instance,
            function,
            Argument::Text(&values),
            Argument::Flag(adapted),
        ];
        let told = self.session()?.ask("invoke", &args)?;
        self.values(&told)
    }

    fn get(&mut self, instance: InstanceId, global: &str) -> Result<Value, Failure> {
        let args = [Argument::Number(instance.0), Argument::Text(global)];
        let told = self.session()?.ask("get", &args)?;
        let value = self.values(&told)?.pop();
        value.ok_or_else(|| Failure::other("no value"))
    }
}

impl Inspect for ScriptHost {
    fn memory(&mut self, instance: InstanceId, memory: &str) -> Result<Vec<u8>, Failure> {
        let session = self.session()?;
        let args = [Argument::Number(instance.0), Argument::Text(memory)];
        session.ask("memory", &args)?;
        Ok(session.take_bytes())
    }
}

fn is_nan(value: &Value) -> bool {
    match *value {
        Value::F32(bits) => f32::from_bits(bits).is_nan(),
        Value::F64(bits) => f64::from_bits(bits).is_nan(),
        _ => false,
    }
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
    Ok(format!(r#"["{ty}","{bits}"]"#))
}
