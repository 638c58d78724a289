//! Moves the exports that the compiler searches for to the front of the list.
//!
//! At each access to a memory, a table or a global, Cranelift (wasmtime 48) compares the exports with the object, one
//! after another, to find out whether other modules may access it too. It ends at the first export of the object. If
//! there is none, it compares all exports: for DuckDB, which has 75,111, that takes longer than the rest of its
//! compilation (bytecodealliance/wasmtime#13552).
//!
//! So the exports of the objects with the most accesses become the first in the list, and objects that are not
//! exported get a hidden export. The code section keeps its place in the binary, since stack traces have offsets into
//! it: the bytes for hidden exports come from other exports, which get shorter names. [`ExportNames`] knows the
//! names; the module's own list of exports remains the one of the original binary.

mod names;
mod room;
mod section;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use wasm_encoder::Encode as _;
use wasmparser::ExternalKind;

pub(crate) use self::names::ExportNames;
use self::names::{Use, new_name};
use self::room::Room;
pub(crate) use self::section::export_names;
use self::section::{ExportSection, encode_length, leb_bytes};

/// An object for which the compiler searches.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Hash, Serialize)]
pub(crate) enum Object {
    Memory(u32),
    Table(u32),
    Global(u32),
}

impl Object {
    fn of(kind: ExternalKind, index: u32) -> Option<Self> {
        match kind {
            ExternalKind::Memory => Some(Self::Memory(index)),
            ExternalKind::Table => Some(Self::Table(index)),
            ExternalKind::Global => Some(Self::Global(index)),
            _ => None,
        }
    }

    /// Appends the kind and the index, as an export has them.
    fn encode(self, bytes: &mut Vec<u8>) {
        let (kind, index) = match self {
            Self::Table(index) => (1, index),
            Self::Memory(index) => (2, index),
            Self::Global(index) => (3, index),
        };
        bytes.push(kind);
        index.encode(bytes);
    }
}

/// The new order of a module's exports.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct ExportOrder {
    /// The objects whose exports come first.
    first: Box<[Object]>,
    /// The positions of the exports that get shorter names. The last of them gets the bytes that remain.
    renamed: Box<[usize]>,
    /// No name in the module begins with it. `None` if there is no such prefix.
    prefix: Option<Box<str>>,
}

fn sum(uses: &[(Object, u64)]) -> u64 {
    let counts = uses.iter().map(|(_, count)| *count);
    counts.fold(0, u64::saturating_add)
}

/// The steps that the compiler's searches take: one step compares one export.
#[derive(Debug)]
pub(crate) struct Searches {
    pub steps: u64,
    /// The order that shortens the searches to this number of steps. `None` for the module's own order.
    pub order: Option<ExportOrder>,
}

/// The number of steps below which the order of the exports is not changed: about five milliseconds.
const FEW_STEPS: u64 = 5_000_000;

impl Searches {
    /// Plans an order for the exports of `wasm` in which the searches for these objects take few steps. `uses` has the
    /// number of searches for each object.
    pub(crate) fn plan(wasm: &[u8], uses: Vec<(Object, u64)>) -> Self {
        let Some(section) = ExportSection::find(wasm) else {
            return Self::through(&uses, 0);
        };
        let as_it_is = Self::through(&uses, section.exports.len());
        if as_it_is.steps < FEW_STEPS {
            return as_it_is;
        }
        let shortened = ExportOrder::plan(&section, uses);
        match shortened {
            Some(shortened) if shortened.steps < as_it_is.steps / 2 => shortened,
            _ => as_it_is,
        }
    }

    /// Returns the searches for these objects in the order of the exports that the module has.
    pub(crate) fn in_own_order(wasm: &[u8], uses: &[(Object, u64)]) -> Self {
        let exports = ExportSection::find(wasm).map_or(0, |section| section.exports.len());
        Self::through(uses, exports)
    }

    /// The searches for these objects, each through this number of exports.
    fn through(uses: &[(Object, u64)], exports: usize) -> Self {
        Self {
            steps: sum(uses).saturating_mul(exports as u64),
            order: None,
        }
    }
}

