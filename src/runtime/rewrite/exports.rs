//! Moves the exports that the compiler searches for to the front of the list.
//!
//! At each access to a memory, a table or a global, Cranelift (wasmtime 48) compares the exports with the object, one
//! after another, to find out whether other modules may access it too. It ends at the first export of the object. If
//! there is none, it compares all exports: for DuckDB, which has 75,111, that takes longer than the rest of its
//! compilation (bytecodealliance/wasmtime#13552).
//!
//! So the exports of the objects with the most accesses become the first in the list, and objects that are not
//! exported get a hidden export. The code section keeps its place in the binary, since stack traces have offsets into
//! it: the bytes for hidden exports come from exported functions, which get shorter names. [`ExportNames`] knows the
//! names; the module's own list of exports remains the one of the original binary.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

use wasm_encoder::Encode as _;
use wasmparser::{ExportSectionReader, ExternalKind, Parser, Payload};

/// An object for which the compiler searches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
#[derive(Debug)]
pub(crate) struct ExportOrder {
    /// The objects whose exports come first.
    first: Box<[Object]>,
    /// The exported functions that get shorter names, by the positions of their exports. The first of them gets the
    /// bytes that remain.
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
        let searches = sum(&uses);
        let own_order = |exports: u64| Self {
            steps: searches.saturating_mul(exports),
            order: None,
        };
        let Some(ExportSection { exports, .. }) = ExportSection::find(wasm) else {
            return own_order(0);
        };
        let as_it_is = own_order(exports.len() as u64);
        if as_it_is.steps < FEW_STEPS {
            return as_it_is;
        }
        let shortened = ExportOrder::plan(&exports, uses);
        match shortened {
            Some(shortened) if shortened.steps < as_it_is.steps / 2 => shortened,
            _ => as_it_is,
        }
    }
}

