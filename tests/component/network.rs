//! The network: a component reaches what the host grants and the app passes on, and waits no longer than it may. The peers are
//! threads of the tests.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use ext_wasm::{WasmCapabilities, WasmState};
use serde_json::json;

use crate::support::child::{self, Child, this_test};
use crate::support::js::Js;

/// 127.0.0.1, as the guests take it.
pub(super) const LOOPBACK: u32 = Ipv4Addr::LOCALHOST.to_bits();

/// One more than the number of the error `access-denied`.
const DENIED: u32 = 2;

pub(super) fn granting(connect: &[&str], listen: &[&str]) -> WasmCapabilities {
    let capabilities = WasmCapabilities::builder().allow_wasi();
    capabilities
        .connect(connect.to_vec())
        .listen(listen.to_vec())
        .build()
}

/// A server that does this with the first connections, one after another. Its port, and its thread.
pub(super) fn server(
    connections: usize,
    serve: impl Fn(TcpStream) + Send + 'static,
) -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let running = thread::spawn(move || {
        for _ in 0..connections {
            serve(listener.accept().unwrap().0);
        }
    });
    (port, running)
}

/// Sends back what comes in.
fn echo(mut connection: TcpStream) {
    let mut part = [0; 4096];
    while let Ok(count @ 1..) = connection.read(&mut part) {
        if connection.write_all(&part[..count]).is_err() {
            return;
        }
    }
}

/// Reads until the other end is closed, or says nothing more.
pub(super) fn hold(mut connection: TcpStream) {
    let mut part = [0; 4096];
    while let Ok(1..) = connection.read(&mut part) {}
}

/// Makes `make(network)`, an instance with this network.
const MAKE: &str = "
    globalThis.guest = await networkGuest('sockets');
    globalThis.make = (network, options) =>
        instantiateComponent(guest, {}, { wasi: { network }, ...options });";

#[test]
fn a_component_connects_to_what_is_granted_only() {
    let (port, running) = server(1, echo);
    let mut js = Js::with(granting(&["127.0.0.1"], &[]));
    js.run(MAKE);
    let got = js.run(&format!(
        "const granted = (await make({{ connect: ['127.0.0.1:{port}'] }})).exports;
         const other = (await make({{ connect: ['127.0.0.1:{}'] }})).exports;
         const nothing = (await make({{ connect: [] }})).exports;
         const without = (await make(undefined)).exports;
         const all = [granted.connect({LOOPBACK}, {port}), granted.send(5), granted.receive(100),
             granted.connect({LOOPBACK}, {}), other.connect({LOOPBACK}, {port}),
             nothing.connect({LOOPBACK}, {port}), without.connect({LOOPBACK}, {port}), granted.connect(0x08080808, 53)];
         granted.close();
         return all;",
        port - 1,
        port - 1,
    ));
    assert_eq!(
        got,
        json!([0, 0, 5, DENIED, DENIED, DENIED, DENIED, DENIED])
    );
    running.join().unwrap();
}

#[test]
fn an_app_asks_for_a_part_of_what_the_host_grants() {
    let mut js = Js::with(granting(&["a.example:443", "10.0.0.0/8"], &["127.0.0.1:0"]));
    js.run(MAKE);
    let got = js.run(
        "const messages = [];
         const inherited = Object.create({ connect: ['10.0.0.1'] });
         for (const network of [
             { connect: ['A.example.:443', '10.1.0.0/16:80', '10.2.3.4'], listen: ['127.0.0.1:0'] },
             { connect: ['a.example'] },
             { connect: ['b.example:443'] },
             { connect: ['10.1.2.3', '11.0.0.1'] },
             { connect: ['[::1]'] },
             { listen: ['127.0.0.1'] },
             { listen: ['a.example'] },
             { connect: ['10.0.0.1/8'] },
             { connect: ['*'] },
             { connect: 'a.example:443' },
             { connect: [1] },
             { connect: [, '10.0.0.1'] },
             inherited,
             [],
             1,
         ]) {
             const made = await caught(() => make(network));
             messages.push(made.code === undefined ? made : `${made.code} ${made.message}`);
         }
         return messages;",
    );
    let unusable = "5001 the option wasi is unusable:";
    assert_eq!(
        got,
        json!([
            "nothing was thrown",
            format!("{unusable} the host does not let guests connect to \"a.example\""),
            format!("{unusable} the host does not let guests connect to \"b.example:443\""),
            format!("{unusable} the host does not let guests connect to \"11.0.0.1\""),
            format!("{unusable} the host does not let guests connect to \"[::1]\""),
            format!("{unusable} the host does not let guests listen at \"127.0.0.1\""),
            "5001 \"a.example\" is no entry of the network: guests listen at addresses, not at names",
            "5001 \"10.0.0.1/8\" is no entry of the network: 10.0.0.1 is not the first address of its block",
            "5001 \"*\" is no entry of the network: its host is no name and no address",
            format!("{unusable} connect must be an array, got a string"),
            format!("{unusable} connect of network, entry 0 must be a string, got 1"),
            format!("{unusable} connect of network, entry 0 must be a string, got undefined"),
            "5001 the option connect is inherited; options must be own properties",
            "nothing was thrown",
            format!("{unusable} network must be an object, got 1"),
        ])
    );
    // Modules have no sockets.
    let got = js.run(
        "return (await caught(() => load('(module)', {}, { wasi: { network: { connect: ['10.0.0.1'] } } }))).message;",
    );
    assert_eq!(
        got,
        "the option wasi is unusable: preview 1 has no network: it is for components"
    );
    // Nothing is granted by default, and an entry that is none is no grant of less or more.
    let mut denied = Js::with(granting(&[], &[]));
    denied.run(MAKE);
    let got = denied.run("return (await caught(() => make({ connect: ['10.0.0.1'] }))).message;");
    assert_eq!(
        got,
        "the option wasi is unusable: the host does not let guests connect to \"10.0.0.1\""
    );
    let error = WasmState::new(granting(&["10.0.0.0/33"], &[]))
        .err()
        .unwrap();
    assert_eq!(
        error.message,
        "\"10.0.0.0/33\" is no entry of the network: a block has 0 to 32 bits"
    );
}

