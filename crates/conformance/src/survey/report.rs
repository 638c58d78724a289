//! The results of a survey, in the shape of the JSON that `--json` writes.

use std::fmt;

use ext_wasm::{WasmError, WasmErrorCode};
use serde::{Deserialize, Serialize};

use super::contents::Contents;
use super::text::show;
use crate::report::ENGINE;

/// The result of a survey.
#[derive(Debug, Serialize, Deserialize)]
pub struct Report {
    /// The JavaScript engine that the TypeScript API ran on.
    pub engine: String,
    /// Whether this program was built with the checks of a debug build, which make compilers slower.
    pub debug_build: bool,
    pub fence: Fence,
    pub modules: Vec<ModuleReport>,
    pub unreadable: Vec<Unreadable>,
}

/// The limits of the runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fence {
    pub fuel: u64,
    pub timeout_ms: u64,
}

/// A file or folder that could not be read.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Unreadable {
    pub name: String,
    pub why: String,
}

/// The results of one module.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct ModuleReport {
    /// The path, with the name in the package after it.
    pub name: String,
    /// The names of other files with the same contents.
    pub also: Vec<String>,
    /// The size of the file.
    pub bytes: u64,
    pub contents: Read,
    /// How wasmtime alone compiled it, with the same checks.
    pub wasmtime: Compile,
    /// How `host:wasm` compiled it, with the caps raised that it exceeds.
    pub host_wasm: Compile,
    /// The caps that it exceeds.
    pub caps: Vec<NeededCap>,
    /// How it ran through the Rust API, if it was compiled.
    pub runtime: Option<Run>,
    /// How it ran through the TypeScript API, if it was compiled.
    pub script: Option<Run>,
    /// How it ran without fuel and deadline, if it can only run so: it waits on shared memory.
    pub unfenced: Option<Run>,
}

/// The contents of a module, or the reason why they could not be read.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Read {
    Module(Contents),
    Malformed(String),
}

/// The outcome of a compilation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Compile {
    Compiled {
        seconds: f64,
        /// The time of all processors, where the system says it.
        cpu_seconds: Option<f64>,
        /// The peak memory of the process, where the system says it.
        peak_bytes: Option<u64>,
    },
    /// The compiler refused the module.
    Refused { message: String },
    /// The process ended, or was ended after too long a time.
    Lost { message: String },
    /// The process before it was lost.
    NotTried,
}

/// A cap that a module exceeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NeededCap {
    /// The field of `ModuleLimits` or `WasmCapabilities`.
    pub name: String,
    /// The value that lets the module through; `None` if it cannot be estimated.
    pub needed: Option<u64>,
    /// The value that the defaults allow this module.
    pub allowed: u64,
}

/// How a module ran, with stand-ins for its imports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The instantiation, with the start function.
    pub instantiate: Ended,
    /// The call of an export, if the instantiation returned and there is a function without parameters.
    pub call: Option<Call>,
}

/// The call of an export without parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    pub name: String,
    pub ended: Ended,
}

/// How guest code ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "kebab-case")]
pub enum Ended {
    Returned,
    /// The name of the trap, as in the specification's tests.
    Trapped {
        trap: String,
    },
    OutOfFuel,
    DeadlinePassed,
    /// With an exception that it did not catch.
    Threw,
    /// Through WASI.
    Exited {
        status: i32,
    },
    /// By an error that is none of the guest's: it was not instantiated, or a stand-in could not go on.
    Failed {
        message: String,
    },
    /// The process ended, or was ended after too long a time.
    Lost {
        message: String,
    },
}

/// Whether `host:wasm` takes a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It compiles, and its start function runs.
    Taken,
    /// The same, with caps above the default.
    NeedsCaps,
    /// It does not compile.
    Refused,
    /// It compiles, and its start function runs, without fuel and deadline only.
    OnlyUnfenced,
    /// It compiles, and cannot be instantiated.
    NotInstantiated,
    /// A process ended that had to do with it.
    Lost,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verdict::Taken => "taken",
            Verdict::NeedsCaps => "needs caps",
            Verdict::Refused => "refused",
            Verdict::OnlyUnfenced => "only unfenced",
            Verdict::NotInstantiated => "not instantiated",
            Verdict::Lost => "lost",
        })
    }
}

impl Report {
    /// A report of no module.
    pub fn new(fence: Fence) -> Self {
        Self {
            engine: ENGINE.to_owned(),
            debug_build: cfg!(debug_assertions),
            fence,
            modules: Vec::new(),
            unreadable: Vec::new(),
        }
    }

    /// The folder that all modules are in, with a slash at its end, or nothing.
    pub fn folder(&self) -> &str {
        let names = || self.modules.iter().map(|module| module.name.as_str());
        let first = names().next().unwrap_or_default();
        let in_all = |folder: &str| names().all(|name| name.starts_with(folder));
        let slashes = first.match_indices('/').map(|(at, _)| &first[..=at]);
        slashes
            .take_while(|folder| in_all(folder))
            .last()
            .unwrap_or_default()
    }

    /// Whether everything was read and is taken.
    pub fn is_success(&self) -> bool {
        let mut modules = self.modules.iter();
        self.unreadable.is_empty() && modules.all(|module| module.verdict() == Verdict::Taken)
    }
}

