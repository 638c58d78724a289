//! The TLS of the host, for requests of components with the scheme `https`.

use std::future::Future;
use std::io;
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// A stream of bytes in both directions: what a TLS connection, or the one below it, is for its user.
pub trait TlsStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> TlsStream for S {}

/// A handshake that is under way: [`TlsConnector::connect`].
pub type TlsHandshake<'a> =
    Pin<Box<dyn Future<Output = io::Result<Box<dyn TlsStream>>> + Send + 'a>>;

/// Secures the connections of requests that components send with the scheme `https`: with the implementation of TLS, and
/// the authorities, that the host uses for itself. [`WasmState::set_tls_connector`](crate::WasmState::set_tls_connector)
/// takes one. With the crate tokio-rustls it is:
///
/// ```ignore
/// struct Rustls(tokio_rustls::TlsConnector);
///
/// impl TlsConnector for Rustls {
///     fn connect<'a>(&'a self, host: &'a str, stream: TcpStream) -> TlsHandshake<'a> {
///         Box::pin(async move {
///             let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
///             Ok(Box::new(self.0.connect(name, stream).await?) as Box<dyn TlsStream>)
///         })
///     }
/// }
/// ```
pub trait TlsConnector: Send + Sync {
    /// Secures a connection to a host, which has to prove that it is that host. `host` is a name in lower case, or an
    /// address without brackets. The host has been granted, and the protocol over the connection is HTTP/1.1. The future is
    /// dropped where the handshake takes too long.
    ///
    /// # Errors
    /// Why there is no secure connection. The component gets `TLS-certificate-error` for an error of the kind
    /// [`InvalidData`](io::ErrorKind::InvalidData), and `TLS-protocol-error` for others.
    fn connect<'a>(&'a self, host: &'a str, stream: TcpStream) -> TlsHandshake<'a>;
}
