use std::path::Path;

use oxc::allocator::Allocator;
use oxc::ast::AstKind;
use oxc::ast::ast::Program;
use oxc::codegen::{Codegen, CodegenOptions, CodegenReturn, CommentOptions, IndentChar};
use oxc::semantic::{Scoping, Semantic};
use oxc::transformer::{
    ES2026Options, EnvOptions, HelperLoaderMode, HelperLoaderOptions, TransformOptions, Transformer,
};
use oxc_sourcemap::{SourceMap, SourceMapBuilder};

use crate::ascii;
use crate::error::Problem;
use crate::helper;
use crate::source::Source;
use crate::templates;

/// Reports each `using` declaration in the code of an extension as a problem.
/// Lowered declarations call a helper that the module cannot import. For apps, the helper is added to the code. The
/// code of an extension can use `finally` instead.
pub(crate) fn check_using(source: &Source, semantic: &Semantic<'_>) -> Vec<Problem> {
    let declarations = semantic
        .nodes()
        .iter()
        .filter_map(|node| match node.kind() {
            AstKind::VariableDeclaration(declaration) if declaration.kind.is_using() => {
                Some(declaration)
            }
            _ => None,
        });
    declarations
        .map(|declaration| {
            let message = format!(
                "`{}` needs a runtime helper, which an extension's module cannot import: \
                 dispose in a `finally` block",
                declaration.kind.as_str()
            );
            source.problem(declaration.span.start, message)
        })
        .collect()
}

/// The JavaScript of an extension's module.
/// It ends with an inline source map. `deno_core` reads the map for extension modules as for any other module: every
/// module passes through `ModuleMap`, which passes `sourceMappingURL` to the `SourceMapper`, on V8 and on QuickJS.
/// The map is decoded for the first stack trace. A frame is then `host:wasm:<line of init.ts>`, or
/// `host:wasm/values.ts:<line>` in another file. The map has no copy of the source, because `deno_core` does not read
/// it and it would double the size.
pub(crate) fn extension_module<'a>(
    source: &Source,
    specifier: &str,
    allocator: &'a Allocator,
    program: &mut Program<'a>,
    scoping: Scoping,
) -> Result<String, Vec<Problem>> {
    let mut problems = transform(source, allocator, program, scoping, Using::Keep);
    problems.extend(helper::take_imports(program).into_iter().map(|import| {
        let message = format!(
            "the code needs the runtime helper `{}`, which an extension's module cannot import",
            import.name
        );
        source.problem(0, message)
    }));
    templates::lower(allocator, program);
    ascii::escape(allocator, program);
    let printed = print(program, specifier);
    problems.extend(ascii::check(source, &printed));
    if !problems.is_empty() {
        return Err(problems);
    }
    let CodegenReturn { mut code, map, .. } = printed;
    if let Some(map) = map {
        code.push_str("//# sourceMappingURL=");
        code.push_str(&source_map(source, specifier, &map).to_data_url());
        code.push('\n');
    }
    Ok(code)
}

/// Converts the source map of a joined text to a source map of the original files.
fn source_map(source: &Source, specifier: &str, joined: &SourceMap<'_>) -> SourceMap<'static> {
    let entry = source.name();
    let directory = &entry[..entry.rfind('/').map_or(0, |slash| slash + 1)];
    let urls: Vec<String> = source
        .file_names()
        .map(|name| match name.strip_prefix(directory) {
            _ if name == entry => specifier.to_owned(),
            Some(inner) => format!("{specifier}/{inner}"),
            None => format!("{specifier}/{name}"),
        })
        .collect();
    let names: Vec<&str> = joined.get_names().collect();
    let mut map = SourceMapBuilder::default();
    for url in &urls {
        map.set_source_and_content(url, "");
    }
    for name in &names {
        map.add_name(name);
    }
    for token in joined.get_tokens() {
        let (file, line) = source.file_line(token.get_src_line() as usize);
        map.add_token(
            token.get_dst_line(),
            token.get_dst_col(),
            line as u32,
            token.get_src_col(),
            token.get_source_id().map(|_| file as u32),
            token.get_name_id(),
        );
    }
    let mut map = map.into_sourcemap().into_owned();
    map.set_source_contents(Vec::new());
    map
}

/// The handling of `using` declarations in [`transform`].
#[derive(PartialEq)]
pub(crate) enum Using {
    Keep,
    /// Rewrites them to `try` and `finally`, with calls of an imported helper.
    Lower,
}

/// Strips the types. Newer JavaScript syntax is kept for the engines, except for `using`.
pub(crate) fn transform<'a>(
    source: &Source,
    allocator: &'a Allocator,
    program: &mut Program<'a>,
    scoping: Scoping,
    using: Using,
) -> Vec<Problem> {
    let options = TransformOptions {
        env: EnvOptions {
            es2026: ES2026Options {
                explicit_resource_management: using == Using::Lower,
            },
            ..EnvOptions::default()
        },
        helper_loader: HelperLoaderOptions {
            mode: HelperLoaderMode::Runtime,
            ..HelperLoaderOptions::default()
        },
        ..TransformOptions::default()
    };
    let transformed = Transformer::new(allocator, Path::new(source.name()), &options)
        .build_with_scoping(scoping, program);
    source.problems(transformed.diagnostics.errors())
}

/// Prints readable JavaScript with the original names, and a source map with `source_name` as the name of the source.
pub(crate) fn print<'a>(program: &Program<'a>, source_name: &str) -> CodegenReturn<'a> {
    Codegen::new()
        .with_options(CodegenOptions {
            comments: CommentOptions::disabled(),
            source_map_path: Some(source_name.into()),
            indent_char: IndentChar::Space,
            indent_width: 2,
            ..CodegenOptions::default()
        })
        .build(program)
}
