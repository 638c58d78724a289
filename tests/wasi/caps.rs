//! Caps on the host's resources that guests use through WASI.

use std::path::Path;

use serde_json::json;

use super::{Folder, GUEST, everything, granting, js};
use crate::adversary::Attack;
use crate::support::child::{self, Child, this_test};

#[test]
fn the_descriptors_of_a_store_are_capped() {
    let folder = Folder::new("descriptors");
    let mut capabilities = granting(vec![folder.0.join("granted")]);
    capabilities.max_wasi_descriptors = 6;
    let result = js(capabilities).run(&format!(
        "const root = {};
         const wasi = {{ preopens: {{ '/': root }} }};
         const g = await guest(wasi);
         const opened = Array.from({{ length: 4 }}, () => g.open(3, 'file'));
         // A refused call does not create the file either.
         const refused = [g.open(3, 'made', {{ create: true }}).errno, g.stat('made')];
         const again = [g.call('fd_close', 4), g.open(3, 'file').fd];
         // Another store has its own count.
         const other = (await guest(wasi)).open(3, 'file').fd;
         const three = {{ preopens: Object.fromEntries(['a', 'b', 'c', 'd'].map((name) => [name, root])) }};
         return [opened.map(({{ fd, errno }}) => fd ?? -errno), refused, again, other, tell(await caught(() => guest(three)))];",
        json!(folder.path("granted"))
    ));
    assert_eq!(
        result,
        json!([
            [4, 5, -33, -33],
            [33, 44],
            [0, 4],
            4,
            {
                "code": 5001, "kind": "InstantiateError",
                "message": "the option wasi is unusable: it has more streams and folders than \
                            max_wasi_descriptors, which is 6",
            }
        ])
    );
}

#[test]
fn the_subscriptions_of_a_poll_are_capped() {
    let mut capabilities = granting(vec![]);
    capabilities.max_wasi_subscriptions = 3;
    let result = js(capabilities).run(
        "const g = await guest({});
         const clocks = (count) => Array.from({ length: count }, () => ({ clock: 0 }));
         return [g.poll(clocks(3)).length, g.poll(clocks(4)), g.poll([]), g.call('poll_oneoff', 0, 0, -1, 0)];",
    );
    assert_eq!(result, json!([3, 28, 28, 28]));
}

#[test]
fn the_bytes_of_arguments_and_environment_are_capped() {
    let mut capabilities = granting(vec![]);
    capabilities.max_wasi_text_bytes = 16;
    let result = js(capabilities).run(
        "const attempt = async (wasi) => { const error = await caught(() => guest(wasi)); return error.message ?? error; };
         return [await attempt({ args: ['1234567'], env: { A: '12345' } }), await attempt({ args: ['1234567'], env: { A: '123456' } }),
                 await attempt({ args: Array(17).fill('') })];",
    );
    let refused = "the option wasi is unusable: args, env and network have 17 bytes, more than max_wasi_text_bytes, \
         which is 16";
    assert_eq!(result, json!(["nothing was thrown", refused, refused]));
}

#[test]
fn the_buffers_of_one_read_or_write_are_capped() {
    let result = js(granting(vec![])).run(
        "const g = await guest({ stdin: 'text', stdout: 'piped' });
         const ask = (name, fd, count) => g.call(name, fd, 65536, count, 8);
         return [ask('fd_read', 0, 1024), ask('fd_read', 0, 1025), ask('fd_write', 1, 1024), ask('fd_write', 1, 1025)];",
    );
    assert_eq!(result, json!([0, 28, 0, 28]));
}

/// Files that guests open take descriptors of the process, which needs some for itself.
#[test]
fn the_descriptors_of_all_guests_of_the_process_are_capped() {
    if child::is_child() {
        let folder = Folder::new("process");
        let result = folder.js().run(
            "const wasi = { preopens: { '/': root + 'granted' } }, first = await guest(wasi), second = await guest(wasi);
             const fill = (g) => { for (let count = 0;; count++) { const { errno } = g.open(3, 'file'); if (errno) return [count, errno]; } };
             const [[count, full], [none, also]] = [fill(first), fill(second)];
             // Listing a folder needs a descriptor, and so does each folder of a new store.
             const listed = first.call('fd_readdir', 3, 65536, 64, 0n, 8);
             const refused = (await caught(() => guest(wasi))).message;
             const free = first.call('fd_close', 4), again = second.open(3, 'file').errno ?? 0;
             first.instance.drop(), second.instance.drop();
             await collect();
             const third = await guest(wasi);
             return [count > 10, count < 75, full, none, also, listed, refused, free, again, fill(third)[0] > 10];",
        );
        child::answer(&result);
        return;
    }
    let result = Child::limited(this_test!(), "ulimit -n 100").run();
    let refused = "the option wasi is unusable: the guests of this process use 75 file descriptors of the 75 that \
                   they may";
    assert_eq!(
        result,
        json!([true, true, 41, 0, 41, 41, refused, 0, 0, true])
    );
}

