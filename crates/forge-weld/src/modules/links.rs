use std::collections::HashSet;

use oxc::allocator::Allocator;
use oxc::ast::ast::{
    Declaration, ExportDeclaration, ExportFromDeclaration, ImportDeclaration,
    ImportDeclarationSpecifier, ModuleDeclaration,
};
use oxc::semantic::Semantic;
use oxc::span::{GetSpan, SourceType, Span};

use crate::error::Problem;
use crate::source::Source;

/// The connections of a file to the other files of its module.
#[derive(Default)]
pub(super) struct Links {
    /// The files that it imports from, in order.
    pub(super) dependencies: Vec<Name>,
    pub(super) imports: Vec<Import>,
    /// The names that it re-exports.
    pub(super) forwards: Vec<String>,
    pub(super) exports: Vec<Export>,
    /// Exports in forms that only the entry may use.
    pub(super) entry_only: Vec<Span>,
    /// The names in its own scope, without imports.
    pub(super) declared: Vec<Name>,
    /// Declared names that are only values. A type may have the same name.
    pub(super) values: HashSet<String>,
    /// The names that it uses without declaring or importing them.
    pub(super) free: Vec<Name>,
    /// The free names that it uses only as types.
    pub(super) free_types: HashSet<String>,
    /// The text that is removed when the files are joined.
    pub(super) cut: Vec<Span>,
}

/// A name or a path, and its position.
pub(super) struct Name {
    pub(super) text: String,
    pub(super) offset: u32,
}

/// A name that a file imports from another file.
pub(super) struct Import {
    pub(super) name: Name,
    pub(super) from: String,
}

/// An exported declaration.
pub(super) struct Export {
    pub(super) names: Vec<Name>,
    /// `export` and the blanks after it.
    pub(super) keyword: Span,
}

impl Links {
    /// Finds the connections of a file. Most problems of a file are found after joining. This reports only the
    /// problems that joining would hide.
    pub(super) fn find(source: &Source) -> Result<Self, Vec<Problem>> {
        let allocator = Allocator::new();
        let program = source.parse(&allocator, SourceType::ts().with_module(true))?;
        let mut finder = Finder {
            source,
            links: Self::default(),
            problems: Vec::new(),
        };
        for statement in &program.body {
            let module_declaration = statement.as_module_declaration();
            if let Some(declaration) = module_declaration
                && declaration.is_export()
                && !matches!(declaration, ModuleDeclaration::ExportDeclaration(_))
            {
                finder.links.entry_only.push(declaration.span());
            }
            match module_declaration {
                Some(ModuleDeclaration::ImportDeclaration(import)) => finder.import(import),
                Some(ModuleDeclaration::ExportFromDeclaration(export)) => finder.forward(export),
                Some(ModuleDeclaration::ExportDeclaration(export)) => finder.export(export),
                Some(ModuleDeclaration::ExportAllDeclaration(export))
                    if is_relative(&export.source.value) =>
                {
                    finder.refuse(export.span, "name what is exported, instead of `*`");
                }
                _ => {}
            }
        }
        let (semantic, _) = source.analyse(&program);
        finder.names(&semantic);
        if finder.problems.is_empty() {
            Ok(finder.links)
        } else {
            Err(finder.problems)
        }
    }

    /// The names that other files may import.
    pub(super) fn exported(&self) -> impl Iterator<Item = &str> {
        let names = self.exports.iter().flat_map(|export| &export.names);
        names.map(|name| name.text.as_str())
    }
}

struct Finder<'s> {
    source: &'s Source,
    links: Links,
    problems: Vec<Problem>,
}

