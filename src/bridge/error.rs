//! The runtime's errors, as JavaScript sees them.

use std::borrow::Cow;

use deno_core::serde_json;
use deno_error::{AdditionalProperties, JsErrorClass};
use serde::Serialize;

use crate::runtime::WasmError;

/// A [`WasmError`] as `ts/errors.ts` reads it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Fields<'a> {
    message: &'a str,
    code: u16,
    trap: Option<&'a str>,
    wasm_stack: Option<&'a str>,
    exit_code: Option<i32>,
}

/// `deno_core` makes a JavaScript error of class `WasmError` of this, in any op that returns one, where the
/// extension has registered that class.
impl JsErrorClass for WasmError {
    fn get_class(&self) -> Cow<'static, str> {
        Cow::Borrowed("WasmError")
    }

    /// All fields as JSON. `deno_core` assigns additional properties to an error, which calls the setters
    /// that a script has put on `Object.prototype`; what reads this JSON defines them.
    fn get_message(&self) -> Cow<'static, str> {
        let fields = Fields {
            message: &self.message,
            code: self.code.code(),
            trap: self.trap,
            wasm_stack: self.wasm_stack.as_deref(),
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

/// A description of something as JSON, which no accessor on a prototype of JavaScript's gets to see.
pub fn to_json(value: &impl Serialize) -> String {
    // The types that are described have strings for keys.
    serde_json::to_string(value).unwrap_or_default()
}
