//! Sending the requests of a component: to granted hosts only, over connections of their own.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming};
use hyper::client::conn::http1;
use hyper::http::uri::{Authority, Scheme};
use hyper::{Request, Response, Uri};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, Sleep, sleep, timeout};
use wasmtime_wasi::runtime::spawn;
use wasmtime_wasi_http::io::TokioIo;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};
use wasmtime_wasi_io::bytes::Bytes;

use crate::runtime::base::network::name_of;
use crate::runtime::base::tls::{TlsConnector, TlsStream};
use crate::runtime::engine::quota::{DESCRIPTORS, Share};
use crate::runtime::wasi::p2::network::{LookupError, NetworkAccess};

/// The longest time that a step of a request may take, and the time that it may take where the component does not say it. Waits
/// of the component end with its call in any case.
const MAX_TIMEOUT: Duration = Duration::from_mins(10);

/// The maximum size of what hyper buffers of a connection, in bytes. The status line and the headers of a response have to fit.
const MAX_BUFFER: usize = 64 << 10;

/// The maximum number of bytes that a component writes to a body at once. The next write waits until they are sent.
const MAX_WRITE: usize = 64 << 10;

/// Sends requests.
pub(super) struct Sender {
    network: Option<Arc<NetworkAccess>>,
    /// `None` if the host has no TLS for components.
    tls: Option<Arc<dyn TlsConnector>>,
    /// Whether the component has ended.
    has_ended: watch::Sender<bool>,
    /// A permit for each request that may run at one time.
    permits: Arc<Semaphore>,
}

type Sent = (
    Response<WasiBody>,
    Box<dyn Future<Output = Result<(), Error>> + Send>,
);

impl Sender {
    pub(super) fn new(
        network: Option<Arc<NetworkAccess>>,
        tls: Option<Arc<dyn TlsConnector>>,
        max_requests: u32,
    ) -> Self {
        Self {
            network,
            tls,
            has_ended: watch::Sender::new(false),
            permits: Arc::new(Semaphore::new(max_requests as usize)),
        }
    }

    /// Ends all requests. What waits for them may never be polled again, so they do not depend on that.
    pub(super) fn close(&self) {
        self.has_ended.send_replace(true);
    }
}

impl WasiHttpHooks for Sender {
    fn is_supported_scheme(&mut self, scheme: &Scheme) -> bool {
        *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<Sent, Error>> + Send> {
        let (network, tls) = (self.network.clone(), self.tls.clone());
        let Ok(permit) = self.permits.clone().try_acquire_owned() else {
            return Box::new(async { Err(Error::ConnectionLimitReached) });
        };
        let has_ended = self.has_ended.subscribe();
        Box::new(spawn(async move {
            let network = network.ok_or(Error::HttpRequestDenied)?;
            let options = options.unwrap_or_default();
            let end = has_ended.clone();
            let sending = send(
                &network,
                tls.as_deref(),
                request,
                options,
                has_ended,
                permit,
            );
            until(end, sending).await?
        }))
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        MAX_WRITE
    }

    fn p3_outgoing_body_chunk_size(&mut self) -> usize {
        MAX_WRITE
    }
}

/// Waits for a future, or for the end of the component.
///
/// # Errors
/// `connection-terminated` if the component has ended.
async fn until<R>(
    mut has_ended: watch::Receiver<bool>,
    future: impl Future<Output = R>,
) -> Result<R, Error> {
    tokio::select! {
        result = future => Ok(result),
        // Its sender is gone if the store is.
        _ = has_ended.wait_for(|has_ended| *has_ended) => Err(Error::ConnectionTerminated),
    }
}

/// Sends a request and waits for the head of its response. The future that it returns ends with the connection.
///
/// # Errors
/// The error that the component gets.
async fn send(
    network: &NetworkAccess,
    tls: Option<&dyn TlsConnector>,
    mut request: Request<WasiBody>,
    options: RequestOptions,
    has_ended: watch::Receiver<bool>,
    permit: OwnedSemaphorePermit,
) -> Result<Sent, Error> {
    let limit = |asked: Option<Duration>| asked.unwrap_or(MAX_TIMEOUT).min(MAX_TIMEOUT);
    let uri = request.uri();
    let is_secure = uri.scheme() == Some(&Scheme::HTTPS);
    let authority = uri.authority().ok_or(Error::HttpRequestUriInvalid)?;
    let (host, port) = host_and_port(authority, is_secure)?;
    let tls = match (is_secure, tls) {
        (false, _) => None,
        (true, Some(tls)) => Some(tls),
        (true, None) => return Err(Error::TlsProtocolError),
    };
    let connecting = async {
        let (stream, share) = connect(network, host, port).await?;
        let stream: Box<dyn TlsStream> = match tls {
            Some(tls) => secured(tls, host, stream).await?,
            None => Box::new(stream),
        };
        let mut client = http1::Builder::new();
        client.max_buf_size(MAX_BUFFER);
        let (sender, connection) = client.handshake(TokioIo::new(stream)).await?;
        Ok::<_, Error>((sender, connection, share))
    };
    let connected = timeout(limit(options.connect_timeout), connecting).await;
    let (mut sender, connection, share) = connected.map_err(|_| Error::ConnectionTimeout)??;
    // A server gets the path alone; the authority is in the header `host`.
    let path = request.uri().path_and_query().map(|path| path.as_str());
    *request.uri_mut() =
        Uri::try_from(path.unwrap_or("/")).map_err(|_| Error::HttpRequestUriInvalid)?;
    let connection = spawn(until(has_ended, connection));
    let response = timeout(
        limit(options.first_byte_timeout),
        sender.send_request(request),
    )
    .await;
    let response = response.map_err(|_| Error::ConnectionReadTimeout)??;
    let between = limit(options.between_bytes_timeout);
    let response = response.map(|incoming| {
        let wait = Box::pin(sleep(between));
        TimedBody {
            incoming,
            between,
            wait,
        }
        .boxed_unsync()
    });
    let ends = Box::new(async move {
        let ended = connection.await;
        drop((share, permit));
        Ok(ended??)
    });
    Ok((response, ends))
}

/// Returns the host and the port of an authority.
///
/// # Errors
/// `HTTP-request-URI-invalid` if it has something else, or a port that is none.
fn host_and_port(authority: &Authority, is_secure: bool) -> Result<(&str, u16), Error> {
    let host = authority.host();
    let default = if is_secure { 443 } else { 80 };
    let port = match authority.as_str().strip_prefix(host) {
        Some("") => Some(default),
        Some(rest) if rest.starts_with(':') => authority.port_u16(),
        // Before the host there is a user.
        _ => None,
    };
    let port = port.ok_or(Error::HttpRequestUriInvalid)?;
    Ok((host, port))
}

/// Secures a connection to a host.
async fn secured(
    tls: &dyn TlsConnector,
    host: &str,
    stream: TcpStream,
) -> Result<Box<dyn TlsStream>, Error> {
    let host = match address_in(host) {
        Some(address) => address.to_string(),
        None => name_of(host).ok_or(Error::HttpRequestUriInvalid)?.into(),
    };
    let secured = tls.connect(&host, stream).await;
    secured.map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => Error::TlsCertificateError,
        _ => Error::TlsProtocolError,
    })
}

