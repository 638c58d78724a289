//! Runs a script: carries out each directive on a host, and compares the result with the expected one.

use std::collections::HashMap;
use std::thread::{self, Scope, ScopedJoinHandle};

use json_from_wast::{Action, Command, Const, WasmFile};

use crate::compare;
use crate::component::{self, ComponentValue, Constant};
use crate::host::{
    self, ComponentId, ComponentInstanceId, Failure, FailureKind, Host, InstanceId, ModuleId,
    NewThread, ThreadHost,
};
use crate::outcome::{Mismatch, Outcome, Verdict};
use crate::run::{STACK_SIZE, panic_message};
use crate::script::{self, Script};
use crate::spectest;
use crate::value::{self, Value};

/// Runs `script` on `host`, appending an outcome for each directive to `log`. `skip` says by its line whether a directive
/// is left out. `spectest` are the modules in text that make up the module `spectest`, in each thread too.
///
/// A directive `thread` is one directive: it fails if one of the directives in it does, and says which. It has ended when
/// `run_script` returns, also if the script does not wait for it.
///
/// The log is an argument, not a result, so that it survives a panic of the host.
pub fn run_script(
    host: &mut dyn Host,
    script: &Script<'_>,
    spectest: &[&str],
    skip: &dyn Fn(u32) -> bool,
    log: &mut Vec<Outcome>,
) {
    let commands = script.directives.iter().map(|directive| {
        let command = directive.command.as_ref();
        (directive.line, command.map_err(String::as_str))
    });
    thread::scope(|scope| {
        let context = WastContext::new(host, script, spectest, scope);
        context.run_directives(commands, skip, log);
    });
}

/// The state of a script, or of one of its threads, between two directives.
struct WastContext<'scope, 'env> {
    host: &'env mut dyn Host,
    script: &'env Script<'env>,
    spectest: &'env [&'env str],
    /// Modules by name; the latest is also there under `None`.
    definitions: HashMap<Option<String>, Definition<'env>>,
    instances: HashMap<String, MadeInstance>,
    /// The instance of actions without a name: the latest, or none if making it failed, so that these actions do not use
    /// an earlier one by mistake.
    current: Option<MadeInstance>,
    /// The threads that have not been waited for.
    threads: Vec<RunningThread<'scope>>,
    scope: &'scope Scope<'scope, 'env>,
}

/// A module or component that the script defined.
#[derive(Clone, Copy)]
struct Definition<'a> {
    file: &'a WasmFile<'a>,
    /// `None` in a thread that has not used it: the script defined it outside of the thread, on another host.
    module: Option<Compiled>,
}

#[derive(Clone, Copy)]
enum Compiled {
    Module(ModuleId),
    Component(ComponentId),
}

#[derive(Clone, Copy)]
enum MadeInstance {
    Core(InstanceId),
    Component(ComponentInstanceId),
}

/// The results of an action.
enum Results {
    Core(Vec<Value>),
    Component(Option<ComponentValue>),
}

struct RunningThread<'scope> {
    name: String,
    /// The place of its directive in the log.
    index: usize,
    handle: ScopedJoinHandle<'scope, Result<Vec<Outcome>, Mismatch>>,
}

impl RunningThread<'_> {
    /// Waits until the thread has ended, and says how its directives did.
    fn join(self) -> Verdict {
        let log = match self.handle.join() {
            Ok(Ok(log)) => log,
            Ok(Err(mismatch)) => return Verdict::Failed(mismatch),
            Err(panic) => {
                let got = format!("panicked: {}", panic_message(panic.as_ref()));
                return Verdict::Failed(Mismatch::new("not to panic", got));
            }
        };
        let failed: Vec<String> = log
            .iter()
            .filter_map(|outcome| {
                let (line, directive) = (outcome.line, outcome.directive);
                match &outcome.verdict {
                    Verdict::Passed => None,
                    Verdict::Failed(mismatch) => {
                        Some(format!("line {line}: {directive} {mismatch}"))
                    }
                    Verdict::Skipped | Verdict::Running => {
                        Some(format!("line {line}: {directive} did not end"))
                    }
                }
            })
            .collect();
        match failed.is_empty() {
            true => Verdict::Passed,
            false => Verdict::Failed(Mismatch::new(
                "every directive of the thread to pass",
                failed.join("; "),
            )),
        }
    }
}

