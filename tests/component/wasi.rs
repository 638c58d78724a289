//! WASI 0.2: a component has exactly the resources that the app passes, and waits no longer than it may.

use std::io::{Read as _, Write as _, pipe};
use std::path::PathBuf;
use std::process::Stdio;

use ext_wasm::WasmCapabilities;
use serde_json::json;

use crate::support::child::{self, Child, this_test};
use crate::support::js::Js;

/// The start of a command in the text format: imports of preview 1, which an adapter turns into WASI 0.2.
const COMMAND: &str = r#"
    globalThis.program = (body) => command(`(module
        (import "wasi_snapshot_preview1" "args_get" (func $args_get (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes_get (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_readdir" (func $list (param i32 i32 i32 i64 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "path_open" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
        (memory (export "memory") 2)
        (data (i32.const 1024) "hello")
        ;; Writes bytes to a stream or file.
        (func $print (param $fd i32) (param $at i32) (param $length i32) (result i32)
            (i32.store (i32.const 512) (local.get $at))
            (i32.store (i32.const 516) (local.get $length))
            (call $write (local.get $fd) (i32.const 512) (i32.const 1) (i32.const 520)))
        ;; Reads up to this number of bytes to 2048, and returns how many it has read; or minus the error number.
        (func $take (param $fd i32) (param $length i32) (result i32) (local $error i32)
            (i32.store (i32.const 512) (i32.const 2048))
            (i32.store (i32.const 516) (local.get $length))
            (local.set $error (call $read (local.get $fd) (i32.const 512) (i32.const 1) (i32.const 520)))
            (if (result i32) (local.get $error)
                (then (i32.sub (i32.const 0) (local.get $error)))
                (else (i32.load (i32.const 520)))))
        ;; Opens a file of the first folder. The name is in memory. Returns the error number; the descriptor is at 600.
        (func $open_file (param $name i32) (param $length i32) (param $flags i32) (param $rights i64) (result i32)
            (call $open (i32.const 3) (i32.const 1) (local.get $name) (local.get $length) (local.get $flags)
                (local.get $rights) (i64.const 0) (i32.const 0) (i32.const 600)))
        (func $fail (param $status i32)
            (if (local.get $status) (then (i32.store8 (i32.const 700) (i32.add (i32.const 48) (local.get $status)))
                (drop (call $print (i32.const 2) (i32.const 700) (i32.const 1)))
                (call $exit (i32.const 1)))))
        (func (export "_start") ${body}))`);
    globalThis.string = (bytes) => String.fromCharCode(...bytes);
"#;

fn js(capabilities: WasmCapabilities) -> Js {
    let mut js = Js::with(capabilities);
    js.run(COMMAND);
    js
}

fn granting(folders: Vec<PathBuf>) -> WasmCapabilities {
    let mut capabilities = WasmCapabilities::default();
    capabilities.allow_wasi = true;
    capabilities.preopen_paths = folders;
    capabilities
}

/// An empty folder for a test.
fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(crate::support::child::own_name(
        &format!("component-{name}"),
    ));
    _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder.canonicalize().unwrap()
}

#[test]
fn a_command_writes_and_exits() {
    let got = js(granting(vec![])).run(
        "const hello = await program('(drop (call $print (i32.const 1) (i32.const 1024) (i32.const 5)))');
         const fails = await program('(call $exit (i32.const 1))');
         const traps = await program('unreachable');
         const outcomes = [];
         for (const call of ['run', 'runAsync']) {
             const instance = await instantiateComponent(hello, {}, { wasi: { stdout: 'piped' } });
             outcomes.push(await instance[call](), string(instance.stdout()), await codeOf(() => instance.stderr()), instance.ended);
             const failing = await instantiateComponent(fails, {}, { wasi: {} });
             outcomes.push(await failing[call](), failing.ended, await codeOf(() => failing[call]()));
             const trapping = await instantiateComponent(traps, {}, { wasi: {} });
             outcomes.push((await caught(() => trapping[call]())).trap, trapping.ended);
         }
         const plain = await instantiateComponent(await compileComponent(text('(component)')));
         outcomes.push(tell(await caught(() => plain.run())));
         return outcomes;",
    );
    let once = [
        json!(0),
        json!("hello"),
        json!(5002),
        json!(false),
        json!(1),
        json!(true),
        json!(5002),
        json!("unreachable"),
        json!(true),
    ];
    let mut expected = [once.clone(), once].concat();
    expected.push(json!({
        "code": 5004,
        "kind": "FunctionNotFound",
        "message": "the component is no WASI command: it does not export wasi:cli/run@0.2",
    }));
    assert_eq!(got, json!(expected));
}

