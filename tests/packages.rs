//! Published programs, in the form in which their packages ship them, on the strict API; packages of npm with their
//! glue on the standard one.
//!
//! `tests/programs/fetch.sh` puts them into `target/programs`. The test of a missing program prints that it is skipped.

mod npm;

use std::path::{Path, PathBuf};

use ext_wasm::WasmCapabilities;
use serde_json::{Value, json};

use crate::support::js::Js;

/// A program, and a folder for its files.
struct Program {
    wasm: PathBuf,
    folder: PathBuf,
}

/// `module` is the program. `start(wasi, options, call)` runs it as a command, and `string(bytes)` decodes text. The
/// program sees the folder as `/`.
const HELPERS: &str = "
    const string = (bytes) => String.fromCharCode(...bytes);
    const module = await compileFile(program);
    const withFolder = (wasi) => ({ preopens: { '/': folder }, stdout: 'piped', stderr: 'piped', ...wasi });
    const start = async (wasi, options, call) => {
        const instance = await instantiate(module, {}, { wasi: withFolder(wasi), ...options });
        try {
            const status = await instance.startAsync(call);
            return [status, string(instance.stdout()), string(instance.stderr())];
        } finally {
            instance.drop();
        }
    };
    /** Puts a string and a NUL into the memory of a guest. */
    const put = (instance, string) => {
        const bytes = text(string + '\\0'), at = instance.call('malloc', [bytes.length]);
        instance.writeMemory(at, bytes);
        return at;
    };";

impl Program {
    fn new(name: &str) -> Option<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let wasm = root.join("target/programs").join(format!("{name}.wasm"));
        if !wasm.exists() {
            println!("skipped: no {name}.wasm in target/programs; tests/programs/fetch.sh gets it");
            return None;
        }
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("package-{name}"));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        Some(Self { wasm, folder })
    }

    fn write(&self, name: &str, contents: &str) {
        std::fs::write(self.folder.join(name), contents).unwrap();
    }

    fn run(&self, body: &str) -> Value {
        let mut capabilities = WasmCapabilities::default();
        capabilities.allow_wasi = true;
        capabilities.allow_file_compile = true;
        capabilities.compile_paths = vec![self.wasm.clone()];
        capabilities.preopen_paths = vec![self.folder.clone()];
        Js::with(capabilities).run(&format!(
            "const program = {}, folder = {};\n{HELPERS}\n{body}",
            json!(self.wasm),
            json!(self.folder)
        ))
    }
}

/// A bundler, written in Go.
#[test]
fn esbuild() {
    let Some(program) = Program::new("esbuild") else {
        return;
    };
    program.write(
        "main.ts",
        "import { square } from './lib';\n(globalThis as any).squares = [1, 2, 3].map(square);",
    );
    program.write(
        "lib.ts",
        "export const square = (x: number): number => x * x;\nexport const unused = 1;",
    );
    program.write("bad.ts", "let x = ;");
    let result = program.run(
        "const args = ['esbuild', '/main.ts', '--bundle', '--minify', '--log-level=error', '--outfile=/out.js'];
        const bundled = await start({ args });
        const bad = await start({ args: ['esbuild', '/bad.ts', '--log-level=error'] });
        const piped = await start({ args: ['esbuild', '--loader=ts', '--minify'], stdin: 'const x: number = 1 + 2; f(x)' });
        return [bundled, bad[0], bad[2].includes('bad.ts:1:8'), piped];",
    );
    assert_eq!(
        result,
        json!([[0, "", ""], 1, true, [0, "const x=3;f(3);\n", ""]])
    );
    let bundle = std::fs::read_to_string(program.folder.join("out.js")).unwrap();
    assert!(
        bundle.contains("squares") && !bundle.contains("unused"),
        "{bundle}"
    );
    let squares = Js::new().eval(&format!("{bundle}\nJSON.stringify(globalThis.squares)"));
    assert_eq!(squares, json!([1, 4, 9]));
}

