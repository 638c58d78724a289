//! `wasi:sockets/ip-name-lookup`.

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

impl Lookup {
    fn start(access: &Arc<NetworkAccess>, name: String) -> Self {
        let address = name.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = address.parse() {
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
