//! Functions on files behave as in POSIX, with the error numbers of preview 1.

use serde_json::{Value, json};

use super::{FUNCTIONS, Folder};

/// Runs a script in a folder with `file`, `dir/in`, and the links `link` to `file`, `dirlink` to `dir`, and
/// `dangling` to nothing.
fn run(name: &str, body: &str) -> Value {
    let folder = Folder::new(name);
    let granted = folder.0.join("granted");
    std::fs::create_dir(granted.join("dir")).unwrap();
    std::fs::write(granted.join("dir/in"), "in").unwrap();
    for (target, link) in [("file", "link"), ("dir", "dirlink"), ("none", "dangling")] {
        std::os::unix::fs::symlink(target, granted.join(link)).unwrap();
    }
    folder.js().run(&format!(
        "const g = await guest({{ preopens: {{ '/': root + 'granted' }}, stdin: 'text', stdout: 'piped' }});
         const call = (name, ...args) => {{
             const {{ params }} = g.instance.getExport(name);
             return g.call(name, ...args.map((arg, i) => params[i] === 'i64' ? BigInt(arg) : arg));
         }};
         const rights = 0x1fffffffn;
         /** Opens a path with these flags. Returns the descriptor or the error number. */
         const open = (path, how = 0, {{ follow = 0, right = rights, flags = 0, dir = 3 }} = {{}}) => {{
             const errno = g.call('path_open', dir, follow, ...g.put(path), how, right, right, flags, 0);
             return errno === 0 ? {{ fd: g.u32(0) }} : {{ errno }};
         }};
         const read = {{ right: 2n }};
         const type = (stat) => stat.type ?? -stat;
         {body}"
    ))
}

/// A slash at the end of a path follows a link, and requires a folder.
#[test]
fn a_path_that_ends_in_a_slash() {
    let result = run(
        "slashes",
        "const endings = (path) => ['', '/', '//', '/.'].map((end) => path + end);
         const stat = (follow) => Object.fromEntries(['file', 'dir', 'link', 'dirlink', 'dangling'].map((path) =>
             [path, endings(path).map((path) => type(g.stat(path, follow)))]));
         const opened = (path) => ['', '/', '//'].map((end) => { const { fd, errno } = open(path + end, 0, read); return fd === undefined ? -errno : (call('fd_filestat_get', fd, 4000), g.filestat(4000).type); });
         const times = (path) => ['', '/'].map((end) => g.call('path_filestat_set_times', 3, 0, ...g.put(path + end), 5_000_000_000n, 6_000_000_000n, 5));
         const set = { link: times('link'), dirlink: times('dirlink'), dangling: times('dangling') };
         const modified = ['link', 'file', 'dirlink', 'dir'].map((path) => g.stat(path, 0).modified);
         const two = (name) => (a, b) => g.path(name, 3, ...(name === 'path_link' ? [0] : []), a, 3, b);
         const [rename, link] = [two('path_rename'), two('path_link')];
         const symlink = (target, path) => g.call('path_symlink', ...g.put(target), 3, ...g.put(path));
         return {
             lstat: stat(0), stat: stat(1), open: { link: opened('link'), dirlink: opened('dirlink'), file: opened('file') }, set, modified,
             unlink: ['file/', 'link/', 'dir', 'dir/', 'dirlink/', 'none/'].map((path) => g.path('path_unlink_file', 3, path)),
             rmdir: ['file/', 'link/', 'dirlink', 'dirlink/', 'dir/', '.', 'dir/.', 'none/'].map((path) => g.path('path_remove_directory', 3, path)),
             mkdir: ['new/', 'dir/', 'file/', 'new/'].map((path) => g.path('path_create_directory', 3, path)),
             rename: [rename('file/', 'moved'), rename('file', 'moved/'), rename('link/', 'moved'), rename('dirlink/', 'moved'), rename('new/', 'moved/'), rename('moved/', 'new')],
             link: [link('file/', 'hard'), link('dirlink/', 'hard'), link('file', 'hard/'), link('file', 'dir/')],
             symlink: [symlink('x', 'soft/'), symlink('x', 'dir/'), symlink('', 'soft')],
             readlink: ['link/', 'dirlink/', 'file', 'link'].map((path) => g.path('path_readlink', 3, path, 3000, 64, 0)),
             create: open('created/', 1).errno > 0,
         };",
    );
    assert_eq!(
        result,
        json!({
            "lstat": {
                "file": [4, -54, -54, -54], "dir": [3, 3, 3, 3], "link": [7, -54, -54, -54],
                "dirlink": [7, 3, 3, 3], "dangling": [7, -44, -44, -44],
            },
            "stat": {
                "file": [4, -54, -54, -54], "dir": [3, 3, 3, 3], "link": [4, -54, -54, -54],
                "dirlink": [3, 3, 3, 3], "dangling": [-44, -44, -44, -44],
            },
            "open": { "link": [-32, -54, -54], "dirlink": [-32, 3, 3], "file": [4, -54, -54] },
            "set": { "link": [0, 54], "dirlink": [0, 0], "dangling": [0, 44] },
            "modified": [6e9 as u64, result["modified"][1], 6e9 as u64, 6e9 as u64],
            "unlink": [54, 54, 31, 31, 54, 44],
            "rmdir": [54, 54, 54, 54, 55, 28, 28, 44],
            "mkdir": [0, 20, 20, 20],
            "rename": [54, 54, 54, 54, 0, 0],
            "link": [54, 63, 44, 20],
            "symlink": [44, 20, 44],
            "readlink": [54, 28, 28, 0],
            "create": true,
        })
    );
    assert_ne!(result["modified"][1], json!(6e9 as u64));
}