impl ExportOrder {
    fn plan(section: &ExportSection<'_>, mut uses: Vec<(Object, u64)>) -> Option<Searches> {
        let exports = &section.exports;
        uses.sort_by_key(|(_, count)| Reverse(*count));
        let exported: HashSet<_> = exports.iter().filter_map(|export| export.object).collect();
        let used = uses.iter().map(|(object, _)| *object).collect();
        let mut room = Room::new(section, &used);
        let mut first = Vec::new();
        let mut steps = 0_u64;
        let mut other_searches = sum(&uses);
        let mut best: Option<(u64, usize, usize)> = None;
        for (object, count) in uses {
            if !exported.contains(&object) && !room.take(object) {
                break;
            }
            first.push(object);
            steps = steps.saturating_add(count.saturating_mul(first.len() as u64));
            other_searches = other_searches.saturating_sub(count);
            // A search for an object that is not among the first takes at most all exports.
            let all = (exports.len() + room.hidden) as u64;
            let total = steps.saturating_add(other_searches.saturating_mul(all));
            if best.is_none_or(|(least, ..)| total < least) {
                best = Some((total, first.len(), room.renamed.len()));
            }
        }
        let (steps, objects, renamed) = best?;
        first.truncate(objects);
        room.renamed.truncate(renamed);
        Some(Searches {
            steps,
            order: Some(Self {
                first: first.into(),
                renamed: room.renamed.into(),
                prefix: room.prefix.map(Into::into),
            }),
        })
    }

    /// Returns the module with its exports in this order, and their names. Returns `None` if `wasm` is not the module
    /// that the order was planned for.
    pub(crate) fn apply(&self, wasm: &[u8]) -> Option<(Vec<u8>, ExportNames)> {
        let found = ExportSection::find(wasm)?;
        let count_bytes = found.count_bytes();
        let ExportSection { range, exports } = found;
        let mut own: HashMap<Object, usize> = HashMap::new();
        for (position, export) in exports.iter().enumerate() {
            if let Some(object) = export.object {
                own.entry(object).or_insert(position);
            }
        }
        let is_hidden = |object: &&Object| !own.contains_key(*object);
        let hidden = self.first.iter().filter(is_hidden).count();
        let mut section = Vec::with_capacity(range.len());
        let count = exports.len() + hidden;
        encode_length(count, leb_bytes(count).max(count_bytes), &mut section)?;
        let mut is_first = vec![false; exports.len()];
        let mut hidden_names = 0;
        for object in &self.first {
            if let Some(&position) = own.get(object) {
                is_first[position] = true;
                section.extend_from_slice(exports[position].bytes);
            } else {
                self.new_name(Use::Hidden, hidden_names)
                    .as_str()
                    .encode(&mut section);
                object.encode(&mut section);
                hidden_names += 1;
            }
        }
        let mut new_names = vec![None; exports.len()];
        for (count, &position) in self.renamed.iter().enumerate() {
            *new_names.get_mut(position)? = Some(self.new_name(Use::Renamed, count));
        }
        let size = |position: usize| {
            let export = &exports[position];
            match &new_names[position] {
                None => export.bytes.len(),
                Some(name) => 1 + name.len() + export.end.len(),
            }
        };
        let rest = (0..exports.len()).filter(|position| !is_first[*position]);
        let used = section.len() + rest.clone().map(size).sum::<usize>();
        let left = range.len().checked_sub(used)?;
        let mut renamed = HashMap::new();
        for position in rest {
            let export = &exports[position];
            let Some(mut name) = new_names[position].take() else {
                section.extend_from_slice(export.bytes);
                continue;
            };
            if self.renamed.last() == Some(&position) {
                let length_bytes = export.bytes.len() - export.name.len() - export.end.len();
                let filled = (1 + name.len() + left).checked_sub(length_bytes)?;
                name.extend(std::iter::repeat_n(FILLER, filled.checked_sub(name.len())?));
                encode_length(name.len(), length_bytes, &mut section)?;
                section.extend_from_slice(name.as_bytes());
            } else {
                name.as_str().encode(&mut section);
            }
            section.extend_from_slice(export.end);
            renamed.insert(export.name.into(), name.into());
        }
        let mut reordered = wasm.to_vec();
        let place = reordered.get_mut(range)?;
        if place.len() != section.len() {
            return None;
        }
        place.copy_from_slice(&section);
        let prefix = self.prefix.clone().filter(|_| hidden > 0);
        Some((reordered, ExportNames { prefix, renamed }))
    }

    fn new_name(&self, of: Use, count: usize) -> String {
        new_name(self.prefix.as_deref().unwrap_or_default(), of, count)
    }
}

/// Fills the rest of a name.
const FILLER: char = '.';
