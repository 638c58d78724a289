//! A listing of a folder shows every entry once, even if the folder changes meanwhile.

use std::os::unix::ffi::OsStrExt as _;

use serde_json::json;

use super::{Folder, granting, js};
use crate::support::js::Js;

/// A granted folder with `count` files in it.
fn full(name: &str, count: u32) -> Folder {
    let folder = Folder::new(name);
    std::fs::create_dir(folder.0.join("granted/full")).unwrap();
    for number in 0..count {
        std::fs::write(folder.0.join(format!("granted/full/file-{number}")), "").unwrap();
    }
    folder
}

fn run(js: &mut Js, folder: &Folder, body: &str) -> serde_json::Value {
    js.run(&format!(
        "const g = await guest({{ preopens: {{ '/': {} }} }});
         const {{ fd }} = g.open(3, 'full', {{ directory: true }});
         const all = (names) => [names.length, new Set(names).size];
         {body}",
        json!(folder.path("granted"))
    ))
}

#[test]
fn files_deleted_while_listing_hide_no_others() {
    let folder = full("deleting", 300);
    let result = run(
        &mut folder.js(),
        &folder,
        "const unlink = (name) => g.path('path_unlink_file', fd, name);
         const names = g.list(fd, 1024, (name) => { if (unlink(name) !== 0) throw name; });
         return [all(names), g.list(fd, 1024).length, g.path('path_remove_directory', 3, 'full')];",
    );
    assert_eq!(result, json!([[300, 300], 0, 0]));
}

#[test]
fn files_created_while_listing_hide_no_others() {
    let folder = full("making", 200);
    let result = run(
        &mut folder.js(),
        &folder,
        "let made = 0;
         const names = g.list(fd, 300, () => { if (made < 200) g.call('fd_close', g.open(fd, `new-${made++}`, { create: true }).fd); });
         return all(names.filter((name) => name.startsWith('file-')));",
    );
    assert_eq!(result, json!([200, 200]));
}

/// A guest may go back to each entry, and restart the listing, even if the store keeps few entries.
#[test]
fn an_entry_is_found_again_by_its_cookie() {
    let folder = full("cookies", 50);
    for kept in [1, 7, 1_024] {
        let mut capabilities = granting(vec![folder.0.join("granted")]);
        capabilities.max_wasi_listing_entries = kept;
        let result = run(
            &mut js(capabilities),
            &folder,
            "const { entries, more } = g.piece(fd, 0n, 65536);
             const before = (index) => index === 0 ? 0n : entries[index - 1].next;
             const back = [...entries.keys()].reverse().every((index) => g.piece(fd, before(index), 64).entries[0].name === entries[index].name);
             const inode = entries.every(({ name, ino, type }) => name[0] === '.' || g.stat(name, 0, fd).ino === ino && type === 4);
             const end = g.piece(fd, entries.at(-1).next, 64).entries.length;
             const beyond = [1000n, -1n].map((cookie) => g.piece(fd, cookie, 64).entries.length);
             return [entries.length, more, entries.slice(0, 2).map(({ name }) => name), back, inode, end, beyond, g.list(fd, 100).length];",
        );
        assert_eq!(
            result,
            json!([52, false, [".", ".."], true, true, 0, [0, 0], 50]),
            "{kept} entries are kept"
        );
    }
}

/// This is fast only if the folder is not read again for each piece.
#[test]
fn a_large_folder_is_read_once() {
    let folder = full("large", 20_000);
    let result = run(&mut folder.js(), &folder, "return all(g.list(fd, 64));");
    assert_eq!(result, json!([20_000, 20_000]));
}

#[test]
fn an_entry_that_is_cut_off_is_repeated() {
    let folder = full("cut", 3);
    let result = run(
        &mut folder.js(),
        &folder,
        "const sizes = [0, 1, 23, 24, 25, 30].map((size) => (g.call('fd_readdir', fd, 65536, size, 0n, 8), g.u32(8)));
         // 40 bytes have room for one entry and a part of the next.
         return [sizes, all(g.list(fd, 40)), g.call('fd_readdir', fd, 262140, 64, 0n, 8), g.call('fd_readdir', 0, 65536, 64, 0n, 8)];",
    );
    assert_eq!(result, json!([[0, 1, 23, 24, 25, 30], [3, 3], 21, 54]));
}

#[test]
fn a_name_that_is_not_utf_8_hides_no_other() {
    let folder = full("names", 2);
    for name in [&b"\xff"[..], b"a\xc3", b"\xed\xa0\x80"] {
        let path = folder.0.join("granted/full");
        let name = std::ffi::OsStr::from_bytes(name);
        if let Err(error) = std::fs::write(path.join(name), "") {
            println!("skipped: the file system refuses such names: {error}");
            return;
        }
    }
    let result = run(
        &mut folder.js(),
        &folder,
        "return [g.list(fd, 64).sort(), g.open(fd, 'file-1').fd > fd];",
    );
    assert_eq!(result, json!([["file-0", "file-1"], true]));
}

#[test]
fn entries_have_the_right_type() {
    let folder = full("kinds", 1);
    let pipe = folder.path("granted/full/pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    std::fs::create_dir(folder.path("granted/full/folder")).unwrap();
    std::os::unix::fs::symlink("file-0", folder.path("granted/full/link")).unwrap();
    let _socket =
        std::os::unix::net::UnixListener::bind(folder.path("granted/full/socket")).unwrap();
    let result = run(
        &mut folder.js(),
        &folder,
        "const { entries } = g.piece(fd, 0n, 4096);
         const listed = entries.filter(({ name }) => name !== '..');
         return Object.fromEntries(listed.map(({ name, type }) => [name, [type, g.stat(name, 0, fd).type]]));",
    );
    assert_eq!(
        result,
        json!({
            ".": [3, 3], "file-0": [4, 4], "folder": [3, 3], "link": [7, 7],
            "pipe": [0, 0], "socket": [6, 6],
        })
    );
}
