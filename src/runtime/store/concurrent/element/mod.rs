//! Elements of streams and futures whose type is known only at run time.
//!
//! wasmtime's streams have Rust types as elements, and its dynamic `Val` is none of them. [`Element`] is one: wasmtime passes
//! the component's own type to it, from which it knows how the value lies in memory. It says that its own size is 0, and
//! steps through the elements of a list itself.
//!
//! The traits are public in wasmtime, and hidden: they may change with any of its versions. This crate has one exact version
//! of it.

mod load;
mod store;

use std::cell::Cell;
use std::mem::MaybeUninit;

use wasmtime::ValRaw;
use wasmtime::component::__internal::{
    CanonicalAbiInfo, InstanceType, InterfaceType, LiftContext, LowerContext,
};
use wasmtime::component::{ComponentType, Lift, Lower, Val};

use crate::runtime::base::error::WasmError;

/// An element of any type.
#[derive(Clone, Debug)]
pub(crate) struct Element(pub(crate) Val);

thread_local! {
    /// The index of the next element in the list that is read.
    static NEXT: Cell<usize> = const { Cell::new(0) };
}

impl Element {
    /// Begins to read a list of elements on this thread.
    pub(super) fn begin_list() {
        NEXT.set(0);
    }
}

// SAFETY: the size in the canonical ABI is 0, so that wasmtime reads and writes no memory by itself, and `Lower` has no slots.
// Streams and futures pass their elements in memory only. `Lift` and `Lower` below check the bounds themselves.
unsafe impl ComponentType for Element {
    type Lower = [ValRaw; 0];

    const ABI: CanonicalAbiInfo = CanonicalAbiInfo {
        size32: 0,
        align32: 1,
        size64: 0,
        align64: 1,
        flat_count: None,
    };

    fn typecheck(_: &InterfaceType, _: &InstanceType<'_>) -> wasmtime::Result<()> {
        // It is of any type.
        Ok(())
    }
}

// SAFETY: the memory that is read is found by its bounds.
unsafe impl Lift for Element {
    fn linear_lift_from_flat(
        _: &mut LiftContext<'_>,
        _: InterfaceType,
        _: &[ValRaw; 0],
    ) -> wasmtime::Result<Self> {
        Err(not_in_memory())
    }

    fn linear_lift_from_memory(
        cx: &mut LiftContext<'_>,
        ty: InterfaceType,
        bytes: &[u8],
    ) -> wasmtime::Result<Self> {
        let abi = cx.types.canonical_abi(&ty);
        let (size, align) = (abi.size32 as usize, abi.align32 as usize);
        let memory = cx.memory();
        // `bytes` is empty, and begins where the list does.
        let start = bytes.as_ptr().addr().checked_sub(memory.as_ptr().addr());
        let index = NEXT.replace(NEXT.get() + 1);
        let at = start.and_then(|start| start.checked_add(index.checked_mul(size)?));
        let at = at.filter(|at| at % align == 0);
        let found = at.and_then(|at| memory.get(at..at.checked_add(size)?));
        let found = found.ok_or_else(out_of_bounds)?;
        load::load(cx, ty, found).map(Self)
    }
}

// SAFETY: the memory that is written is found by its bounds.
unsafe impl Lower for Element {
    fn linear_lower_to_flat<T>(
        &self,
        _: &mut LowerContext<'_, T>,
        _: InterfaceType,
        _: &mut MaybeUninit<[ValRaw; 0]>,
    ) -> wasmtime::Result<()> {
        Err(not_in_memory())
    }

    fn linear_lower_to_memory<T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        ty: InterfaceType,
        offset: usize,
    ) -> wasmtime::Result<()> {
        Self::linear_store_list_to_memory(cx, ty, offset, std::slice::from_ref(self))
    }

    fn linear_store_list_to_memory<T>(
        cx: &mut LowerContext<'_, T>,
        ty: InterfaceType,
        offset: usize,
        items: &[Self],
    ) -> wasmtime::Result<()> {
        let abi = cx.types.canonical_abi(&ty);
        let (size, align) = (abi.size32 as usize, abi.align32 as usize);
        let end = items.len().checked_mul(size);
        let end = end.and_then(|bytes| offset.checked_add(bytes));
        let fits = end.is_some_and(|end| end <= cx.as_slice_mut().len());
        if !fits || !offset.is_multiple_of(align) {
            return Err(out_of_bounds());
        }
        for (i, Self(value)) in items.iter().enumerate() {
            store::store(cx, ty, value, offset + i * size)?;
        }
        Ok(())
    }
}

fn not_in_memory() -> wasmtime::Error {
    WasmError::runtime("an element of a stream is not in memory").into()
}

fn out_of_bounds() -> wasmtime::Error {
    WasmError::runtime("an element of a stream is out of bounds of the memory, or not aligned")
        .into()
}
