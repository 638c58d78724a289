//! The bytes for hidden exports, which come from the names of other exports.

use std::cmp::Reverse;
use std::collections::HashSet;

use wasm_encoder::Encode as _;

use super::Object;
use super::names::{Use, new_name, unused_prefix};
use super::section::{Export, ExportSection, leb_bytes};

/// The bytes for hidden exports.
pub(super) struct Room<'a> {
    exports: &'a [Export<'a>],
    /// The number of bytes of the number of exports.
    count_bytes: usize,
    pub(super) prefix: Option<String>,
    /// The exports that may get shorter names, the longest name first.
    renameable: std::vec::IntoIter<usize>,
    pub(super) renamed: Vec<usize>,
    /// The number of hidden exports.
    pub(super) hidden: usize,
    /// The bytes that shorter names have left.
    left: usize,
    /// The bytes that have to remain: the length of the last renamed export's name takes as many bytes as before, which
    /// is more than the one byte of a short name.
    reserved: usize,
}

impl<'a> Room<'a> {
    pub(super) fn new(section: &'a ExportSection<'a>, used: &HashSet<Object>) -> Self {
        let exports = &section.exports;
        let may_rename = |export: &Export<'_>| match &export.object {
            // WASI looks for the name of a memory.
            Some(Object::Memory(_)) => false,
            Some(object) => !used.contains(object),
            None => true,
        };
        let renameable = exports.iter().enumerate();
        let mut renameable: Vec<_> = renameable
            .filter(|(_, export)| may_rename(export))
            .map(|(position, _)| position)
            .collect();
        renameable.sort_by_key(|position| Reverse(exports[*position].name.len()));
        Self {
            exports,
            count_bytes: section.count_bytes(),
            prefix: unused_prefix(exports),
            renameable: renameable.into_iter(),
            renamed: Vec::new(),
            hidden: 0,
            left: 0,
            reserved: 0,
        }
    }

    /// Takes the bytes for a hidden export of `object`. Returns whether there are enough.
    pub(super) fn take(&mut self, object: Object) -> bool {
        let Some(prefix) = &self.prefix else {
            return false;
        };
        let mut entry = Vec::new();
        new_name(prefix, Use::Hidden, self.hidden)
            .as_str()
            .encode(&mut entry);
        object.encode(&mut entry);
        let count_bytes = |hidden| leb_bytes(self.exports.len() + hidden).max(self.count_bytes);
        let wanted = entry.len() + count_bytes(self.hidden + 1) - count_bytes(self.hidden);
        while self.left < wanted + self.reserved {
            let Some(position) = self.renameable.next() else {
                return false;
            };
            let export = &self.exports[position];
            let new = 1 + new_name(prefix, Use::Renamed, self.renamed.len()).len();
            let old = export.bytes.len() - export.end.len();
            if old <= new {
                return false;
            }
            self.renamed.push(position);
            self.left += old - new;
            self.reserved = old - export.name.len() - 1;
        }
        self.left -= wanted;
        self.hidden += 1;
        true
    }
}
