//! The kinds of files that are not modules.

use std::borrow::Cow;

use crate::runtime::base::error::WasmError;

/// The bytes that every WebAssembly binary begins with.
const MAGIC: &[u8] = b"\0asm";

/// The first bytes of other files.
const OTHERS: &[(&[u8], &str)] = &[
    (b"\x7fELF", "an ELF file"),
    (b"\xfe\xed\xfa\xce", "a Mach-O file"),
    (b"\xfe\xed\xfa\xcf", "a Mach-O file"),
    (b"\xce\xfa\xed\xfe", "a Mach-O file"),
    (b"\xcf\xfa\xed\xfe", "a Mach-O file"),
    (b"MZ", "a Windows program"),
    (b"BC\xc0\xde", "LLVM bitcode"),
    (b"!<arch>\n", "an archive of object files"),
    (b"\x1f\x8b", "compressed with gzip"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd"),
    (b"\xfd7zXZ\0", "compressed with xz"),
    (b"BZh", "compressed with bzip2"),
    (b"PK\x03\x04", "a zip file"),
    (b"PK\x05\x06", "a zip file"),
    (b"\xff\xfe", "UTF-16 text"),
    (b"\xfe\xff", "UTF-16 text"),
    (b"AGFzbQ", "base64 of a WebAssembly binary"),
    (b"version https://git-lfs", "a Git LFS pointer to a file"),
];

/// The number of bytes that are enough to know the kind of a text.
const LONGEST_START: usize = 256;

/// Checks whether a source is in one of the formats of WebAssembly, by its first bytes. It may still be no valid module.
///
/// # Errors
/// `CompileError` with the kind of file that it is, if it is another one.
pub(crate) fn check_format(source: &[u8]) -> Result<(), WasmError> {
    if is_component(source) {
        return Err(component_as_module());
    }
    let kind = kind_of(source);
    kind.map_or(Ok(()), |kind| {
        Err(WasmError::compile(format!(
            "not a WebAssembly module: the source is {kind}"
        )))
    })
}

/// Checks whether a source is a component in one of the formats of WebAssembly, by its first bytes. It may still be no
/// valid component, or be a module in the text format.
///
/// # Errors
/// `CompileError` with the kind of file that it is, if it is another one.
pub(crate) fn check_component_format(source: &[u8]) -> Result<(), WasmError> {
    if is_component(source) {
        return Ok(());
    }
    if is_module(source) {
        return Err(module_as_component());
    }
    let kind = kind_of(source);
    kind.map_or(Ok(()), |kind| {
        Err(WasmError::compile(format!(
            "not a WebAssembly component: the source is {kind}"
        )))
    })
}

/// The error of a component that is compiled as a module.
pub(super) fn component_as_module() -> WasmError {
    WasmError::compile(
        "not a WebAssembly module: the source is a component, which compileComponent compiles",
    )
}

/// The error of a module that is compiled as a component.
pub(super) fn module_as_component() -> WasmError {
    WasmError::compile(
        "not a WebAssembly component: the source is a module, which compile compiles",
    )
}

/// Whether a source is a component in the binary format.
pub(super) fn is_component(source: &[u8]) -> bool {
    source.starts_with(b"\0asm\x0d\0\x01\0")
}

/// Whether a source is a module in the binary format.
pub(super) fn is_module(source: &[u8]) -> bool {
    source.starts_with(b"\0asm\x01\0\0\0")
}

/// Checks whether a source is in the binary format, by its first bytes. It may still be no valid module.
///
/// # Errors
/// `CompileError` with the kind of file that it is, if it is another one.
pub(crate) fn check_binary(source: &[u8]) -> Result<(), WasmError> {
    check_format(source)?;
    if source.starts_with(MAGIC) {
        return Ok(());
    }
    Err(WasmError::compile(
        "not a WebAssembly module in the binary format: the source does not begin with `\\0asm`",
    ))
}

/// Returns the kind of a source. `None` if it may be a module.
fn kind_of(source: &[u8]) -> Option<Cow<'static, str>> {
    if let Some(rest) = source.strip_prefix(MAGIC) {
        return match *rest.first_chunk()? {
            [1, 0, 0, 0] => None,
            [0x0d, 0, 1, 0] => None,
            [draft, _, 1, 0] => {
                Some(format!("a WebAssembly component of the draft version {draft}").into())
            }
            version => {
                let version = u32::from_le_bytes(version);
                Some(format!("WebAssembly of version {version}, not 1").into())
            }
        };
    }
    if source.is_empty() {
        return Some("empty".into());
    }
    if let [0xca, 0xfe, 0xba, 0xbe, rest @ ..] = source {
        // Files for several machines begin with their number, and classes with a version above 44.
        let is_class = rest
            .first_chunk()
            .is_some_and(|count| u32::from_be_bytes(*count) > 44);
        let kind = if is_class {
            "a Java class"
        } else {
            "a Mach-O file"
        };
        return Some(kind.into());
    }
    let other = OTHERS.iter().find(|(start, _)| source.starts_with(start));
    let kind = other.map(|(_, kind)| *kind);
    kind.or_else(|| kind_of_text(source)).map(Cow::Borrowed)
}

/// Returns the kind of a text that is not in WebAssembly's text format. `None` if it may be.
fn kind_of_text(source: &[u8]) -> Option<&'static str> {
    let start = source
        .strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(source)
        .trim_ascii_start();
    let start = &start[..start.len().min(LONGEST_START)];
    let lower = start.to_ascii_lowercase();
    let begins_with = |tag: &str| lower.starts_with(tag.as_bytes());
    match start {
        [] | [b'(' | b';', ..] => None,
        // The error of the decoder is as good.
        _ if start.contains(&0) => Some("neither a WebAssembly binary nor text"),
        _ if begins_with("<!doctype html") || begins_with("<html") => Some("an HTML page"),
        [b'<', ..] => Some("an HTML or XML document"),
        [b'{' | b'[', ..] => Some("JSON"),
        _ => match std::str::from_utf8(start) {
            Err(error) if error.error_len().is_some() => {
                Some("neither a WebAssembly binary nor text")
            }
            _ => Some("text, but not of WebAssembly, which begins with `(`"),
        },
    }
}
