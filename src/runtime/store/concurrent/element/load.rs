//! Values in the memory of a component, as the canonical ABI lays them out.

use wasmtime::component::__internal::{InterfaceType, LiftContext};
use wasmtime::component::{FutureAny, Lift, ResourceAny, StreamAny, Val};

use super::out_of_bounds;
use crate::runtime::base::error::WasmError;
use crate::runtime::codec::discriminant_size;

/// Reads a value from its bytes, which are as many as its type has.
///
/// # Errors
/// An error that ends the component, if they hold no such value, or the values of the call take too much memory.
pub(super) fn load(
    cx: &mut LiftContext<'_>,
    ty: InterfaceType,
    bytes: &[u8],
) -> wasmtime::Result<Val> {
    let types = cx.types;
    Ok(match ty {
        InterfaceType::Bool => Val::Bool(bool::linear_lift_from_memory(cx, ty, bytes)?),
        InterfaceType::S8 => Val::S8(i8::linear_lift_from_memory(cx, ty, bytes)?),
        InterfaceType::U8 => Val::U8(u8::linear_lift_from_memory(cx, ty, bytes)?),
        InterfaceType::S16 => Val::S16(i16::linear_lift_from_memory(cx, ty, bytes)?),
        InterfaceType::U16 => Val::U16(u16::linear_lift_from_memory(cx, ty, bytes)?),
        InterfaceType::S32 => Val::S32(i32::linear_lift_from_memory(cx, ty, bytes)?),
        InterfaceType::U32 => Val::U32(u32::linear_lift_from_memory(cx, ty, bytes)?),
        InterfaceType::S64 => Val::S64(i64::linear_lift_from_memory(cx, ty, bytes)?),
        InterfaceType::U64 => Val::U64(u64::linear_lift_from_memory(cx, ty, bytes)?),
        InterfaceType::Float32 => Val::Float32(f32::linear_lift_from_memory(cx, ty, bytes)?),
        InterfaceType::Float64 => Val::Float64(f64::linear_lift_from_memory(cx, ty, bytes)?),
        InterfaceType::Char => Val::Char(char::linear_lift_from_memory(cx, ty, bytes)?),
        InterfaceType::String => Val::String(String::linear_lift_from_memory(cx, ty, bytes)?),
        InterfaceType::Own(_) | InterfaceType::Borrow(_) => {
            Val::Resource(ResourceAny::linear_lift_from_memory(cx, ty, bytes)?)
        }
        InterfaceType::Future(_) => Val::Future(FutureAny::linear_lift_from_memory(cx, ty, bytes)?),
        InterfaceType::Stream(_) => Val::Stream(StreamAny::linear_lift_from_memory(cx, ty, bytes)?),
        InterfaceType::List(list) => {
            let (at, length) = range(bytes)?;
            Val::List(list_at(cx, types[list].element, at, length)?)
        }
        InterfaceType::FixedLengthList(list) => {
            let (element, length) = (types[list].element, types[list].size as usize);
            Val::FixedLengthList(elements(cx, element, bytes, length)?)
        }
        InterfaceType::Map(map) => {
            let (at, length) = range(bytes)?;
            let map = &types[map];
            let (entry, offset) = (map.entry_abi.size32 as usize, map.value_offset32 as usize);
            let key_size = types.canonical_abi(&map.key).size32 as usize;
            let value_size = types.canonical_abi(&map.value).size32 as usize;
            let all = memory_at(cx, at, length, entry, map.entry_abi.align32)?;
            cx.consume_fuel_array(length, size_of::<(Val, Val)>())?;
            let mut pairs = Vec::with_capacity(length);
            for entry in all.chunks_exact(entry.max(1)) {
                let key = load(cx, map.key, part(entry, 0, key_size)?)?;
                let value = load(cx, map.value, part(entry, offset, value_size)?)?;
                pairs.push((key, value));
            }
            Val::Map(pairs)
        }
        InterfaceType::Record(record) => {
            let fields = &types[record].fields;
            cx.consume_fuel_array(fields.len(), size_of::<(String, Val)>())?;
            let mut offset = 0;
            let mut values = Vec::with_capacity(fields.len());
            for field in fields {
                cx.consume_fuel(field.name.len())?;
                let value = next(cx, field.ty, bytes, &mut offset)?;
                values.push((field.name.clone(), value));
            }
            Val::Record(values)
        }
        InterfaceType::Tuple(tuple) => {
            let parts = &types[tuple].types;
            cx.consume_fuel_array(parts.len(), size_of::<Val>())?;
            let mut offset = 0;
            let values = parts.iter().map(|part| next(cx, *part, bytes, &mut offset));
            Val::Tuple(values.collect::<wasmtime::Result<_>>()?)
        }
        InterfaceType::Variant(variant) => {
            let variant = &types[variant];
            let case = discriminant(bytes, variant.cases.len())?;
            let (name, ty) = variant.cases.get_index(case).ok_or_else(no_case)?;
            cx.consume_fuel(name.len())?;
            let payload = payload(cx, *ty, bytes, variant.info.payload_offset32)?;
            Val::Variant(name.clone(), payload)
        }
        InterfaceType::Enum(names) => {
            let names = &types[names].names;
            let case = discriminant(bytes, names.len())?;
            let name = names.iter().nth(case).ok_or_else(no_case)?;
            cx.consume_fuel(name.len())?;
            Val::Enum(name.clone())
        }
        InterfaceType::Option(option) => {
            let option = &types[option];
            match discriminant(bytes, 2)? {
                0 => Val::Option(None),
                1 => Val::Option(payload(
                    cx,
                    Some(option.ty),
                    bytes,
                    option.info.payload_offset32,
                )?),
                _ => return Err(no_case()),
            }
        }
        InterfaceType::Result(result) => {
            let result = &types[result];
            let offset = result.info.payload_offset32;
            match discriminant(bytes, 2)? {
                0 => Val::Result(Ok(payload(cx, result.ok, bytes, offset)?)),
                1 => Val::Result(Err(payload(cx, result.err, bytes, offset)?)),
                _ => return Err(no_case()),
            }
        }
        InterfaceType::Flags(flags) => {
            let names = &types[flags].names;
            let mut set = Vec::new();
            for (i, name) in names.iter().enumerate() {
                let byte = bytes.get(i / 8).ok_or_else(out_of_bounds)?;
                if byte & 1 << (i % 8) != 0 {
                    cx.consume_fuel(name.len() + size_of::<String>())?;
                    set.push(name.clone());
                }
            }
            Val::Flags(set)
        }
        InterfaceType::ErrorContext(_) => {
            let message = "an element of a stream has values of type error-context";
            return Err(WasmError::runtime(message).into());
        }
    })
}

