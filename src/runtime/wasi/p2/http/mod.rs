//! `wasi:http`. wasmtime-wasi-http has the resources; the requests that leave the process are sent here.

pub(crate) mod incoming;
mod outgoing;

use std::sync::Arc;

use wasmtime::component::Resource;
use wasmtime_wasi_http::p2::HttpResult;
use wasmtime_wasi_http::p2::bindings::http::outgoing_handler::{Host as _, RequestOptions};
use wasmtime_wasi_http::p2::types::{HostFutureIncomingResponse, HostOutgoingRequest};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView};

use self::outgoing::Sender;
use super::WasiP2;
use super::network::NetworkAccess;
use crate::runtime::base::tls::TlsConnector;

/// The maximum size of a set of headers or trailers that a component makes, in bytes of the host's memory.
const MAX_FIELDS: usize = 64 << 10;

/// What the resources of `wasi:http` need.
pub(super) struct Http {
    ctx: WasiHttpCtx,
    sender: Sender,
}

impl Http {
    /// Without a network, all requests of the component are denied.
    pub(super) fn new(
        network: Option<Arc<NetworkAccess>>,
        tls: Option<Arc<dyn TlsConnector>>,
        max_requests: u32,
    ) -> Self {
        let mut ctx = WasiHttpCtx::new();
        ctx.set_field_size_limit(MAX_FIELDS);
        Self {
            ctx,
            sender: Sender::new(network, tls, max_requests),
        }
    }

    /// Ends all requests.
    pub(super) fn close(&self) {
        self.sender.close();
    }
}

impl WasiP2 {
    /// Returns the state for the functions of wasmtime-wasi-http that do not wait.
    pub(crate) fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            hooks: &mut self.http.sender,
            table: &mut self.table,
            ctx: &mut self.http.ctx,
        }
    }

    /// Starts to send a request. Its task belongs to the event loop for WASI: that of the app would wait for it when it ends.
    pub(crate) fn send_request(
        &mut self,
        request: Resource<HostOutgoingRequest>,
        options: Option<Resource<RequestOptions>>,
    ) -> wasmtime::Result<HttpResult<Resource<HostFutureIncomingResponse>>> {
        Ok(self.entered(|wasi| wasi.http().handle(request, options))?)
    }
}
