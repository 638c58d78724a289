use std::fs;
use std::path::Path;

use oxc::allocator::Allocator;
use oxc::ast::ast::Program;
use oxc::diagnostics::OxcDiagnostic;
use oxc::parser::{ParseOptions, Parser};
use oxc::semantic::{Semantic, SemanticBuilder};
use oxc::span::{SourceType, Span};

use crate::error::Problem;

/// TypeScript, and the names of the files it comes from, which problems are reported under.
pub(crate) struct Source {
    text: String,
    /// At least one, in the order of the text; the last is the one that the others belong to.
    files: Vec<FileStart>,
}

/// Where in a text a file begins: always at the start of a line.
#[derive(Clone)]
struct FileStart {
    name: String,
    line: usize,
}

impl Source {
    /// Line ends become `\n`: JavaScript reads them all alike, and a checkout with `\r\n` must not yield another
    /// `.d.ts` than the one that was checked in.
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

    /// One text of several, none of which is empty of files.
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

    /// The same with blanks for some of its text, so that all else stays where it is.
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

    /// The name of the file that the others, if there are any, belong to.
    pub(crate) fn name(&self) -> &str {
        self.files.last().map_or("", |file| &file.name)
    }

    /// The names of all files.
    pub(crate) fn file_names(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|file| file.name.as_str())
    }

    /// Which file a line of the text belongs to, by its place among the names, and which line of
    /// that file it is. All count from 0.
    pub(crate) fn file_line(&self, line: usize) -> (usize, usize) {
        let file = self.files.partition_point(|file| file.line <= line) - 1;
        (file, line - self.files[file].line)
    }

    /// The syntax tree. Syntax errors hide all others, since what follows from a guessed tree would be guesses too.
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

    /// Scopes, symbols and references of a parsed file, and what JavaScript and TypeScript forbid beyond the grammar.
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

    /// The place as source maps count it: from 0, columns in UTF-16 code units.
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