/// A write beyond the size that the system allows for files is an error, and does not end the process.
#[test]
fn writes_beyond_the_size_limit_of_files_are_errors() {
    if child::is_child() {
        let folder = Folder::new("largest");
        let result = folder.js().run(
            "const g = await guest({ preopens: { '/': root + 'granted' } });
             const open = (path, flags) => (g.call('path_open', 3, 0, ...g.put(path), 1, 0x1fffffffn, 0n, flags, 0), g.u32(0));
             const write = (fd) => { g.set(0, 65536, 65536); const errno = g.call('fd_write', fd, 0, 1, 8); return errno === 0 ? g.u32(8) : -errno; };
             const fd = open('large', 0), results = [];
             for (let written = 1, sum = 0; written > 0;) { written = write(fd); sum += written; if (written <= 0) results.push(written, sum - written >= 1 << 16); }
             const appended = open('large', 1);
             const at = (offset) => (g.set(0, 65536, 1), g.call('fd_pwrite', fd, 0, 1, offset, 8));
             results.push(write(appended), at(1n << 20n), at(0n), at((1n << 63n) - 1n), at(-1n));
             results.push(g.call('fd_filestat_set_size', fd, 1n << 20n), g.call('fd_filestat_set_size', fd, 5n), write(appended) > 0);
             return results;",
        );
        child::answer(&result);
        return;
    }
    // A sanitizer's report of leaks would be such a file too.
    let child = Child::limited(this_test!(), "ulimit -f 128").env("LSAN_OPTIONS", "detect_leaks=0");
    let result = child.run();
    assert_eq!(result, json!([-22, true, -22, 22, 0, 22, 28, 22, 0, true]));
}

/// The cap is for all folders that a store lists together: a guest cannot exceed it by opening one folder a thousand
/// times.
#[test]
fn the_kept_entries_of_listings_are_capped() {
    let folder = Folder::new("kept");
    for number in 0..40 {
        std::fs::write(folder.0.join(format!("granted/deep/file-{number}")), "").unwrap();
    }
    let mut capabilities = granting(vec![folder.0.join("granted")]);
    capabilities.max_wasi_listing_entries = 30;
    let result = js(capabilities).run(&format!(
        "const g = await guest({{ preopens: {{ '/': {} }} }});
         const fds = Array.from({{ length: 4 }}, () => g.open(3, 'deep', {{ directory: true }}).fd);
         const results = [];
         // Lists each folder in pieces of each size, and then returns to each entry.
         for (const size of [64, 200, 4096]) for (const fd of fds) results.push(new Set(g.list(fd, size)).size);
         const pieces = fds.map((fd) => g.piece(fd, 0n, 4096).entries);
         for (const [i, fd] of fds.entries()) results.push(pieces[i].every(({{ name }}, at) => g.piece(fd, at === 0 ? 0n : pieces[i][at - 1].next, 64).entries[0].name === name));
         return [...new Set(results)];",
        json!(folder.path("granted"))
    ));
    assert_eq!(result, json!([40, true]));
}

/// One folder is opened hundreds of times, and listed through each descriptor.
#[test]
fn many_listings_take_little_memory() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(child::own_name("listings"));
    if !child::is_child() {
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        for number in 0..1_100 {
            std::fs::write(folder.join(format!("{number:0>250}")), "").unwrap();
        }
    }
    let script = format!(
        "globalThis.everything = {};
         {GUEST}
         const g = await guest({{ preopens: {{ '/': {} }} }});
         let listed = 0, fd;
         while ((fd = g.open(3, '.', {{ directory: true }}).fd) !== undefined) {{
             // The last entry. To find it, the listing reads all others.
             if (g.call('fd_readdir', fd, 65536, 4096, 1_100n, 8) !== 0) throw 'not listed';
             listed++;
         }}
         return listed;",
        json!(everything()),
        json!(folder)
    );
    let attack = Attack::new(script).capabilities(|capabilities| {
        capabilities.allow_wasi = true;
        capabilities.preopen_paths = vec![folder.clone()];
        capabilities.max_wasi_descriptors = 600;
    });
    let result = attack.mebibytes(150).descriptors(1_400).run(this_test!());
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(result, json!(596));
}
