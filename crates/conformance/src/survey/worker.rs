//! Processes that compile and run modules. Each has one module, and one compiler that counts its time and memory.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use ext_wasm::runtime::MEMORY_RESERVATION;
use ext_wasm::{ModuleLimits, WasmCapabilities, WasmModule, WasmState};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wasmtime::{Config, Engine, Module};

use super::contents::Contents;
use super::report::{Compile, Ended, Fence, ModuleReport, NeededCap, Read, Run};
use super::sources::{Found, Source};
use super::text::show;
use super::{script, stand_ins};
use crate::process::{self, Process, ProcessError};
use crate::run::with_deep_stack;

/// A step of the survey of one module.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Step {
    Read,
    /// Compile it by wasmtime alone.
    Wasmtime,
    /// Compile it by `host:wasm`.
    Compile,
    /// Run what was compiled through the Rust API.
    Runtime,
    /// The same through the TypeScript API.
    Script,
    /// Run it through the Rust API without fuel and deadline.
    Unfenced,
}

#[derive(Serialize, Deserialize)]
struct Request {
    source: Source,
    step: Step,
    fence: Fence,
}

/// The answer to [`Step::Compile`].
#[derive(Serialize, Deserialize)]
struct Compiled {
    caps: Vec<NeededCap>,
    compile: Compile,
}

/// Runs the steps that are asked for on standard input, until that ends.
///
/// # Errors
///
/// When a request is not understood.
pub fn serve() -> anyhow::Result<()> {
    with_deep_stack(|| {
        let mut surveyor = Surveyor::default();
        process::serve(|request: Request| surveyor.step(&request))
    })?
}

/// The module of this process, as far as it has come.
#[derive(Default)]
struct Surveyor {
    source: Option<Vec<u8>>,
    capabilities: WasmCapabilities,
    compiled: Option<(WasmState, WasmModule)>,
}

impl Surveyor {
    fn step(&mut self, request: &Request) -> anyhow::Result<Value> {
        let fence = request.fence;
        Ok(match request.step {
            Step::Read => serde_json::to_value(self.read(&request.source)?)?,
            Step::Wasmtime => {
                let source = request.source.read()?;
                serde_json::to_value(compile(|| by_wasmtime(&source))?)?
            }
            Step::Compile => {
                self.source(&request.source)?;
                serde_json::to_value(self.compile(fence)?)?
            }
            Step::Runtime => {
                let (state, module) = self.compiled.as_ref().context("it is not compiled")?;
                serde_json::to_value(stand_ins::run(state, module, Some(fence)))?
            }
            Step::Script => {
                let (_, module) = self.compiled.as_ref().context("it is not compiled")?;
                let state = WasmState::new(self.capabilities.clone())?;
                let source = self.source.clone().context("it was not read")?;
                serde_json::to_value(script::run(state, source, module, fence)?)?
            }
            Step::Unfenced => {
                // The code without checks is other code.
                self.compiled = None;
                self.capabilities.max_fuel = None;
                self.capabilities.max_timeout_ms = None;
                let state = WasmState::new(self.capabilities.clone())?;
                let source = self.source.as_deref().context("it was not read")?;
                let module = state.compile(source)?;
                serde_json::to_value(stand_ins::run(&state, &module, None))?
            }
        })
    }

    /// Returns the module, read once.
    fn source(&mut self, source: &Source) -> anyhow::Result<&[u8]> {
        let read = match self.source.take() {
            Some(read) => read,
            None => source.read()?,
        };
        Ok(self.source.insert(read))
    }

    fn read(&mut self, source: &Source) -> anyhow::Result<Read> {
        let wasm = wat::parse_bytes(self.source(source)?);
        let contents = wasm
            .map_err(anyhow::Error::from)
            .and_then(|wasm| Contents::of(&wasm));
        Ok(match contents {
            Ok(contents) => {
                let elements = &mut self.capabilities.max_table_elements;
                *elements = contents.table_elements.max(*elements);
                Read::Module(contents)
            }
            Err(error) => Read::Malformed(show(&format!("{error:#}"))),
        })
    }

    /// Compiles the module, with all caps that it needs.
    fn compile(&mut self, fence: Fence) -> anyhow::Result<Compiled> {
        let source = self.source.as_deref().context("it was not read")?;
        let mut caps = Vec::new();
        let default = WasmCapabilities::default().max_table_elements;
        if self.capabilities.max_table_elements > default {
            caps.push(NeededCap {
                name: "max_table_elements".to_owned(),
                needed: Some(self.capabilities.max_table_elements),
                allowed: default,
            });
        }
        self.capabilities.allow_wasi = true;
        // Code is compiled with the checks that the caps ask for.
        self.capabilities.max_fuel = Some(fence.fuel);
        self.capabilities.max_timeout_ms = Some(fence.timeout_ms);
        let state = WasmState::new(self.capabilities.clone())?;
        // A source that is no module exceeds nothing, and is refused by the compiler.
        let exceeded = state.exceeded_limits(source).unwrap_or_default();
        caps.extend(exceeded.iter().map(|limit| NeededCap {
            name: limit.name.to_owned(),
            needed: (limit.value < u64::MAX).then_some(limit.value),
            allowed: limit.allowed,
        }));
        let state = match exceeded.is_empty() {
            true => state,
            false => {
                self.capabilities.module_limits = raised(&caps)?;
                WasmState::new(self.capabilities.clone())?
            }
        };
        let mut module = None;
        let compile = compile(|| {
            module = Some(state.compile(source).map_err(|error| error.message)?);
            Ok(())
        })?;
        self.compiled = module.map(|module| (state, module));
        Ok(Compiled { caps, compile })
    }
}

