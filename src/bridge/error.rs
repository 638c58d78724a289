//! The errors of the runtime as JavaScript errors.

use std::borrow::Cow;

use deno_core::serde_json;
use deno_error::{AdditionalProperties, JsErrorClass};
use serde::Serialize;

use crate::runtime::{WasmError, WasmFrame};

/// A [`WasmError`] as `ts/errors.ts` reads it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Fields<'a> {
    message: &'a str,
    code: u16,
    trap: Option<&'a str>,
    wasm_stack: Option<String>,
    frames: Option<&'a [WasmFrame]>,
    exit_code: Option<i32>,
}

/// Where an op returns a [`WasmError`], `deno_core` throws a JavaScript error of the class `WasmError`, which
/// `ts/errors.ts` has registered.
impl JsErrorClass for WasmError {
    fn get_class(&self) -> Cow<'static, str> {
        Cow::Borrowed("WasmError")
    }

    /// All fields as JSON, from which `ts/errors.ts` defines the properties of the error. `deno_core` would assign
    /// additional properties, which calls setters that a script has put on `Object.prototype`.
    fn get_message(&self) -> Cow<'static, str> {
        let fields = Fields {
            message: &self.message,
            code: self.code.code(),
            trap: self.trap,
            wasm_stack: self.wasm_stack(),
            frames: (!self.frames.is_empty()).then_some(&self.frames),
            exit_code: self.exit_code,
        };
        // Strings and numbers can always be written.
        Cow::Owned(serde_json::to_string(&fields).unwrap_or_default())
    }

    fn get_additional_properties(&self) -> AdditionalProperties {
        Box::new(std::iter::empty())
    }

    fn get_ref(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
        self
    }
}

/// A description as JSON. Accessors on JavaScript's prototypes cannot interfere with JSON.
pub(super) fn to_json(value: &impl Serialize) -> String {
    // Serialization fails only for maps whose keys are no strings.
    serde_json::to_string(value).unwrap_or_default()
}
