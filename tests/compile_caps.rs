//! What a module may hold, and what it may cost to compile, before it is compiled.

use std::fmt::Write as _;

use ext_wasm::{ModuleLimits, WasmCapabilities, WasmError, WasmErrorCode, WasmState};
use serde_json::json;

use crate::js::Js;

/// Compiles a module in the text format with these limits.
fn compile(limits: &ModuleLimits, source: &[u8]) -> Result<(), WasmError> {
    let mut capabilities = WasmCapabilities::default();
    capabilities.module_limits = limits.clone();
    WasmState::new(capabilities)?.compile(source).map(drop)
}

/// A cap on what a module holds: its name, the field, and a module that holds so much.
type Cap = (
    &'static str,
    fn(&mut ModuleLimits) -> &mut u64,
    u64,
    fn(u64) -> String,
);

fn repeat(n: u64, each: impl Fn(u64) -> String) -> String {
    (0..n).map(each).collect()
}

/// Each has something of `n`, and of nothing else that another cap counts more.
const CAPS: &[Cap] = &[
    (
        "max_types",
        |l| &mut l.max_types,
        3,
        |n| {
            format!(
                "(module {})",
                repeat(n, |i| format!("(type (array (mut (ref null {i}))))"))
            )
        },
    ),
    (
        "max_imports",
        |l| &mut l.max_imports,
        3,
        |n| {
            format!(
                "(module {})",
                repeat(n, |i| format!("(import \"a\" \"{i}\" (global i32))"))
            )
        },
    ),
    (
        "max_exports",
        |l| &mut l.max_exports,
        3,
        |n| {
            format!(
                "(module (func $f) {})",
                repeat(n, |i| format!("(export \"{i}\" (func $f))"))
            )
        },
    ),
    (
        "max_name_bytes",
        |l| &mut l.max_name_bytes,
        20,
        |n| {
            let name = "x".repeat(n as usize - 5);
            format!("(module (import \"abcd\" \"\" (func $f)) (export \"e{name}\" (func $f)))")
        },
    ),
    (
        "max_functions",
        |l| &mut l.max_functions,
        3,
        |n| {
            format!(
                "(module (import \"a\" \"b\" (func)) {})",
                repeat(n - 1, |_| "(func)".to_owned())
            )
        },
    ),
    (
        "max_params",
        |l| &mut l.max_params,
        5,
        |n| format!("(module (func (param {})))", "i32 ".repeat(n as usize)),
    ),
    (
        "max_results",
        |l| &mut l.max_results,
        5,
        |n| {
            format!(
                "(module (func (result {}) unreachable))",
                "i32 ".repeat(n as usize)
            )
        },
    ),
    (
        "max_fields",
        |l| &mut l.max_fields,
        5,
        |n| {
            format!(
                "(module (type (struct {})))",
                "(field i32)".repeat(n as usize)
            )
        },
    ),
    (
        "max_function_body_bytes",
        |l| &mut l.max_function_body_bytes,
        50,
        |n| {
            // The count of locals and the end are bytes too.
            format!("(module (func {}))", "nop ".repeat(n as usize - 2))
        },
    ),
    (
        "max_locals",
        |l| &mut l.max_locals,
        5,
        |n| {
            format!(
                "(module (func (param i32) (local {})))",
                "i64 ".repeat(n as usize - 1)
            )
        },
    ),
    (
        "max_nesting",
        |l| &mut l.max_nesting,
        5,
        |n| {
            format!(
                "(module (func {} {}))",
                "block ".repeat(n as usize),
                "end ".repeat(n as usize)
            )
        },
    ),
    (
        "max_memories",
        |l| &mut l.max_memories,
        3,
        |n| {
            format!(
                "(module (import \"a\" \"b\" (memory 1)) {})",
                "(memory 1)".repeat(n as usize - 1)
            )
        },
    ),
    (
        "max_tables",
        |l| &mut l.max_tables,
        3,
        |n| {
            let tables = "(table 1 funcref)".repeat(n as usize - 1);
            format!("(module (import \"a\" \"b\" (table 1 funcref)) {tables})")
        },
    ),
    (
        "max_globals",
        |l| &mut l.max_globals,
        3,
        |n| {
            let globals = "(global i32 (i32.const 1))".repeat(n as usize - 1);
            format!("(module (import \"a\" \"b\" (global i32)) {globals})")
        },
    ),
    (
        "max_tags",
        |l| &mut l.max_tags,
        3,
        |n| {
            format!(
                "(module (import \"a\" \"b\" (tag)) {})",
                "(tag)".repeat(n as usize - 1)
            )
        },
    ),
    (
        "max_element_segments",
        |l| &mut l.max_element_segments,
        3,
        |n| format!("(module (func $f) {})", "(elem func $f)".repeat(n as usize)),
    ),
    (
        "max_elements",
        |l| &mut l.max_elements,
        4,
        |n| {
            format!(
                "(module (func $f) (elem func $f) (elem func {}))",
                "$f ".repeat(n as usize - 1)
            )
        },
    ),
    (
        "max_data_segments",
        |l| &mut l.max_data_segments,
        3,
        |n| format!("(module {})", "(data \"a\")".repeat(n as usize)),
    ),
    (
        "max_data_bytes",
        |l| &mut l.max_data_bytes,
        10,
        |n| {
            format!(
                "(module (data \"ab\") (data \"{}\"))",
                "x".repeat(n as usize - 2)
            )
        },
    ),
    (
        "max_custom_sections",
        |l| &mut l.max_custom_sections,
        3,
        |n| format!("(module {})", "(@custom \"a\" \"\")".repeat(n as usize)),
    ),
    (
        "max_custom_section_bytes",
        |l| &mut l.max_custom_section_bytes,
        10,
        |n| {
            format!(
                "(module (@custom \"name1\" \"{}\"))",
                "x".repeat(n as usize - 5)
            )
        },
    ),
];