impl Finder<'_> {
    fn refuse(&mut self, at: Span, message: impl Into<String>) {
        self.problems.push(self.source.problem(at.start, message));
    }

    fn depend(&mut self, specifier: &str, at: Span) -> String {
        let path = resolve(self.source.name(), specifier);
        self.links.dependencies.push(Name {
            text: path.clone(),
            offset: at.start,
        });
        path
    }

    fn take(&mut self, name: &str, local: &str, at: Span, from: &str) {
        if name != local {
            let message = format!("`{name}` cannot have another name than where it is declared");
            self.refuse(at, message);
        }
        self.links.imports.push(Import {
            name: Name {
                text: name.to_owned(),
                offset: at.start,
            },
            from: from.to_owned(),
        });
    }

    fn import(&mut self, import: &ImportDeclaration<'_>) {
        if !is_relative(&import.source.value) {
            return;
        }
        let from = self.depend(&import.source.value, import.source.span);
        self.links.cut.push(import.span);
        for specifier in import.specifiers.iter().flatten() {
            match specifier {
                ImportDeclarationSpecifier::ImportSpecifier(one) => {
                    self.take(&one.imported.name(), &one.local.name, one.span, &from);
                }
                ImportDeclarationSpecifier::ImportDefaultSpecifier(one) => {
                    self.refuse(one.span, "import it by its name");
                }
                ImportDeclarationSpecifier::ImportNamespaceSpecifier(one) => {
                    self.refuse(one.span, "name what is imported, instead of `*`");
                }
            }
        }
    }

    fn forward(&mut self, export: &ExportFromDeclaration<'_>) {
        if !is_relative(&export.source.value) {
            return;
        }
        let from = self.depend(&export.source.value, export.source.span);
        self.links.cut.push(export.span);
        for specifier in &export.specifiers {
            let name = specifier.local.name();
            self.take(&name, &specifier.exported.name(), specifier.span, &from);
            self.links.forwards.push(name.to_string());
        }
    }

    fn export(&mut self, export: &ExportDeclaration<'_>) {
        let declared = match &export.declaration {
            Declaration::VariableDeclaration(variables) => variables
                .declarations
                .iter()
                .flat_map(|variable| variable.id.get_binding_identifiers())
                .collect(),
            declaration => Vec::from_iter(declaration.id()),
        };
        let names = declared.into_iter().map(|name| Name {
            text: name.name.to_string(),
            offset: name.span.start,
        });
        self.links.exports.push(Export {
            names: names.collect(),
            keyword: Span::new(export.span.start, export.span.start + "export".len() as u32),
        });
    }

    fn names(&mut self, semantic: &Semantic<'_>) {
        let scoping = semantic.scoping();
        for symbol in scoping.iter_bindings_in(scoping.root_scope_id()) {
            let name = scoping.symbol_name(symbol);
            let flags = scoping.symbol_flags(symbol);
            if !flags.is_import() {
                if !flags.can_be_referenced_by_type() {
                    self.links.values.insert(name.to_owned());
                }
                self.links.declared.push(Name {
                    text: name.to_owned(),
                    offset: scoping.symbol_span(symbol).start,
                });
                continue;
            }
            let mut references = scoping.get_resolved_references(symbol).peekable();
            if references.peek().is_none() {
                let message = format!("`{name}` is imported but never used");
                self.refuse(scoping.symbol_span(symbol), message);
            }
            if let Some(written) = references.find(|reference| reference.is_write()) {
                let message = format!("`{name}` is imported: only its own file can set it");
                self.refuse(semantic.reference_span(written), message);
            }
        }
        for (name, references) in scoping.root_unresolved_references() {
            let mut references = references.iter().map(|id| scoping.get_reference(*id));
            let Some(first) = references.clone().next() else {
                continue;
            };
            self.links.free.push(Name {
                text: name.to_string(),
                offset: semantic.reference_span(first).start,
            });
            if references.all(|reference| reference.is_type()) {
                self.links.free_types.insert(name.to_string());
            }
        }
        self.links.free.sort_by_key(|name| name.offset);
        self.links.declared.sort_by_key(|name| name.offset);
    }
}

fn is_relative(specifier: &str) -> bool {
    specifier.starts_with("./") || specifier.starts_with("../")
}

/// The path of the file to which a relative specifier in the file `importer` refers.
fn resolve(importer: &str, specifier: &str) -> String {
    let mut path: Vec<&str> = importer.split('/').collect();
    path.pop();
    for step in specifier.split('/') {
        match step {
            "." => {}
            ".." if path.last().is_some_and(|last| *last != "..") => {
                path.pop();
            }
            step => path.push(step),
        }
    }
    path.join("/")
}
