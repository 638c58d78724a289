//! Writes programs by the [grammar](super::grammar). Bytes make the choices.

use std::collections::HashMap;
use std::sync::LazyLock;

use arbitrary::{Result, Unstructured};
use ext_wasm::{WasmCapabilities, WasmState};
use wasmparser::{FuncType, ValType};

use super::grammar::RULES;
use super::guest::{GUESTS, Guest, ImportKind, Shape};

/// The interface of `host:wasm` that programs use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surface {
    /// The exports of `host:wasm`.
    Api,
    /// The exports of `host:wasm`, and its ops, which scripts find in `Deno.core.ops`.
    Ops,
}

/// The objects that guests import.
#[derive(Clone, Copy)]
enum Objects<'a> {
    Strict,
    /// Those of the standard object of this number.
    Standard(&'a str),
}

impl Objects<'_> {
    /// The pool of the objects of a kind.
    fn pool(self, kind: &str) -> String {
        match self {
            Objects::Strict => kind.to_owned(),
            Objects::Standard(_) => {
                let (first, rest) = kind.split_at(1);
                format!("standard{}{rest}", first.to_uppercase())
            }
        }
    }
}

/// The depth of nested rules beyond which each rule takes its smallest alternative.
const MAX_NESTING: u32 = 12;

/// The length of an expression in bytes beyond which each rule takes its smallest alternative.
const MAX_LENGTH: usize = 4_096;

/// One statement in this many is an event.
const EVENTS: u8 = 6;

static ALTERNATIVES: LazyLock<HashMap<&str, &[&str]>> =
    LazyLock::new(|| RULES.iter().copied().collect());

/// The names of all ops. Raw calls choose among them.
pub fn ops() -> &'static [String] {
    static OPS: LazyLock<Vec<String>> = LazyLock::new(|| {
        let state = WasmState::new(WasmCapabilities::default());
        let state = state.unwrap_or_else(|error| panic!("{error}"));
        let ops = ext_wasm::host_wasm::init(state).ops;
        ops.iter().map(|op| op.name.to_owned()).collect()
    });
    &OPS
}

/// Writes the expressions of one statement.
pub struct Writer<'a, 'b> {
    choices: &'b mut Unstructured<'a>,
    surface: Surface,
    nesting: u32,
    length: usize,
}

impl<'a, 'b> Writer<'a, 'b> {
    pub fn new(choices: &'b mut Unstructured<'a>, surface: Surface) -> Self {
        Self {
            choices,
            surface,
            nesting: 0,
            length: 0,
        }
    }

    /// A statement.
    ///
    /// # Errors
    ///
    /// Never for lack of bytes: without bytes, each choice is the first alternative.
    pub fn statement(&mut self) -> Result<String> {
        self.length = 0;
        if self.choices.ratio(1, EVENTS)? {
            return self.rule("event");
        }
        let wait = if self.choices.ratio(2, 3)? {
            "await "
        } else {
            ""
        };
        Ok(match self.choices.int_in_range(0..=3)? {
            0 => format!("{wait}attempt({});", self.instance()?),
            _ => format!("{wait}attempt(() => {});", self.attempt()?),
        })
    }

    /// The expression that an attempt evaluates.
    fn attempt(&mut self) -> Result<String> {
        if self.surface == Surface::Ops && self.choices.ratio(2, 3)? {
            let name = self.choices.choose(ops())?;
            return Ok(format!("op({name:?}, [{}])", self.rule("opArguments")?));
        }
        self.rule("attempt")
    }

    /// An expansion of the rule of this name.
    fn rule(&mut self, name: &str) -> Result<String> {
        self.nesting += 1;
        let expanded = match name {
            "n" => self.choices.int_in_range(0..=7)?.to_string(),
            "guest" => format!("{:?}", self.guest()?.name),
            "call" => self.call("call", "")?,
            "callAsync" => {
                let options = self.rule("callOptions")?;
                self.call("callAsync", &format!(", {options}"))?
            }
            "imports" => {
                let guest = self.guest()?;
                self.imports(guest, Objects::Strict)?
            }
            "standardInstance" => self.standard_instance()?,
            "import" => self.import(None)?,
            _ => {
                let alternatives = ALTERNATIVES[name];
                let is_small = self.nesting > MAX_NESTING || self.length > MAX_LENGTH;
                let index = match is_small {
                    true => 0,
                    false => self.choices.choose_index(alternatives.len())?,
                };
                self.expand(alternatives[index])?
            }
        };
        self.nesting -= 1;
        self.length += expanded.len();
        Ok(expanded)
    }

    /// An alternative, with the rules in it expanded.
    fn expand(&mut self, alternative: &str) -> Result<String> {
        let mut text = String::new();
        let mut rest = alternative;
        while let Some((before, name, after)) = next_rule(rest) {
            text += before;
            text += &self.rule(name)?;
            rest = after;
        }
        Ok(text + rest)
    }

