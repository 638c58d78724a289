//! The interface of a component in WIT, the language of the component model:
//! <https://github.com/WebAssembly/component-model/blob/main/design/mvp/WIT.md>.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::members::{Member, MemberKind, Members, is_member};
use super::names::is_plain;
use super::text::{Full, Text};
use super::types::{Function, FunctionType, Interface, Item, ItemType, TypeIndex, ValueType};
use crate::runtime::base::error::WasmError;

/// Words that are names only behind `%`.
const KEYWORDS: [&str; 44] = [
    "as",
    "async",
    "bool",
    "borrow",
    "char",
    "constructor",
    "enum",
    "error-context",
    "export",
    "f32",
    "f64",
    "flags",
    "from",
    "func",
    "future",
    "import",
    "include",
    "interface",
    "list",
    "map",
    "option",
    "own",
    "package",
    "record",
    "resource",
    "result",
    "s16",
    "s32",
    "s64",
    "s8",
    "static",
    "stream",
    "string",
    "tuple",
    "type",
    "u16",
    "u32",
    "u64",
    "u8",
    "use",
    "variant",
    "with",
    "world",
    "implements",
];

/// Returns the imports and exports of a component as a world, followed by the packages of their interfaces.
///
/// # Errors
/// `RuntimeError` if the text is too long.
pub(crate) fn wit(interface: &Interface) -> Result<String, WasmError> {
    let printed = print(interface);
    printed.map_err(|Full(cap)| {
        WasmError::runtime(format!(
            "the WIT of the component has more than {cap} bytes"
        ))
    })
}

fn print(interface: &Interface) -> Result<String, Full> {
    let mut packages = Packages::default();
    let mut world = Text::default();
    let mut uses = Uses::default();
    for (word, of) in [
        ("import", &interface.imports),
        ("export", &interface.exports),
    ] {
        let members = Members::of(&of.items);
        let mut printer = Printer {
            interface,
            functions: &of.functions,
            members: &members,
            around: None,
            indent: 1,
            uses: &mut uses,
        };
        for item in &of.items {
            if !is_plain(&item.name) {
                world.line(1, format_args!("// {word} {:?}", item.name))?;
                continue;
            }
            let ItemType::Instance { items: inner } = &item.ty else {
                printer.item(&mut world, item, word)?;
                continue;
            };
            match Id::of(&item.name) {
                Some(id) => {
                    world.line(1, format_args!("{word} {};", item.name))?;
                    packages.add(&printer, &id, item, inner)?;
                }
                None => {
                    let mut body = Text::default();
                    let body_uses = printer.body_of(item, inner, &mut body)?;
                    world.line(1, format_args!("{word} {}: interface {{", Name(&item.name)))?;
                    body_uses.print(2, "", &mut world)?;
                    world.add(body.as_str())?;
                    world.line(1, format_args!("}}"))?;
                }
            }
        }
    }
    let mut text = Text::default();
    text.line(0, format_args!("package root:component;\n"))?;
    text.line(0, format_args!("world root {{"))?;
    uses.print(1, "", &mut text)?;
    text.add(world.as_str())?;
    text.line(0, format_args!("}}"))?;
    packages.print(&mut text)?;
    Ok(text.into_string())
}

/// The parts of an interface's id, such as `wasi:io/poll@0.2.0`.
struct Id<'a> {
    package: &'a str,
    name: &'a str,
    version: Option<&'a str>,
}

impl<'a> Id<'a> {
    fn of(id: &'a str) -> Option<Self> {
        let (bare, version) = match id.split_once('@') {
            Some((bare, version)) => (bare, Some(version)),
            None => (id, None),
        };
        let (package, name) = bare.rsplit_once('/')?;
        Some(Self {
            package,
            name,
            version,
        })
    }

    /// The package with its version.
    fn whole_package(&self) -> String {
        match self.version {
            Some(version) => format!("{}@{version}", self.package),
            None => self.package.to_owned(),
        }
    }
}

/// The interfaces of packages, by the package with its version and by their names.
#[derive(Default)]
struct Packages(BTreeMap<String, BTreeMap<String, String>>);

