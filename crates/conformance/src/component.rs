//! The values that go into and come out of components.

use std::fmt::{self, Write as _};

use json_from_wast::{ComponentConst, Const, CoreConst, IntString};
use serde::{Deserialize, Serialize};
use wasmtime::component::Val;

/// A value in the form in which JavaScript has it. Some types have the same form, so a script's constant tells which form
/// it expects.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "value")]
pub enum ComponentValue {
    Undefined,
    Bool(bool),
    /// A number of JavaScript's: the bits of a double, in decimal.
    Number(String),
    /// A `bigint` of JavaScript's, in decimal.
    Integer(String),
    /// The bits of an `f32`, which no JavaScript number carries for a NaN.
    F32(u32),
    /// A string, a character, or the name of a case.
    String(String),
    List(Vec<ComponentValue>),
    /// Fields by name, in lowerCamelCase.
    Object(Vec<(String, ComponentValue)>),
    Map(Vec<(ComponentValue, ComponentValue)>),
    /// A value that no script expects.
    Other(String),
}

impl ComponentValue {
    fn number(value: f64) -> Self {
        Self::Number(value.to_bits().to_string())
    }

    /// The double that a number is.
    fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Number(bits) => Some(f64::from_bits(bits.parse().ok()?)),
            Self::F32(bits) => Some(f64::from(f32::from_bits(*bits))),
            _ => None,
        }
    }

    fn tagged(tag: &str, value: Option<Self>) -> Self {
        let tag = ("tag".to_owned(), Self::String(tag.to_owned()));
        let value = value.map(|value| ("val".to_owned(), value));
        Self::Object([tag].into_iter().chain(value).collect())
    }

    fn field(&self, name: &str) -> Option<&Self> {
        let Self::Object(fields) = self else {
            return None;
        };
        let found = fields.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value)
    }
}

/// A name of WIT in lowerCamelCase.
fn camel_case(name: &str) -> String {
    let mut words = name.split('-').map(str::to_ascii_lowercase);
    let first = words.next().unwrap_or_default();
    words.fold(first, |mut name, word| {
        let (start, rest) = word.split_at(word.len().min(1));
        name += &start.to_ascii_uppercase();
        name + rest
    })
}

/// A constant of a script.
pub enum Constant<'c, 'a> {
    Script(&'c ComponentConst<'a>),
    Own(ComponentConst<'static>),
}

impl<'a> Constant<'_, 'a> {
    /// The constant itself.
    pub fn get(&self) -> &ComponentConst<'a> {
        match self {
            Self::Script(constant) => constant,
            Self::Own(constant) => constant,
        }
    }
}

/// The constant of a component's value; `None` for one of core WebAssembly. Floats are written alike in both.
pub fn constant<'c, 'a>(constant: &'c Const<'a>) -> Option<Constant<'c, 'a>> {
    let float = |value| Some(Constant::Own(value));
    match constant {
        Const::Component(constant) => Some(Constant::Script(constant)),
        Const::Core(CoreConst::F32 { value }) => {
            float(ComponentConst::F32(IntString(value.to_bits())))
        }
        Const::Core(CoreConst::F64 { value }) => {
            float(ComponentConst::F64(IntString(value.to_bits())))
        }
        Const::Core(_) => None,
    }
}

/// The value of wasmtime's for an argument.
pub fn to_val(constant: &ComponentConst<'_>) -> Val {
    let all = |values: &[ComponentConst<'_>]| values.iter().map(to_val).collect();
    let boxed = |value: &Option<Box<ComponentConst<'_>>>| {
        value.as_ref().map(|value| Box::new(to_val(value)))
    };
    match constant {
        ComponentConst::String(value) => Val::String(value.to_string()),
        ComponentConst::Char(value) => Val::Char(*value),
        ComponentConst::Bool(value) => Val::Bool(*value),
        ComponentConst::U8(value) => Val::U8(value.0),
        ComponentConst::S8(value) => Val::S8(value.0),
        ComponentConst::U16(value) => Val::U16(value.0),
        ComponentConst::S16(value) => Val::S16(value.0),
        ComponentConst::U32(value) => Val::U32(value.0),
        ComponentConst::S32(value) => Val::S32(value.0),
        ComponentConst::U64(value) => Val::U64(value.0),
        ComponentConst::S64(value) => Val::S64(value.0),
        ComponentConst::F32(bits) => Val::Float32(f32::from_bits(bits.0)),
        ComponentConst::F64(bits) => Val::Float64(f64::from_bits(bits.0)),
        ComponentConst::List(values) => Val::List(all(values)),
        ComponentConst::Tuple(values) => Val::Tuple(all(values)),
        ComponentConst::Record(fields) => {
            let fields = fields.iter();
            Val::Record(
                fields
                    .map(|(name, value)| (name.to_string(), to_val(value)))
                    .collect(),
            )
        }
        ComponentConst::Variant { case, payload } => Val::Variant(case.to_string(), boxed(payload)),
        ComponentConst::Enum(name) => Val::Enum(name.to_string()),
        ComponentConst::Option(value) => Val::Option(boxed(value)),
        ComponentConst::Result(Ok(value)) => Val::Result(Ok(boxed(value))),
        ComponentConst::Result(Err(value)) => Val::Result(Err(boxed(value))),
        ComponentConst::Flags(names) => {
            Val::Flags(names.iter().map(|name| name.to_string()).collect())
        }
    }
}

