//! WASI: what guests are given they have, and nothing else, and they may wait for it.

use std::path::PathBuf;

use ext_wasm::WasmCapabilities;
use serde_json::{Value, json};

use crate::js::Js;

/// Every function of preview 1 with its parameters, and its result unless there is none.
const FUNCTIONS: &[(&str, &str)] = &[
    ("args_get", "i32 i32"),
    ("args_sizes_get", "i32 i32"),
    ("clock_res_get", "i32 i32"),
    ("clock_time_get", "i32 i64 i32"),
    ("environ_get", "i32 i32"),
    ("environ_sizes_get", "i32 i32"),
    ("fd_advise", "i32 i64 i64 i32"),
    ("fd_allocate", "i32 i64 i64"),
    ("fd_close", "i32"),
    ("fd_datasync", "i32"),
    ("fd_fdstat_get", "i32 i32"),
    ("fd_fdstat_set_flags", "i32 i32"),
    ("fd_fdstat_set_rights", "i32 i64 i64"),
    ("fd_filestat_get", "i32 i32"),
    ("fd_filestat_set_size", "i32 i64"),
    ("fd_filestat_set_times", "i32 i64 i64 i32"),
    ("fd_pread", "i32 i32 i32 i64 i32"),
    ("fd_prestat_dir_name", "i32 i32 i32"),
    ("fd_prestat_get", "i32 i32"),
    ("fd_pwrite", "i32 i32 i32 i64 i32"),
    ("fd_read", "i32 i32 i32 i32"),
    ("fd_readdir", "i32 i32 i32 i64 i32"),
    ("fd_renumber", "i32 i32"),
    ("fd_seek", "i32 i64 i32 i32"),
    ("fd_sync", "i32"),
    ("fd_tell", "i32 i32"),
    ("fd_write", "i32 i32 i32 i32"),
    ("path_create_directory", "i32 i32 i32"),
    ("path_filestat_get", "i32 i32 i32 i32 i32"),
    ("path_filestat_set_times", "i32 i32 i32 i32 i64 i64 i32"),
    ("path_link", "i32 i32 i32 i32 i32 i32 i32"),
    ("path_open", "i32 i32 i32 i32 i32 i64 i64 i32 i32"),
    ("path_readlink", "i32 i32 i32 i32 i32 i32"),
    ("path_remove_directory", "i32 i32 i32"),
    ("path_rename", "i32 i32 i32 i32 i32 i32"),
    ("path_symlink", "i32 i32 i32 i32 i32"),
    ("path_unlink_file", "i32 i32 i32"),
    ("poll_oneoff", "i32 i32 i32 i32"),
    ("proc_raise", "i32"),
    ("random_get", "i32 i32"),
    ("sched_yield", ""),
    ("sock_accept", "i32 i32 i32"),
    ("sock_recv", "i32 i32 i32 i32 i32 i32"),
    ("sock_send", "i32 i32 i32 i32 i32"),
    ("sock_shutdown", "i32 i32"),
];