#[test]
fn times_of_files_folders_and_links() {
    let result = run(
        "times",
        "const ns = 1_000_000_000n;
         const times = (path, follow = 0) => { const { accessed, modified } = g.stat(path, follow); return [accessed, modified]; };
         const set = (path, follow, accessed, modified, flags) => g.call('path_filestat_set_times', 3, follow, ...g.put(path), accessed, modified, flags);
         const results = {};
         results.both = [set('file', 0, 1000n * ns, 1001n * ns + 123456789n, 5), times('file')];
         results.none = [set('file', 0, 5n, 6n, 0), times('file')];
         results.one = [set('file', 0, 5n, 1002n * ns, 4), times('file'), set('file', 0, 1003n * ns + 1n, 5n, 1), times('file')];
         results.now = [set('file', 0, 5n, 6n, 8), times('file')[0], times('file')[1] > 1e18];
         results.link = [set('link', 0, 7n * ns, 8n * ns, 5), times('link'), set('link', 1, 9n * ns, 10n * ns, 5), times('file'), times('link')[1]];
         results.dangling = [set('dangling', 0, 7n * ns, 8n * ns, 5), times('dangling'), set('dangling', 1, 1n, 1n, 5)];
         results.folder = [set('dir', 1, 11n * ns, 12n * ns, 5), times('dir')];
         const dir = open('dir', 2, read).fd, file = open('file', 0, read).fd;
         const by = (fd) => [call('fd_filestat_set_times', fd, 13n * ns, 14n * ns, 5), (call('fd_filestat_get', fd, 4000), g.filestat(4000).modified)];
         results.opened = [by(dir), by(file), by(3)];
         results.both_kinds = [3, 12, 15].flatMap((flags) => [set('file', 0, 1n, 1n, flags), call('fd_filestat_set_times', file, 1n, 1n, flags), call('fd_filestat_set_times', dir, 1n, 1n, flags)]);
         results.streams = [0, 1].map((fd) => call('fd_filestat_set_times', fd, 1n, 1n, 5));
         const before = call('fd_filestat_get', file, 4000) || new DataView(g.instance.memory().buffer).getBigUint64(4056, true);
         results.changed = before > 10n ** 18n;
         return results;",
    );
    assert_eq!(
        result,
        json!({
            "both": [0, [1_000_000_000_000_u64, 1_001_123_456_789_u64]],
            "none": [0, [1_000_000_000_000_u64, 1_001_123_456_789_u64]],
            "one": [0, [1_000_000_000_000_u64, 1_002_000_000_000_u64], 0, [1_003_000_000_001_u64, 1_002_000_000_000_u64]],
            "now": [0, 1_003_000_000_001_u64, true],
            "link": [0, [7e9 as u64, 8e9 as u64], 0, [9e9 as u64, 10e9 as u64], 8e9 as u64],
            "dangling": [0, [7e9 as u64, 8e9 as u64], 44],
            "folder": [0, [11e9 as u64, 12e9 as u64]],
            "opened": [[0, 14e9 as u64], [0, 14e9 as u64], [0, 14e9 as u64]],
            "both_kinds": [28, 28, 28, 28, 28, 28, 28, 28, 28],
            "streams": [8, 8],
            "changed": true,
        })
    );
}

