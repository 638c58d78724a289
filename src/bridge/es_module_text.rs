//! The JavaScript of ES modules that stand for WebAssembly modules.
//!
//! A guest chooses the names of its imports and exports, and the specifiers that it imports from. None of them may end
//! its string literal, here and in the texts that QuickJS's backend makes of a module: it looks for imports without a
//! parser.

use std::collections::HashMap;
use std::fmt::Write;

use deno_core::ModuleSpecifier;

use crate::runtime::{ExportInfo, ExternInfo, ImportInfo, WasmError, WasmModule, quote};

/// The modules that `host:wasm` itself provides to ES modules: `ts/webassembly/es_modules.ts`.
const PROVIDED: [&str; 2] = ["wasm:js-string", "wasm:js/string-constants"];

/// The most bytes of a URL that a module imports itself by. A `data:` URL may have megabytes.
const MAX_OWN_URL: usize = 4096;

/// The JavaScript whose default export is the module with this number.
pub(super) fn source_phase(number: u32) -> String {
    format!(
        "import {{ esModuleSource }} from \"host:wasm\";\nexport default esModuleSource({number});\n"
    )
}

/// The JavaScript whose exports are the exports of an instance.
pub(super) struct InstancePhase {
    imports: String,
    /// The arguments of `linkEsModule` after the number.
    arguments: String,
    exports: String,
}

impl InstancePhase {
    /// The text for the module with this number.
    pub(super) fn with_number(&self, number: u32) -> String {
        let Self {
            imports,
            arguments,
            exports,
        } = self;
        format!(
            "import {{ linkEsModule }} from \"host:wasm\";\n{imports}\
             const bindings = linkEsModule({number}, {arguments});\n{exports}"
        )
    }
}

/// The JavaScript of the ES module for an instance of a module.
///
/// # Errors
/// `CompileError` if it imports from a name that cannot be a specifier.
pub(super) fn instance_phase(
    specifier: &ModuleSpecifier,
    module: &WasmModule,
) -> Result<InstancePhase, WasmError> {
    let mut imports = String::new();
    let (values, namespaces) = write_imports(&mut imports, &module.imports)?;
    // By its namespace, other modules find the globals of this one: its exports are their values.
    let own = match specifier.as_str().len() <= MAX_OWN_URL {
        true => {
            let _ = writeln!(imports, "import * as own from \"{specifier}\";");
            "own"
        }
        false => "undefined",
    };
    let set = setter(&module.exports);
    Ok(InstancePhase {
        imports,
        arguments: format!("{own}, {values}, {namespaces}, {set}"),
        exports: exports(&module.exports),
    })
}

/// Writes the import declarations. Returns the list of functions that read the imported bindings, and the list of
/// namespaces that imported globals come from.
fn write_imports(text: &mut String, imports: &[ImportInfo]) -> Result<(String, String), WasmError> {
    let mut values = String::from("[\n");
    let mut namespaces = String::from("[\n");
    let mut has_namespaces = false;
    let mut by_module = HashMap::new();
    for (i, import) in imports.iter().enumerate() {
        let module = import.module.as_str();
        if PROVIDED.contains(&module) {
            values.push_str("undefined,\n");
            namespaces.push_str("undefined,\n");
            continue;
        }
        let from = specifier(module)?;
        let name = literal(&import.name);
        let _ = writeln!(text, "import {{ {name} as i{i} }} from \"{from}\";");
        let _ = writeln!(values, "() => i{i},");
        if !matches!(import.ty, ExternInfo::Global { .. }) {
            namespaces.push_str("undefined,\n");
            continue;
        }
        has_namespaces = true;
        let first = *by_module.entry(module).or_insert_with(|| {
            let _ = writeln!(text, "import * as n{i} from \"{from}\";");
            i
        });
        let _ = writeln!(namespaces, "n{first},");
    }
    values.push(']');
    namespaces.push(']');
    if !has_namespaces {
        "undefined".clone_into(&mut namespaces);
    }
    Ok((values, namespaces))
}

/// The function that sets the binding of an exported mutable global; `undefined` if there is none.
fn setter(exports: &[ExportInfo]) -> String {
    if !exports.iter().any(is_mutable) {
        return "undefined".to_owned();
    }
    let mut text = String::from("(index, value) => {\nswitch (index) {\n");
    for (i, _) in exports
        .iter()
        .enumerate()
        .filter(|(_, export)| is_mutable(export))
    {
        let _ = writeln!(text, "case {i}: e{i} = value; break;");
    }
    text.push_str("}\n}");
    text
}

/// The declarations of the bindings, and the list of the exports.
fn exports(exports: &[ExportInfo]) -> String {
    let mut text = String::new();
    for (i, export) in exports.iter().enumerate() {
        let keyword = if is_mutable(export) { "let" } else { "const" };
        let _ = writeln!(text, "{keyword} e{i} = bindings[{i}];");
    }
    text.push_str("export {\n");
    for (i, export) in exports.iter().enumerate() {
        let _ = writeln!(text, "e{i} as {},", literal(&export.name));
    }
    text.push_str("};\n");
    text
}

fn is_mutable(export: &ExportInfo) -> bool {
    matches!(export.ty, ExternInfo::Global { mutable: true, .. })
}

/// A string literal with this value. All characters but letters, digits and `_` of ASCII are escaped, and `f` too:
/// QuickJS's backend looks for `from`, also in strings.
fn literal(text: &str) -> String {
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

/// The specifier for the name of an imported module, as it stands in a string literal. It is not escaped, because
/// QuickJS's backend does not read escapes there.
///
/// # Errors
/// `CompileError` if the name has characters that would need it.
fn specifier(name: &str) -> Result<String, WasmError> {
    let is_refused =
        |c: char| c.is_control() || matches!(c, '"' | '\'' | '`' | '\\' | '\u{2028}' | '\u{2029}');
    if name.is_empty() || name.contains(is_refused) {
        return Err(WasmError::compile(format!(
            "{} cannot be the specifier of an import: it is empty, or has a quote, a backslash or a control character",
            quote(name)
        )));
    }
    // As in a URL.
    Ok(name.replace(' ', "%20"))
}
