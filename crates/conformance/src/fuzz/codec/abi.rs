//! The canonical ABI for 32-bit memories, stated a second time: as its specification says it, without regard to speed.
//!
//! The names of the functions are those of the specification.

use ext_wasm::wasmtime::component::Val;

use super::types::{Type, name};

/// The encoding of a guest's strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Utf8,
    Utf16,
    Latin1OrUtf16,
}

/// The bit of a length that says that the string is in UTF-16.
const UTF16_TAG: u32 = 1 << 31;

/// The types of core WebAssembly, for parameters and results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Core {
    I32,
    I64,
    F32,
    F64,
}

impl Core {
    /// The type in the text format.
    pub fn text(self) -> &'static str {
        match self {
            Self::I32 => "i32",
            Self::I64 => "i64",
            Self::F32 => "f32",
            Self::F64 => "f64",
        }
    }

    fn join(self, other: Self) -> Self {
        match (self, other) {
            (one, other) if one == other => one,
            (Self::I32, Self::F32) | (Self::F32, Self::I32) => Self::I32,
            _ => Self::I64,
        }
    }
}

/// The types of the cases of a variant, option, result or enum.
fn cases(ty: &Type) -> Option<Vec<Option<&Type>>> {
    Some(match ty {
        Type::Variant(cases) => cases.iter().map(Option::as_ref).collect(),
        Type::Enum(count) => vec![None; *count as usize],
        Type::Option(some) => vec![None, Some(some)],
        Type::Result(ok, err) => vec![ok.as_deref(), err.as_deref()],
        _ => return None,
    })
}

fn discriminant_size(cases: usize) -> u32 {
    if cases <= 1 << 8 {
        1
    } else if cases <= 1 << 16 {
        2
    } else {
        4
    }
}

pub fn alignment(ty: &Type) -> u32 {
    if let Some(cases) = cases(ty) {
        let payloads = cases.iter().flatten().map(|ty| alignment(ty));
        return payloads.fold(discriminant_size(cases.len()), u32::max);
    }
    match ty {
        Type::Bool | Type::S8 | Type::U8 => 1,
        Type::S16 | Type::U16 => 2,
        Type::S64 | Type::U64 | Type::F64 => 8,
        Type::FixedLengthList(ty, _) => alignment(ty),
        Type::Record(types) | Type::Tuple(types) => types.iter().map(alignment).fold(1, u32::max),
        Type::Flags(count) if *count <= 8 => 1,
        Type::Flags(count) if *count <= 16 => 2,
        _ => 4,
    }
}

fn align_to(at: u32, align: u32) -> u32 {
    at.div_ceil(align) * align
}

/// The offset of the payload in a variant.
fn payload_offset(cases: &[Option<&Type>]) -> u32 {
    let payloads = cases.iter().flatten().map(|ty| alignment(ty));
    align_to(discriminant_size(cases.len()), payloads.fold(1, u32::max))
}

pub fn elem_size(ty: &Type) -> u32 {
    if let Some(cases) = cases(ty) {
        let payloads = cases.iter().flatten().map(|ty| elem_size(ty));
        let end = payload_offset(&cases) + payloads.fold(0, u32::max);
        return align_to(end, alignment(ty));
    }
    match ty {
        Type::Bool | Type::S8 | Type::U8 => 1,
        Type::S16 | Type::U16 => 2,
        Type::S64 | Type::U64 | Type::F64 | Type::String | Type::List(_) => 8,
        Type::FixedLengthList(ty, length) => elem_size(ty) * length,
        Type::Record(types) | Type::Tuple(types) => record_size(types),
        Type::Flags(count) if *count <= 8 => 1,
        Type::Flags(count) if *count <= 16 => 2,
        _ => 4,
    }
}

/// The size of a record with fields of these types.
pub fn record_size(types: &[Type]) -> u32 {
    let end = types
        .iter()
        .fold(0, |at, ty| align_to(at, alignment(ty)) + elem_size(ty));
    align_to(end, types.iter().map(alignment).fold(1, u32::max))
}