#[test]
fn each_cap_lets_through_what_is_at_it_and_names_itself_above() {
    for &(name, field, cap, module) in CAPS {
        let mut limits = ModuleLimits::default();
        *field(&mut limits) = cap;
        let at = compile(&limits, module(cap).as_bytes());
        assert!(at.is_ok(), "{name}: {at:?}");
        let above = compile(&limits, module(cap + 1).as_bytes()).unwrap_err();
        assert_eq!(above.code, WasmErrorCode::CompileError, "{name}: {above}");
        let told = format!("exceeds the cap of {cap} ({name})");
        assert!(above.message.contains(&told), "{name}: {above}");
        let value = format!(" {} ", cap + 1);
        assert!(above.message.contains(&value), "{name}: {above}");
    }
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
    // What text becomes is a binary like any other.
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

/// Modules that take the compiler seconds, gigabytes or a panic, for some kilobytes each.
fn bombs() -> Vec<(&'static str, String)> {
    let wide = "i64 ".repeat(999);
    let many = |n: u64, each: &str| each.repeat(n as usize);
    let gets = |n: u64| repeat(n, |i| format!("local.get {i} drop "));
    let mut globals = "(module (import \"a\" \"b\" (global $g i32)) ".to_owned();
    globals.push_str(&many(70_000, "(global i32 (global.get $g))"));
    globals.push(')');
    let mut exports = "(module (memory 1) ".to_owned();
    for i in 0..90_000 {
        write!(exports, "(export \"{i}\" (memory 0))").unwrap();
    }
    let accesses = many(200_000, "(drop (i32.load (i32.const 0)))");
    write!(exports, "(func {accesses}))").unwrap();
    vec![
        (
            "wide calls",
            format!(
                "(module (func $f (param {wide}) (result {wide}) unreachable)
                    (func (result {wide}) {} {}))",
                many(999, "i64.const 0 "),
                many(2_000, "call $f ")
            ),
        ),
        ("functions", format!("(module {})", many(100_000, "(func)"))),
        ("globals initialised from imports", globals),
        ("exports of what is accessed", exports),
        (
            "calls",
            format!(
                "(module (import \"a\" \"b\" (func)) (func {}))",
                many(100_000, "call 0 ")
            ),
        ),
        (
            "loops",
            format!("(module (func {}))", many(30_000, "loop end ")),
        ),
        (
            "nested loops",
            format!(
                "(module (func {} {}))",
                many(9_000, "loop "),
                many(9_000, "end ")
            ),
        ),
        (
            "locals across loops",
            format!(
                "(module (func (local {}) {} {}))",
                many(9_000, "i32 "),
                many(9_000, "loop end "),
                gets(9_000)
            ),
        ),
        (
            "branch tables over many results",
            format!(
                "(module (type $t (func (result {wide}))) (func (param i32) (block (type $t) {}) {}))",
                many(
                    10,
                    &format!("unreachable local.get 0 br_table {}", many(60_000, "0 "))
                ),
                many(999, "drop ")
            ),
        ),
        (
            "handlers around calls",
            format!(
                "(module (tag $t) (func (block $b {} {} {})))",
                many(1_000, "try_table (catch $t $b) "),
                many(1_000, "call 0 "),
                many(1_000, "end ")
            ),
        ),
        (
            "elements of an imported table",
            format!(
                "(module (import \"a\" \"b\" (table 1 funcref)) (func $f)
                    (elem (i32.const 0) func {}))",
                many(100_000, "$f ")
            ),
        ),
        (
            "copies of arrays",
            format!(
                "(module (type $a (array (mut i32))) (func (param (ref $a)) {}))",
                many(
                    5_000,
                    "(array.copy $a $a (local.get 0) (i32.const 0) (local.get 0) (i32.const 0)
                        (i32.const 1))"
                )
            ),
        ),
        (
            "segments that make no image",
            format!(
                "(module (memory 100) {})",
                repeat(20_000, |i| format!(
                    "(data (i32.const {}) \"a\")",
                    i % 100 * 65_536
                ))
            ),
        ),
    ]
}