impl Packages {
    fn add(
        &mut self,
        printer: &Printer<'_>,
        id: &Id<'_>,
        item: &Item,
        items: &[Item],
    ) -> Result<(), Full> {
        let package = id.whole_package();
        let interfaces = self.0.entry(package.clone()).or_default();
        // An interface that is imported and exported is the same interface.
        if !interfaces.contains_key(id.name) {
            let mut body = Text::default();
            let uses = printer.body_of(item, items, &mut body)?;
            let mut text = Text::default();
            uses.print(2, &package, &mut text)?;
            text.add(body.as_str())?;
            interfaces.insert(id.name.to_owned(), text.into_string());
        }
        Ok(())
    }

    fn print(&self, text: &mut Text) -> Result<(), Full> {
        for (package, interfaces) in &self.0 {
            text.line(0, format_args!("\npackage {package} {{"))?;
            for (name, body) in interfaces {
                text.line(1, format_args!("interface {} {{", Name(name)))?;
                text.add(body)?;
                text.line(1, format_args!("}}"))?;
            }
            text.line(0, format_args!("}}"))?;
        }
        Ok(())
    }
}

/// The types of other interfaces that an interface or a world uses: their interface, their name there and here.
#[derive(Default)]
struct Uses(BTreeSet<(Box<str>, Box<str>, Box<str>)>);

impl Uses {
    /// Prints the uses in a package, which are those of its own interfaces by their bare names.
    fn print(&self, indent: usize, package: &str, text: &mut Text) -> Result<(), Full> {
        for (from, name, here) in &self.0 {
            let own = Id::of(from).filter(|id| id.whole_package() == package);
            let from = own.map_or(&**from, |id| id.name);
            let (name, here) = (Name(name), Name(here));
            match name.0 == here.0 {
                true => text.line(indent, format_args!("use {from}.{{{name}}};"))?,
                false => text.line(indent, format_args!("use {from}.{{{name} as {here}}};"))?,
            }
        }
        Ok(())
    }
}

/// Prints the items of an interface, or of a world.
struct Printer<'a> {
    interface: &'a Interface,
    /// The functions of the imports or of the exports, by number.
    functions: &'a [Function],
    members: &'a Members<'a>,
    /// The name of the interface; `None` in a world.
    around: Option<&'a str>,
    indent: usize,
    uses: &'a mut Uses,
}