/// A module that exports every function of WASI, as a function of its own that calls it.
fn everything() -> String {
    let mut imports = String::new();
    let mut exports = String::new();
    for (name, params) in FUNCTIONS {
        let gets: String = (0..params.split_whitespace().count())
            .map(|index| format!("(local.get {index}) "))
            .collect();
        imports += &format!(
            "(import \"wasi_snapshot_preview1\" \"{name}\" (func ${name} (param {params}) (result i32)))\n"
        );
        exports += &format!(
            "(func (export \"{name}\") (param {params}) (result i32) (call ${name} {gets}))\n"
        );
    }
    format!(
        "(module {imports}
            (import \"wasi_snapshot_preview1\" \"proc_exit\" (func $proc_exit (param i32)))
            (memory (export \"memory\") 4)
            {exports}
            (func (export \"proc_exit\") (param i32) (call $proc_exit (local.get 0))))"
    )
}

/// JavaScript that drives that module: `guest` makes an instance of it, with a method for each of
/// the functions that the tests need, which return what they read or the number of the error.
const GUEST: &str = r#"
    const decoder = { decode: (bytes) => String.fromCharCode(...bytes) };
    class Guest {
        constructor(instance) { this.instance = instance; this.end = 1024; }
        call(name, ...args) { return this.instance.call(name, args); }
        put(string) {
            const bytes = text(string), at = this.end;
            this.instance.writeMemory(at, bytes);
            this.end += bytes.length;
            return [at, bytes.length];
        }
        u32(at) { return new DataView(this.instance.memory().buffer).getUint32(at, true); }
        set(at, ...words) {
            const view = new DataView(this.instance.memory().buffer);
            words.forEach((word, i) => view.setUint32(at + 4 * i, word, true));
        }
        string(at, length) { return decoder.decode(this.instance.readMemory(at, length)); }
        /** The strings that `NAME_sizes_get` and `NAME_get` tell of. */
        strings(name) {
            if (this.call(`${name}_sizes_get`, 0, 4) !== 0) throw "no sizes";
            const count = this.u32(0), size = this.u32(4);
            if (this.call(`${name}_get`, 64, 4096) !== 0) throw "no strings";
            return [count, this.string(4096, size)];
        }
        /** Opens a path under a folder; a number below 3 never comes back. */
        open(dir, path, { create = false, write = false, directory = false, follow = true } = {}) {
            const [at, length] = this.put(path);
            const rights = 0x2n | 0x4000n | 0x200000n | (write ? 0x40n : 0n);
            const flags = (create ? 1 : 0) | (directory ? 2 : 0);
            const errno = this.call("path_open", dir, follow ? 1 : 0, at, length, flags, rights, rights, 0, 0);
            return errno === 0 ? { fd: this.u32(0) } : { errno };
        }
        read(fd, length = 64) {
            this.set(0, 2048, length);
            const errno = this.call("fd_read", fd, 0, 1, 8);
            return errno === 0 ? this.string(2048, this.u32(8)) : errno;
        }
        write(fd, string) {
            this.set(0, ...this.put(string));
            const errno = this.call("fd_write", fd, 0, 1, 8);
            return errno === 0 ? this.u32(8) : -errno;
        }
        /** The contents of a file under a folder, or an error number. */
        cat(dir, path, options) {
            const { fd, errno } = this.open(dir, path, options);
            return fd === undefined ? errno : this.read(fd);
        }
        /** Waits by the monotonic clock. */
        sleep(nanoseconds) {
            const view = new DataView(this.instance.memory().buffer, 256);
            for (let i = 0; i < 48; i++) view.setUint8(i, 0);
            view.setUint32(16, 1, true);
            view.setBigUint64(24, BigInt(nanoseconds), true);
            return this.call("poll_oneoff", 256, 512, 1, 0);
        }
    }
    globalThis.guest = async (wasi) => new Guest(await load(everything, {}, { wasi }));
"#;

fn granting(preopens: Vec<PathBuf>) -> WasmCapabilities {
    let mut capabilities = WasmCapabilities::default();
    capabilities.allow_wasi = true;
    capabilities.preopen_paths = preopens;
    capabilities
}

/// A runtime in which `guest` can be used.
fn js(capabilities: WasmCapabilities) -> Js {
    let mut js = Js::with(capabilities);
    js.run(&format!(
        "globalThis.everything = {};\n{GUEST}",
        json!(everything())
    ));
    js
}

#[test]
fn without_a_word_guests_have_nothing() {
    let mut js = js(granting(vec![]));
    let told = js.run(
        "const g = await guest({});
         return {
             args: g.strings('args'), env: g.strings('environ'),
             preopen: g.call('fd_prestat_get', 3, 0),
             stdin: g.read(0), stdout: g.write(1, 'gone'), stderr: g.write(2, 'gone'),
             output: [await caught(() => g.instance.stdout()), await caught(() => g.instance.stderr())].map(tell),
             socket: g.call('sock_accept', 3, 0, 0),
             open: g.open(3, 'etc/passwd').errno,
         };",
    );
    let refused = |name: &str| json!({ "code": 5002, "kind": "RuntimeError", "message": format!("{name} is not piped") });
    assert_eq!(
        told,
        json!({
            "args": [0, ""], "env": [0, ""],
            "preopen": 8, "stdin": "", "stdout": 4, "stderr": 4,
            "output": [refused("stdout"), refused("stderr")],
            "socket": 8, "open": 8,
        })
    );
}

#[test]
fn what_guests_are_given_they_have() {
    let mut js = js(granting(vec![]));
    let told = js.run(
        "const g = await guest({
             args: ['prog', '', 'ünï'], env: { A: '1', B: 'x=y' },
             stdin: 'all of it', stdout: 'piped', stderr: 'piped',
         });
         const bytes = await guest({ stdin: new Uint8Array([65, 66]).subarray(1) });
         const before = [...g.instance.stdout()];
         const written = [g.write(1, 'one '), g.write(1, 'two'), g.write(2, 'three')];
         return {
             args: [g.strings('args')[0], g.strings('args')[1].split('\\0')[0]], env: g.strings('environ'),
             stdin: [g.read(0, 4), g.read(0), g.read(0), bytes.read(0)], before, written,
             stdout: decoderOf(g.instance.stdout()), stderr: decoderOf(g.instance.stderr()),
         };
         function decoderOf(bytes) { return String.fromCharCode(...bytes); }",
    );
    assert_eq!(
        told,
        json!({
            "args": [3, "prog"], "env": [2, "A=1\0B=x=y\0"],
            "stdin": ["all ", "of it", "", "B"], "before": [], "written": [4, 3, 5],
            "stdout": "one two", "stderr": "three",
        })
    );
}

#[test]
fn a_command_runs_once_and_tells_its_status() {
    let mut js = js(granting(vec![]));
    let told = js.run(
        "const command = (body) => load(`(module
             (import \"wasi_snapshot_preview1\" \"proc_exit\" (func $exit (param i32)))
             (memory (export \"memory\") 1)
             (func (export \"_start\") ${body})
             (func (export \"exit\") (call $exit (i32.const 3))))`, {}, { wasi: {} });
         const exits = await command('(call $exit (i32.const 7))');
         const large = [];
         for (const status of [126, 255, -1]) large.push((await command(`(call $exit (i32.const ${status}))`)).start());
         const returns = await command('');
         const traps = await command('unreachable');
         const exited = await caught(() => exits.call('exit'));
         return {
             statuses: [exits.start(), returns.start(), ...large],
             atStart: await codeOf(() => load('(module (import \"wasi_unstable\" \"proc_exit\" (func $e (param i32))) (func $s (call $e (i32.const 1))) (start $s))', {}, { wasi: {} })),
             noMemory: tell(await caught(async () => (await load('(module (import \"wasi_unstable\" \"random_get\" (func $r (param i32 i32) (result i32))) (func (export \"f\") (drop (call $r (i32.const 0) (i32.const 1)))))', {}, { wasi: {} })).call('f'))),
             again: tell(await caught(() => returns.start())),
             trap: tell(await caught(() => traps.start())),
             exit: [tell(exited), exited.exitCode],
             noCommand: await codeOf(async () => (await guest({})).instance.start()),
         };",
    );
    assert_eq!(
        told,
        json!({
            "statuses": [7, 0, 126, 255, -1],
            "atStart": 5002,
            "noMemory": { "code": 5002, "kind": "RuntimeError", "message": "missing required memory export" },
            "again": { "code": 5002, "kind": "RuntimeError", "message": "the command was started before" },
            "trap": { "code": 5002, "kind": "RuntimeError", "message": "wasm trap: unreachable", "trap": "unreachable" },
            "exit": [{ "code": 5002, "kind": "RuntimeError", "message": "the guest exited with status 3" }, 3],
            "noCommand": 5004,
        })
    );
}

#[test]
fn a_reactor_is_ready_when_it_is_instantiated() {
    let mut js = js(granting(vec![]));
    let told = js.run(
        "const reactor = (body) => load(`(module
             (import \"wasi_unstable\" \"sched_yield\" (func $yield (result i32)))
             (global $ready (export \"ready\") (mut i32) (i32.const 0))
             (memory (export \"memory\") 1)
             (func (export \"_initialize\") (global.set $ready (i32.const 1)) ${body})
             (func (export \"yield\") (result i32) (call $yield)))`, {}, { wasi: {} });
         const good = await reactor('');
         const before = Deno.core.ops.op_wasm_live_instances();
         const bad = await codeOf(() => reactor('unreachable'));
         await load('(module (func (export \"_initialize\") (param i32)))', {}, { wasi: {} }).then((instance) => instance.drop());
         return [good.global('ready').value, good.call('yield'), bad,
                 Deno.core.ops.op_wasm_live_instances() - before];",
    );
    assert_eq!(told, json!([1, 0, 5002, 0]));
}

#[test]
fn wasi_has_to_be_granted_and_asked_for() {
    let needs = "(module (import \"wasi_snapshot_preview1\" \"sched_yield\" (func (result i32))))";
    let script = format!(
        "const module = await compile(text({}));
         const own = {{ wasi_snapshot_preview1: {{ sched_yield: () => 0 }} }};
         return {{
             asked: tell(await caught(() => instantiate(module, {{}}, {{ wasi: {{}} }}))),
             not: tell(await caught(() => instantiate(module))),
             own: (await instantiate(module, own)).moduleId === module.id,
             unknown: tell(await caught(() => load('(module (import \"wasi_snapshot_preview1\" \"fd_fly\" (func)))', {{}}, {{ wasi: {{}} }}))),
             mistyped: await codeOf(() => load('(module (import \"wasi_snapshot_preview1\" \"sched_yield\" (func)))', {{}}, {{ wasi: {{}} }})),
             joined: tell(await caught(() => instantiate(module, {{}}, {{ store: new WasmStore(), wasi: {{}} }}))),
         }};",
        json!(needs)
    );
    let refusal =
        |message: &str| json!({ "code": 5001, "kind": "InstantiateError", "message": message });
    let not = "import \"wasi_snapshot_preview1\".\"sched_yield\" needs a function: the store has no WASI, \
               for which there is the option wasi";
    let told = Js::new().run(&script);
    assert_eq!(told["asked"], refusal("the host grants no WASI"));
    assert_eq!(told["not"], refusal(not));
    assert_eq!(told["own"], true);

    let told = Js::with(granting(vec![])).run(&script);
    assert_eq!(told["asked"], "not a WasmError: nothing was thrown");
    assert_eq!(told["not"], refusal(not));
    assert_eq!(
        told["unknown"],
        refusal("import \"wasi_snapshot_preview1\".\"fd_fly\": WASI has no such function")
    );
    assert_eq!(told["mistyped"], 5001);
}

/// A folder to grant, with a file in it, one beside it, and links that lead out.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let root =
            std::env::temp_dir().join(format!("ext_wasm-wasi-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&root);
        std::fs::create_dir_all(root.join("granted/deep")).unwrap();
        std::fs::write(root.join("granted/file"), "inside").unwrap();
        std::fs::write(root.join("secret"), "outside").unwrap();
        #[cfg(unix)]
        {
            let link = std::os::unix::fs::symlink::<PathBuf, PathBuf>;
            link(root.join("secret"), root.join("granted/absolute")).unwrap();
            link("../secret".into(), root.join("granted/relative")).unwrap();
            link("file".into(), root.join("granted/inner")).unwrap();
            link(root.clone(), root.join("granted/folder")).unwrap();
            link(root.join("granted"), root.join("enters")).unwrap();
        }
        Self(root)
    }

    fn path(&self, path: &str) -> String {
        self.0.join(path).to_string_lossy().into_owned()
    }

    fn js(&self) -> Js {
        let mut js = js(granting(vec![self.0.join("granted")]));
        js.run(&format!("globalThis.root = {};", json!(self.path(""))));
        js
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn files_are_those_of_the_preopened_folders() {
    let folder = Folder::new("files");
    let told = folder.js().run(
        "const g = await guest({ preopens: { '/data': root + 'granted', '/ro': { path: root + 'granted', readonly: true } } });
         const name = (fd) => (g.call('fd_prestat_get', fd, 0), g.call('fd_prestat_dir_name', fd, 3000, g.u32(4)), g.string(3000, g.u32(4)));
         const made = g.open(3, 'made', { create: true, write: true });
         return {
             names: [name(3), name(4)],
             read: [g.cat(3, 'file'), g.cat(4, 'file'), g.cat(3, 'inner'), g.cat(3, './deep/../file')],
             made: [g.write(made.fd, 'new'), g.cat(4, 'made')],
             readonly: [g.open(4, 'made2', { create: true, write: true }).errno, g.open(4, 'file', { write: true }).errno,
                        g.call('path_unlink_file', 4, ...g.put('file')), g.call('path_create_directory', 4, ...g.put('d'))],
         };",
    );
    assert_eq!(told["names"], json!(["/data", "/ro"]));
    assert_eq!(
        told["read"],
        json!(["inside", "inside", "inside", "inside"])
    );
    assert_eq!(told["made"], json!([3, "new"]));
    let readonly = told["readonly"].as_array().unwrap();
    assert!(
        readonly.iter().all(|errno| errno.as_i64() > Some(0)),
        "{told}"
    );
    assert_eq!(std::fs::read(folder.path("granted/made")).unwrap(), b"new");
    assert_eq!(
        std::fs::read(folder.path("granted/file")).unwrap(),
        b"inside"
    );
}

#[test]
fn no_path_leads_out_of_a_preopened_folder() {
    let folder = Folder::new("escapes");
    let told = folder.js().run(
        "const g = await guest({ preopens: { '/data': root + 'granted' } });
         const paths = ['../secret', '/etc/passwd', root + 'secret', 'deep/../../secret', 'absolute', 'relative',
                        'folder/secret', 'fi\\0le', 'deep/../../../../../../etc/passwd', '', '..'];
         const opened = paths.map((path) => g.cat(3, path));
         const without = ['absolute', 'relative'].map((path) => g.cat(3, path, { follow: false }));
         const stat = (path) => g.call('path_filestat_get', 3, 1, ...g.put(path), 4000);
         const two = (name, a, b) => g.call(name, 3, ...g.put(a), 3, ...g.put(b));
         return {
             opened, without, stat: ['../secret', 'absolute'].map(stat),
             unlink: g.call('path_unlink_file', 3, ...g.put('../secret')),
             mkdir: g.call('path_create_directory', 3, ...g.put('../made')),
             rename: [two('path_rename', 'file', '../moved'), two('path_rename', '../secret', 'taken')],
             link: g.call('path_link', 3, 0, ...g.put('../secret'), 3, ...g.put('hard')),
             symlink: g.call('path_symlink', ...g.put('/etc/passwd'), 3, ...g.put('soft')),
             through: (g.call('path_symlink', ...g.put('../secret'), 3, ...g.put('soft')), g.cat(3, 'soft')),
             create: g.open(3, '../created', { create: true, write: true }).errno,
         };",
    );
    for (what, errnos) in told.as_object().unwrap() {
        let errnos = match errnos {
            Value::Array(errnos) => errnos.clone(),
            one => vec![one.clone()],
        };
        for errno in errnos {
            assert!(errno.as_i64() > Some(0), "{what}: {errno} in {told}");
        }
    }
    let mut left: Vec<String> = std::fs::read_dir(&folder.0)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["enters", "granted", "secret"]);
    assert_eq!(std::fs::read(folder.path("secret")).unwrap(), b"outside");
}

#[test]
fn only_folders_that_are_granted_can_be_preopened() {
    let folder = Folder::new("grants");
    let told = folder.js().run(
        "const attempt = async (path) => tell(await caught(() => guest({ preopens: { '/': path } })));
         return Promise.all(['', 'granted/../', 'granted/folder', 'missing', 'granted/file', 'granted/deep', 'enters']
             .map(async (path) => {
                 const told = await attempt(root + path);
                 return told.code ? [told.code, told.message.replace(root, 'ROOT/')] : 'granted';
             }));",
    );
    let refused = |path: &str| {
        let why = "not a folder, or not granted by the host";
        json!([
            5001,
            format!("the option wasi is unusable: cannot preopen ROOT/{path}: {why}")
        ])
    };
    assert_eq!(
        told,
        json!([
            refused(""),
            refused("granted/../"),
            refused("granted/folder"),
            refused("missing"),
            refused("granted/file"),
            "granted",
            "granted"
        ])
    );
}

#[test]
fn configs_that_cannot_be_used() {
    let mut js = js(granting(vec![]));
    let told = js.run(
        "const configs = [1, null, 'all', { args: 'a' }, { args: [1] }, { args: ['a\\0b'] }, { env: 1 },
             { env: { A: 1 } }, { env: { 'A=B': '1' } }, { env: { '': '1' } }, { env: { A: '\\0' } },
             { preopens: [1] }, { preopens: { '/': 1 } }, { preopens: { '/': {} } },
             { preopens: { '/': { path: '.', readonly: 'yes' } } },
             { stdin: 1 }, { stdout: 'all' }, { stderr: new Uint8Array(1) }, { stdout: { kind: 'piped' } }];
         return Promise.all(configs.map((wasi) => codeOf(() => guest(wasi))));",
    );
    assert_eq!(told, json!(vec![5001; 19]));
}

#[test]
fn what_is_captured_is_bounded() {
    let mut capabilities = granting(vec![]);
    capabilities.max_output_bytes = 10;
    let told = js(capabilities).run(
        "const g = await guest({ stdout: 'piped', stderr: 'piped' });
         const first = g.write(1, '12345678');
         const more = tell(await caught(() => g.write(1, '90abc')));
         return [first, more, String.fromCharCode(...g.instance.stdout()), g.write(2, 'usable')];",
    );
    assert_eq!(
        told,
        json!([
            8,
            {
                "code": 5002, "kind": "RuntimeError",
                "message": "the guest wrote more to stdout than 10 bytes"
            },
            "1234567890",
            6
        ])
    );
}

#[test]
fn a_guest_waits_inside_the_event_loop() {
    let mut js = js(granting(vec![]));
    let told = js.run(
        "const g = await guest({});
         const time = () => (g.call('clock_time_get', 1, 0n, 0), new DataView(g.instance.memory().buffer).getBigUint64(0, true));
         const before = time();
         const slept = [g.sleep(5_000_000), g.sleep(0)];
         await Deno.core.ops.op_wasm_turn();
         slept.push(g.sleep(1_000_000));
         return [slept, time() - before >= 6_000_000n];",
    );
    assert_eq!(told, json!([[0, 0, 0], true]));
}

/// A guest that calls back and forth with JavaScript, and reads its standard input in between.
const CALLBACK: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (import "env" "back" (func $back (param i32) (result i32)))
    (memory (export "memory") 1)
    (global $depth (mut i32) (i32.const 0))
    (data (i32.const 100) "x")
    (func (export "down") (param i32) (result i32)
        (i32.store (i32.const 0) (i32.const 100))
        (i32.store (i32.const 4) (i32.const 1))
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
        (call $back (local.get 0)))
    (func (export "grow") (result i32) (memory.grow (i32.const 1)))
    (func (export "trap") unreachable))"#;

#[test]
fn imports_run_where_javascript_does_and_call_back() {
    let mut js = js(granting(vec![]));
    let told = js.run(&format!(
        "const seen = [];
         const env = {{ back: (n) => {{
             seen.push(instance.stdout().length);
             const view = new Uint8Array(instance.memory().buffer);
             view[200] = n;
             const grown = instance.call('grow');
             if (view.length !== 0) throw 'the view is not detached';
             if (instance.readMemory(200, 1)[0] !== n) throw 'the write is lost';
             const trapped = (() => {{ try {{ instance.call('trap'); }} catch (error) {{ return error.trap; }} }})();
             if (trapped !== 'unreachable') throw 'no trap';
             return n === 0 ? grown : instance.call('down', [n - 1]);
         }} }};
         const instance = await load({}, {{ env }}, {{ wasi: {{ stdout: 'piped' }} }});
         return [instance.call('down', [5]), seen, instance.stdout().length];",
        json!(CALLBACK)
    ));
    assert_eq!(told, json!([6, [1, 2, 3, 4, 5, 6], 6]));
}

#[test]
fn what_an_import_throws_passes_a_guest_with_wasi() {
    let mut js = js(granting(vec![]));
    let told = js.run(&format!(
        "const thrown = {{}};
         let instance;
         const env = {{ back: (n) => {{
             if (n === 0) throw thrown;
             if (n === 1) instance.drop();
             if (n === 2) return 'no number';
             return instance.call('down', [n]);
         }} }};
         const start = async () => {{ instance = await load({}, {{ env }}, {{ wasi: {{}} }}); }};
         await start();
         const cause = (await caught(() => instance.call('down', [0]))).cause === thrown;
         const mismatch = await codeOf(() => instance.call('down', [2]));
         const deep = (await caught(() => instance.call('down', [3]))).code;
         const usable = instance.call('grow');
         const dropped = await codeOf(() => instance.call('down', [1]));
         const gone = await codeOf(() => instance.call('grow'));
         await start();
         return [cause, mismatch, deep, usable, dropped, gone, instance.call('grow')];",
        json!(CALLBACK)
    ));
    let told = told.as_array().unwrap();
    assert_eq!(told[..2], [json!(true), json!(5005)]);
    assert_eq!(told[2], 5002, "recursion without end");
    assert_eq!(told[3], 1);
    assert_eq!(told[5..], [json!(5002), json!(1)]);
}

#[test]
fn guests_with_wasi_leave_no_threads() {
    let mut js = js(granting(vec![]));
    js.run(
        "for (let i = 0; i < 300; i++) {
             const g = await guest({ stdout: 'piped' });
             if (g.write(1, 'x') !== 1) throw 'not written';
             g.instance.drop();
         }",
    );
    let threads = std::fs::read_dir("/proc/self/task");
    let Ok(threads) = threads else { return };
    let names = threads.filter_map(|thread| {
        let name = std::fs::read_to_string(thread.ok()?.path().join("comm")).ok()?;
        (name.trim() == "wasm guest").then_some(())
    });
    // Those of the tests that run beside this one count too.
    let count = names.count();
    assert!(count < 40, "{count} threads");
}

/// Compiles a program of `tests/programs`; `None`, with the reason printed, where there is no
/// compiler for WASI.
fn program(name: &str) -> Option<PathBuf> {
    let compile = |source: &std::path::Path, wasm: &std::path::Path| {
        std::process::Command::new("clang")
            .args(["--target=wasm32-wasi", "-O1", "-o"])
            .args([wasm, source])
            .output()
    };
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let probe = folder.join("probe.c");
    std::fs::write(
        &probe,
        "#include <stdio.h>\nint main(void) { return puts(\"\"); }\n",
    )
    .unwrap();
    let probed = compile(&probe, &folder.join("probe.wasm"));
    if !probed.is_ok_and(|output| output.status.success()) {
        println!("skipped: no clang with wasi-libc and lld");
        return None;
    }
    let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/programs/{name}.c"));
    let wasm = folder.join(format!("{name}.wasm"));
    let output = compile(&source, &wasm).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    Some(wasm)
}

#[test]
fn a_program_in_c() {
    let Some(wasm) = program("files") else { return };
    let folder = Folder::new("c");
    let mut capabilities = granting(vec![folder.0.join("granted")]);
    capabilities.allow_file_compile = true;
    let mut js = Js::with(capabilities);
    let told = js.run(&format!(
        "const module = await compileFile({});
         const run = async (readonly) => {{
             const instance = await instantiate(module, {{}}, {{ wasi: {{
                 args: ['prog', 'one', 'two'], env: {{ GREETING: 'hello' }}, stdin: 'a\\nb\\n',
                 preopens: {{ '/data': {{ path: {}, readonly }} }}, stdout: 'piped', stderr: 'piped',
             }} }});
             const told = [instance.start(), ...['stdout', 'stderr'].map((name) =>
                 String.fromCharCode(...instance[name]()))];
             instance.drop();
             return told;
         }};
         return [await run(false), await run(true)];",
        json!(wasm),
        json!(folder.path("granted"))
    ));
    let stdout = "one two\nhello\n> a\n> b\n3890 bytes\n2\n3\n4\nb\noutside: Operation not permitted\n\
                  waited\nrandom\n";
    assert_eq!(told[0], json!([42, stdout, "done\n"]));
    assert_eq!(told[1][0], 2);
    assert_eq!(told[1][2], "mkdir: Operation not permitted\n");
}

#[test]
fn every_function_answers_whatever_it_is_asked() {
    let folder = Folder::new("anything");
    let names: Vec<&str> = FUNCTIONS.iter().map(|(name, _)| *name).collect();
    let told = folder.js().run(&format!(
        "const answers = {{}};
         for (const name of {}) {{
             for (const number of [0, 1, 3, -1, 0x7fffffff, 65532]) {{
                 const {{ instance }} = await guest({{ preopens: {{ '/': root + 'granted' }}, stdin: 'x' }});
                 const args = instance.getExport(name).params.map((type) => type === 'i64' ? BigInt(number) : number);
                 let answer;
                 try {{
                     answer = instance.call(name, args);
                 }} catch (error) {{
                     answer = error.code === 5002 ? 'trap' : tell(error);
                 }}
                 const known = answer === 'trap' || answer >= 0 && answer <= 76;
                 if (!known) (answers[name] ??= []).push([number, answer]);
                 instance.drop();
             }}
         }}
         return answers;",
        json!(names)
    ));
    assert_eq!(told, json!({}));
    assert_eq!(
        std::fs::read(folder.path("granted/file")).unwrap(),
        b"inside"
    );
    assert_eq!(std::fs::read(folder.path("secret")).unwrap(), b"outside");
}