/// The name `localhost` is an address of the machine itself wherever it is resolved.
#[test]
fn a_name_that_leads_inside_is_refused_unless_the_address_is_granted() {
    let (port, running) = server(1, hold);
    let mut js = Js::with(granting(&["localhost", "127.0.0.1"], &[]));
    js.run(MAKE);
    let got = js.run(&format!(
        "const name = (await make({{ connect: ['localhost'] }})).exports;
         const both = (await make({{ connect: ['localhost', '127.0.0.1:{port}'] }})).exports;
         const all = [name.lookup('localhost'), name.connect({LOOPBACK}, {port}),
             name.lookup('127.0.0.1'), name.connect({LOOPBACK}, {port}), name.lookup('a.example'), name.lookup('127.1'),
             name.lookup('a b'), both.lookup('LOCALHOST.'), both.connect({LOOPBACK}, {port}), both.connect({LOOPBACK}, 1)];
         both.close();
         return all;"
    ));
    // The errors access-denied and invalid-argument.
    let (denied, invalid) = (1, 3);
    assert_eq!(
        got,
        json!([
            denied, DENIED, LOOPBACK, DENIED, denied, invalid, invalid, LOOPBACK, 0, DENIED
        ])
    );
    running.join().unwrap();
}

#[test]
fn listening_is_granted_by_itself() {
    let mut js = Js::with(granting(&["127.0.0.1"], &["127.0.0.1:0"]));
    js.run(MAKE);
    let got = js.run(&format!(
        "const client = (await make({{ connect: ['127.0.0.1'] }})).exports;
         globalThis.server = (await make({{ listen: ['127.0.0.1:0'] }})).exports;
         return [client.listen({LOOPBACK}, 0), client.listen(0, 0), server.listen({LOOPBACK}, 80), server.listen(0, 0),
             server.connect({LOOPBACK}, 80), server.listen({LOOPBACK}, 0)];"
    ));
    let denied = 0x1_0000 + 1;
    assert_eq!(
        got.as_array().unwrap()[..5],
        [denied, denied, denied, denied, DENIED].map(|code| json!(code))
    );
    let port = u16::try_from(got[5].as_u64().unwrap()).unwrap();
    let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    client.write_all(b"hello").unwrap();
    let got = js.run("return [server.accept(), server.receive(100), server.send(3)];");
    assert_eq!(got, json!([0, 5, 0]));
    let mut received = [0; 3];
    client.read_exact(&mut received).unwrap();
}

#[test]
fn datagrams_go_to_what_is_granted_only() {
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = peer.local_addr().unwrap().port();
    let mut js = Js::with(granting(&["127.0.0.1"], &[]));
    js.run(MAKE);
    let got = js.run(&format!(
        "const guest = (await make({{ connect: ['127.0.0.1:{port}'] }})).exports;
         return [guest.sendDatagram(0, 0, {LOOPBACK}, {port}), guest.sendDatagram(0, 0, {LOOPBACK}, {}),
             guest.sendDatagram({LOOPBACK}, 0, {LOOPBACK}, {port})];",
        port - 1
    ));
    assert_eq!(got, json!([0, DENIED, DENIED]));
    let mut received = [0; 100];
    assert_eq!(peer.recv(&mut received).unwrap(), 5);
}

