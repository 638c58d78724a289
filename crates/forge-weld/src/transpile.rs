use oxc::allocator::Allocator;
use oxc::span::SourceType;
use oxc_sourcemap::SourceMap;

use crate::error::{Error, Problem};
use crate::helper;
use crate::javascript::{self, Using};
use crate::source::Source;
use crate::source_phase;

/// JavaScript made from the TypeScript of an app, in the two parts that a `deno_core::ModuleLoader` returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transpiled {
    /// For `ModuleSource`.
    pub code: String,
    /// Source map, as JSON, for `ModuleLoader::get_source_map`.
    pub source_map: Option<Vec<u8>>,
}

impl Transpiled {
    /// The code with the source map inside, as a comment at its end.
    /// `deno_core` reads the map there, so stack traces have the lines of the TypeScript, and the `ModuleLoader` need
    /// not support source maps.
    pub fn with_inline_source_map(self) -> String {
        let map = self
            .source_map
            .and_then(|json| String::from_utf8(json).ok())
            .and_then(|json| {
                SourceMap::from_json_string(&json)
                    .ok()
                    .map(|map| map.to_data_url())
            });
        match map {
            Some(url) => format!("{}\n//# sourceMappingURL={url}\n", self.code),
            None => self.code,
        }
    }
}

/// Converts one module of an app to JavaScript for every engine of `deno_core`.
/// Types are stripped. `using` and `await using` are lowered for every engine, so that an app behaves the same on all
/// engines. The helper for this is added at the end of the code, so that lines keep their numbers.
/// `import source module from "./a.wasm"` and `import.source("./a.wasm")` become imports of the default export of
/// `./a.wasm?module`, which the module loader has to make the compiled module.
/// `file_name` may be a path or a URL. Problems and the source map use this name. The extensions `.js` and `.mjs`
/// mean JavaScript, and unused imports are kept. Any other file is TypeScript.
///
/// # Errors
/// [`Error::Source`] with all syntax errors, or with all semantic errors.
pub fn transpile(file_name: &str, source: &str) -> Result<Transpiled, Error> {
    let source = Source::new(file_name, source);
    transpile_source(&source).map_err(Error::Source)
}

fn transpile_source(source: &Source) -> Result<Transpiled, Vec<Problem>> {
    let allocator = Allocator::new();
    let mut program = source.parse(&allocator, source_type(source.name()))?;
    let (semantic, mut problems) = source.analyse(&program);
    let scoping = semantic.into_scoping();
    if !problems.is_empty() {
        return Err(problems);
    }
    problems.extend(javascript::transform(
        source,
        &allocator,
        &mut program,
        scoping,
        Using::Lower,
    ));

    let mut helpers = String::new();
    for import in helper::take_imports(&mut program) {
        match import.source() {
            Some(text) => helpers.push_str(&text),
            None => {
                let message = format!("forge-weld has no runtime helper `{}`", import.name);
                problems.push(source.problem(0, message));
            }
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    helpers.push_str(&source_phase::lower(
        &allocator,
        &mut program,
        source.text(),
    ));
    let printed = javascript::print(&program, source.name());
    Ok(Transpiled {
        code: printed.code + &helpers,
        source_map: printed.map.map(|map| map.to_json_string().into_bytes()),
    })
}

fn source_type(file_name: &str) -> SourceType {
    if file_name.ends_with(".js") || file_name.ends_with(".mjs") {
        SourceType::mjs()
    } else {
        SourceType::ts().with_module(true)
    }
}
