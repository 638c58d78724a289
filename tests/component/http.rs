//! HTTP: a component sends requests to what the host grants, and handles those that the app gives it. The servers are threads of
//! the tests.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::network::{at, granting, hold, server};
use crate::support::child::{self, Child, this_test};
use crate::support::js::Js;

/// The numbers of errors of `wasi:http`.
pub(super) const PROHIBITED: u32 = 4;
const REFUSED: u32 = 6;
pub(super) const NO_TLS: u32 = 12;
pub(super) const DENIED: u32 = 15;
const NO_URI: u32 = 19;
const NO_HTTP: u32 = 35;

/// Makes `make(network)`, an instance with this network.
const MAKE: &str = "
    globalThis.guest = await networkGuest('http');
    globalThis.make = (network, options) =>
        instantiateComponent(guest, {}, { wasi: { network }, ...options });";

/// Reads the head of a request, and returns it.
fn head(connection: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && connection.read(&mut byte).is_ok_and(|count| count > 0) {
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

/// Answers a request with these bytes.
pub(super) fn answer(bytes: &'static str) -> impl Fn(TcpStream) + Send {
    move |mut connection| {
        head(&mut connection);
        connection.write_all(bytes.as_bytes()).unwrap();
        hold(connection);
    }
}

pub(super) const HELLO: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";

#[test]
fn requests_go_to_what_is_granted_only() {
    let (sender, heads) = mpsc::channel();
    let (port, running) = server(2, move |mut connection| {
        sender.send(head(&mut connection)).unwrap();
        connection.write_all(HELLO.as_bytes()).unwrap();
        hold(connection);
    });
    let mut js = Js::with(granting(&["127.0.0.1", "localhost", "b.example:80"], &[]));
    js.run(MAKE);
    let got = js.run(&format!(
        "const here = (await make({{ connect: ['127.0.0.1:{port}'] }})).exports;
         const name = (await make({{ connect: ['localhost:{port}'] }})).exports;
         const both = (await make({{ connect: ['localhost:{port}', '127.0.0.1:{port}'] }})).exports;
         const other = (await make({{ connect: ['b.example:80'] }})).exports;
         const to = (guest, authority, path = '/', secure = false) => guest.fetch(secure, authority, path, 0);
         return [
             to(here, '127.0.0.1:{port}', '/a?b'), to(here, '127.0.0.1'), to(here, 'localhost:{port}'),
             to(here, '127.0.0.1:{port}', '/', true), to(here, 'user@127.0.0.1:{port}'),
             to(name, 'localhost:{port}'), to(name, 'localhost:1'), to(name, '127.0.0.1:{port}'),
             to(both, 'localhost:{port}'), to(other, 'a.b.example'), to(other, 'b.example:81'),
             to(other, 'b.example.evil.example'), to(here, '127.0.0.1:{port}@b.example'),
         ];"
    ));
    assert_eq!(
        got,
        json!([
            [200, 5],
            [0, DENIED],
            [0, DENIED],
            [0, NO_TLS],
            [0, NO_URI],
            [0, PROHIBITED],
            [0, DENIED],
            [0, DENIED],
            [200, 5],
            [0, DENIED],
            [0, DENIED],
            [0, DENIED],
            [0, NO_URI],
        ])
    );
    running.join().unwrap();
    let heads: Vec<String> = heads.try_iter().collect();
    assert_eq!(
        heads[0],
        format!("GET /a?b HTTP/1.1\r\nhost: {}\r\n\r\n", at(port))
    );
    assert!(
        heads[1].contains(&format!("host: localhost:{port}\r\n")),
        "{heads:?}"
    );
}

/// A program that imports `wasi:http` runs without the grant as long as it does not use it.
#[test]
fn without_a_grant_http_is_refused() {
    let mut js = Js::with(granting(&[], &[]));
    js.run(MAKE);
    let got = js.run(
        "const instance = await make(undefined);
         const error = await caught(() => instance.exports.fetch(false, 'a.example', '/', 0));
         return [error.code, error.message, instance.ended];",
    );
    assert_eq!(
        got,
        json!([
            5002,
            "the component called \"wasi:http/types@0.2.0#[method]outgoing-request.set-scheme\", which the host does not grant",
            true
        ])
    );
}

/// A component follows redirects itself, so that the place where one leads is checked as any other.
#[test]
fn a_redirect_is_a_response() {
    let (elsewhere, _) = server(0, hold);
    let text = format!(
        "HTTP/1.1 302 Found\r\nlocation: http://{}/\r\ncontent-length: 0\r\n\r\n",
        at(elsewhere)
    );
    let (port, running) = server(1, answer(text.leak()));
    let mut js = Js::with(granting(&["127.0.0.1"], &[]));
    js.run(MAKE);
    let got = js.run(&format!(
        "const guest = (await make({{ connect: ['127.0.0.1:{port}'] }})).exports;
         return [guest.fetch(false, '{}', '/', 0), guest.fetch(false, '{}', '/', 0)];",
        at(port),
        at(elsewhere)
    ));
    assert_eq!(got, json!([[302, 0], [0, DENIED]]));
    running.join().unwrap();
}

/// No variable of the process leads a request elsewhere.
#[test]
fn there_are_no_proxies() {
    if child::is_child() {
        let (port, running) = server(1, answer(HELLO));
        let mut js = Js::with(granting(&["127.0.0.1"], &[]));
        js.run(MAKE);
        let got = js.run(&format!(
            "const instance = await make({{ connect: ['127.0.0.1:{port}'] }});
             return instance.exports.fetch(false, '{}', '/', 0);",
            at(port)
        ));
        running.join().unwrap();
        child::answer(&got);
        return;
    }
    let proxy = format!("http://{}", at(1));
    let mut child = Child::new(this_test!());
    for name in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
        child = child.env(name, &proxy);
    }
    assert_eq!(child.run(), json!([200, 5]));
}

#[test]
fn responses_that_do_not_end_are_ended_by_the_deadline() {
    // Some header now and then; a body part by part; a body without an end; nothing at all.
    let slow_head = |mut connection: TcpStream| {
        head(&mut connection);
        _ = connection.write_all(b"HTTP/1.1 200 OK\r\n");
        while connection.write_all(b"x: y\r\n").is_ok() {
            thread::yield_now();
        }
    };
    let slow_body = answer("HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\nhello");
    let endless_body = |mut connection: TcpStream| {
        head(&mut connection);
        _ = connection.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while connection.write_all(&[0; 4096]).is_ok() {}
    };
    let (endless_head, heads) = server(1, slow_head);
    let (slow, bodies) = server(1, slow_body);
    let (endless, more_bodies) = server(1, endless_body);
    let (silent, nothing) = server(1, hold);
    let mut js = Js::with(granting(&["127.0.0.1"], &[]));
    js.run(MAKE);
    let got = js.run(&format!(
        "const ends = [];
         for (const [port, timeoutMs] of [[{endless_head}, 60_000], [{slow}, 300], [{endless}, 300], [{silent}, 300]]) {{
             const instance = await make({{ connect: ['127.0.0.1'] }}, {{ timeoutMs }});
             const called = await instance.callAsync('fetch', [false, `127.0.0.1:${{port}}`, '/', 0]).catch((e) => e.message);
             ends.push([called, instance.ended]);
         }}
         return ends;"
    ));
    let late = json!(["the deadline passed: a call may take 300 ms", true]);
    // A head without an end is soon larger than it may be.
    let too_large = json!([[0, NO_HTTP], false]);
    assert_eq!(got, json!([too_large, late, late, late]));
    // The end of an instance has closed its connections.
    for thread in [heads, bodies, more_bodies, nothing] {
        thread.join().unwrap();
    }
}

#[test]
fn the_body_of_a_request_waits_for_its_reader() {
    let (port, running) = server(1, |mut connection| {
        head(&mut connection);
        let mut received = 0;
        let mut part = [0; 4096];
        while received < 200_000 {
            received += connection.read(&mut part).unwrap();
        }
        connection.write_all(HELLO.as_bytes()).unwrap();
        hold(connection);
    });
    let (finish, finished) = mpsc::channel::<()>();
    let (deaf, ignoring) = server(1, move |connection| {
        _ = finished.recv();
        drop(connection);
    });
    let mut js = Js::with(granting(&["127.0.0.1"], &[]));
    js.run(MAKE);
    let got = js.run(&format!(
        "const instance = await make({{ connect: ['127.0.0.1'] }}, {{ timeoutMs: 60_000 }});
         const sent = instance.exports.fetch(false, '{}', '/', 200_000);
         const other = await make({{ connect: ['127.0.0.1'] }}, {{ timeoutMs: 300 }});
         return [sent, (await caught(() => other.exports.fetch(false, '{}', '/', 1 << 30))).message];",
        at(port),
        at(deaf)
    ));
    assert_eq!(
        got,
        json!([[200, 5], "the deadline passed: a call may take 300 ms"])
    );
    drop(finish);
    running.join().unwrap();
    ignoring.join().unwrap();
}

#[test]
fn servers_that_answer_otherwise_than_by_http() {
    let mut js = Js::with(granting(&["127.0.0.1"], &[]));
    js.run(MAKE);
    for (text, expected) in [
        ("no HTTP\r\n\r\n", json!([0, NO_HTTP])),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
            json!([0, NO_HTTP]),
        ),
        ("", json!([0, NO_HTTP])),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello",
            json!([1000, 5]),
        ),
    ] {
        let (port, running) = server(1, move |mut connection| {
            head(&mut connection);
            connection.write_all(text.as_bytes()).unwrap();
        });
        let got = js.run(&format!(
            "const guest = (await make({{ connect: ['127.0.0.1:{port}'] }}, {{ timeoutMs: 60_000 }})).exports;
             return guest.fetch(false, '{}', '/', 0);",
            at(port)
        ));
        assert_eq!(got, expected, "{text:?}");
        running.join().unwrap();
    }
    let got = js.run(&format!(
        "return (await make({{ connect: ['127.0.0.1'] }})).exports.fetch(false, '{}', '/', 0);",
        // Nobody listens at a port that needs rights.
        at(1)
    ));
    assert_eq!(got, json!([0, REFUSED]));
}

