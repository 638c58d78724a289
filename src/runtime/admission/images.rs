//! The memory images that the compiler makes from data segments.

use wasmparser::MemoryType;

/// The maximum size of a sparse memory image, in bytes. A larger image is made only if at least half of it is data.
/// Each memory of a module can have an image, and a module of 9 KB can have a hundred memories.
pub(crate) const DENSE_IMAGE_BYTES: u64 = 128 << 10;

/// The number of memories that are recorded: as many as a module can have.
const KEPT: usize = 100;

/// Whether the compiler makes memory images, or code that copies each segment.
#[derive(Default)]
pub(super) struct Images {
    memories: Vec<Memory>,
    /// The number of active segments.
    segments: u64,
    /// Whether a segment is of a kind for which the compiler makes no images at all.
    needs_code: bool,
}

#[derive(Default)]
struct Memory {
    imported: bool,
    /// The initial size, in bytes.
    size: u64,
    /// Whether its page size may be below the machine's.
    has_small_pages: bool,
    /// The number of bytes of its segments together.
    data: u64,
    /// The start of the lowest segment and the end of the highest.
    span: Option<(u64, u64)>,
}

impl Images {
    pub(super) fn import(&mut self) {
        self.push(Memory {
            imported: true,
            ..Memory::default()
        });
    }

    pub(super) fn define(&mut self, ty: &MemoryType) {
        let page = ty.page_size_log2.unwrap_or(16);
        self.push(Memory {
            size: ty
                .initial
                .saturating_mul(1u64.checked_shl(page).unwrap_or(0)),
            has_small_pages: page < 16,
            ..Memory::default()
        });
    }

    fn push(&mut self, memory: Memory) {
        if self.memories.len() < KEPT {
            self.memories.push(memory);
        }
    }

    /// Adds an active segment of `bytes` bytes. `start` is `None` if the offset is not a constant.
    pub(super) fn add_segment(&mut self, memory: u32, start: Option<u64>, bytes: u64) {
        self.segments += 1;
        let memory = self.memories.get_mut(memory as usize);
        let (Some(memory), Some(start)) = (memory, start) else {
            self.needs_code = true;
            return;
        };
        let end = start.saturating_add(bytes);
        if memory.imported || end > memory.size {
            self.needs_code = true;
        } else if bytes > 0 {
            memory.data += bytes;
            let (first, last) = memory.span.unwrap_or((start, end));
            memory.span = Some((first.min(start), last.max(end)));
        }
    }

    /// Returns how a module of `binary_bytes` bytes initialises its memories.
    pub(super) fn finish(&self, binary_bytes: u64) -> Contents {
        let needs_code = Contents {
            copies: self.segments,
            ..Contents::default()
        };
        if self.needs_code {
            return needs_code;
        }
        let mut contents = Contents::default();
        for memory in &self.memories {
            let Some((first, last)) = memory.span else {
                continue;
            };
            if memory.has_small_pages {
                return needs_code;
            }
            let size = last - first;
            let is_dense = size < memory.data.saturating_mul(2) || size < DENSE_IMAGE_BYTES;
            contents.merges |= !is_dense;
            contents.image_bytes = contents.image_bytes.saturating_add(size);
            // Each image is also copied by code, for memories that cannot be mapped.
            contents.copies += 1;
        }
        if contents.merges && contents.image_bytes > binary_bytes {
            return needs_code;
        }
        contents
    }
}

/// The initialisation of memories from data segments.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Contents {
    /// The number of segments or images that code copies.
    pub copies: u64,
    /// The size of all images together, in bytes.
    pub image_bytes: u64,
    /// Whether the compiler makes images only if the segments are merged. They are merged if all images together
    /// are not larger than the binary.
    pub merges: bool,
}