/// Reads the next part of a record or tuple.
fn next(
    cx: &mut LiftContext<'_>,
    ty: InterfaceType,
    bytes: &[u8],
    offset: &mut u32,
) -> wasmtime::Result<Val> {
    let abi = cx.types.canonical_abi(&ty);
    let (at, size) = (abi.next_field32(offset), abi.size32);
    load(cx, ty, part(bytes, at as usize, size as usize)?)
}

fn payload(
    cx: &mut LiftContext<'_>,
    ty: Option<InterfaceType>,
    bytes: &[u8],
    offset: u32,
) -> wasmtime::Result<Option<Box<Val>>> {
    let Some(ty) = ty else { return Ok(None) };
    cx.consume_fuel(size_of::<Val>())?;
    let size = cx.types.canonical_abi(&ty).size32 as usize;
    let value = load(cx, ty, part(bytes, offset as usize, size)?)?;
    Ok(Some(Box::new(value)))
}

/// Reads the number of a case.
fn discriminant(bytes: &[u8], cases: usize) -> wasmtime::Result<usize> {
    let size = discriminant_size(cases) as usize;
    let mut number = [0; 4];
    number[..size].copy_from_slice(part(bytes, 0, size)?);
    Ok(u32::from_le_bytes(number) as usize)
}

/// Reads the place and the length of a list.
fn range(bytes: &[u8]) -> wasmtime::Result<(usize, usize)> {
    let (words, _) = bytes.as_chunks();
    match words {
        [at, length] => Ok((
            u32::from_le_bytes(*at) as usize,
            u32::from_le_bytes(*length) as usize,
        )),
        _ => Err(out_of_bounds()),
    }
}

fn list_at(
    cx: &mut LiftContext<'_>,
    element: InterfaceType,
    at: usize,
    length: usize,
) -> wasmtime::Result<Vec<Val>> {
    let abi = cx.types.canonical_abi(&element);
    let (size, align) = (abi.size32 as usize, abi.align32);
    let bytes = memory_at(cx, at, length, size, align)?;
    elements(cx, element, bytes, length)
}

fn elements(
    cx: &mut LiftContext<'_>,
    element: InterfaceType,
    bytes: &[u8],
    length: usize,
) -> wasmtime::Result<Vec<Val>> {
    let size = cx.types.canonical_abi(&element).size32 as usize;
    cx.consume_fuel_array(length, size_of::<Val>())?;
    let element = |i: usize| load(cx, element, part(bytes, i * size, size)?);
    (0..length).map(element).collect()
}

/// Returns the bytes of so many elements.
fn memory_at<'a>(
    cx: &LiftContext<'a>,
    at: usize,
    length: usize,
    size: usize,
    align: u32,
) -> wasmtime::Result<&'a [u8]> {
    let end = length.checked_mul(size).and_then(|all| at.checked_add(all));
    let found = end.and_then(|end| cx.memory().get(at..end));
    let found = found.filter(|_| at.is_multiple_of(align as usize));
    found.ok_or_else(out_of_bounds)
}

fn part(bytes: &[u8], at: usize, size: usize) -> wasmtime::Result<&[u8]> {
    let end = at.checked_add(size);
    let found = end.and_then(|end| bytes.get(at..end));
    found.ok_or_else(out_of_bounds)
}

fn no_case() -> wasmtime::Error {
    WasmError::runtime("an element of a stream has a case that its type has not").into()
}
