//! Modules with legacy exceptions, which are compiled with the standard ones.

use conformance::fuzz::legacy_exceptions::interpreter::{self, Exception, Outcome};
use conformance::fuzz::legacy_exceptions::{Program, text, trace};
use ext_wasm::{WasmCapabilities, WasmErrorCode, WasmState};
use serde_json::{Value, json};

use crate::support::js::Js;

/// The most instructions that a call of a random program may take.
const STEPS: u32 = 20_000;

/// How calls of a random program's `run` and `catch` end, as the script below says it.
fn expected(program: &Program, argument: i32) -> Option<[Value; 2]> {
    let run = interpreter::run(program, argument, STEPS)?;
    Some(match run.outcome {
        Outcome::Returned(value) => [json!([value, run.trace]), json!([value, run.trace])],
        Outcome::Threw(Exception::Tag(tag, values)) => {
            // The last value is on top of the stack.
            let marks = values.iter().rev();
            let caught = marks.fold(run.trace, |before, value| trace(before, *value));
            let number = text::CAUGHT + tag as i32;
            [json!(["exception", run.trace]), json!([number, caught])]
        }
        Outcome::Threw(Exception::Host) => [json!(["host", run.trace]), json!(["host", run.trace])],
        Outcome::Trapped => [json!(["trap", run.trace]), json!(["trap", run.trace])],
    })
}

/// Runs random programs, and compares them with an interpreter that follows the rules of the proposal. On V8, its own
/// `WebAssembly` runs them too. `EXT_WASM_PROGRAMS` says how many.
#[test]
fn random_programs_end_as_the_proposal_says() {
    let count = std::env::var("EXT_WASM_PROGRAMS").map_or(400, |count| count.parse().unwrap());
    let arguments = [0, 1, 2, -7];
    let is_v8 = cfg!(feature = "v8");
    let mut kinds = [0; 4];
    let mut js = Js::new();
    for seed in 0..count {
        let program = Program::of_seed(seed);
        let runs = arguments.map(|argument| expected(&program, argument));
        let Some(runs) = runs.into_iter().collect::<Option<Vec<_>>>() else {
            continue;
        };
        for run in &runs {
            let kind = ["exception", "host", "trap"].map(|kind| run[0][0] == kind);
            kinds[kind.iter().position(|is| *is).unwrap_or(3)] += 1;
        }
        let module = text::module(&program);
        let binary = wat::parse_str(&module).unwrap();
        let by_engine = js.run(&format!(
            "const [binary, arguments_, isV8] = [new Uint8Array({binary:?}), {arguments:?}, {is_v8}];\n{RUN_PROGRAM}"
        ));
        for (engine, seen) in by_engine.as_object().unwrap() {
            assert_eq!(seen, &json!(runs), "{engine}, seed {seed}:\n{module}");
        }
        assert_eq!(by_engine.get("v8").is_some(), is_v8);
    }
    assert!(kinds.iter().all(|kind| *kind > count / 20), "{kinds:?}");
}

/// Returns, by engine: of each call the result, or the kind of the failure; and the trace.
const RUN_PROGRAM: &str = r#"
    const hostError = new Error("host");
    const imports = { host: { h(number) {
        if (number % 3 === 0) throw hostError;
        return (number + 1) | 0;
    } } };
    const runs = (call, kindOf) => arguments_.map((argument) => ["run", "catch"].map((name) => {
        let outcome;
        try {
            outcome = call(name, [argument]);
        } catch (error) {
            outcome = kindOf(error);
        }
        return [outcome, call("trace", [])];
    }));
    const byEngine = {};
    const instance = await instantiate(await compile(binary), imports);
    byEngine.ours = runs((name, args) => instance.call(name, args), (error) => {
        if (error.cause === hostError) return "host";
        if (error.trap !== undefined) return "trap";
        return error.code === 5002 ? "exception" : String(error);
    });
    if (isV8) {
        const { Module, Instance, Exception, RuntimeError } = engineWebAssembly;
        const { exports } = new Instance(new Module(binary), imports);
        byEngine.v8 = runs((name, args) => exports[name](...args), (error) => {
            if (error === hostError) return "host";
            if (error instanceof RuntimeError) return "trap";
            return error instanceof Exception ? "exception" : String(error);
        });
    }
    return byEngine;
