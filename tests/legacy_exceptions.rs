//! Modules with legacy exceptions, which are compiled with the standard ones.

use conformance::fuzz::legacy_exceptions::interpreter::{self, Exception, Outcome};
use conformance::fuzz::legacy_exceptions::{Program, text, trace};
use serde_json::{Value, json};

use crate::js::Js;

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
            "const [binary, arguments_] = [new Uint8Array({binary:?}), {arguments:?}];\n{RUN_PROGRAM}"
        ));
        for (engine, told) in by_engine.as_object().unwrap() {
            assert_eq!(told, &json!(runs), "{engine}, seed {seed}:\n{module}");
        }
        assert_eq!(by_engine.get("v8").is_some(), cfg!(feature = "v8"));
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
    if (globalThis.engineWebAssembly) {
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
