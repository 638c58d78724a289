//! Walks a script: does on a host what each directive says, and judges what came of it.

use std::collections::HashMap;
use std::fmt;

use json_from_wast::{Action, Command, Const, WasmFile};
use serde::{Deserialize, Serialize};

use crate::compare;
use crate::host::{Failure, FailureKind, Host, InstanceId, ModuleId};
use crate::script::{self, Script};
use crate::value::{self, Value};

/// What came of one directive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub line: u32,
    pub directive: &'static str,
    pub verdict: Verdict,
}

/// How a directive ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Passed,
    Failed(Mismatch),
    /// Not run; why is for whoever asked to skip it to say.
    Skipped,
    /// Begun and never ended: what a log that a panic cut short ends with.
    Running,
}

/// What a directive expects and what happened instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mismatch {
    pub expected: String,
    pub got: String,
}

impl Mismatch {
    pub fn new(expected: impl Into<String>, got: impl Into<String>) -> Self {
        Self {
            expected: expected.into(),
            got: got.into(),
        }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}, got {}", self.expected, self.got)
    }
}

/// Walks `script` on `host`, appending an outcome for each directive to `log`.
///
/// The log is an argument, not a result, so that what was done until then survives a panic of the host.
pub fn walk(
    host: &mut dyn Host,
    script: &Script<'_>,
    skip: &dyn Fn(u32) -> bool,
    log: &mut Vec<Outcome>,
) {
    let mut walk = Walk {
        host,
        script,
        definitions: HashMap::new(),
        instances: HashMap::new(),
        current: None,
    };
    for directive in &script.directives {
        let (name, command) = match &directive.command {
            Ok(command) => (script::name(command), Ok(command)),
            Err(message) => ("directive", Err(message)),
        };
        let begun = log.len();
        log.push(Outcome {
            line: directive.line,
            directive: name,
            verdict: Verdict::Running,
        });
        log[begun].verdict = if skip(directive.line) {
            Verdict::Skipped
        } else {
            let result = match command {
                Ok(command) => walk.run(command),
                Err(message) => Err(unsupported(message)),
            };
            result.map_or_else(Verdict::Failed, |()| Verdict::Passed)
        };
    }
}

/// The state of a script between two directives.
struct Walk<'a> {
    host: &'a mut dyn Host,
    script: &'a Script<'a>,
    /// Modules by name; the latest is also there under `None`.
    definitions: HashMap<Option<String>, ModuleId>,
    instances: HashMap<String, InstanceId>,
    /// The instance that actions without a name mean: the latest, or none if making it failed, so that
    /// what follows is not by mistake asked of an earlier one.
    current: Option<InstanceId>,
}

type Checked<T = ()> = Result<T, Mismatch>;

