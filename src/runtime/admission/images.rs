//! The images of memories that data segments make.

use wasmparser::MemoryType;

/// The largest image of a memory that is made however little of it is data, in bytes. Larger ones are
/// made where at least half is. Each memory of a module has one, and a module of 9 KB may have a
/// hundred memories.
pub(crate) const DENSE_IMAGE_BYTES: u64 = 128 << 10;

/// How many memories are kept: as many as a module can have.
const KEPT: usize = 100;

/// Whether the compiler makes images of the memories, or code that writes each segment.
#[derive(Default)]
pub(super) struct Images {
    memories: Vec<Memory>,
    /// Active segments.
    segments: u64,
    /// Whether some segment keeps all others from being in images too.
    by_code: bool,
}

#[derive(Default)]
struct Memory {
    imported: bool,
    /// How large it is at first, in bytes.
    size: u64,
    /// Whether its pages are smaller than the machine's may be.
    has_small_pages: bool,
    /// The bytes of its segments together.
    data: u64,
    /// Where the first segment begins, and the last ends.
    span: Option<(u64, u64)>,
}

impl Images {
    pub fn import(&mut self) {
        self.push(Memory {
            imported: true,
            ..Memory::default()
        });
    }

    pub fn define(&mut self, ty: &MemoryType) {
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

    /// An active segment of so many bytes; `None` if where it starts is not a constant.
    pub fn put(&mut self, memory: u32, start: Option<u64>, bytes: u64) {
        self.segments += 1;
        let memory = self.memories.get_mut(memory as usize);
        let (Some(memory), Some(start)) = (memory, start) else {
            self.by_code = true;
            return;
        };
        let end = start.saturating_add(bytes);
        if memory.imported || end > memory.size {
            self.by_code = true;
        } else if bytes > 0 {
            memory.data += bytes;
            let (first, last) = memory.span.unwrap_or((start, end));
            memory.span = Some((first.min(start), last.max(end)));
        }
    }

    /// How the contents of the segments get into the memories of a module with so many bytes.
    pub fn finish(&self, binary_bytes: u64) -> Contents {
        let by_code = Contents {
            copies: self.segments,
            ..Contents::default()
        };
        if self.by_code {
            return by_code;
        }
        let mut contents = Contents::default();
        for memory in &self.memories {
            let Some((first, last)) = memory.span else {
                continue;
            };
            if memory.has_small_pages {
                return by_code;
            }
            let size = last - first;
            let is_dense = size < memory.data.saturating_mul(2) || size < DENSE_IMAGE_BYTES;
            contents.merges |= !is_dense;
            contents.image_bytes = contents.image_bytes.saturating_add(size);
            // Each image is copied by code too, where a memory cannot be mapped.
            contents.copies += 1;
        }
        if contents.merges && contents.image_bytes > binary_bytes {
            return by_code;
        }
        contents
    }
}

/// How the contents of data segments get into memories.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Contents {
    /// How many segments, or images, are copied by code.
    pub copies: u64,
    /// How many bytes the images have.
    pub image_bytes: u64,
    /// Whether the compiler would make images only if the segments were merged. They are, where all images
    /// together are no larger than the binary.
    pub merges: bool,
}