/// Makes `handler`, a component whose responses have the bodies of their requests, and reads a body.
const HANDLER: &str = "
    globalThis.handler = await networkGuest('handler');
    globalThis.make = (options) => instantiateComponent(handler, {}, { wasi: {}, ...options });
    globalThis.read = async (body) => {
        let text = '';
        for await (const part of body) text += String.fromCharCode(...part);
        return text;
    };
    /** An asynchronous iterable of these parts. A part may be a promise, or a function that makes it. */
    globalThis.partsOf = (...parts) => iterable(async () => {
        if (parts.length === 0) return { value: undefined, done: true };
        const part = parts.shift();
        return { value: await (typeof part === 'function' ? part() : part), done: false };
    });
    globalThis.iterable = (next) =>
        ({ [Symbol.asyncIterator]: () => ({ next, return: async () => ({ value: undefined, done: true }) }) });
    globalThis.endless = () => iterable(async () => ({ value: 'x'.repeat(1_000), done: false }));
    globalThis.url = 'http://a.example/b?c';";

fn handling() -> Js {
    let mut js = Js::with(granting(&[], &[]));
    js.run(HANDLER);
    js
}

#[test]
fn a_component_handles_requests() {
    let got = handling().run(
        "const instance = await make();
         const got = [];
         const parts = partsOf('one ', new Uint8Array([116, 119, 111]), '', ' three');
         for (const body of ['hello', new Uint8Array([104, 105]), undefined, null, parts, 'x'.repeat(300_000)]) {
             const { status, headers, body: returned } = await instance.handle({ method: 'POST', url, body });
             const text = await read(returned);
             got.push([status, headers, text.length > 100 ? text.length : text]);
         }
         // It has no network itself.
         got.push(instance.exports.fetch(false, '127.0.0.1', '/', 0), instance.ended);
         return got;",
    );
    assert_eq!(
        got,
        json!([
            [201, [], "hello"],
            [201, [], "hi"],
            [201, [], ""],
            [201, [], ""],
            [201, [], "one two three"],
            [201, [], 300_000],
            [0, DENIED],
            false,
        ])
    );
}