impl Printer<'_> {
    /// Prints the items of an interface. Returns the types of other interfaces that it uses.
    fn body_of(&self, item: &Item, items: &[Item], text: &mut Text) -> Result<Uses, Full> {
        let mut uses = Uses::default();
        let members = Members::of(items);
        let mut printer = Printer {
            interface: self.interface,
            functions: self.functions,
            members: &members,
            around: Some(&item.name),
            indent: 2,
            uses: &mut uses,
        };
        for item in items {
            printer.item(text, item, "")?;
        }
        Ok(uses)
    }

    /// Prints an item. `word` is before a function of a world.
    fn item(&mut self, text: &mut Text, item: &Item, word: &str) -> Result<(), Full> {
        let name = Name(&item.name);
        match &item.ty {
            // A function of a resource is printed with it.
            ItemType::Function { .. } if is_member(&item.name) => Ok(()),
            ItemType::Function { number } => {
                let ty = self.function(*number, 0)?;
                match word {
                    "" => text.line(self.indent, format_args!("{name}: {ty};")),
                    word => text.line(self.indent, format_args!("{word} {name}: {ty};")),
                }
            }
            ItemType::Type {
                ty: Some(ty),
                same_as,
            } => self.definition(text, &item.name, *ty, *same_as),
            ItemType::Resource { resource } => {
                let path = &self.interface.resources[*resource as usize].path;
                match &**path {
                    path if self.is_own(path, &item.name) => self.resource(text, &item.name),
                    [from, original] if self.around == Some(from) => {
                        let original = Name(original);
                        text.line(self.indent, format_args!("type {name} = {original};"))
                    }
                    [from, original] => {
                        self.use_type(from, original, &item.name);
                        Ok(())
                    }
                    _ => self.resource(text, &item.name),
                }
            }
            ItemType::Type { ty: None, .. } => Ok(()),
            ItemType::Instance { .. } => {
                text.line(self.indent, format_args!("// {name}: an instance"))
            }
            ItemType::Module => text.line(self.indent, format_args!("// {name}: a module")),
            ItemType::Component => text.line(self.indent, format_args!("// {name}: a component")),
            ItemType::Value => text.line(self.indent, format_args!("// {name}: a value")),
        }
    }

    /// Whether a path is that of the item with this name here.
    fn is_own(&self, path: &[Box<str>], name: &str) -> bool {
        let own = self.around.into_iter().chain([name]);
        path.iter().map(|name| &**name).eq(own)
    }

    fn use_type(&mut self, from: &str, name: &str, here: &str) {
        self.uses.0.insert((from.into(), name.into(), here.into()));
    }

    fn resource(&mut self, text: &mut Text, name: &str) -> Result<(), Full> {
        let mut members = Text::default();
        let indent = self.indent + 1;
        for Member { kind, name, number } in self.members.of_resource(name) {
            let name = Name(name);
            match kind {
                MemberKind::Constructor => {
                    // The result is the resource.
                    let params = self.params(*number, 0)?;
                    members.line(indent, format_args!("constructor({params});"))?;
                }
                MemberKind::Method => {
                    // A method does not name its receiver.
                    let ty = self.function(*number, 1)?;
                    members.line(indent, format_args!("{name}: {ty};"))?;
                }
                MemberKind::Static => {
                    let ty = self.function(*number, 0)?;
                    members.line(indent, format_args!("{name}: static {ty};"))?;
                }
            }
        }
        let name = Name(name);
        if members.as_str().is_empty() {
            return text.line(self.indent, format_args!("resource {name};"));
        }
        text.line(self.indent, format_args!("resource {name} {{"))?;
        text.add(members.as_str())?;
        text.line(self.indent, format_args!("}}"))
    }

    /// Prints the type of a function without its first `skipped` parameters.
    fn function(&mut self, number: u32, skipped: usize) -> Result<String, Full> {
        let FunctionType {
            result, is_async, ..
        } = &self.functions[number as usize].ty;
        let params = self.params(number, skipped)?;
        let mut text = Text::default();
        text.add(if *is_async { "async func(" } else { "func(" })?;
        text.add(&params)?;
        text.add(")")?;
        if let Some(result) = result {
            text.add(" -> ")?;
            self.ty(&mut text, *result)?;
        }
        Ok(text.into_string())
    }

    fn params(&mut self, number: u32, skipped: usize) -> Result<String, Full> {
        let params = &self.functions[number as usize].ty.params;
        let mut text = Text::default();
        for (i, (name, ty)) in params.iter().skip(skipped).enumerate() {
            if i > 0 {
                text.add(", ")?;
            }
            text.format(format_args!("{}: ", Name(name)))?;
            self.ty(&mut text, *ty)?;
        }
        Ok(text.into_string())
    }

    fn definition(
        &mut self,
        text: &mut Text,
        name: &str,
        ty: TypeIndex,
        same_as: Option<TypeIndex>,
    ) -> Result<(), Full> {
        if let Some([from, original]) = same_as.and_then(|other| self.interface.name_of(other))
            && self.around != Some(from)
        {
            self.use_type(from, original, name);
            return Ok(());
        }
        let indent = self.indent;
        let name = Name(name);
        let is_alias = self
            .interface
            .name_of(ty)
            .is_some_and(|path| !self.is_own(path, name.0));
        if is_alias || same_as.is_some() {
            let mut other = Text::default();
            self.ty(&mut other, same_as.unwrap_or(ty))?;
            return text.line(indent, format_args!("type {name} = {};", other.as_str()));
        }
        match self.interface.ty(ty) {
            ValueType::Record { fields } => {
                text.line(indent, format_args!("record {name} {{"))?;
                for (field, ty) in fields {
                    let mut inner = Text::default();
                    self.ty(&mut inner, *ty)?;
                    text.line(
                        indent + 1,
                        format_args!("{}: {},", Name(field), inner.as_str()),
                    )?;
                }
                text.line(indent, format_args!("}}"))
            }
            ValueType::Variant { cases } => {
                text.line(indent, format_args!("variant {name} {{"))?;
                for (case, ty) in cases {
                    let case = Name(case);
                    match ty {
                        None => text.line(indent + 1, format_args!("{case},"))?,
                        Some(ty) => {
                            let mut inner = Text::default();
                            self.ty(&mut inner, *ty)?;
                            text.line(indent + 1, format_args!("{case}({}),", inner.as_str()))?;
                        }
                    }
                }
                text.line(indent, format_args!("}}"))
            }
            ValueType::Enum { names } | ValueType::Flags { names } => {
                let kind = self.interface.ty(ty).name();
                text.line(indent, format_args!("{kind} {name} {{"))?;
                for name in names {
                    text.line(indent + 1, format_args!("{},", Name(name)))?;
                }
                text.line(indent, format_args!("}}"))
            }
            _ => {
                let mut other = Text::default();
                self.structure(&mut other, ty)?;
                text.line(indent, format_args!("type {name} = {};", other.as_str()))
            }
        }
    }

    /// Prints a type where it is used.
    fn ty(&mut self, text: &mut Text, ty: TypeIndex) -> Result<(), Full> {
        match self.interface.name_of(ty) {
            Some(path) => self.name(text, path),
            None => self.structure(text, ty),
        }
    }

    /// Prints the name of a type or resource, which may be that of another interface.
    fn name(&mut self, text: &mut Text, path: &[Box<str>]) -> Result<(), Full> {
        let Some(name) = path.last() else {
            return text.add("_");
        };
        if let [from, name] = path
            && self.around != Some(from)
        {
            self.use_type(from, name, name);
        }
        text.format(format_args!("{}", Name(name)))
    }

    fn structure(&mut self, text: &mut Text, ty: TypeIndex) -> Result<(), Full> {
        let interface = self.interface;
        match interface.ty(ty) {
            ValueType::List { element } => self.generic(text, "list", [Some(*element)]),
            ValueType::FixedLengthList { element, length } => {
                text.add("list<")?;
                self.ty(text, *element)?;
                text.format(format_args!(", {length}>"))
            }
            ValueType::Map { key, value } => self.generic(text, "map", [Some(*key), Some(*value)]),
            ValueType::Tuple { types } => {
                self.generic(text, "tuple", types.iter().copied().map(Some))
            }
            ValueType::Option { some } => self.generic(text, "option", [Some(*some)]),
            ValueType::Result {
                ok: None,
                err: None,
            } => text.add("result"),
            ValueType::Result { ok, err: None } => self.generic(text, "result", [*ok]),
            ValueType::Result { ok, err } => self.generic(text, "result", [*ok, *err]),
            ValueType::Own { resource } => {
                self.name(text, &interface.resources[*resource as usize].path)
            }
            ValueType::Borrow { resource } => {
                text.add("borrow<")?;
                self.name(text, &interface.resources[*resource as usize].path)?;
                text.add(">")
            }
            ValueType::Future {
                value: part @ Some(_),
            } => self.generic(text, "future", [*part]),
            ValueType::Stream {
                element: part @ Some(_),
            } => self.generic(text, "stream", [*part]),
            // Those that only definitions may have have names.
            other => text.add(other.name()),
        }
    }

    fn generic(
        &mut self,
        text: &mut Text,
        name: &str,
        types: impl IntoIterator<Item = Option<TypeIndex>>,
    ) -> Result<(), Full> {
        text.format(format_args!("{name}<"))?;
        for (i, ty) in types.into_iter().enumerate() {
            if i > 0 {
                text.add(", ")?;
            }
            match ty {
                Some(ty) => self.ty(text, ty)?,
                None => text.add("_")?,
            }
        }
        text.add(">")
    }
}

/// A name of WIT.
struct Name<'a>(&'a str);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if KEYWORDS.contains(&self.0) { "%" } else { "" };
        write!(f, "{mark}{}", self.0)
    }
}