#[test]
fn what_is_hard_to_compile_for_its_size_is_refused_before_it_is() {
    let limits = ModuleLimits::default();
    for (kind, module) in bombs() {
        let binary = wat::parse_str(&module).unwrap();
        let error = compile(&limits, &binary).expect_err(kind);
        assert_eq!(error.code, WasmErrorCode::CompileError, "{kind}: {error}");
        let told = error.message.contains("exceeds the cap of ") && error.message.contains("(max_");
        assert!(told, "{kind}: {error}");
    }
}

#[test]
fn sparse_images_of_many_memories_cost_little() {
    let mut module = "(module ".to_owned();
    for i in 0..100 {
        write!(
            module,
            "(memory 257) (data (memory {i}) (i32.const 0) \"a\")
            (data (memory {i}) (i32.const 16777000) \"b\")"
        )
        .unwrap();
    }
    module.push(')');
    compile(&ModuleLimits::default(), module.as_bytes()).unwrap();
}

#[test]
fn a_message_does_not_carry_the_source() {
    let told = Js::new().run(
        r#"
        const lengths = [];
        for (const source of [
            new Uint8Array(1000),
            new Uint8Array(5e6),
            text("(module (func $" + "x".repeat(100_000) + " (call $y)))"),
            text("(module " + "é".repeat(100_000) + ")"),
            text("(module (import \"" + "n".repeat(50_000) + "\" \"b\" (func (param i33))))"),
        ]) {
            const error = await caught(() => compile(source));
            lengths.push(error.code, error.message.length < 1000);
        }
        return lengths;
        "#,
    );
    assert_eq!(
        told,
        json!([5000, true, 5000, true, 5000, true, 5000, true, 5000, true])
    );
}

#[test]
fn validate_answers_what_is_small_and_says_who_takes_the_rest() {
    let told = Js::new().run(
        r#"
        const told = [validate(text("(module)")), validate(text("(module (func i32.add))"))];
        const large = text("(module (func " + "nop ".repeat(300_000) + "))");
        const wide = "i64 ".repeat(999);
        const costly = text(`(module (type $t (func (result ${wide}))) (func (param i32)
            (block (type $t) unreachable local.get 0 br_table ${"0 ".repeat(20_000)})
            ${"drop ".repeat(999)}))`);
        for (const source of [large, costly]) {
            const error = await caught(() => validate(source));
            told.push(error.code, /\(max_validation_steps\).*validateAsync/.test(error.message));
        }
        told.push(await validateAsync(large), await validateAsync(costly));
        told.push(await validateAsync(text("(module (func i32.add))")));
        return told;
        "#,
    );
    assert_eq!(
        told,
        json!([true, false, 5000, true, 5000, true, true, true, false])
    );
}

/// A signal as browsers have it, which deno_core has not.
const SIGNAL: &str = r#"
    class Signal {
        aborted = false;
        listeners = new Set();
        addEventListener(_, listener) { this.listeners.add(listener); }
        removeEventListener(_, listener) { this.listeners.delete(listener); }
        abort(reason) {
            this.aborted = true;
            this.reason = reason;
            for (const listener of this.listeners) listener();
        }
    }
"#;

#[test]
fn a_signal_gives_up_waiting() {
    let told = Js::new().run(&format!(
        r#"{SIGNAL}
        const told = [];
        const reason = {{ why: "no longer needed" }};
        const before = new Signal();
        before.abort(reason);
        const early = await caught(() => compile(text("(module)"), {{ signal: before }}));
        told.push(early.code, early.cause === reason);

        // Enough that some are still in line when the signal is aborted, however many cores there are.
        const sources = Array.from({{ length: 400 }}, (_, i) =>
            text(`(module ${{"(func (loop (br_if 0 (i32.const " + i + "))))".repeat(100)}})`));
        const signal = new Signal();
        const all = Promise.allSettled(sources.map((source) => compile(source, {{ signal }})));
        signal.abort(reason);
        const failed = (await all).filter(({{ status }}) => status === "rejected");
        told.push(failed.length > 0);
        told.push(failed.every(({{ reason: error }}) => error.code === 5000 && error.cause === reason));
        told.push(signal.listeners.size);
        // What was given up is not in the way of others.
        await compile(text("(module (memory 3))"));

        const validated = await caught(() => validateAsync(text("(module)"), {{ signal }}));
        told.push(validated.code, validated.cause === reason);
        const file = await caught(() => compileFile("missing", {{ signal }}));
        told.push(file.code, file.cause === reason);
        return told;
        "#
    ));
    assert_eq!(
        told,
        json!([5000, true, true, true, 0, 5000, true, 5000, true])
    );
}

#[test]
fn a_signal_is_an_own_property() {
    let told = Js::new().run(&format!(
        r#"{SIGNAL}
        const signal = new Signal();
        signal.abort("inherited");
        return [
            await codeOf(() => compile(text("(module)"), Object.create({{ signal }}))),
            await codeOf(() => compile(text("(module)"), {{ signal: 7 }})),
            await codeOf(() => compile(text("(module)"), 7)),
        ];
        "#
    ));
    assert_eq!(told, json!([5005, 5005, 5005]));
}

#[test]
fn too_many_compiles_at_once_are_refused() {
    let mut capabilities = WasmCapabilities::default();
    capabilities.max_pending_compiles = 10;
    let told = Js::with(capabilities).run(
        r#"
        const all = await Promise.allSettled(Array.from({ length: 100 }, (_, i) =>
            compile(text(`(module (memory ${i}) ${"(func (loop))".repeat(300)})`))));
        const failed = all.filter(({ status }) => status === "rejected");
        const named = failed.every(({ reason }) =>
            reason.code === 5000 && reason.message.includes("cap of 10 (max_pending_compiles)"));
        // One after another there is no cap.
        for (let i = 0; i < 20; i++) await compile(text(`(module (memory ${i}))`));
        return [failed.length > 0, named];
        "#,
    );
    assert_eq!(told, json!([true, true]));
}