#[test]
fn waits_end_at_the_deadline_and_when_the_call_is_aborted() {
    let (silent, holding) = server(2, hold);
    let (finish, finished) = mpsc::channel::<()>();
    let (deaf, ignoring) = server(1, move |connection| {
        _ = finished.recv();
        drop(connection);
    });
    let mut js = Js::with(granting(&["127.0.0.1"], &["127.0.0.1:0"]));
    js.run(MAKE);
    let got = js.run(&format!(
        "const network = {{ connect: ['127.0.0.1'], listen: ['127.0.0.1:0'] }};
         const end = async (prepare, run) => {{
             const instance = await make(network, {{ timeoutMs: 200 }});
             prepare(instance.exports);
             const error = await caught(() => run(instance.exports));
             return [error.message, instance.ended];
         }};
         const connect = (port) => (guest) => guest.connect({LOOPBACK}, port);
         const ends = [
             await end(connect({silent}), (guest) => guest.receive(1)),
             await end(connect({deaf}), (guest) => guest.send(1 << 30)),
             await end((guest) => guest.listen({LOOPBACK}, 0), (guest) => guest.accept()),
         ];
         const instance = await make(network, {{ interruptible: true }});
         connect({silent})(instance.exports);
         const listeners = [];
         const signal = {{
             aborted: false, reason: 'enough',
             addEventListener(_, f) {{ listeners.push(f); }}, removeEventListener() {{}},
         }};
         const call = caught(() => instance.callAsync('receive', [1], {{ signal }}));
         for (const abort of listeners) abort();
         ends.push([(await call).message, instance.ended]);
         return ends;"
    ));
    let late = "the deadline passed: a call may take 200 ms";
    assert_eq!(
        got,
        json!([
            [late, true],
            [late, true],
            [late, true],
            ["the call was aborted", true]
        ])
    );
    // The end of an instance closes its connections, although it is not dropped.
    holding.join().unwrap();
    drop(finish);
    ignoring.join().unwrap();
}

#[test]
fn sockets_count_under_the_caps() {
    if child::is_child() {
        // The cap of the process's descriptors comes first.
        let mut capabilities = granting(&["127.0.0.1"], &[]);
        capabilities.max_wasi_descriptors = 100_000;
        let mut js = Js::with(capabilities);
        js.run(MAKE);
        let result = js.run(
            "const network = { connect: ['127.0.0.1'] };
             const instance = await make(network);
             const first = instance.exports.makeMany(100_000);
             const more = (await make(network)).exports.makeMany(10);
             instance.drop();
             const then = (await make(network)).exports.makeMany(10);
             return [first > 10 && first <= 192, more, then];",
        );
        child::answer(&result);
        return;
    }
    let mut capabilities = granting(&["127.0.0.1"], &[]);
    capabilities.max_wasi_descriptors = 50;
    let mut js = Js::with(capabilities);
    js.run(MAKE);
    let got = js.run(
        "const instance = await make({ connect: ['127.0.0.1'] });
         const error = await caught(() => instance.exports.makeMany(10_000));
         return [error.code, error.message];",
    );
    assert_eq!(
        got,
        json!([
            5002,
            "the guest has too many files, sockets, streams and events of WASI: the cap is max_wasi_descriptors"
        ])
    );
    let result = Child::limited(this_test!(), "ulimit -n 256").run();
    assert_eq!(result, json!([true, 0, 10]));
}

/// Descriptors and threads of this process.
fn held() -> [usize; 2] {
    ["/proc/self/fd", "/proc/self/task"].map(|folder| std::fs::read_dir(folder).unwrap().count())
}

#[test]
fn an_instance_that_is_dropped_leaves_no_connection_behind() {
    if child::is_child() {
        let (port, running) = server(101, hold);
        let mut js = Js::with(granting(&["127.0.0.1"], &["127.0.0.1:0"]));
        js.run(MAKE);
        let once = format!(
            "const instance = await make({{ connect: ['127.0.0.1'], listen: ['127.0.0.1:0'] }});
             instance.exports.listen({LOOPBACK}, 0);
             instance.exports.connect({LOOPBACK}, {port});
             instance.exports.send(100);
             instance.drop();"
        );
        js.run(&once);
        let before = held();
        js.run(&format!(
            "for (let i = 0; i < 100; i++) {{ await (async () => {{ {once} }})(); }}"
        ));
        // It has seen the end of each connection.
        running.join().unwrap();
        let after = held();
        child::answer(&json!(after[0] <= before[0] && after[1] <= before[1]));
        return;
    }
    assert_eq!(Child::new(this_test!()).run(), true);
}

/// The address of a peer, for other tests.
pub(super) fn at(port: u16) -> String {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port)).to_string()
}
