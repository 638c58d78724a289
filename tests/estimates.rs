//! What compiling a module is estimated to take, as the error tells that refuses it.

use ext_wasm::{ModuleLimits, WasmCapabilities, WasmError, WasmState};

/// Compiles the text of a module within these limits, where it is not refused.
pub fn compile(limits: &ModuleLimits, module: &str) -> Result<(), WasmError> {
    let mut capabilities = WasmCapabilities::default();
    capabilities.module_limits = limits.clone();
    let binary = wat::parse_str(module).unwrap();
    WasmState::new(capabilities)?.compile(&binary).map(drop)
}

/// Sees to it that one module is refused by default for what it takes to compile, and a smaller one of its kind is not.
pub fn only_more_is_refused(kind: &str, more: &str, less: &str) {
    let error = compile(&ModuleLimits::default(), more).expect_err(kind);
    assert!(error.message.contains("max_compile_"), "{kind}: {error}");
    compile(&ModuleLimits::default(), less).expect(kind);
}

/// For how many milliseconds a module is estimated to compile.
pub fn milliseconds(module: &str) -> u64 {
    let mut limits = ModuleLimits::default();
    (limits.max_compile_ms, limits.max_compile_ns_per_byte) = (0, 0);
    estimated(&limits, module)
}

/// How many bytes of memory compiling a module is estimated to take.
pub fn bytes(module: &str) -> u64 {
    let mut limits = ModuleLimits::default();
    (limits.max_compile_bytes, limits.max_compile_bytes_per_byte) = (0, 0);
    limits.max_compile_ms = u64::MAX / 1_000_000;
    estimated(&limits, module)
}

fn estimated(limits: &ModuleLimits, module: &str) -> u64 {
    let message = compile(limits, module).unwrap_err().message;
    let (_, rest) = message.split_once("an estimated ").expect(&message);
    rest.split(' ').next().unwrap().parse().unwrap()
}
