//! Estimates of the time and the memory that compiling a module takes, read from the error that refuses it.

use ext_wasm::{ModuleLimits, WasmCapabilities, WasmError, WasmState};

/// Compiles a module in the text format under these limits.
pub fn compile(limits: &ModuleLimits, module: &str) -> Result<(), WasmError> {
    let mut capabilities = WasmCapabilities::default();
    capabilities.module_limits = limits.clone();
    let binary = wat::parse_str(module).unwrap();
    WasmState::new(capabilities)?.compile(&binary).map(drop)
}

/// Asserts that the default limits refuse one module for its estimated cost, and take a smaller one of the same kind.
pub fn only_more_is_refused(kind: &str, more: &str, less: &str) {
    let error = compile(&ModuleLimits::default(), more).expect_err(kind);
    assert!(error.message.contains("max_compile_"), "{kind}: {error}");
    compile(&ModuleLimits::default(), less).expect(kind);
}

/// The size from which the estimate for a binary is not raised. See `with_margin` in `src/runtime/admission/cost.rs`.
const LARGE_BYTES: u64 = 1 << 20;

/// The estimated time for compiling a module in milliseconds, without the increase for small modules.
pub fn milliseconds(module: &str) -> u64 {
    without_increase(raised_milliseconds(module), module)
}

/// The estimated time for compiling a module in milliseconds.
pub fn raised_milliseconds(module: &str) -> u64 {
    let mut limits = ModuleLimits::default();
    (limits.max_compile_ms, limits.max_compile_ns_per_byte) = (0, 0);
    estimated(&limits, module)
}

/// The estimated memory for compiling a module in bytes, without the increase for small modules.
pub fn bytes(module: &str) -> u64 {
    without_increase(raised_bytes(module), module)
}

/// The estimated memory for compiling a module in bytes.
pub fn raised_bytes(module: &str) -> u64 {
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

fn without_increase(raised: u64, module: &str) -> u64 {
    let missing = LARGE_BYTES.saturating_sub(wat::parse_str(module).unwrap().len() as u64);
    raised * LARGE_BYTES / (LARGE_BYTES + missing)
}

#[test]
fn estimates_for_small_modules_are_raised() {
    let code =
        "(func (param i32) (result i32) (i32.rem_s (local.get 0) (local.get 0)))".repeat(500);
    let of = |custom: usize| {
        let custom = format!("(@custom \"c\" \"{}\")", "x".repeat(custom));
        let mut limits = ModuleLimits::default();
        (limits.max_compile_bytes, limits.max_compile_bytes_per_byte) = (0, 0);
        let error = compile(&limits, &format!("(module {code} {custom})")).unwrap_err();
        let (_, rest) = error.message.split_once("an estimated ").unwrap();
        rest.split(' ').next().unwrap().parse::<u64>().unwrap()
    };
    let (small, half, large) = (of(0), of(1 << 19), of(1 << 20));
    assert!(small > large * 19 / 10, "{small}, {large}");
    assert!(small > half && half > large, "{small}, {half}, {large}");
}
