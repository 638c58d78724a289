//! Pipes, the standard streams of the process, and buffers of all sizes.

use std::io::{Read as _, Seek as _, Write as _, pipe};
use std::process::{Command, Stdio};
use std::thread;

use serde_json::json;

use super::{Folder, granting, js};
use crate::support::child::{self, Child, this_test};

/// A folder with a named pipe in it.
fn with_pipe(name: &str) -> Folder {
    let folder = Folder::new(name);
    let made = Command::new("mkfifo")
        .arg(folder.path("granted/pipe"))
        .status();
    assert!(made.unwrap().success());
    folder
}

/// A guest with a deadline, and a function that opens files of any type.
const GUEST: &str = "
    const g = await guest({ preopens: { '/': root + 'granted' } }, { timeoutMs });
    const open = (path, right, flags = 0) => {
        const errno = g.call('path_open', 3, 0, ...g.put(path), 0, right, right, flags, 0);
        return errno === 0 ? g.u32(0) : -errno;
    };
    const [READ, WRITE, NONBLOCK] = [2n, 0x40n, 4];";

#[test]
fn a_pipe_is_read_in_order_and_has_no_positions() {
    let folder = with_pipe("read");
    let pipe = folder.path("granted/pipe");
    let writer = thread::spawn(move || std::fs::write(pipe, "hello").unwrap());
    let result = folder.js().run(&format!(
        "const timeoutMs = 60_000; {GUEST}
         const fd = open('pipe', READ);
         g.set(0, 2048, 10);
         const positions = [g.call('fd_seek', fd, 0n, 0, 16), g.call('fd_seek', fd, 0n, 1, 16), g.call('fd_seek', fd, 0n, 2, 16), g.call('fd_tell', fd, 16),
             g.call('fd_pread', fd, 0, 1, 0n, 8), g.call('fd_advise', fd, 0n, 0n, 0), g.call('fd_filestat_set_size', fd, 0n)];
         g.poll([{{ read: fd }}]);
         // Two buffers are filled by one read.
         g.set(0, 2048, 2, 3072, 2);
         const both = [g.call('fd_read', fd, 0, 2, 16), g.u32(16), g.string(2048, 2) + g.string(3072, 2)];
         const rest = [g.read(fd), g.read(fd)];
         const [end] = g.poll([{{ read: fd }}]);
         // Libraries see by the missing rights to seek and tell that a file has no positions.
         const rights = (fd) => (g.call('fd_fdstat_get', fd, 64), new DataView(g.instance.memory().buffer).getBigUint64(72, true) & 0x24n);
         const kinds = [g.call('fd_fdstat_get', fd, 64) || g.instance.readMemory(64, 1)[0], Number(rights(fd)), Number(rights(open('file', READ)))];
         return [positions, both, rest, end.hangup, kinds];"
    ));
    writer.join().unwrap();
    assert_eq!(
        result,
        json!([
            [70, 70, 70, 70, 70, 70, 28],
            [0, 4, "hell"],
            ["o", ""],
            1,
            [0, 0, 0x24]
        ])
    );
}

#[test]
fn a_pipe_takes_more_bytes_than_it_can_hold() {
    let folder = with_pipe("written");
    let pipe = folder.path("granted/pipe");
    let reader = thread::spawn(move || std::fs::read(pipe).unwrap());
    let result = folder.js().run(&format!(
        "const timeoutMs = 60_000; {GUEST}
         const fd = open('pipe', WRITE), size = 200_000;
         new Uint8Array(g.instance.memory().buffer, 4096, size).fill(7);
         g.set(0, 4096, size);
         return [g.call('fd_write', fd, 0, 1, 8), g.u32(8), g.call('fd_pwrite', fd, 0, 1, 0n, 8), g.call('fd_close', fd)];"
    ));
    assert_eq!(result, json!([0, 200_000, 70, 0]));
    assert_eq!(reader.join().unwrap(), vec![7; 200_000]);
}

#[test]
fn writing_to_a_pipe_without_a_reader_is_an_error() {
    let folder = with_pipe("broken");
    let pipe = folder.path("granted/pipe");
    let reader = thread::spawn(move || drop(std::fs::File::open(pipe).unwrap()));
    let result = folder.js().run(&format!(
        "const timeoutMs = 60_000; {GUEST}
         const fd = open('pipe', WRITE);
         let written;
         // The reader closes its end soon.
         do written = g.write(fd, 'x'); while (written === 1);
         return written;"
    ));
    reader.join().unwrap();
    assert_eq!(result, json!(-64));
}

