use oxc::ast::ast::{Program, Statement};

/// Where oxc's transformer expects the helpers that lowered syntax calls.
const RUNTIME: &str = "@oxc-project/runtime/helpers/";

/// Our own helper for lowered `using` declarations, a function declaration named `usingCtx`.
const USING_CTX: &str = include_str!("using_ctx.js");

/// A helper that a transformed program imports.
pub(crate) struct HelperImport {
    /// The helper, `usingCtx` for instance.
    pub(crate) name: String,
    /// What the program calls it.
    pub(crate) local: String,
}

impl HelperImport {
    /// The helper's source as a function declaration under the name the program calls, if we have
    /// that helper.
    pub(crate) fn source(&self) -> Option<String> {
        (self.name == "usingCtx").then(|| USING_CTX.replacen("usingCtx", &self.local, 1))
    }
}

/// Removes a transformed program's helper imports and returns them.
///
/// There is no package to import them from: an extension's module may import nothing, and an app's
/// module loader would have to know about a package that the app never heard of. (oxc declares an
/// inline mode, which is not implemented.)
pub(crate) fn take_imports(program: &mut Program<'_>) -> Vec<HelperImport> {
    let mut imports = Vec::new();
    program.body.retain(|statement| {
        let Statement::ImportDeclaration(import) = statement else {
            return true;
        };
        let Some(name) = import.source.value.strip_prefix(RUNTIME) else {
            return true;
        };
        let locals = import
            .specifiers
            .iter()
            .flatten()
            .map(|specifier| specifier.local());
        imports.extend(locals.map(|local| HelperImport {
            name: name.to_owned(),
            local: local.name.to_string(),
        }));
        false
    });
    imports
}