impl ExportOrder {
    fn plan(exports: &[Export<'_>], mut uses: Vec<(Object, u64)>) -> Option<Searches> {
        uses.sort_by_key(|(_, count)| Reverse(*count));
        let exported: HashSet<_> = exports.iter().filter_map(|export| export.object).collect();
        let mut room = Room::new(exports);
        let mut first = Vec::new();
        let mut hidden = 0;
        let mut steps = 0_u64;
        let mut other_searches = sum(&uses);
        let mut best: Option<(u64, usize, usize)> = None;
        for (object, count) in uses {
            if !exported.contains(&object) {
                if !room.take(object, exports.len() + hidden + 1) {
                    break;
                }
                hidden += 1;
            }
            first.push(object);
            steps = steps.saturating_add(count.saturating_mul(first.len() as u64));
            other_searches = other_searches.saturating_sub(count);
            // A search for an object that is not among the first takes at most all exports.
            let all = (exports.len() + hidden) as u64;
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
        let ExportSection { range, exports } = ExportSection::find(wasm)?;
        let mut own: HashMap<Object, usize> = HashMap::new();
        for (position, export) in exports.iter().enumerate() {
            if let Some(object) = export.object {
                own.entry(object).or_insert(position);
            }
        }
        let is_hidden = |object: &&Object| !own.contains_key(*object);
        let hidden = self.first.iter().filter(is_hidden).count();
        let mut names = Names::new(self.prefix.as_deref().unwrap_or_default());
        let mut section = Vec::with_capacity(range.len());
        if hidden == 0 {
            let first = exports.first()?.start;
            section.extend_from_slice(wasm.get(range.start..first)?);
        } else {
            u32::try_from(exports.len() + hidden)
                .ok()?
                .encode(&mut section);
        }
        let mut is_first = vec![false; exports.len()];
        for object in &self.first {
            if let Some(&position) = own.get(object) {
                is_first[position] = true;
                section.extend_from_slice(exports[position].bytes);
            } else {
                names.next()?.as_str().encode(&mut section);
                object.encode(&mut section);
            }
        }
        let mut new_names = vec![None; exports.len()];
        for &position in &self.renamed {
            *new_names.get_mut(position)? = Some(names.next()?);
        }
        let filled = self.renamed.first();
        let size = |position: usize| match &new_names[position] {
            None => exports[position].bytes.len(),
            Some(name) if filled == Some(&position) => {
                WIDEST_LENGTH + name.len() + exports[position].end.len()
            }
            Some(name) => 1 + name.len() + exports[position].end.len(),
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
            if filled == Some(&position) {
                name.extend(std::iter::repeat_n(FILLER, left));
                encode_widest(u32::try_from(name.len()).ok()?, &mut section);
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
}

/// The names that a module's exports have in its reordered binary.
#[derive(Debug, Default)]
pub(crate) struct ExportNames {
    /// The prefix of all new names. The module itself has no name that begins with it.
    prefix: Option<Box<str>>,
    renamed: HashMap<Box<str>, Box<str>>,
}

impl ExportNames {
    /// Returns the name in the reordered binary of the module's export `name`. Returns `None` for names of hidden
    /// exports, which nobody else may use.
    pub(crate) fn resolve<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        let Some(prefix) = &self.prefix else {
            return Some(name);
        };
        if name.starts_with(&**prefix) {
            return None;
        }
        Some(self.renamed.get(name).map_or(name, |new| &**new))
    }
}

/// Returns the names of a module's exports, in its order.
pub(crate) fn export_names(wasm: &[u8]) -> Vec<&str> {
    let exports = ExportSection::find(wasm).map_or_else(Vec::new, |section| section.exports);
    exports.into_iter().map(|export| export.name).collect()
}

/// One entry of the export section.
struct Export<'a> {
    name: &'a str,
    /// `None` for functions and tags, for which the compiler does not search.
    object: Option<Object>,
    is_function: bool,
    /// Where the entry starts in the binary.
    start: usize,
    bytes: &'a [u8],
    /// The bytes after the name.
    end: &'a [u8],
}

/// The export section of a module.
struct ExportSection<'a> {
    /// The place of its contents in the binary.
    range: Range<usize>,
    exports: Vec<Export<'a>>,
}

impl<'a> ExportSection<'a> {
    fn find(wasm: &'a [u8]) -> Option<Self> {
        let found = Parser::new(0)
            .parse_all(wasm)
            .find_map(|payload| match payload {
                Err(_) | Ok(Payload::CodeSectionStart { .. } | Payload::End(_)) => Some(None),
                Ok(Payload::ExportSection(exports)) => Some(Some(exports)),
                Ok(_) => None,
            });
        Self::read(wasm, found??)
    }

    fn read(wasm: &'a [u8], section: ExportSectionReader<'a>) -> Option<Self> {
        let range = section.range();
        let mut exports: Vec<Export<'a>> = Vec::new();
        for export in section.into_iter_with_offsets() {
            let (start, export) = export.ok()?;
            exports.push(Export {
                name: export.name,
                object: Object::of(export.kind, export.index),
                is_function: export.kind == ExternalKind::Func,
                start,
                bytes: &[],
                end: &[],
            });
        }
        let mut end = range.end;
        for export in exports.iter_mut().rev() {
            export.bytes = wasm.get(export.start..end)?;
            let name_end = export.name.as_bytes().as_ptr_range().end.addr();
            let place = name_end.checked_sub(export.bytes.as_ptr().addr())?;
            export.end = export.bytes.get(place..)?;
            end = export.start;
        }
        Some(Self { range, exports })
    }
}

/// The number of bytes for a length of any size.
const WIDEST_LENGTH: usize = 5;

fn encode_widest(length: u32, bytes: &mut Vec<u8>) {
    for group in 0..WIDEST_LENGTH - 1 {
        bytes.push((length >> (7 * group)) as u8 | 0x80);
    }
    bytes.push((length >> 28) as u8);
}

/// Fills the rest of a name.
const FILLER: char = '.';

/// The bytes for hidden exports.
struct Room<'a> {
    exports: &'a [Export<'a>],
    prefix: Option<String>,
    /// The functions that may get shorter names, the longest name first.
    functions: std::vec::IntoIter<usize>,
    renamed: Vec<usize>,
    /// The bytes that shorter names have left.
    left: usize,
    /// The number of bytes for the number of exports.
    count_bytes: usize,
}

