//! Sizes and alignments of types in 32-bit memories: `alignment` and `elem_size` of the canonical ABI.

/// The layout of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// The number of bytes. That of a type which is too large for a memory is the largest number.
    pub(crate) size: u32,
    /// A power of two up to eight.
    pub(crate) align: u32,
    /// The number of core values that it is as an argument.
    pub(crate) flat: u32,
}

impl Layout {
    /// The layout of a number of so many bytes.
    pub(crate) const fn scalar(size: u32) -> Self {
        Self {
            size,
            align: size,
            flat: 1,
        }
    }

    /// The layout of strings and lists: an address and a number.
    pub(crate) const PAIR: Self = Self {
        size: 8,
        align: 4,
        flat: 2,
    };

    /// The layout of so many values in a row.
    pub(crate) fn repeated(self, count: u32) -> Self {
        Self {
            size: self.size.saturating_mul(count),
            align: self.align,
            flat: self.flat.saturating_mul(count),
        }
    }
}

/// The next multiple of `align`, which is a power of two.
pub(crate) fn align_up(at: usize, align: usize) -> usize {
    at.saturating_add(align - 1) & !(align - 1)
}

/// As [`align_up`], of a size.
pub(super) fn align_size(at: u32, align: u32) -> u32 {
    match at.checked_add(align - 1) {
        Some(at) => at & !(align - 1),
        None => u32::MAX,
    }
}

/// The layout of a record. Calls `field` with the offset of each field.
pub(crate) fn record(
    fields: impl IntoIterator<Item = Layout>,
    mut field: impl FnMut(u32),
) -> Layout {
    let mut all = Layout {
        size: 0,
        align: 1,
        flat: 0,
    };
    for layout in fields {
        let at = align_size(all.size, layout.align);
        field(at);
        all = Layout {
            size: at.saturating_add(layout.size),
            align: all.align.max(layout.align),
            flat: all.flat.saturating_add(layout.flat),
        };
    }
    all.size = align_size(all.size, all.align);
    all
}

/// The layout of a variant with the payloads of its cases, and the offset of the payload.
pub(crate) fn variant(cases: impl ExactSizeIterator<Item = Option<Layout>>) -> (Layout, u32) {
    let discriminant = discriminant_size(cases.len());
    let (mut size, mut align, mut flat) = (0, 1, 0);
    for payload in cases.flatten() {
        size = payload.size.max(size);
        align = payload.align.max(align);
        flat = payload.flat.max(flat);
    }
    let payload = align_size(discriminant, align);
    let align = align.max(discriminant);
    let layout = Layout {
        size: align_size(payload.saturating_add(size), align),
        align,
        flat: flat.saturating_add(1),
    };
    (layout, payload)
}

/// The size of the discriminant of a variant with so many cases.
pub(crate) fn discriminant_size(cases: usize) -> u32 {
    match cases {
        0..=0x100 => 1,
        0x101..=0x1_0000 => 2,
        _ => 4,
    }
}

/// The size and the alignment of so many flags.
pub(crate) fn flags_size(count: usize) -> Layout {
    match count {
        0..=8 => Layout::scalar(1),
        9..=16 => Layout::scalar(2),
        _ => {
            let words = u32::try_from(count.div_ceil(32)).unwrap_or(u32::MAX);
            Layout::scalar(4).repeated(words)
        }
    }
}
