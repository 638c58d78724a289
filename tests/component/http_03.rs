//! HTTP by WASI 0.3: requests go where those of WASI 0.2 may go.

use serde_json::json;

use super::http::{DENIED, HELLO, NO_TLS, PROHIBITED, answer};
use super::network::{granting, server};
use crate::support::js::Js;

/// A runtime with `make(network)`, which makes an instance with this network and returns its exports.
fn js(connect: &[&str]) -> Js {
    let mut capabilities = granting(connect, &[]);
    capabilities.allow_wasi_03 = true;
    let mut js = Js::with(capabilities);
    js.run(
        "const guest = await networkGuest('http-03');
         globalThis.make = async (network, options) =>
             (await instantiateComponent(guest, {}, { wasi: { network }, ...options })).exports;",
    );
    js
}

#[test]
fn requests_go_to_what_is_granted_only() {
    let (port, running) = server(2, answer(HELLO));
    let mut js = js(&["127.0.0.1", "localhost"]);
    let got = js.run(&format!(
        "const here = await make({{ connect: ['127.0.0.1:{port}'] }});
         const name = await make({{ connect: ['localhost:{port}'] }});
         const both = await make({{ connect: ['localhost:{port}', '127.0.0.1:{port}'] }});
         return [
             await here.fetch(false, '127.0.0.1:{port}', '/a'), await here.fetch(false, '127.0.0.1', '/'),
             await here.fetch(true, '127.0.0.1:{port}', '/'), await name.fetch(false, 'localhost:{port}', '/'),
             await name.fetch(false, '127.0.0.1:{port}', '/'), await both.fetch(false, 'localhost:{port}', '/'),
         ];"
    ));
    assert_eq!(
        got,
        json!([
            [200, 5],
            [0, DENIED],
            [0, NO_TLS],
            [0, PROHIBITED],
            [0, DENIED],
            [200, 5],
        ])
    );
    running.join().unwrap();
}

#[test]
fn without_a_grant_requests_are_refused() {
    let mut js = js(&[]);
    let got = js
        .run("return codeOf(async () => (await make(undefined)).fetch(false, 'a.example', '/'));");
    assert_eq!(got, 5002);
}

#[test]
fn a_response_that_does_not_come_is_ended_by_the_deadline() {
    let (port, running) = server(1, super::network::hold);
    let mut js = js(&["127.0.0.1"]);
    let got = js.run(&format!(
        "const {{ fetch }} = await make({{ connect: ['127.0.0.1'] }}, {{ timeoutMs: 200 }});
         const error = await caught(() => fetch(false, '127.0.0.1:{port}', '/'));
         return [error.code, error.message];"
    ));
    assert_eq!(
        got,
        json!([5002, "the deadline passed: a call may take 200 ms"])
    );
    // The connection ends with the call.
    running.join().unwrap();
}
