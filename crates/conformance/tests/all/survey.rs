//! The survey of modules: the command, and its report in every form.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use conformance::survey::report::{Compile, Fence, ModuleReport, Report, Verdict};
use conformance::survey::worker::Worker;
use conformance::survey::{html, markdown, sources, table};
use flate2::Compression;
use flate2::write::GzEncoder;

/// Runs the command in a folder, which the names in reports then do not begin with.
fn survey(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_conformance"));
    command.arg("survey").args(args).current_dir(folder);
    command.output().unwrap()
}

fn stdout(output: &Output) -> &str {
    str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    str::from_utf8(&output.stderr).unwrap()
}

/// An empty folder.
fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("survey")
        .join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

fn write(folder: &Path, name: &str, contents: impl AsRef<[u8]>) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, contents).unwrap();
}

/// A gzipped archive with these entries. Their names are written as they are.
fn package(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, contents) in entries {
        let mut header = tar::Header::new_ustar();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(contents.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        archive.append(&header, *contents).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}

fn read_report(path: &Path) -> Report {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// The same report on every machine and every JavaScript engine.
fn masked(mut report: Report) -> Report {
    report.engine = "engine".to_owned();
    report.debug_build = true;
    for module in &mut report.modules {
        for compile in [&mut module.wasmtime, &mut module.host_wasm] {
            if let Compile::Compiled {
                seconds,
                cpu_seconds,
                peak_bytes,
            } = compile
            {
                assert!(*seconds > 0.0 && peak_bytes.is_none_or(|peak| peak > 1 << 20));
                (*seconds, *cpu_seconds, *peak_bytes) = (0.25, Some(0.5), Some(3 << 20));
            }
        }
    }
    report
}

const WASI: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_prestat_get" (func $prestat (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1)
    (func (export "other"))
    (func (export "_start") (call $exit (call $prestat (i32.const 3) (i32.const 0)))))"#;

const EMSCRIPTEN: &str = r#"(module
    (import "env" "invoke_ii" (func (param i32 i32) (result i32)))
    (import "env" "memory" (memory 1 2))
    (import "env" "__indirect_function_table" (table 2 funcref))
    (import "env" "__stack_pointer" (global $sp (mut i32)))
    (import "env" "__cpp_exception" (tag (param i32)))
    (import "wasi_snapshot_preview1" "fd_seek" (func (param i32 i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_close" (func (param i32) (result i32)))
    (func (export "__wasm_call_ctors") (global.set $sp (i32.const 1))))"#;

/// Its first function may be called once only.
const REACTOR: &str = r#"(module
    (import "wasi_snapshot_preview1" "sched_yield" (func (result i32)))
    (memory (export "memory") 1)
    (global $calls (mut i32) (i32.const 0))
    (func (export "_initialize")
        (if (global.get $calls) (then unreachable))
        (global.set $calls (i32.const 1))))"#;

const WASM_BINDGEN: &str = r#"(module
    (import "__wbindgen_placeholder__" "__wbindgen_throw" (func (param i32 i32)))
    (import "./x_bg.js" "__wbg_new" (func $new (result externref)))
    (global $kept (mut externref) (ref.null extern))
    (func $start (global.set $kept (call $new)))
    (start $start)
    (func (export "takes") (param i32)))"#;

const GO: &str = r#"(module
    (import "gojs" "runtime.wasmExit" (func (param i32)))
    (memory (export "mem") 1 100)
    (func (export "run") (unreachable)))"#;

const OTHER: &str = r#"(module
    (import "host" "all" (func $all (param v128) (result i32 i64 f32 f64 funcref v128)))
    (import "host" "wide" (memory i64 1))
    (import "host" "far" (table i64 1 externref))
    (import "host" "pi" (global f64))
    (func (export "f") (result i32)
        (call $all (v128.const i64x2 0 0))
        drop drop drop drop drop))"#;

const WAITS: &str = r#"(module
    (import "env" "memory" (memory 1 1 shared))
    (func (export "f") (result i32)
        (memory.atomic.wait32 (i32.const 0) (i32.const 1) (i64.const -1))))"#;

