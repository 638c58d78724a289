//! What guests can heap up in the host has an end.

use serde_json::json;

use super::{Folder, granting, js};

#[test]
fn a_store_has_so_many_descriptors() {
    let folder = Folder::new("descriptors");
    let mut capabilities = granting(vec![folder.0.join("granted")]);
    capabilities.max_wasi_descriptors = 6;
    let told = js(capabilities).run(&format!(
        "const root = {};
         const wasi = {{ preopens: {{ '/': root }} }};
         const g = await guest(wasi);
         const opened = Array.from({{ length: 4 }}, () => g.open(3, 'file'));
         // What is refused is not made either.
         const refused = [g.open(3, 'made', {{ create: true }}).errno, g.stat('made')];
         const again = [g.call('fd_close', 4), g.open(3, 'file').fd];
         // Another store has its own.
         const other = (await guest(wasi)).open(3, 'file').fd;
         const three = {{ preopens: Object.fromEntries(['a', 'b', 'c', 'd'].map((name) => [name, root])) }};
         return [opened.map(({{ fd, errno }}) => fd ?? -errno), refused, again, other, tell(await caught(() => guest(three)))];",
        json!(folder.path("granted"))
    ));
    assert_eq!(
        told,
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
fn a_poll_has_so_many_subscriptions() {
    let mut capabilities = granting(vec![]);
    capabilities.max_wasi_subscriptions = 3;
    let told = js(capabilities).run(
        "const g = await guest({});
         const clocks = (count) => Array.from({ length: count }, () => ({ clock: 0 }));
         return [g.poll(clocks(3)).length, g.poll(clocks(4)), g.poll([]), g.call('poll_oneoff', 0, 0, -1, 0)];",
    );
    assert_eq!(told, json!([3, 28, 28, 28]));
}

#[test]
fn arguments_and_environment_have_so_many_bytes() {
    let mut capabilities = granting(vec![]);
    capabilities.max_wasi_text_bytes = 16;
    let told = js(capabilities).run(
        "const attempt = async (wasi) => { const error = await caught(() => guest(wasi)); return error.message ?? error; };
         return [await attempt({ args: ['1234567'], env: { A: '12345' } }), await attempt({ args: ['1234567'], env: { A: '123456' } }),
                 await attempt({ args: Array(17).fill('') })];",
    );
    let refused = "the option wasi is unusable: args and env have 17 bytes, more than max_wasi_text_bytes, \
         which is 16";
    assert_eq!(told, json!(["nothing was thrown", refused, refused]));
}

#[test]
fn one_read_or_write_has_so_many_buffers() {
    let told = js(granting(vec![])).run(
        "const g = await guest({ stdin: 'text', stdout: 'piped' });
         const ask = (name, fd, count) => g.call(name, fd, 65536, count, 8);
         return [ask('fd_read', 0, 1024), ask('fd_read', 0, 1025), ask('fd_write', 1, 1024), ask('fd_write', 1, 1025)];",
    );
    assert_eq!(told, json!([0, 28, 0, 28]));
}
