//! Images on their way into a guest.

use std::mem::MaybeUninit;

use wasmtime::component::__internal::wasmtime_environ::component::StringEncoding;
use wasmtime::component::__internal::{
    CanonicalAbiInfo, InstanceType, InterfaceType, LowerContext,
};
use wasmtime::component::{ComponentNamedList, ComponentType, Lower};
use wasmtime::{Result, ValRaw, bail, format_err};

use super::check::number;
use super::function::MAX_FLAT_PARAMS;
use super::head_bytes;
use super::layout::{align_up, discriminant_size, flags_size};
use super::shape::{Shape, Types};
use super::steps::{Element, Include, Step};
use super::wasmtime_types::WasmtimeTypes;

/// The arguments of a call: an image that was [checked](Element::check).
pub(super) struct Arguments<'a>(pub(super) &'a [u8]);

// SAFETY: it stands for whole lists of parameters only. `Lower` is an array of slots, all of which the implementation of
// `Lower` writes. The size and the alignment are not used: `linear_lower_to_flat` alone is called, since the number of
// slots is the most that there are on the stack.
unsafe impl ComponentNamedList for Arguments<'_> {}

// SAFETY: as above. Any type fits: the types that wasmtime passes to `linear_lower_to_flat` say which values there are.
unsafe impl ComponentType for Arguments<'_> {
    type Lower = [ValRaw; MAX_FLAT_PARAMS];

    const ABI: CanonicalAbiInfo = CanonicalAbiInfo::ZERO;

    fn typecheck(_: &InterfaceType, _: &InstanceType<'_>) -> Result<()> {
        Ok(())
    }
}

// SAFETY: every slot is written.
unsafe impl Lower for Arguments<'_> {
    fn linear_lower_to_flat<T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        ty: InterfaceType,
        dst: &mut MaybeUninit<[ValRaw; MAX_FLAT_PARAMS]>,
    ) -> Result<()> {
        let slots = dst.write([ValRaw::u64(0); MAX_FLAT_PARAMS]);
        let layout = WasmtimeTypes(cx.types).layout(ty);
        let mut lowering = Lowering::new(cx, self.0, layout.size)?;
        if layout.flat <= slots.len() as u32 {
            return lowering.lower(ty, 0, &mut Slots::new(slots));
        }
        // More parameters than there are slots are in memory, and the only slot has the address.
        let to = lowering
            .cx
            .realloc(0, 0, layout.align, layout.size as usize)?;
        lowering.store_head(ty, to)?;
        slots[0] = ValRaw::u64(to as u64);
        Ok(())
    }

    fn linear_lower_to_memory<T>(
        &self,
        _: &mut LowerContext<'_, T>,
        _: InterfaceType,
        _: usize,
    ) -> Result<()> {
        bail!("arguments are lowered to slots")
    }
}

/// The result of a function of the host, which has `N` slots outside of memory: an image that was
/// [checked](Element::check).
pub(super) struct Reply<const N: usize>(pub(super) Vec<u8>);

// SAFETY: it stands for whole lists of results only. `Lower` is an array of slots, all of which the implementation of
// `Lower` writes. The size and the alignment are not used: wasmtime takes those of the function's type.
unsafe impl<const N: usize> ComponentNamedList for Reply<N> {}

// SAFETY: as above. Any type with no more slots fits: the types that wasmtime passes to `Lower` say which values there are.
unsafe impl<const N: usize> ComponentType for Reply<N> {
    type Lower = [ValRaw; N];

    const ABI: CanonicalAbiInfo = CanonicalAbiInfo::ZERO;

    fn typecheck(_: &InterfaceType, _: &InstanceType<'_>) -> Result<()> {
        Ok(())
    }
}

// SAFETY: every slot is written. Memory is reached through checked slices.
unsafe impl<const N: usize> Lower for Reply<N> {
    fn linear_lower_to_flat<T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        ty: InterfaceType,
        dst: &mut MaybeUninit<[ValRaw; N]>,
    ) -> Result<()> {
        let slots = dst.write([ValRaw::u64(0); N]);
        let size = WasmtimeTypes(cx.types).layout(ty).size;
        Lowering::new(cx, &self.0, size)?.lower(ty, 0, &mut Slots::new(slots))
    }

    fn linear_lower_to_memory<T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        ty: InterfaceType,
        to: usize,
    ) -> Result<()> {
        let size = WasmtimeTypes(cx.types).layout(ty).size;
        Lowering::new(cx, &self.0, size)?.store_head(ty, to)
    }
}