#[test]
fn wasi_is_denied_unless_host_and_app_grant_it() {
    let nothing = "(component (import \"wasi:cli/environment@0.2.0\" (instance
        (export \"get-arguments\" (func (result (list string)))))))";
    let mut denied = js(WasmCapabilities::default());
    let got = denied.run(&format!(
        "const component = await compileComponent(text(`{nothing}`));
         const getArguments = () => ['own'];
         const own = await instantiateComponent(component, {{ 'wasi:cli/environment@0.2.3': {{ getArguments }} }});
         return [tell(await caught(() => instantiateComponent(component))),
                 tell(await caught(() => instantiateComponent(component, {{}}, {{ wasi: {{}} }}))),
                 own.ended];"
    ));
    assert_eq!(
        got,
        json!([
            { "code": 5001, "kind": "InstantiateError",
              "message": "import \"wasi:cli/environment@0.2.0\" is missing: the option wasi provides it" },
            { "code": 5001, "kind": "InstantiateError", "message": "the host grants no WASI" },
            false,
        ])
    );
    // Versions that the host does not have, and packages that the host does not have, are imports like others.
    let got = js(granting(vec![])).run(
        "const outcomes = [];
         for (const name of ['wasi:cli/environment@0.4.0', 'wasi:keyvalue/store@0.2.0', 'wasi:cli/environment', 'wasi:cli/environment@0.2.0-rc']) {
             const component = await compileComponent(text(`(component (import \"${name}\" (instance (export \"f\" (func)))))`));
             outcomes.push(await codeOf(() => instantiateComponent(component, {}, { wasi: {} })));
             await instantiateComponent(component, { [name]: { f() {} } }, { wasi: {} });
         }
         const wrong = await compileComponent(text('(component (import \"wasi:cli/environment@0.2.0\" (instance (export \"f\" (func)))))'));
         outcomes.push(tell(await caught(() => instantiateComponent(wrong, {}, { wasi: {} }))));
         return outcomes;",
    );
    assert_eq!(got[0], 5001);
    assert_eq!((&got[1], &got[2], &got[3]), (&got[0], &got[0], &got[0]));
    let message = got[4]["message"].as_str().unwrap();
    assert!(message.starts_with("cannot link: "), "{message}");
}

#[test]
fn a_wait_ends_at_the_deadline_or_an_abort() {
    let sleep = "(i64.store (i32.const 24) (i64.const 3600000000000))
        (i32.store (i32.const 16) (i32.const 1))
        (drop (call $poll (i32.const 0) (i32.const 256) (i32.const 1) (i32.const 512)))";
    let got = js(granting(vec![])).run(&format!(
        "const sleeper = await program(`{sleep}`);
         const make = (options) => instantiateComponent(sleeper, {{}}, {{ wasi: {{}}, ...options }});
         const outcomes = [];
         for (const call of ['run', 'runAsync']) {{
             const instance = await make({{ timeoutMs: 50 }});
             outcomes.push((await caught(() => instance[call]())).message, instance.ended);
         }}
         const aborted = await make({{ interruptible: true }});
         const listeners = [];
         const signal = {{ aborted: false, reason: 'enough', addEventListener: (_, f) => listeners.push(f), removeEventListener() {{}} }};
         const running = caught(() => aborted.runAsync({{ signal }}));
         await Deno.core.ops.op_wasm_yield_now();
         for (const listener of listeners) listener();
         const error = await running;
         outcomes.push(error.message, error.cause);
         const dropped = await make({{}});
         const lost = caught(() => dropped.runAsync());
         await Deno.core.ops.op_wasm_yield_now();
         dropped.drop();
         outcomes.push((await lost).code);
         return outcomes;"
    ));
    assert_eq!(
        got,
        json!([
            "the deadline passed: a call may take 50 ms",
            true,
            "the deadline passed: a call may take 50 ms",
            true,
            "the call was aborted",
            "enough",
            5002,
        ])
    );
}

#[test]
fn output_has_a_cap() {
    let mut capabilities = granting(vec![]);
    capabilities.max_output_bytes = 8;
    let got = js(capabilities).run(
        "const twice = await program(`(drop (call $print (i32.const 1) (i32.const 1024) (i32.const 5)))
             (drop (call $print (i32.const 1) (i32.const 1024) (i32.const 5)))`);
         const instance = await instantiateComponent(twice, {}, { wasi: { stdout: 'piped' } });
         return [(await caught(() => instance.run())).message, string(instance.stdout()), instance.ended];",
    );
    assert_eq!(
        got,
        json!([
            "the guest wrote more to stdout than 8 bytes",
            "hellohel",
            true
        ])
    );
}

#[test]
fn input_arguments_and_environment_are_those_of_the_app() {
    let got = js(granting(vec![])).run(
        "const echo = await program(`(local $read i32)
             (local.set $read (call $take (i32.const 0) (i32.const 100)))
             (drop (call $print (i32.const 1) (i32.const 2048) (local.get $read)))
             (call $fail (call $args_sizes_get (i32.const 800) (i32.const 804)))
             (call $fail (call $args_get (i32.const 900) (i32.const 3000)))
             (drop (call $print (i32.const 1) (i32.const 3000) (i32.load (i32.const 804))))`);
         const run = async (wasi) => {
             const instance = await instantiateComponent(echo, {}, { wasi: { stdout: 'piped', ...wasi } });
             return [instance.run(), string(instance.stdout())];
         };
         return [await run({ stdin: 'input ', args: ['one', 'two'] }), await run({})];",
    );
    assert_eq!(got, json!([[0, "input one\0two\0"], [0, ""]]));
}

#[test]
fn files_are_reached_in_granted_folders_only() {
    let inside = folder("files");
    let outside = folder("outside");
    std::fs::write(inside.join("a"), "inside").unwrap();
    std::fs::write(outside.join("secret"), "secret").unwrap();
    std::os::unix::fs::symlink(outside.join("secret"), inside.join("l")).unwrap();
    let mut js = js(granting(vec![inside.clone()]));
    // Rights 2: read; 64: write. Flags 1: create.
    let got = js.run(&format!(
        "const at = (name, rest) => program(`(i32.store8 (i32.const 100) (i32.const ${{name.charCodeAt(0)}}))
             (i64.store (i32.const 100) (i64.const ${{[...name].reduceRight((sum, c) => sum * 256n + BigInt(c.charCodeAt(0)), 0n)}}))
             ${{rest(name.length)}}`);
         const reader = (name) => at(name, (length) => `
             (call $fail (call $open_file (i32.const 100) (i32.const ${{length}}) (i32.const 0) (i64.const 2)))
             (drop (call $print (i32.const 1) (i32.const 2048) (call $take (i32.load (i32.const 600)) (i32.const 100))))`);
         const writer = (name) => at(name, (length) => `
             (call $fail (call $open_file (i32.const 100) (i32.const ${{length}}) (i32.const 1) (i64.const 66)))
             (call $fail (call $print (i32.load (i32.const 600)) (i32.const 1024) (i32.const 5)))`);
         const run = async (component, preopens) => {{
             const instance = await instantiateComponent(await component, {{}}, {{ wasi: {{ stdout: 'piped', stderr: 'piped', preopens }} }});
             return [await instance.runAsync(), string(instance.stdout()) + string(instance.stderr())];
         }};
         const inside = {}, outside = {};
         const all = {{ '/': inside }}, readonly = {{ '/': {{ path: inside, readonly: true }} }};
         return [
             await run(reader('a'), all), await run(reader('a'), readonly), await run(reader('l'), all),
             await run(reader('../a'), all), await run(reader('/a'), all),
             await run(writer('new'), all), await run(reader('new'), all), await run(writer('new2'), readonly),
             await run(reader('a'), {{}}),
             tell(await caught(() => run(reader('a'), {{ '/': outside }}))),
         ];",
        json!(inside),
        json!(outside)
    ));
    let digit = |errno: u8| String::from_utf8(vec![48 + errno]).unwrap();
    let (badf, notpermitted) = (digit(8), digit(63));
    assert_eq!(
        got,
        json!([
            [0, "inside"],
            [0, "inside"],
            [1, notpermitted],
            [1, notpermitted],
            [1, notpermitted],
            [0, ""],
            [0, "hello"],
            [1, notpermitted],
            [1, badf],
            { "code": 5001, "kind": "InstantiateError",
              "message": format!("the option wasi is unusable: cannot preopen {}: not a folder, or not granted by the host", outside.display()) },
        ])
    );
    assert!(!inside.join("new2").exists());
}

/// Another program may never open the other end of a named pipe.
#[test]
fn a_pipe_that_nobody_writes_to_holds_no_guest_beyond_its_deadline() {
    let inside = folder("pipe");
    let made = std::process::Command::new("mkfifo")
        .arg(inside.join("p"))
        .status();
    assert!(made.unwrap().success());
    let got = js(granting(vec![inside.clone()])).run(&format!(
        "const component = await program(`(i32.store8 (i32.const 100) (i32.const 112))
             (call $fail (call $open_file (i32.const 100) (i32.const 1) (i32.const 0) (i64.const 2)))
             (drop (call $take (i32.load (i32.const 600)) (i32.const 1)))`);
         const instance = await instantiateComponent(component, {{}}, {{ wasi: {{ preopens: {{ '/': {} }} }}, timeoutMs: 100 }});
         return [(await caught(() => instance.run())).message, instance.ended];",
        json!(inside)
    ));
    assert_eq!(
        got,
        json!(["the deadline passed: a call may take 100 ms", true])
    );
    // The thread that opens the pipe ends with its other end.
    drop(
        std::fs::OpenOptions::new()
            .write(true)
            .open(inside.join("p")),
    );
}

#[test]
fn a_guest_opens_no_more_files_than_the_cap() {
    let inside = folder("cap");
    std::fs::write(inside.join("a"), "inside").unwrap();
    let mut capabilities = granting(vec![inside.clone()]);
    capabilities.max_wasi_descriptors = 50;
    let got = js(capabilities).run(&format!(
        "const component = await program(`
             (i32.store8 (i32.const 100) (i32.const 97))
             (loop $more
                 (call $fail (call $open_file (i32.const 100) (i32.const 1) (i32.const 0) (i64.const 2)))
                 (br $more))`);
         const outcomes = [];
         for (let i = 0; i < 3; i++) {{
             const instance = await instantiateComponent(component, {{}}, {{ wasi: {{ preopens: {{ '/': {} }} }}, fuel: 100_000_000 }});
             const error = await caught(() => instance.run());
             outcomes.push([error.code, error.message]);
             instance.drop();
         }}
         return outcomes;",
        json!(inside)
    ));
    let ended = json!([
        5002,
        "the guest has too many files, sockets, streams and events of WASI: the cap is max_wasi_descriptors"
    ]);
    assert_eq!(got, json!([ended, ended, ended]));
}

#[test]
fn sockets_are_refused() {
    let got = js(granting(vec![])).run(
        "const component = await compileComponent(text(`(component
             (import \"wasi:sockets/network@0.2.0\" (instance $network
                 (export \"network\" (type (sub resource)))
                 (type $codes (enum \"unknown\" \"access-denied\" \"not-supported\"))
                 (export \"error-code\" (type (eq $codes)))))
             (alias export $network \"network\" (type $n))
             (alias export $network \"error-code\" (type $e))
             (import \"wasi:sockets/instance-network@0.2.0\" (instance $instance
                 (alias outer 1 $n (type $n'))
                 (export \"network\" (type $n'' (eq $n')))
                 (export \"instance-network\" (func (result (own $n''))))))
             (import \"wasi:sockets/tcp-create-socket@0.2.0\" (instance $create
                 (alias outer 1 $e (type $e'))
                 (export \"error-code\" (type $e'' (eq $e')))
                 (export \"create\" (func (result (result u32 (error $e'')))))
                 (export \"other\" (func (result u32)))))
             (core module $memory (memory (export \"memory\") 1))
             (core instance $memory (instantiate $memory))
             (alias core export $memory \"memory\" (core memory $m))
             (core func $network (canon lower (func $instance \"instance-network\")))
             (core func $create (canon lower (func $create \"create\") (memory $m)))
             (core func $other (canon lower (func $create \"other\")))
             (core module $main
                 (import \"\" \"network\" (func $network (result i32)))
                 (import \"\" \"create\" (func $create (param i32)))
                 (import \"\" \"other\" (func $other (result i32)))
                 (import \"\" \"memory\" (memory 1))
                 (func (export \"create\") (result i32)
                     (if (i32.eqz (call $network)) (then unreachable))
                     (call $create (i32.const 8))
                     (i32.add (i32.mul (i32.const 10) (i32.load8_u (i32.const 8))) (i32.load8_u (i32.const 12))))
                 (func (export \"other\") (result i32) (call $other)))
             (core instance $i (instantiate $main (with \"\" (instance
                 (export \"network\" (func $network)) (export \"create\" (func $create))
                 (export \"other\" (func $other)) (export \"memory\" (memory $m))))))
             (func (export \"create\") (result u32) (canon lift (core func $i \"create\")))
             (func (export \"other\") (result u32) (canon lift (core func $i \"other\"))))`));
         const instance = await instantiateComponent(component, {}, { wasi: {} });
         return [instance.exports.create(), tell(await caught(() => instance.exports.other()))];",
    );
    assert_eq!(
        got,
        json!([
            11,
            { "code": 5002, "kind": "RuntimeError",
              "message": "the component called \"wasi:sockets/tcp-create-socket@0.2.0#other\", which the host does not grant" },
        ])
    );
}

#[test]
fn instances_with_wasi_leave_nothing_behind() {
    let inside = folder("flat");
    std::fs::write(inside.join("a"), "inside").unwrap();
    let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let mut js = js(granting(vec![inside.clone()]));
    js.run(&format!(
        "globalThis.component = await program(`
             (i32.store8 (i32.const 100) (i32.const 97))
             (call $fail (call $open_file (i32.const 100) (i32.const 1) (i32.const 0) (i64.const 2)))
             (drop (call $print (i32.const 1) (i32.const 2048) (call $take (i32.load (i32.const 600)) (i32.const 3))))`);
         globalThis.once = async () => {{
             const instance = await instantiateComponent(component, {{}}, {{ wasi: {{ stdout: 'piped', preopens: {{ '/': {} }} }} }});
             const status = instance.run();
             const out = string(instance.stdout());
             instance.drop();
             return `${{status}}${{out}}`;
         }};
         await once();",
        json!(inside)
    ));
    let before = descriptors();
    let got = js.run("let last; for (let i = 0; i < 200; i++) last = await once(); return last;");
    assert_eq!(got, json!("0ins"));
    // Other tests open files meanwhile.
    let after = descriptors();
    assert!(after < before + 100, "{before} {after}");
}

/// A component takes only the bytes that it requests from the standard input of the process, and gives the process all that
/// it writes.
#[test]
fn streams_of_the_process_are_shared_with_it() {
    if child::is_child() {
        let result = js(granting(vec![])).run(
            "const component = await program(`(local $i i32)
                 (call $fail (i32.ne (i32.const 3) (call $take (i32.const 0) (i32.const 3))))
                 (drop (call $print (i32.const 2) (i32.const 2048) (i32.const 3)))
                 (loop $more
                     (drop (call $print (i32.const 2) (i32.const 8192) (i32.const 50000)))
                     (local.set $i (i32.add (local.get $i) (i32.const 1)))
                     (br_if $more (i32.lt_u (local.get $i) (i32.const 4))))`);
             const instance = await instantiateComponent(component, {}, { wasi: { stdin: 'inherit', stderr: 'inherit' }, timeoutMs: 60_000 });
             return instance.run();",
        );
        child::answer(&result);
        return;
    }
    let (mut rest, mut input) = pipe().unwrap();
    input.write_all(b"abcdefgh").unwrap();
    drop(input);
    let (mut output, error) = pipe().unwrap();
    // More than a pipe can hold.
    let reader = std::thread::spawn(move || {
        let mut all = Vec::new();
        output.read_to_end(&mut all).unwrap();
        all
    });
    let result = Child::new(this_test!())
        .stdin(Stdio::from(rest.try_clone().unwrap()))
        .stderr(Stdio::from(error))
        .run();
    assert_eq!(result, 0);
    let written = reader.join().unwrap();
    let zeros = written.iter().filter(|byte| **byte == 0).count();
    assert_eq!((zeros, written.starts_with(b"abc")), (200_000, true));
    let mut left = String::new();
    rest.read_to_string(&mut left).unwrap();
    assert_eq!(left, "defgh");
}

/// If no process reads the output, a write waits until the deadline.
#[test]
fn a_write_to_a_full_output_ends_at_the_deadline() {
    if child::is_child() {
        let result = js(granting(vec![])).run(
            "const component = await program('(loop $more (drop (call $print (i32.const 2) (i32.const 8192) (i32.const 50000))) (br $more))');
             const instance = await instantiateComponent(component, {}, { wasi: { stderr: 'inherit' }, timeoutMs: 200 });
             return (await caught(() => instance.run())).message;",
        );
        child::answer(&result);
        return;
    }
    let (_reader, writer) = pipe().unwrap();
    let result = Child::new(this_test!()).stderr(Stdio::from(writer)).run();
    assert_eq!(result, "the deadline passed: a call may take 200 ms");
}

/// A write beyond the maximum file size of a process would end it.
#[test]
fn folders_are_read_only_where_files_have_a_maximum_size() {
    if child::is_child() {
        let inside = folder("limited");
        let result = js(granting(vec![inside.clone()])).run(&format!(
            "const component = await program('');
             const make = (preopen) => instantiateComponent(component, {{}}, {{ wasi: {{ preopens: {{ '/': preopen }} }} }});
             const path = {};
             return [(await caught(() => make(path))).message, (await make({{ path, readonly: true }})).run()];",
            json!(inside)
        ));
        child::answer(&result);
        return;
    }
    let result = Child::limited(this_test!(), "ulimit -f 1000").run();
    let message = "the option wasi is unusable: preopen \"/\" has to be read-only, since the process has a maximum file size";
    assert_eq!(result, json!([message, 0]));
}

/// The limit on the bytes that cross in one call is none on the calls together.
#[test]
fn a_component_may_write_much_in_many_calls() {
    let got = js(granting(vec![])).run(
        "const component = await program(`(local $i i32)
             (loop $more
                 (call $fail (call $print (i32.const 1) (i32.const 8192) (i32.const 60000)))
                 (local.set $i (i32.add (local.get $i) (i32.const 1)))
                 (br_if $more (i32.lt_u (local.get $i) (i32.const 4000))))`);
         const instance = await instantiateComponent(component, {}, { wasi: {} });
         return instance.run();",
    );
    assert_eq!(got, 0);
}

/// The system is asked for each entry when the guest reads it, so that a folder with many entries takes no memory.
#[test]
fn a_folder_is_listed_without_the_names_that_are_not_utf_8() {
    use std::os::unix::ffi::OsStrExt as _;
    let inside = folder("listed");
    for number in 0..300 {
        std::fs::write(inside.join(number.to_string()), "").unwrap();
    }
    std::fs::create_dir(inside.join("sub")).unwrap();
    let hidden = std::ffi::OsStr::from_bytes(b"\xff");
    if std::fs::write(inside.join(hidden), "").is_err() {
        println!("the file system has no such names");
    }
    // An entry has a header of 24 bytes, with the length of the name at 16 and the type at 20; 3 is a folder. The first
    // two entries are the folder itself and the one around it.
    let got = js(granting(vec![inside.clone()])).run(&format!(
        "const component = await program(`(local $at i32) (local $count i32) (local $folders i32)
             (call $fail (call $list (i32.const 3) (i32.const 16384) (i32.const 100000) (i64.const 0) (i32.const 800)))
             (loop $more
                 (local.set $count (i32.add (local.get $count) (i32.const 1)))
                 (local.set $folders (i32.add (local.get $folders)
                     (i32.eq (i32.const 3) (i32.load8_u offset=16404 (local.get $at)))))
                 (local.set $at (i32.add (local.get $at) (i32.add (i32.const 24) (i32.load offset=16400 (local.get $at)))))
                 (br_if $more (i32.lt_u (local.get $at) (i32.load (i32.const 800)))))
             (i32.store (i32.const 900) (local.get $count))
             (i32.store (i32.const 904) (local.get $folders))
             (drop (call $print (i32.const 1) (i32.const 900) (i32.const 8)))`);
         const instance = await instantiateComponent(component, {{}}, {{ wasi: {{ stdout: 'piped', preopens: {{ '/': {} }} }} }});
         return [instance.run(), ...new Uint32Array(instance.stdout().slice().buffer)];",
        json!(inside)
    ));
    assert_eq!(got, json!([0, 303, 3]));
}

/// What a component has written to a file is there when the call that wrote it has returned, and nothing is written
/// afterwards.
#[test]
fn nothing_is_written_after_the_end_of_a_component() {
    let inside = folder("ended");
    let got = js(granting(vec![inside.clone()])).run(&format!(
        "const component = await program(`(local $i i32)
             (i32.store8 (i32.const 100) (i32.const 97))
             (call $fail (call $open_file (i32.const 100) (i32.const 1) (i32.const 1) (i64.const 66)))
             (loop $more
                 (call $fail (call $print (i32.load (i32.const 600)) (i32.const 8192) (i32.const 50000)))
                 (local.set $i (i32.add (local.get $i) (i32.const 1)))
                 (br_if $more (i32.lt_u (local.get $i) (i32.const 20))))
             unreachable`);
         const instance = await instantiateComponent(component, {{}}, {{ wasi: {{ preopens: {{ '/': {} }} }} }});
         const {{ trap }} = await caught(() => instance.run());
         instance.drop();
         return trap;",
        json!(inside)
    ));
    assert_eq!(got, "unreachable");
    let size = std::fs::metadata(inside.join("a")).unwrap().len();
    assert_eq!(size, 1_000_000);
}
