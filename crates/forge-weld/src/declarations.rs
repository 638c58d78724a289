use oxc::allocator::Allocator;
use oxc::ast::ast::{Declaration, Expression, Program, Statement, TSEnumDeclaration};
use oxc::ast::builder::AstBuilder;
use oxc::codegen::{Codegen, CodegenOptions, CommentOptions, IndentChar};
use oxc::isolated_declarations::{IsolatedDeclarations, IsolatedDeclarationsOptions};
use oxc::span::SPAN;
use oxc::str::Str;

use crate::error::Problem;
use crate::source::Source;

/// The `.d.ts` text that declares a module's exports under its specifier, doc comments included.
/// It is made only from the annotations in the file ("isolated declarations"). An export without an explicit type is
/// a problem, because types are not inferred.
pub(crate) fn declare_module<'a>(
    source: &Source,
    specifier: &str,
    allocator: &'a Allocator,
    program: &Program<'a>,
) -> Result<String, Vec<Problem>> {
    if !program.body.iter().any(Statement::is_module_declaration) {
        // oxc would take the file for a script, in which every declaration is global.
        return Ok(wrap(source, specifier, "export {};\n"));
    }
    let options = IsolatedDeclarationsOptions {
        strip_internal: true,
    };
    let mut declared = IsolatedDeclarations::new(allocator, options).build(program);
    let problems = source.problems(declared.diagnostics.errors());
    if !problems.is_empty() {
        return Err(problems);
    }
    for statement in &mut declared.program.body {
        if let Statement::ExportDeclaration(export) = statement {
            make_member(allocator, &mut export.declaration);
        } else if let Some(declaration) = statement.as_declaration_mut() {
            make_member(allocator, declaration);
        }
    }
    let members = Codegen::new()
        .with_options(CodegenOptions {
            comments: CommentOptions {
                jsdoc: true,
                ..CommentOptions::disabled()
            },
            indent_char: IndentChar::Space,
            indent_width: 2,
            ..CodegenOptions::default()
        })
        .build(&declared.program)
        .code;
    Ok(wrap(source, specifier, &members))
}

fn wrap(source: &Source, specifier: &str, members: &str) -> String {
    format!(
        "// Generated from {} by forge-weld. To write it anew, build with {}=1.\n\
         declare module {specifier:?} {{\n{}}}\n",
        source.name(),
        crate::builder::WRITE_TYPES,
        indent(members),
    )
}

/// Adapts a declaration for a `declare module` block.
fn make_member<'a>(allocator: &'a Allocator, declaration: &mut Declaration<'a>) {
    // Everything in the block is ambient already, and a second `declare` is an error.
    match declaration {
        Declaration::VariableDeclaration(variable) => variable.declare = false,
        Declaration::FunctionDeclaration(function) => function.declare = false,
        Declaration::ClassDeclaration(class) => class.declare = false,
        Declaration::TSTypeAliasDeclaration(alias) => alias.declare = false,
        Declaration::TSInterfaceDeclaration(interface) => interface.declare = false,
        Declaration::TSEnumDeclaration(enumeration) => {
            enumeration.declare = false;
            spell_out_values(allocator, enumeration);
        }
        Declaration::TSNamespaceDeclaration(namespace) => namespace.declare = false,
        Declaration::TSGlobalDeclaration(global) => global.declare = false,
        Declaration::TSExternalModuleDeclaration(module) => module.declare = false,
        Declaration::TSImportEqualsDeclaration(_) => {}
    }
}

/// oxc prints a number in its shortest form, so an error code `5000` would become `5e3`, and a search for it would
/// fail. Identifiers are printed unchanged, so the number becomes an identifier of digits.
fn spell_out_values<'a>(allocator: &'a Allocator, enumeration: &mut TSEnumDeclaration<'a>) {
    for member in &mut enumeration.body.members {
        if let Some(Expression::NumericLiteral(number)) = &member.initializer {
            let digits = Str::from_str_in(&number.value.to_string(), &allocator);
            let builder = AstBuilder::new(allocator);
            member.initializer = Some(Expression::new_identifier(SPAN, digits, &builder));
        }
    }
}

/// Indents the text by one level, and adds the blank before `*` in the lines of doc comments, which oxc removes.
fn indent(text: &str) -> String {
    let mut indented = String::new();
    let mut in_comment = false;
    for line in text.lines() {
        let content = line.trim_start();
        let blank = if in_comment && content.starts_with('*') {
            " "
        } else {
            ""
        };
        let depth = &line[..line.len() - content.len()];
        if content.starts_with("/*") {
            in_comment = true;
        }
        if content.ends_with("*/") {
            in_comment = false;
        }
        if !content.is_empty() {
            indented.extend(["  ", depth, blank, content]);
        }
        indented.push('\n');
    }
    indented
}
