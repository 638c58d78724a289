//! The interface of a component as TypeScript declarations.
//!
//! An interface of WIT is an interface of TypeScript with its functions and classes, and a namespace of the same name with
//! its types. `docs/COMPONENTS.md` says which values the types have.

mod types;

use std::collections::{HashMap, HashSet};

use self::types::type_name;
use super::members::{Member, MemberKind, Members, is_member};
use super::names::{camel_case, is_plain, pascal_case, short_name, without_version};
use super::text::{Full, Text};
use super::types::{FunctionType, Interface, Item, ItemType, Items, ResourceIndex, ValueType};
use crate::runtime::base::error::WasmError;

/// Words that cannot be names of parameters.
const RESERVED: [&str; 47] = [
    "arguments",
    "await",
    "break",
    "case",
    "catch",
    "class",
    "const",
    "continue",
    "debugger",
    "default",
    "delete",
    "do",
    "else",
    "enum",
    "eval",
    "export",
    "extends",
    "false",
    "finally",
    "for",
    "function",
    "if",
    "implements",
    "import",
    "in",
    "instanceof",
    "interface",
    "let",
    "new",
    "null",
    "package",
    "private",
    "protected",
    "public",
    "return",
    "static",
    "super",
    "switch",
    "this",
    "throw",
    "true",
    "try",
    "typeof",
    "var",
    "void",
    "while",
    "yield",
];

/// Names of TypeScript that declarations use, or that types cannot have.
const TAKEN: [&str; 20] = [
    "Array",
    "BigInt64Array",
    "BigUint64Array",
    "Exports",
    "Float32Array",
    "Float64Array",
    "Imports",
    "Int16Array",
    "Int32Array",
    "Int8Array",
    "Map",
    "Never",
    "Number",
    "Object",
    "Promise",
    "String",
    "Symbol",
    "Uint16Array",
    "Uint32Array",
    "Uint8Array",
];

/// Returns declarations of `Imports` and `Exports`, and of all types in them. Interfaces of WASI, which the host provides,
/// are not among the imports.
///
/// # Errors
/// `RuntimeError` if the text is too long.
pub(crate) fn declarations(interface: &Interface) -> Result<String, WasmError> {
    let printed = print(interface);
    printed.map_err(|Full(cap)| {
        WasmError::runtime(format!(
            "the declarations of the component have more than {cap} bytes"
        ))
    })
}

/// Whether a function is one that the app gives to the component, or one of the component's.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Import,
    Export,
}

/// The names of the interfaces in TypeScript.
struct Names<'a> {
    imports: HashMap<&'a str, String>,
    exports: HashMap<&'a str, String>,
}

impl<'a> Names<'a> {
    fn of(interface: &'a Interface) -> Self {
        let (mut imports, mut exports) = (HashMap::new(), HashMap::new());
        let mut taken: HashSet<String> = TAKEN.iter().map(|&name| name.to_owned()).collect();
        // How often a name was wanted: interfaces of several versions have the same name.
        let mut wanted: HashMap<String, u32> = HashMap::new();
        for (names, items) in [
            (&mut exports, &interface.exports.items),
            (&mut imports, &interface.imports.items),
        ] {
            for item in plain(items) {
                if let ItemType::Instance { .. } = item.ty {
                    let bare = without_version(&item.name).replace([':', '/'], "-");
                    let bare = pascal_case(&bare).replace(|c: char| !c.is_ascii_alphanumeric(), "");
                    let count = wanted.entry(bare.clone()).or_default();
                    let name = loop {
                        *count += 1;
                        let name = match *count {
                            1 => bare.clone(),
                            count => format!("{bare}{count}"),
                        };
                        if taken.insert(name.clone()) {
                            break name;
                        }
                    };
                    names.insert(&*item.name, name);
                }
            }
        }
        Self { imports, exports }
    }
}

fn print(interface: &Interface) -> Result<String, Full> {
    let names = Names::of(interface);
    let directions = [Direction::Import, Direction::Export].map(|direction| Printer {
        interface,
        names: &names,
        direction,
        around: None,
    });
    let mut text = Text::default();
    for (printer, about) in directions.iter().zip([
        "/** The functions and classes that the component imports. */",
        "\n/** The exports of an instance of the component. */",
    ]) {
        text.line(0, format_args!("{about}"))?;
        printer.root(&mut text)?;
    }
    for printer in &directions {
        let items = &printer.all().items;
        printer.types(&mut text, items)?;
        for item in plain(items) {
            if let ItemType::Instance { items } = &item.ty
                && !printer.is_of_host(item)
            {
                printer
                    .within(item)
                    .instance(&mut text, &item.name, items)?;
            }
        }
    }
    Ok(text.into_string())
}

