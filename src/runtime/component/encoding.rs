//! Values as bytes: the form in which they cross between the host's language and the runtime.
//!
//! The bytes have no types: the reader knows them. Numbers are in little-endian order and have the size of their type.
//!
//! | type | bytes |
//! |---|---|
//! | `bool` | one byte, 0 or 1 |
//! | `char` | 32-bit number |
//! | `string` | number of bytes (32 bits), UTF-8 |
//! | `list`, `map` | number of elements or pairs (32 bits), the elements, or each key and its value |
//! | `list` of a fixed length, `record`, `tuple` | the elements or fields |
//! | `variant`, `enum` | number of the case (32 bits), its value if it has one |
//! | `option` | one byte, 0 or 1, and the value if it is 1 |
//! | `result` | one byte, 0 for `ok` and 1 for `err`, and the value if it has one |
//! | `flags` | one bit for each, in whole 32-bit numbers |
//! | `own`, `borrow` | the number of a handle (32 bits): see [`resources`](super::resources) |
//! | `future`, `stream` | the number of its readable end (32 bits): see [`transmit`](super::transmit) |

use wasmtime::component::Val;

use super::types::{Interface, NAME_ROOM, TypeIndex, ValueType};
use crate::runtime::base::error::WasmError;

/// Appends a value of a type, which it [fits](super::values::check).
pub(crate) fn write(interface: &Interface, ty: TypeIndex, value: &Val, bytes: &mut Vec<u8>) {
    let write_all = |values: &[Val], element: TypeIndex, bytes: &mut Vec<u8>| {
        for value in values {
            write(interface, element, value, bytes);
        }
    };
    match (interface.ty(ty), value) {
        (_, Val::Bool(value)) => bytes.push(u8::from(*value)),
        (_, Val::S8(value)) => bytes.extend(value.to_le_bytes()),
        (_, Val::U8(value)) => bytes.extend(value.to_le_bytes()),
        (_, Val::S16(value)) => bytes.extend(value.to_le_bytes()),
        (_, Val::U16(value)) => bytes.extend(value.to_le_bytes()),
        (_, Val::S32(value)) => bytes.extend(value.to_le_bytes()),
        (_, Val::U32(value)) => bytes.extend(value.to_le_bytes()),
        (_, Val::S64(value)) => bytes.extend(value.to_le_bytes()),
        (_, Val::U64(value)) => bytes.extend(value.to_le_bytes()),
        (_, Val::Float32(value)) => bytes.extend(value.to_le_bytes()),
        (_, Val::Float64(value)) => bytes.extend(value.to_le_bytes()),
        (_, Val::Char(value)) => bytes.extend(u32::from(*value).to_le_bytes()),
        (_, Val::String(value)) => {
            write_count(value.len(), bytes);
            bytes.extend_from_slice(value.as_bytes());
        }
        (ValueType::List { element }, Val::List(values)) => {
            write_count(values.len(), bytes);
            write_all(values, *element, bytes);
        }
        (ValueType::FixedLengthList { element, .. }, Val::FixedLengthList(values)) => {
            write_all(values, *element, bytes);
        }
        (ValueType::Map { key, value }, Val::Map(pairs)) => {
            write_count(pairs.len(), bytes);
            for (own_key, own_value) in pairs {
                write(interface, *key, own_key, bytes);
                write(interface, *value, own_value, bytes);
            }
        }
        (ValueType::Record { fields }, Val::Record(values)) => {
            for ((_, ty), (_, value)) in fields.iter().zip(values) {
                write(interface, *ty, value, bytes);
            }
        }
        (ValueType::Tuple { types }, Val::Tuple(values)) => {
            for (ty, value) in types.iter().zip(values) {
                write(interface, *ty, value, bytes);
            }
        }
        (ValueType::Variant { cases }, Val::Variant(name, value)) => {
            let case = cases.iter().position(|(case, _)| **case == **name);
            write_count(case.unwrap_or(0), bytes);
            let ty = case.and_then(|case| cases[case].1);
            write_optional(interface, ty, value.as_deref(), bytes);
        }
        (ValueType::Enum { names }, Val::Enum(name)) => {
            let case = names.iter().position(|case| **case == **name);
            write_count(case.unwrap_or(0), bytes);
        }
        (ValueType::Option { some }, Val::Option(value)) => {
            bytes.push(u8::from(value.is_some()));
            write_optional(interface, Some(*some), value.as_deref(), bytes);
        }
        (ValueType::Result { ok, err }, Val::Result(value)) => {
            bytes.push(u8::from(value.is_err()));
            match value {
                Ok(value) => write_optional(interface, *ok, value.as_deref(), bytes),
                Err(value) => write_optional(interface, *err, value.as_deref(), bytes),
            }
        }
        (ValueType::Flags { names }, Val::Flags(set)) => {
            let mut words = vec![0_u32; names.len().div_ceil(32)];
            for name in set {
                if let Some(flag) = names.iter().position(|flag| **flag == **name) {
                    words[flag / 32] |= 1 << (flag % 32);
                }
            }
            bytes.extend(words.into_iter().flat_map(u32::to_le_bytes));
        }
        // No such value fits its type.
        _ => {}
    }
}

