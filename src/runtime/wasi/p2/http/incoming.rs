//! Requests that a component handles: `wasi:http/incoming-handler`, and `wasi:http/handler` of WASI 0.3.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Frame};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::http::uri::Scheme as UriScheme;
use hyper::{Method, Request, Response, Uri};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use wasmtime::component::Resource;
use wasmtime_wasi_http::Error;
use wasmtime_wasi_http::WasiBody;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;
use wasmtime_wasi_http::p2::types::{HostIncomingRequest, HostResponseOutparam};
use wasmtime_wasi_http::p3;
use wasmtime_wasi_io::bytes::Bytes;

use super::MAX_FIELDS;
use crate::runtime::base::error::WasmError;
use crate::runtime::base::text;
use crate::runtime::wasi::p2::WasiP2;

/// What a header takes in the host's memory besides its bytes.
const FIELD_ROOM: usize = 64;

/// A request for a component.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct HttpRequest {
    /// The method: `GET`.
    pub method: String,
    /// The whole URL: `http://example.com/path?query`.
    pub url: String,
    /// The names and values of the headers.
    pub headers: Vec<(String, String)>,
    /// The body. `None` if it is [written](HttpExchange::write) while the component reads it.
    pub body: Option<Vec<u8>>,
}

/// The status and the headers of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HttpHead {
    /// The status: 200.
    pub status: u16,
    /// The names and values of the headers. A value that is not UTF-8 has replacement characters.
    pub headers: Vec<(String, String)>,
}

/// A request that a component handles, and its response: both bodies pass through while the component runs, a part at a time.
#[derive(Clone)]
pub struct HttpExchange(Arc<Shared>);

struct Shared {
    /// Where the body of the request goes; `None` once it has ended.
    request: Mutex<Option<mpsc::Sender<Bytes>>>,
    response: tokio::sync::Mutex<Answer>,
    /// Wakes up whoever waits when the call of the component has ended, or its response is not wanted any more.
    ended: Notify,
    has_ended: AtomicBool,
    /// Whether the body of the request ends before it is whole.
    is_broken: Arc<AtomicBool>,
}

/// The response of a component, or its error.
type Answered = Result<Response<HyperOutgoingBody>, ErrorCode>;

/// The response.
enum Answer {
    Awaited(oneshot::Receiver<Answered>),
    Body(HyperOutgoingBody),
    Closed,
}

/// The component's side of an exchange.
pub(crate) struct Incoming {
    request: Request<WasiBody>,
    scheme: Scheme,
    answer: oneshot::Sender<Answered>,
}

impl Incoming {
    /// Makes the resources of the component's side: the request, and the place for its response.
    pub(crate) fn into_resources(
        self,
        wasi: &mut WasiP2,
    ) -> wasmtime::Result<(
        Resource<HostIncomingRequest>,
        Resource<HostResponseOutparam>,
    )> {
        let request = wasi
            .http()
            .new_incoming_request(self.scheme, self.request)?;
        let answer = wasi.http().new_response_outparam(self.answer)?;
        Ok((request, answer))
    }

    /// Makes the resource of the component's side for WASI 0.3, and the place for its response.
    pub(crate) fn into_request(
        self,
        wasi: &mut WasiP2,
    ) -> wasmtime::Result<(Resource<p3::Request>, ResponseSlot)> {
        let view = wasi.http();
        // Whether the component could read the body is of no use for the app.
        let (request, _) = p3::Request::from_http(view.hooks, self.request);
        let request = view.table.push(request)?;
        Ok((request, ResponseSlot(self.answer)))
    }
}

/// The place for the response of a component, by WASI 0.3.
pub(crate) struct ResponseSlot(oneshot::Sender<Answered>);

impl ResponseSlot {
    /// Answers with a response, or the error of the component. Returns whether the response is wanted; `end` is then that of its
    /// body.
    pub(crate) fn answer(
        self,
        answered: Result<Response<HyperOutgoingBody>, Error>,
        end: &BodyEnd,
    ) -> bool {
        let is_response = answered.is_ok();
        let answered = match answered {
            Ok(response) => Ok(response.map(|body| {
                let end = end.clone();
                EndedBody { body, end }.boxed_unsync()
            })),
            Err(error) => Err(ErrorCode::InternalError(Some(error.to_string()))),
        };
        self.0.send(answered).is_ok() && is_response
    }
}

