//! The interface of a component as TypeScript declarations.
//!
//! An interface of WIT is an interface of TypeScript with its functions and classes, and a namespace of the same name with
//! its types. `docs/COMPONENTS.md` says which values the types have.

use std::collections::HashMap;

use super::names::{camel_case, is_plain, pascal_case, short_name, without_version};
use super::text::{Full, Text};
use super::types::{Function, Interface, Item, ItemType, ResourceIndex, TypeIndex, ValueType};
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
    let printed = Declarations::of(interface).print();
    printed.map_err(|Full(cap)| {
        WasmError::runtime(format!(
            "the declarations of the component have more than {cap} bytes"
        ))
    })
}

/// Whether a function is one that the app gives to the component, or one of the component's.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Direction {
    Import,
    Export,
}

struct Declarations<'a> {
    interface: &'a Interface,
    /// The names of the interfaces in TypeScript.
    names: HashMap<(Direction, &'a str), String>,
}

impl<'a> Declarations<'a> {
    fn of(interface: &'a Interface) -> Self {
        let mut names = HashMap::new();
        let mut taken: Vec<String> = TAKEN.map(str::to_owned).to_vec();
        for (direction, items) in [
            (Direction::Export, &interface.exports.items),
            (Direction::Import, &interface.imports.items),
        ] {
            for item in plain(items) {
                if let ItemType::Instance { .. } = item.ty {
                    let bare = without_version(&item.name).replace([':', '/'], "-");
                    let name = pascal_case(&bare).replace(|c: char| !c.is_ascii_alphanumeric(), "");
                    let name = unused(name, &taken);
                    taken.push(name.clone());
                    names.insert((direction, &*item.name), name);
                }
            }
        }
        Self { interface, names }
    }

    fn print(&self) -> Result<String, Full> {
        let mut text = Text::default();
        text.line(
            0,
            format_args!("/** The functions and classes that the component imports. */"),
        )?;
        self.root(&mut text, Direction::Import)?;
        text.line(
            0,
            format_args!("\n/** The exports of an instance of the component. */"),
        )?;
        self.root(&mut text, Direction::Export)?;
        for direction in [Direction::Import, Direction::Export] {
            let items = self.items(direction);
            self.types(&mut text, &[], items, direction)?;
            for item in plain(items) {
                if let ItemType::Instance { items } = &item.ty
                    && !is_of_host(item, direction)
                {
                    self.instance(&mut text, item, items, direction)?;
                }
            }
        }
        Ok(text.into_string())
    }