"#;

/// A module whose functions catch, delegate and rethrow, before one that traps.
const MODULE: &str = r#"(module $m
    (@custom "first" "1")
    (import "host" "h" (func $h))
    (tag $e (export "e") (param i32))
    (memory (export "memory") 1)
    (func $legacy (export "b") (param i32) (result i32)
        try $t (result i32)
            try
                try (throw $e (local.get 0)) delegate $t
            catch_all
            end
            i32.const 0
        catch $e
        end)
    (func $trap (export "a") (result i32)
        try (result i32)
            call $h
            i32.const 1
            i32.const 0
            i32.div_s
        catch_all
            rethrow 0
        end)
    (func (export "c") (result i32) (call $trap))
    (@custom "sourceMappingURL" "m.map"))"#;

#[test]
fn a_script_sees_the_module_that_it_compiled() {
    let seen = Js::new().run(&format!(
        r#"
        const module = await compile(text(`{MODULE}`));
        const section = (name) => module.customSections(name).map((bytes) => Array.from(new Uint8Array(bytes)));
        return [
            module.exports.map(({{ name, kind }}) => [name, kind]),
            module.imports.map(({{ module, name, kind }}) => [module, name, kind]),
            section("first"), section("sourceMappingURL"), section("name").length,
        ];
        "#
    ));
    assert_eq!(
        seen,
        json!([
            [
                ["e", "tag"],
                ["memory", "memory"],
                ["b", "function"],
                ["a", "function"],
                ["c", "function"]
            ],
            [["host", "h", "function"]],
            [[49]],
            [[109, 46, 109, 97, 112]],
            1
        ])
    );
}

/// The offset of the first instruction with this opcode.
fn offset_of(wasm: &[u8], opcode: u8, operand: u8) -> usize {
    let mut pairs = wasm.windows(2);
    pairs.position(|pair| pair == [opcode, operand]).unwrap()
}

#[test]
fn a_stack_has_the_names_and_offsets_of_the_module() {
    let wasm = wat::parse_str(MODULE).unwrap();
    let seen = Js::new().run(&format!(
        r#"
        const seen = [];
        for (const options of [{{}}, {{ fuel: 1000 }}, {{ interruptible: true }}]) {{
            const instance = await instantiate(await compile(new Uint8Array({wasm:?})), {{ host: {{ h() {{}} }} }}, options);
            const error = await caught(() => instance.call("c"));
            seen.push([error.wasmStack, error.frames.map(({{ offset }}) => offset)]);
        }}
        return seen;
        "#
    ));
    // `i32.div_s` and the `catch_all` after it; the call of the function after that one.
    let (trap, call) = (offset_of(&wasm, 0x6d, 0x19), offset_of(&wasm, 0x10, 2));
    let stack = format!("trap (@{trap:#x})\n<function 3> (@{call:#x})");
    let one = json!([stack, [trap, call]]);
    assert_eq!(seen, json!([one, one, one]));
}

#[test]
fn both_kinds_of_validation_know_legacy_exceptions() {
    let seen = Js::new().run(&format!(
        r#"
        const valid = text(`{MODULE}`);
        const invalid = text(`{}`);
        return [validate(valid), await validateAsync(valid), validate(invalid), await validateAsync(invalid)];
        "#,
        MODULE.replace("rethrow 0", "rethrow 1")
    ));
    assert_eq!(seen, json!([true, true, false, false]));
}

