//! The types of values in TypeScript.

use super::{Printer, TAKEN};
use crate::runtime::component::names::{camel_case, pascal_case};
use crate::runtime::component::text::{Full, Text};
use crate::runtime::component::types::{ResourceIndex, TypeIndex, ValueType};

impl Printer<'_> {
    /// Prints the definition of a type.
    pub(super) fn definition(
        self,
        text: &mut Text,
        name: &str,
        ty: TypeIndex,
        same_as: Option<TypeIndex>,
    ) -> Result<(), Full> {
        let (name, indent) = (type_name(name), self.indent());
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
    pub(super) fn ty(self, text: &mut Text, ty: TypeIndex) -> Result<(), Full> {
        match self.interface.name_of(ty) {
            Some(path) => text.add(&self.path(path)),
            None => self.structure(text, ty),
        }
    }

    fn path(self, path: &[Box<str>]) -> String {
        match path {
            [name] => type_name(name),
            [from, name] => {
                let from = self.name_of(from);
                from.map_or("never".to_owned(), |from| {
                    format!("{from}.{}", type_name(name))
                })
            }
            _ => "never".to_owned(),
        }
    }

    /// Returns the name of a resource.
    pub(super) fn resource(self, resource: ResourceIndex) -> String {
        if self.interface.is_of_wasi(resource) {
            return "never".to_owned();
        }
        self.path(&self.interface.resources[resource as usize].path)
    }

    fn structure(self, text: &mut Text, ty: TypeIndex) -> Result<(), Full> {
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
            ValueType::Future { value } => self.part(text, "Promise<", *value),
            ValueType::Stream { element } => {
                let array = element.and_then(|element| typed_array(self.interface.ty(element)));
                match array {
                    Some(array) => text.format(format_args!("AsyncIterable<{array}>")),
                    None => self.part(text, "AsyncIterable<", *element),
                }
            }
            // Values of these types do not cross, and the others have names.
            ValueType::Record { .. } | ValueType::Flags { .. } | ValueType::Other { .. } => {
                text.add("never")
            }
        }
    }

    fn case(self, text: &mut Text, tag: &str, ty: Option<TypeIndex>) -> Result<(), Full> {
        text.format(format_args!("{{ tag: {tag:?}"))?;
        if let Some(ty) = ty {
            text.add("; val: ")?;
            self.ty(text, ty)?;
        }
        text.add(" }")
    }

    fn part(self, text: &mut Text, open: &str, ty: Option<TypeIndex>) -> Result<(), Full> {
        match ty {
            Some(ty) => self.generic(text, open, &[ty], ">"),
            None => text.format(format_args!("{open}undefined>")),
        }
    }

    fn generic(
        self,
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

/// Returns the name of a type in TypeScript.
pub(super) fn type_name(name: &str) -> String {
    let name = pascal_case(name);
    match TAKEN.contains(&&*name) {
        true => format!("{name}_"),
        false => name,
    }
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