/// A directive of a script, or why it is not understood.
type Parsed<'a> = Result<&'a Command<'a>, &'a str>;

type Checked<T = ()> = Result<T, Mismatch>;

impl<'scope, 'env> WastContext<'scope, 'env> {
    fn new(
        host: &'env mut dyn Host,
        script: &'env Script<'env>,
        spectest: &'env [&'env str],
        scope: &'scope Scope<'scope, 'env>,
    ) -> Self {
        Self {
            host,
            script,
            spectest,
            definitions: HashMap::new(),
            instances: HashMap::new(),
            current: None,
            threads: Vec::new(),
            scope,
        }
    }

    fn run_directives(
        mut self,
        commands: impl Iterator<Item = (u32, Parsed<'env>)>,
        skip: &dyn Fn(u32) -> bool,
        log: &mut Vec<Outcome>,
    ) {
        for (line, command) in commands {
            let index = log.len();
            log.push(Outcome {
                line,
                directive: command.map_or("directive", script::name),
                verdict: Verdict::Running,
            });
            if skip(line) {
                log[index].verdict = Verdict::Skipped;
                continue;
            }
            let result = match command {
                Ok(Command::Thread { .. }) => match self.start_thread(index, command) {
                    // Its verdict comes when it has ended.
                    Ok(()) => continue,
                    Err(mismatch) => Err(mismatch),
                },
                Ok(Command::Wait { thread, .. }) => self.wait(thread, log),
                Ok(command) => self.run_directive(command),
                Err(message) => Err(unsupported(message)),
            };
            log[index].verdict = result.map_or_else(Verdict::Failed, |()| Verdict::Passed);
        }
        for thread in self.threads {
            let index = thread.index;
            log[index].verdict = thread.join();
        }
    }

    fn run_directive(&mut self, command: &'env Command<'env>) -> Checked {
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
                let module = self.defined(module.as_deref())?;
                self.instantiate(instance.as_deref(), module)
            }
            Command::Register { name, as_, .. } => {
                let instance = self.core_instance(name.as_deref())?;
                let registered = self.host.register(as_, &[instance]);
                registered.map_err(|failure| Mismatch::new("to register", failure.to_string()))
            }
            Command::Action { action, .. } => match self.perform_action(action)? {
                Ok(_) => Ok(()),
                Err(failure) => Err(Mismatch::new("to return", failure.to_string())),
            },
            Command::AssertReturn {
                action, expected, ..
            } => assert_return(self.perform_action(action)?, expected),
            Command::AssertTrap { action, text, .. } => {
                assert_failure(self.perform_action(action)?, FailureKind::Trap, Some(text))
            }
            Command::AssertExhaustion { action, text, .. } => assert_failure(
                self.perform_action(action)?,
                FailureKind::Exhaustion,
                Some(text),
            ),
            Command::AssertException { action, .. } => {
                assert_failure(self.perform_action(action)?, FailureKind::Exception, None)
            }
            Command::AssertSuspension { action, .. } => {
                assert_failure(self.perform_action(action)?, FailureKind::Suspension, None)
            }
            // The specification lets a host ignore a custom section that is malformed; these say that it must not.
            Command::AssertMalformed { file, .. }
            | Command::AssertMalformedCustom { file, .. }
            | Command::AssertInvalid { file, .. }
            | Command::AssertInvalidCustom { file, .. } => {
                let compiled = self.compile(file)?.map(|_| Results::Core(Vec::new()));
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
            // These need the log: see `run_directives`.
            Command::Thread { .. } | Command::Wait { .. } => Err(unsupported("out of place")),
        }
    }

    fn compile(&mut self, file: &WasmFile<'_>) -> Checked<Result<Compiled, Failure>> {
        let source = self.script.module(file);
        let source = source.ok_or_else(|| missing("module", Some(&file.filename)))?;
        Ok(match self.script.is_component(file) {
            false => self.host.compile(source).map(Compiled::Module),
            true => self.host.compile_component(source).map(Compiled::Component),
        })
    }

    fn define(&mut self, name: Option<&str>, file: &'env WasmFile<'env>) -> Checked<Compiled> {
        self.definitions.remove(&None);
        self.definitions.remove(&name.map(str::to_owned));
        let module = self
            .compile(file)?
            .map_err(|failure| Mismatch::new("to compile", failure.to_string()))?;
        let definition = Definition {
            file,
            module: Some(module),
        };
        self.definitions.insert(None, definition);
        self.definitions.insert(name.map(str::to_owned), definition);
        Ok(module)
    }

    /// The module of a definition.
    fn defined(&mut self, name: Option<&str>) -> Checked<Compiled> {
        let key = name.map(str::to_owned);
        let definition = self.definitions.get(&key).copied();
        let definition = definition.ok_or_else(|| missing("module", name))?;
        if let Some(module) = definition.module {
            return Ok(module);
        }
        let module = self
            .compile(definition.file)?
            .map_err(|failure| Mismatch::new("to compile", failure.to_string()))?;
        let definition = Definition {
            module: Some(module),
            ..definition
        };
        self.definitions.insert(key, definition);
        Ok(module)
    }

    /// Starts a thread. It has a host of its own, whose only instance is the one that the thread shares.
    fn start_thread(&mut self, index: usize, command: Parsed<'env>) -> Checked {
        let Ok(Command::Thread {
            name,
            shared_module,
            commands,
            ..
        }) = command
        else {
            return Err(unsupported("no thread"));
        };
        let shared = shared_module.as_deref();
        let instance = shared.map(|name| self.core_instance(Some(name)));
        let instance = instance.transpose()?;
        let host = self.host.thread(instance);
        let host =
            host.map_err(|failure| Mismatch::new("to start a thread", failure.to_string()))?;
        let thread = Thread {
            host,
            shared,
            commands,
            script: self.script,
            spectest: self.spectest,
            definitions: self.definitions.clone(),
        };
        let handle = thread::Builder::new()
            .stack_size(STACK_SIZE)
            .spawn_scoped(self.scope, move || thread.run())
            .map_err(|error| Mismatch::new("to start a thread", error.to_string()))?;
        self.threads.push(RunningThread {
            name: name.as_ref().to_owned(),
            index,
            handle,
        });
        Ok(())
    }

    /// Waits for the thread of that name, whose verdict goes to the log.
    fn wait(&mut self, name: &str, log: &mut [Outcome]) -> Checked {
        let position = self.threads.iter().rposition(|thread| thread.name == name);
        let position = position.ok_or_else(|| missing("thread", Some(name)))?;
        let thread = self.threads.remove(position);
        let index = thread.index;
        log[index].verdict = thread.join();
        Ok(())
    }

    fn forget_instance(&mut self, name: Option<&str>) {
        self.current = None;
        if let Some(name) = name {
            self.instances.remove(name);
        }
    }

    fn instantiate(&mut self, name: Option<&str>, module: Compiled) -> Checked {
        let instance = self
            .make_instance(module)
            .map_err(|failure| Mismatch::new("to instantiate", failure.to_string()))?;
        self.current = Some(instance);
        if let Some(name) = name {
            self.instances.insert(name.to_owned(), instance);
        }
        Ok(())
    }

    fn make_instance(&mut self, module: Compiled) -> Result<MadeInstance, Failure> {
        match module {
            Compiled::Module(module) => self.host.instantiate(module).map(MadeInstance::Core),
            Compiled::Component(component) => {
                let made = self.host.instantiate_component(component);
                made.map(MadeInstance::Component)
            }
        }
    }

    /// Compiles and instantiates a module that must not become an instance; it is no longer needed if it does.
    fn try_instance(&mut self, file: &WasmFile<'_>) -> Checked<Result<Results, Failure>> {
        let module = self
            .compile(file)?
            .map_err(|failure| Mismatch::new("to compile", failure.to_string()))?;
        Ok(self
            .make_instance(module)
            .map(|_| Results::Core(Vec::new())))
    }

    fn core_instance(&self, name: Option<&str>) -> Checked<InstanceId> {
        match self.instance(name)? {
            MadeInstance::Core(instance) => Ok(instance),
            MadeInstance::Component(_) => Err(unsupported("an instance of a component")),
        }
    }

    fn instance(&self, name: Option<&str>) -> Checked<MadeInstance> {
        let instance = match name {
            Some(name) => self.instances.get(name).copied(),
            None => self.current,
        };
        instance.ok_or_else(|| missing("instance", name))
    }

    fn perform_action(&mut self, action: &Action<'_>) -> Checked<Result<Results, Failure>> {
        match action {
            Action::Invoke {
                module,
                field,
                args,
            } => match self.instance(module.as_deref())? {
                MadeInstance::Core(instance) => {
                    let args = args.iter().map(|arg| {
                        compare::argument(arg)
                            .ok_or_else(|| unsupported(&format!("argument {arg:?}")))
                    });
                    let args = args.collect::<Checked<Vec<Value>>>()?;
                    Ok(self.host.invoke(instance, field, &args).map(Results::Core))
                }
                MadeInstance::Component(instance) => {
                    let args = args.iter().map(|arg| {
                        component::constant(arg)
                            .ok_or_else(|| unsupported(&format!("argument {arg:?}")))
                    });
                    let args = args.collect::<Checked<Vec<_>>>()?;
                    let args: Vec<_> = args.iter().map(Constant::get).collect();
                    let called = self.host.invoke_component(instance, field, &args);
                    Ok(called.map(Results::Component))
                }
            },
            Action::Get { module, field } => {
                let instance = self.core_instance(module.as_deref())?;
                let got = self.host.get(instance, field);
                Ok(got.map(|value| Results::Core(vec![value])))
            }
        }
    }
}

