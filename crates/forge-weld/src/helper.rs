use oxc::ast::ast::{Program, Statement};

/// The folder from which the code of oxc's transformer imports the helpers for lowered syntax.
const RUNTIME: &str = "@oxc-project/runtime/helpers/";

/// Our own helper for lowered `using` declarations, a function declaration named `usingCtx`.
const USING_CTX: &str = include_str!("using_ctx.js");

/// A helper that a transformed program imports.
pub(crate) struct HelperImport {
    /// The helper, `usingCtx` for instance.
    pub(crate) name: String,
    /// Its name in the program.
    pub(crate) local: String,
}

impl HelperImport {
    /// The source of the helper as a function declaration with the name that the program uses; `None` for an unknown
    /// helper.
    pub(crate) fn source(&self) -> Option<String> {
        (self.name == "usingCtx").then(|| USING_CTX.replacen("usingCtx", &self.local, 1))
    }
}

/// Removes a transformed program's helper imports and returns them.
/// The helpers cannot be imported: the module of an extension may import nothing, and the module loader of an app
/// does not know their package. (oxc declares an inline mode, but has not implemented it.)
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
