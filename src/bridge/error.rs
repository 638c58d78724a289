//! The runtime's errors, as JavaScript sees them.

use std::borrow::Cow;

use deno_error::{AdditionalProperties, JsErrorClass, PropertyValue};

use crate::runtime::WasmError;

impl JsErrorClass for WasmError {
    fn get_class(&self) -> Cow<'static, str> {
        Cow::Borrowed("WasmError")
    }

    fn get_message(&self) -> Cow<'static, str> {
        Cow::Owned(self.message.clone())
    }

    fn get_additional_properties(&self) -> AdditionalProperties {
        let text = |name: &'static str, value: Option<String>| {
            value.map(|value| {
                (
                    Cow::Borrowed(name),
                    PropertyValue::String(Cow::Owned(value)),
                )
            })
        };
        let code = PropertyValue::Number(self.code.code().into());
        Box::new(
            [
                Some((Cow::Borrowed("code"), code)),
                text("kind", Some(self.code.kind().to_owned())),
                text("trap", self.trap.map(str::to_owned)),
                text("wasmStack", self.wasm_stack.clone()),
                self.exit_code.map(|code| {
                    (
                        Cow::Borrowed("exitCode"),
                        PropertyValue::Number(code.into()),
                    )
                }),
            ]
            .into_iter()
            .flatten(),
        )
    }

    fn get_ref(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
        self
    }
}
