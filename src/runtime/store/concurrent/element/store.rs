//! Values into the memory of a component, as the canonical ABI lays them out.

use wasmtime::component::__internal::{InterfaceType, LowerContext};
use wasmtime::component::{Lower, Val};

use super::out_of_bounds;
use crate::runtime::base::error::WasmError;
use crate::runtime::codec::discriminant_size;

/// Writes a value of its type at a place in memory, which is aligned and has room for it.
///
/// # Errors
/// An error that ends the component, if the value is not of the type, or the component gives no memory for its parts.
pub(super) fn store<T>(
    cx: &mut LowerContext<'_, T>,
    ty: InterfaceType,
    value: &Val,
    at: usize,
) -> wasmtime::Result<()> {
    let types = cx.types;
    match (ty, value) {
        (InterfaceType::Bool, Val::Bool(value)) => value.linear_lower_to_memory(cx, ty, at),
        (InterfaceType::S8, Val::S8(value)) => value.linear_lower_to_memory(cx, ty, at),
        (InterfaceType::U8, Val::U8(value)) => value.linear_lower_to_memory(cx, ty, at),
        (InterfaceType::S16, Val::S16(value)) => value.linear_lower_to_memory(cx, ty, at),
        (InterfaceType::U16, Val::U16(value)) => value.linear_lower_to_memory(cx, ty, at),
        (InterfaceType::S32, Val::S32(value)) => value.linear_lower_to_memory(cx, ty, at),
        (InterfaceType::U32, Val::U32(value)) => value.linear_lower_to_memory(cx, ty, at),
        (InterfaceType::S64, Val::S64(value)) => value.linear_lower_to_memory(cx, ty, at),
        (InterfaceType::U64, Val::U64(value)) => value.linear_lower_to_memory(cx, ty, at),
        (InterfaceType::Float32, Val::Float32(value)) => value.linear_lower_to_memory(cx, ty, at),
        (InterfaceType::Float64, Val::Float64(value)) => value.linear_lower_to_memory(cx, ty, at),
        (InterfaceType::Char, Val::Char(value)) => value.linear_lower_to_memory(cx, ty, at),
        (InterfaceType::String, Val::String(value)) => value.linear_lower_to_memory(cx, ty, at),
        (InterfaceType::Own(_) | InterfaceType::Borrow(_), Val::Resource(value)) => {
            value.linear_lower_to_memory(cx, ty, at)
        }
        (InterfaceType::Future(_), Val::Future(value)) => value.linear_lower_to_memory(cx, ty, at),
        (InterfaceType::Stream(_), Val::Stream(value)) => value.linear_lower_to_memory(cx, ty, at),
        (InterfaceType::List(list), Val::List(values)) => {
            let element = types[list].element;
            let abi = types.canonical_abi(&element);
            let to = allocate(cx, values.len(), abi.size32, abi.align32)?;
            store_all(cx, element, values, to)?;
            range(cx, at, to, values.len())
        }
        (InterfaceType::FixedLengthList(list), Val::FixedLengthList(values))
            if types[list].size as usize == values.len() =>
        {
            store_all(cx, types[list].element, values, at)
        }
        (InterfaceType::Map(map), Val::Map(pairs)) => {
            let map = &types[map];
            let (entry, offset) = (map.entry_abi.size32, map.value_offset32 as usize);
            let to = allocate(cx, pairs.len(), entry, map.entry_abi.align32)?;
            for (i, (key, value)) in pairs.iter().enumerate() {
                let to = to + i * entry as usize;
                store(cx, map.key, key, to)?;
                store(cx, map.value, value, to + offset)?;
            }
            range(cx, at, to, pairs.len())
        }
        (InterfaceType::Record(record), Val::Record(values))
            if types[record].fields.len() == values.len() =>
        {
            let mut offset = at;
            for (field, (_, value)) in types[record].fields.iter().zip(values) {
                let abi = types.canonical_abi(&field.ty);
                store(cx, field.ty, value, abi.next_field32_size(&mut offset))?;
            }
            Ok(())
        }
        (InterfaceType::Tuple(tuple), Val::Tuple(values))
            if types[tuple].types.len() == values.len() =>
        {
            let mut offset = at;
            for (ty, value) in types[tuple].types.iter().zip(values) {
                let abi = types.canonical_abi(ty);
                store(cx, *ty, value, abi.next_field32_size(&mut offset))?;
            }
            Ok(())
        }
        (InterfaceType::Variant(variant), Val::Variant(name, payload)) => {
            let variant = &types[variant];
            let (case, _, ty) = variant.cases.get_full(name).ok_or_else(misfit)?;
            discriminant(cx, at, case, variant.cases.len())?;
            let to = at + variant.info.payload_offset32 as usize;
            store_payload(cx, *ty, payload.as_deref(), to)
        }
        (InterfaceType::Enum(names), Val::Enum(name)) => {
            let names = &types[names].names;
            let case = names.get_index_of(name).ok_or_else(misfit)?;
            discriminant(cx, at, case, names.len())
        }
        (InterfaceType::Option(option), Val::Option(payload)) => {
            let option = &types[option];
            discriminant(cx, at, usize::from(payload.is_some()), 2)?;
            let to = at + option.info.payload_offset32 as usize;
            match payload {
                None => Ok(()),
                Some(value) => store(cx, option.ty, value, to),
            }
        }
        (InterfaceType::Result(result), Val::Result(value)) => {
            let result = &types[result];
            discriminant(cx, at, usize::from(value.is_err()), 2)?;
            let to = at + result.info.payload_offset32 as usize;
            match value {
                Ok(payload) => store_payload(cx, result.ok, payload.as_deref(), to),
                Err(payload) => store_payload(cx, result.err, payload.as_deref(), to),
            }
        }
        (InterfaceType::Flags(flags), Val::Flags(set)) => {
            let names = &types[flags].names;
            let mut bits = vec![0_u8; types.canonical_abi(&ty).size32 as usize];
            for name in set {
                let flag = names.get_index_of(name).ok_or_else(misfit)?;
                bits[flag / 8] |= 1 << (flag % 8);
            }
            write(cx, at, &bits)
        }
        _ => Err(misfit()),
    }
}

