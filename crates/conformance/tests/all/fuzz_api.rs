//! `cargo conformance fuzz --api`: programs reach the whole API, a fixed set of programs has no findings, and the
//! fuzzer detects each kind of violation.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Parser as _;
use conformance::fuzz::api::grammar::RULES;
use conformance::fuzz::api::writer::{next_rule, ops};
use conformance::fuzz::api::{Api, Finding, Program, Runner, Surface, Tally};
use conformance::fuzz::campaign::Summary;
use conformance::fuzz::command::{Fuzz, regressions};
use conformance::fuzz::{api, codec, differential};
use conformance::run::with_deep_stack;

/// Runs a program in a runtime of its own.
fn run(program: &Program) -> Result<Tally, Finding> {
    Runner::new().run(program).unwrap()
}

fn program(statements: &str) -> Program {
    Program::of_source(statements)
}

#[test]
fn a_fixed_set_of_programs_has_no_findings() {
    let mut runner = Runner::new();
    let mut total = Tally::default();
    for seed in 0..100 {
        match runner.run(&Program::of_seed(seed)).unwrap() {
            Ok(tally) => total += tally,
            Err(finding) => panic!("seed {seed}: {finding}"),
        }
    }
    assert_eq!(total.programs, 100);
    // Many calls of programs return, and many are refused.
    assert!(total.returned > 1_000 && total.refused > 1_000, "{total:?}");
}

#[test]
fn a_seed_always_makes_the_same_program_and_any_bytes_make_one() {
    for seed in 0..50 {
        let program = Program::of_seed(seed);
        assert_eq!(program, Program::of_seed(seed));
        assert_eq!(program, Program::of_source(&program.source()));
    }
    for length in [0, 1, 2, 100] {
        for byte in [0, 1, 127, 255] {
            let data = vec![byte; length];
            for surface in [Surface::Api, Surface::Ops] {
                let program = Program::of_bytes(&data, surface);
                assert!(program.statements.len() <= 80);
            }
        }
    }
}

#[test]
fn the_grammar_has_every_rule_that_it_names_and_names_every_rule() {
    let own = [
        "n",
        "op",
        "guest",
        "instance",
        "standardInstance",
        "call",
        "callAsync",
        "imports",
        "import",
    ];
    // The rules that the writer starts with.
    let mut named = BTreeSet::from(["attempt", "event", "opArguments"]);
    for (_, alternatives) in RULES {
        for alternative in *alternatives {
            let mut rest = *alternative;
            while let Some((_, name, after)) = next_rule(rest) {
                named.insert(name);
                rest = after;
            }
        }
    }
    let rules: BTreeSet<&str> = RULES.iter().map(|(name, _)| *name).collect();
    assert_eq!(rules.len(), RULES.len());
    let undefined: Vec<_> = named
        .difference(&rules)
        .filter(|name| !own.contains(name))
        .collect();
    assert!(undefined.is_empty(), "{undefined:?}");
    // Rules that only the writer refers to.
    let by_writer = [
        "callOptions",
        "wasi",
        "where",
        "value",
        "result",
        "number",
        "bigint",
    ];
    let unused: Vec<_> = rules
        .difference(&named)
        .filter(|name| !by_writer.contains(name))
        .collect();
    assert!(unused.is_empty(), "{unused:?}");
}