    /// A guest. Half of the time it is the first one.
    fn guest(&mut self) -> Result<&'static Guest> {
        match self.choices.arbitrary()? {
            false => Ok(&GUESTS[0]),
            true => self.choices.choose(&GUESTS),
        }
    }

    /// The arguments of an attempt that makes an instance of a guest, most times without a mistake.
    fn instance(&mut self) -> Result<String> {
        let guest = self.guest()?;
        let name = guest.name;
        let imports = self.imports(guest, Objects::Strict)?;
        let options = match name {
            "wasi" => format!("{{ fuel: 100_000, wasi: {} }}", self.rule("wasi")?),
            _ => self.rule("where")?,
        };
        let module = match self.choices.ratio(1, 4)? {
            true => format!("module({name:?}, {})", self.rule("n")?),
            false => format!("await wasm.compile(Deno.core.encode(guests.{name}))"),
        };
        Ok(format!(
            "async () => wasm.instantiate({module}, {imports}, {options}), {name:?}"
        ))
    }

    /// An instance that a standard object makes of a guest, most times without a mistake.
    fn standard_instance(&mut self) -> Result<String> {
        let guest = self.guest()?;
        let (name, n) = (guest.name, self.rule("n")?);
        let imports = self.imports(guest, Objects::Standard(&n))?;
        let binary = format!("binaries.{name}");
        Ok(match self.choices.arbitrary()? {
            false => format!("standard({n}).instantiate({binary}, {imports})"),
            true => format!(
                "new (standard({n}).Instance)(new (standard({n}).Module)({binary}), {imports})"
            ),
        })
    }

    /// An object that most times satisfies the imports of a guest.
    fn imports(&mut self, guest: &Guest, objects: Objects<'_>) -> Result<String> {
        if self.choices.ratio(1, 10)? {
            return self.rule("value");
        }
        let mut imports = String::new();
        for import in &guest.imports {
            let value = match &import.kind {
                _ if self.choices.ratio(1, 16)? => self.rule("value")?,
                ImportKind::Function(_) if import.module.starts_with("wasi") => continue,
                ImportKind::Function(ty) => {
                    let function = self.import(Some(ty))?;
                    match objects {
                        Objects::Standard(n) if self.choices.ratio(1, 3)? => {
                            format!("new (standard({n}).Suspending)({function})")
                        }
                        _ => function,
                    }
                }
                ImportKind::Object(pool) => {
                    format!("{}({})", objects.pool(pool), self.rule("n")?)
                }
            };
            imports += &format!("{}: {value}, ", import.name);
        }
        Ok(match imports.as_str() {
            "" => "undefined".to_owned(),
            _ => format!("{{ host: {{ {imports}}} }}"),
        })
    }

    /// A function that most times satisfies an import of this type.
    fn import(&mut self, ty: Option<&FuncType>) -> Result<String> {
        if self.choices.ratio(1, 12)? {
            return Ok("deepen(\"calls\")".to_owned());
        }
        let result = match ty.map(FuncType::results) {
            Some([ty]) if self.choices.ratio(2, 3)? => {
                let value = self.value(*ty)?;
                match self.choices.int_in_range(0..=3)? {
                    0 => format!("() => promised({value})"),
                    _ => format!("() => {value}"),
                }
            }
            _ => self.rule("result")?,
        };
        let mut import = format!("imported({result}");
        // Deep in an expression, imports make no further attempts.
        if self.nesting < MAX_NESTING / 2 {
            for _ in 0..self.choices.int_in_range(0..=2)? {
                import += &format!(", () => attempt(() => {})", self.attempt()?);
            }
        }
        Ok(import + ")")
    }

    /// A call of a function of a guest, most times with arguments of the right types.
    fn call(&mut self, method: &str, more: &str) -> Result<String> {
        let guest = self.guest()?;
        let (name, ty) = self.choices.choose(&guest.functions)?;
        let mut args = Vec::new();
        for ty in ty.params() {
            args.push(self.value(*ty)?);
        }
        if self.choices.ratio(1, 16)? {
            args.push(self.rule("value")?);
        }
        let (guest, n) = (guest.name, self.rule("n")?);
        Ok(format!(
            "instance({guest:?}, {n}).{method}({name:?}, [{}]{more})",
            args.join(", ")
        ))
    }

    /// A value, most times of the given WebAssembly type.
    fn value(&mut self, ty: ValType) -> Result<String> {
        if self.choices.ratio(1, 12)? {
            return self.rule("value");
        }
        let n = self.rule("n")?;
        Ok(match Shape::of(ty) {
            Shape::Number if self.choices.arbitrary()? => n,
            Shape::Number => self.rule("number")?,
            Shape::BigInt => self.rule("bigint")?,
            Shape::Bytes => "new Uint8Array(16)".to_owned(),
            Shape::Function => format!("func({n}) ?? null"),
            Shape::Reference => format!("reference({n}) ?? null"),
            Shape::Anything => self.rule("value")?,
        })
    }
}

/// The text before the next rule of an alternative, the rule's name, and the text after it.
pub fn next_rule(alternative: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = alternative.split_once('<')?;
    let (name, after) = rest.split_once('>')?;
    Some((before, name, after))
}