/// The end of the body of a response.
#[derive(Clone)]
pub(crate) struct BodyEnd(Arc<watch::Sender<bool>>);

impl BodyEnd {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// Waits until the body is dropped, which it is at its end at the latest.
    pub(crate) async fn wait(&self) {
        let mut end = self.0.subscribe();
        // It fails if the sender is gone, which this object has.
        _ = end.wait_for(|has_ended| *has_ended).await;
    }
}

/// A body whose end is known.
struct EndedBody {
    body: HyperOutgoingBody,
    end: BodyEnd,
}

impl Drop for EndedBody {
    fn drop(&mut self) {
        self.end.0.send_replace(true);
    }
}

impl Body for EndedBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }
}

impl HttpExchange {
    /// Makes an exchange and the component's side of it.
    ///
    /// # Errors
    /// `TypeMismatch` if the request is not one of HTTP.
    pub(crate) fn new(request: HttpRequest) -> Result<(Self, Incoming), WasmError> {
        let invalid = |what: &str, value: &str| {
            WasmError::mismatch(format!("{} is no {what} of a request", text::quote(value)))
        };
        let method = Method::from_bytes(request.method.as_bytes());
        let method = method.map_err(|_| invalid("method", &request.method))?;
        let url: Uri = request
            .url
            .parse()
            .map_err(|_| invalid("URL", &request.url))?;
        let scheme = match url.scheme() {
            Some(scheme) if *scheme == UriScheme::HTTP => Scheme::Http,
            Some(scheme) if *scheme == UriScheme::HTTPS => Scheme::Https,
            _ => return Err(invalid("URL", &request.url)),
        };
        let mut headers = HeaderMap::new();
        let mut room = 0;
        for (name, value) in &request.headers {
            room += name.len() + value.len() + FIELD_ROOM;
            if room > MAX_FIELDS {
                return Err(WasmError::mismatch(format!(
                    "the headers of the request take more than {MAX_FIELDS} bytes"
                )));
            }
            let key = HeaderName::from_bytes(name.as_bytes());
            let key = key.map_err(|_| invalid("name of a header", name))?;
            let value = HeaderValue::from_bytes(value.as_bytes())
                .map_err(|_| invalid("value of a header", value))?;
            headers.append(key, value);
        }
        let is_broken = Arc::new(AtomicBool::new(false));
        let (request_body, to_component): (WasiBody, _) = match request.body {
            Some(body) => (
                Full::new(body.into()).map_err(Into::into).boxed_unsync(),
                None,
            ),
            None => {
                let (sender, parts) = mpsc::channel(1);
                let is_broken = is_broken.clone();
                (Parts { parts, is_broken }.boxed_unsync(), Some(sender))
            }
        };
        let mut made = Request::new(request_body);
        *made.method_mut() = method;
        *made.uri_mut() = url;
        *made.headers_mut() = headers;
        let (answer, awaited) = oneshot::channel();
        let exchange = Self(Arc::new(Shared {
            request: Mutex::new(to_component),
            response: tokio::sync::Mutex::new(Answer::Awaited(awaited)),
            ended: Notify::new(),
            has_ended: AtomicBool::new(false),
            is_broken,
        }));
        let incoming = Incoming {
            request: made,
            scheme,
            answer,
        };
        Ok((exchange, incoming))
    }

    /// Writes a part of the body of the request. Waits until there is room for it. Returns whether the component still reads.
    pub async fn write(&self, part: Vec<u8>) -> bool {
        let sender = self.request().clone();
        match sender {
            Some(sender) if !part.is_empty() => {
                tokio::select! {
                    sent = sender.send(part.into()) => sent.is_ok(),
                    () = self.end() => false,
                }
            }
            sender => sender.is_some(),
        }
    }