/// A thread that is about to run, with the things of the script that it may use.
struct Thread<'env> {
    host: NewThread,
    /// The name of the instance that it shares.
    shared: Option<&'env str>,
    commands: &'env [Command<'env>],
    script: &'env Script<'env>,
    spectest: &'env [&'env str],
    definitions: HashMap<Option<String>, Definition<'env>>,
}

impl Thread<'_> {
    /// Runs the directives, and returns their outcomes.
    fn run(self) -> Result<Vec<Outcome>, Mismatch> {
        let failed = |message: String| Mismatch::new("a host for the thread", message);
        let ThreadHost { mut host, shared } =
            (self.host)().map_err(|error| failed(format!("{error:#}")))?;
        host::provide(host.as_mut(), spectest::NAME, self.spectest)
            .map_err(|failure| failed(failure.to_string()))?;
        let mut log = Vec::new();
        thread::scope(|scope| {
            let mut context = WastContext::new(host.as_mut(), self.script, self.spectest, scope);
            let shared = shared.map(MadeInstance::Core);
            let instances = self.shared.map(str::to_owned).into_iter().zip(shared);
            context.instances.extend(instances);
            // Modules belong to a host.
            let definitions = self.definitions.into_iter();
            let definitions = definitions
                .map(|(name, Definition { file, .. })| (name, Definition { file, module: None }));
            context.definitions.extend(definitions);
            let commands = self.commands.iter();
            let commands = commands.map(|command| (command.line(), Ok(command)));
            context.run_directives(commands, &|_| false, &mut log);
        });
        Ok(log)
    }
}