impl ModuleReport {
    /// Whether `host:wasm` takes the module.
    pub fn verdict(&self) -> Verdict {
        match self.host_wasm {
            Compile::Compiled { .. } => {}
            Compile::Refused { .. } | Compile::NotTried => return Verdict::Refused,
            Compile::Lost { .. } => return Verdict::Lost,
        }
        let mut runs = self.runs();
        if runs.any(|(_, run)| run.is_lost()) {
            return Verdict::Lost;
        }
        let is_instantiated = |run: &Option<Run>| run.as_ref().is_some_and(Run::is_instantiated);
        if !is_instantiated(&self.runtime) || !is_instantiated(&self.script) {
            return match is_instantiated(&self.unfenced) {
                true => Verdict::OnlyUnfenced,
                false => Verdict::NotInstantiated,
            };
        }
        match self.caps.is_empty() {
            true => Verdict::Taken,
            false => Verdict::NeedsCaps,
        }
    }

    /// The runs, each with the API that it went through.
    fn runs(&self) -> impl Iterator<Item = (&'static str, &Run)> {
        let runs = [
            ("Rust API", &self.runtime),
            ("TypeScript API", &self.script),
            ("Rust API without fence", &self.unfenced),
        ];
        runs.into_iter()
            .filter_map(|(api, run)| Some((api, run.as_ref()?)))
    }

    /// The name without the folder that all modules are in.
    pub fn short_name(&self, folder: &str) -> &str {
        self.name.strip_prefix(folder).unwrap_or(&self.name)
    }

    /// The contents, if they could be read.
    pub fn contents(&self) -> Option<&Contents> {
        match &self.contents {
            Read::Module(contents) => Some(contents),
            Read::Malformed(_) => None,
        }
    }

    /// What stands in the way, a line each: refusals, lost processes, and the caps that it needs.
    pub fn obstacles(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for cap in &self.caps {
            lines.push(cap.to_string());
        }
        match &self.host_wasm {
            Compile::Refused { message } => lines.push(format!("refused: {message}")),
            Compile::Lost { message } => lines.push(format!("compiling: {message}")),
            Compile::Compiled { .. } | Compile::NotTried => {}
        }
        for (api, run) in self.runs() {
            if let Ended::Failed { message } | Ended::Lost { message } = &run.instantiate {
                lines.push(format!("{api}: not instantiated: {message}"));
            }
            if let Some(Call {
                name,
                ended: Ended::Failed { message } | Ended::Lost { message },
            }) = &run.call
            {
                lines.push(format!("{api}: {name}: {message}"));
            }
        }
        lines
    }
}

impl fmt::Display for NeededCap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            needed,
            allowed,
        } = self;
        match needed {
            Some(needed) => write!(f, "needs {name} = {needed}: the default allows {allowed}"),
            None => write!(
                f,
                "needs {name}: more than can be estimated; the default allows {allowed}"
            ),
        }
    }
}

impl Run {
    /// How the instantiation and the call ended.
    fn ended(&self) -> impl Iterator<Item = &Ended> {
        let call = self.call.as_ref().map(|call| &call.ended);
        std::iter::once(&self.instantiate).chain(call)
    }

    /// Whether the process was lost.
    pub fn is_lost(&self) -> bool {
        let mut ended = self.ended();
        ended.any(|ended| matches!(ended, Ended::Lost { .. }))
    }

    /// Whether the module was instantiated, so that its start function ran.
    pub fn is_instantiated(&self) -> bool {
        !matches!(self.instantiate, Ended::Failed { .. } | Ended::Lost { .. })
    }

    /// How the guest ended, in a few words.
    pub fn summary(&self) -> String {
        match (&self.instantiate, &self.call) {
            (Ended::Returned, Some(Call { name, ended })) => format!("{name}() {ended}"),
            (Ended::Returned, None) => "instantiated".to_owned(),
            (Ended::Failed { .. }, _) => "not instantiated".to_owned(),
            (ended, _) => format!("start: {ended}"),
        }
    }
}

impl Ended {
    /// How the guest ended that failed with this error of `host:wasm`.
    pub fn of(error: &WasmError) -> Self {
        Self::of_parts(
            error.code.code(),
            error.trap,
            error.exit_code,
            &error.message,
        )
    }

    /// The same, of the fields of an error.
    pub fn of_parts(code: u16, trap: Option<&str>, exit: Option<i32>, message: &str) -> Self {
        match (trap, exit) {
            (_, Some(status)) => Self::Exited { status },
            (Some("interrupt"), _) => Self::DeadlinePassed,
            (Some(trap), _) => Self::Trapped {
                trap: trap.to_owned(),
            },
            _ if code == WasmErrorCode::FuelExhausted.code() => Self::OutOfFuel,
            _ if message == "uncaught WebAssembly exception" => Self::Threw,
            _ => Self::Failed {
                message: show(message),
            },
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ended::Returned => f.write_str("returned"),
            Ended::Trapped { trap } => write!(f, "trap: {trap}"),
            Ended::OutOfFuel => f.write_str("out of fuel"),
            Ended::DeadlinePassed => f.write_str("deadline"),
            Ended::Threw => f.write_str("exception"),
            Ended::Exited { status } => write!(f, "exit {status}"),
            Ended::Failed { .. } => f.write_str("failed"),
            Ended::Lost { .. } => f.write_str("lost"),
        }
    }
}
