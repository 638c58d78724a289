//! What a runtime implements to have scripts run on it.

use std::borrow::Cow;
use std::fmt;

use json_from_wast::ComponentConst;

use crate::component::ComponentValue;
use crate::value::Value;

/// A runtime that scripts run on. A lane is one implementation.
///
/// A host lives for one script: whatever it compiled and instantiated stays usable until it is dropped, in one store.
/// The `spectest` module that scripts import is instantiated and registered through these same methods, so a host
/// brings nothing of its own.
///
/// A method that fails returns a [`Failure`], whose [kind](FailureKind) the harness compares with the kind that the
/// script expects. A panic is caught and reported as a failure of the script.
pub trait Host {
    /// Compiles and validates a module; no instance yet.
    ///
    /// # Errors
    ///
    /// [`FailureKind::Invalid`] when the module is malformed or invalid.
    fn compile(&mut self, source: Source<'_>) -> Result<ModuleId, Failure>;

    /// Makes an instance, imports resolved by [registered](Host::register) names, and runs its start function.
    ///
    /// # Errors
    ///
    /// [`FailureKind::Unlinkable`] when an import is missing or of the wrong type; otherwise what initialising the
    /// instance or its start function ended with.
    fn instantiate(&mut self, module: ModuleId) -> Result<InstanceId, Failure>;

    /// Makes the exports of these instances importable under `name`, which then names nothing else. A script
    /// registers one; only `spectest` may be made of several, none of which exports a name that another exports.
    ///
    /// # Errors
    ///
    /// [`FailureKind::Other`] when the host cannot.
    fn register(&mut self, name: &str, instances: &[InstanceId]) -> Result<(), Failure>;

    /// Calls an exported function.
    ///
    /// # Errors
    ///
    /// What the call ended with, if it did not return; [`FailureKind::Other`] when there is no such function or the
    /// arguments do not fit it.
    fn invoke(
        &mut self,
        instance: InstanceId,
        function: &str,
        args: &[Value],
    ) -> Result<Vec<Value>, Failure>;

    /// Reads an exported global.
    ///
    /// # Errors
    ///
    /// [`FailureKind::Other`] when there is no such global.
    fn get(&mut self, instance: InstanceId, global: &str) -> Result<Value, Failure>;

    /// Compiles and validates a component.
    ///
    /// # Errors
    ///
    /// [`FailureKind::Invalid`] when the component is malformed or invalid.
    fn compile_component(&mut self, source: Source<'_>) -> Result<ComponentId, Failure> {
        let _ = source;
        Err(Failure::other("this host has no components"))
    }

    /// Makes an instance of a component, which gets no imports.
    ///
    /// # Errors
    ///
    /// As [`Host::instantiate`].
    fn instantiate_component(
        &mut self,
        component: ComponentId,
    ) -> Result<ComponentInstanceId, Failure> {
        let _ = component;
        Err(Failure::other("this host has no components"))
    }

    /// Calls an exported function of a component's instance. Returns its result, if it has one.
    ///
    /// # Errors
    ///
    /// As [`Host::invoke`]. Whatever ends a call of a component is a [`FailureKind::Trap`].
    fn invoke_component(
        &mut self,
        instance: ComponentInstanceId,
        function: &str,
        args: &[&ComponentConst<'_>],
    ) -> Result<Option<ComponentValue>, Failure> {
        let _ = (instance, function, args);
        Err(Failure::other("this host has no components"))
    }

    /// Prepares a thread of the script. Its host has a store of its own, and in that an instance with those exports of
    /// `shared` that are shared memories: nothing else may be used by two stores.
    ///
    /// # Errors
    ///
    /// [`FailureKind::Other`] when the host cannot.
    fn thread(&mut self, shared: Option<InstanceId>) -> Result<NewThread, Failure> {
        let _ = shared;
        Err(Failure::other("this host has no threads"))
    }
}

/// Makes the host of a thread of a script. It is called on the native thread that the host stays on, since a host need not
/// be `Send`.
pub type NewThread = Box<dyn FnOnce() -> anyhow::Result<ThreadHost> + Send>;

/// The host of a thread of a script.
pub struct ThreadHost {
    pub host: Box<dyn Host>,
    /// The instance that the thread shares, if there is one, as this host numbers it.
    pub shared: Option<InstanceId>,
}

/// A host whose memories can be looked into, as no script can.
pub trait Inspect: Host {
    /// What is in an exported memory, all of it.
    ///
    /// # Errors
    ///
    /// [`FailureKind::Other`] when there is no such memory.
    fn memory(&mut self, instance: InstanceId, memory: &str) -> Result<Vec<u8>, Failure>;
}

/// A compiled module, numbered by its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ModuleId(pub usize);

/// An instance, numbered by its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct InstanceId(pub usize);

/// A compiled component, numbered by its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ComponentId(pub usize);

/// An instance of a component, numbered by its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ComponentInstanceId(pub usize);

/// A module or component as a script holds it.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// The binary format.
    Binary(&'a [u8]),
    /// The text format, as bytes: a script may check that text which is not UTF-8 is refused.
    Text(&'a [u8]),
}

impl<'a> Source<'a> {
    /// The module in the binary format, for a host that takes no text.
    ///
    /// # Errors
    ///
    /// [`FailureKind::Invalid`] when the text is malformed.
    pub fn to_binary(self) -> Result<Cow<'a, [u8]>, Failure> {
        let text = match self {
            Source::Binary(bytes) => return Ok(Cow::Borrowed(bytes)),
            Source::Text(text) => text,
        };
        let text = std::str::from_utf8(text)
            .map_err(|_| Failure::new(FailureKind::Invalid, "malformed UTF-8 encoding"))?;
        match wat::parse_str(text) {
            Ok(bytes) => Ok(Cow::Owned(bytes)),
            Err(error) => Err(Failure::new(FailureKind::Invalid, error.to_string())),
        }
    }
}

/// Instantiates modules in text and makes the exports of all of them importable under `name`.
///
/// # Errors
///
/// Whatever the host says.
pub fn provide(host: &mut dyn Host, name: &str, texts: &[&str]) -> Result<(), Failure> {
    let mut instances = Vec::new();
    for text in texts {
        let module = host.compile(Source::Text(text.as_bytes()))?;
        instances.push(host.instantiate(module)?);
    }
    host.register(name, &instances)
}

/// Why a method of a host failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub kind: FailureKind,
    /// For a trap or an exhaustion it must hold the reason in the words of the spec's scripts, or of wasmtime.
    pub message: String,
}

/// The kinds of failures that a script can expect, and one for all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The module is malformed or invalid.
    Invalid,
    /// An import is missing or of the wrong type.
    Unlinkable,
    /// WebAssembly trapped.
    Trap,
    /// WebAssembly ran out of call stack.
    Exhaustion,
    /// An exception was thrown and not caught.
    Exception,
    /// A tag was suspended to that no handler was there for.
    Suspension,
    /// The budget of fuel that a host was given ran out.
    OutOfFuel,
    /// Anything else, which no script expects.
    Other,
}

impl Failure {
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    /// A failure that no script expects.
    pub fn other(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Other, message)
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FailureKind::Invalid => "invalid module",
            FailureKind::Unlinkable => "unlinkable module",
            FailureKind::Trap => "trap",
            FailureKind::Exhaustion => "exhaustion",
            FailureKind::Exception => "exception",
            FailureKind::Suspension => "suspension",
            FailureKind::OutOfFuel => "out of fuel",
            FailureKind::Other => "error",
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)
    }
}
