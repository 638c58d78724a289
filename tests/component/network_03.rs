//! The network of WASI 0.3: the same grants as for WASI 0.2.

use serde_json::json;

use super::network::{LOOPBACK, granting, hold, server};
use crate::support::js::Js;

/// A component whose functions return 0, or one more than the number of an error: `connect` makes a socket and connects it,
/// `listen` binds one and listens, `lookup` resolves a name, `hoard` makes this number of sockets.
const SOCKETS: &str = r#"(component
  (import "wasi:sockets/types@0.3.0" (instance $types
    (export "tcp-socket" (type $tcp (sub resource)))
    (type $codes (variant (case "access-denied") (case "not-supported") (case "invalid-argument") (case "out-of-memory")
      (case "timeout") (case "invalid-state") (case "address-not-bindable") (case "address-in-use")
      (case "remote-unreachable") (case "connection-refused") (case "connection-broken") (case "connection-reset")
      (case "connection-aborted") (case "datagram-too-large") (case "other" (option string))))
    (export "error-code" (type $error (eq $codes)))
    (type $families (enum "ipv4" "ipv6"))
    (export "ip-address-family" (type $family (eq $families)))
    (type $four (tuple u8 u8 u8 u8))
    (export "ipv4-address" (type $ipv4 (eq $four)))
    (type $eight (tuple u16 u16 u16 u16 u16 u16 u16 u16))
    (export "ipv6-address" (type $ipv6 (eq $eight)))
    (type $socket4 (record (field "port" u16) (field "address" $ipv4)))
    (export "ipv4-socket-address" (type $at4 (eq $socket4)))
    (type $socket6 (record (field "port" u16) (field "flow-info" u32) (field "address" $ipv6) (field "scope-id" u32)))
    (export "ipv6-socket-address" (type $at6 (eq $socket6)))
    (type $sockets (variant (case "ipv4" $at4) (case "ipv6" $at6)))
    (export "ip-socket-address" (type $at (eq $sockets)))
    (export "[static]tcp-socket.create" (func (param "address-family" $family) (result (result (own $tcp) (error $error)))))
    (export "[method]tcp-socket.bind" (func
      (param "self" (borrow $tcp)) (param "local-address" $at) (result (result (error $error)))))
    (export "[method]tcp-socket.connect" (func async
      (param "self" (borrow $tcp)) (param "remote-address" $at) (result (result (error $error)))))
    (type $stream (stream (own $tcp)))
    (export "[method]tcp-socket.listen" (func (param "self" (borrow $tcp)) (result (result $stream (error $error)))))))
  (import "wasi:sockets/ip-name-lookup@0.3.0" (instance $names
    (type $four (tuple u8 u8 u8 u8))
    (type $eight (tuple u16 u16 u16 u16 u16 u16 u16 u16))
    (type $addresses (variant (case "ipv4" $four) (case "ipv6" $eight)))
    (export "ip-address" (type $address (eq $addresses)))
    (type $codes (variant (case "access-denied") (case "invalid-argument") (case "name-unresolvable")
      (case "temporary-resolver-failure") (case "permanent-resolver-failure") (case "other" (option string))))
    (export "error-code" (type $error (eq $codes)))
    (export "resolve-addresses" (func async (param "name" string) (result (result (list $address) (error $error)))))))
  (alias export $types "tcp-socket" (type $tcp))
  (core module $memory
    (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.set $next (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
      (global.get $next)
      (global.set $next (i32.add (global.get $next) (local.get 3)))))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $mem))
  (alias core export $memory "realloc" (core func $realloc))
  (core func $create (canon lower (func $types "[static]tcp-socket.create") (memory $mem) (realloc (func $realloc))))
  (core func $bind (canon lower (func $types "[method]tcp-socket.bind") (memory $mem) (realloc (func $realloc))))
  (core func $connect (canon lower (func $types "[method]tcp-socket.connect") (memory $mem) (realloc (func $realloc))))
  (core func $listen (canon lower (func $types "[method]tcp-socket.listen") (memory $mem) (realloc (func $realloc))))
  (core func $lookup (canon lower (func $names "resolve-addresses") (memory $mem) (realloc (func $realloc))))
  (core func $drop (canon resource.drop $tcp))
  (core func $return (canon task.return (result u32)))
  (core module $m
    (import "" "memory" (memory 1))
    (import "" "create" (func $create (param i32 i32)))
    (import "" "bind" (func $bind (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
    (import "" "connect" (func $connect (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
    (import "" "listen" (func $listen (param i32 i32)))
    (import "" "lookup" (func $lookup (param i32 i32 i32)))
    (import "" "drop" (func $drop (param i32)))
    (import "" "return" (func $return (param i32)))
    (func $code (result i32)
      (if (result i32) (i32.load8_u (i32.const 0))
        (then (i32.add (i32.load8_u (i32.const 4)) (i32.const 1)))
        (else (i32.const 0))))
    (func $byte (param $ip i32) (param $shift i32) (result i32)
      (i32.and (i32.shr_u (local.get $ip) (local.get $shift)) (i32.const 255)))
    (func (export "connect") (param $ip i32) (param $port i32) (local $socket i32)
      (call $create (i32.const 0) (i32.const 0))
      (if (call $code) (then (call $return (call $code)) (return)))
      (local.set $socket (i32.load (i32.const 4)))
      (call $connect (local.get $socket) (i32.const 0) (local.get $port)
        (call $byte (local.get $ip) (i32.const 24)) (call $byte (local.get $ip) (i32.const 16))
        (call $byte (local.get $ip) (i32.const 8)) (call $byte (local.get $ip) (i32.const 0))
        (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
      (call $drop (local.get $socket))
      (call $return (call $code)))
    (func (export "listen") (param $ip i32) (param $port i32) (local $socket i32)
      (call $create (i32.const 0) (i32.const 0))
      (if (call $code) (then (call $return (call $code)) (return)))
      (local.set $socket (i32.load (i32.const 4)))
      (call $bind (local.get $socket) (i32.const 0) (local.get $port)
        (call $byte (local.get $ip) (i32.const 24)) (call $byte (local.get $ip) (i32.const 16))
        (call $byte (local.get $ip) (i32.const 8)) (call $byte (local.get $ip) (i32.const 0))
        (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
      (if (i32.eqz (call $code)) (then (call $listen (local.get $socket) (i32.const 0))))
      (call $return (call $code)))
    (func (export "lookup") (param $name i32) (param $length i32)
      (call $lookup (local.get $name) (local.get $length) (i32.const 0))
      (call $return (call $code)))
    (func (export "hoard") (param $count i32)
      (loop
        (call $create (i32.const 0) (i32.const 0))
        (br_if 0 (local.tee $count (i32.sub (local.get $count) (i32.const 1)))))
      (call $return (call $code))))
  (core instance $i (instantiate $m (with "" (instance
    (export "memory" (memory $mem)) (export "create" (func $create)) (export "bind" (func $bind))
    (export "connect" (func $connect)) (export "listen" (func $listen)) (export "lookup" (func $lookup))
    (export "drop" (func $drop)) (export "return" (func $return))))))
  (func (export "connect") async (param "ip" u32) (param "port" u16) (result u32)
    (canon lift (core func $i "connect") async (memory $mem)))
  (func (export "listen") async (param "ip" u32) (param "port" u16) (result u32)
    (canon lift (core func $i "listen") async (memory $mem)))
  (func (export "lookup") async (param "name" string) (result u32)
    (canon lift (core func $i "lookup") async (memory $mem) (realloc (func $realloc))))
  (func (export "hoard") async (param "count" u32) (result u32)
    (canon lift (core func $i "hoard") async (memory $mem))))"#;

/// One more than the number of the error `access-denied`.
const DENIED: u32 = 1;

/// A runtime with `make(network)`, which makes an instance with this network and returns its exports.
fn js(connect: &[&str], listen: &[&str]) -> Js {
    let mut capabilities = granting(connect, listen);
    capabilities.allow_wasi_03 = true;
    capabilities.max_wasi_descriptors = 20;
    let mut js = Js::with(capabilities);
    let source = serde_json::to_string(SOCKETS).unwrap();
    js.run(&format!(
        "const component = await compileComponent(text({source}));
         globalThis.make = async (network) =>
             (await instantiateComponent(component, {{}}, {{ wasi: {{ network }} }})).exports;"
    ));
    js
}

#[test]
fn a_component_connects_to_what_is_granted_only() {
    let (port, running) = server(1, hold);
    let mut js = js(&["127.0.0.1"], &[]);
    let got = js.run(&format!(
        "const granted = await make({{ connect: ['127.0.0.1:{port}'] }});
         const other = await make({{ connect: ['127.0.0.1:{}'] }});
         const without = await make(undefined);
         return [await granted.connect({LOOPBACK}, {port}), await granted.connect({LOOPBACK}, {}),
             await granted.connect(0x08080808, 53), await other.connect({LOOPBACK}, {port}),
             await without.connect({LOOPBACK}, {port}), await without.lookup('localhost')];",
        port - 1,
        port - 1,
    ));
    assert_eq!(got, json!([0, DENIED, DENIED, DENIED, DENIED, DENIED]));
    running.join().unwrap();
}

/// The name `localhost` is an address of the machine itself wherever it is resolved.
#[test]
fn a_name_that_leads_inside_is_refused_unless_the_address_is_granted() {
    let (port, running) = server(1, hold);
    let mut js = js(&["localhost", "127.0.0.1"], &[]);
    let got = js.run(&format!(
        "const name = await make({{ connect: ['localhost'] }});
         const both = await make({{ connect: ['localhost', '127.0.0.1:{port}'] }});
         return [await name.lookup('localhost'), await name.connect({LOOPBACK}, {port}), await name.lookup('127.0.0.1'),
             await name.connect({LOOPBACK}, {port}), await name.lookup('a.example'), await name.lookup('127.1'),
             await both.lookup('LOCALHOST.'), await both.connect({LOOPBACK}, {port}), await both.connect({LOOPBACK}, 1)];"
    ));
    let invalid = 2;
    assert_eq!(
        got,
        json!([DENIED, DENIED, 0, DENIED, DENIED, invalid, 0, 0, DENIED])
    );
    running.join().unwrap();
}

#[test]
fn listening_is_granted_by_itself() {
    let mut js = js(&["127.0.0.1"], &["127.0.0.1:0"]);
    let got = js.run(&format!(
        "const client = await make({{ connect: ['127.0.0.1'] }});
         const server = await make({{ listen: ['127.0.0.1:0'] }});
         return [await client.listen({LOOPBACK}, 0), await client.listen(0, 0), await server.listen({LOOPBACK}, 80),
             await server.listen(0, 0), await server.connect({LOOPBACK}, 80), await server.listen({LOOPBACK}, 0)];"
    ));
    assert_eq!(got, json!([DENIED, DENIED, DENIED, DENIED, DENIED, 0]));
}

#[test]
fn sockets_count_under_the_cap() {
    let mut js = js(&["127.0.0.1"], &[]);
    let got = js.run(
        "const { hoard } = await make({ connect: ['127.0.0.1'] });
         const other = await make({ connect: ['127.0.0.1'] });
         return [await other.hoard(15), await codeOf(() => hoard(100)), await codeOf(() => hoard(1))];",
    );
    assert_eq!(got, json!([0, 5002, 5002]));
}
