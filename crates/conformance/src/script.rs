//! Parses a `.wast` script into commands.

use std::collections::{HashMap, HashSet};

use json_from_wast::{Command, Opts, WasmFile, WasmFileType};
use wast::lexer::{Lexer, TokenKind};
use wast::parser::{self, ParseBuffer};
use wast::{QuoteWat, Wast, WastDirective, WastExecute, Wat};

use crate::host::Source;

/// A parsed script.
pub struct Script<'a> {
    pub directives: Vec<Directive<'a>>,
    /// The script's modules and components by the file names that its commands give them.
    modules: HashMap<String, Vec<u8>>,
    /// The file names of those that are components.
    components: HashSet<String>,
}

/// One directive of a script.
pub struct Directive<'a> {
    pub line: u32,
    /// What to do, or why the directive is not understood.
    pub command: Result<Command<'a>, String>,
}

/// A script that could not be parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    pub line: u32,
    pub message: String,
}

/// Parses `text` and hands the script to `body`. A closure, because a script borrows from buffers that live here.
///
/// # Errors
///
/// When the text is no script. A directive that parses but is not supported is no error: its
/// [`command`](Directive::command) says so, and the others still run.
pub fn parse<R>(text: &str, body: impl FnOnce(&Script<'_>) -> R) -> Result<R, ParseError> {
    if is_blank(text) {
        // The parser would take it for a module without fields.
        return Err(ParseError {
            line: 1,
            message: "there is no directive in it".to_owned(),
        });
    }
    let buffer = buffer(text)?;
    let ast = directives(text, &buffer)?;
    if !ast.directives.iter().any(has_component)
        && let Ok(script) = convert(text, ast)
    {
        return Ok(body(&script));
    }
    // Something in it is not supported. The conversion of a whole script is all or nothing and consumes it, and a
    // buffer is empty once it is parsed, so this starts from the text again.
    let buffer = self::buffer(text)?;
    let ast = directives(text, &buffer)?;
    Ok(body(&convert_each(text, ast)))
}

fn is_blank(text: &str) -> bool {
    Lexer::new(text).iter(0).all(|token| {
        token.is_ok_and(|token| {
            matches!(
                token.kind,
                TokenKind::Whitespace | TokenKind::LineComment | TokenKind::BlockComment
            )
        })
    })
}

fn buffer(text: &str) -> Result<ParseBuffer<'_>, ParseError> {
    let mut lexer = Lexer::new(text);
    // The official `names.wast` is full of it.
    lexer.allow_confusing_unicode(true);
    ParseBuffer::new_with_lexer(lexer).map_err(|error| located(text, &error))
}

fn directives<'a>(text: &str, buffer: &'a ParseBuffer<'a>) -> Result<Wast<'a>, ParseError> {
    parser::parse(buffer).map_err(|error| located(text, &error))
}

fn located(text: &str, error: &wast::Error) -> ParseError {
    ParseError {
        line: line_of(text, error.span()),
        message: error.message(),
    }
}

impl<'a> Script<'a> {
    /// A script whose modules have these file names.
    pub fn new(directives: Vec<Directive<'a>>, modules: HashMap<String, Vec<u8>>) -> Self {
        Self {
            directives,
            modules,
            components: HashSet::new(),
        }
    }
}

impl Script<'_> {
    /// Whether a command names a component.
    pub fn is_component(&self, file: &WasmFile<'_>) -> bool {
        self.components.contains(file.filename.as_ref())
    }

    /// The module or component that a command names; `None` if the script does not hold it.
    pub fn module(&self, file: &WasmFile<'_>) -> Option<Source<'_>> {
        let bytes = self.modules.get(file.filename.as_ref())?;
        Some(match file.module_type {
            WasmFileType::Binary => Source::Binary(bytes),
            WasmFileType::Text => Source::Text(bytes),
        })
    }
}

fn convert<'a>(text: &'a str, ast: Wast<'a>) -> anyhow::Result<Script<'a>> {
    let converted = Opts::default().convert("script.wast", text, ast)?;
    Ok(Script {
        directives: converted
            .commands
            .into_iter()
            .map(|command| Directive {
                line: command.line(),
                command: Ok(command),
            })
            .collect(),
        modules: converted.wasms.into_iter().collect(),
        components: HashSet::new(),
    })
}