/// Returns limits that let a module through which needs these.
fn raised(caps: &[NeededCap]) -> anyhow::Result<ModuleLimits> {
    let counts = caps.iter().filter_map(|cap| {
        let is_of_modules = cap.name != "max_table_elements";
        Some((
            cap.name.clone(),
            Value::from(cap.needed.filter(|_| is_of_modules)?),
        ))
    });
    let mut limits: ModuleLimits = serde_json::from_value(Value::Object(counts.collect()))?;
    // The estimate of a cost ends early where it exceeds the limits, so that the next one may be larger.
    limits.max_compile_ms = u64::MAX / 1_000_000;
    limits.max_compile_bytes = u64::MAX;
    Ok(limits)
}

/// Whether a module was refused since neither fuel nor a deadline ends its waiting.
fn waits(run: &Run) -> bool {
    match &run.instantiate {
        Ended::Failed { message } => message.contains("memory.atomic.wait"),
        _ => false,
    }
}

/// Measures a compilation.
fn compile(compile: impl FnOnce() -> Result<(), String>) -> anyhow::Result<Compile> {
    reset_peak();
    let (start, cpu) = (Instant::now(), cpu_seconds());
    let done = compile();
    let seconds = start.elapsed().as_secs_f64();
    let cpu = cpu.zip(cpu_seconds());
    Ok(match done {
        Ok(()) => Compile::Compiled {
            seconds,
            cpu_seconds: cpu.map(|(before, after)| after - before),
            peak_bytes: peak(),
        },
        Err(message) => Compile::Refused {
            message: show(&message),
        },
    })
}

/// Compiles a module by wasmtime with its own settings, and the checks and features that `host:wasm` has.
fn by_wasmtime(source: &[u8]) -> Result<(), String> {
    let mut config = Config::new();
    crate::fuzz::features().configure(&mut config);
    config
        .consume_fuel(true)
        .epoch_interruption(true)
        .memory_reservation(MEMORY_RESERVATION)
        .memory_may_move(false);
    let compiled = Engine::new(&config).and_then(|engine| {
        let wasm = wat::parse_bytes(source)?;
        Module::from_binary(&engine, &wasm)
    });
    compiled.map(drop).map_err(|error| format!("{error:#}"))
}

/// Forgets the peak of the memory of this process.
fn reset_peak() {
    // Where that is refused, the peak has what reading the module took.
    let _ = fs::write("/proc/self/clear_refs", "5");
}

/// Returns the peak of the memory of this process in bytes, where the system is Linux.
fn peak() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib << 10)
}

/// Returns the time that this process has had of all processors, where the system is Linux.
fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program is in parentheses and can have spaces. User and system time are fields 14 and 15, in
    // hundredths of a second.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    Some((ticks()? + ticks()?) as f64 / 100.0)
}

/// Surveys modules in processes that `start` starts.
pub struct Worker<'a> {
    pub start: &'a (dyn Fn() -> Command + Sync),
    /// How long one step may take.
    pub timeout: Duration,
    pub fence: Fence,
}

impl Worker<'_> {
    /// Surveys a module.
    ///
    /// # Errors
    ///
    /// When no process can be started.
    pub fn survey(&self, found: &Found) -> anyhow::Result<ModuleReport> {
        let mut report = ModuleReport {
            name: found.name.clone(),
            also: found.also.clone(),
            bytes: found.bytes,
            contents: Read::Malformed(String::new()),
            wasmtime: Compile::NotTried,
            host_wasm: Compile::NotTried,
            caps: Vec::new(),
            runtime: None,
            script: None,
            unfenced: None,
        };
        let mut process = Process::new(self.start, self.timeout);
        report.contents = self
            .ask(&mut process, found, Step::Read)?
            .unwrap_or_else(Read::Malformed);
        // The peak of the memory is that of a process with one compiler.
        let mut beside = Process::new(self.start, self.timeout);
        let lost = |message| Compile::Lost { message };
        report.wasmtime = self
            .ask(&mut beside, found, Step::Wasmtime)?
            .unwrap_or_else(lost);
        drop(beside);
        match self.ask(&mut process, found, Step::Compile)? {
            Ok(Compiled { caps, compile }) => (report.caps, report.host_wasm) = (caps, compile),
            Err(message) => report.host_wasm = lost(message),
        }
        if let Compile::Compiled { .. } = report.host_wasm {
            report.runtime = Some(self.run(&mut process, found, Step::Runtime)?);
            // A process that is lost has lost the code too.
            if !report.runtime.as_ref().is_some_and(Run::is_lost) {
                report.script = Some(self.run(&mut process, found, Step::Script)?);
            }
            let has_code = report.script.as_ref().is_some_and(|run| !run.is_lost());
            if has_code && report.runtime.as_ref().is_some_and(waits) {
                report.unfenced = Some(self.run(&mut process, found, Step::Unfenced)?);
            }
        }
        Ok(report)
    }

    fn run(&self, process: &mut Process<'_>, found: &Found, step: Step) -> anyhow::Result<Run> {
        let run = self.ask(process, found, step)?;
        Ok(run.unwrap_or_else(|message| Run {
            instantiate: Ended::Lost { message },
            call: None,
        }))
    }

    fn ask<A: DeserializeOwned>(
        &self,
        process: &mut Process<'_>,
        found: &Found,
        step: Step,
    ) -> anyhow::Result<Result<A, String>> {
        let answer = process.ask(&Request {
            source: found.source.clone(),
            step,
            fence: self.fence,
        })?;
        Ok(answer.map_err(|lost| match lost {
            ProcessError::Hung(timeout) => {
                format!("its process was killed after {} s", timeout.as_secs())
            }
            lost => show(&format!("its process ended: {lost}")),
        }))
    }
}