fn write_optional(
    interface: &Interface,
    ty: Option<TypeIndex>,
    value: Option<&Val>,
    bytes: &mut Vec<u8>,
) {
    if let (Some(ty), Some(value)) = (ty, value) {
        write(interface, ty, value, bytes);
    }
}

fn write_count(count: usize, bytes: &mut Vec<u8>) {
    // Guests have at most 4 GiB of memory for a list, and hosts have no larger values.
    bytes.extend((count as u32).to_le_bytes());
}

/// The bytes of values that are left to read.
pub(crate) struct Reader<'a> {
    interface: &'a Interface,
    bytes: &'a [u8],
    /// The number of bytes that the values may still take in memory.
    room: u64,
    max_room: u64,
}

impl<'a> Reader<'a> {
    /// Reads values of these types, which have to be all that the bytes hold. They may take `max_room` bytes in memory:
    /// a value takes many times its own size.
    ///
    /// # Errors
    /// `TypeMismatch` if they are not all, or take more.
    pub(crate) fn read_all(
        interface: &'a Interface,
        types: impl Iterator<Item = TypeIndex>,
        bytes: &'a [u8],
        max_room: u64,
    ) -> Result<Vec<Val>, WasmError> {
        let mut reader = Self {
            interface,
            bytes,
            room: max_room,
            max_room,
        };
        let values = types.map(|ty| reader.read(ty));
        let values = values.collect::<Result<_, _>>()?;
        match reader.bytes {
            [] => Ok(values),
            _ => Err(misfit("there are more bytes than values")),
        }
    }

