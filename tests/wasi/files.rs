//! Guests reach only the files in their preopened folders.

use serde_json::{Value, json};

use super::Folder;

#[test]
fn guests_use_files_of_the_preopened_folders() {
    let folder = Folder::new("files");
    let result = folder.js().run(
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
    assert_eq!(result["names"], json!(["/data", "/ro"]));
    assert_eq!(
        result["read"],
        json!(["inside", "inside", "inside", "inside"])
    );
    assert_eq!(result["made"], json!([3, "new"]));
    let readonly = result["readonly"].as_array().unwrap();
    assert!(
        readonly.iter().all(|errno| errno.as_i64() > Some(0)),
        "{result}"
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
    let result = folder.js().run(
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
    for (case, errnos) in result.as_object().unwrap() {
        let errnos = match errnos {
            Value::Array(errnos) => errnos.clone(),
            one => vec![one.clone()],
        };
        for errno in errnos {
            assert!(errno.as_i64() > Some(0), "{case}: {errno} in {result}");
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
    let result = folder.js().run(
        "const attempt = async (path) => tell(await caught(() => guest({ preopens: { '/': path } })));
         return Promise.all(['', 'granted/../', 'granted/folder', 'missing', 'granted/file', 'granted/deep', 'enters']
             .map(async (path) => {
                 const error = await attempt(root + path);
                 return error.code ? [error.code, error.message.replace(root, 'ROOT/')] : 'granted';
             }));",
    );
    let refused = |path: &str| {
        let reason = "not a folder, or not granted by the host";
        json!([
            5001,
            format!("the option wasi is unusable: cannot preopen ROOT/{path}: {reason}")
        ])
    };
    assert_eq!(
        result,
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

/// The functions on files that the other tests do not need.
#[test]
fn the_other_functions_of_files() {
    let folder = Folder::new("others");
    let result = folder.js().run(
        "const g = await guest({ preopens: { '/': root + 'granted' }, stdin: 'x' });
         const view = () => new DataView(g.instance.memory().buffer);
         const big = (at) => Number(view().getBigUint64(at, true));
         const call = (name, ...args) => {
             const { params } = g.instance.getExport(name);
             return g.call(name, ...args.map((arg, i) => params[i] === 'i64' ? BigInt(arg) : arg));
         };
         const rights = 0x1fffffff;
         const put = (string) => { g.set(0, ...g.put(string)); return [0, 1]; };
         const open = (path, flags) => (call('path_open', 3, 1, ...g.put(path), flags, rights, rights, 0, 0), g.u32(0));
         const fd = open('positions', 1);
         const stat = (fd) => (call('fd_filestat_get', fd, 4000), { type: view().getUint8(4016), size: big(4032), accessed: big(4040), modified: big(4048) });
         const pathStat = (path, follow) => (call('path_filestat_get', 3, follow, ...g.put(path), 4000), view().getUint8(4016));
         const read = (name, ...rest) => { g.set(0, 2048, 64); const errno = call(name, fd, 0, 1, ...rest, 8); return errno || g.string(2048, g.u32(8)); };
         const position = () => (call('fd_tell', fd, 16), big(16));
         const results = {};
         results.positions = [
             call('fd_pwrite', fd, ...put('0123456789'), 0, 8), call('fd_pwrite', fd, ...put('ab'), 4, 8),
             position(), read('fd_pread', 2), read('fd_pread', 20), position(), call('fd_seek', fd, 7, 0, 16), position(), read('fd_read'),
             call('fd_seek', fd, -2, 2, 16), position(), call('fd_seek', fd, -20, 1, 16), position(),
         ];
         results.sizes = [stat(fd).size, call('fd_filestat_set_size', fd, 3), stat(fd).size, call('fd_filestat_set_size', fd, 5), stat(fd).size, stat(fd).type];
         results.times = [call('fd_filestat_set_times', fd, 1e9, 2e9, 5), stat(fd).accessed, stat(fd).modified,
             call('path_filestat_set_times', 3, 0, ...g.put('positions'), 3e9, 4e9, 5), stat(fd).accessed, stat(fd).modified];
         results.synced = [call('fd_sync', fd), call('fd_datasync', fd), call('fd_advise', fd, 0, 10, 1), call('fd_allocate', fd, 0, 100)];
         const flags = () => (call('fd_fdstat_get', fd, 4000), view().getUint16(4002, true));
         results.flags = [flags(), call('fd_fdstat_set_flags', fd, 1), flags(), call('fd_write', fd, ...put('!'), 8), stat(fd).size, call('fd_fdstat_set_rights', fd, 0, 0)];
         const link = (path) => { const errno = call('path_readlink', 3, ...g.put(path), 2048, 64, 8); return errno || g.string(2048, g.u32(8)); };
         results.links = [link('inner'), link('file'), link('missing'), pathStat('inner', 0), pathStat('inner', 1), call('path_link', 3, 0, ...g.put('file'), 3, ...g.put('hard')), g.cat(3, 'hard')];
         const other = open('file', 0);
         results.renumbered = [call('fd_renumber', fd, other), call('fd_close', fd), stat(other).size, call('fd_renumber', 99, other), call('fd_close', other)];
         results.clock = [call('clock_res_get', 0, 16), big(16) > 0, call('clock_res_get', 1, 16), big(16) > 0];
         results.sockets = [call('sock_accept', 0, 0, 16), call('sock_recv', 0, ...put('x'), 0, 16, 20), call('sock_send', 1, ...put('x'), 0, 16), call('sock_shutdown', 1, 3)];
         results.signal = call('proc_raise', 6);
         return results;",
    );
    assert_eq!(
        result,
        json!({
            "positions": [0, 0, 0, "23ab6789", "", 0, 0, 7, "789", 0, 8, 28, 8],
            "sizes": [10, 0, 3, 0, 5, 4],
            "times": [0, 1e9 as u64, 2e9 as u64, 0, 3e9 as u64, 4e9 as u64],
            "synced": [0, 0, 0, 58],
            "flags": [0, 0, 1, 0, 6, 58],
            "links": ["file", 28, 44, 7, 4, 0, "inside"],
            "renumbered": [0, 8, 6, 8, 0],
            "clock": [0, true, 0, true],
            "sockets": [57, 57, 57, 57],
            "signal": 58,
        })
    );
}