/// The web's own classes are the host's: here stand-ins with the same form.
#[test]
fn a_request_of_the_web_is_taken() {
    let got = handling().run(
        "globalThis.Request = class {
             get method() { return 'PUT'; }
             get url() { return url; }
             get headers() { return [['x-a', 'b']]; }
             get body() { return partsOf('web'); }
         };
         const { status, body } = await (await make()).handle(new Request());
         return [status, await read(body)];",
    );
    assert_eq!(got, json!([201, "web"]));
}

#[test]
fn requests_that_cannot_be_used_are_refused() {
    let got = handling().run(
        "const instance = await make();
         const inherited = Object.create({ url });
         const refused = [];
         for (const request of [
             undefined, {}, inherited, { url: 1 }, { url: '/path' }, { url: 'ftp://a.example/' }, { url: 'http://' },
             { url, method: 'A B' }, { url, headers: 1 }, { url, headers: { a: 1 } }, { url, headers: [['a']] },
             { url, headers: { 'a b': 'c' } }, { url, headers: { a: 'b\\nc' } }, { url, body: 1 }, { url, body: {} },
             { url, headers: { a: 'b'.repeat(100_000) } },
         ]) refused.push((await caught(() => instance.handle(request))).code);
         const message = (await caught(() => instance.handle({ url: 'a b' }))).message;
         const { body } = await instance.handle({ url, body: 'still usable' });
         const others = await networkGuest('http');
         const other = await instantiateComponent(others, {}, { wasi: {} });
         return [refused, message, await read(body), tell(await caught(() => other.handle({ url })))];",
    );
    let refused = vec![5005; 16];
    assert_eq!(
        got,
        json!([
            refused,
            "\"a b\" is no URL of a request",
            "still usable",
            { "code": 5004, "kind": "FunctionNotFound",
              "message": "the component handles no requests: it does not export wasi:http/incoming-handler@0.2, or has no WASI" },
        ])
    );
}

