//! The functions that belong to the resources of an interface.

use std::collections::HashMap;

use super::types::{Item, ItemType};

/// The kind of a function that belongs to a resource.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum MemberKind {
    Constructor,
    Method,
    Static,
}

/// A function that belongs to a resource.
pub(super) struct Member<'a> {
    pub(super) kind: MemberKind,
    /// Its name in the resource. Empty for a constructor.
    pub(super) name: &'a str,
    /// Its number among the functions of the imports or of the exports.
    pub(super) number: u32,
}

/// The functions of each resource among some items, by the name of the resource.
pub(super) struct Members<'a>(HashMap<&'a str, Vec<Member<'a>>>);

impl<'a> Members<'a> {
    /// Finds the functions among items: `[method]blob.read` is a method `read` of `blob`.
    pub(super) fn of(items: &'a [Item]) -> Self {
        let mut members: HashMap<&str, Vec<Member<'_>>> = HashMap::new();
        for item in items {
            if let ItemType::Function { number } = item.ty
                && let Some((resource, member)) = member(&item.name, number)
            {
                members.entry(resource).or_default().push(member);
            }
        }
        Self(members)
    }

    /// Returns the functions of a resource.
    pub(super) fn of_resource(&self, name: &str) -> &[Member<'a>] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }
}

/// Whether a function with this name belongs to a resource.
pub(super) fn is_member(name: &str) -> bool {
    name.starts_with('[')
}

fn member(name: &str, number: u32) -> Option<(&str, Member<'_>)> {
    let (kind, rest) = name.strip_prefix('[')?.split_once(']')?;
    let kind = match kind {
        "constructor" => MemberKind::Constructor,
        "method" => MemberKind::Method,
        "static" => MemberKind::Static,
        _ => return None,
    };
    let (resource, name) = rest.split_once('.').unwrap_or((rest, ""));
    Some((resource, Member { kind, name, number }))
}
