//! Values on their way out of a guest.

use wasmtime::component::__internal::wasmtime_environ::component::StringEncoding;
use wasmtime::component::__internal::{CanonicalAbiInfo, InstanceType, InterfaceType, LiftContext};
use wasmtime::component::{ComponentNamedList, ComponentType, Lift};
use wasmtime::{Result, ValRaw, bail, format_err};

use super::check::number;
use super::head_bytes;
use super::layout::{align_up, discriminant_size, flags_size};
use super::shape::{Shape, Types};
use super::steps::{Element, Include, Step};
use super::wasmtime_types::WasmtimeTypes;

/// Values that came out of a guest: the two parts of an image.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Lifted {
    /// The head, with the zeros that fill it up.
    pub(crate) head: Vec<u8>,
    pub(crate) heap: Vec<u8>,
}

/// The results of a call.
pub(super) struct Results(pub(super) Lifted);

// SAFETY: it stands for whole lists of results only. `Lower` is one slot: the result, if it is one number, or else its
// address. A function without a result leaves the slot as the arguments have it, and the slot is not read. The size and the
// alignment are not used: `linear_lift_from_flat` alone is called, since one slot is the most that there is outside of
// memory.
unsafe impl ComponentNamedList for Results {}

// SAFETY: as above. Any type fits: the types that wasmtime passes to `Lift` say which values there are.
unsafe impl ComponentType for Results {
    type Lower = [ValRaw; 1];

    const ABI: CanonicalAbiInfo = CanonicalAbiInfo::ZERO;

    fn typecheck(_: &InterfaceType, _: &InstanceType<'_>) -> Result<()> {
        Ok(())
    }
}

// SAFETY: it reads the slots of the type alone, and checks all that it reads.
unsafe impl Lift for Results {
    fn linear_lift_from_flat(
        cx: &mut LiftContext<'_>,
        ty: InterfaceType,
        slots: &[ValRaw; 1],
    ) -> Result<Self> {
        let layout = WasmtimeTypes(cx.types).layout(ty);
        let mut lifting = Lifting::new(cx, layout.size);
        match layout.flat {
            0 => {}
            1 => lifting.lift(ty, 0, &mut slots.iter())?,
            _ => {
                let from = slots[0].get_u32() as usize;
                if !from.is_multiple_of(layout.align as usize) {
                    bail!("return pointer not aligned");
                }
                lifting.load_head(ty, from)?;
            }
        }
        Ok(Self(lifting.lifted))
    }

    fn linear_lift_from_memory(
        _: &mut LiftContext<'_>,
        _: InterfaceType,
        _: &[u8],
    ) -> Result<Self> {
        bail!("results are lifted from a slot")
    }
}

/// The arguments of a function of the host, which has `N` slots outside of memory.
pub(super) struct Parameters<const N: usize>(pub(super) Lifted);

// SAFETY: it stands for whole lists of parameters only. `Lower` is an array of slots, as many as the type has. The size and
// the alignment are not used: wasmtime takes those of the function's type.
unsafe impl<const N: usize> ComponentNamedList for Parameters<N> {}

// SAFETY: as above. Functions are linked with the number of slots of their types.
unsafe impl<const N: usize> ComponentType for Parameters<N> {
    type Lower = [ValRaw; N];

    const ABI: CanonicalAbiInfo = CanonicalAbiInfo::ZERO;

    fn typecheck(_: &InterfaceType, _: &InstanceType<'_>) -> Result<()> {
        Ok(())
    }
}

// SAFETY: it reads the slots of the type alone, and checks all that it reads.
unsafe impl<const N: usize> Lift for Parameters<N> {
    fn linear_lift_from_flat(
        cx: &mut LiftContext<'_>,
        ty: InterfaceType,
        slots: &[ValRaw; N],
    ) -> Result<Self> {
        let size = WasmtimeTypes(cx.types).layout(ty).size;
        let mut lifting = Lifting::new(cx, size);
        lifting.lift(ty, 0, &mut slots.iter())?;
        Ok(Self(lifting.lifted))
    }

    /// `place` is empty, since the size of this type is 0, but is where the parameters begin.
    fn linear_lift_from_memory(
        cx: &mut LiftContext<'_>,
        ty: InterfaceType,
        place: &[u8],
    ) -> Result<Self> {
        let size = WasmtimeTypes(cx.types).layout(ty).size;
        let from = place
            .as_ptr()
            .addr()
            .checked_sub(cx.memory().as_ptr().addr());
        let from = from.ok_or_else(out_of_bounds)?;
        let mut lifting = Lifting::new(cx, size);
        lifting.load_head(ty, from)?;
        Ok(Self(lifting.lifted))
    }
}

fn out_of_bounds() -> wasmtime::Error {
    format_err!("pointer out of bounds of memory")
}

fn no_slot() -> wasmtime::Error {
    format_err!("fewer slots than values")
}

/// A place in one of the two parts of an image.
#[derive(Clone, Copy)]
enum Place {
    Head(usize),
    Heap(usize),
}