fn store_all<T>(
    cx: &mut LowerContext<'_, T>,
    element: InterfaceType,
    values: &[Val],
    at: usize,
) -> wasmtime::Result<()> {
    let size = cx.types.canonical_abi(&element).size32 as usize;
    for (i, value) in values.iter().enumerate() {
        store(cx, element, value, at + i * size)?;
    }
    Ok(())
}

fn store_payload<T>(
    cx: &mut LowerContext<'_, T>,
    ty: Option<InterfaceType>,
    value: Option<&Val>,
    at: usize,
) -> wasmtime::Result<()> {
    match (ty, value) {
        (Some(ty), Some(value)) => store(cx, ty, value, at),
        (None, None) => Ok(()),
        _ => Err(misfit()),
    }
}

/// Has the component make room for so many elements.
fn allocate<T>(
    cx: &mut LowerContext<'_, T>,
    count: usize,
    size: u32,
    align: u32,
) -> wasmtime::Result<usize> {
    let bytes = count.checked_mul(size as usize);
    // wasmtime checks that the memory is there, and aligned.
    cx.realloc(0, 0, align, bytes.ok_or_else(out_of_bounds)?)
}

/// Writes the place and the length of a list.
fn range<T>(
    cx: &mut LowerContext<'_, T>,
    at: usize,
    list: usize,
    length: usize,
) -> wasmtime::Result<()> {
    let word = |number: usize| u32::try_from(number).map_err(|_| out_of_bounds());
    write(cx, at, &word(list)?.to_le_bytes())?;
    write(cx, at + 4, &word(length)?.to_le_bytes())
}

/// Writes the number of a case.
fn discriminant<T>(
    cx: &mut LowerContext<'_, T>,
    at: usize,
    case: usize,
    cases: usize,
) -> wasmtime::Result<()> {
    let size = discriminant_size(cases) as usize;
    write(cx, at, &case.to_le_bytes()[..size])
}

fn write<T>(cx: &mut LowerContext<'_, T>, at: usize, bytes: &[u8]) -> wasmtime::Result<()> {
    let end = at.checked_add(bytes.len());
    let place = end.and_then(|end| cx.as_slice_mut().get_mut(at..end));
    place.ok_or_else(out_of_bounds)?.copy_from_slice(bytes);
    Ok(())
}

fn misfit() -> wasmtime::Error {
    WasmError::runtime("an element of a stream does not fit its type").into()
}