#[test]
fn bodies_pass_part_by_part() {
    let got = handling().run(
        "const instance = await make({ timeoutMs: 60_000 });
         const log = [];
         let release;
         const held = new Promise((resolve) => { release = resolve; });
         const first = () => { log.push('first'); return 'a'; };
         const second = async () => { await held; log.push('second'); return 'b'; };
         const { body } = await instance.handle({ url, body: partsOf(first, second) });
         const iterator = body[Symbol.asyncIterator]();
         log.push(String.fromCharCode(...(await iterator.next()).value));
         const busy = await codeOf(() => instance.handle({ url }));
         release();
         log.push(String.fromCharCode(...(await iterator.next()).value), (await iterator.next()).done, (await iterator.next()).done, busy);
         return log;",
    );
    assert_eq!(got, json!(["first", "a", "second", "b", true, true, 5002]));
}

#[test]
fn exchanges_end_with_their_call() {
    let mut js = handling();
    let got = js.run(
        "const got = [];
         // Nobody reads the response: the component waits, until its time is over.
         const unread = await make({ timeoutMs: 200 });
         const { body } = await unread.handle({ url, body: endless() });
         const iterator = body[Symbol.asyncIterator]();
         await iterator.next();
         let step, error;
         try { do { step = await iterator.next(); } while (!step.done); } catch (e) { error = e.message; }
         got.push(error, unread.ended);
         // A response that is not wanted any more.
         const left = await make({ timeoutMs: 60_000 });
         let seen = 0;
         for await (const part of (await left.handle({ url, body: endless() })).body) { if (++seen === 3) break; }
         got.push(seen);
         // The body of the request breaks off.
         const broken = await make({ timeoutMs: 60_000 });
         const breaks = partsOf('a', () => { throw new Error('broken'); });
         got.push(await read((await broken.handle({ url, body: breaks })).body));
         // The instance is dropped.
         const dropped = await make({ timeoutMs: 60_000 });
         const response = await dropped.handle({ url, body: endless() });
         dropped.drop();
         got.push(await codeOf(() => read(response.body)), await codeOf(() => dropped.handle({ url })));
         // A signal.
         const aborted = await make({ interruptible: true });
         const listeners = [];
         const signal = { aborted: false, reason: 'enough', addEventListener(_, f) { listeners.push(f); }, removeEventListener() {} };
         const handled = await aborted.handle({ url, body: endless() }, { signal });
         for (const abort of listeners) abort();
         got.push((await caught(() => read(handled.body))).message);
         return got;",
    );
    assert_eq!(
        got,
        json!([
            "the deadline passed: a call may take 200 ms",
            true,
            3,
            "a",
            5002,
            5002,
            "the call was aborted",
        ])
    );
}

/// Descriptors and threads of this process.
fn held() -> [usize; 2] {
    ["/proc/self/fd", "/proc/self/task"].map(|folder| std::fs::read_dir(folder).unwrap().count())
}

#[test]
fn an_instance_that_is_dropped_leaves_no_request_behind() {
    if child::is_child() {
        // How many connections there are is a matter of time: a request may be dropped before it has one.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            listener
                .incoming()
                .for_each(|connection| hold(connection.unwrap()));
        });
        let mut js = Js::with(granting(&["127.0.0.1"], &[]));
        js.run(MAKE);
        let once = format!(
            "const instance = await make({{ connect: ['127.0.0.1'] }}, {{ timeoutMs: 20 }});
             // The machine may be too slow for either.
             await caught(() => instance.exports.start('{}'));
             await caught(() => instance.exports.fetch(false, '{}', '/', 0));
             instance.drop();",
            at(port),
            at(port)
        );
        js.run(&once);
        let before = held();
        js.run(&format!(
            "for (let i = 0; i < 50; i++) {{ await (async () => {{ {once} }})(); }}"
        ));
        // The tasks of the requests end soon after, and the server sees the end of each connection.
        let deadline = Instant::now() + Duration::from_secs(60);
        let is_flat = || {
            let now = held();
            now[0] <= before[0] && now[1] <= before[1]
        };
        while !is_flat() && Instant::now() < deadline {
            thread::yield_now();
        }
        child::answer(&json!(is_flat()));
        return;
    }
    assert_eq!(Child::new(this_test!()).run(), true);
}
