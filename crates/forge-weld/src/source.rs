use std::fs;
use std::path::Path;

use oxc::allocator::Allocator;
use oxc::ast::ast::Program;
use oxc::diagnostics::OxcDiagnostic;
use oxc::parser::{ParseOptions, Parser};
use oxc::semantic::{Semantic, SemanticBuilder};
use oxc::span::SourceType;

use crate::error::Problem;

/// A TypeScript file and the name that problems are reported under.
pub(crate) struct Source {
    name: String,
    text: String,
}

impl Source {
    /// Line ends become `\n`: JavaScript reads them all alike, and a checkout with `\r\n` must not yield another
    /// `.d.ts` than the one that was checked in.
    pub(crate) fn new(name: &str, text: &str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Self {
            name: name.to_owned(),
            text: text.replace("\r\n", "\n").replace('\r', "\n"),
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

    pub(crate) fn name(&self) -> &str {
        &self.name
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
        Problem {
            file: self.name.clone(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            message: message.into(),
        }
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
        Problem {
            file: self.name.clone(),
            line: line as usize + 1,
            column: before.count() + 1,
            message,
        }
    }
}