impl Walk<'_> {
    fn run(&mut self, command: &Command<'_>) -> Checked {
        match command {
            Command::Module { name, file, .. } => {
                self.forget_instance(name.as_deref());
                let module = self.define(name.as_deref(), file)?;
                self.instantiate(name.as_deref(), module)
            }
            Command::ModuleDefinition { name, file, .. } => {
                self.define(name.as_deref(), file).map(|_| ())
            }
            Command::ModuleInstance {
                instance, module, ..
            } => {
                self.forget_instance(instance.as_deref());
                let name = module.as_deref().map(str::to_owned);
                let module = self.definitions.get(&name).copied();
                let module = module.ok_or_else(|| missing("module", name.as_deref()))?;
                self.instantiate(instance.as_deref(), module)
            }
            Command::Register { name, as_, .. } => {
                let instance = self.instance(name.as_deref())?;
                let registered = self.host.register(as_, &[instance]);
                registered.map_err(|failure| Mismatch::new("to register", failure.to_string()))
            }
            Command::Action { action, .. } => match self.act(action)? {
                Ok(_) => Ok(()),
                Err(failure) => Err(Mismatch::new("to return", failure.to_string())),
            },
            Command::AssertReturn {
                action, expected, ..
            } => assert_return(self.act(action)?, expected),
            Command::AssertTrap { action, text, .. } => {
                assert_failure(self.act(action)?, FailureKind::Trap, Some(text))
            }
            Command::AssertExhaustion { action, text, .. } => {
                assert_failure(self.act(action)?, FailureKind::Exhaustion, Some(text))
            }
            Command::AssertException { action, .. } => {
                assert_failure(self.act(action)?, FailureKind::Exception, None)
            }
            Command::AssertSuspension { action, .. } => {
                assert_failure(self.act(action)?, FailureKind::Suspension, None)
            }
            // The specification lets a host ignore a custom section that is malformed; these say that it must not.
            Command::AssertMalformed { file, .. }
            | Command::AssertMalformedCustom { file, .. }
            | Command::AssertInvalid { file, .. }
            | Command::AssertInvalidCustom { file, .. } => {
                let compiled = self.compile(file)?.map(|_| Vec::new());
                assert_failure(compiled, FailureKind::Invalid, None)
            }
            Command::AssertUnlinkable { file, .. } => {
                let result = self.try_instance(file)?;
                assert_failure(result, FailureKind::Unlinkable, None)
            }
            Command::AssertUninstantiable { file, text, .. } => {
                let result = self.try_instance(file)?;
                // Scripts have no other way to say that a start function exhausts the stack.
                let kind = match &result {
                    Err(failure) if failure.kind == FailureKind::Exhaustion => failure.kind,
                    _ => FailureKind::Trap,
                };
                assert_failure(result, kind, Some(text))
            }
            Command::Thread { .. } | Command::Wait { .. } => {
                Err(unsupported("threads are not supported"))
            }
        }
    }

    fn compile(&mut self, file: &WasmFile<'_>) -> Checked<Result<ModuleId, Failure>> {
        let source = self.script.module(file);
        let source = source.ok_or_else(|| missing("module", Some(&file.filename)))?;
        Ok(self.host.compile(source))
    }

    fn define(&mut self, name: Option<&str>, file: &WasmFile<'_>) -> Checked<ModuleId> {
        self.definitions.remove(&None);
        self.definitions.remove(&name.map(str::to_owned));
        let module = self
            .compile(file)?
            .map_err(|failure| Mismatch::new("to compile", failure.to_string()))?;
        self.definitions.insert(None, module);
        self.definitions.insert(name.map(str::to_owned), module);
        Ok(module)
    }

    fn forget_instance(&mut self, name: Option<&str>) {
        self.current = None;
        if let Some(name) = name {
            self.instances.remove(name);
        }
    }

    fn instantiate(&mut self, name: Option<&str>, module: ModuleId) -> Checked {
        let instance = self
            .host
            .instantiate(module)
            .map_err(|failure| Mismatch::new("to instantiate", failure.to_string()))?;
        self.current = Some(instance);
        if let Some(name) = name {
            self.instances.insert(name.to_owned(), instance);
        }
        Ok(())
    }

    /// Compiles and instantiates a module that must not become an instance; it is no longer needed if it does.
    fn try_instance(&mut self, file: &WasmFile<'_>) -> Checked<Result<Vec<Value>, Failure>> {
        let module = self
            .compile(file)?
            .map_err(|failure| Mismatch::new("to compile", failure.to_string()))?;
        Ok(self.host.instantiate(module).map(|_| Vec::new()))
    }

    fn instance(&self, name: Option<&str>) -> Checked<InstanceId> {
        let instance = match name {
            Some(name) => self.instances.get(name).copied(),
            None => self.current,
        };
        instance.ok_or_else(|| missing("instance", name))
    }

    fn act(&mut self, action: &Action<'_>) -> Checked<Result<Vec<Value>, Failure>> {
        match action {
            Action::Invoke {
                module,
                field,
                args,
            } => {
                let instance = self.instance(module.as_deref())?;
                let args = args
                    .iter()
                    .map(|arg| {
                        compare::argument(arg)
                            .ok_or_else(|| unsupported(&format!("argument {arg:?}")))
                    })
                    .collect::<Checked<Vec<Value>>>()?;
                Ok(self.host.invoke(instance, field, &args))
            }
            Action::Get { module, field } => {
                let instance = self.instance(module.as_deref())?;
                Ok(self.host.get(instance, field).map(|value| vec![value]))
            }
        }
    }
}

fn assert_return(result: Result<Vec<Value>, Failure>, expected: &[Const<'_>]) -> Checked {
    match result {
        Ok(actual)
            if actual.len() == expected.len()
                && actual
                    .iter()
                    .zip(expected)
                    .all(|(actual, expected)| compare::matches(actual, expected)) =>
        {
            Ok(())
        }
        Ok(actual) => Err(Mismatch::new(compare::list(expected), value::list(&actual))),
        Err(failure) => Err(Mismatch::new(compare::list(expected), failure.to_string())),
    }
}

fn assert_failure(
    result: Result<Vec<Value>, Failure>,
    kind: FailureKind,
    text: Option<&str>,
) -> Checked {
    let got = match result {
        Err(failure)
            if failure.kind == kind
                && text.is_none_or(|text| compare::matches_trap(&failure.message, text)) =>
        {
            return Ok(());
        }
        Err(failure) => failure.to_string(),
        Ok(values) => value::list(&values),
    };
    let expected = match text {
        Some(text) => format!("{kind}: {text}"),
        None => kind.to_string(),
    };
    Err(Mismatch::new(expected, got))
}

fn missing(what: &str, name: Option<&str>) -> Mismatch {
    let expected = match name {
        Some(name) => format!("{what} `{name}`"),
        None => format!("a latest {what}"),
    };
    Mismatch::new(expected, "there is none, or making it failed")
}

fn unsupported(message: &str) -> Mismatch {
    Mismatch::new("a directive that is understood", message)
}