pub fn flatten(ty: &Type) -> Vec<Core> {
    if let Some(cases) = cases(ty) {
        let mut flat = vec![Core::I32];
        for payload in cases.into_iter().flatten() {
            for (index, core) in flatten(payload).into_iter().enumerate() {
                match flat.get_mut(index + 1) {
                    Some(joined) => *joined = joined.join(core),
                    None => flat.push(core),
                }
            }
        }
        return flat;
    }
    match ty {
        Type::S64 | Type::U64 => vec![Core::I64],
        Type::F32 => vec![Core::F32],
        Type::F64 => vec![Core::F64],
        Type::String | Type::List(_) => vec![Core::I32; 2],
        Type::FixedLengthList(ty, length) => flatten(ty).repeat(*length as usize),
        Type::Record(types) | Type::Tuple(types) => flatten_all(types),
        _ => vec![Core::I32],
    }
}

pub fn flatten_all(types: &[Type]) -> Vec<Core> {
    types.iter().flat_map(flatten).collect()
}

/// Whether there are addresses in values of a type.
pub fn has_pointers(ty: &Type) -> bool {
    match ty {
        Type::String | Type::List(_) => true,
        Type::FixedLengthList(ty, _) => has_pointers(ty),
        Type::Record(types) | Type::Tuple(types) => types.iter().any(has_pointers),
        _ => cases(ty).is_some_and(|cases| cases.into_iter().flatten().any(has_pointers)),
    }
}

/// The memory of a guest, with a part that grows.
#[derive(Clone, Debug)]
pub struct Memory {
    pub bytes: Vec<u8>,
    /// The end of what is in use.
    next: usize,
    encoding: Encoding,
    /// What is in bytes that hold no value.
    filler: u8,
    /// Whether the addresses of strings and lists are 0, as in an image.
    is_image: bool,
}

