//! The format of a source: WebAssembly in one of its two formats, or another kind of file.

use crate::runtime::base::error::WasmError;

/// The format of a source that may be a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Binary,
    Text,
}

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

impl Format {
    /// Returns the format of a source by its first bytes. It may still be no valid module.
    ///
    /// # Errors
    /// `CompileError` with the kind of file that the source is, if it is no module.
    pub fn of(source: &[u8]) -> Result<Self, WasmError> {
        if let Some(rest) = source.strip_prefix(MAGIC) {
            return match rest.first_chunk() {
                None | Some([1, 0, 0, 0]) => Ok(Self::Binary),
                Some([version, _, 1, 0]) => Err(not_a_module(&match version {
                    0x0d => "a WebAssembly component".to_owned(),
                    version => format!("a WebAssembly component of the draft version {version}"),
                })),
                Some(version) => {
                    let version = u32::from_le_bytes(*version);
                    Err(not_a_module(&format!(
                        "WebAssembly of version {version}, not 1"
                    )))
                }
            };
        }
        if source.is_empty() {
            return Err(not_a_module("empty"));
        }
        if let [0xca, 0xfe, 0xba, 0xbe, rest @ ..] = source {
            // Universal binaries begin with the number of their architectures, classes with a version above 44.
            let is_class = rest
                .first_chunk()
                .is_some_and(|count| u32::from_be_bytes(*count) > 44);
            let kind = if is_class {
                "a Java class"
            } else {
                "a Mach-O file"
            };
            return Err(not_a_module(kind));
        }
        let other = OTHERS.iter().find(|(start, _)| source.starts_with(start));
        if let Some((_, kind)) = other {
            return Err(not_a_module(kind));
        }
        match kind_of_text(source) {
            Some(kind) => Err(not_a_module(kind)),
            None => Ok(Self::Text),
        }
    }
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
        _ if start.iter().any(|byte| *byte == 0) => Some("neither a WebAssembly binary nor text"),
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

fn not_a_module(kind: &str) -> WasmError {
    WasmError::compile(format!("not a WebAssembly module: the source is {kind}"))
}
