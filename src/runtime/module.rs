//! Compiled modules.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use wasmparser::{FunctionBody, MemoryType, Operator, Parser, Payload, TypeRef};
use wasmtime::{ExportType, ImportType, Module};

use super::engine::{Checks, Engines};
use super::error::WasmError;
use super::hosted::Hosted;
use super::store::HostType;
use super::types::{ExportInfo, ImportInfo};

/// A compiled module, as the state knows it.
#[derive(Clone)]
#[non_exhaustive]
pub struct WasmModule {
    /// Its handle, unique for the life of the state that compiled it.
    pub id: u32,
    /// What it exports, in the module's order.
    pub exports: Arc<[ExportInfo]>,
    /// What it imports, in the module's order.
    pub imports: Arc<[ImportInfo]>,
    pub(crate) code: Arc<Code>,
}

impl WasmModule {
    pub(crate) fn new(id: u32, code: Arc<Code>) -> Self {
        let module = code.any();
        let export = |export: ExportType<'_>| ExportInfo::new(export.name(), &export.ty());
        let exports = code
            .exports
            .get_or_init(|| module.exports().map(export).collect());
        let import =
            |import: ImportType<'_>| ImportInfo::new(import.module(), import.name(), &import.ty());
        let imports = code
            .imports
            .get_or_init(|| module.imports().map(import).collect());
        Self {
            id,
            exports: exports.clone(),
            imports: imports.clone(),
            code,
        }
    }

    /// What it was compiled to.
    pub fn code(&self) -> Arc<Code> {
        self.code.clone()
    }

    /// The contents of every custom section named `name`, in the module's order.
    pub fn custom_sections(&self, name: &str) -> Vec<&[u8]> {
        Parser::new(0)
            .parse_all(&self.code.wasm)
            .filter_map(|payload| match payload {
                Ok(Payload::CustomSection(section)) if section.name() == name => {
                    Some(section.data())
                }
                _ => None,
            })
            .collect()
    }
}

/// A module's binary, and its machine code for the engines that were asked for it so far.
pub struct Code {
    wasm: Box<[u8]>,
    pub(crate) sharing: Sharing,
    /// By [`Checks::index`].
    compiled: [OnceLock<Compiled>; Checks::WAYS],
    exports: OnceLock<Arc<[ExportInfo]>>,
    imports: OnceLock<Arc<[ImportInfo]>>,
}

impl Code {
    fn new(wasm: &[u8]) -> Self {
        Self {
            sharing: Sharing::of(wasm),
            wasm: wasm.into(),
            compiled: Default::default(),
            exports: OnceLock::new(),
            imports: OnceLock::new(),
        }
    }

    /// The binary that it was compiled from.
    pub(crate) fn wasm(&self) -> &[u8] {
        &self.wasm
    }

    /// The machine code with these checks, if it was compiled.
    pub(crate) fn get(&self, checks: Checks) -> Option<&Compiled> {
        self.compiled[checks.index()].get()
    }

    /// Whether there is machine code with these checks, so that [`prepare`](Compiler::prepare) has
    /// nothing to do.
    pub fn is_ready(&self, checks: Checks) -> bool {
        self.get(checks).is_some()
    }

    fn any(&self) -> &Module {
        let compiled = self.compiled.iter().find_map(OnceLock::get);
        let compiled = compiled.expect("a `Code` is only made together with its first module");
        &compiled.module
    }
}

/// A module's machine code for one engine.
pub(crate) struct Compiled {
    pub(crate) module: Module,
    /// The types of its imports that are functions, in the order of all imports. Kept, since to ask for
    /// one takes longer than the rest of what an import costs.
    pub(crate) functions: Box<[Option<HostType>]>,
    pub(crate) hosted: OnceLock<Hosted>,
}

impl Compiled {
    fn new(module: Module) -> Self {
        let function = |import: ImportType<'_>| import.ty().func().cloned().map(HostType::new);
        let functions = module.imports().map(function).collect();
        Self {
            module,
            functions,
            hosted: OnceLock::new(),
        }
    }
}

/// How many bytes take less time to compare than it takes to have another thread do so.
const SMALL: usize = 32 << 10;

/// Turns bytes into machine code. May be sent to another thread, which is where it belongs:
/// compiling takes long.
#[derive(Clone)]
pub struct Compiler {
    engines: Engines,
    checks: Checks,
}

impl Compiler {
    /// A compiler whose modules are ready for stores with these checks.
    pub(crate) fn new(engines: Engines, checks: Checks) -> Self {
        Self { engines, checks }
    }