#[test]
fn a_host_may_refuse_legacy_exceptions() {
    let allowed = WasmState::new(WasmCapabilities::default()).unwrap();
    // Its code is in use, and so in the cache that both share.
    let module = allowed.compile(MODULE.as_bytes()).unwrap();
    let capabilities = WasmCapabilities::builder().allow_legacy_exceptions(false);
    let error = {
        let refusing = WasmState::new(capabilities.clone().build()).unwrap();
        refusing.compile(MODULE.as_bytes()).map(drop).unwrap_err()
    };
    assert_eq!(error.code, WasmErrorCode::CompileError);
    assert!(error.message.contains("allow_legacy_exceptions"), "{error}");
    let seen = Js::with(capabilities.build()).run(&format!(
        r#"
        const wasm = text(`{MODULE}`);
        const error = await caught(() => compile(wasm));
        const standard = text("(module (tag $e) (func (block $l (try_table (catch $e $l)))))");
        return [validate(wasm), await validateAsync(wasm), error.code, validate(standard)];
        "#
    ));
    assert_eq!(seen, json!([false, false, 5000, true]));
    drop(module);
}

/// Modules with more than the compiler could take are refused by the caps, which count what is compiled.
#[test]
fn what_is_compiled_counts() {
    let state = WasmState::new(WasmCapabilities::default()).unwrap();
    let compile = |functions: &str| {
        let wasm = wat::parse_str(format!("(module (tag $e) {functions})")).unwrap();
        state
            .compile(&wasm)
            .map(drop)
            .map_err(|error| error.message)
    };
    let (tries, ends) = ("try ".repeat(4_000), "catch_all end ".repeat(4_000));
    let refused = [
        // Each `try` is three labels deep.
        (format!("(func {tries} {ends})"), "max_nesting"),
        (
            format!(
                "(func {} {})",
                "try call 0 ".repeat(3_000),
                "catch_all end ".repeat(3_000)
            ),
            "max_compile_",
        ),
        (
            format!(
                "(func (local {}) try catch_all rethrow 0 end)",
                "i32 ".repeat(50_000)
            ),
            "max_locals",
        ),
        (
            format!("(func try {} end)", "catch $e ".repeat(10_000)),
            "max_nesting",
        ),
        (
            format!("(func {})", "try call 0 catch_all end ".repeat(40_000)),
            "max_compile_",
        ),
    ];
    for (functions, cap) in refused {
        let message = compile(&functions).expect_err(cap);
        let wasm = wat::parse_str(format!("(module (tag $e) {functions})")).unwrap();
        let exceeded = state.exceeded_limits(&wasm).unwrap();
        assert!(
            exceeded.iter().any(|limit| limit.name.contains(cap)),
            "{cap}: {exceeded:?}"
        );
        assert!(message.contains(cap), "{cap}: {message}");
        let counts = cap != "max_compile_";
        let rewritten = message.contains("with its legacy exceptions rewritten");
        assert_eq!(counts, rewritten, "{message}");
    }
    // Smaller ones of their kinds.
    let compiled = [
        format!(
            "(func {} {})",
            "try ".repeat(300),
            "catch_all end ".repeat(300)
        ),
        "(func (local i32 i64) try catch_all rethrow 0 end)".to_owned(),
        format!("(func try {} end)", "catch $e ".repeat(100)),
        format!("(func {})", "try call 0 catch_all end ".repeat(100)),
    ];
    for functions in compiled {
        assert_eq!(compile(&functions), Ok(()), "{}", &functions[..40]);
    }
}

/// The types of handlers come before the memory in the module that the engine validates.
#[test]
fn an_error_before_the_code_has_its_offset_in_the_original() {
    let binary = wat::parse_str(
        "(module (tag $e (param i32 i32)) (memory 1 (pagesize 1))
            (func try (throw $e (i32.const 1) (i32.const 2)) catch $e drop drop end))",
    )
    .unwrap();
    let mut sections = wasmparser::Parser::new(0).parse_all(&binary);
    let memories = sections.find_map(|section| match section {
        Ok(wasmparser::Payload::MemorySection(memories)) => Some(memories.range()),
        _ => None,
    });
    let state = WasmState::new(WasmCapabilities::default()).unwrap();
    let error = state.compile(&binary).err().expect("pages have one size");
    let (_, rest) = error.message.split_once("at 0x").expect(&error.message);
    let (offset, _) = rest.split_once(':').unwrap();
    let offset = usize::from_str_radix(offset, 16).unwrap();
    assert!(memories.unwrap().contains(&offset), "{error}");
}