    /// Ends the body of the request. The component gets an error if the body is not whole.
    pub fn end_request(&self, is_whole: bool) {
        let sender = self.request().take();
        if sender.is_some() && !is_whole {
            self.0.is_broken.store(true, Ordering::Release);
        }
    }

    /// Waits for the status and the headers of the response. `None` if the component ended without a response.
    ///
    /// # Errors
    /// `RuntimeError` if the component answers with an error.
    pub async fn head(&self) -> Result<Option<HttpHead>, WasmError> {
        let mut answer = self.0.response.lock().await;
        let Answer::Awaited(awaited) = &mut *answer else {
            return Ok(None);
        };
        let answered = tokio::select! {
            // A response that is there counts, whatever has ended.
            biased;
            answered = awaited => answered,
            () = self.end() => return Ok(None),
        };
        let response = match answered {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => {
                *answer = Answer::Closed;
                return Err(WasmError::runtime(format!(
                    "the component answered the request with an error: {}",
                    text::one_line(&error.into())
                )));
            }
            Err(_) => {
                *answer = Answer::Closed;
                return Ok(None);
            }
        };
        let (head, body) = response.into_parts();
        *answer = Answer::Body(body);
        let headers = head.headers.iter().map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes());
            (name.as_str().to_owned(), value.into_owned())
        });
        Ok(Some(HttpHead {
            status: head.status.as_u16(),
            headers: headers.collect(),
        }))
    }

    /// Waits for the next part of the body of the response, which has bytes. `None` at its end.
    ///
    /// # Errors
    /// `RuntimeError` if the component breaks the body off.
    pub async fn read(&self) -> Result<Option<Vec<u8>>, WasmError> {
        let mut answer = self.0.response.lock().await;
        let Answer::Body(body) = &mut *answer else {
            return Ok(None);
        };
        loop {
            let frame = tokio::select! {
                // Parts that are there come before the end of the call.
                biased;
                frame = body.frame() => frame,
                () = self.end() => None,
            };
            match frame {
                // Trailers have no place in the response.
                Some(Ok(frame)) => {
                    if let Ok(part) = frame.into_data()
                        && !part.is_empty()
                    {
                        return Ok(Some(part.into()));
                    }
                }
                Some(Err(_)) => {
                    *answer = Answer::Closed;
                    let message = "the component broke off the body of its response";
                    return Err(WasmError::runtime(message));
                }
                None => {
                    *answer = Answer::Closed;
                    return Ok(None);
                }
            }
        }
    }

    /// Says that the call of the component has ended. Parts of the response that are there can still be read.
    pub fn finish(&self) {
        *self.request() = None;
        self.0.has_ended.store(true, Ordering::Release);
        self.0.ended.notify_waiters();
    }

    /// Whether the call of the component has ended, or its response is not wanted any more.
    pub(crate) fn has_ended(&self) -> bool {
        self.0.has_ended.load(Ordering::Acquire)
    }

    /// Says that the response is not wanted any more. The component can write no more of it.
    pub fn close(&self) {
        self.finish();
        // Whoever reads at the moment drops the response itself.
        if let Ok(mut answer) = self.0.response.try_lock() {
            *answer = Answer::Closed;
        }
    }

    /// Waits until the exchange has ended.
    async fn end(&self) {
        let ended = self.0.ended.notified();
        if !self.0.has_ended.load(Ordering::Acquire) {
            ended.await;
        }
    }

    fn request(&self) -> MutexGuard<'_, Option<mpsc::Sender<Bytes>>> {
        self.0
            .request
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The body of a request whose parts come one by one.
struct Parts {
    parts: mpsc::Receiver<Bytes>,
    is_broken: Arc<AtomicBool>,
}

impl Body for Parts {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let part = ready!(self.parts.poll_recv(context));
        Poll::Ready(match part {
            Some(part) => Some(Ok(Frame::data(part))),
            None if self.is_broken.swap(false, Ordering::AcqRel) => {
                Some(Err(Error::HttpProtocolError))
            }
            None => None,
        })
    }
}