fn assert_return(result: Result<Results, Failure>, expected: &[Const<'_>]) -> Checked {
    let wanted = || show_expected(expected);
    match result {
        Ok(actual) if are(&actual, expected) => Ok(()),
        Ok(actual) => Err(Mismatch::new(wanted(), actual.to_string())),
        Err(failure) => Err(Mismatch::new(wanted(), failure.to_string())),
    }
}

/// Whether results are those that a script expects.
fn are(actual: &Results, expected: &[Const<'_>]) -> bool {
    match actual {
        Results::Core(actual) => {
            let mut pairs = actual.iter().zip(expected);
            actual.len() == expected.len()
                && pairs.all(|(actual, expected)| compare::matches(actual, expected))
        }
        Results::Component(actual) => match (actual, expected) {
            (Some(actual), [expected]) => component::constant(expected)
                .is_some_and(|expected| component::matches(actual, expected.get())),
            (actual, expected) => actual.is_none() && expected.is_empty(),
        },
    }
}

fn show_expected(expected: &[Const<'_>]) -> String {
    match expected {
        [Const::Component(expected)] => component::show(expected),
        expected => compare::list(expected),
    }
}

impl std::fmt::Display for Results {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Core(values) => f.write_str(&value::list(values)),
            Self::Component(None) => f.write_str("no result"),
            Self::Component(Some(value)) => value.fmt(f),
        }
    }
}

fn assert_failure(
    result: Result<Results, Failure>,
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
        Ok(results) => results.to_string(),
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
