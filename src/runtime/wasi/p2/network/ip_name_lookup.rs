//! `wasi:sockets/ip-name-lookup` of WASI 0.2 and 0.3.

use std::net::IpAddr;
use std::sync::Arc;
use std::vec;

use wasmtime::component::Resource;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::bindings::sockets::ip_name_lookup::{
    Host, HostResolveAddressStream, ResolveAddressStream,
};
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddress, Network};
use wasmtime_wasi::p2::{DynPollable, Pollable, SocketError, SocketResult};
use wasmtime_wasi::p3::bindings::sockets::{ip_name_lookup as p3, types};
use wasmtime_wasi::runtime::{AbortOnDropJoinHandle, spawn};
use wasmtime_wasi_io::poll::subscribe;

use super::{LookupError, NetworkAccess};
use crate::runtime::wasi::p2::WasiP2;

type Found = Result<Vec<IpAddr>, LookupError>;

/// The addresses of a name, for the resource `resolve-address-stream`.
enum Lookup {
    Running(AbortOnDropJoinHandle<Found>),
    Done(Result<vec::IntoIter<IpAddr>, ErrorCode>),
}

/// The address that a name is, if it is one.
fn literal(name: &str) -> Option<IpAddr> {
    let address = name.trim_start_matches('[').trim_end_matches(']');
    address.parse().ok()
}

impl Lookup {
    fn start(access: &Arc<NetworkAccess>, name: String) -> Self {
        if let Some(address) = literal(&name) {
            return Self::Done(Ok(vec![address].into_iter()));
        }
        let access = access.clone();
        Self::Running(spawn(async move { access.resolve(&name).await }))
    }

    fn end(&mut self, found: Found) {
        let found = found.map_err(|error| match error {
            LookupError::Denied => ErrorCode::AccessDenied,
            LookupError::Invalid => ErrorCode::InvalidArgument,
            LookupError::Unresolvable => ErrorCode::NameUnresolvable,
        });
        *self = Self::Done(found.map(Vec::into_iter));
    }
}

#[async_trait]
impl Pollable for Lookup {
    async fn ready(&mut self) {
        if let Self::Running(running) = self {
            let found = running.await;
            self.end(found);
        }
    }
}

/// The resource of wasmtime-wasi's has the number of the lookup.
fn lookup(stream: &Resource<ResolveAddressStream>) -> Resource<Lookup> {
    Resource::new_borrow(stream.rep())
}

impl Host for WasiP2 {
    fn resolve_addresses(
        &mut self,
        network: Resource<Network>,
        name: String,
    ) -> SocketResult<Resource<ResolveAddressStream>> {
        self.table.get(&network)?;
        let Some(access) = self.network.clone() else {
            return Err(ErrorCode::AccessDenied.into());
        };
        let lookup = self.on_event_loop(|_| Lookup::start(&access, name))?;
        let lookup = self.table.push(lookup)?;
        Ok(Resource::new_own(lookup.rep()))
    }
}

impl HostResolveAddressStream for WasiP2 {
    fn resolve_next_address(
        &mut self,
        stream: Resource<ResolveAddressStream>,
    ) -> SocketResult<Option<IpAddress>> {
        self.wait(async |wasi| -> SocketResult<Option<IpAddress>> {
            let lookup = wasi.table.get_mut(&lookup(&stream))?;
            if let Lookup::Running(running) = lookup {
                if !running.is_finished() {
                    return Err(ErrorCode::WouldBlock.into());
                }
                lookup.ready().await;
            }
            match lookup {
                Lookup::Running(_) => Err(ErrorCode::WouldBlock.into()),
                Lookup::Done(Ok(addresses)) => Ok(addresses.next().map(Into::into)),
                Lookup::Done(Err(error)) => Err((*error).into()),
            }
        })
        .map_err(SocketError::trap)?
    }

    fn subscribe(
        &mut self,
        stream: Resource<ResolveAddressStream>,
    ) -> wasmtime::Result<Resource<DynPollable>> {
        subscribe(&mut self.table, lookup(&stream))
    }

    fn drop(&mut self, stream: Resource<ResolveAddressStream>) -> wasmtime::Result<()> {
        let lookup: Resource<Lookup> = Resource::new_own(stream.rep());
        self.table.delete(lookup)?;
        Ok(())
    }
}

impl p3::Host for WasiP2 {}

impl WasiP2 {
    /// Resolves a name for WASI 0.3.
    pub(crate) fn resolve(
        &self,
        name: String,
    ) -> impl Future<Output = Result<Vec<types::IpAddress>, p3::ErrorCode>> + use<> {
        let access = self.network.clone();
        async move {
            if let Some(address) = literal(&name) {
                return Ok(vec![address.into()]);
            }
            let Some(access) = access else {
                return Err(p3::ErrorCode::AccessDenied);
            };
            let found = access.resolve(&name).await;
            let found = found.map_err(|error| match error {
                LookupError::Denied => p3::ErrorCode::AccessDenied,
                LookupError::Invalid => p3::ErrorCode::InvalidArgument,
                LookupError::Unresolvable => p3::ErrorCode::NameUnresolvable,
            })?;
            Ok(found.into_iter().map(Into::into).collect())
        }
    }
}
