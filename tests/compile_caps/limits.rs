//! Caps on the contents of a module.

use ext_wasm::{ModuleLimits, WasmCapabilities, WasmErrorCode, WasmState};

use super::{compile, exceeded};

/// A cap on one kind of content.
struct Cap {
    name: &'static str,
    field: fn(&mut ModuleLimits) -> &mut u64,
    cap: u64,
    before: &'static str,
    /// The text that is repeated. `{i}` stands for the number of the repetition.
    each: &'static str,
    /// How many items the rest of the module has.
    others: u64,
    /// The end of each item. All ends come after the last item.
    end: &'static str,
    after: &'static str,
}

impl Cap {
    /// A module with `count` items, and few enough of everything else for the other caps.
    fn module(&self, count: u64) -> String {
        let each = (0..count - self.others).map(|i| self.each.replace("{i}", &i.to_string()));
        let (each, end) = (each.collect::<String>(), self.end.repeat(count as usize));
        format!("{}{each}{end}{}", self.before, self.after)
    }
}

macro_rules! caps {
    ($($name:ident $cap:literal: $others:literal, $before:literal $each:literal $($end:literal)? => $after:literal;)*) => {
        [$(Cap {
            name: stringify!($name),
            field: |limits| &mut limits.$name,
            cap: $cap,
            before: $before,
            each: $each,
            others: $others,
            end: concat!($($end)?),
            after: $after,
        }),*]
    };
}

const CAPS: [Cap; 21] = caps! {
    max_types 3: 0, "(module " "(type (array (mut (ref null {i}))))" => ")";
    max_imports 3: 0, "(module " r#"(import "a" "{i}" (global i32))"# => ")";
    max_exports 3: 0, "(module (func $f) " r#"(export "{i}" (func $f))"# => ")";
    max_name_bytes 20: 5, r#"(module (import "abcd" "" (func $f)) (export "e"# "x" => r#"" (func $f)))"#;
    max_functions 3: 1, r#"(module (import "a" "b" (func)) "# "(func)" => ")";
    max_params 5: 0, "(module (func (param " "i32 " => ")))";
    max_results 5: 0, "(module (func (result " "i32 " => ") unreachable))";
    max_fields 5: 0, "(module (type (struct " "(field i32)" => ")))";
    // The count of locals and the end are bytes too.
    max_function_body_bytes 50: 2, "(module (func " "nop " => "))";
    max_locals 5: 1, "(module (func (param i32) (local " "i64 " => ")))";
    max_nesting 5: 0, "(module (func " "block " "end " => "))";
    max_memories 3: 1, r#"(module (import "a" "b" (memory 1)) "# "(memory 1)" => ")";
    max_tables 3: 1, r#"(module (import "a" "b" (table 1 funcref)) "# "(table 1 funcref)" => ")";
    max_globals 3: 1, r#"(module (import "a" "b" (global i32)) "# "(global i32 (i32.const 1))" => ")";
    max_tags 3: 1, r#"(module (import "a" "b" (tag)) "# "(tag)" => ")";
    max_element_segments 3: 0, "(module (func $f) " "(elem func $f)" => ")";
    max_elements 4: 1, "(module (func $f) (elem func $f) (elem func " "$f " => "))";
    max_data_segments 3: 0, "(module " r#"(data "a")"# => ")";
    max_data_bytes 10: 2, r#"(module (data "ab") (data ""# "x" => r#""))"#;
    max_custom_sections 3: 0, "(module " r#"(@custom "a" "")"# => ")";
    max_custom_section_bytes 10: 5, r#"(module (@custom "name1" ""# "x" => r#""))"#;
};

#[test]
fn a_module_at_a_cap_compiles_and_one_above_names_the_cap() {
    for held in CAPS {
        let Cap {
            name, field, cap, ..
        } = held;
        let mut limits = ModuleLimits::default();
        *field(&mut limits) = cap;
        let at = compile(&limits, held.module(cap).as_bytes());
        assert!(at.is_ok(), "{name}: {at:?}");
        let above = compile(&limits, held.module(cap + 1).as_bytes()).unwrap_err();
        assert_eq!(above.code, WasmErrorCode::CompileError, "{name}: {above}");
        let expected = format!("exceeds the cap of {cap} ({name})");
        assert!(above.message.contains(&expected), "{name}: {above}");
        let value = format!(" {} ", cap + 1);
        assert!(above.message.contains(&value), "{name}: {above}");
        assert_eq!(exceeded(&limits, held.module(cap).as_bytes()), []);
        assert_eq!(
            exceeded(&limits, held.module(cap + 1).as_bytes()),
            [(name, cap + 1, cap)]
        );
    }
}