/// Prints the imports or the exports, or the items of one of their interfaces.
#[derive(Clone, Copy)]
struct Printer<'a> {
    interface: &'a Interface,
    names: &'a Names<'a>,
    direction: Direction,
    /// The name of the interface in WIT; `None` outside of interfaces.
    around: Option<&'a str>,
}

impl<'a> Printer<'a> {
    fn within(self, item: &'a Item) -> Self {
        Self {
            around: Some(&item.name),
            ..self
        }
    }

    /// Returns the imports or the exports.
    fn all(self) -> &'a Items {
        match self.direction {
            Direction::Import => &self.interface.imports,
            Direction::Export => &self.interface.exports,
        }
    }

    /// Whether an import is one that WASI satisfies.
    fn is_of_host(self, item: &Item) -> bool {
        self.direction == Direction::Import && item.provision.is_some()
    }

    /// Returns the name of an interface in TypeScript.
    fn name_of(self, interface: &str) -> Option<&'a str> {
        let Names { imports, exports } = self.names;
        let (own, other) = match self.direction {
            Direction::Import => (imports, exports),
            Direction::Export => (exports, imports),
        };
        // Functions have types of the other direction, too.
        let found = own.get(interface).or_else(|| other.get(interface));
        found.map(String::as_str)
    }

    /// Prints the interface `Imports` or `Exports`.
    fn root(self, text: &mut Text) -> Result<(), Full> {
        let items = &self.all().items;
        let name = match self.direction {
            Direction::Import => "Imports",
            Direction::Export => "Exports",
        };
        text.line(0, format_args!("export interface {name} {{"))?;
        self.members(text, items)?;
        let mut shorts: HashSet<String> = own_names(items).collect();
        for item in plain(items) {
            let ItemType::Instance { .. } = item.ty else {
                continue;
            };
            let Some(name) = self.name_of(&item.name).filter(|_| !self.is_of_host(item)) else {
                continue;
            };
            text.line(1, format_args!("readonly {:?}: {name};", item.name))?;
            let short = short_name(&item.name);
            let is_other = *short != *item.name;
            if self.direction == Direction::Export && is_other && shorts.insert(short.clone()) {
                text.line(1, format_args!("readonly {short}: {name};"))?;
            }
        }
        text.line(0, format_args!("}}"))
    }

    /// Prints the interface and the namespace for the interface around the items.
    fn instance(self, text: &mut Text, id: &str, items: &[Item]) -> Result<(), Full> {
        let Some(name) = self.name_of(id) else {
            return Ok(());
        };
        text.line(0, format_args!("\n/** {:?} */", id.replace("*/", "* /")))?;
        text.line(0, format_args!("export interface {name} {{"))?;
        self.members(text, items)?;
        text.line(0, format_args!("}}"))?;
        let mut types = Text::default();
        self.types(&mut types, items)?;
        if types.as_str().is_empty() {
            return Ok(());
        }
        text.line(0, format_args!("export namespace {name} {{"))?;
        text.add(types.as_str())?;
        text.line(0, format_args!("}}"))
    }

    /// Prints the functions and classes among items.
    fn members(self, text: &mut Text, items: &[Item]) -> Result<(), Full> {
        for item in plain(items) {
            match &item.ty {
                ItemType::Function { number } if !is_member(&item.name) => {
                    let name = camel_case(&item.name);
                    self.function(text, 1, &name, *number, 0)?;
                }
                ItemType::Resource { resource } if self.defines(*resource, item) => {
                    let name = pascal_case(&item.name);
                    let class = self.resource(*resource);
                    text.line(1, format_args!("readonly {name}: {class}Class;"))?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The number of indentations of types: those of an interface are in a namespace.
    fn indent(self) -> usize {
        usize::from(self.around.is_some())
    }

    /// Prints the types among items.
    fn types(self, text: &mut Text, items: &[Item]) -> Result<(), Full> {
        let members = Members::of(items);
        for item in plain(items) {
            match &item.ty {
                ItemType::Type {
                    ty: Some(ty),
                    same_as,
                } => self.definition(text, &item.name, *ty, *same_as)?,
                ItemType::Resource { resource } if self.defines(*resource, item) => {
                    self.classes(text, item, members.of_resource(&item.name))?;
                }
                ItemType::Resource { resource } => {
                    let (name, other) = (type_name(&item.name), self.resource(*resource));
                    text.line(self.indent(), format_args!("export type {name} = {other};"))?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether a resource has its first name in this item, and not in another interface.
    fn defines(self, resource: ResourceIndex, item: &Item) -> bool {
        let path = &self.interface.resources[resource as usize].path;
        let own = self.around.into_iter().chain([&*item.name]);
        path.iter().map(|name| &**name).eq(own) && !self.interface.is_of_wasi(resource)
    }

    /// Prints the types of a resource's objects and of its class.
    fn classes(self, text: &mut Text, item: &Item, members: &[Member<'_>]) -> Result<(), Full> {
        let (name, indent) = (type_name(&item.name), self.indent());
        let (mut objects, mut class) = (Text::default(), Text::default());
        for member in members {
            let own = camel_case(member.name);
            match member.kind {
                MemberKind::Constructor => {
                    let params = self.params(member.number, 0)?;
                    class.line(indent + 1, format_args!("new ({params}): {name};"))?;
                }
                MemberKind::Static => {
                    self.function(&mut class, indent + 1, &own, member.number, 0)?;
                }
                MemberKind::Method => {
                    self.function(&mut objects, indent + 1, &own, member.number, 1)?;
                }
            }
        }
        let optional = match self.direction {
            Direction::Import => "?",
            Direction::Export => "",
        };
        text.line(indent, format_args!("export interface {name} {{"))?;
        text.add(objects.as_str())?;
        text.line(
            indent + 1,
            format_args!("[Symbol.dispose]{optional}(): void;"),
        )?;
        text.line(indent, format_args!("}}"))?;
        text.line(indent, format_args!("export interface {name}Class {{"))?;
        text.add(class.as_str())?;
        text.line(indent + 1, format_args!("readonly prototype: {name};"))?;
        text.line(indent, format_args!("}}"))
    }

    /// Prints a function as a method. The first `skipped` parameters are left out.
    fn function(
        self,
        text: &mut Text,
        indent: usize,
        name: &str,
        number: u32,
        skipped: usize,
    ) -> Result<(), Full> {
        let params = self.params(number, skipped)?;
        let mut result = Text::default();
        let FunctionType {
            result: ty,
            is_async,
            ..
        } = &self.all().functions[number as usize].ty;
        match ty.map(|ty| (ty, self.interface.ty(ty))) {
            None => result.add("void")?,
            Some((_, ValueType::Result { ok, err })) => {
                let mut thrown = Text::default();
                if let Some(err) = err {
                    thrown.add(" Its payload is `")?;
                    self.ty(&mut thrown, *err)?;
                    thrown.add("`.")?;
                }
                let thrown = thrown.as_str();
                text.line(
                    indent,
                    format_args!("/** @throws {{ComponentError}}{thrown} */"),
                )?;
                match ok {
                    None => result.add("void")?,
                    Some(ok) => self.ty(&mut result, *ok)?,
                }
            }
            Some((ty, _)) => self.ty(&mut result, ty)?,
        }
        let result = result.as_str();
        match self.direction {
            // An import may return a promise in an asynchronous call.
            Direction::Import => text.line(
                indent,
                format_args!("{name}({params}): {result} | Promise<{result}>;"),
            ),
            Direction::Export if *is_async => {
                text.line(indent, format_args!("{name}({params}): Promise<{result}>;"))
            }
            Direction::Export => text.line(indent, format_args!("{name}({params}): {result};")),
        }
    }

    fn params(self, number: u32, skipped: usize) -> Result<String, Full> {
        let mut text = Text::default();
        let params = &self.all().functions[number as usize].ty.params;
        for (i, (name, ty)) in params.iter().skip(skipped).enumerate() {
            if i > 0 {
                text.add(", ")?;
            }
            let name = camel_case(name);
            let mark = if RESERVED.contains(&&*name) { "_" } else { "" };
            text.format(format_args!("{name}{mark}: "))?;
            self.ty(&mut text, *ty)?;
        }
        Ok(text.into_string())
    }
}

/// Returns the items with names of WIT and with ids of interfaces. Others are no names of TypeScript.
fn plain(items: &[Item]) -> impl Iterator<Item = &Item> {
    items.iter().filter(|item| is_plain(&item.name))
}

/// The names of functions and classes in JavaScript.
fn own_names(items: &[Item]) -> impl Iterator<Item = String> {
    items.iter().filter_map(|item| match item.ty {
        ItemType::Function { .. } => Some(camel_case(&item.name)),
        ItemType::Resource { .. } => Some(pascal_case(&item.name)),
        _ => None,
    })
}