    /// Compiles a module in the binary or the text format; or finds that somebody uses the code of the
    /// same module, and returns that.
    ///
    /// # Errors
    /// `CompileError` if it is malformed, invalid, or uses a feature that is off.
    pub fn compile(&self, source: &[u8]) -> Result<Arc<Code>, WasmError> {
        let wasm = encode(source)?;
        let known = self.engines.known();
        let hash = known.hash(&wasm);
        if let Some(code) = known.find(hash, &wasm) {
            self.prepare(&code, self.checks)?;
            return Ok(code);
        }
        let code = Code::new(&wasm);
        self.prepare(&code, self.checks)?;
        tracing::debug!(bytes = wasm.len(), "compiled a module");
        Ok(known.add(hash, code))
    }

    /// The code of a module that [`compile`](Compiler::compile) would have nothing to do for, if that
    /// is found out in no time: it is in the binary format, small, and somebody uses it.
    pub fn find_small(&self, source: &[u8]) -> Option<Arc<Code>> {
        if source.len() > SMALL {
            return None;
        }
        let known = self.engines.known();
        let code = known.find(known.hash(source), source)?;
        code.is_ready(self.checks).then_some(code)
    }

    /// Makes sure that `code` can be instantiated in a store with these checks.
    ///
    /// # Errors
    /// As [`Compiler::compile`].
    pub fn prepare(&self, code: &Code, checks: Checks) -> Result<(), WasmError> {
        if code.is_ready(checks) {
            return Ok(());
        }
        let module = Module::from_binary(self.engines.get(checks)?, &code.wasm)
            .map_err(|error| WasmError::compile(format!("{error:#}")))?;
        code.compiled[checks.index()].get_or_init(|| Compiled::new(module));
        Ok(())
    }

    /// Whether `source` is a valid module, in the binary or the text format.
    pub fn validate(&self, source: &[u8]) -> bool {
        let Ok(engine) = self.engines.get(self.checks) else {
            return false;
        };
        encode(source).is_ok_and(|wasm| Module::validate(engine, &wasm).is_ok())
    }
}

/// What a module does with memories that threads share.
#[derive(Debug, Default)]
pub(crate) struct Sharing {
    /// How many bytes those that it defines may grow by, beyond their minimum.
    pub(crate) growth: u64,
    /// Whether it waits on them, with `memory.atomic.wait32` or `.wait64`. On others that traps.
    pub(crate) waits: bool,
}

impl Sharing {
    /// Of no interest for what is not valid.
    fn of(wasm: &[u8]) -> Self {
        let mut this = Self::default();
        let mut shares = false;
        for payload in Parser::new(0).parse_all(wasm).flatten() {
            match payload {
                Payload::ImportSection(imports) => {
                    let mut imports = imports.into_imports().flatten();
                    shares |= imports.any(
                        |import| matches!(import.ty, TypeRef::Memory(memory) if memory.shared),
                    );
                }
                Payload::MemorySection(memories) => {
                    for memory in memories.into_iter().flatten() {
                        shares |= memory.shared;
                        this.growth = this.growth.saturating_add(growth(&memory));
                    }
                }
                // What shares nothing is not looked through.
                Payload::CodeSectionStart { .. } if !shares => break,
                Payload::CodeSectionEntry(body) => this.waits |= waits(&body),
                _ => {}
            }
        }
        this
    }
}

fn growth(memory: &MemoryType) -> u64 {
    if !memory.shared {
        return 0;
    }
    let maximum = memory.maximum.unwrap_or(u64::MAX);
    let page = 1u64.checked_shl(memory.page_size_log2.unwrap_or(16));
    let pages = maximum.saturating_sub(memory.initial);
    pages.saturating_mul(page.unwrap_or(u64::MAX))
}

fn waits(body: &FunctionBody<'_>) -> bool {
    body.get_operators_reader().is_ok_and(|operators| {
        operators.into_iter().flatten().any(|operator| {
            matches!(
                operator,
                Operator::MemoryAtomicWait32 { .. } | Operator::MemoryAtomicWait64 { .. }
            )
        })
    })
}

/// The binary format of `source`. What starts like a binary is one; the rest is read as text.
fn encode(source: &[u8]) -> Result<Cow<'_, [u8]>, WasmError> {
    if source.starts_with(b"\0asm") {
        return Ok(Cow::Borrowed(source));
    }
    let text = std::str::from_utf8(source).map_err(|_| {
        WasmError::compile("not WebAssembly: neither the binary magic `\\0asm` nor UTF-8 text")
    })?;
    let wasm = wat::parse_str(text).map_err(|error| WasmError::compile(format!("{error}")))?;
    Ok(Cow::Owned(wasm))
}
