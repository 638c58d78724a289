use std::fs;
use std::path::Path;

use oxc::allocator::Allocator;
use oxc::ast::ast::Program;
use oxc::diagnostics::OxcDiagnostic;
use oxc::parser::{ParseOptions, Parser};
use oxc::semantic::{Semantic, SemanticBuilder};
use oxc::span::{SourceType, Span};

use crate::error::Problem;

/// TypeScript text, and the names of its files for the reports of problems.
pub(crate) struct Source {
    text: String,
    /// At least one file, in the order of the text. The last one is the entry, which imports the others.
    files: Vec<FileStart>,
}

/// The start of a file in a text: always the start of a line.
#[derive(Clone)]
struct FileStart {
    name: String,
    line: usize,
}

impl Source {
    /// Line ends become `\n`. They mean the same in JavaScript, and a checkout with `\r\n` must make the same `.d.ts`
    /// as the checked-in one.
    pub(crate) fn new(name: &str, text: &str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Self {
            text: text.replace("\r\n", "\n").replace('\r', "\n"),
            files: vec![FileStart {
                name: name.to_owned(),
                line: 0,
            }],
        }
    }

    /// Joins several sources into one text.
    pub(crate) fn joined(sources: impl IntoIterator<Item = Self>) -> Self {
        let mut text = String::new();
        let mut files = Vec::new();
        for source in sources {
            let line = text.matches('\n').count();
            files.extend(source.files.into_iter().map(|file| FileStart {
                line: line + file.line,
                ..file
            }));
            text.push_str(&source.text);
            if !text.ends_with('\n') {
                text.push('\n');
            }
        }
        Self { text, files }
    }

    /// The same text with some parts replaced by blanks, so that all other positions stay the same.
    pub(crate) fn without(&self, spans: &[Span]) -> Self {
        let is_cut = |offset: usize| {
            let mut spans = spans.iter();
            spans.any(|span| (span.start as usize..span.end as usize).contains(&offset))
        };
        let blank = |(offset, character)| match character {
            '\n' => '\n',
            _ if is_cut(offset) => ' ',
            character => character,
        };
        Self {
            text: self.text.char_indices().map(blank).collect(),
            files: self.files.clone(),
        }
    }

    pub(crate) fn read(directory: &Path, name: &str) -> Result<Self, Problem> {
        match fs::read_to_string(directory.join(name)) {
            Ok(text) => Ok(Self::new(name, &text)),
            Err(error) => {
                Err(Self::new(name, "").problem(0, format!("cannot read the file: {error}")))
            }
        }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The name of the entry.
    pub(crate) fn name(&self) -> &str {
        self.files.last().map_or("", |file| &file.name)
    }

    /// The names of all files.
    pub(crate) fn file_names(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|file| file.name.as_str())
    }

    /// For a line of the text: the index of its file in the list of names, and the line in that file. Both count from
    /// 0, and so does `line`.
    pub(crate) fn file_line(&self, line: usize) -> (usize, usize) {
        let file = self.files.partition_point(|file| file.line <= line) - 1;
        (file, line - self.files[file].line)
    }

    /// The syntax tree. If there are syntax errors, no other errors are reported, because the tree is only a guess
    /// then.
    pub(crate) fn parse<'a>(
        &'a self,
        allocator: &'a Allocator,
        source_type: SourceType,
    ) -> Result<Program<'a>, Vec<Problem>> {
        let parsed = Parser::new(allocator, &self.text, source_type)
            .with_options(ParseOptions {
                parse_regular_expression: true,
                ..ParseOptions::default()
            })
            .parse();
        if parsed.panicked || parsed.diagnostics.has_errors() {
            Err(self.problems(parsed.diagnostics.errors()))
        } else {
            Ok(parsed.program)
        }
    }

    /// Scopes, symbols and references of a parsed file, and violations of rules of JavaScript and TypeScript beyond
    /// the grammar.
    pub(crate) fn analyse<'a>(&self, program: &'a Program<'a>) -> (Semantic<'a>, Vec<Problem>) {
        let analysed = SemanticBuilder::new()
            .with_build_nodes(true)
            .with_check_syntax_error(true)
            .with_enum_eval(true)
            .build(program);
        let problems = self.problems(analysed.diagnostics.errors());
        (analysed.semantic, problems)
    }

    pub(crate) fn problems<'d>(
        &self,
        diagnostics: impl IntoIterator<Item = &'d OxcDiagnostic>,
    ) -> Vec<Problem> {
        diagnostics
            .into_iter()
            .map(|diagnostic| {
                let offset = diagnostic.labels.first().map_or(0, |label| label.offset());
                let message = match &diagnostic.help {
                    Some(help) => format!("{} ({help})", diagnostic.message),
                    None => diagnostic.message.to_string(),
                };
                self.problem(offset, message)
            })
            .collect()
    }

    pub(crate) fn problem(&self, offset: u32, message: impl Into<String>) -> Problem {
        let before = self.text.get(..offset as usize).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        self.problem_in(
            before.matches('\n').count(),
            before[line_start..].chars().count(),
            message.into(),
        )
    }

    /// A problem at a position as in source maps: lines and columns count from 0, and columns are UTF-16 code units.
    pub(crate) fn problem_at(&self, line: u32, column: u32, message: String) -> Problem {
        let text = self.text.lines().nth(line as usize).unwrap_or_default();
        let mut units = 0;
        let before = text.chars().take_while(|character| {
            let start = units;
            units += character.len_utf16() as u32;
            start < column
        });
        self.problem_in(line as usize, before.count(), message)
    }

    fn problem_in(&self, line: usize, column: usize, message: String) -> Problem {
        let (file, line) = self.file_line(line);
        Problem {
            file: self.files[file].name.clone(),
            line: line + 1,
            column: column + 1,
            message,
        }
    }
}