/// The reason why bytes are no value: the guest traps.
#[derive(Debug, PartialEq, Eq)]
pub struct Trapped(pub &'static str);

type Loaded<T> = Result<T, Trapped>;

impl Memory {
    /// A memory of these bytes, of which those from `next` on are free.
    pub fn new(bytes: Vec<u8>, next: usize, encoding: Encoding) -> Self {
        Self {
            bytes,
            next,
            encoding,
            filler: 0,
            is_image: false,
        }
    }

    /// The image of values, whose head is the fields of a record. `filler` is in all bytes that hold no value.
    pub fn image(types: &[Type], values: &[Val], filler: u8) -> Vec<u8> {
        let head = record_size(types).next_multiple_of(8) as usize;
        let mut image = Self {
            filler,
            is_image: true,
            ..Self::new(vec![filler; head], head, Encoding::Utf8)
        };
        image.store_all(types, values, 0);
        image.bytes
    }

    /// Allocates bytes.
    pub fn allocate(&mut self, size: usize, align: u32) -> u32 {
        let at = self.next.next_multiple_of(align as usize);
        self.next = at + size;
        let length = self.bytes.len().max(self.next);
        self.bytes.resize(length, self.filler);
        at as u32
    }

    fn put(&mut self, at: u32, bytes: &[u8]) {
        self.bytes[at as usize..][..bytes.len()].copy_from_slice(bytes);
    }

    fn put_pair(&mut self, at: u32, address: u32, length: u32) {
        let address = if self.is_image { 0 } else { address };
        self.put(at, &address.to_le_bytes());
        self.put(at + 4, &length.to_le_bytes());
    }

    fn get(&self, at: u32, size: u32) -> Loaded<&[u8]> {
        let rest = self.bytes.get(at as usize..);
        let bytes = rest.and_then(|rest| rest.get(..size as usize));
        bytes.ok_or(Trapped("out of bounds"))
    }

    fn number(&self, at: u32, size: u32) -> Loaded<u64> {
        let mut number = [0; 8];
        number[..size as usize].copy_from_slice(self.get(at, size)?);
        Ok(u64::from_le_bytes(number))
    }

    /// Stores values as the fields of a record.
    pub fn store_all(&mut self, types: &[Type], values: &[Val], mut at: u32) {
        for (ty, value) in types.iter().zip(values) {
            at = align_to(at, alignment(ty));
            self.store(ty, value, at);
            at += elem_size(ty);
        }
    }

    pub fn store(&mut self, ty: &Type, value: &Val, at: u32) {
        if let Some(cases) = cases(ty) {
            let (case, payload) = case_of(value);
            let size = discriminant_size(cases.len()) as usize;
            self.put(at, &(case as u32).to_le_bytes()[..size]);
            if let (Some(ty), Some(payload)) = (cases[case], payload) {
                let payload_at = at + payload_offset(&cases);
                self.store(ty, payload, payload_at);
            }
            return;
        }
        match (ty, value) {
            (Type::String, Val::String(text)) => {
                let (address, length) = self.store_string(text);
                self.put_pair(at, address, length);
            }
            (Type::List(ty), Val::List(values)) => {
                let address = self.store_list(ty, values);
                self.put_pair(at, address, values.len() as u32);
            }
            (Type::FixedLengthList(ty, _), Val::FixedLengthList(values)) => {
                for (index, value) in values.iter().enumerate() {
                    self.store(ty, value, at + index as u32 * elem_size(ty));
                }
            }
            (Type::Record(types), Val::Record(values)) => {
                let values: Vec<Val> = values.iter().map(|(_, value)| value.clone()).collect();
                self.store_all(types, &values, at);
            }
            (Type::Tuple(types), Val::Tuple(values)) => self.store_all(types, values, at),
            _ => {
                let size = elem_size(ty) as usize;
                self.put(at, &bits_of(value).to_le_bytes()[..size]);
            }
        }
    }

    fn store_list(&mut self, ty: &Type, values: &[Val]) -> u32 {
        let size = elem_size(ty);
        let address = self.allocate(values.len() * size as usize, alignment(ty));
        for (index, value) in values.iter().enumerate() {
            self.store(ty, value, address + index as u32 * size);
        }
        address
    }

    fn store_string(&mut self, text: &str) -> (u32, u32) {
        let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let is_latin1 = text.chars().all(|character| u32::from(character) < 256);
        let (bytes, align, length) = match self.encoding {
            Encoding::Utf8 => (text.as_bytes().to_vec(), 1, text.len() as u32),
            Encoding::Latin1OrUtf16 if is_latin1 => {
                let bytes: Vec<u8> = text.chars().map(|character| character as u8).collect();
                let length = bytes.len() as u32;
                (bytes, 2, length)
            }
            Encoding::Latin1OrUtf16 => {
                let units = utf16.len() as u32 / 2;
                (utf16, 2, units | UTF16_TAG)
            }
            Encoding::Utf16 => {
                let units = utf16.len() as u32 / 2;
                (utf16, 2, units)
            }
        };
        let address = self.allocate(bytes.len(), align);
        self.put(address, &bytes);
        (address, length)
    }

    /// Lowers a value to core values, as bits. Stores what is in memory.
    pub fn lower_flat(&mut self, ty: &Type, value: &Val) -> Vec<u64> {
        if let Some(cases) = cases(ty) {
            let (case, payload) = case_of(value);
            let mut flat = vec![case as u64];
            if let (Some(ty), Some(payload)) = (cases[case], payload) {
                flat.extend(self.lower_flat(ty, payload));
            }
            flat.resize(flatten(ty).len(), 0);
            return flat;
        }
        match (ty, value) {
            (Type::String, Val::String(text)) => {
                let (address, length) = self.store_string(text);
                vec![address.into(), length.into()]
            }
            (Type::List(ty), Val::List(values)) => {
                let address = self.store_list(ty, values);
                vec![address.into(), values.len() as u64]
            }
            (Type::FixedLengthList(ty, _), Val::FixedLengthList(values)) => {
                let values = values.iter();
                values
                    .flat_map(|value| self.lower_flat(ty, value))
                    .collect()
            }
            (Type::Record(types), Val::Record(values)) => {
                let pairs = types.iter().zip(values);
                pairs
                    .flat_map(|(ty, (_, value))| self.lower_flat(ty, value))
                    .collect()
            }
            (Type::Tuple(types), Val::Tuple(values)) => {
                let pairs = types.iter().zip(values);
                pairs
                    .flat_map(|(ty, value)| self.lower_flat(ty, value))
                    .collect()
            }
            _ => vec![bits_of(value)],
        }
    }

    /// Loads the fields of a record.
    pub fn load_all(&self, types: &[Type], mut at: u32) -> Loaded<Vec<Val>> {
        let mut values = Vec::new();
        for ty in types {
            at = align_to(at, alignment(ty));
            values.push(self.load(ty, at)?);
            at += elem_size(ty);
        }
        Ok(values)
    }

    pub fn load(&self, ty: &Type, at: u32) -> Loaded<Val> {
        if let Some(cases) = cases(ty) {
            let case = self.number(at, discriminant_size(cases.len()))?;
            let payload = cases.get(case as usize);
            let payload = *payload.ok_or(Trapped("no such case"))?;
            let payload_at = at + payload_offset(&cases);
            let payload = payload.map(|ty| self.load(ty, payload_at)).transpose()?;
            return Ok(value_of_case(ty, case as usize, payload));
        }
        match ty {
            Type::String => {
                let (address, length) = (self.number(at, 4)?, self.number(at + 4, 4)?);
                self.load_string(address as u32, length as u32)
            }
            Type::List(ty) => {
                let (address, length) = (self.number(at, 4)?, self.number(at + 4, 4)?);
                self.load_list(ty, address as u32, length as u32)
            }
            Type::FixedLengthList(ty, length) => {
                let elements = (0..*length).map(|index| self.load(ty, at + index * elem_size(ty)));
                Ok(Val::FixedLengthList(elements.collect::<Loaded<_>>()?))
            }
            Type::Record(types) => {
                let values = self.load_all(types, at)?;
                let names = (0..types.len()).map(name);
                Ok(Val::Record(names.zip(values).collect()))
            }
            Type::Tuple(types) => Ok(Val::Tuple(self.load_all(types, at)?)),
            _ => value_of_bits(ty, self.number(at, elem_size(ty))?),
        }
    }

    fn load_list(&self, ty: &Type, address: u32, length: u32) -> Loaded<Val> {
        if !address.is_multiple_of(alignment(ty)) {
            return Err(Trapped("not aligned"));
        }
        let size = length.checked_mul(elem_size(ty));
        self.get(address, size.ok_or(Trapped("out of bounds"))?)?;
        let elements = (0..length).map(|index| self.load(ty, address + index * elem_size(ty)));
        Ok(Val::List(elements.collect::<Loaded<_>>()?))
    }

    fn load_string(&self, address: u32, length: u32) -> Loaded<Val> {
        let is_utf16 = match self.encoding {
            Encoding::Utf8 => false,
            Encoding::Utf16 => true,
            Encoding::Latin1OrUtf16 => length & UTF16_TAG != 0,
        };
        let length = match self.encoding {
            Encoding::Latin1OrUtf16 => length & !UTF16_TAG,
            _ => length,
        };
        if self.encoding != Encoding::Utf8 && !address.is_multiple_of(2) {
            return Err(Trapped("not aligned"));
        }
        let size = length.checked_mul(if is_utf16 { 2 } else { 1 });
        let bytes = self.get(address, size.ok_or(Trapped("out of bounds"))?)?;
        let text = if is_utf16 {
            let units = bytes
                .chunks(2)
                .map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
            String::from_utf16(&units.collect::<Vec<_>>()).ok()
        } else if self.encoding == Encoding::Utf8 {
            String::from_utf8(bytes.to_vec()).ok()
        } else {
            Some(bytes.iter().map(|byte| char::from(*byte)).collect())
        };
        Ok(Val::String(text.ok_or(Trapped("not well-formed"))?))
    }

    /// Lifts a value from the first of the core values, as bits, and removes them.
    pub fn lift_flat(&self, ty: &Type, flat: &mut impl Iterator<Item = u64>) -> Loaded<Val> {
        if let Some(cases) = cases(ty) {
            let mut own: Vec<u64> = flat.take(flatten(ty).len()).collect();
            let case = own.remove(0) as u32 as usize;
            let payload = *cases.get(case).ok_or(Trapped("no such case"))?;
            let payload = payload.map(|ty| self.lift_flat(ty, &mut own.into_iter()));
            return Ok(value_of_case(ty, case, payload.transpose()?));
        }
        let mut word = || flat.next().unwrap_or(0);
        match ty {
            Type::String => {
                let (address, length) = (word() as u32, word() as u32);
                self.load_string(address, length)
            }
            Type::List(ty) => {
                let (address, length) = (word() as u32, word() as u32);
                self.load_list(ty, address, length)
            }
            Type::FixedLengthList(ty, length) => {
                let elements = (0..*length).map(|_| self.lift_flat(ty, flat));
                Ok(Val::FixedLengthList(elements.collect::<Loaded<_>>()?))
            }
            Type::Record(types) => {
                let fields = types.iter().enumerate();
                let fields = fields.map(|(index, ty)| Ok((name(index), self.lift_flat(ty, flat)?)));
                Ok(Val::Record(fields.collect::<Loaded<_>>()?))
            }
            Type::Tuple(types) => {
                let values = types.iter().map(|ty| self.lift_flat(ty, flat));
                Ok(Val::Tuple(values.collect::<Loaded<_>>()?))
            }
            _ => value_of_bits(ty, word()),
        }
    }

    /// Lifts values from core values.
    pub fn lift_flat_all(&self, types: &[Type], flat: &[u64]) -> Loaded<Vec<Val>> {
        let mut flat = flat.iter().copied();
        types
            .iter()
            .map(|ty| self.lift_flat(ty, &mut flat))
            .collect()
    }
}

/// The number of the case of a value, and its payload.
fn case_of(value: &Val) -> (usize, Option<&Val>) {
    let number = |name: &str| name[1..].parse().unwrap_or(0);
    match value {
        Val::Variant(name, payload) => (number(name), payload.as_deref()),
        Val::Enum(name) => (number(name), None),
        Val::Option(payload) => (usize::from(payload.is_some()), payload.as_deref()),
        Val::Result(Ok(payload)) => (0, payload.as_deref()),
        Val::Result(Err(payload)) => (1, payload.as_deref()),
        _ => (0, None),
    }
}

fn value_of_case(ty: &Type, case: usize, payload: Option<Val>) -> Val {
    let payload = payload.map(Box::new);
    match ty {
        Type::Enum(_) => Val::Enum(name(case)),
        Type::Option(_) => Val::Option(payload),
        Type::Result(..) if case == 0 => Val::Result(Ok(payload)),
        Type::Result(..) => Val::Result(Err(payload)),
        _ => Val::Variant(name(case), payload),
    }
}

/// The bits of a value without parts. Those of integers are extended to 32 bits, as core values are.
fn bits_of(value: &Val) -> u64 {
    let signed = |value: i32| u64::from(value as u32);
    match value {
        Val::Bool(value) => (*value).into(),
        Val::S8(value) => signed((*value).into()),
        Val::U8(value) => (*value).into(),
        Val::S16(value) => signed((*value).into()),
        Val::U16(value) => (*value).into(),
        Val::S32(value) => signed(*value),
        Val::U32(value) => (*value).into(),
        Val::S64(value) => *value as u64,
        Val::U64(value) => *value,
        Val::Float32(value) => value.to_bits().into(),
        Val::Float64(value) => value.to_bits(),
        Val::Char(value) => u32::from(*value).into(),
        Val::Flags(set) => set
            .iter()
            .map(|flag| 1_u64 << flag[1..].parse::<u32>().unwrap_or(0))
            .sum(),
        _ => 0,
    }
}

fn value_of_bits(ty: &Type, bits: u64) -> Loaded<Val> {
    Ok(match ty {
        Type::Bool => Val::Bool(bits as u32 != 0),
        Type::S8 => Val::S8(bits as i8),
        Type::U8 => Val::U8(bits as u8),
        Type::S16 => Val::S16(bits as i16),
        Type::U16 => Val::U16(bits as u16),
        Type::S32 => Val::S32(bits as i32),
        Type::U32 => Val::U32(bits as u32),
        Type::S64 => Val::S64(bits as i64),
        Type::U64 => Val::U64(bits),
        Type::F32 => Val::Float32(f32::from_bits(bits as u32)),
        Type::F64 => Val::Float64(f64::from_bits(bits)),
        Type::Char => Val::Char(char::from_u32(bits as u32).ok_or(Trapped("no character"))?),
        Type::Flags(count) => {
            let set = (0..*count).filter(|flag| bits >> flag & 1 != 0);
            Val::Flags(set.map(|flag| name(flag as usize)).collect())
        }
        _ => return Err(Trapped("no such type")),
    })
}
