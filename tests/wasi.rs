//! WASI preview 1: guests have exactly the resources that the app passes, and may wait for them.

mod arguments;
mod calls;
mod caps;
mod commands;
mod files;
mod grants;
mod listing;
mod polling;
mod posix;
mod programs;
mod streams;

use std::path::PathBuf;

use ext_wasm::WasmCapabilities;
use serde_json::json;

use crate::support::js::Js;

/// Every function of preview 1 that returns an error number, with its parameters.
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

/// A module that exports a wrapper for every function of WASI.
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

/// JavaScript for that module: `guest(wasi, options)` makes an instance, and a `Guest` has methods for the functions
/// that the tests need. A method returns the data that it read, or the error number.
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
        /** The number of strings, and the strings, that `NAME_sizes_get` and `NAME_get` return. */
        strings(name) {
            if (this.call(`${name}_sizes_get`, 0, 4) !== 0) throw "no sizes";
            const count = this.u32(0), size = this.u32(4);
            if (this.call(`${name}_get`, 64, 4096) !== 0) throw "no strings";
            return [count, this.string(4096, size)];
        }
        /** Opens a path under a folder. Returns the descriptor or the error number. */
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
        /** Sleeps on the monotonic clock. */
        sleep(nanoseconds) {
            const view = new DataView(this.instance.memory().buffer, 256);
            for (let i = 0; i < 48; i++) view.setUint8(i, 0);
            view.setUint32(16, 1, true);
            view.setBigUint64(24, BigInt(nanoseconds), true);
            return this.call("poll_oneoff", 256, 512, 1, 0);
        }
    }
    Object.assign(Guest.prototype, {
        /** Calls a function on a path, or on two: `path("path_rename", 3, "a", 3, "b")`. */
        path(name, ...args) {
            return this.call(name, ...args.flatMap((arg) => typeof arg === "string" ? this.put(arg) : [arg]));
        },
        /** The status that `path_filestat_get` returns, or an error number. */
        stat(path, follow = 1, dir = 3) {
            const errno = this.call("path_filestat_get", dir, follow, ...this.put(path), 4000);
            return errno || this.filestat(4000);
        },
        filestat(at) {
            const view = new DataView(this.instance.memory().buffer);
            const [ino, size, accessed, modified] = [8, 32, 40, 48].map((field) => view.getBigUint64(at + field, true));
            return { type: view.getUint8(at + 16), size: Number(size), accessed: Number(accessed), modified: Number(modified), ino };
        },
        /** The entries of a folder after a cookie that fit in `size` bytes, and whether there may be more. */
        piece(fd, cookie, size) {
            const at = 65536, errno = this.call("fd_readdir", fd, at, size, cookie, 8);
            if (errno !== 0) throw `errno ${errno}`;
            const bytes = this.instance.readMemory(at, this.u32(8)), view = new DataView(bytes.buffer), entries = [];
            for (let p = 0; p + 24 <= bytes.length;) {
                const name = p + 24, end = name + view.getUint32(p + 16, true);
                if (end > bytes.length) break;
                entries.push({
                    name: decoder.decode(bytes.slice(name, end)), next: view.getBigUint64(p, true),
                    ino: view.getBigUint64(p + 8, true), type: view.getUint8(p + 20),
                });
                p = end;
            }
            return { entries, more: bytes.length === size };
        },
        /** All names in a folder except `.` and `..`, read in pieces of `size` bytes. */
        list(fd, size, each = () => {}) {
            const names = [];
            for (let cookie = 0n, more = true; more;) {
                const piece = this.piece(fd, cookie, size);
                more = piece.more;
                for (const { name, next } of piece.entries) {
                    cookie = next;
                    if (name === "." || name === "..") continue;
                    names.push(name);
                    each(name);
                }
            }
            return names;
        },
        /**
         * Polls: `{ clock, absolute, id }` in nanoseconds, `{ read }` or `{ write }` of a descriptor. The
         * userdata are 100, 101 and so on.
         */
        poll(wanted, { events = 8192, to = 0 } = {}) {
            const at = 4096, view = () => new DataView(this.instance.memory().buffer);
            new Uint8Array(this.instance.memory().buffer, at, 48 * wanted.length).fill(0);
            wanted.forEach(({ clock, absolute, id = 1, read, write }, i) => {
                const start = at + 48 * i;
                view().setBigUint64(start, 100n + BigInt(i), true);
                view().setUint8(start + 8, clock !== undefined ? 0 : read !== undefined ? 1 : 2);
                view().setUint32(start + 16, clock !== undefined ? id : read ?? write, true);
                if (clock === undefined) return;
                view().setBigUint64(start + 24, BigInt(clock), true);
                view().setUint16(start + 40, absolute ? 1 : 0, true);
            });
            const errno = this.call("poll_oneoff", at, events, wanted.length, to);
            if (errno !== 0) return errno;
            return Array.from({ length: view().getUint32(to, true) }, (_, i) => {
                const start = events + 32 * i;
                return {
                    userdata: Number(view().getBigUint64(start, true)), error: view().getUint16(start + 8, true),
                    type: view().getUint8(start + 10), bytes: Number(view().getBigUint64(start + 16, true)),
                    hangup: view().getUint16(start + 24, true),
                };
            });
        },
    });
    globalThis.guest = async (wasi, options) => new Guest(await load(everything, {}, { wasi, ...options }));
"#;

fn granting(preopens: Vec<PathBuf>) -> WasmCapabilities {
    let mut capabilities = WasmCapabilities::default();
    capabilities.allow_wasi = true;
    capabilities.preopen_paths = preopens;
    capabilities
}

/// A runtime with the function `guest`.
fn js(capabilities: WasmCapabilities) -> Js {
    let mut js = Js::with(capabilities);
    js.run(&format!(
        "globalThis.everything = {};\n{GUEST}",
        json!(everything())
    ));
    js
}

/// A temporary folder with a folder to grant, a secret file beside the granted folder, and links out of it.
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