/// Modules of every toolchain, and with every end.
fn everything(folder: &Path) {
    write(folder, "wasi.wat", WASI);
    write(folder, "emscripten.wat", EMSCRIPTEN);
    write(
        folder,
        "wasm-bindgen.wasm",
        wat::parse_str(WASM_BINDGEN).unwrap(),
    );
    write(folder, "go.wat", GO);
    write(folder, "reactor.wat", REACTOR);
    write(folder, "other.wat", OTHER);
    write(folder, "waits.wat", WAITS);
    write(
        folder,
        "spins.wat",
        "(module (func (export \"f\") (loop (br 0))))",
    );
    write(
        folder,
        "throws.wat",
        "(module (tag $t) (func $f (throw $t)) (start $f))",
    );
    write(folder, "new.wat", "(module (memory 1 (pagesize 1)))");
    write(
        folder,
        "no-stand-in.wat",
        "(module (type $s (struct)) (import \"host\" \"b\" (global (ref $s))))",
    );
    let caps = format!(
        "(module (table 10000001 funcref) (func $f) {})",
        "(elem func $f)".repeat(10_001)
    );
    write(folder, "caps.wat", caps);
    let copy = wat::parse_str(WASM_BINDGEN).unwrap();
    let package = package(&[
        ("package/package.json", b"{}"),
        ("package/dist/a.wasm", b"\0asm\x01\0\0\0"),
        ("package/copy.wasm", &copy),
        (
            "../../\x1b[31m|`<b>.wat",
            b"(module (func (export \"|`<b>\")))",
        ),
    ]);
    write(folder, "package-1.0.0.tgz", package);
    write(folder, "readme.txt", "(module)");
}

#[test]
fn a_folder_with_one_of_everything() {
    let folder = folder("everything");
    everything(&folder);
    let args = [
        "modules",
        "--json",
        "r.json",
        "--html",
        "r.html",
        "--markdown",
        "r.md",
    ];
    fs::create_dir(folder.join("modules")).unwrap();
    everything(&folder.join("modules"));
    let output = survey(&folder, &args);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let report = masked(read_report(&folder.join("r.json")));
    let (own, other) = (table::render(&report), stdout(&output));
    assert_eq!(own.lines().count(), other.lines().count(), "{own}\n{other}");
    crate::snapshot("survey_table", &own);
    crate::snapshot(
        "survey_json",
        &serde_json::to_string_pretty(&report).unwrap(),
    );
    let mut beside = masked(read_report(&folder.join("r.json")));
    beside.engine = "other engine".to_owned();
    beside.modules.truncate(1);
    crate::snapshot(
        "survey_markdown",
        &markdown::render(&[&report, &beside], "the `command`"),
    );
    let page = html::render(&[&report, &beside]);
    let (_, body) = page.split_once("</style>").unwrap();
    let (body, _) = body.split_once("<script>").unwrap();
    crate::snapshot("survey_html", &body.replace("><", ">\n<"));
    for network in ["http:", "https:", "src=", "href=", "@import", "url("] {
        assert!(!page.contains(network), "{network}");
    }
    // The files are these reports, with the times of this run.
    let page = fs::read_to_string(folder.join("r.html")).unwrap();
    assert!(page.contains("modules/wasi.wat") && page.ends_with("</html>"));
    let text = fs::read_to_string(folder.join("r.md")).unwrap();
    assert!(text.contains("| `wasi.wat` |"), "{text}");
    let command = "`cargo conformance survey modules --json r.json --html r.html --markdown r.md`";
    assert!(text.contains(command), "{text}");
}

