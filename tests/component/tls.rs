//! Requests with the scheme `https` go over the TLS of the host. The one of these tests writes the name of the host, and then
//! turns the bits of each byte.

use std::io::{self, Read as _, Write as _};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::task::{Context, Poll, ready};

use ext_wasm::{TlsConnector, TlsHandshake, TlsStream};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;

use super::http::{DENIED, NO_TLS};
use super::network::{granting, hold, server};
use crate::support::js::Js;

/// The number of an error of `wasi:http`.
const NO_CERTIFICATE: u32 = 13;

const MAKE: &str = "
    const guest = await networkGuest('http');
    globalThis.make = (network, options) =>
        instantiateComponent(guest, {}, { wasi: { network }, ...options });";

/// A connection whose bytes are turned.
struct Turned(TcpStream);

impl AsyncRead for Turned {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.0).poll_read(context, buffer))?;
        let read = &mut buffer.filled_mut()[before..];
        read.iter_mut().for_each(|byte| *byte = !*byte);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Turned {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let turned: Vec<u8> = bytes.iter().map(|byte| !byte).collect();
        Pin::new(&mut self.0).poll_write(context, &turned)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

struct Turning;

impl TlsConnector for Turning {
    fn connect<'a>(&'a self, host: &'a str, mut stream: TcpStream) -> TlsHandshake<'a> {
        Box::pin(async move {
            stream.write_all(format!("{host}\n").as_bytes()).await?;
            Ok(Box::new(Turned(stream)) as Box<dyn TlsStream>)
        })
    }
}

/// Fails, or never ends, as its number says.
struct Failing(AtomicUsize);

impl TlsConnector for Failing {
    fn connect<'a>(&'a self, _: &'a str, _: TcpStream) -> TlsHandshake<'a> {
        let time = self.0.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            match time {
                0 => Err(io::ErrorKind::InvalidData.into()),
                1 => Err(io::ErrorKind::UnexpectedEof.into()),
                _ => std::future::pending().await,
            }
        })
    }
}

/// Reads up to the end of a line, or of the head of a request.
fn read_to(connection: &mut std::net::TcpStream, end: &[u8], turn: bool) -> String {
    let mut read = Vec::new();
    let mut byte = [0];
    while !read.ends_with(end) && connection.read(&mut byte).is_ok_and(|count| count > 0) {
        read.push(if turn { !byte[0] } else { byte[0] });
    }
    String::from_utf8(read).unwrap()
}

#[test]
fn requests_go_over_the_tls_of_the_host() {
    let (sender, heads) = mpsc::channel();
    let (port, running) = server(2, move |mut connection| {
        let name = read_to(&mut connection, b"\n", false);
        let head = read_to(&mut connection, b"\r\n\r\n", true);
        sender.send(name + &head).unwrap();
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
        let turned: Vec<u8> = answer.iter().map(|byte| !byte).collect();
        connection.write_all(&turned).unwrap();
        hold(connection);
    });
    let mut js = Js::with(granting(&["127.0.0.1", "localhost"], &[]));
    js.state().set_tls_connector(Turning);
    js.run(MAKE);
    let got = js.run(&format!(
        "const guest = (await make({{ connect: ['localhost:{port}', '127.0.0.1:{port}'] }})).exports;
         return [guest.fetch(true, 'LOCALHOST:{port}', '/a', 0), guest.fetch(true, '127.0.0.1:{port}', '/', 0),
             guest.fetch(true, '127.0.0.1', '/', 0), guest.fetch(true, 'b.example:{port}', '/', 0)];"
    ));
    assert_eq!(got, json!([[200, 5], [200, 5], [0, DENIED], [0, DENIED]]));
    running.join().unwrap();
    let heads: Vec<String> = heads.try_iter().collect();
    assert!(
        heads[0].starts_with("localhost\nGET /a HTTP/1.1\r\n"),
        "{heads:?}"
    );
    assert!(heads[1].starts_with("127.0.0.1\nGET / "), "{heads:?}");
}

#[test]
fn a_handshake_fails_or_ends_at_the_deadline() {
    let (port, running) = server(3, hold);
    let mut js = Js::with(granting(&["127.0.0.1"], &[]));
    js.state().set_tls_connector(Failing(AtomicUsize::new(0)));
    js.run(MAKE);
    let got = js.run(&format!(
        "const {{ exports }} = await make({{ connect: ['127.0.0.1:{port}'] }}, {{ timeoutMs: 300 }});
         const fetch = () => exports.fetch(true, '127.0.0.1:{port}', '/', 0);
         return [fetch(), fetch(), await codeOf(fetch)];"
    ));
    assert_eq!(got, json!([[0, NO_CERTIFICATE], [0, NO_TLS], 5002]));
    drop(js);
    running.join().unwrap();
}
