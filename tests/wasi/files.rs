//! Files are those of the folders that a guest is given.

use serde_json::{Value, json};

use super::Folder;

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
