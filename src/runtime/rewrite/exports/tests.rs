use std::fmt::Write as _;
use std::ops::Range;

use wasmparser::{Parser, Payload, Validator};

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
