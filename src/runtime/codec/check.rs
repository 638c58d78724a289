//! The check of an image, before the guest is entered.

use super::layout::align_up;
use super::steps::{Element, Step};
use super::{HEAP_ALIGN, head_bytes};

/// The most bytes of a string. wasmtime refuses one that takes 2³¹ bytes in the guest's encoding, which may be UTF-16.
const MAX_TEXT_BYTES: usize = (1 << 30) - 1;

/// The reason why an image holds no values of the types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Misfit(pub(crate) &'static str);

const TOO_SHORT: Misfit = Misfit("there are fewer bytes than values");
const TOO_LONG: Misfit = Misfit("there are more bytes than values");

impl Element {
    /// Checks that an image, of which this is the head, holds values of the types and nothing else. Writes zeros into the
    /// bytes between these values that go into the guest with them: they may be left over from another call.
    ///
    /// # Errors
    /// A [`Misfit`] if it does not.
    pub(crate) fn check(&self, image: &mut [u8]) -> Result<(), Misfit> {
        let cursor = head_bytes(self.size);
        if cursor > image.len() {
            return Err(TOO_SHORT);
        }
        let mut check = Check { image, cursor };
        check.run(&self.steps, 0)?;
        match check.cursor == check.image.len() {
            true => Ok(()),
            false => Err(TOO_LONG),
        }
    }
}

struct Check<'a> {
    image: &'a mut [u8],
    /// The end of the last block that was reached.
    cursor: usize,
}

impl Check<'_> {
    /// Takes the next block of the heap. Returns its place.
    fn block(&mut self, length: usize, align: usize) -> Result<usize, Misfit> {
        let start = align_up(self.cursor, align);
        let end = start.checked_add(length);
        let end = end.filter(|end| *end <= self.image.len());
        self.cursor = end.ok_or(TOO_SHORT)?;
        Ok(start)
    }

    /// Does the steps of a value, all of whose bytes are in the image.
    fn run(&mut self, steps: &[Step], base: usize) -> Result<(), Misfit> {
        for step in steps {
            match step {
                Step::Bool { at } => match self.image[base + *at as usize] {
                    0 | 1 => {}
                    _ => return Err(Misfit("neither 0 nor 1")),
                },
                Step::Char { at } => {
                    let code = self.number(base + *at as usize, 4);
                    char::from_u32(code).ok_or(Misfit("not a Unicode scalar value"))?;
                }
                Step::Flags { at, count } => {
                    if self.has_other_flags(base + *at as usize, *count) {
                        return Err(Misfit("no such flag"));
                    }
                }
                Step::Gap { at, size } => {
                    self.image[base + *at as usize..][..*size as usize].fill(0);
                }
                Step::Text { at } => self.text(base + *at as usize)?,
                Step::List { at, element } => self.list(base + *at as usize, element)?,
                Step::Variant {
                    at,
                    width,
                    count,
                    cases,
                } => {
                    let case = self.number(base + *at as usize, *width);
                    if case >= *count {
                        return Err(Misfit("no such case"));
                    }
                    if let Some(steps) = cases.get(case as usize) {
                        self.run(steps, base)?;
                    }
                }
                Step::Repeat {
                    at,
                    size,
                    count,
                    steps,
                } => {
                    for index in 0..*count as usize {
                        self.run(steps, base + *at as usize + index * *size as usize)?;
                    }
                }
                Step::Refuse => return Err(Misfit("no such type")),
            }
        }
        Ok(())
    }

    fn text(&mut self, at: usize) -> Result<(), Misfit> {
        let length = self.pair(at);
        if length > MAX_TEXT_BYTES {
            return Err(Misfit("a string is too long"));
        }
        let start = self.block(length, 1)?;
        let text = &self.image[start..][..length];
        std::str::from_utf8(text).map_err(|_| Misfit("not UTF-8"))?;
        Ok(())
    }

    fn list(&mut self, at: usize, element: &Element) -> Result<(), Misfit> {
        let count = self.pair(at);
        let size = element.size as usize;
        let length = count.checked_mul(size).ok_or(TOO_SHORT)?;
        // The length has to be a number for the guest.
        u32::try_from(length).map_err(|_| Misfit("a list is too long"))?;
        let start = self.block(length, (element.align as usize).min(HEAP_ALIGN))?;
        if !element.steps.is_empty() {
            for index in 0..count {
                self.run(&element.steps, start + index * size)?;
            }
        }
        Ok(())
    }

    /// The second number of a pair. The guest gets an address in place of the first.
    fn pair(&self, at: usize) -> usize {
        self.number(at + 4, 4) as usize
    }

    fn number(&self, at: usize, width: u32) -> u32 {
        number(self.image, at, width)
    }

    fn has_other_flags(&self, at: usize, count: u32) -> bool {
        let (byte, bits) = (at + count as usize / 8, count % 8);
        let size = super::flags_size(count as usize).size as usize;
        let rest = &self.image[byte..at + size];
        let (first, rest) = rest.split_first().unwrap_or((&0, &[]));
        u32::from(*first) >> bits != 0 || rest.iter().any(|byte| *byte != 0)
    }
}

/// The number of one, two or four bytes at a place.
pub(super) fn number(bytes: &[u8], at: usize, width: u32) -> u32 {
    let mut number = [0; 4];
    let width = width as usize;
    number[..width].copy_from_slice(&bytes[at..][..width]);
    u32::from_le_bytes(number)
}