#[test]
fn a_folder_can_be_synchronized() {
    let result = run(
        "synchronized",
        "const dir = open('dir', 2, read).fd, file = open('file', 0, read).fd;
         return [3, dir, file, 0, 1, 99].map((fd) => [call('fd_sync', fd), call('fd_datasync', fd)]);",
    );
    assert_eq!(
        result,
        json!([[0, 0], [0, 0], [0, 0], [28, 28], [28, 28], [8, 8]])
    );
}

/// Invalid values for all arguments that are enumerations or flags.
#[test]
fn invalid_values_of_arguments_are_errors() {
    let result = run(
        "enums",
        "// For each argument: a function that places the value among the other arguments, and the least invalid value.
         const file = open('file').fd, path = g.put('file'), new_ = g.put('new'), dir = open('dir', 2, read).fd;
         const cases = {
             clock_res_get: [[(x) => [x, 0], 4]],
             clock_time_get: [[(x) => [x, 0, 0], 4]],
             fd_advise: [[(x) => [file, 0, 0, x], 6]],
             fd_fdstat_set_flags: [[(x) => [file, x], 32], [(x) => [0, x], 32]],
             fd_fdstat_set_rights: [[(x) => [file, x, 0], 2 ** 30], [(x) => [file, 0, x], 2 ** 30]],
             fd_filestat_set_times: [[(x) => [file, 0, 0, x], 16], [(x) => [dir, 0, 0, x], 16]],
             fd_seek: [[(x) => [file, 0, x, 0], 3]],
             path_filestat_get: [[(x) => [3, x, ...path, 4000], 2]],
             path_filestat_set_times: [[(x) => [3, x, ...path, 0, 0, 5], 2], [(x) => [3, 0, ...path, 0, 0, x], 16]],
             path_link: [[(x) => [3, x, ...path, 3, ...new_], 2]],
             path_open: [
                 [(x) => [3, x, ...path, 0, 2, 2, 0, 0], 2], [(x) => [3, 0, ...path, x, 2, 2, 0, 0], 16],
                 [(x) => [3, 0, ...path, 0, x, 0, 0, 0], 2 ** 30], [(x) => [3, 0, ...path, 0, 2, x, 0, 0], 2 ** 30],
                 [(x) => [3, 0, ...path, 0, 2, 2, x, 0], 32],
             ],
             proc_raise: [[(x) => [x], 31]],
             sock_accept: [[(x) => [0, x, 0], 32]],
             sock_recv: [[(x) => [0, 0, 0, x, 0, 0], 4]],
             sock_send: [[(x) => [1, 0, 0, x, 0], 1]],
             sock_shutdown: [[(x) => [1, x], 4]],
         };
         const wrong = [];
         for (const [name, arguments_] of Object.entries(cases)) for (const [place, least] of arguments_)
             for (const value of [least, least + 1, 127, 255, 256, 65535, 65536, 2 ** 31 - 1, -1, -(2 ** 31)].filter((value) => value >= least || value < 0)) {
                 if (least === 2 ** 30 && value > 0 && value < least) continue;
                 const errno = await caught(() => { throw call(name, ...place(value)); });
                 if (errno !== 28) wrong.push([name, value, errno.message ?? errno]);
             }
         return [wrong, Object.keys(cases), g.stat('file').size, g.stat('new')];",
    );
    assert_eq!(result[0], json!([]));
    assert_eq!(
        (&result[2], &result[3]),
        (&json!(6), &json!(44)),
        "the files are unchanged"
    );
    let known = |name: &Value| FUNCTIONS.iter().any(|(known, _)| name == known);
    assert!(result[1].as_array().unwrap().iter().all(known));
}