/// The address that a host is, if it is one.
fn address_in(host: &str) -> Option<IpAddr> {
    let literal = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    literal.unwrap_or(host).parse().ok()
}

/// Connects to a host that is granted: the name is compared before it is resolved, and each address before it is used.
async fn connect(
    network: &NetworkAccess,
    host: &str,
    port: u16,
) -> Result<(TcpStream, Share), Error> {
    let addresses = match address_in(host) {
        Some(address) => vec![address],
        None => {
            let name = name_of(host).ok_or(Error::HttpRequestUriInvalid)?;
            if !network.names(&name, Some(port)) {
                return Err(Error::HttpRequestDenied);
            }
            network.resolve(&name).await.map_err(|error| match error {
                LookupError::Denied => Error::DestinationIpProhibited,
                LookupError::Invalid | LookupError::Unresolvable => Error::DnsError {
                    rcode: None,
                    info_code: None,
                },
            })?
        }
    };
    let share = DESCRIPTORS
        .take(1)
        .map_err(|_| Error::ConnectionLimitReached)?;
    let mut failed = Error::HttpRequestDenied;
    for address in addresses {
        let address = SocketAddr::new(address, port);
        if !network.connects_to(address) {
            continue;
        }
        match TcpStream::connect(address).await {
            Ok(stream) => {
                // Small writes go out at once. It is no more than a hint.
                _ = stream.set_nodelay(true);
                return Ok((stream, share));
            }
            Err(error) => failed = Error::Connect(error),
        }
    }
    Err(failed)
}

/// The body of a response, each part of which has to come within a time.
struct TimedBody {
    incoming: Incoming,
    between: Duration,
    wait: Pin<Box<Sleep>>,
}

impl Body for TimedBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(context) {
            let next = Instant::now() + self.between;
            self.wait.as_mut().reset(next);
            return Poll::Ready(frame.map(|frame| Ok(frame?)));
        }
        ready!(self.wait.as_mut().poll(context));
        Poll::Ready(Some(Err(Error::ConnectionReadTimeout)))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_have_a_host_and_a_port_and_nothing_else() {
        for (authority, is_secure, expected) in [
            ("a.example", false, Some(("a.example", 80))),
            ("a.example", true, Some(("a.example", 443))),
            ("a.example:8080", true, Some(("a.example", 8080))),
            ("[::1]", false, Some(("[::1]", 80))),
            ("[::1]:1", false, Some(("[::1]", 1))),
            ("a.example:", false, None),
            ("a.example:65536", false, None),
            ("user@a.example", false, None),
            ("a.example:80@b.example", false, None),
        ] {
            let Ok(parsed) = Authority::try_from(authority) else {
                assert_eq!(expected, None, "{authority}");
                continue;
            };
            let got = host_and_port(&parsed, is_secure).ok();
            assert_eq!(got, expected, "{authority}");
        }
    }
}
