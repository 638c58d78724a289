use std::collections::HashSet;

use oxc::allocator::Allocator;
use oxc::ast::ast::{Program, StringLiteral, TaggedTemplateExpression, TemplateElement};
use oxc::ast_visit::VisitMut;
use oxc::codegen::CodegenReturn;
use oxc::str::Str;

use crate::error::Problem;
use crate::source::Source;

/// Escapes non-ASCII characters in the strings and template literals of a program.
/// `deno_core` takes the code of an extension as 7-bit ASCII (`ascii_str!`), and oxc prints the characters of a
/// string without escapes: even a `\u2014` of the source would be printed as the character itself.
pub(crate) fn escape<'a>(allocator: &'a Allocator, program: &mut Program<'a>) {
    Escape { allocator }.visit_program(program);
}

/// Reports non-ASCII characters in the printed code as problems of the source. After [`escape`] there are some left
/// in names, regular expressions and tagged templates, where an escape would have another meaning.
pub(crate) fn check(source: &Source, printed: &CodegenReturn<'_>) -> Vec<Problem> {
    let Some(map) = printed.map.as_ref().filter(|_| !printed.code.is_ascii()) else {
        return Vec::new();
    };
    let lookup_table = map.generate_lookup_table();
    let mut places = HashSet::new();
    let mut problems = Vec::new();
    for (line, text) in (0..).zip(printed.code.lines()) {
        let mut column = 0;
        for character in text.chars() {
            if !character.is_ascii() {
                let token = map.lookup_token(&lookup_table, line, column);
                let (line, column) = token.map_or((0, 0), |t| (t.get_src_line(), t.get_src_col()));
                if places.insert((line, column)) {
                    let message = format!(
                        "`{character}` (U+{:04X}) cannot be used here: deno_core takes an \
                         extension's code as ASCII only",
                        u32::from(character)
                    );
                    problems.push(source.problem_at(line, column, message));
                }
            }
            column += character.len_utf16() as u32;
        }
    }
    problems
}

struct Escape<'a> {
    allocator: &'a Allocator,
}

impl<'a> VisitMut<'a> for Escape<'a> {
    /// A Rust string cannot hold a lone surrogate. oxc represents it as U+FFFD and four hexadecimal digits, and
    /// prints it as `\uXXXX`. Here this form is used for every non-ASCII UTF-16 code unit.
    fn visit_string_literal(&mut self, literal: &mut StringLiteral<'a>) {
        if literal.value.is_ascii() {
            return;
        }
        let mut value = String::new();
        let mut characters = literal.value.chars();
        while let Some(character) = characters.next() {
            if character == '\u{fffd}' && literal.lone_surrogates {
                value.push(character);
                value.extend(
                    characters
                        .by_ref()
                        .take(4)
                        .map(|digit| digit.to_ascii_uppercase()),
                );
            } else if character.is_ascii() {
                value.push(character);
            } else {
                push_units(&mut value, "\u{fffd}", character);
            }
        }
        literal.value = Str::from_str_in(&value, &self.allocator);
        literal.lone_surrogates = true;
    }

    fn visit_template_element(&mut self, element: &mut TemplateElement<'a>) {
        if element.value.raw.is_ascii() {
            return;
        }
        let mut raw = String::new();
        let mut after_backslash = false;
        for character in element.value.raw.chars() {
            if character.is_ascii() {
                raw.push(character);
                after_backslash = character == '\\' && !after_backslash;
            } else {
                if after_backslash {
                    raw.pop();
                }
                push_units(&mut raw, "\\u", character);
                after_backslash = false;
            }
        }
        element.value.raw = Str::from_str_in(&raw, &self.allocator);
    }

    /// A tag function sees the raw text, so the text must not change.
    fn visit_tagged_template_expression(&mut self, tagged: &mut TaggedTemplateExpression<'a>) {
        self.visit_expression(&mut tagged.tag);
        self.visit_expressions(&mut tagged.quasi.expressions);
    }
}

fn push_units(text: &mut String, prefix: &str, character: char) {
    for unit in character.encode_utf16(&mut [0; 2]) {
        text.push_str(prefix);
        text.push_str(&format!("{unit:04X}"));
    }
}