/// A value of wasmtime's in the form that JavaScript has.
pub fn from_val(value: &Val) -> ComponentValue {
    let integer = |value: i128| ComponentValue::Integer(value.to_string());
    let all = |values: &[Val]| ComponentValue::List(values.iter().map(from_val).collect());
    let held = |value: &Option<Box<Val>>| value.as_deref().map(from_val);
    match value {
        Val::Bool(value) => ComponentValue::Bool(*value),
        Val::S8(value) => ComponentValue::number((*value).into()),
        Val::U8(value) => ComponentValue::number((*value).into()),
        Val::S16(value) => ComponentValue::number((*value).into()),
        Val::U16(value) => ComponentValue::number((*value).into()),
        Val::S32(value) => ComponentValue::number((*value).into()),
        Val::U32(value) => ComponentValue::number((*value).into()),
        Val::S64(value) => integer((*value).into()),
        Val::U64(value) => integer((*value).into()),
        Val::Float32(value) => ComponentValue::F32(value.to_bits()),
        Val::Float64(value) => ComponentValue::number(*value),
        Val::Char(value) => ComponentValue::String(value.to_string()),
        Val::String(value) | Val::Enum(value) => ComponentValue::String(value.clone()),
        Val::List(values) | Val::FixedLengthList(values) | Val::Tuple(values) => all(values),
        Val::Map(pairs) => {
            let pairs = pairs.iter();
            ComponentValue::Map(
                pairs
                    .map(|(key, value)| (from_val(key), from_val(value)))
                    .collect(),
            )
        }
        Val::Record(fields) => {
            let fields = fields.iter();
            let fields = fields.map(|(name, value)| (camel_case(name), from_val(value)));
            ComponentValue::Object(fields.collect())
        }
        Val::Variant(name, value) => ComponentValue::tagged(name, held(value)),
        Val::Option(None) => ComponentValue::Undefined,
        Val::Option(Some(value)) => match &**value {
            Val::Option(_) => ComponentValue::tagged("some", Some(from_val(value))),
            value => from_val(value),
        },
        Val::Result(Ok(value)) => ComponentValue::tagged("ok", held(value)),
        Val::Result(Err(value)) => ComponentValue::tagged("err", held(value)),
        Val::Flags(names) => {
            let set = names.iter();
            let set = set.map(|name| (camel_case(name), ComponentValue::Bool(true)));
            ComponentValue::Object(set.collect())
        }
        other => ComponentValue::Other(format!("{other:?}")),
    }
}

/// An argument in the form that JavaScript has.
pub fn argument(constant: &ComponentConst<'_>) -> ComponentValue {
    match to_val(constant) {
        // JavaScript has numbers for these.
        Val::Float32(value) => ComponentValue::number(value.into()),
        _ => match constant {
            ComponentConst::List(values) | ComponentConst::Tuple(values) => {
                ComponentValue::List(values.iter().map(argument).collect())
            }
            ComponentConst::Record(fields) => {
                let fields = fields.iter();
                let fields = fields.map(|(name, value)| (camel_case(name), argument(value)));
                ComponentValue::Object(fields.collect())
            }
            ComponentConst::Variant { case, payload } => {
                ComponentValue::tagged(case, payload.as_deref().map(argument))
            }
            ComponentConst::Option(Some(value)) => match &**value {
                ComponentConst::Option(_) => ComponentValue::tagged("some", Some(argument(value))),
                value => argument(value),
            },
            ComponentConst::Result(Ok(value)) => {
                ComponentValue::tagged("ok", value.as_deref().map(argument))
            }
            ComponentConst::Result(Err(value)) => {
                ComponentValue::tagged("err", value.as_deref().map(argument))
            }
            constant => from_val(&to_val(constant)),
        },
    }
}

