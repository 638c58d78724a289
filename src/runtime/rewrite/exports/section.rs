//! The export section of a binary.

use std::ops::Range;

use wasmparser::{ExportSectionReader, Parser, Payload};

use super::Object;

/// Returns the names of a module's exports, in its order.
pub(crate) fn export_names(wasm: &[u8]) -> Vec<&str> {
    let exports = ExportSection::find(wasm).map_or_else(Vec::new, |section| section.exports);
    exports.into_iter().map(|export| export.name).collect()
}

/// One entry of the export section.
pub(super) struct Export<'a> {
    pub(super) name: &'a str,
    /// `None` for functions and tags, for which the compiler does not search.
    pub(super) object: Option<Object>,
    /// Where the entry starts in the binary.
    pub(super) start: usize,
    pub(super) bytes: &'a [u8],
    /// The bytes after the name.
    pub(super) end: &'a [u8],
}

/// The export section of a module.
pub(super) struct ExportSection<'a> {
    /// The place of its contents in the binary.
    pub(super) range: Range<usize>,
    pub(super) exports: Vec<Export<'a>>,
}

impl<'a> ExportSection<'a> {
    pub(super) fn find(wasm: &'a [u8]) -> Option<Self> {
        let found = Parser::new(0)
            .parse_all(wasm)
            .find_map(|payload| match payload {
                Err(_) | Ok(Payload::CodeSectionStart { .. } | Payload::End(_)) => Some(None),
                Ok(Payload::ExportSection(exports)) => Some(Some(exports)),
                Ok(_) => None,
            });
        Self::read(wasm, found??)
    }

    /// Returns the number of bytes of the number of exports.
    pub(super) fn count_bytes(&self) -> usize {
        let end = self
            .exports
            .first()
            .map_or(self.range.end, |export| export.start);
        end - self.range.start
    }

    fn read(wasm: &'a [u8], section: ExportSectionReader<'a>) -> Option<Self> {
        let range = section.range();
        let mut exports: Vec<Export<'a>> = Vec::new();
        for export in section.into_iter_with_offsets() {
            let (start, export) = export.ok()?;
            exports.push(Export {
                name: export.name,
                object: Object::of(export.kind, export.index),
                start,
                bytes: &[],
                end: &[],
            });
        }
        let mut end = range.end;
        for export in exports.iter_mut().rev() {
            export.bytes = wasm.get(export.start..end)?;
            let name_end = export.name.as_bytes().as_ptr_range().end.addr();
            let place = name_end.checked_sub(export.bytes.as_ptr().addr())?;
            export.end = export.bytes.get(place..)?;
            end = export.start;
        }
        Some(Self { range, exports })
    }
}

/// Appends the length of a name or of the list in so many bytes, if that is enough.
pub(super) fn encode_length(mut length: usize, bytes: usize, section: &mut Vec<u8>) -> Option<()> {
    for byte in 1..=bytes {
        let more = if byte < bytes { 0x80 } else { 0 };
        section.push((length & 0x7f) as u8 | more);
        length >>= 7;
    }
    (length == 0).then_some(())
}

/// Returns the number of bytes of a number in LEB128.
pub(super) fn leb_bytes(number: usize) -> usize {
    let bits = usize::BITS - (number | 1).leading_zeros();
    bits.div_ceil(7) as usize
}
