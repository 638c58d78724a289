//! Images as wasmtime's dynamic values, which functions of the host in Rust take and return.

use wasmtime::component::Val;

use super::types::{Interface, TypeIndex, ValueType};
use crate::runtime::codec::{Types as _, align_up, discriminant_size, head_bytes};

/// Reads the values of these types out of an image that holds them: it was checked, or came out of a component.
pub(super) fn read(
    interface: &Interface,
    types: impl IntoIterator<Item = TypeIndex>,
    head: &[u8],
    heap: &[u8],
) -> Vec<Val> {
    let mut reader = Reader {
        interface,
        heap,
        cursor: 0,
    };
    let mut at = 0;
    let fields = types.into_iter().map(|ty| {
        at = align_up(at, interface.layout(ty).align as usize);
        let value = reader.read(ty, head, at);
        at += interface.layout(ty).size as usize;
        value
    });
    fields.collect()
}

struct Reader<'a> {
    interface: &'a Interface,
    heap: &'a [u8],
    cursor: usize,
}

impl<'a> Reader<'a> {
    fn block(&mut self, length: usize, align: usize) -> &'a [u8] {
        let start = align_up(self.cursor, align);
        self.cursor = start + length;
        &self.heap[start..self.cursor]
    }

    fn read(&mut self, ty: TypeIndex, bytes: &[u8], at: usize) -> Val {
        let interface = self.interface;
        match interface.ty(ty) {
            ValueType::Bool => Val::Bool(bytes[at] != 0),
            ValueType::S8 => Val::S8(i8::from_le_bytes(take(bytes, at))),
            ValueType::U8 => Val::U8(u8::from_le_bytes(take(bytes, at))),
            ValueType::S16 => Val::S16(i16::from_le_bytes(take(bytes, at))),
            ValueType::U16 => Val::U16(u16::from_le_bytes(take(bytes, at))),
            ValueType::S32 => Val::S32(i32::from_le_bytes(take(bytes, at))),
            ValueType::U32 => Val::U32(u32::from_le_bytes(take(bytes, at))),
            ValueType::S64 => Val::S64(i64::from_le_bytes(take(bytes, at))),
            ValueType::U64 => Val::U64(u64::from_le_bytes(take(bytes, at))),
            ValueType::F32 => Val::Float32(f32::from_le_bytes(take(bytes, at))),
            ValueType::F64 => Val::Float64(f64::from_le_bytes(take(bytes, at))),
            ValueType::Char => {
                let code = u32::from_le_bytes(take(bytes, at));
                Val::Char(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
            }
            ValueType::String => {
                let text = self.block(number(bytes, at + 4, 4), 1);
                Val::String(String::from_utf8_lossy(text).into_owned())
            }
            ValueType::List { element } => {
                let count = number(bytes, at + 4, 4);
                let layout = interface.layout(*element);
                let length = count * layout.size as usize;
                let block = self.block(length, layout.align as usize);
                Val::List(self.elements(*element, count, block, 0))
            }
            ValueType::FixedLengthList { element, length } => {
                Val::FixedLengthList(self.elements(*element, *length as usize, bytes, at))
            }
            ValueType::Record { fields } => {
                let offsets = interface.plans.offsets(ty);
                let fields = fields.iter().zip(offsets);
                let fields = fields.map(|((name, ty), offset)| {
                    let value = self.read(*ty, bytes, at + *offset as usize);
                    (name.to_string(), value)
                });
                Val::Record(fields.collect())
            }
            ValueType::Tuple { types } => {
                let offsets = interface.plans.offsets(ty);
                let parts = types.iter().zip(offsets);
                let parts = parts.map(|(ty, offset)| self.read(*ty, bytes, at + *offset as usize));
                Val::Tuple(parts.collect())
            }
            ValueType::Variant { cases } => {
                let (case, payload) = self.case(ty, cases.len(), bytes, at);
                Val::Variant(cases[case].0.to_string(), payload)
            }
            ValueType::Enum { names } => {
                let (case, _) = self.case(ty, names.len(), bytes, at);
                Val::Enum(names[case].to_string())
            }
            ValueType::Option { .. } => Val::Option(self.case(ty, 2, bytes, at).1),
            ValueType::Result { .. } => Val::Result(match self.case(ty, 2, bytes, at) {
                (0, ok) => Ok(ok),
                (_, err) => Err(err),
            }),
            ValueType::Flags { names } => {
                let is_set = |flag: usize| bytes[at + flag / 8] >> (flag % 8) & 1 != 0;
                let names = names.iter().enumerate();
                let set = names.filter(|(flag, _)| is_set(*flag));
                Val::Flags(set.map(|(_, name)| name.to_string()).collect())
            }
            // The codec has no such values.
            ValueType::Map { .. }
            | ValueType::Own { .. }
            | ValueType::Borrow { .. }
            | ValueType::Future { .. }
            | ValueType::Stream { .. }
            | ValueType::Other { .. } => Val::Option(None),
        }
    }

    fn elements(&mut self, element: TypeIndex, count: usize, bytes: &[u8], at: usize) -> Vec<Val> {
        let size = self.interface.layout(element).size as usize;
        let elements = (0..count).map(|index| self.read(element, bytes, at + index * size));
        elements.collect()
    }

    /// The number of a case, and its value.
    fn case(
        &mut self,
        ty: TypeIndex,
        count: usize,
        bytes: &[u8],
        at: usize,
    ) -> (usize, Option<Box<Val>>) {
        let case = number(bytes, at, discriminant_size(count) as usize);
        let payload_at = at + self.interface.plans.payload_offset(ty) as usize;
        let payload = self.interface.part(ty, case);
        let payload = payload.map(|ty| Box::new(self.read(ty, bytes, payload_at)));
        (case, payload)
    }
}

