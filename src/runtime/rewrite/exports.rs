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
        let searches = sum(&uses);
        let own_order = |exports: u64| Self {
            steps: searches.saturating_mul(exports),
            order: None,
        };
        let Some(section) = ExportSection::find(wasm) else {
            return own_order(0);
        };
        let as_it_is = own_order(section.exports.len() as u64);
        if as_it_is.steps < FEW_STEPS {
            return as_it_is;
        }
        let shortened = ExportOrder::plan(&section, uses);
        match shortened {
            Some(shortened) if shortened.steps < as_it_is.steps / 2 => shortened,
            _ => as_it_is,
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

/// The use of a new name.
#[derive(Clone, Copy)]
enum Use {
    /// An object that the module does not export.
    Hidden,
    /// An export of the module with a longer name.
    Renamed,
}

/// Returns the new name with this number. The first ones are the shortest.
fn new_name(prefix: &str, of: Use, count: usize) -> String {
    const SYMBOLS: &[u8; 64] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_";
    let mut name = prefix.to_owned();
    let mut number = 2 * count + usize::from(matches!(of, Use::Renamed));
    loop {
        name.push(SYMBOLS[number % SYMBOLS.len()].into());
        number /= SYMBOLS.len();
        if number == 0 {
            return name;
        }
        // So that no name is another one with zeros at its end.
        number -= 1;
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

    /// Returns the number of bytes of the number of exports.
    fn count_bytes(&self) -> usize {
        let end = self
            .exports
            .first()
            .map_or(self.range.end, |export| export.start);
        end - self.range.start
    }

    fn read(wasm: &'a [u8], section: ExportSectionReader<'a>) -> Option<Self> {
        let range = section.range();
        let mut exports: Vec<Export<'a>> = Vec::new();
        for export in section.into_iter_with_offsets() {
            let (start, export) = export.ok()?;
            exports.push(Export {
                name: export.name,
                object: Object::of(export.kind, export.index),
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

/// Fills the rest of a name.
const FILLER: char = '.';

/// Appends the length of a name or of the list in so many bytes, if that is enough.
fn encode_length(mut length: usize, bytes: usize, section: &mut Vec<u8>) -> Option<()> {
    for byte in 1..=bytes {
        let more = if byte < bytes { 0x80 } else { 0 };
        section.push((length & 0x7f) as u8 | more);
        length >>= 7;
    }
    (length == 0).then_some(())
}

/// The bytes for hidden exports.
struct Room<'a> {
    exports: &'a [Export<'a>],
    /// The number of bytes of the number of exports.
    count_bytes: usize,
    prefix: Option<String>,
    /// The exports that may get shorter names, the longest name first.
    renameable: std::vec::IntoIter<usize>,
    renamed: Vec<usize>,
    /// The number of hidden exports.
    hidden: usize,
    /// The bytes that shorter names have left.
    left: usize,
    /// The bytes that have to remain: the length of the last renamed export's name takes as many bytes as before, which
    /// is more than the one byte of a short name.
    reserved: usize,
}

impl<'a> Room<'a> {
    fn new(section: &'a ExportSection<'a>, used: &HashSet<Object>) -> Self {
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
    fn take(&mut self, object: Object) -> bool {
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

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use wasmparser::Validator;

    use super::*;

    /// A module with these exports, an unexported memory, table and global, and a function.
    fn module(exports: &str) -> Vec<u8> {
        let module = format!(
            "(module (func $f) (memory $m 1) (table $t 1 funcref) (global $g (mut i32) (i32.const 0))
                (global $shown (mut i32) (i32.const 0)) (tag $tag) {exports}
                (func (drop (i32.load (global.get $g)))))"
        );
        wat::parse_str(module).unwrap()
    }

    fn functions(count: usize, name: impl Fn(usize) -> String) -> String {
        (0..count).fold(String::new(), |mut exports, i| {
            write!(exports, "(export {:?} (func $f))", name(i)).unwrap();
            exports
        })
    }

    /// Each of the three unexported objects is used more than the exported global.
    fn uses() -> Vec<(Object, u64)> {
        vec![
            (Object::Global(1), 1_000_000),
            (Object::Memory(0), 5_000_000),
            (Object::Table(0), 3_000_000),
            (Object::Global(0), 4_000_000),
        ]
    }

    fn entries(wasm: &[u8]) -> Vec<(String, ExternalKind, u32)> {
        let section = Parser::new(0).parse_all(wasm).find_map(|payload| {
            let Ok(Payload::ExportSection(section)) = payload else {
                return None;
            };
            Some(section)
        });
        let exports = section.unwrap().into_iter().map(Result::unwrap);
        exports
            .map(|export| (export.name.to_owned(), export.kind, export.index))
            .collect()
    }

    fn code_section(wasm: &[u8]) -> Range<usize> {
        let found = Parser::new(0)
            .parse_all(wasm)
            .find_map(|payload| match payload {
                Ok(Payload::CodeSectionStart { range, .. }) => Some(range),
                _ => None,
            });
        found.unwrap()
    }

    /// Reorders a module and checks that nothing but the list of exports differs.
    fn reorder(wasm: &[u8]) -> (Vec<(String, ExternalKind, u32)>, ExportNames) {
        let Searches { steps, order } = Searches::plan(wasm, uses());
        assert_eq!(
            steps,
            5_000_000 + 2 * 4_000_000 + 3 * 3_000_000 + 4 * 1_000_000
        );
        let (reordered, names) = order.unwrap().apply(wasm).unwrap();
        assert_eq!(reordered.len(), wasm.len());
        assert_eq!(code_section(&reordered), code_section(wasm));
        Validator::new().validate_all(&reordered).unwrap();
        let after = entries(&reordered);
        for (name, kind, index) in entries(wasm) {
            let new = names.resolve(&name).unwrap();
            assert!(after.contains(&(new.to_owned(), kind, index)), "{name}");
        }
        (after, names)
    }

    #[test]
    fn objects_come_first_by_the_number_of_their_accesses() {
        let names = functions(2_000, |i| format!("a function with a long name {i}"));
        let wasm = module(&format!("{names} (export \"shown\" (global $shown))"));
        let (after, names) = reorder(&wasm);
        let first: Vec<_> = after[..4]
            .iter()
            .map(|(_, kind, index)| (*kind, *index))
            .collect();
        assert_eq!(
            first,
            [
                (ExternalKind::Memory, 0),
                (ExternalKind::Global, 0),
                (ExternalKind::Table, 0),
                (ExternalKind::Global, 1),
            ]
        );
        assert_eq!(after.len(), 2_004);
        assert_eq!(after[3].0, "shown");
        for (name, ..) in &after[..3] {
            assert_eq!(names.resolve(name), None, "{name:?}");
        }
        assert_eq!(names.resolve("nothing"), Some("nothing"));
    }

    #[test]
    fn names_of_any_length_make_room() {
        let shown = "(export \"shown\" (global $shown))";
        for length in [
            4, 5, 126, 127, 128, 129, 130, 131, 300, 16_383, 16_384, 16_400,
        ] {
            let names = functions(1_500, |i| format!("{i:.>length$}"));
            reorder(&module(&format!("{shown} {names}")));
        }
        // The number of exports takes one more byte with the hidden ones.
        let names = functions(16_382, |i| format!("{i:.>6}"));
        reorder(&module(&format!("{shown} {names}")));
        let tags: String = (0..2_000)
            .map(|i| format!("(export \"tag {i}\" (tag $tag))"))
            .collect();
        reorder(&module(&format!("{shown} {tags}")));
    }

    #[test]
    fn hidden_exports_may_take_all_bytes_of_a_name() {
        for hidden in 26..=32 {
            let globals = "(global (mut i32) (i32.const 0))".repeat(hidden);
            // A hidden export takes five bytes, and a name of two bytes remains.
            let length = 5 * hidden + 1;
            let names = functions(1_500, |i| format!("{i:.>length$}"));
            let wasm = module(&format!("{globals} {names}"));
            let uses = (2..2 + hidden as u32).map(|index| (Object::Global(index), 1_000_000));
            let Searches { order, .. } = Searches::plan(&wasm, uses.collect());
            let order = order.unwrap();
            assert_eq!(order.first.len(), hidden);
            let (reordered, _) = order.apply(&wasm).expect("the exports have room");
            Validator::new().validate_all(&reordered).unwrap();
        }
    }

    #[test]
    fn a_prefix_that_the_module_uses_is_not_taken() {
        let shown = "(export \"shown\" (global $shown))";
        let mut names = functions(128, |i| char::from(i as u8).to_string());
        names += &functions(128, |i| format!("\0{}", char::from(i as u8)));
        names += &functions(1_000, |i| format!("a name {i}"));
        let escaped = names.replace("\\0", "\\00").replace("\\'", "'");
        let escaped = escaped.replace("\\u{7f}", "\\7f");
        let wasm = module(&format!("{shown} {escaped}"));
        let (_, names) = reorder(&wasm);
        assert_eq!(names.prefix.as_deref(), Some("\u{1}\0"));
    }

    #[test]
    fn what_has_no_room_stays_as_it_is() {
        // Names of two bytes cannot become shorter, and WASI needs the name of a memory.
        let two = |i: usize| {
            format!(
                "{}{}",
                char::from(b'!' + (i / 60) as u8),
                char::from(b'A' + (i % 60) as u8)
            )
        };
        let names = functions(3_000, two)
            .replace("\\\\", "\\5c")
            .replace("\\\"", "\\22");
        let Searches { steps, order } =
            Searches::plan(&module(&names), vec![(Object::Memory(0), 5_000_000)]);
        assert_eq!((steps, order.is_none()), (3_000 * 5_000_000, true));
        let memories: String = (0..2_000)
            .map(|i| format!("(export \"memory {i}\" (memory $m))"))
            .collect();
        let Searches { order, .. } =
            Searches::plan(&module(&memories), vec![(Object::Global(0), 5_000_000)]);
        assert!(order.is_none());
    }

    #[test]
    fn few_accesses_change_nothing() {
        let wasm = module(&functions(1_000, |i| format!("function {i}")));
        let Searches { steps, order } = Searches::plan(&wasm, vec![(Object::Memory(0), 4_999)]);
        assert_eq!((steps, order.is_none()), (4_999_000, true));
        let Searches { order, .. } = Searches::plan(&wasm, vec![(Object::Memory(0), 5_001)]);
        assert!(order.is_some());
    }

    #[test]
    fn rarely_used_objects_do_not_displace_others() {
        let globals = "(global (mut i32) (i32.const 0))".repeat(3_000);
        let wasm = module(&format!(
            "{globals} {}",
            functions(1_000, |i| format!("a function {i}"))
        ));
        let mut uses: Vec<_> = (0..3_000).map(|index| (Object::Global(index), 1)).collect();
        uses.push((Object::Memory(0), 1_000_000));
        let Searches { steps, order } = Searches::plan(&wasm, uses);
        assert!(steps < 1_000_000 + 3_000 * 2_000, "{steps}");
        let (reordered, _) = order.unwrap().apply(&wasm).unwrap();
        assert_eq!(entries(&reordered)[0].1, ExternalKind::Memory);
    }
}