    fn read(&mut self, ty: TypeIndex) -> Result<Val, WasmError> {
        self.take_room(size_of::<Val>())?;
        Ok(match self.interface.ty(ty) {
            ValueType::Bool => Val::Bool(self.bit()?),
            ValueType::S8 => Val::S8(i8::from_le_bytes(self.take()?)),
            ValueType::U8 => Val::U8(u8::from_le_bytes(self.take()?)),
            ValueType::S16 => Val::S16(i16::from_le_bytes(self.take()?)),
            ValueType::U16 => Val::U16(u16::from_le_bytes(self.take()?)),
            ValueType::S32 => Val::S32(i32::from_le_bytes(self.take()?)),
            ValueType::U32
            | ValueType::Own { .. }
            | ValueType::Borrow { .. }
            | ValueType::Future { .. }
            | ValueType::Stream { .. } => Val::U32(self.word()?),
            ValueType::S64 => Val::S64(i64::from_le_bytes(self.take()?)),
            ValueType::U64 => Val::U64(u64::from_le_bytes(self.take()?)),
            ValueType::F32 => Val::Float32(f32::from_le_bytes(self.take()?)),
            ValueType::F64 => Val::Float64(f64::from_le_bytes(self.take()?)),
            ValueType::Char => {
                let value = char::from_u32(self.word()?);
                Val::Char(value.ok_or_else(|| misfit("not a Unicode scalar value"))?)
            }
            ValueType::String => {
                let length = self.word()? as usize;
                self.take_room(length)?;
                let text = std::str::from_utf8(self.slice(length)?);
                Val::String(text.map_err(|_| misfit("not UTF-8"))?.to_owned())
            }
            ValueType::List { element } => {
                let count = self.word()?;
                Val::List(self.elements(*element, count)?)
            }
            ValueType::FixedLengthList { element, length } => {
                Val::FixedLengthList(self.elements(*element, *length)?)
            }
            ValueType::Map { key, value } => {
                let mut pairs = Vec::new();
                for _ in 0..self.word()? {
                    pairs.push((self.read(*key)?, self.read(*value)?));
                }
                Val::Map(pairs)
            }
            ValueType::Record { fields } => {
                let fields = fields.iter();
                let values = fields.map(|(name, ty)| {
                    self.take_name(name)?;
                    Ok((name.to_string(), self.read(*ty)?))
                });
                Val::Record(values.collect::<Result<_, WasmError>>()?)
            }
            ValueType::Tuple { types } => {
                let values = types.iter().map(|ty| self.read(*ty));
                Val::Tuple(values.collect::<Result<_, _>>()?)
            }
            ValueType::Variant { cases } => {
                let case = cases.get(self.word()? as usize);
                let (name, ty) = case.ok_or_else(|| misfit("no such case"))?;
                self.take_name(name)?;
                Val::Variant(name.to_string(), self.optional(*ty)?)
            }
            ValueType::Enum { names } => {
                let name = names.get(self.word()? as usize);
                let name = name.ok_or_else(|| misfit("no such case"))?;
                self.take_name(name)?;
                Val::Enum(name.to_string())
            }
            ValueType::Option { some } => {
                let some = self.bit()?.then_some(*some);
                Val::Option(self.optional(some)?)
            }
            ValueType::Result { ok, err } => match self.bit()? {
                false => Val::Result(Ok(self.optional(*ok)?)),
                true => Val::Result(Err(self.optional(*err)?)),
            },
            ValueType::Flags { names } => {
                let mut set = Vec::new();
                for names in names.chunks(32) {
                    let word = self.word()?;
                    if word.checked_shr(names.len() as u32).unwrap_or(0) != 0 {
                        return Err(misfit("no such flag"));
                    }
                    for (bit, name) in names.iter().enumerate() {
                        if word & 1 << bit != 0 {
                            self.take_name(name)?;
                            set.push(name.to_string());
                        }
                    }
                }
                Val::Flags(set)
            }
            ValueType::Other { name } => {
                return Err(misfit(&format!("no value of type {name} can cross")));
            }
        })
    }

    fn elements(&mut self, element: TypeIndex, count: u32) -> Result<Vec<Val>, WasmError> {
        // Each element takes at least one byte, and room, so that a false count makes no large list.
        if count as usize > self.bytes.len() {
            return Err(too_short());
        }
        if u64::from(count) > self.room / size_of::<Val>() as u64 {
            return Err(self.too_large());
        }
        (0..count).map(|_| self.read(element)).collect()
    }

    fn optional(&mut self, ty: Option<TypeIndex>) -> Result<Option<Box<Val>>, WasmError> {
        ty.map(|ty| self.read(ty).map(Box::new)).transpose()
    }

    fn take_room(&mut self, bytes: usize) -> Result<(), WasmError> {
        let left = self.room.checked_sub(bytes as u64);
        self.room = left.ok_or_else(|| self.too_large())?;
        Ok(())
    }

    /// Takes the room for a name, which is copied.
    fn take_name(&mut self, name: &str) -> Result<(), WasmError> {
        self.take_room(NAME_ROOM as usize + name.len())
    }

    fn too_large(&self) -> WasmError {
        WasmError::mismatch(format!(
            "the values take more than {} bytes of memory (max_component_value_bytes)",
            self.max_room
        ))
    }

    fn bit(&mut self) -> Result<bool, WasmError> {
        match self.take()? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err(misfit("neither 0 nor 1")),
        }
    }

    fn word(&mut self) -> Result<u32, WasmError> {
        Ok(u32::from_le_bytes(self.take()?))
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], WasmError> {
        let (taken, rest) = self.bytes.split_first_chunk().ok_or_else(too_short)?;
        self.bytes = rest;
        Ok(*taken)
    }

    fn slice(&mut self, length: usize) -> Result<&'a [u8], WasmError> {
        let (taken, rest) = self.bytes.split_at_checked(length).ok_or_else(too_short)?;
        self.bytes = rest;
        Ok(taken)
    }
}

fn too_short() -> WasmError {
    misfit("there are fewer bytes than values")
}

fn misfit(why: &str) -> WasmError {
    WasmError::mismatch(format!(
        "the bytes of values for a component do not fit: {why}"
    ))
}