#[test]
fn everything_is_taken() {
    let folder = folder("taken");
    write(&folder, "a.wat", "(module (func (export \"f\")))");
    write(&folder, "b/c.wat", "(module (memory 1))");
    let output = survey(&folder, &[".", "--jobs", "2"]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    assert!(
        stdout(&output).ends_with("./: 2 modules, 2 taken\n"),
        "{}",
        stdout(&output)
    );
    let args = [".", "--fuel", "1", "--json", "r.json"];
    assert_eq!(survey(&folder, &args).status.code(), Some(0));
    assert_eq!(read_report(&folder.join("r.json")).fence.fuel, 1);
    // Without a terminal there is a line for each module instead of a bar.
    for line in ["1/2  ", "2/2  ", "./a.wat  taken\n", "./b/c.wat  taken\n"] {
        assert!(stderr(&output).contains(line), "{}", stderr(&output));
    }
}

#[test]
fn the_largest_modules_of_each_path() {
    let folder = folder("largest");
    for (name, nops) in [("x/a", 1), ("x/b", 9), ("x/c", 5), ("y/d", 1), ("y/e", 2)] {
        let text = format!("(module (func {}))", "nop ".repeat(nops));
        write(&folder, &format!("{name}.wat"), text);
    }
    // The same module at both paths is surveyed once.
    write(
        &folder,
        "y/same.wat",
        format!("(module (func {}))", "nop ".repeat(9)),
    );
    let names = |largest: &str| {
        let args = ["x", "y", "--largest", largest, "--json", "r.json"];
        assert_eq!(survey(&folder, &args).status.code(), Some(0));
        let modules = read_report(&folder.join("r.json")).modules.into_iter();
        let names = modules.map(|module| format!("{} {:?}", module.name, module.also));
        names.collect::<Vec<_>>()
    };
    assert_eq!(names("1"), ["x/b.wat [\"y/same.wat\"]"]);
    assert_eq!(
        names("2"),
        ["x/b.wat [\"y/same.wat\"]", "x/c.wat []", "y/e.wat []"]
    );
}

#[test]
fn paths_without_a_module_are_errors() {
    let folder = folder("none");
    write(&folder, "empty/readme.md", "# Nothing");
    write(&folder, "a.wat", "(module)");
    for (args, message) in [
        (&["no such"][..], "cannot use `no such`: No such file"),
        (&["empty"], "no module (.wasm, .wat, or in a .tgz) in empty"),
        (&["/dev/null"], "`/dev/null` is neither a file nor a folder"),
        (&[], "required arguments were not provided"),
        (&["a.wat", "--jobs", "0"], "invalid value '0'"),
        (&["a.wat", "--beside", "a.wat"], "a.wat is no report"),
        (
            &["a.wat", "--json", "no such/r.json"],
            "cannot write no such/r.json",
        ),
        (&["a.wat", "--html", "empty"], "cannot write empty"),
    ] {
        let output = survey(&folder, args);
        assert_eq!(
            output.status.code(),
            Some(2),
            "{args:?}: {}",
            stderr(&output)
        );
        assert!(
            stderr(&output).contains(message),
            "{args:?}: {}",
            stderr(&output)
        );
        assert_eq!(stdout(&output), "", "{args:?}: before the survey begins");
        assert!(
            !stderr(&output).contains("taken"),
            "{args:?}: {}",
            stderr(&output)
        );
    }
}

#[test]
fn files_that_cannot_be_read_are_rows() {
    let folder = folder("unreadable");
    write(&folder, "good.wat", "(module)");
    write(&folder, "not-gzipped.tgz", "(module)");
    write(&folder, "garbage.tgz", b"\x1f\x8bgarbage");
    let whole = package(&[
        ("package/a.wat", b"(module (func))"),
        ("package/b.wat", &[b' '; 4096]),
    ]);
    write(&folder, "cut.tgz", &whole[..whole.len() / 2]);
    let mut no_archive = GzEncoder::new(Vec::new(), Compression::fast());
    no_archive.write_all(&[b'x'; 2048]).unwrap();
    write(&folder, "no-archive.tgz", no_archive.finish().unwrap());
    symlink("nothing", folder.join("broken.wasm")).unwrap();
    symlink("itself.wasm", folder.join("itself.wasm")).unwrap();
    fs::create_dir(folder.join("loop")).unwrap();
    symlink("..", folder.join("loop/up")).unwrap();
    symlink("../loop", folder.join("loop/again")).unwrap();
    write(&folder, "loop/last.wat", "(module (func))");
    let output = survey(&folder, &[".", "--json", "r.json"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let report = read_report(&folder.join("r.json"));
    let unreadable = report.unreadable.iter();
    let unreadable: Vec<String> = unreadable
        .map(|file| format!("{}: {}", file.name, file.why))
        .collect();
    let expected = [
        ("./broken.wasm", "No such file"),
        ("./cut.tgz", "deflate"),
        ("./garbage.tgz", "unexpected end of file"),
        ("./itself.wasm", "Too many levels of symbolic links"),
        ("./no-archive.tgz", "numeric field"),
        ("./not-gzipped.tgz", "it is not gzipped"),
    ];
    assert_eq!(unreadable.len(), expected.len(), "{unreadable:?}");
    for (line, (name, why)) in unreadable.iter().zip(expected) {
        assert!(line.starts_with(name) && line.contains(why), "{line}");
    }
    let modules = report.modules.iter().map(|module| module.name.as_str());
    let modules: Vec<&str> = modules.filter(|name| !name.contains("cut.tgz")).collect();
    assert_eq!(modules, ["./good.wat", "./loop/last.wat"]);
}

/// An archive of a few megabytes that unpacks to more than a gibibyte.
#[test]
fn an_archive_that_unpacks_to_too_much_is_given_up() {
    let folder = folder("bomb");
    let mut header = tar::Header::new_ustar();
    header.set_path("package/large.bin").unwrap();
    header.set_size(4 << 30);
    header.set_cksum();
    let member = |bytes: &[u8]| {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(bytes).unwrap();
        gzip.finish().unwrap()
    };
    let mut bomb = member(header.as_bytes());
    bomb.extend(member(&vec![0; 16 << 20]).repeat(65));
    write(&folder, "bomb.tgz", bomb);
    let found = sources::find(&[folder.join("bomb.tgz")], None).unwrap();
    assert!(found.modules.is_empty());
    assert_eq!(
        found.unreadable[0].why,
        "it unpacks to more than 1073741824 bytes"
    );
}

fn found(folder: &Path, text: &str) -> sources::Found {
    write(folder, "a.wat", text);
    let mut found = sources::find(&[folder.to_owned()], None).unwrap();
    found.modules.remove(0)
}

fn survey_by(
    start: &(dyn Fn() -> Command + Sync),
    timeout: u64,
    found: &sources::Found,
) -> ModuleReport {
    let worker = Worker {
        start,
        timeout: Duration::from_secs(timeout),
        fence: Fence {
            fuel: 1_000,
            timeout_ms: 1_000,
        },
    };
    worker.survey(found).unwrap()
}

#[test]
fn a_process_that_is_killed_is_a_row() {
    let found = found(&folder("killed"), "(module)");
    let killed = || {
        let mut command = Command::new("sh");
        command.args(["-c", "read line; kill -9 $$"]);
        command
    };
    let report = survey_by(&killed, 60, &found);
    assert_eq!(report.verdict(), Verdict::Lost);
    let Compile::Lost { message } = &report.host_wasm else {
        panic!("{report:?}");
    };
    assert_eq!(message, "its process ended: signal: 9 (SIGKILL)");
}

/// The module waits for ever, which nothing but the end of its process ends.
#[test]
fn a_process_that_hangs_is_a_row() {
    let waits = WAITS.replace("(i32.const 1)", "(i32.const 0)");
    let found = found(&folder("hangs"), &waits);
    let worker = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_conformance"));
        command.args(["survey", "--worker"]);
        command
    };
    let report = survey_by(&worker, 5, &found);
    assert_eq!(report.verdict(), Verdict::Lost);
    assert!(
        matches!(report.host_wasm, Compile::Compiled { .. }),
        "{report:?}"
    );
    let unfenced = report.obstacles().pop().unwrap();
    assert_eq!(
        unfenced,
        "Rust API without fence: not instantiated: its process was killed after 5 s"
    );
}

/// A deadline ends it, where there is fuel enough.
#[test]
fn a_deadline_ends_a_run() {
    let found = found(
        &folder("deadline"),
        "(module (func (export \"f\") (loop (br 0))))",
    );
    let output = survey(
        Path::new(env!("CARGO_TARGET_TMPDIR")),
        &[
            "survey/deadline",
            "--fuel",
            "1000000000000",
            "--deadline",
            "100",
        ],
    );
    assert_eq!(
        output.status.code(),
        Some(0),
        "{found:?} {}",
        stderr(&output)
    );
    assert!(
        stdout(&output).contains("f() deadline"),
        "{}",
        stdout(&output)
    );
}
