//! Merges the data segments of each memory into one.
//!
//! wasmtime makes a mappable image of a memory's initial contents if at least half of the image is data, or if the
//! image is small. For other modules it compiles code that copies each segment. With many segments this code takes
//! longer to compile than the rest of the module: PHP, as Emscripten links it, has 77,797 segments. One segment
//! with zeros in the gaps becomes an image instead.

use wasm_encoder::{DataSection, Section as _};
use wasmparser::{ConstExpr, Data, DataKind, Operator, Parser, Payload, TypeRef};

/// Returns the offset of an active segment if its offset expression is a single constant.
pub(crate) fn constant_offset(expr: &ConstExpr<'_>) -> Option<u64> {
    let mut operators = expr.get_operators_reader();
    let start = match operators.read().ok()? {
        Operator::I32Const { value } => u64::from(value.cast_unsigned()),
        Operator::I64Const { value } => value.cast_unsigned(),
        _ => return None,
    };
    matches!(operators.read().ok()?, Operator::End).then_some(start)
}

/// Returns the module with the data of all active segments of a memory moved into the first of them. The other
/// active segments are empty. All segments keep their indices.
///
/// The caller has checked that each active segment is within a memory that the module defines, that its offset is a
/// constant, and that the images are not too large. Returns `None` if the module has no data section or is not
/// valid.
pub(crate) fn merge_data_segments(wasm: &[u8]) -> Option<Vec<u8>> {
    let mut memories = Vec::new();
    let mut end_of_last_section = HEADER_BYTES;
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.ok()?;
        let section = payload.as_section();
        match payload {
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    if let TypeRef::Memory(_) = import.ok()?.ty {
                        memories.push(Contents::default());
                    }
                }
            }
            Payload::MemorySection(own) => {
                for memory in own {
                    memories.push(Contents {
                        is_64_bit: memory.ok()?.memory64,
                        ..Contents::default()
                    });
                }
            }
            Payload::DataSection(data) => {
                let end = data.range().end;
                let data = data.into_iter().collect::<Result<Vec<_>, _>>().ok()?;
                let mut merged = wasm[..end_of_last_section].to_vec();
                merge(wasm, &mut memories, &data)?.append_to(&mut merged);
                merged.extend_from_slice(&wasm[end..]);
                return Some(merged);
            }
            _ => {}
        }
        if let Some((_, range)) = section {
            end_of_last_section = range.end;
        }
    }
    None
}

/// The size of the magic number and the version.
const HEADER_BYTES: usize = 8;

/// The initial contents of a memory.
#[derive(Default)]
struct Contents {
    is_64_bit: bool,
    /// The start of the lowest segment and the end of the highest.
    span: Option<(u64, u64)>,
    image: Vec<u8>,
}

fn merge(wasm: &[u8], memories: &mut [Contents], segments: &[Data<'_>]) -> Option<DataSection> {
    for segment in segments {
        if let Some((memory, start)) = placement(segment) {
            let memory = memories.get_mut(memory)?;
            let end = start.checked_add(segment.data.len() as u64)?;
            let (first, last) = memory.span.unwrap_or((start, end));
            memory.span = Some((first.min(start), last.max(end)));
        }
    }
    for memory in &mut *memories {
        if let Some((first, last)) = memory.span {
            memory.image = vec![0; usize::try_from(last - first).ok()?];
        }
    }
    // Segments may overlap: later ones overwrite earlier ones, as at instantiation.
    for segment in segments {
        if let Some((memory, start)) = placement(segment) {
            let memory = &mut memories[memory];
            let start = usize::try_from(start - memory.span?.0).ok()?;
            memory.image[start..start + segment.data.len()].copy_from_slice(segment.data);
        }
    }
    let mut section = DataSection::new();
    for segment in segments {
        let (DataKind::Active { memory_index, .. }, Some((memory, start))) =
            (&segment.kind, placement(segment))
        else {
            section.raw(&wasm[segment.range.clone()]);
            continue;
        };
        let memory = &mut memories[memory];
        let image = std::mem::take(&mut memory.image);
        let start = if image.is_empty() {
            start
        } else {
            memory.span?.0
        };
        let start = if memory.is_64_bit {
            wasm_encoder::ConstExpr::i64_const(start.cast_signed())
        } else {
            wasm_encoder::ConstExpr::i32_const(u32::try_from(start).ok()?.cast_signed())
        };
        section.active(*memory_index, &start, image);
    }
    Some(section)
}

/// Returns the memory and the offset of an active segment that is not empty.
fn placement(segment: &Data<'_>) -> Option<(usize, u64)> {
    match &segment.kind {
        DataKind::Active {
            memory_index,
            offset_expr,
        } if !segment.data.is_empty() => {
            Some((*memory_index as usize, constant_offset(offset_expr)?))
        }
        _ => None,
    }
}