impl<'a> Room<'a> {
    fn new(exports: &'a [Export<'a>]) -> Self {
        let functions = exports
            .iter()
            .enumerate()
            .filter(|(_, export)| export.is_function);
        let mut functions: Vec<_> = functions.map(|(position, _)| position).collect();
        functions.sort_by_key(|position| Reverse(exports[*position].name.len()));
        Self {
            exports,
            prefix: unused_prefix(exports),
            functions: functions.into_iter(),
            renamed: Vec::new(),
            left: 0,
            count_bytes: leb_bytes(exports.len()),
        }
    }

    /// Takes the bytes for a hidden export of `object`. `exports` is the number of exports with it. Returns whether
    /// there are enough.
    fn take(&mut self, object: Object, exports: usize) -> bool {
        let Some(prefix) = &self.prefix else {
            return false;
        };
        let mut entry = Vec::new();
        object.encode(&mut entry);
        let name = 1 + prefix.len() + DIGITS;
        let count = leb_bytes(exports);
        let wanted = entry.len() + name + (count - self.count_bytes);
        while self.left < wanted {
            let Some(position) = self.functions.next() else {
                return false;
            };
            let export = &self.exports[position];
            let shortened = if self.renamed.is_empty() {
                name - 1 + WIDEST_LENGTH
            } else {
                name
            };
            let Some(saved) = (export.bytes.len() - export.end.len()).checked_sub(shortened) else {
                return false;
            };
            if saved == 0 {
                return false;
            }
            self.renamed.push(position);
            self.left += saved;
        }
        self.left -= wanted;
        self.count_bytes = count;
        true
    }
}

/// The number of digits of a new name. A module has fewer new names than it has bytes.
const DIGITS: usize = 4;

/// Makes new names.
struct Names<'a> {
    prefix: &'a str,
    count: u32,
}

impl<'a> Names<'a> {
    fn new(prefix: &'a str) -> Self {
        Self { prefix, count: 0 }
    }

    fn next(&mut self) -> Option<String> {
        const SYMBOLS: &[u8; 64] =
            b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_";
        let mut name = self.prefix.to_owned();
        for digit in 0..DIGITS {
            name.push(SYMBOLS[(self.count >> (6 * digit)) as usize % SYMBOLS.len()].into());
        }
        self.count += 1;
        (self.count <= 1 << (6 * DIGITS)).then_some(name)
    }
}

/// Returns a prefix of one or two characters with which no name begins.
fn unused_prefix(exports: &[Export<'_>]) -> Option<String> {
    let mut begins = [false; 128];
    let mut begins_with_two = vec![[false; 128]; 128];
    for export in exports {
        match *export.name.as_bytes() {
            [a, b, ..] if a < 128 && b < 128 => {
                begins[usize::from(a)] = true;
                begins_with_two[usize::from(a)][usize::from(b)] = true;
            }
            [a, ..] if a < 128 => begins[usize::from(a)] = true,
            _ => {}
        }
    }
    let character = |index: usize| u8::try_from(index).map(char::from).ok();
    if let Some(free) = begins.iter().position(|used| !used) {
        return Some(character(free)?.into());
    }
    begins_with_two
        .iter()
        .enumerate()
        .find_map(|(first, seconds)| {
            let second = seconds.iter().position(|used| !used)?;
            Some([character(first)?, character(second)?].iter().collect())
        })
}

fn leb_bytes(number: usize) -> usize {
    let bits = usize::BITS - (number | 1).leading_zeros();
    bits.div_ceil(7) as usize
}
