//! From the text format to the binary one.

use std::borrow::Cow;

use super::profile::exceeds;
use crate::runtime::base::error::WasmError;
use crate::runtime::base::module_limits::ModuleLimits;

/// How many blocks the parser of the text format compares with a label in the time of a step.
const COMPARED: u64 = 32;

/// How many steps it takes at least to validate `source`: a byte of binary is at most one, and to parse
/// a byte of text takes as long as four.
pub(crate) fn least_steps(source: &[u8]) -> u64 {
    let bytes = source.len() as u64;
    if is_binary(source) { bytes } else { 4 * bytes }
}

/// How many steps it takes to parse `source`, if it is text: its bytes, and all the blocks around each
/// label, which the parser looks up one after another.
pub(crate) fn parse_steps(source: &[u8]) -> u64 {
    if is_binary(source) {
        return 0;
    }
    least_steps(source).saturating_add(Nesting::of(source).lookups / COMPARED)
}

/// Refuses what has too many bytes to be looked at.
///
/// # Errors
/// `CompileError` if `source` has more bytes than the limit for its format says.
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

/// Refuses what is too large, or nested too deep, to be read.
///
/// # Errors
/// `CompileError` as [`check_bytes`], or if it is text that is nested deeper than the limit.
pub(crate) fn check_size(source: &[u8], limits: &ModuleLimits) -> Result<(), WasmError> {
    check_bytes(source, limits)?;
    if is_binary(source) {
        return Ok(());
    }
    let nesting = Nesting::of(source).deepest;
    let cap = limits.max_text_nesting;
    if nesting > cap {
        let what = format_args!("has {nesting} nested parentheses");
        return Err(exceeds(what, cap, "max_text_nesting"));
    }
    Ok(())
}

/// The binary format of `source`. What starts like a binary is one; the rest is read as text.
///
/// # Errors
/// `CompileError` if it is text that is malformed, or neither; or as [`check_size`].
pub(crate) fn encode<'a>(
    source: &'a [u8],
    limits: &ModuleLimits,
) -> Result<Cow<'a, [u8]>, WasmError> {
    check_size(source, limits)?;
    if is_binary(source) {
        return Ok(Cow::Borrowed(source));
    }
    let text = std::str::from_utf8(source).map_err(|_| {
        WasmError::compile("not WebAssembly: neither the binary magic `\\0asm` nor UTF-8 text")
    })?;
    let wasm = wat::parse_str(text).map_err(|error| WasmError::compile(message(&error)))?;
    Ok(Cow::Owned(wasm))
}

fn is_binary(source: &[u8]) -> bool {
    source.starts_with(b"\0asm")
}

/// What is nested in a text: parentheses, and blocks that are written without them. Those in strings and
/// comments count too, which changes little: they are in pairs, or there are few.
#[derive(Default)]
struct Nesting {
    deepest: u64,
    /// The sum, over all names, of how deep each is nested. The parser looks labels up in one block after
    /// another.
    lookups: u64,
}

impl Nesting {
    fn of(text: &[u8]) -> Self {
        let mut this = Self::default();
        let mut depth = 0u64;
        let mut rest = text;
        let mut after_parenthesis = false;
        while let Some((&byte, tail)) = rest.split_first() {
            if !byte.is_ascii_alphanumeric() {
                match byte {
                    b'(' => depth += 1,
                    b')' => depth = depth.saturating_sub(1),
                    b'$' => this.lookups += depth,
                    _ => {}
                }
                after_parenthesis = byte == b'(';
                rest = tail;
            } else {
                let is_in_word = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.$".contains(byte);
                let length = rest.iter().take_while(|byte| is_in_word(byte)).count();
                let (word, tail) = rest.split_at(length);
                match word {
                    b"block" | b"loop" | b"if" | b"try" | b"try_table" if !after_parenthesis => {
                        depth += 1;
                    }
                    b"end" => depth = depth.saturating_sub(1),
                    _ => {}
                }
                after_parenthesis = false;
                rest = tail;
            }
            this.deepest = this.deepest.max(depth);
        }
        this
    }
}

/// What the parser says: its first line, and where. The parser would show the line of the source too,
/// however long it is.
fn message(error: &wat::Error) -> String {
    const LONGEST: usize = 300;
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    let place = text.lines().nth(1).map(str::trim).unwrap_or_default();
    let short = |text: &str| text.chars().take(LONGEST).collect::<String>();
    format!("{} {}", short(line), short(place))
        .trim_end()
        .to_owned()
}