/// Slower than [`convert`], which counts the lines of the text only once.
fn convert_each<'a>(text: &'a str, ast: Wast<'a>) -> Script<'a> {
    let mut script = Script {
        directives: Vec::new(),
        modules: HashMap::new(),
        components: HashSet::new(),
    };
    for (index, directive) in ast.directives.into_iter().enumerate() {
        let line = line_of(text, directive.span());
        if let WastDirective::Thread(thread) = &directive
            && thread.directives.iter().any(has_component)
        {
            script.directives.push(Directive {
                line,
                command: Err("components in threads are not supported".to_owned()),
            });
            continue;
        }
        let is_component = has_component(&directive);
        let one = Wast {
            directives: vec![directive],
        };
        // Conversions number their modules from zero each, so each gets a name of its own.
        let converted =
            Opts::default()
                .module_filename(index.to_string())
                .convert("script.wast", text, one);
        match converted {
            Ok(converted) => {
                if is_component {
                    let names = converted.wasms.iter().map(|(name, _)| name.clone());
                    script.components.extend(names);
                }
                script.modules.extend(converted.wasms);
                let commands = converted.commands.into_iter();
                script.directives.extend(commands.map(|command| Directive {
                    line: command.line(),
                    command: Ok(command),
                }));
            }
            Err(error) => script.directives.push(Directive {
                line,
                command: Err(format!("{error:#}")),
            }),
        }
    }
    script
}

/// Whether a directive has a component in it, whose binary a host compiles in another way than a module.
fn has_component(directive: &WastDirective<'_>) -> bool {
    match directive {
        WastDirective::Module(module)
        | WastDirective::ModuleDefinition(module)
        | WastDirective::AssertMalformed { module, .. }
        | WastDirective::AssertMalformedCustom { module, .. }
        | WastDirective::AssertInvalid { module, .. }
        | WastDirective::AssertInvalidCustom { module, .. } => {
            matches!(
                module,
                QuoteWat::QuoteComponent(..) | QuoteWat::Wat(Wat::Component(_))
            )
        }
        WastDirective::AssertUnlinkable { module, .. } => matches!(module, Wat::Component(_)),
        WastDirective::AssertTrap { exec, .. }
        | WastDirective::AssertReturn { exec, .. }
        | WastDirective::AssertException { exec, .. }
        | WastDirective::AssertSuspension { exec, .. } => {
            matches!(exec, WastExecute::Wat(Wat::Component(_)))
        }
        WastDirective::Thread(thread) => thread.directives.iter().any(has_component),
        _ => false,
    }
}

fn line_of(text: &str, span: wast::token::Span) -> u32 {
    let (line, _) = span.linecol_in(text);
    u32::try_from(line + 1).unwrap_or(u32::MAX)
}

/// The name of a command as scripts write it.
pub fn name(command: &Command<'_>) -> &'static str {
    use json_from_wast::Action;

    match command {
        Command::Module { .. } => "module",
        Command::ModuleDefinition { .. } => "module definition",
        Command::ModuleInstance { .. } => "module instance",
        Command::AssertMalformed { .. } => "assert_malformed",
        Command::AssertMalformedCustom { .. } => "assert_malformed_custom",
        Command::AssertInvalid { .. } => "assert_invalid",
        Command::AssertInvalidCustom { .. } => "assert_invalid_custom",
        Command::Register { .. } => "register",
        Command::AssertUnlinkable { .. } => "assert_unlinkable",
        Command::AssertReturn { .. } => "assert_return",
        Command::Action {
            action: Action::Invoke { .. },
            ..
        } => "invoke",
        Command::Action {
            action: Action::Get { .. },
            ..
        } => "get",
        Command::AssertTrap { .. } => "assert_trap",
        Command::AssertExhaustion { .. } => "assert_exhaustion",
        Command::AssertException { .. } => "assert_exception",
        Command::AssertSuspension { .. } => "assert_suspension",
        // The spec writes it `assert_trap` with a module.
        Command::AssertUninstantiable { .. } => "assert_uninstantiable",
        Command::Thread { .. } => "thread",
        Command::Wait { .. } => "wait",
    }
}
