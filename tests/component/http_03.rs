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
fn requests_at_one_time_are_capped() {
    let (port, running) = server(8, super::network::hold);
    let mut capabilities = granting(&["127.0.0.1"], &[]);
    capabilities.allow_wasi_03 = true;
    capabilities.max_wasi_descriptors = 8;
    let mut js = Js::with(capabilities);
    let got = js.run(&format!(
        "const guest = await networkGuest('http-03');
         const {{ exports }} = await instantiateComponent(guest, {{}}, {{
             wasi: {{ network: {{ connect: ['127.0.0.1'] }} }}, timeoutMs: 1_000,
         }});
         const requests = Array.from({{ length: 12 }}, () => exports.fetch(false, '127.0.0.1:{port}', '/'));
         const ends = await Promise.all(requests.map((request) => request.catch((error) => error.code)));
         return ends.map(String).sort();"
    ));
    // The error connection-limit-reached, or the deadline.
    let expected = [["0,11"; 4].as_slice(), &["5002"; 8]].concat();
    assert_eq!(got, json!(expected));
    running.join().unwrap();
}

#[test]
fn without_a_grant_requests_are_denied() {
    let mut js = js(&[]);
    let got = js.run("return (await make(undefined)).fetch(false, 'a.example', '/');");
    assert_eq!(got, json!([0, DENIED]));
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

/// Reads a body as text.
const READ: &str = "
    const read = async (body) => {
        let text = '';
        for await (const part of body) text += String.fromCharCode(...part);
        return text;
    };";

#[test]
fn a_component_handles_requests() {
    let mut js = js(&[]);
    let got = js.run(&format!(
        "{READ}
         const component = await networkGuest('http-03');
         const instance = await instantiateComponent(component, {{}}, {{ wasi: {{}} }});
         const answers = [];
         for (const body of ['hello', undefined, 'x'.repeat(100_000)]) {{
             const response = await instance.handle({{ url: 'http://a.example/', method: 'POST', body }});
             answers.push([response.status, (await read(response.body)).length]);
         }}
         // The response begins before the request has ended.
         const order = [];
         let answer;
         const answered = new Promise((resolve) => {{ answer = resolve; }});
         async function* talk() {{ yield 'ping'; await answered; order.push('goes on'); yield 'pong'; }}
         const {{ body }} = await instance.handle({{ url: 'http://a.example/', body: talk() }});
         const busy = tell(await caught(() => instance.handle({{ url: 'http://a.example/' }})));
         for await (const part of body) {{ order.push(String.fromCharCode(...part)); answer(); }}
         // A loop that is left ends the call.
         const left = await instance.handle({{ url: 'http://a.example/', body: 'x'.repeat(1_000_000) }});
         for await (const part of left.body) break;
         const last = await instance.handle({{ url: 'http://a.example/', body: 'last' }});
         return [answers, order, busy.message, await read(last.body), instance.ended];"
    ));
    assert_eq!(
        got,
        json!([
            [[201, 5], [201, 0], [201, 100_000]],
            ["ping", "goes on", "pong"],
            "busy: a call is running in the store",
            "last",
            false,
        ])
    );
}

#[test]
fn a_request_that_is_not_answered_ends_at_the_deadline() {
    let mut js = js(&[]);
    let got = js.run(
        "const component = await networkGuest('http-03');
         const make = (options) => instantiateComponent(component, {}, { wasi: {}, ...options });
         async function* silent() { yield 'a'; await new Promise(() => {}); }
         const late = await make({ timeoutMs: 100 });
         const response = await late.handle({ url: 'http://a.example/', body: silent() });
         const error = await caught(async () => { for await (const part of response.body); });
         const dropped = await make();
         const open = await dropped.handle({ url: 'http://a.example/', body: silent() });
         dropped.drop();
         const after = await codeOf(async () => { for await (const part of open.body); });
         return [error.message, late.ended, after];",
    );
    assert_eq!(
        got,
        json!(["the deadline passed: a call may take 100 ms", true, 5002])
    );
}
