//! The JavaScript of ES modules that stand for WebAssembly modules.

use std::collections::HashMap;
use std::fmt::Write;

use deno_core::ModuleSpecifier;

use super::es_module_names::{check_names, is_plain, is_provided, literal, specifier};
use crate::runtime::{ExportInfo, ExternInfo, ImportInfo, WasmError, WasmModule};

/// The most bytes of a URL that a module imports itself by. A `data:` URL may have megabytes.
const MAX_OWN_URL: usize = 4096;

/// An ES module without the number under which it finds its module.
pub(super) struct EsModuleText {
    /// The function of `host:wasm` that takes the number.
    function: &'static str,
    imports: String,
    /// The arguments of the function after the number.
    arguments: String,
    exports: String,
}

impl EsModuleText {
    /// The text for the module with this number.
    pub(super) fn with_number(&self, number: u32) -> String {
        let Self {
            function,
            imports,
            arguments,
            exports,
        } = self;
        format!(
            "import {{ {function} }} from \"host:wasm\";\n{imports}\
             const bindings = {function}({number}{arguments});\n{exports}"
        )
    }

    /// The text of a module that cannot be linked: its evaluation fails with an error. It has its exports, because an
    /// export that is missing would be found first.
    fn refuse(error: &WasmError, exports: String) -> Self {
        Self {
            function: "refuseEsModule",
            imports: String::new(),
            arguments: format!(", {}", literal(&error.message)),
            exports,
        }
    }
}

/// The JavaScript whose default export is a module.
pub(super) fn source_phase(module: &WasmModule) -> EsModuleText {
    let exports = "export default bindings;\n".to_owned();
    match check_names(module) {
        Ok(()) => EsModuleText {
            function: "esModuleSource",
            imports: String::new(),
            arguments: String::new(),
            exports,
        },
        Err(error) => EsModuleText::refuse(&error, exports),
    }
}

/// The JavaScript whose exports are the exports of an instance of a module.
pub(super) fn instance_phase(own: &ModuleSpecifier, module: &WasmModule) -> EsModuleText {
    let exports = exports(&module.exports);
    let mut imports = String::new();
    let written = check_names(module);
    let written = written.and_then(|()| write_imports(&mut imports, &module.imports, own));
    let (values, namespaces) = match written {
        Ok(written) => written,
        Err(error) => return EsModuleText::refuse(&error, exports),
    };
    // By its namespace, other modules find the globals of this one: its exports are their values.
    let namespace = match own_specifier(own.as_str()) {
        Some(own) => {
            let _ = writeln!(imports, "import * as own from \"{own}\";");
            "own"
        }
        None => "undefined",
    };
    let set = setter(&module.exports);
    EsModuleText {
        function: "linkEsModule",
        imports,
        arguments: format!(", {namespace}, {values}, {namespaces}, {set}"),
        exports,
    }
}

/// The specifier by which a module imports itself. `None` if its URL is very long, or cannot stand in a string literal.
fn own_specifier(url: &str) -> Option<&str> {
    (url.len() <= MAX_OWN_URL && is_plain(url)).then_some(url)
}

/// Writes the import declarations. Returns the list of functions that read the imported bindings, and the list of
/// namespaces that imported globals come from.
///
/// # Errors
/// `InstantiateError` if the name of a module cannot be a specifier, or the guest may not import from it.
fn write_imports(
    text: &mut String,
    imports: &[ImportInfo],
    own: &ModuleSpecifier,
) -> Result<(String, String), WasmError> {
    let mut values = String::from("[\n");
    let mut namespaces = String::from("[\n");
    let mut has_namespaces = false;
    let mut by_module = HashMap::new();
    for (i, import) in imports.iter().enumerate() {
        let module = import.module.as_str();
        if is_provided(module) {
            values.push_str("undefined,\n");
            namespaces.push_str("undefined,\n");
            continue;
        }
        let from = specifier(module, own)?;
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