#[test]
fn a_wait_for_the_other_end_of_a_pipe_ends_with_the_deadline() {
    let folder = with_pipe("alone");
    let result = folder.js().run(&format!(
        "const timeoutMs = 30; {GUEST}
         const trap = async (f) => (await caught(f)).trap;
         const fd = open('pipe', READ), other = open('pipe', READ, NONBLOCK);
         const results = [await trap(() => g.read(fd)), g.read(other), await trap(() => g.poll([{{ read: fd }}]))];
         results.push(g.poll([{{ read: fd }}, {{ clock: 0 }}]).length);
         g.call('fd_close', fd), g.call('fd_close', other);
         results.push(open('pipe', WRITE, NONBLOCK), await trap(() => open('pipe', WRITE)));
         // Setting its times and reading its status need no other end.
         results.push(g.call('path_filestat_set_times', 3, 1, ...g.put('pipe'), 5_000_000_000n, 5_000_000_000n, 5), g.stat('pipe').modified);
         return results;"
    ));
    assert_eq!(
        result,
        json!([
            "interrupt",
            6,
            "interrupt",
            1,
            -60,
            "interrupt",
            0,
            5e9 as u64
        ])
    );
}

#[test]
fn buffers_of_128_mib_and_more_move_bytes() {
    let folder = Folder::new("big");
    let result = folder.js().run(
        "const big = await load(`(module
             (import \"wasi_snapshot_preview1\" \"path_open\" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
             (import \"wasi_snapshot_preview1\" \"fd_write\" (func $write (param i32 i32 i32 i32) (result i32)))
             (import \"wasi_snapshot_preview1\" \"fd_read\" (func $read (param i32 i32 i32 i32) (result i32)))
             (import \"wasi_snapshot_preview1\" \"fd_seek\" (func $seek (param i32 i64 i32 i32) (result i32)))
             (memory (export \"memory\") 2100)
             (data (i32.const 100) \"big\")
             (func $buffer (param $size i32) (i32.store (i32.const 0) (i32.const 65536)) (i32.store (i32.const 4) (local.get $size)))
             (func (export \"open\") (result i32) (drop (call $open (i32.const 3) (i32.const 0) (i32.const 100) (i32.const 3) (i32.const 9) (i64.const 0x1fffffff) (i64.const 0) (i32.const 0) (i32.const 8))) (i32.load (i32.const 8)))
             (func (export \"write\") (param i32 i32) (result i32) (call $buffer (local.get 1)) (call $write (local.get 0) (i32.const 0) (i32.const 1) (i32.const 8)))
             (func (export \"read\") (param i32 i32) (result i32) (call $buffer (local.get 1)) (call $read (local.get 0) (i32.const 0) (i32.const 1) (i32.const 8)))
             (func (export \"rewind\") (param i32) (result i32) (call $seek (local.get 0) (i64.const 0) (i32.const 0) (i32.const 16)))
             (func (export \"done\") (result i32) (i32.load (i32.const 8))))`, {}, { wasi: { preopens: { '/': root + 'granted' } } });
         const size = (128 << 20) + 12345, fd = big.call('open');
         const bytes = (at) => [...big.readMemory(65536 + at, 3)];
         big.writeMemory(65536, new Uint8Array([1, 2, 3]));
         big.writeMemory(65536 + size - 3, new Uint8Array([4, 5, 6]));
         const written = [big.call('write', [fd, size]), big.call('done')];
         big.writeMemory(65536, new Uint8Array(3));
         big.writeMemory(65536 + size - 3, new Uint8Array(3));
         const read = [big.call('rewind', [fd]), big.call('read', [fd, size]), big.call('done'), bytes(0), bytes(size - 3), big.call('read', [fd, size]), big.call('done')];
         return [written.slice(0, 1), written[1] === size, read[2] === size, [...read.slice(0, 2), ...read.slice(3)]];",
    );
    assert_eq!(
        result,
        json!([[0], true, true, [0, 0, [1, 2, 3], [4, 5, 6], 0, 0]])
    );
}

/// For a shared memory, the host copies the buffers.
#[test]
fn one_read_or_write_moves_many_buffers() {
    for memory in ["4", "64 64 shared"] {
        let folder = Folder::new("vectors");
        let result = folder.js().run(&format!(
            "const source = everything.replace('(memory (export \"memory\") 4)', '(memory (export \"memory\") {memory})');
             const given = globalThis.everything;
             globalThis.everything = source;
             const g = await guest({{ preopens: {{ '/': root + 'granted' }}, stdin: 'abcdefghij', stdout: 'piped' }});
             globalThis.everything = given;
             const large = {memory:?}.startsWith('64') ? 3 << 20 : 200_000;
             const view = () => new DataView(g.instance.memory().buffer);
             const iovs = (list) => list.forEach(([at, length], i) => {{ view().setUint32(8192 + 8 * i, at, true); view().setUint32(8196 + 8 * i, length, true); }});
             const move = (name, fd, list, ...rest) => {{ iovs(list); const errno = g.call(name, fd, 8192, list.length, ...rest, 64); return errno === 0 ? g.u32(64) : -errno; }};
             const list = [];
             for (let i = 0; i < 900; i++) {{ view().setUint8(20_000 + i, 97 + i % 26); list.push([20_000 + i, i % 3 === 0 ? 0 : 1]); }}
             const results = [move('fd_write', 1, list), g.instance.stdout().length, String.fromCharCode(...g.instance.stdout().slice(0, 5))];
             const {{ fd }} = g.open(3, 'vectors', {{ create: true, write: true }});
             results.push(move('fd_write', fd, list), move('fd_pwrite', fd, [[20_000, 2], [20_010, 0], [20_003, 1]], 1n));
             g.call('fd_seek', fd, 0n, 0, 0);
             results.push(move('fd_read', fd, [[30_000, 2], [30_010, 0], [30_020, 3]]), g.string(30_000, 2) + g.string(30_020, 3));
             results.push(move('fd_pread', fd, [[30_000, 1], [30_001, 1]], 598n), move('fd_pread', fd, [[30_000, 1], [30_001, 5]], 599n), move('fd_read', fd, []), move('fd_read', fd, [[30_000, 0]]));
             results.push(move('fd_read', 0, [[30_000, 2], [30_010, 3]]), g.string(30_000, 2) + g.string(30_010, 3), g.read(0));
             const end = (at) => {{ g.call('fd_seek', fd, 0n, 2, at); return Number(view().getBigUint64(at, true)); }};
             const before = end(0);
             results.push(move('fd_write', fd, [[4096, large], [4096, large]]) === 2 * large, end(0) - before === 2 * large);
             results.push(move('fd_pread', fd, [[4096, large], [4096, large]], BigInt(before)) === 2 * large);
             return results;"
        ));
        let expected = json!([
            600, 600, "bcefh", 600, 3, 5, "babdh", 2, 1, 0, 0, 5, "abcde", "fghij", true, true,
            true
        ]);
        assert_eq!(result, expected, "memory {memory}");
    }
}

/// A guest takes only the bytes that it requests from the standard input of the process.
#[test]
fn a_guest_leaves_the_rest_of_an_inherited_input() {
    if child::is_child() {
        let result = js(granting(vec![])).run(
            "const g = await guest({ stdin: 'inherit' });
             const [first] = g.poll([{ read: 0 }]);
             return [first.bytes, g.read(0, 1), (g.set(0, 2048, 1, 3072, 1), g.call('fd_read', 0, 0, 2, 16)), g.u32(16)];",
        );
        child::answer(&result);
        return;
    }
    let (mut reader, mut writer) = pipe().unwrap();
    writer.write_all(b"abcdefgh").unwrap();
    drop(writer);
    let result = Child::new(this_test!())
        .stdin(Stdio::from(reader.try_clone().unwrap()))
        .run();
    assert_eq!(result, json!([8, "a", 0, 2]));
    let mut rest = String::new();
    reader.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "defgh");

    let folder = Folder::new("inherited");
    let path = folder.path("granted/file");
    let mut file = std::fs::File::open(path).unwrap();
    let result = Child::new(this_test!())
        .stdin(Stdio::from(file.try_clone().unwrap()))
        .run();
    assert_eq!(result, json!([6, "i", 0, 2]));
    assert_eq!(file.stream_position().unwrap(), 3);
}

/// If no process reads the inherited output, a write blocks until the deadline.
#[test]
fn a_write_to_a_full_inherited_output_ends_with_the_deadline() {
    if child::is_child() {
        let result = js(granting(vec![])).run(
            "const g = await guest({ stderr: 'inherit' }, { timeoutMs: 200 });
             g.set(0, 4096, 100_000);
             const first = (await caught(() => g.call('fd_write', 2, 0, 1, 8))).trap;
             g.call('fd_fdstat_set_flags', 2, 4);
             return [first, g.poll([{ write: 2 }, { clock: 0 }]).map(({ userdata }) => userdata), g.call('fd_write', 2, 0, 1, 8)];",
        );
        child::answer(&result);
        return;
    }
    let (_reader, writer) = pipe().unwrap();
    let result = Child::new(this_test!()).stderr(Stdio::from(writer)).run();
    assert_eq!(result, json!(["interrupt", [101], 6]));
}
