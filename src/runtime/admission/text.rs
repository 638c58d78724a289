//! Conversion of the text format to the binary format.

use std::borrow::Cow;

use super::format::{
    check_component_format, check_format, component_as_module, is_component, is_module,
    module_as_component,
};
use super::profile::{ModuleProfile, VALIDATION_STEP_NS, bound, exceeds, exceeds_of};
use super::text_profile::TextProfile;
use crate::runtime::base::error::WasmError;
use crate::runtime::base::module_limits::{ExceededLimit, ModuleLimits};

/// Returns a lower bound on the steps to validate `source`: a byte of a binary takes at most one step, and parsing
/// a byte of text takes as long as four.
pub(crate) fn least_steps(source: &[u8]) -> u64 {
    let bytes = source.len() as u64;
    if is_binary(source) { bytes } else { 4 * bytes }
}

/// Checks the size of a source.
///
/// # Errors
/// `CompileError` if `source` has more bytes than the limit for its format.
pub(crate) fn check_bytes(source: &[u8], limits: &ModuleLimits) -> Result<(), WasmError> {
    let bytes = source.len() as u64;
    let (what, cap, name) = if is_binary(source) {
        ("bytes", limits.max_binary_bytes, "max_binary_bytes")
    } else {
        ("bytes of text", limits.max_text_bytes, "max_text_bytes")
    };
    if bytes > cap {
        return Err(exceeds(format_args!("has {bytes} {what}"), cap, name));
    }
    Ok(())
}

/// Checks the size of a source, and of a text the nesting depth and the time to parse it. Returns the steps to parse a text: for
/// its bytes, to search the enclosing blocks of each label, and to move the items of components; 0 for a binary.
///
/// # Errors
/// `CompileError` as [`check_bytes`], or if `source` is text with nesting deeper than the limit, or which takes longer than
/// compiling a binary of its size may.
pub(crate) fn check_size(source: &[u8], limits: &ModuleLimits) -> Result<u64, WasmError> {
    check_bytes(source, limits)?;
    if is_binary(source) {
        return Ok(0);
    }
    let profile = TextProfile::of(source);
    let (nesting, cap) = (profile.deepest, limits.max_text_nesting);
    if nesting > cap {
        let what = format_args!("has {nesting} nested parentheses");
        return Err(exceeds(what, cap, "max_text_nesting"));
    }
    let steps = profile.steps();
    let ms = steps.saturating_mul(VALIDATION_STEP_NS) / 1_000_000;
    let cap = bound(limits, source.len() as u64).ns / 1_000_000;
    if ms > cap {
        return Err(exceeds_of(
            "text",
            format_args!("would take an estimated {ms} ms to parse"),
            cap,
            "max_compile_ms and max_compile_ns_per_byte",
        ));
    }
    Ok(least_steps(source).saturating_add(steps))
}

/// Returns every limit that the module `source` exceeds, in either format. Of a module with legacy exceptions, it is the
/// rewritten module that counts.
///
/// # Errors
/// `CompileError` if the source is malformed text, or neither binary nor text.
pub(crate) fn exceeded_limits(
    source: &[u8],
    limits: &ModuleLimits,
) -> Result<Vec<ExceededLimit>, WasmError> {
    if is_binary(source) {
        return Ok(ModuleProfile::of_compiled(source, limits).exceeded(limits));
    }
    let text = [
        ("max_text_bytes", source.len() as u64, limits.max_text_bytes),
        (
            "max_text_nesting",
            TextProfile::of(source).deepest,
            limits.max_text_nesting,
        ),
    ];
    let exceeded: Vec<ExceededLimit> = text
        .into_iter()
        .filter(|(_, value, allowed)| value > allowed)
        .map(|(name, value, allowed)| ExceededLimit {
            name,
            value,
            allowed,
        })
        .collect();
    // The parser needs much memory for a text that is too long, and much stack for one that is too deep.
    if !exceeded.is_empty() {
        return Ok(exceeded);
    }
    let wasm = encode(source, limits)?;
    Ok(ModuleProfile::of_compiled(&wasm, limits).exceeded(limits))
}

/// Converts `source` to the binary format. A source with the binary magic number is returned as it is; any other
/// source is parsed as text.
///
/// # Errors
/// `CompileError` if the source is malformed text; or as [`check_format`] and [`check_size`].
pub(crate) fn encode<'a>(
    source: &'a [u8],
    limits: &ModuleLimits,
) -> Result<Cow<'a, [u8]>, WasmError> {
    check_format(source)?;
    check_size(source, limits)?;
    let wasm = to_binary(source)?;
    // Text can be either.
    match is_component(&wasm) {
        true => Err(component_as_module()),
        false => Ok(wasm),
    }
}

/// Converts the source of a component to the binary format, as [`encode`] does for a module.
///
/// # Errors
/// `CompileError` if the source is malformed text, or the text of a module; or as [`check_component_format`] and
/// [`check_size`].
pub(crate) fn encode_component<'a>(
    source: &'a [u8],
    limits: &ModuleLimits,
) -> Result<Cow<'a, [u8]>, WasmError> {
    check_component_format(source)?;
    check_size(source, limits)?;
    let wasm = to_binary(source)?;
    match is_module(&wasm) {
        true => Err(module_as_component()),
        false => Ok(wasm),
    }
}

fn to_binary(source: &[u8]) -> Result<Cow<'_, [u8]>, WasmError> {
    if is_binary(source) {
        return Ok(Cow::Borrowed(source));
    }
    let text = std::str::from_utf8(source)
        .map_err(|_| WasmError::compile("not WebAssembly: the text is not UTF-8"))?;
    let wasm =
        wat::parse_str(text).map_err(|error| WasmError::compile(first_line_and_place(&error)))?;
    Ok(Cow::Owned(wasm))
}

fn is_binary(source: &[u8]) -> bool {
    source.starts_with(b"\0asm")
}

/// Returns the first line of the parser's message, and the position. The full message has the whole source line,
/// which may be very long.
fn first_line_and_place(error: &wat::Error) -> String {
    const LONGEST: usize = 300;
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    let place = text.lines().nth(1).map(str::trim).unwrap_or_default();
    let short = |text: &str| text.chars().take(LONGEST).collect::<String>();
    format!("{} {}", short(line), short(place))
        .trim_end()
        .to_owned()
}