    fn items(&self, direction: Direction) -> &'a [Item] {
        match direction {
            Direction::Import => &self.interface.imports.items,
            Direction::Export => &self.interface.exports.items,
        }
    }

    fn function(&self, direction: Direction, number: u32) -> &'a Function {
        let items = match direction {
            Direction::Import => &self.interface.imports,
            Direction::Export => &self.interface.exports,
        };
        &items.functions[number as usize]
    }

    /// Prints the interface `Imports` or `Exports`.
    fn root(&self, text: &mut Text, direction: Direction) -> Result<(), Full> {
        let (name, items) = match direction {
            Direction::Import => ("Imports", self.items(direction)),
            Direction::Export => ("Exports", self.items(direction)),
        };
        text.line(0, format_args!("export interface {name} {{"))?;
        self.members(text, &[], items, direction)?;
        let mut shorts: Vec<String> = own_names(items);
        for item in plain(items) {
            let Some(name) = self.names.get(&(direction, &*item.name)) else {
                continue;
            };
            if is_of_host(item, direction) {
                continue;
            }
            text.line(1, format_args!("readonly {:?}: {name};", item.name))?;
            let short = short_name(&item.name);
            let is_new = !shorts.contains(&short) && *short != *item.name;
            if direction == Direction::Export && is_new {
                text.line(1, format_args!("readonly {short}: {name};"))?;
                shorts.push(short);
            }
        }
        text.line(0, format_args!("}}"))
    }

    /// Prints the interface and the namespace of an instance.
    fn instance(
        &self,
        text: &mut Text,
        item: &Item,
        items: &[Item],
        direction: Direction,
    ) -> Result<(), Full> {
        let name = &self.names[&(direction, &*item.name)];
        text.line(
            0,
            format_args!("\n/** {:?} */", item.name.replace("*/", "* /")),
        )?;
        text.line(0, format_args!("export interface {name} {{"))?;
        self.members(text, &[&*item.name], items, direction)?;
        text.line(0, format_args!("}}"))?;
        let mut types = Text::default();
        self.types(&mut types, &[&*item.name], items, direction)?;
        if types.as_str().is_empty() {
            return Ok(());
        }
        text.line(0, format_args!("export namespace {name} {{"))?;
        text.add(types.as_str())?;
        text.line(0, format_args!("}}"))
    }

    /// Prints the functions and classes among items.
    fn members(
        &self,
        text: &mut Text,
        around: &[&str],
        items: &[Item],
        direction: Direction,
    ) -> Result<(), Full> {
        for item in plain(items) {
            match &item.ty {
                ItemType::Function { number } if !item.name.starts_with('[') => {
                    let name = camel_case(&item.name);
                    let function = self.function(direction, *number);
                    self.member(text, 1, &name, function, direction, 0)?;
                }
                ItemType::Resource { resource }
                    if self.is_defined_here(*resource, around, item) =>
                {
                    let name = pascal_case(&item.name);
                    let class = self.resource(*resource);
                    text.line(1, format_args!("readonly {name}: {class}Class;"))?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Prints the types among items.
    fn types(
        &self,
        text: &mut Text,
        around: &[&str],
        items: &[Item],
        direction: Direction,
    ) -> Result<(), Full> {
        let indent = around.len();
        for item in plain(items) {
            match &item.ty {
                ItemType::Type {
                    ty: Some(ty),
                    same_as,
                } => {
                    self.definition(text, indent, &item.name, *ty, *same_as)?;
                }
                ItemType::Resource { resource } => {
                    let name = type_name(&item.name);
                    if self.is_defined_here(*resource, around, item) {
                        self.classes(text, indent, item, items, direction)?;
                    } else {
                        let other = self.resource(*resource);
                        text.line(indent, format_args!("export type {name} = {other};"))?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether a resource has its first name in this item, and not in another interface.
    fn is_defined_here(&self, resource: ResourceIndex, around: &[&str], item: &Item) -> bool {
        let path = &self.interface.resources[resource as usize].path;
        let own = around.iter().copied().chain([&*item.name]);
        path.iter().map(|name| &**name).eq(own) && !self.interface.is_of_wasi(resource)
    }

    /// Prints the types of a resource's objects and of its class.
    fn classes(
        &self,
        text: &mut Text,
        indent: usize,
        item: &Item,
        items: &[Item],
        direction: Direction,
    ) -> Result<(), Full> {
        let name = type_name(&item.name);
        let (mut objects, mut class) = (Text::default(), Text::default());
        for sibling in items {
            let ItemType::Function { number } = sibling.ty else {
                continue;
            };
            let parts = sibling
                .name
                .strip_prefix('[')
                .and_then(|rest| rest.split_once(']'));
            let Some((kind, rest)) = parts else { continue };
            let (resource, member) = rest.split_once('.').unwrap_or((rest, ""));
            if *resource != *item.name {
                continue;
            }
            let function = self.function(direction, number);
            let member = camel_case(member);
            match kind {
                "constructor" => {
                    let mut params = Text::default();
                    self.params(&mut params, function, 0)?;
                    class.line(
                        indent + 1,
                        format_args!("new ({}): {name};", params.as_str()),
                    )?;
                }
                "static" => self.member(&mut class, indent + 1, &member, function, direction, 0)?,
                _ => self.member(&mut objects, indent + 1, &member, function, direction, 1)?,
            }
        }
        let optional = if direction == Direction::Import {
            "?"
        } else {
            ""
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
    fn member(
        &self,
        text: &mut Text,
        indent: usize,
        name: &str,
        function: &Function,
        direction: Direction,
        skipped: usize,
    ) -> Result<(), Full> {
        let mut params = Text::default();
        self.params(&mut params, function, skipped)?;
        let mut result = Text::default();
        match function.ty.result.map(|ty| (ty, self.interface.ty(ty))) {
            None => result.add("void")?,
            Some((_, ValueType::Result { ok, err })) => {
                match err {
                    None => text.line(indent, format_args!("/** @throws {{ComponentError}} */"))?,
                    Some(err) => {
                        let mut payload = Text::default();
                        self.ty(&mut payload, *err)?;
                        let payload = payload.as_str();
                        text.line(
                            indent,
                            format_args!(
                                "/** @throws {{ComponentError}} Its payload is `{payload}`. */"
                            ),
                        )?;
                    }
                }
                match ok {
                    None => result.add("void")?,
                    Some(ok) => self.ty(&mut result, *ok)?,
                }
            }
            Some((ty, _)) => self.ty(&mut result, ty)?,
        }
        let (params, result) = (params.as_str(), result.as_str());
        match direction {
            // An import may return a promise in an asynchronous call.
            Direction::Import => text.line(
                indent,
                format_args!("{name}({params}): {result} | Promise<{result}>;"),
            ),
            Direction::Export => text.line(indent, format_args!("{name}({params}): {result};")),
        }
    }

    fn params(&self, text: &mut Text, function: &Function, skipped: usize) -> Result<(), Full> {
        for (i, (name, ty)) in function.ty.params.iter().skip(skipped).enumerate() {
            if i > 0 {
                text.add(", ")?;
            }
            let name = camel_case(name);
            let mark = if RESERVED.contains(&&*name) { "_" } else { "" };
            text.format(format_args!("{name}{mark}: "))?;
            self.ty(text, *ty)?;
        }
        Ok(())
    }

    fn definition(
        &self,
        text: &mut Text,
        indent: usize,
        name: &str,
        ty: TypeIndex,
        same_as: Option<TypeIndex>,
    ) -> Result<(), Full> {
        let name = type_name(name);
        let fields: Vec<(String, Option<TypeIndex>)> = match self.interface.ty(ty) {
            _ if same_as.is_some() => Vec::new(),
            ValueType::Record { fields } => {
                let field = |(name, ty): &(Box<str>, TypeIndex)| (camel_case(name), Some(*ty));
                fields.iter().map(field).collect()
            }
            ValueType::Flags { names } => {
                names.iter().map(|name| (camel_case(name), None)).collect()
            }
            _ => Vec::new(),
        };
        if fields.is_empty() {
            let mut other = Text::default();
            match same_as {
                Some(same_as) => self.ty(&mut other, same_as)?,
                None => self.structure(&mut other, ty)?,
            }
            return text.line(
                indent,
                format_args!("export type {name} = {};", other.as_str()),
            );
        }
        text.line(indent, format_args!("export interface {name} {{"))?;
        for (name, ty) in fields {
            let mut inner = Text::default();
            match ty {
                Some(ty) => self.ty(&mut inner, ty)?,
                None => inner.add("boolean")?,
            }
            let is_option =
                ty.is_none_or(|ty| matches!(self.interface.ty(ty), ValueType::Option { .. }));
            let mark = if is_option { "?" } else { "" };
            text.line(
                indent + 1,
                format_args!("{name}{mark}: {};", inner.as_str()),
            )?;
        }
        text.line(indent, format_args!("}}"))
    }

    /// Prints a type where it is used.
    fn ty(&self, text: &mut Text, ty: TypeIndex) -> Result<(), Full> {
        match self.interface.name_of(ty) {
            Some(path) => text.add(&self.path(path)),
            None => self.structure(text, ty),
        }
    }

    fn path(&self, path: &[Box<str>]) -> String {
        match path {
            [name] => type_name(name),
            [from, name] => {
                let find = |direction| self.names.get(&(direction, &**from));
                let from = find(Direction::Export).or_else(|| find(Direction::Import));
                format!(
                    "{}.{}",
                    from.map_or("never", String::as_str),
                    type_name(name)
                )
            }
            _ => "never".to_owned(),
        }
    }

    fn resource(&self, resource: ResourceIndex) -> String {
        if self.interface.is_of_wasi(resource) {
            return "never".to_owned();
        }
        self.path(&self.interface.resources[resource as usize].path)
    }

    fn structure(&self, text: &mut Text, ty: TypeIndex) -> Result<(), Full> {
        match self.interface.ty(ty) {
            ValueType::Bool => text.add("boolean"),
            ValueType::S8
            | ValueType::U8
            | ValueType::S16
            | ValueType::U16
            | ValueType::S32
            | ValueType::U32
            | ValueType::F32
            | ValueType::F64 => text.add("number"),
            ValueType::S64 | ValueType::U64 => text.add("bigint"),
            ValueType::Char | ValueType::String => text.add("string"),
            ValueType::List { element } | ValueType::FixedLengthList { element, .. } => {
                match typed_array(self.interface.ty(*element)) {
                    Some(array) => text.add(array),
                    None => self.generic(text, "Array<", &[*element], ">"),
                }
            }
            ValueType::Map { key, value } => self.generic(text, "Map<", &[*key, *value], ">"),
            ValueType::Tuple { types } => self.generic(text, "[", types, "]"),
            ValueType::Record { fields } if fields.is_empty() => text.add("object"),
            ValueType::Flags { names } if names.is_empty() => text.add("object"),
            ValueType::Variant { cases } => {
                for (i, (case, ty)) in cases.iter().enumerate() {
                    text.add(if i > 0 { " | " } else { "" })?;
                    self.case(text, case, *ty)?;
                }
                Ok(())
            }
            ValueType::Enum { names } => {
                for (i, name) in names.iter().enumerate() {
                    let or = if i > 0 { " | " } else { "" };
                    text.format(format_args!("{or}{name:?}"))?;
                }
                Ok(())
            }
            ValueType::Option { some } => {
                match self.interface.ty(*some) {
                    ValueType::Option { .. } => self.case(text, "some", Some(*some))?,
                    _ => self.ty(text, *some)?,
                }
                text.add(" | undefined")
            }
            ValueType::Result { ok, err } => {
                self.case(text, "ok", *ok)?;
                text.add(" | ")?;
                self.case(text, "err", *err)
            }
            ValueType::Own { resource } | ValueType::Borrow { resource } => {
                text.add(&self.resource(*resource))
            }
            // Values of these types do not cross, and the others have names.
            ValueType::Record { .. } | ValueType::Flags { .. } | ValueType::Other { .. } => {
                text.add("never")
            }
        }
    }

    fn case(&self, text: &mut Text, tag: &str, ty: Option<TypeIndex>) -> Result<(), Full> {
        text.format(format_args!("{{ tag: {tag:?}"))?;
        if let Some(ty) = ty {
            text.add("; val: ")?;
            self.ty(text, ty)?;
        }
        text.add(" }")
    }

    fn generic(
        &self,
        text: &mut Text,
        open: &str,
        types: &[TypeIndex],
        close: &str,
    ) -> Result<(), Full> {
        text.add(open)?;
        for (i, ty) in types.iter().enumerate() {
            text.add(if i > 0 { ", " } else { "" })?;
            self.ty(text, *ty)?;
        }
        text.add(close)
    }
}

/// Returns the items with names of WIT and with ids of interfaces. Others are no names of TypeScript.
fn plain(items: &[Item]) -> impl Iterator<Item = &Item> {
    items.iter().filter(|item| is_plain(&item.name))
}

/// Whether an import is one that WASI satisfies.
fn is_of_host(item: &Item, direction: Direction) -> bool {
    direction == Direction::Import && item.provision.is_some()
}

/// The names of functions and classes in JavaScript.
fn own_names(items: &[Item]) -> Vec<String> {
    let names = items.iter().filter_map(|item| match item.ty {
        ItemType::Function { .. } => Some(camel_case(&item.name)),
        ItemType::Resource { .. } => Some(pascal_case(&item.name)),
        _ => None,
    });
    names.collect()
}

fn type_name(name: &str) -> String {
    let name = pascal_case(name);
    match TAKEN.contains(&&*name) {
        true => format!("{name}_"),
        false => name,
    }
}

fn unused(name: String, taken: &[String]) -> String {
    let numbered = (2..).map(|number| format!("{name}{number}"));
    let mut names = std::iter::once(name.clone()).chain(numbered);
    names.find(|name| !taken.contains(name)).unwrap_or(name)
}

fn typed_array(element: &ValueType) -> Option<&'static str> {
    Some(match element {
        ValueType::S8 => "Int8Array",
        ValueType::U8 => "Uint8Array",
        ValueType::S16 => "Int16Array",
        ValueType::U16 => "Uint16Array",
        ValueType::S32 => "Int32Array",
        ValueType::U32 => "Uint32Array",
        ValueType::S64 => "BigInt64Array",
        ValueType::U64 => "BigUint64Array",
        ValueType::F32 => "Float32Array",
        ValueType::F64 => "Float64Array",
        _ => return None,
    })
}