#[test]
fn all_exceeded_limits_are_known_at_once() {
    let mut limits = ModuleLimits::default();
    let text = b"(module (memory 1) (memory 1) (global i32 (i32.const 0)) (func (block)))";
    let binary = wat::parse_bytes(text).unwrap();
    (limits.max_memories, limits.max_globals) = (1, 0);
    let both = [("max_memories", 2, 1), ("max_globals", 1, 0)];
    assert_eq!(exceeded(&limits, text), both);
    assert_eq!(exceeded(&limits, &binary), both);
    (limits.max_text_bytes, limits.max_text_nesting) = (10, 2);
    let size = text.len() as u64;
    let of_text = [("max_text_bytes", size, 10), ("max_text_nesting", 3, 2)];
    assert_eq!(exceeded(&limits, text), of_text);
    assert_eq!(exceeded(&limits, &binary), both);
    limits = ModuleLimits::default();
    limits.max_compile_ms = 0;
    limits.max_compile_ns_per_byte = 0;
    limits.max_compile_bytes = 0;
    limits.max_compile_bytes_per_byte = 0;
    let costs = exceeded(&limits, text);
    let names: Vec<&str> = costs.iter().map(|(name, ..)| *name).collect();
    assert_eq!(names, ["max_compile_ms", "max_compile_bytes"]);
    // The values of the module are enough.
    (limits.max_compile_ms, limits.max_compile_bytes) = (costs[0].1, costs[1].1);
    assert_eq!(exceeded(&limits, text), []);
    assert!(compile(&limits, text).is_ok());
    assert!(
        WasmState::new(WasmCapabilities::default())
            .unwrap()
            .exceeded_limits(b"(module")
            .is_err()
    );
}

#[test]
fn sizes_of_sources_are_capped_by_format() {
    let text = "(module (func))";
    let binary = wat::parse_str(text).unwrap();
    let mut limits = ModuleLimits::default();
    limits.max_text_bytes = text.len() as u64;
    limits.max_binary_bytes = binary.len() as u64;
    assert!(compile(&limits, text.as_bytes()).is_ok());
    assert!(compile(&limits, &binary).is_ok());
    let refused = |limits: &ModuleLimits, source: &[u8], name: &str| {
        let message = compile(limits, source).unwrap_err().message;
        assert!(message.contains(&format!("({name})")), "{message}");
    };
    refused(&limits, format!("{text} ").as_bytes(), "max_text_bytes");
    limits.max_binary_bytes -= 1;
    refused(&limits, &binary, "max_binary_bytes");
    // The binary that is made of a text is under the cap of binaries too.
    refused(&limits, text.as_bytes(), "max_binary_bytes");
    limits = ModuleLimits::default();
    limits.max_text_nesting = 5;
    let blocks = |n: usize| {
        let (begin, end) = ("block ".repeat(n), "end ".repeat(n));
        format!("(module (func {begin} {end}) (func (block (block (block)))))")
    };
    assert!(compile(&limits, blocks(3).as_bytes()).is_ok());
    refused(&limits, blocks(4).as_bytes(), "max_text_nesting");
    limits.max_text_nesting = 4;
    refused(
        &limits,
        b"(module (func (block (block (block)))))",
        "max_text_nesting",
    );
}

#[test]
fn estimates_are_capped_for_each_byte_too() {
    let module = b"(module (func (loop)))";
    let mut limits = ModuleLimits::default();
    limits.max_compile_ms = 0;
    limits.max_compile_ns_per_byte = 0;
    let error = compile(&limits, module).unwrap_err();
    assert!(
        error
            .message
            .contains("max_compile_ms and max_compile_ns_per_byte"),
        "{error}"
    );
    limits.max_compile_ns_per_byte = 1_000_000;
    assert!(compile(&limits, module).is_ok());
    limits.max_compile_bytes = 0;
    limits.max_compile_bytes_per_byte = 0;
    let error = compile(&limits, module).unwrap_err();
    assert!(
        error
            .message
            .contains("max_compile_bytes and max_compile_bytes_per_byte"),
        "{error}"
    );
    limits.max_compile_bytes_per_byte = 1_000_000;
    assert!(compile(&limits, module).is_ok());
}