/// Slots that are written one after the other.
struct Slots<'a> {
    slots: &'a mut [ValRaw],
    next: usize,
}

impl<'a> Slots<'a> {
    fn new(slots: &'a mut [ValRaw]) -> Self {
        Self { slots, next: 0 }
    }

    fn put(&mut self, value: ValRaw) -> Result<()> {
        let slot = self.slots.get_mut(self.next);
        *slot.ok_or_else(|| format_err!("more values than slots"))? = value;
        self.next += 1;
        Ok(())
    }
}

/// The error of an image that is not of the types. No image that was checked has it.
fn no_value() -> wasmtime::Error {
    format_err!("the bytes of values for a component do not fit")
}

/// A walk through an image, in the order of its blocks.
struct Lowering<'a, 'b, T: 'static> {
    cx: &'a mut LowerContext<'b, T>,
    image: &'a [u8],
    /// The end of the last block that was reached.
    cursor: usize,
}

impl<'a, 'b, T: 'static> Lowering<'a, 'b, T> {
    fn new(cx: &'a mut LowerContext<'b, T>, image: &'a [u8], head: u32) -> Result<Self> {
        let cursor = head_bytes(head);
        if cursor > image.len() {
            return Err(no_value());
        }
        Ok(Self { cx, image, cursor })
    }

    fn types(&self) -> WasmtimeTypes<'b> {
        WasmtimeTypes(self.cx.types)
    }

    fn number(&self, at: usize, width: u32) -> Result<u32> {
        let bytes = self
            .image
            .get(at..)
            .and_then(|rest| rest.get(..width as usize));
        Ok(number(bytes.ok_or_else(no_value)?, 0, width))
    }

    /// Takes the next block of the heap. Returns its place.
    fn block(&mut self, length: usize, align: usize) -> Result<usize> {
        let start = align_up(self.cursor, align);
        let end = start.checked_add(length);
        let end = end.filter(|end| *end <= self.image.len());
        self.cursor = end.ok_or_else(no_value)?;
        Ok(start)
    }

    /// Copies bytes of the image into the guest.
    fn copy(&mut self, from: usize, to: usize, length: usize) -> Result<()> {
        let bytes = self.image.get(from..).and_then(|rest| rest.get(..length));
        let bytes = bytes.ok_or_else(no_value)?;
        let memory = self.cx.as_slice_mut();
        let room = memory.get_mut(to..).and_then(|rest| rest.get_mut(..length));
        let room = room.ok_or_else(|| format_err!("pointer out of bounds of memory"))?;
        room.copy_from_slice(bytes);
        Ok(())
    }

    /// Lowers a value in the head into slots.
    fn lower(&mut self, ty: InterfaceType, at: usize, slots: &mut Slots<'_>) -> Result<()> {
        let types = self.types();
        match types.shape(ty) {
            Shape::Number(number) if number.size == 8 => {
                let low = self.number(at, 4)?;
                let high = self.number(at + 4, 4)?;
                slots.put(ValRaw::u64(u64::from(low) | u64::from(high) << 32))
            }
            Shape::Number(number) => {
                let bits = self.number(at, number.size)?;
                let unused = 32 - 8 * number.size;
                // The bits of a float are those of an integer: both are the low bits of a slot.
                slots.put(match number.is_signed {
                    true => ValRaw::i32((bits << unused) as i32 >> unused),
                    false => ValRaw::u32(bits),
                })
            }
            Shape::Bool => slots.put(ValRaw::u32(self.number(at, 1)?)),
            Shape::Char => slots.put(ValRaw::u32(self.number(at, 4)?)),
            Shape::Text => {
                let (text, length) = self.text(at)?;
                slots.put(ValRaw::u64(text as u64))?;
                slots.put(ValRaw::u64(length as u64))
            }
            Shape::List(element) => {
                let element = Element::of(&types, element, Include::Pointers);
                let (list, count) = self.list(at, &element)?;
                slots.put(ValRaw::u64(list as u64))?;
                slots.put(ValRaw::u64(count as u64))
            }
            Shape::FixedLengthList { element, length } => {
                let size = types.layout(element).size as usize;
                for index in 0..length as usize {
                    self.lower(element, at + index * size, slots)?;
                }
                Ok(())
            }
            Shape::Record(count) => {
                let mut end = at;
                for part in (0..count).filter_map(|index| types.part(ty, index)) {
                    let layout = types.layout(part);
                    let at = align_up(end, layout.align as usize);
                    self.lower(part, at, slots)?;
                    end = at + layout.size as usize;
                }
                Ok(())
            }
            Shape::Variant(count) => {
                let case = self.number(at, discriminant_size(count))?;
                let end = slots.next + types.layout(ty).flat as usize;
                slots.put(ValRaw::u32(case))?;
                if let Some(payload) = types.part(ty, case as usize) {
                    let payload_at = at + types.payload_offset(ty) as usize;
                    self.lower(payload, payload_at, slots)?;
                }
                // The slots that the case does not use are 0.
                slots.next = end;
                Ok(())
            }
            Shape::Flags(count) => {
                let size = flags_size(count).size;
                for word in 0..size.div_ceil(4) {
                    let flags = self.number(at + 4 * word as usize, size.min(4))?;
                    slots.put(ValRaw::u32(flags))?;
                }
                Ok(())
            }
            Shape::Other => Err(no_value()),
        }
    }

    /// Copies the head into the guest.
    fn store_head(&mut self, ty: InterfaceType, to: usize) -> Result<()> {
        let head = Element::of(&self.types(), ty, Include::Pointers);
        self.copy(0, to, head.size as usize)?;
        self.store(&head.steps, 0, to)
    }

    /// Puts addresses into a value that was copied into the guest.
    fn store(&mut self, steps: &[Step], from: usize, to: usize) -> Result<()> {
        for step in steps {
            match step {
                Step::Text { at } => {
                    let (text, length) = self.text(from + *at as usize)?;
                    self.put_pair(to + *at as usize, text, length)?;
                }
                Step::List { at, element } => {
                    let (list, count) = self.list(from + *at as usize, element)?;
                    self.put_pair(to + *at as usize, list, count)?;
                }
                Step::Variant {
                    at, width, cases, ..
                } => {
                    let case = self.number(from + *at as usize, *width)?;
                    if let Some(steps) = cases.get(case as usize) {
                        self.store(steps, from, to)?;
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
                        self.store(steps, from + offset, to + offset)?;
                    }
                }
                Step::Refuse => return Err(no_value()),
                // They have no addresses.
                Step::Bool { .. } | Step::Char { .. } | Step::Flags { .. } | Step::Gap { .. } => {}
            }
        }
        Ok(())
    }

    fn put_pair(&mut self, to: usize, address: usize, count: usize) -> Result<()> {
        let memory = self.cx.as_slice_mut();
        let pair = memory.get_mut(to..).and_then(|rest| rest.get_mut(..8));
        let pair = pair.ok_or_else(|| format_err!("pointer out of bounds of memory"))?;
        pair[..4].copy_from_slice(&u32::try_from(address)?.to_le_bytes());
        pair[4..].copy_from_slice(&u32::try_from(count)?.to_le_bytes());
        Ok(())
    }

    /// Copies the string of a pair into the guest. Returns its address, and its length there.
    fn text(&mut self, at: usize) -> Result<(usize, usize)> {
        let length = self.number(at + 4, 4)? as usize;
        let start = self.block(length, 1)?;
        if self.cx.options().string_encoding == StringEncoding::Utf8 {
            let to = self.cx.realloc(0, 0, 1, length)?;
            self.copy(start, to, length)?;
            return Ok((to, length));
        }
        let text = std::str::from_utf8(&self.image[start..][..length])?;
        let mut pair = MaybeUninit::uninit();
        text.linear_lower_to_flat(self.cx, InterfaceType::String, &mut pair)?;
        // SAFETY: `linear_lower_to_flat` has written both slots if it has not failed.
        let [address, length] = unsafe { pair.assume_init() };
        // Both slots have 64 bits, and the numbers fit 32.
        Ok((address.get_u32() as usize, length.get_u32() as usize))
    }

    /// Copies the list of a pair into the guest. Returns its address, and the number of elements.
    fn list(&mut self, at: usize, element: &Element) -> Result<(usize, usize)> {
        let count = self.number(at + 4, 4)? as usize;
        let size = element.size as usize;
        let length = count.checked_mul(size).ok_or_else(no_value)?;
        let start = self.block(length, element.align as usize)?;
        let to = self.cx.realloc(0, 0, element.align, length)?;
        self.copy(start, to, length)?;
        if !element.steps.is_empty() {
            for index in 0..count {
                let offset = index * size;
                self.store(&element.steps, start + offset, to + offset)?;
            }
        }
        Ok((to, count))
    }
}