fn take<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut taken = [0; N];
    taken.copy_from_slice(&bytes[at..][..N]);
    taken
}

fn number(bytes: &[u8], at: usize, width: usize) -> usize {
    let mut number = [0; 4];
    number[..width].copy_from_slice(&bytes[at..][..width]);
    u32::from_le_bytes(number) as usize
}

/// Makes an image of values, which fit these types.
pub(super) fn write(
    interface: &Interface,
    types: impl IntoIterator<Item = TypeIndex>,
    head: u32,
    values: &[Val],
) -> Vec<u8> {
    let mut writer = Writer {
        interface,
        image: vec![0; head_bytes(head)],
    };
    let mut at = 0;
    for (ty, value) in types.into_iter().zip(values) {
        at = align_up(at, interface.layout(ty).align as usize);
        writer.write(ty, value, at);
        at += interface.layout(ty).size as usize;
    }
    writer.image
}

struct Writer<'a> {
    interface: &'a Interface,
    image: Vec<u8>,
}

impl Writer<'_> {
    /// Adds a block of zeros to the heap. Returns its place.
    fn block(&mut self, length: usize, align: usize) -> usize {
        let start = align_up(self.image.len(), align);
        self.image.resize(start + length, 0);
        start
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.image[at..][..bytes.len()].copy_from_slice(bytes);
    }

    fn write(&mut self, ty: TypeIndex, value: &Val, at: usize) {
        let interface = self.interface;
        match (interface.ty(ty), value) {
            (_, Val::Bool(value)) => self.put(at, &[u8::from(*value)]),
            (_, Val::S8(value)) => self.put(at, &value.to_le_bytes()),
            (_, Val::U8(value)) => self.put(at, &value.to_le_bytes()),
            (_, Val::S16(value)) => self.put(at, &value.to_le_bytes()),
            (_, Val::U16(value)) => self.put(at, &value.to_le_bytes()),
            (_, Val::S32(value)) => self.put(at, &value.to_le_bytes()),
            (_, Val::U32(value)) => self.put(at, &value.to_le_bytes()),
            (_, Val::S64(value)) => self.put(at, &value.to_le_bytes()),
            (_, Val::U64(value)) => self.put(at, &value.to_le_bytes()),
            (_, Val::Float32(value)) => self.put(at, &value.to_le_bytes()),
            (_, Val::Float64(value)) => self.put(at, &value.to_le_bytes()),
            (_, Val::Char(value)) => self.put(at, &u32::from(*value).to_le_bytes()),
            (_, Val::String(value)) => {
                let start = self.block(value.len(), 1);
                self.put(start, value.as_bytes());
                self.put_count(at + 4, value.len());
            }
            (ValueType::List { element }, Val::List(values)) => {
                let layout = interface.layout(*element);
                let length = values.len() * layout.size as usize;
                let start = self.block(length, layout.align as usize);
                self.put_count(at + 4, values.len());
                self.write_elements(*element, values, start);
            }
            (ValueType::FixedLengthList { element, .. }, Val::FixedLengthList(values)) => {
                self.write_elements(*element, values, at);
            }
            (ValueType::Record { fields }, Val::Record(values)) => {
                let offsets = interface.plans.offsets(ty);
                for (((_, ty), (_, value)), offset) in fields.iter().zip(values).zip(offsets) {
                    self.write(*ty, value, at + *offset as usize);
                }
            }
            (ValueType::Tuple { types }, Val::Tuple(values)) => {
                let offsets = interface.plans.offsets(ty);
                for ((ty, value), offset) in types.iter().zip(values).zip(offsets) {
                    self.write(*ty, value, at + *offset as usize);
                }
            }
            (ValueType::Variant { cases }, Val::Variant(name, value)) => {
                let case = cases.iter().position(|(case, _)| **case == **name);
                self.write_case(ty, cases.len(), case.unwrap_or(0), value.as_deref(), at);
            }
            (ValueType::Enum { names }, Val::Enum(name)) => {
                let case = names.iter().position(|case| **case == **name);
                self.write_case(ty, names.len(), case.unwrap_or(0), None, at);
            }
            (_, Val::Option(value)) => {
                self.write_case(ty, 2, usize::from(value.is_some()), value.as_deref(), at);
            }
            (_, Val::Result(Ok(value))) => self.write_case(ty, 2, 0, value.as_deref(), at),
            (_, Val::Result(Err(value))) => self.write_case(ty, 2, 1, value.as_deref(), at),
            (ValueType::Flags { names }, Val::Flags(set)) => {
                for name in set {
                    if let Some(flag) = names.iter().position(|flag| **flag == **name) {
                        self.image[at + flag / 8] |= 1 << (flag % 8);
                    }
                }
            }
            // No such value fits its type.
            _ => {}
        }
    }

    fn write_elements(&mut self, element: TypeIndex, values: &[Val], start: usize) {
        let size = self.interface.layout(element).size as usize;
        for (index, value) in values.iter().enumerate() {
            self.write(element, value, start + index * size);
        }
    }

    fn write_case(
        &mut self,
        ty: TypeIndex,
        count: usize,
        case: usize,
        value: Option<&Val>,
        at: usize,
    ) {
        let width = discriminant_size(count) as usize;
        self.put(at, &(case as u32).to_le_bytes()[..width]);
        if let (Some(value), Some(payload)) = (value, self.interface.part(ty, case)) {
            let payload_at = at + self.interface.plans.payload_offset(ty) as usize;
            self.write(payload, value, payload_at);
        }
    }

    fn put_count(&mut self, at: usize, count: usize) {
        // Hosts have no larger values, and the check compares the number with the bytes.
        self.put(at, &(count as u32).to_le_bytes());
    }
}
