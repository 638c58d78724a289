//! From the offsets of a rewritten module to those of the original.

/// The original offset of each instruction of a rewritten module.
///
/// The code is a sequence of runs. A copied run has the bytes of the original, at another offset. An inserted run has
/// no bytes in the original: all of it belongs to one original instruction. A run takes two to four bytes here.
#[derive(Debug, Default)]
pub(crate) struct OffsetMap {
    /// The runs, in the order of their offsets: see [`OffsetMapBuilder::push`].
    runs: Box<[u8]>,
    /// Every [`INDEX_STEP`]th run.
    index: Box<[IndexEntry]>,
    /// The end of the section before the code that has another size than in the original.
    resized: SectionEnd,
}

/// The offsets at which a section ends.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SectionEnd {
    pub rewritten: usize,
    pub original: usize,
}

/// The number of runs from one entry of the index to the next. A lookup reads fewer runs than this.
const INDEX_STEP: usize = 64;

/// The start of a run.
#[derive(Clone, Copy, Debug)]
struct Run {
    rewritten: usize,
    original: usize,
    is_inserted: bool,
}

#[derive(Debug)]
struct IndexEntry {
    run: Run,
    /// The position of the next run in [`OffsetMap::runs`].
    next: usize,
}

impl OffsetMap {
    /// Returns the original offset of the instruction at `offset`, or of the item at `offset` in a section before the
    /// code.
    pub(crate) fn original(&self, offset: usize) -> usize {
        let after = self
            .index
            .partition_point(|entry| entry.run.rewritten <= offset);
        let Some(entry) = after.checked_sub(1).map(|before| &self.index[before]) else {
            return match offset.checked_sub(self.resized.rewritten) {
                Some(distance) => self.resized.original + distance,
                None => offset,
            };
        };
        let mut run = entry.run;
        let mut rest = self.runs.get(entry.next..).unwrap_or_default();
        while let (Some(distance), Some(advance)) = (read(&mut rest), read(&mut rest)) {
            let next = Run {
                rewritten: run.rewritten + (distance >> 1),
                original: run.original + advance,
                is_inserted: distance & 1 == 1,
            };
            if next.rewritten > offset {
                break;
            }
            run = next;
        }
        match run.is_inserted {
            true => run.original,
            false => run.original + (offset - run.rewritten),
        }
    }

    /// Returns the number of bytes that the map takes.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.runs.len() + size_of_val(&*self.index)
    }
}

/// Makes an [`OffsetMap`] from runs in ascending order.
#[derive(Debug, Default)]
pub(super) struct OffsetMapBuilder {
    runs: Vec<u8>,
    index: Vec<IndexEntry>,
    last: Option<Run>,
    count: usize,
}

impl OffsetMapBuilder {
    /// From `rewritten` on, the bytes are those of the original at `original`.
    pub(super) fn copied(&mut self, rewritten: usize, original: usize) {
        let continues =
            |last: Run| !last.is_inserted && rewritten - last.rewritten == original - last.original;
        if !self.last.is_some_and(continues) {
            self.push(Run {
                rewritten,
                original,
                is_inserted: false,
            });
        }
    }

    /// From `rewritten` on, the bytes belong to the instruction at `original`.
    pub(super) fn inserted(&mut self, rewritten: usize, original: usize) {
        let continues = |last: Run| last.is_inserted && original == last.original;
        if !self.last.is_some_and(continues) {
            self.push(Run {
                rewritten,
                original,
                is_inserted: true,
            });
        }
    }

    /// Returns the map for code that is `base` bytes further on than it was said to be, after a section that was
    /// `resized`.
    pub(super) fn finish(mut self, base: usize, resized: SectionEnd) -> OffsetMap {
        for entry in &mut self.index {
            entry.run.rewritten += base;
        }
        OffsetMap {
            runs: self.runs.into(),
            index: self.index.into(),
            resized,
        }
    }

    /// Appends a run: its distance from the last one in the rewritten module, with a bit that says whether it is
    /// inserted, and its distance in the original. Both are in LEB128.
    fn push(&mut self, run: Run) {
        if let Some(last) = self.last {
            let distance = run.rewritten - last.rewritten;
            write(&mut self.runs, distance << 1 | usize::from(run.is_inserted));
            write(&mut self.runs, run.original - last.original);
        }
        if self.count.is_multiple_of(INDEX_STEP) {
            let next = self.runs.len();
            self.index.push(IndexEntry { run, next });
        }
        self.count += 1;
        self.last = Some(run);
    }
}

fn write(bytes: &mut Vec<u8>, mut value: usize) {
    while value > 0x7f {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn read(bytes: &mut &[u8]) -> Option<usize> {
    let mut value = 0;
    for shift in (0..usize::BITS).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_offset_is_that_of_its_run() {
        let mut builder = OffsetMapBuilder::default();
        // Runs of 300 copied bytes, each after 5 inserted bytes.
        for run in 0..1_000 {
            builder.inserted(run * 305, run * 300);
            builder.copied(run * 305 + 5, run * 300);
        }
        let map = builder.finish(
            40,
            SectionEnd {
                rewritten: 20,
                original: 15,
            },
        );
        assert_eq!(
            [19, 20, 39].map(|offset| map.original(offset)),
            [19, 15, 34]
        );
        for run in 0..1_000 {
            let start = 40 + run * 305;
            for (offset, original) in [(0, 0), (4, 0), (5, 0), (6, 1), (304, 299)] {
                assert_eq!(map.original(start + offset), run * 300 + original);
            }
        }
        assert!(map.bytes() < 2_000 * 5, "{}", map.bytes());
    }

    #[test]
    fn a_run_that_goes_on_takes_nothing() {
        let mut builder = OffsetMapBuilder::default();
        for offset in 0..1_000 {
            builder.copied(offset + 7, offset);
        }
        let map = builder.finish(0, SectionEnd::default());
        assert_eq!((map.runs.len(), map.index.len()), (0, 1));
        assert_eq!(map.original(1_006), 999);
    }
}