/// An interpreter, written in C, with its standard library.
#[test]
fn python() {
    let Some(program) = Program::new("python") else {
        return;
    };
    program.write("numbers.txt", "1\n2\n39\n");
    program.write(
        "main.py",
        "import json, os, sys
numbers = [int(line) for line in open('/numbers.txt')]
json.dump({'sum': sum(numbers)}, open('/sum.json', 'w'))
print(sys.argv[1:], os.environ['NAME'], sys.stdin.read(), sorted(os.listdir('/')))
try:
    open('/../../etc/passwd')
except OSError as error:
    print(type(error).__name__)
sys.exit(sum(numbers))
",
    );
    let result = program.run(
        "const limits = { timeoutMs: 60_000, maxMemoryBytes: 64 << 20 };
        const main = { args: ['python', '/main.py', 'argument'], env: { NAME: 'value' }, stdin: 'input' };
        const bomb = { args: ['python', '-c', 'x = [0] * 10**8'] };
        const loop = { args: ['python', '-c', 'print(1, flush=True)\\nwhile True: pass'] };
        const sleep = { args: ['python', '-c', 'import time; time.sleep(3600)'] };
        const ended = async (wasi) => (await caught(() => start(wasi, limits, { timeoutMs: 500 }))).trap;
        return [await start(main, limits), (await start(bomb, limits)).slice(0, 2), await ended(loop), await ended(sleep)];",
    );
    let output =
        "['argument'] value input ['main.py', 'numbers.txt', 'sum.json']\nPermissionError\n";
    assert_eq!(
        result,
        json!([[42, output, ""], [1, ""], "interrupt", "interrupt"])
    );
    let sum = std::fs::read_to_string(program.folder.join("sum.json")).unwrap();
    assert_eq!(sum, r#"{"sum": 42}"#);
}

/// A renderer, written in Rust.
#[test]
fn resvg() {
    let Some(program) = Program::new("resvg") else {
        return;
    };
    program.write(
        "in.svg",
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="30" height="20"><rect width="30" height="20" fill="red"/></svg>"#,
    );
    program.write("bad.svg", "no image");
    let result = program.run(
        "const [good, bad] = [await start({ args: ['resvg', '/in.svg', '/out.png'] }), await start({ args: ['resvg', '/bad.svg', '/bad.png'] })];
        return [good, bad[0], bad[2].startsWith('Error: ')];",
    );
    assert_eq!(result, json!([[0, "", ""], 1, true]));
    let png = std::fs::read(program.folder.join("out.png")).unwrap();
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
    assert_eq!(&png[16..24], &[0, 0, 0, 30, 0, 0, 0, 20]);
    assert!(!program.folder.join("bad.png").exists());
}

/// A library that draws graphs, written in C. It is built as a command, but the test calls its exports.
#[test]
fn graphviz() {
    let Some(program) = Program::new("graphviz") else {
        return;
    };
    let result = program.run(
        "const instance = await instantiate(module, {}, { wasi: {}, interruptible: true });
        const render = async (dot) => {
            const length = instance.call('malloc', [4]);
            const args = [...[dot, 'svg', 'dot'].map((string) => put(instance, string)), length];
            const at = await instance.callAsync('graphviz_render', args);
            if (at === 0) return null;
            const size = new DataView(instance.memory().buffer).getUint32(length, true);
            return string(instance.readMemory(at, size));
        };
        const svg = await render('digraph { begin -> end }');
        return [svg.startsWith('<?xml'), svg.includes('begin&#45;&gt;end'), await render('no graph')];",
    );
    assert_eq!(result, json!([true, true, null]));
}

/// A JavaScript interpreter, written in C and built as a reactor.
#[test]
fn quickjs() {
    let Some(program) = Program::new("quickjs") else {
        return;
    };
    program.write(
        "main.js",
        "print([1, 2, 3].map((x) => 2n ** BigInt(x * 10)), scriptArgs.length);",
    );
    let result = program.run(
        "const instance = await instantiate(module, {}, { wasi: withFolder({}), fuel: 1e9 });
        const run = (...args) => {
            const at = instance.call('malloc', [4 * args.length + 4]);
            const strings = [...args.map((arg) => put(instance, arg)), 0];
            instance.writeMemory(at, new Uint32Array(strings));
            return instance.call('qjs_init_argv', [args.length, at]);
        };
        const status = run('qjs', '/main.js', 'argument');
        instance.call('qjs_destroy');
        const output = string(instance.stdout());
        return [status, output, await codeOf(() => run('qjs', '-e', 'for (;;);')), instance.fuel];",
    );
    assert_eq!(result, json!([0, "1024,1048576,1073741824 2\n", 5006, 0]));
}

/// A formatter, written in Rust, without WASI.
#[test]
fn dprint() {
    let Some(program) = Program::new("dprint-json") else {
        return;
    };
    let result = program.run(
        r#"const instance = await instantiate(module, {}, { fuel: 1e9 });
        const share = (string) => {
            const bytes = text(string);
            instance.writeMemory(instance.call('clear_shared_bytes', [bytes.length]), bytes);
        };
        const shared = (length) => string(instance.readMemory(instance.call('get_shared_bytes_ptr'), length));
        share(JSON.stringify({ global: { lineWidth: 20 }, plugin: {} }));
        instance.call('register_config', [1]);
        const format = (json) => {
            share('/file.json');
            instance.call('set_file_path');
            share(json);
            switch (instance.call('format', [1])) {
                case 0: return json;
                case 1: return shared(instance.call('get_formatted_text'));
                default: return shared(instance.call('get_error_text')).split('\n')[0];
            }
        };
        return [instance.call('dprint_plugin_version_4'), format('{"a":1,  "b":[1,2]}'), format('{ "a": 1 }\n'), format('{')];"#,
    );
    assert_eq!(
        result,
        json!([
            4,
            "{\n  \"a\": 1,\n  \"b\": [1, 2]\n}\n",
            "{ \"a\": 1 }\n",
            "Line 1, column 1: Unterminated object"
        ])
    );
}