#[test]
fn a_pointer_out_of_the_memory_is_an_error() {
    let result = run(
        "pointers",
        "const file = open('file').fd, end = g.instance.memory().byteLength;
         const wrong = [];
         const faults = {
             args_sizes_get: [end, 0], clock_time_get: [0, 0, end - 7], environ_sizes_get: [0, end - 3], fd_fdstat_get: [file, end - 23],
             fd_filestat_get: [file, end - 63], fd_prestat_get: [3, end - 7], fd_prestat_dir_name: [3, end, 1], fd_read: [file, end - 7, 1, 0],
             fd_pread: [file, 0, 1, 0, end - 3], fd_write: [1, end, 1, 0], fd_pwrite: [file, 0, 1, 0, end], fd_readdir: [3, end - 1, 2, 0, 0],
             fd_seek: [file, 0, 0, end - 7], fd_tell: [file, end - 7], path_create_directory: [3, end - 1, 2], path_filestat_get: [3, 0, ...g.put('file'), end - 63],
             path_open: [3, 0, end, 1, 0, 2, 2, 0, 0], path_readlink: [3, ...g.put('link'), end - 3, 64, 0], path_rename: [3, ...g.put('file'), 3, end, 4],
             path_symlink: [end, 1, 3, ...g.put('new')], path_unlink_file: [3, -1, 4], poll_oneoff: [end - 47, 0, 1, 0], random_get: [end - 3, 4],
         };
         g.set(0, 0, 0);
         for (const [name, args] of Object.entries(faults)) {
             const errno = await caught(() => { throw call(name, ...args); });
             if (errno !== 21) wrong.push([name, errno.message ?? errno]);
         }
         // The second buffer is outside of the memory.
         g.set(64, 1024, 1, end - 1, 2);
         return [wrong, call('fd_read', file, 64, 2, 0), call('fd_write', 1, 64, 2, 0), g.instance.stdout().length, g.stat('file').size];",
    );
    assert_eq!(result, json!([[], 21, 21, 0, 6]));
}

#[test]
fn unusual_paths() {
    let result = run(
        "odd",
        "const bytes = (...all) => { g.instance.writeMemory(60_000, new Uint8Array(all)); return [60_000, all.length]; };
         const create = (at, length) => g.call('path_open', 3, 0, at, length, 1, rights, rights, 0, 0);
         return {
             empty: [open('').errno, g.stat(''), g.path('path_create_directory', 3, ''), g.path('path_unlink_file', 3, '')],
             nul: create(...bytes(97, 0, 98)), utf8: [create(...bytes(97, 0xff)), create(...bytes(0xed, 0xa0, 0x80))],
             long: [g.stat('x'.repeat(256)), g.stat('x/'.repeat(2100)), g.path('path_symlink', 'x'.repeat(4097), 3, 'new')],
             inner: ['dir//in', './dir/./../file', 'dirlink/in', 'missing/..', 'file/..', 'dir/..'].map((path) => type(g.stat(path))),
             outer: ['..', '/', '/etc', 'dir/../..'].map((path) => type(g.stat(path))),
             descriptors: ['file', 'dir'].map((path) => { const { fd } = open(path, 0, read); return type(g.stat('in', 0, fd)); }).concat(type(g.stat('in', 0, 0)), type(g.stat('in', 0, 99))),
             rename: [['dir', 'dir/sub'], ['dir', 'file'], ['file', 'dir'], ['deep', 'dir'], ['none', 'x']].map(([a, b]) => g.path('path_rename', 3, a, 3, b)),
             link: [g.path('path_link', 3, 1, 'link', 3, 'hard'), type(g.stat('hard', 0)), g.path('path_link', 3, 0, 'link', 3, 'soft'), type(g.stat('soft', 0)), g.path('path_link', 3, 1, 'dangling', 3, 'x')],
             lowest: (() => { const fds = [open('file').fd, open('file').fd, open('file').fd]; call('fd_close', fds[0]); call('fd_close', fds[1]); return open('file').fd - fds[0]; })(),
         };",
    );
    assert_eq!(
        result,
        json!({
            "empty": [44, 44, 44, 44], "nul": 28, "utf8": [25, 25], "long": [37, 37, 37],
            "inner": [4, 4, 4, -44, -54, 3], "outer": [-63, -63, -63, -63],
            "descriptors": [-54, 4, -54, -8], "rename": [28, 54, 31, 55, 44], "link": [0, 4, 0, 7, 44],
            "lowest": 0,
        })
    );
}

