//! What the harness and `script.js` say to each other: JSON, in both directions. Bytes go beside it.
//!
//! A request is `[name, [arguments…]]`: a function of `script.js` and its arguments. A response is `{ok: value}` or
//! `{error: {…}}`. Values of WebAssembly are pairs in both: see [`JsValue`].

use std::borrow::Cow;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::helper;
use crate::host::{Failure, FailureKind};
use crate::hosts::runtime;
use crate::value::{Top, Value};

/// What `script.js` answers.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Response<T> {
    Ok(T),
    Error(JsError),
}

/// An error that JavaScript caught.
#[derive(Deserialize)]
pub(super) struct JsError {
    code: Option<u16>,
    message: String,
    trap: Option<String>,
    #[serde(default)]
    exception: bool,
    /// Whether a component was running.
    #[serde(default)]
    component: bool,
}

/// A value: its kind, and the rest of it as text, since no JSON number holds all integers.
///
/// | kind | the rest |
/// |---|---|
/// | `i32`, `i64`, `f32`, `f64`, `v128` | the bits, in decimal |
/// | `null` | the type, if it is a result |
/// | `func` | |
/// | `extern`, `host` | the number of the script's `(ref.extern n)` or `(ref.host n)` |
/// | `any` | the kind of an opaque reference in the `any` hierarchy, as the helper numbers it |
/// | `object` | the type of any other opaque reference |
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct JsValue(Cow<'static, str>, String);

impl JsValue {
    /// An argument; `adapted` turns floats into integers of the same bits.
    pub(super) fn argument(value: Value, adapted: bool) -> Result<Self, Failure> {
        let (kind, rest) = match value {
            Value::I32(value) => ("i32", value.to_string()),
            Value::I64(value) => ("i64", value.to_string()),
            Value::F32(bits) if adapted => ("i32", (bits as i32).to_string()),
            Value::F64(bits) if adapted => ("i64", (bits as i64).to_string()),
            Value::F32(bits) => ("f32", bits.to_string()),
            Value::F64(bits) => ("f64", bits.to_string()),
            Value::V128(bytes) => ("v128", u128::from_le_bytes(bytes).to_string()),
            Value::Null(_) => ("null", String::new()),
            Value::Extern(Some(n)) => ("extern", n.to_string()),
            Value::Host(n) => ("host", n.to_string()),
            other => return Err(Failure::other(format!("no argument of a script: {other}"))),
        };
        Ok(Self(kind.into(), rest))
    }

    /// The value of a result. If it is a NaN, its bits are those in the call frame: JavaScript does not see them.
    pub(super) fn result(&self, frame: u128) -> Result<Value, Failure> {
        let bits_of = |value: Value, frame: Value| match (is_nan(&value), is_nan(&frame)) {
            (false, _) => Ok(value),
            (true, true) => Ok(frame),
            (true, false) => {
                let message = format!("{frame}, of which JavaScript got {value}");
                Err(Failure::other(message))
            }
        };
        match &*self.0 {
            "i32" => Ok(Value::I32(self.number()?)),
            "i64" => Ok(Value::I64(self.number()?)),
            "f32" => bits_of(Value::F32(self.number()?), Value::F32(frame as u32)),
            "f64" => bits_of(Value::F64(self.number()?), Value::F64(frame as u64)),
            "v128" => Ok(Value::V128(self.number::<u128>()?.to_le_bytes())),
            "null" => Ok(Value::Null(helper::hierarchy(&self.1))),
            "func" => Ok(Value::Func),
            "extern" => Ok(Value::Extern(Some(self.number()?))),
            "host" => Ok(Value::Host(self.number()?)),
            "any" => Ok(helper::kind(self.number()?)),
            "object" => Ok(match helper::hierarchy(&self.1) {
                Some(Top::Exn) => Value::Exn,
                _ => Value::Extern(None),
            }),
            _ => Err(Failure::other(format!("no value: {self:?}"))),
        }
    }

    fn number<T: FromStr>(&self) -> Result<T, Failure> {
        let unreadable = |_| Failure::other(format!("no value: {self:?}"));
        self.1.parse().map_err(unreadable)
    }
}

pub(super) fn is_nan(value: &Value) -> bool {
    match *value {
        Value::F32(bits) => f32::from_bits(bits).is_nan(),
        Value::F64(bits) => f64::from_bits(bits).is_nan(),
        _ => false,
    }
}

impl From<JsError> for Failure {
    fn from(error: JsError) -> Self {
        if error.exception {
            return Failure::new(FailureKind::Exception, error.message);
        }
        match error.code {
            Some(code) if error.component => {
                runtime::component_failure_of(code, error.trap.as_deref(), error.message)
            }
            Some(code) => runtime::failure_of(code, error.trap.as_deref(), error.message),
            None => Failure::other(error.message),
        }
    }
}
