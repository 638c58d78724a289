//! The names of guests in the JavaScript of ES modules.
//!
//! A guest chooses the names of its imports and exports, and the specifiers that it imports from. None of them may end
//! its string literal, here and in the texts that QuickJS's backend makes of a module: it looks for imports without a
//! parser.

use std::fmt::Write;

use deno_core::ModuleSpecifier;

use crate::runtime::{ImportInfo, WasmError, WasmModule, quote};

/// The modules that `host:wasm` itself provides to ES modules: `ts/webassembly/es_modules.ts`.
const PROVIDED: [&str; 2] = ["wasm:js-string", "wasm:js/string-constants"];

/// Whether `host:wasm` itself provides a module.
pub(super) fn is_provided(module: &str) -> bool {
    PROVIDED.contains(&module)
}

/// A string literal with this value. All characters but letters, digits and `_` of ASCII are escaped, and `f` too:
/// QuickJS's backend looks for `from`, also in strings.
pub(super) fn literal(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push('"');
    for unit in text.encode_utf16() {
        match u8::try_from(unit).map(char::from) {
            Ok(c) if (c.is_ascii_alphanumeric() || c == '_') && c != 'f' => literal.push(c),
            _ => {
                let _ = write!(literal, "\\u{unit:04x}");
            }
        }
    }
    literal.push('"');
    literal
}

/// The specifier for the name of a module that the module at the URL `own` imports from, as it stands in a string
/// literal.
///
/// # Errors
/// `InstantiateError` if a guest may not import from it, or it cannot be a specifier.
pub(super) fn specifier(name: &str, own: &ModuleSpecifier) -> Result<String, WasmError> {
    if !is_plain(name) {
        return Err(WasmError::instantiate(format!(
            "{} cannot be the specifier of an import: it is empty, or has a quote, a backslash or a control character",
            quote(name)
        )));
    }
    // As in a URL.
    let specifier = name.replace(' ', "%20");
    match ModuleSpecifier::parse(&specifier) {
        Ok(url) if !may_import(&url, own) => Err(WasmError::instantiate(format!(
            "{} is a URL that a guest may not import from: its scheme is not the scheme of the guest",
            quote(name)
        ))),
        _ => Ok(specifier),
    }
}

/// Whether a text can stand in a string literal as it is. Specifiers are not escaped: QuickJS's backend does not
/// read escapes there.
pub(super) fn is_plain(specifier: &str) -> bool {
    let is_refused =
        |c: char| c.is_control() || matches!(c, '"' | '\'' | '`' | '\\' | '\u{2028}' | '\u{2029}');
    !specifier.is_empty() && !specifier.contains(is_refused)
}

/// Whether a guest may name the URL of a module that it imports from. With `data:` it could bring its own JavaScript,
/// and other schemes have the functions of the host: `host:wasm` for example.
fn may_import(url: &ModuleSpecifier, own: &ModuleSpecifier) -> bool {
    url.scheme() == own.scheme() && !matches!(url.scheme(), "data" | "blob")
}

/// Checks that no import and no export has a name that is kept for JavaScript engines.
///
/// # Errors
/// `InstantiateError` if one has.
pub(super) fn check_names(module: &WasmModule) -> Result<(), WasmError> {
    let is_reserved = |name: &str| name.starts_with("wasm:") || name.starts_with("wasm-js:");
    for ImportInfo { module, name, .. } in &*module.imports {
        if module.starts_with("wasm-js:") {
            return Err(reserved("the name of an imported module", module));
        }
        // The names of string constants are the strings.
        if !is_provided(module) && is_reserved(name) {
            return Err(reserved("the name of an import", name));
        }
    }
    match module
        .exports
        .iter()
        .find(|export| is_reserved(&export.name))
    {
        Some(export) => Err(reserved("the name of an export", &export.name)),
        None => Ok(()),
    }
}

fn reserved(what: &str, name: &str) -> WasmError {
    WasmError::instantiate(format!("{what} is {}, which is reserved", quote(name)))
}