impl Place {
    fn behind(self, offset: usize) -> Self {
        match self {
            Self::Head(at) => Self::Head(at + offset),
            Self::Heap(at) => Self::Heap(at + offset),
        }
    }
}

/// A walk through the values in a guest, which makes an image.
struct Lifting<'a, 'b> {
    cx: &'a mut LiftContext<'b>,
    memory: &'b [u8],
    lifted: Lifted,
}

impl<'a, 'b> Lifting<'a, 'b> {
    fn new(cx: &'a mut LiftContext<'b>, head: u32) -> Self {
        let memory = cx.memory();
        let lifted = Lifted {
            head: vec![0; head_bytes(head)],
            heap: Vec::new(),
        };
        Self { cx, memory, lifted }
    }

    fn types(&self) -> WasmtimeTypes<'b> {
        WasmtimeTypes(self.cx.types)
    }

    fn bytes(&mut self, place: Place, size: u32) -> &mut [u8] {
        match place {
            Place::Head(at) => &mut self.lifted.head[at..][..size as usize],
            Place::Heap(at) => &mut self.lifted.heap[at..][..size as usize],
        }
    }

    fn number(&mut self, place: Place, width: u32) -> u32 {
        number(self.bytes(place, width), 0, width)
    }

    fn put(&mut self, place: Place, value: u64, size: u32) {
        let value = value.to_le_bytes();
        let room = self.bytes(place, size);
        let length = room.len();
        room.copy_from_slice(&value[..length]);
    }

    /// Lifts a value from slots into the head.
    fn lift<'s>(
        &mut self,
        ty: InterfaceType,
        at: usize,
        slots: &mut impl Iterator<Item = &'s ValRaw>,
    ) -> Result<()> {
        let types = self.types();
        let place = Place::Head(at);
        match types.shape(ty) {
            Shape::Number(number) => {
                let slot = slots.next().ok_or_else(no_slot)?;
                // Guests write only the bits of the type.
                let bits = match number.size {
                    8 => slot.get_u64(),
                    _ => slot.get_u32().into(),
                };
                self.put(place, bits, number.size);
            }
            Shape::Bool => {
                let bits = slots.next().ok_or_else(no_slot)?.get_u32();
                self.put(place, u64::from(bits != 0), 1);
            }
            Shape::Char => {
                let bits = slots.next().ok_or_else(no_slot)?.get_u32();
                self.put(place, u32::from(char::try_from(bits)?).into(), 4);
            }
            Shape::Text => {
                let (from, length) = pair(slots)?;
                self.text(from, length, place)?;
            }
            Shape::List(element) => {
                let (from, count) = pair(slots)?;
                let element = Element::of(&types, element, Include::All);
                self.list(from, count, &element, place)?;
            }
            Shape::FixedLengthList { element, length } => {
                let size = types.layout(element).size as usize;
                for index in 0..length as usize {
                    self.lift(element, at + index * size, slots)?;
                }
            }
            Shape::Record(count) => {
                let mut end = at;
                for part in (0..count).filter_map(|index| types.part(ty, index)) {
                    let layout = types.layout(part);
                    let at = align_up(end, layout.align as usize);
                    self.lift(part, at, slots)?;
                    end = at + layout.size as usize;
                }
            }
            Shape::Variant(count) => {
                let case = slots.next().ok_or_else(no_slot)?.get_u32();
                check_case(case, count)?;
                self.put(place, case.into(), discriminant_size(count));
                let mut unused = types.layout(ty).flat.saturating_sub(1);
                if let Some(payload) = types.part(ty, case as usize) {
                    let payload_at = at + types.payload_offset(ty) as usize;
                    self.lift(payload, payload_at, slots)?;
                    unused = unused.saturating_sub(types.layout(payload).flat);
                }
                for _ in 0..unused {
                    slots.next().ok_or_else(no_slot)?;
                }
            }
            Shape::Flags(count) => {
                let size = flags_size(count).size;
                for word in 0..size.div_ceil(4) as usize {
                    let bits = slots.next().ok_or_else(no_slot)?.get_u32();
                    let bits = bits & mask(count, word);
                    self.put(place.behind(4 * word), bits.into(), size.min(4));
                }
            }
            Shape::Other => bail!("no such type"),
        }
        Ok(())
    }

    /// Copies the head out of the memory of the guest.
    fn load_head(&mut self, ty: InterfaceType, from: usize) -> Result<()> {
        let head = Element::of(&self.types(), ty, Include::All);
        let size = head.size as usize;
        let bytes = self.memory.get(from..).and_then(|rest| rest.get(..size));
        self.lifted.head[..size].copy_from_slice(bytes.ok_or_else(out_of_bounds)?);
        self.load(&head.steps, Place::Head(0))
    }

    /// Makes the bytes of a value, as they were in the guest, those of an image.
    fn load(&mut self, steps: &[Step], base: Place) -> Result<()> {
        for step in steps {
            match step {
                Step::Bool { at } => {
                    let byte = &mut self.bytes(base.behind(*at as usize), 1)[0];
                    *byte = u8::from(*byte != 0);
                }
                Step::Char { at } => {
                    char::try_from(self.number(base.behind(*at as usize), 4))?;
                }
                Step::Flags { at, count } => {
                    let size = flags_size(*count as usize).size;
                    for word in 0..size.div_ceil(4) as usize {
                        let place = base.behind(*at as usize + 4 * word);
                        let bits = self.number(place, size.min(4));
                        let bits = bits & mask(*count as usize, word);
                        self.put(place, bits.into(), size.min(4));
                    }
                }
                Step::Gap { at, size } => self.bytes(base.behind(*at as usize), *size).fill(0),
                Step::Text { at } => {
                    let place = base.behind(*at as usize);
                    let (from, length) = self.pair(place);
                    self.text(from, length, place)?;
                }
                Step::List { at, element } => {
                    let place = base.behind(*at as usize);
                    let (from, count) = self.pair(place);
                    self.list(from, count, element, place)?;
                }
                Step::Variant {
                    at,
                    width,
                    count,
                    cases,
                } => {
                    let case = self.number(base.behind(*at as usize), *width);
                    check_case(case, *count as usize)?;
                    if let Some(steps) = cases.get(case as usize) {
                        self.load(steps, base)?;
                    }
                }
                Step::Repeat {
                    at,
                    size,
                    count,
                    steps,
                } => {
                    for index in 0..*count as usize {
                        let offset = *at as usize + index * *size as usize;
                        self.load(steps, base.behind(offset))?;
                    }
                }
                Step::Refuse => bail!("no such type"),
            }
        }
        Ok(())
    }

    fn pair(&mut self, place: Place) -> (usize, usize) {
        let from = self.number(place, 4) as usize;
        (from, self.number(place.behind(4), 4) as usize)
    }

    /// Copies a string onto the heap, and puts its length into the pair at `place`.
    fn text(&mut self, from: usize, length: usize, place: Place) -> Result<()> {
        let start = self.lifted.heap.len();
        if self.cx.options().string_encoding == StringEncoding::Utf8 {
            let bytes = self.memory.get(from..).and_then(|rest| rest.get(..length));
            let bytes = bytes
                .ok_or_else(|| format_err!("string pointer/length out of bounds of memory"))?;
            self.cx.consume_fuel(length)?;
            let text = std::str::from_utf8(bytes)?;
            self.lifted.heap.extend_from_slice(text.as_bytes());
        } else {
            let pair = [ValRaw::u32(from as u32), ValRaw::u32(length as u32)];
            let text = String::linear_lift_from_flat(self.cx, InterfaceType::String, &pair)?;
            self.lifted.heap.extend_from_slice(text.as_bytes());
        }
        let length = self.lifted.heap.len() - start;
        self.put_pair(place, length)
    }

    /// Copies a list onto the heap, and puts the number of its elements into the pair at `place`.
    fn list(&mut self, from: usize, count: usize, element: &Element, place: Place) -> Result<()> {
        let size = element.size as usize;
        let length = count.checked_mul(size);
        let bytes = length.and_then(|length| self.memory.get(from..)?.get(..length));
        let bytes =
            bytes.ok_or_else(|| format_err!("list pointer/length out of bounds of memory"))?;
        let room = usize::try_from(element.room).unwrap_or(usize::MAX);
        self.cx.consume_fuel_array(count, room)?;
        if !from.is_multiple_of(element.align as usize) {
            bail!("list pointer is not aligned");
        }
        let heap = &mut self.lifted.heap;
        let start = align_up(heap.len(), element.align as usize);
        heap.resize(start, 0);
        heap.extend_from_slice(bytes);
        if !element.steps.is_empty() {
            for index in 0..count {
                self.load(&element.steps, Place::Heap(start + index * size))?;
            }
        }
        self.put_pair(place, count)
    }

    fn put_pair(&mut self, place: Place, count: usize) -> Result<()> {
        self.put(place, 0, 4);
        self.put(place.behind(4), u32::try_from(count)?.into(), 4);
        Ok(())
    }
}

fn pair<'s>(slots: &mut impl Iterator<Item = &'s ValRaw>) -> Result<(usize, usize)> {
    let from = slots.next().ok_or_else(no_slot)?.get_u32() as usize;
    let count = slots.next().ok_or_else(no_slot)?.get_u32() as usize;
    Ok((from, count))
}

fn check_case(case: u32, count: usize) -> Result<()> {
    match (case as usize) < count {
        true => Ok(()),
        false => bail!("discriminant {case} out of range [0..{count})"),
    }
}

/// The bits of the flags in a word, if there are `count` flags in all words.
fn mask(count: usize, word: usize) -> u32 {
    match count.saturating_sub(32 * word) {
        bits @ 0..32 => (1 << bits) - 1,
        _ => u32::MAX,
    }
}
