//! Random types of component values, and values of them.

use arbitrary::{Result, Unstructured};
use ext_wasm::wasmtime::component::Val;

/// A type of values that the codec knows.
#[derive(Clone, Debug, PartialEq)]
pub enum Type {
    Bool,
    S8,
    U8,
    S16,
    U16,
    S32,
    U32,
    S64,
    U64,
    F32,
    F64,
    Char,
    String,
    List(Box<Self>),
    FixedLengthList(Box<Self>, u32),
    Record(Vec<Self>),
    Tuple(Vec<Self>),
    Variant(Vec<Option<Self>>),
    Enum(u32),
    Flags(u32),
    Option(Box<Self>),
    Result(Option<Box<Self>>, Option<Box<Self>>),
}

/// The types without parts that lists of numbers, and everything else, are made of.
const SCALARS: [Type; 13] = [
    Type::U8,
    Type::Bool,
    Type::S8,
    Type::S16,
    Type::U16,
    Type::S32,
    Type::U32,
    Type::S64,
    Type::U64,
    Type::F32,
    Type::F64,
    Type::Char,
    Type::String,
];

/// The most elements of a random list.
const MAX_ELEMENTS: usize = 5;

/// The name of a field or case.
pub fn name(index: usize) -> String {
    format!("n{index}")
}