/// Whether a value is the one that a script expects.
pub fn matches(actual: &ComponentValue, expected: &ComponentConst<'_>) -> bool {
    use ComponentConst as C;

    let number = |expected: f64| *actual == ComponentValue::number(expected);
    let integer = |expected: i128| *actual == ComponentValue::Integer(expected.to_string());
    let is_string = |expected: &str| *actual == ComponentValue::String(expected.to_owned());
    let is_tagged = |tag: &str, value: Option<&C<'_>>| {
        let has_tag = actual.field("tag") == Some(&ComponentValue::String(tag.to_owned()));
        has_tag
            && match (actual.field("val"), value) {
                (Some(actual), Some(expected)) => matches(actual, expected),
                (actual, expected) => actual.is_none() && expected.is_none(),
            }
    };
    match expected {
        C::String(expected) | C::Enum(expected) => is_string(expected),
        C::Char(expected) => is_string(&expected.to_string()),
        C::Bool(expected) => *actual == ComponentValue::Bool(*expected),
        C::U8(expected) => number(expected.0.into()),
        C::S8(expected) => number(expected.0.into()),
        C::U16(expected) => number(expected.0.into()),
        C::S16(expected) => number(expected.0.into()),
        C::U32(expected) => number(expected.0.into()),
        C::S32(expected) => number(expected.0.into()),
        C::U64(expected) => integer(expected.0.into()),
        C::S64(expected) => integer(expected.0.into()),
        C::F32(bits) => actual.as_f64().is_some_and(|actual| {
            let (actual, expected) = (actual as f32, f32::from_bits(bits.0));
            actual.to_bits() == expected.to_bits() || (actual.is_nan() && expected.is_nan())
        }),
        C::F64(bits) => actual.as_f64().is_some_and(|actual| {
            let expected = f64::from_bits(bits.0);
            actual.to_bits() == expected.to_bits() || (actual.is_nan() && expected.is_nan())
        }),
        C::List(expected) | C::Tuple(expected) => {
            let ComponentValue::List(actual) = actual else {
                return false;
            };
            let mut pairs = actual.iter().zip(expected);
            actual.len() == expected.len()
                && pairs.all(|(actual, expected)| matches(actual, expected))
        }
        C::Record(fields) => {
            let ComponentValue::Object(own) = actual else {
                return false;
            };
            let mut wanted = fields.iter();
            own.len() == fields.len()
                && wanted.all(|(name, expected)| {
                    let own = actual.field(&camel_case(name));
                    own.is_some_and(|own| matches(own, expected))
                })
        }
        C::Variant { case, payload } => is_tagged(case, payload.as_deref()),
        C::Option(None) => *actual == ComponentValue::Undefined,
        C::Option(Some(expected)) => match &**expected {
            C::Option(_) => is_tagged("some", Some(expected)),
            expected => matches(actual, expected),
        },
        C::Result(Ok(expected)) => is_tagged("ok", expected.as_deref()),
        C::Result(Err(expected)) => is_tagged("err", expected.as_deref()),
        C::Flags(names) => {
            let ComponentValue::Object(fields) = actual else {
                return false;
            };
            let set = fields
                .iter()
                .filter(|(_, set)| *set == ComponentValue::Bool(true));
            let mut set: Vec<&str> = set.map(|(name, _)| name.as_str()).collect();
            let mut names: Vec<String> = names.iter().map(|name| camel_case(name)).collect();
            set.sort_unstable();
            names.sort_unstable();
            set == names
        }
    }
}

impl fmt::Display for ComponentValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Undefined => f.write_str("undefined"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(_) | Self::F32(_) => match self.as_f64() {
                Some(value) => write!(f, "{value}"),
                None => f.write_str("no number"),
            },
            Self::Integer(value) => f.write_str(value),
            Self::String(value) => write!(f, "{value:?}"),
            Self::List(values) => {
                f.write_char('[')?;
                for (i, value) in values.iter().enumerate() {
                    write!(f, "{}{value}", if i == 0 { "" } else { ", " })?;
                }
                f.write_char(']')
            }
            Self::Object(fields) => {
                f.write_char('{')?;
                for (i, (name, value)) in fields.iter().enumerate() {
                    write!(f, "{}{name}: {value}", if i == 0 { "" } else { ", " })?;
                }
                f.write_char('}')
            }
            Self::Map(pairs) => {
                f.write_str("Map {")?;
                for (i, (key, value)) in pairs.iter().enumerate() {
                    write!(f, "{}{key} => {value}", if i == 0 { "" } else { ", " })?;
                }
                f.write_char('}')
            }
            Self::Other(value) => f.write_str(value),
        }
    }
}

/// A constant, for reports.
pub fn show(constant: &ComponentConst<'_>) -> String {
    from_val(&to_val(constant)).to_string()
}