#[test]
fn operations_that_a_descriptor_was_not_opened_for() {
    let result = run(
        "opened",
        "const results = {};
         const ask = (fd) => [g.read(fd, 3), g.write(fd, 'x'), call('fd_filestat_set_size', fd, 100)];
         results.read = ask(open('file', 0, read).fd);
         results.write = ask(open('file', 0, { right: 0x40n }).fd);
         results.neither = ask(open('file', 0, { right: 0n }).fd);
         results.created = ask(open('created', 1, read).fd);
         results.folder = ask(open('dir', 2, read).fd);
         results.streams = [ask(0), ask(1)];
         results.open = [open('dir', 0).errno, open('dir', 3).errno, open('file', 2, read).errno, open('file', 5).errno, open('none', 8).errno, open('none').errno];
         results.truncated = [open('dir/in', 8, read).fd > 3, g.stat('dir/in').size];
         results.synchronous = [1, 2, 8, 16].map((flags) => { const { fd } = open('file', 0, { flags }); call('fd_fdstat_get', fd, 64); return new DataView(g.instance.memory().buffer).getUint16(66, true); });
         const fd = open('appended', 1, { flags: 1 }).fd;
         results.appended = [g.write(fd, 'ab'), call('fd_seek', fd, 0, 0, 0), g.write(fd, 'cd'), call('fd_tell', fd, 0) || g.u32(0), call('fd_fdstat_set_flags', fd, 0), call('fd_seek', fd, 0, 0, 0), g.write(fd, 'x'), g.cat(3, 'appended')];
         return results;",
    );
    assert_eq!(
        result,
        json!({
            "read": ["ins", -8, 28], "write": [8, 1, 0], "neither": ["xns", -8, 28], "created": ["", -8, 28],
            "folder": [31, -8, 28], "streams": [["tex", -8, 28], [8, 1, 28]],
            "open": [31, 28, 54, 20, 44, 44], "truncated": [true, 0], "synchronous": [1, 2, 8, 16],
            "appended": [2, 0, 2, 4, 0, 0, 1, "xbcd"],
        })
    );
}

#[test]
fn wasi_unstable_has_layouts_of_its_own() {
    let folder = Folder::new("unstable");
    let result = folder.js().run(
        "const old = await load(`(module
             (import \"wasi_unstable\" \"path_open\" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
             (import \"wasi_unstable\" \"fd_seek\" (func $seek (param i32 i64 i32 i32) (result i32)))
             (import \"wasi_unstable\" \"fd_filestat_get\" (func $stat (param i32 i32) (result i32)))
             (import \"wasi_unstable\" \"poll_oneoff\" (func $poll (param i32 i32 i32 i32) (result i32)))
             (memory (export \"memory\") 1)
             (data (i32.const 100) \"file\")
             (func (export \"open\") (result i32) (drop (call $open (i32.const 3) (i32.const 0) (i32.const 100) (i32.const 4) (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 0))) (i32.load (i32.const 0)))
             (func (export \"seek\") (param i32 i64 i32) (result i64) (drop (call $seek (local.get 0) (local.get 1) (local.get 2) (i32.const 0))) (i64.load (i32.const 0)))
             (func (export \"stat\") (param i32) (result i32) (call $stat (local.get 0) (i32.const 256)))
             (func (export \"poll\") (param i32) (result i32) (drop (call $poll (i32.const 1024) (i32.const 2048) (local.get 0) (i32.const 0))) (i32.load (i32.const 0))))`,
             {}, { wasi: { preopens: { '/': root + 'granted' } }, timeoutMs: 60_000 });
         const fd = old.call('open');
         const seeks = [[3n, 2], [2n, 0], [-1n, 1]].map(([offset, whence]) => Number(old.call('seek', [fd, offset, whence])));
         new Uint8Array(old.memory().buffer, 256, 80).fill(255);
         const view = () => new DataView(old.memory().buffer);
         const stat = [old.call('stat', [fd]), view().getUint8(272), view().getUint32(276, true), Number(view().getBigUint64(280, true)), view().getUint8(312)];
         // A descriptor that does not exist, and a clock that is due.
         view().setUint8(1024 + 8, 1), view().setUint32(1024 + 16, 99, true), view().setBigUint64(1024, 5n, true);
         view().setBigUint64(1080, 6n, true), view().setBigUint64(1080 + 16, 77n, true), view().setUint32(1080 + 24, 1, true), view().setBigUint64(1080 + 32, 0n, true);
         const events = [old.call('poll', [2]), ...[0, 32].flatMap((at) => [Number(view().getBigUint64(2048 + at, true)), view().getUint16(2056 + at, true), view().getUint8(2058 + at)])];
         return { seeks, stat, events };",
    );
    assert_eq!(
        result,
        json!({
            "seeks": [3, 5, 5], "stat": [0, 4, 1, 6, 255],
            "events": [2, 5, 8, 1, 6, 0, 0],
        })
    );
}
