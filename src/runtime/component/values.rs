//! Checks of values before they go to a component. A value that does not fit would end the instance.

use wasmtime::component::Val;

use super::types::{FunctionType, Interface, TypeIndex, ValueType};
use crate::runtime::base::error::WasmError;
use crate::runtime::base::text;

/// Checks the arguments of a function.
///
/// # Errors
/// `TypeMismatch` if their number is wrong, or one does not fit its type.
pub(crate) fn check_arguments(
    interface: &Interface,
    function: &FunctionType,
    args: &[Val],
) -> Result<(), WasmError> {
    if args.len() != function.params.len() {
        return Err(WasmError::mismatch(format!(
            "the function takes {} arguments, got {}",
            function.params.len(),
            args.len()
        )));
    }
    for ((name, ty), arg) in function.params.iter().zip(args) {
        check(interface, *ty, arg)
            .map_err(|error| WasmError::mismatch(format!("{}: {error}", text::quote(name))))?;
    }
    Ok(())
}

/// Checks the results of a function of the host.
///
/// # Errors
/// `TypeMismatch` if their number is wrong, or one does not fit its type.
pub(crate) fn check_results(
    interface: &Interface,
    function: &FunctionType,
    results: &[Val],
) -> Result<(), WasmError> {
    let expected = function.result.as_slice();
    if results.len() != expected.len() {
        return Err(WasmError::mismatch(format!(
            "a function of the host has {} results, and returned {}",
            expected.len(),
            results.len()
        )));
    }
    for (ty, result) in expected.iter().zip(results) {
        check(interface, *ty, result)
            .map_err(|error| WasmError::mismatch(format!("the result: {error}")))?;
    }
    Ok(())
}

/// The reason why a value does not fit.
struct Misfit(String);

impl std::fmt::Display for Misfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Checks that a value is of a type. A value nests no deeper than its type, which the validator bounds.
fn check(interface: &Interface, ty: TypeIndex, value: &Val) -> Result<(), Misfit> {
    let all = |values: &[Val], element: TypeIndex| {
        let mut values = values.iter();
        values.try_for_each(|value| check(interface, element, value))
    };
    match (interface.ty(ty), value) {
        (ValueType::Bool, Val::Bool(_))
        | (ValueType::S8, Val::S8(_))
        | (ValueType::U8, Val::U8(_))
        | (ValueType::S16, Val::S16(_))
        | (ValueType::U16, Val::U16(_))
        | (ValueType::S32, Val::S32(_))
        | (
            ValueType::U32
            | ValueType::Own { .. }
            | ValueType::Borrow { .. }
            | ValueType::Future { .. }
            | ValueType::Stream { .. },
            Val::U32(_),
        )
        | (ValueType::S64, Val::S64(_))
        | (ValueType::U64, Val::U64(_))
        | (ValueType::F32, Val::Float32(_))
        | (ValueType::F64, Val::Float64(_))
        | (ValueType::Char, Val::Char(_))
        | (ValueType::String, Val::String(_)) => Ok(()),
        (ValueType::List { element }, Val::List(values)) => all(values, *element),
        (ValueType::FixedLengthList { element, length }, Val::FixedLengthList(values)) => {
            if values.len() != *length as usize {
                let found = values.len();
                return Err(Misfit(format!("a list of {length} elements has {found}")));
            }
            all(values, *element)
        }
        (ValueType::Map { key, value }, Val::Map(pairs)) => {
            pairs.iter().try_for_each(|(own_key, own_value)| {
                check(interface, *key, own_key)?;
                check(interface, *value, own_value)
            })
        }
        (ValueType::Record { fields }, Val::Record(values)) => {
            if values.len() != fields.len() {
                return Err(Misfit(format!("a record has {} fields", fields.len())));
            }
            let mut pairs = fields.iter().zip(values);
            pairs.try_for_each(
                |((name, ty), (own_name, value))| match **name == **own_name {
                    true => check(interface, *ty, value),
                    false => Err(Misfit(format!("no field {}", text::quote(name)))),
                },
            )
        }
        (ValueType::Tuple { types }, Val::Tuple(values)) => {
            if values.len() != types.len() {
                return Err(Misfit(format!("a tuple has {} elements", types.len())));
            }
            let mut pairs = types.iter().zip(values);
            pairs.try_for_each(|(ty, value)| check(interface, *ty, value))
        }
        (ValueType::Variant { cases }, Val::Variant(name, value)) => {
            let case = cases.iter().find(|(case, _)| **case == **name);
            match case {
                Some((_, ty)) => check_optional(interface, *ty, value.as_deref()),
                None => Err(no_case(name)),
            }
        }
        (ValueType::Enum { names }, Val::Enum(name)) => {
            match names.iter().any(|own| **own == **name) {
                true => Ok(()),
                false => Err(no_case(name)),
            }
        }
        (ValueType::Flags { names }, Val::Flags(set)) => {
            let unknown = set
                .iter()
                .find(|name| !names.iter().any(|own| **own == ***name));
            match unknown {
                None => Ok(()),
                Some(name) => Err(Misfit(format!("no flag {}", text::quote(name)))),
            }
        }
        (ValueType::Option { some }, Val::Option(value)) => match value {
            Some(value) => check(interface, *some, value),
            None => Ok(()),
        },
        (ValueType::Result { ok, .. }, Val::Result(Ok(value))) => {
            check_optional(interface, *ok, value.as_deref())
        }
        (ValueType::Result { err, .. }, Val::Result(Err(value))) => {
            check_optional(interface, *err, value.as_deref())
        }
        (expected, _) => Err(Misfit(format!(
            "expected a value of type {}",
            expected.name()
        ))),
    }
}

fn check_optional(
    interface: &Interface,
    ty: Option<TypeIndex>,
    value: Option<&Val>,
) -> Result<(), Misfit> {
    match (ty, value) {
        (Some(ty), Some(value)) => check(interface, ty, value),
        (None, None) => Ok(()),
        (Some(_), None) => Err(Misfit("a case without its value".to_owned())),
        (None, Some(_)) => Err(Misfit("a value for a case without one".to_owned())),
    }
}

fn no_case(name: &str) -> Misfit {
    Misfit(format!("no case {}", text::quote(name)))
}