impl Type {
    /// A random type that nests up to so many levels deep.
    pub fn random(data: &mut Unstructured<'_>, depth: u32) -> Result<Self> {
        if depth == 0 || data.ratio(1, 4)? {
            return Ok(data.choose(&SCALARS)?.clone());
        }
        let random = |data: &mut Unstructured<'_>| Self::random(data, depth - 1);
        let boxed = |data: &mut Unstructured<'_>| random(data).map(Box::new);
        let optional = |data: &mut Unstructured<'_>| match data.ratio(2, 3)? {
            true => random(data).map(Some),
            false => Ok(None),
        };
        Ok(match data.int_in_range(0..=9)? {
            0 | 1 => Self::List(boxed(data)?),
            2 => Self::FixedLengthList(boxed(data)?, data.int_in_range(1..=4)?),
            3 => Self::Record(many(data, 1..=5, random)?),
            4 => Self::Tuple(many(data, 1..=4, random)?),
            5 => Self::Variant(many(data, 1..=5, optional)?),
            // Some have discriminants of two bytes.
            6 => Self::Enum(*data.choose(&[1, 2, 3, 255, 256, 257, 300])?),
            7 => Self::Flags(*data.choose(&[1, 2, 7, 8, 9, 15, 16, 17, 26, 31, 32])?),
            8 => Self::Option(boxed(data)?),
            _ => {
                let ok = optional(data)?.map(Box::new);
                Self::Result(ok, optional(data)?.map(Box::new))
            }
        })
    }

    /// A random value of the type.
    pub fn value(&self, data: &mut Unstructured<'_>) -> Result<Val> {
        let boxed = |ty: &Option<Box<Self>>, data: &mut Unstructured<'_>| {
            let value = ty.as_ref().map(|ty| ty.value(data));
            Ok(value.transpose()?.map(Box::new))
        };
        Ok(match self {
            Self::Bool => Val::Bool(data.arbitrary()?),
            Self::S8 => Val::S8(data.arbitrary()?),
            Self::U8 => Val::U8(data.arbitrary()?),
            Self::S16 => Val::S16(data.arbitrary()?),
            Self::U16 => Val::U16(data.arbitrary()?),
            Self::S32 => Val::S32(data.arbitrary()?),
            Self::U32 => Val::U32(data.arbitrary()?),
            Self::S64 => Val::S64(data.arbitrary()?),
            Self::U64 => Val::U64(data.arbitrary()?),
            Self::F32 => Val::Float32(data.arbitrary()?),
            Self::F64 => Val::Float64(data.arbitrary()?),
            Self::Char => Val::Char(data.arbitrary()?),
            Self::String => {
                // Characters of one to four bytes in UTF-8, with a byte order mark, and some that are not Latin-1.
                let characters = ['a', '\0', '\u{e9}', '\u{3b1}', '\u{feff}', '\u{1f980}'];
                let text = many(data, 0..=MAX_ELEMENTS, |data| {
                    data.choose(&characters).copied()
                })?;
                Val::String(text.into_iter().collect())
            }
            Self::List(ty) => Val::List(many(data, 0..=MAX_ELEMENTS, |data| ty.value(data))?),
            Self::FixedLengthList(ty, length) => {
                let values = (0..*length).map(|_| ty.value(data));
                Val::FixedLengthList(values.collect::<Result<_>>()?)
            }
            Self::Record(types) => {
                let fields = types.iter().enumerate();
                let fields = fields.map(|(index, ty)| Ok((name(index), ty.value(data)?)));
                Val::Record(fields.collect::<Result<_>>()?)
            }
            Self::Tuple(types) => {
                let values = types.iter().map(|ty| ty.value(data));
                Val::Tuple(values.collect::<Result<_>>()?)
            }
            Self::Variant(cases) => {
                let case = data.choose_index(cases.len())?;
                let value = cases[case].as_ref().map(|ty| ty.value(data));
                Val::Variant(name(case), value.transpose()?.map(Box::new))
            }
            Self::Enum(count) => Val::Enum(name(data.choose_index(*count as usize)?)),
            Self::Flags(count) => {
                let bits: u32 = data.arbitrary()?;
                let set = (0..*count).filter(|flag| bits >> flag & 1 != 0);
                Val::Flags(set.map(|flag| name(flag as usize)).collect())
            }
            Self::Option(ty) => match data.arbitrary()? {
                true => Val::Option(Some(Box::new(ty.value(data)?))),
                false => Val::Option(None),
            },
            Self::Result(ok, err) => Val::Result(match data.arbitrary()? {
                true => Ok(boxed(ok, data)?),
                false => Err(boxed(err, data)?),
            }),
        })
    }

    /// The type in the text format. Adds definitions to `names`: types that need a name have one there.
    pub fn text(&self, names: &mut Vec<String>) -> String {
        let case = |(index, ty): (usize, &Option<Self>), names: &mut Vec<String>| {
            let payload = ty.as_ref().map_or(String::new(), |ty| ty.text(names));
            format!("(case \"{}\" {payload})", name(index))
        };
        let labels = |count: u32| -> String {
            (0..count as usize)
                .map(|index| format!(" \"{}\"", name(index)))
                .collect()
        };
        let plain = match self {
            Self::Bool => "bool",
            Self::S8 => "s8",
            Self::U8 => "u8",
            Self::S16 => "s16",
            Self::U16 => "u16",
            Self::S32 => "s32",
            Self::U32 => "u32",
            Self::S64 => "s64",
            Self::U64 => "u64",
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::Char => "char",
            Self::String => "string",
            Self::List(ty) => return format!("(list {})", ty.text(names)),
            Self::FixedLengthList(ty, length) => {
                return format!("(list {} {length})", ty.text(names));
            }
            Self::Tuple(types) => {
                let types: Vec<String> = types.iter().map(|ty| ty.text(names)).collect();
                return format!("(tuple {})", types.join(" "));
            }
            Self::Option(ty) => return format!("(option {})", ty.text(names)),
            Self::Result(ok, err) => {
                let ok = ok.as_ref().map_or(String::new(), |ty| ty.text(names));
                let err = err.as_ref().map(|ty| format!("(error {})", ty.text(names)));
                return format!("(result {ok} {})", err.unwrap_or_default());
            }
            Self::Record(types) => {
                let fields = types.iter().enumerate();
                let fields: Vec<String> = fields
                    .map(|(index, ty)| format!("(field \"{}\" {})", name(index), ty.text(names)))
                    .collect();
                return named(format!("(record {})", fields.join(" ")), names);
            }
            Self::Variant(cases) => {
                let cases = cases.iter().enumerate();
                let cases: Vec<String> = cases.map(|one| case(one, names)).collect();
                return named(format!("(variant {})", cases.join(" ")), names);
            }
            Self::Enum(count) => return named(format!("(enum {})", labels(*count)), names),
            Self::Flags(count) => return named(format!("(flags {})", labels(*count)), names),
        };
        plain.to_owned()
    }
}

/// Adds a definition of a type that needs a name. An import gives it one. Returns its identifier.
fn named(definition: String, names: &mut Vec<String>) -> String {
    let number = names.len();
    names.push(format!(
        "(type $d{number} {definition}) (import \"t{number}\" (type $t{number} (eq $d{number})))\n"
    ));
    format!("$t{number}")
}

/// A random number of random items.
pub fn many<T>(
    data: &mut Unstructured<'_>,
    range: std::ops::RangeInclusive<usize>,
    mut random: impl FnMut(&mut Unstructured<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let count = data.int_in_range(range)?;
    (0..count).map(|_| random(data)).collect()
}
