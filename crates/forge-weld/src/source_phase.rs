use oxc::allocator::{Allocator, TakeIn};
use oxc::ast::ast::{Argument, Expression, ImportDeclaration, ImportPhase, Program};
use oxc::ast::builder::AstBuilder;
use oxc::ast_visit::{VisitMut, walk_mut};
use oxc::str::Str;

/// The function that stands for `import.source()`, a declaration named `importSource`.
const IMPORT_SOURCE: &str = include_str!("import_source.js");

/// Rewrites imports of the source phase, `import source module from "./a.wasm"`, to imports of the specifier with the
/// query `?module`. `deno_core` gives a loader no other way to answer them.
///
/// Returns the function that the rewritten code calls for `import.source()`, or an empty text.
pub(crate) fn lower<'a>(
    allocator: &'a Allocator,
    program: &mut Program<'a>,
    source: &str,
) -> String {
    let mut helper = "_importSource".to_owned();
    while source.contains(&helper) {
        helper.push('_');
    }
    let mut lower = Lower {
        builder: AstBuilder::new(allocator),
        allocator,
        helper: Str::from_str_in(&helper, &allocator),
        calls_helper: false,
    };
    lower.visit_program(program);
    match lower.calls_helper {
        true => IMPORT_SOURCE.replacen("importSource", &helper, 1),
        false => String::new(),
    }
}

struct Lower<'a> {
    builder: AstBuilder<'a>,
    allocator: &'a Allocator,
    /// The name of the function for `import.source()`.
    helper: Str<'a>,
    calls_helper: bool,
}

impl<'a> VisitMut<'a> for Lower<'a> {
    fn visit_import_declaration(&mut self, import: &mut ImportDeclaration<'a>) {
        if import.phase == Some(ImportPhase::Source) {
            import.phase = None;
            let specifier = with_query(&import.source.value);
            import.source.value = Str::from_str_in(&specifier, &self.allocator);
            import.source.raw = None;
        }
    }

    fn visit_expression(&mut self, expression: &mut Expression<'a>) {
        walk_mut::walk_expression(self, expression);
        let Expression::ImportExpression(import) = expression else {
            return;
        };
        if import.phase != Some(ImportPhase::Source) {
            return;
        }
        self.calls_helper = true;
        let builder = &self.builder;
        let specifier = Argument::from(import.source.take_in(builder));
        let helper = Expression::new_identifier(import.span, self.helper, builder);
        *expression =
            Expression::new_call_expression(import.span, helper, None, [specifier], false, builder);
    }
}

/// A specifier with the query `?module`, or with `module` as one more parameter of its query.
fn with_query(specifier: &str) -> String {
    let (url, hash) = match specifier.find('#') {
        Some(hash) => specifier.split_at(hash),
        None => (specifier, ""),
    };
    let mark = if url.contains('?') { '&' } else { '?' };
    format!("{url}{mark}module{hash}")
}