#[test]
fn programs_use_everything_that_is_public() {
    let declarations = include_str!("../../../../types/host-wasm.d.ts");
    let mut missing = BTreeSet::new();
    let all: String = (0..2_000)
        .map(|seed| Program::of_seed(seed).source())
        .collect();
    let mut class = "";
    for line in declarations.lines() {
        let words = line.trim_start();
        if let Some(rest) = words.strip_prefix("export class ") {
            class = rest.split([' ', '<']).next().unwrap();
            if !all.contains(&format!("wasm.{class}(")) {
                missing.insert(class.to_owned());
            }
        } else if let Some(rest) = words.strip_prefix("export function ") {
            let name = rest.split('(').next().unwrap();
            if !all.contains(&format!("wasm.{name}(")) {
                missing.insert(name.to_owned());
            }
        } else if line.starts_with("    ") && !line.starts_with("     ") && words.contains('(') {
            let name = words.trim_start_matches("get ").trim_start_matches("set ");
            let name = name.split(['(', '?']).next().unwrap();
            let is_name = name.chars().all(|c| c.is_ascii_alphanumeric());
            if is_name && name != "constructor" && !all.contains(&format!(".{name}")) {
                missing.insert(format!("{class}.{name}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:?}");
    for op in ops() {
        assert!(all.contains(&format!("op({op:?}, [")), "{op}");
    }
}

#[test]
fn each_kind_of_violation_is_detected() {
    for (statements, finding) in [
        ("attempt(() => { throw 5; });", "an undocumented error: 5"),
        (
            "attempt(() => { throw new Error('other'); });",
            "an undocumented error: Error: other",
        ),
        (
            "await attempt(async () => { throw undefined; });",
            "an undocumented error: undefined",
        ),
        (
            "attempt(() => { throw Object.defineProperty(new wasm.WasmError('odd'), 'code', { value: 1 }); });",
            "an error of the code 1: odd",
        ),
        (
            "attempt(() => { throw Object.defineProperty(new wasm.WasmError('odd', 5000), 'kind', { value: 'Odd' }); });",
            "and the kind Odd",
        ),
        (
            "attempt(() => { throw new wasm.WasmError('x'.repeat(601), 5000); });",
            "a message of 601 characters",
        ),
        (
            "Deno.core.ops.op_fake = (value) => value.length; op('op_fake', [hostile('accessors')]);",
            "op_fake runs JavaScript: get length",
        ),
        (
            "Deno.core.ops.op_fake = (value) => `${value}`; try { op('op_fake', [hostile('conversions')]); } catch {}",
            "op_fake runs JavaScript: toPrimitive",
        ),
        (
            "Deno.core.ops.op_fake = (value) => 'a' in value; op('op_fake', [hostile('proxy')]);",
            "op_fake runs JavaScript: proxy has",
        ),
        (
            "globalThis.kept = await wasm.compile(Deno.core.encode('(module)'));",
            "0 instances and 1 modules are left",
        ),
        ("throw new Error('by itself');", "the program threw"),
        ("await new Promise(() => {});", "the program threw"),
        (
            "await attempt(() => new Promise(() => {}));",
            "; not settled:\n  () => new Promise(() => {})",
        ),
        (
            "Deno.core.ops.op_fake = (value) => value[1]; op('op_fake', [hostile('elements')]);",
            "op_fake runs JavaScript: get 1",
        ),
    ] {
        match run(&program(statements)) {
            Err(Finding::Seen(text)) => assert!(text.contains(finding), "{statements}: {text}"),
            other => panic!("{statements}: {other:?}"),
        }
    }
}

#[test]
fn permitted_outcomes_are_no_findings() {
    for statements in [
        "",
        "attempt(() => { throw thrown; });",
        "attempt(() => wasm.WasmMemory.prototype.grow.call(5, 1));",
        "attempt(() => new wasm.WasmStore({ fuel: -1 }));",
        "attempt(() => op('op_wasm_call', [{}]));\nattempt(() => op('op_wasm_drop_module', [hostile('accessors')]));",
        "await attempt(async () => wasm.instantiate(await wasm.compile(Deno.core.encode(guests.calls)), { host: { \
         call: imported(() => promised(1)), pick: imported((args) => args[0]), number: imported(() => 1) } }), 'calls');\n\
         attempt(() => instance('calls', 0).callAsync('call', [1, {}]));",
        // An op that runs a guest reads the imports from the list that it got.
        "await attempt(async () => wasm.instantiate(await wasm.compile(Deno.core.encode(guests.calls)), { host: { \
         call: imported(() => 1), pick: imported((args) => args[0]), number: imported(() => 1) } }), 'calls');\n\
         attempt(() => instance('calls', 0).call('number', [1, 1]));\n\
         for (let i = 0; i < 50; i++) {\n\
         for (const kind of ['elements', 'list', 'proxy']) attempt(() => op('op_wasm_call_with_imports', [i, hostile(kind)]));\n\
         }",
    ] {
        if let Err(finding) = run(&program(statements)) {
            panic!("{statements}: {finding}");
        }
    }
}

/// Runs the programs of earlier findings, and the corpora of libFuzzer.
#[test]
fn earlier_findings_and_corpora_have_no_findings() {
    let mut programs = 0;
    for path in files(&regressions()) {
        if path.extension().is_some_and(|extension| extension == "js") {
            let source = fs::read_to_string(&path).unwrap();
            if let Err(finding) = run(&program(&source)) {
                panic!("{}: {finding}", path.display());
            }
            programs += 1;
        }
    }
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let mut replayed = 0;
    for (name, check) in [
        ("api", (|data| api::check(data, Surface::Api)) as fn(&[u8])),
        ("ops", |data| api::check(data, Surface::Ops)),
        ("differential", |data| {
            differential::Checker::default().check(data);
        }),
        ("codec", codec::check),
    ] {
        let files = files(&corpus.join(name));
        assert!(!files.is_empty(), "no corpus of {name}");
        replayed += files.len();
        with_deep_stack(|| {
            for path in files {
                check(&fs::read(path).unwrap());
            }
        })
        .unwrap();
    }
    println!("{programs} programs and {replayed} files of the corpora");
}

/// The files in a folder in order; none if the folder does not exist.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[derive(clap::Parser)]
struct Arguments {
    #[command(flatten)]
    fuzz: Fuzz,
}

/// Runs the command with a shell script as its worker.
fn run_command(folder: &Path, script: &str, args: &[&str]) -> Summary<Api> {
    let folder = folder.to_str().unwrap();
    let fixed = [
        "fuzz", "--api", "--jobs", "1", "--seed", "7", "--out", folder,
    ];
    let args = Arguments::parse_from(fixed.iter().chain(args));
    let summary = args.fuzz.campaign().run(&|| {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    });
    summary.unwrap()
}

fn empty_folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    folder
}

/// The answer of a worker without a finding.
const GOOD: &str = r#"echo '{"Ok":{"programs":1,"attempts":3,"returned":2,"refused":1}}'"#;

#[test]
fn a_crash_is_made_shorter_and_written_with_its_seed() {
    let folder = empty_folder("api-crash");
    // The longest line, up to the first character that JSON escapes.
    let guilty = Program::of_seed(9)
        .statements
        .into_iter()
        .max_by_key(String::len);
    let guilty: String = guilty.unwrap().chars().take_while(|c| *c != '"').collect();
    let script = format!(
        "while read -r line; do case $line in *'{guilty}'*) echo 'no way' >&2; kill -ABRT $$;; *) {GOOD};; esac; done"
    );
    let summary = run_command(&folder, &script, &["--count", "3"]);
    assert_eq!(summary.tally.programs, 3);
    let crash = summary
        .found
        .iter()
        .find(|(path, _)| path == &folder.join("fuzz-9.js"));
    let (path, finding) = crash.unwrap_or_else(|| panic!("{:?}", summary.found));
    assert!(
        finding.contains("signal: 6") && finding.contains("no way"),
        "{finding}"
    );
    let text = fs::read_to_string(path).unwrap();
    assert!(
        text.starts_with("// cargo conformance fuzz --api --seed 9 --count 1\n"),
        "{text}"
    );
    assert_eq!(Program::of_source(&text).statements.len(), 1, "{text}");
}

#[test]
fn a_hang_is_a_finding() {
    let script = format!("read -r line; {GOOD}; read -r line; exec sleep 1000");
    let args = ["--count", "2", "--timeout", "1"];
    let summary = run_command(&empty_folder("api-hang"), &script, &args);
    let [(_, finding)] = summary.found.as_slice() else {
        panic!("{:?}", summary.found);
    };
    assert!(finding.contains("ran on"), "{finding}");
    assert!(
        summary.render().ends_with(&format!("{finding}\n")),
        "{}",
        summary.render()
    );
}

#[test]
fn the_command_runs_its_own_workers_and_one_program() {
    let conformance = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_conformance"));
        let output = command.args(["fuzz", "--api"]).args(args).output().unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
        )
    };
    let folder = empty_folder("api-own");
    let out = folder.to_str().unwrap();
    let (status, stdout) = conformance(&["--seed", "1000", "--count", "10", "--out", out]);
    assert_eq!(status, Some(0), "{stdout}");
    assert!(stdout.starts_with("10 programs in "), "{stdout}");
    assert!(stdout.ends_with("\n0 findings\n"), "{stdout}");

    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("program.js");
    let path = file.to_str().unwrap();
    for (text, expected) in [
        ("attempt(() => 5);\n", Some(0)),
        ("attempt(() => { throw 5; });\n", Some(1)),
    ] {
        fs::write(&file, text).unwrap();
        let (status, stdout) = conformance(&["--program", path]);
        assert_eq!(status, expected, "{stdout}");
        assert!(stdout.starts_with(path), "{stdout}");
    }
    let (status, _) = conformance(&["--program", "/nonexistent.js"]);
    assert_eq!(status, Some(2));
    let (status, _) = conformance(&["--program", path, "--seed", "1"]);
    assert_eq!(status, Some(2));
}
