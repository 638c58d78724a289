//! `wasi:sockets`.
//!
//! A descriptor of the process is counted for each socket, until the socket and its streams are dropped.

use std::sync::Arc;

use wasmtime::component::Resource;
use wasmtime_wasi::TrappableError;
use wasmtime_wasi::p2::bindings::sockets::network::{
    ErrorCode, Host as NetworkHost, HostNetwork, IpAddressFamily, IpSocketAddress, Network,
};
use wasmtime_wasi::p2::bindings::sockets::tcp::HostTcpSocket as AsyncTcp;
use wasmtime_wasi::p2::bindings::sockets::udp::{
    HostIncomingDatagramStream as AsyncIncoming, HostOutgoingDatagramStream as AsyncOutgoing,
    HostUdpSocket as AsyncUdp,
};
use wasmtime_wasi::p2::bindings::sockets::{
    instance_network, tcp_create_socket, udp_create_socket as async_udp_create_socket,
};
use wasmtime_wasi::p2::bindings::sync::sockets::{tcp, udp, udp_create_socket};
use wasmtime_wasi::p2::{
    DynInputStream, DynOutputStream, DynPollable, SocketError, SocketResult, TcpSocket, UdpSocket,
};
use wasmtime_wasi::sockets::WasiSocketsCtxView;

use crate::runtime::engine::quota::{DESCRIPTORS, Share};
use crate::runtime::wasi::p2::WasiP2;

/// The maximum size of the buffers of a socket in the system that a component may ask for, in bytes.
const MAX_BUFFER: u64 = 1 << 20;

type Tcp = Resource<TcpSocket>;
type Udp = Resource<UdpSocket>;
type Incoming = Resource<udp::IncomingDatagramStream>;
type Outgoing = Resource<udp::OutgoingDatagramStream>;
type Streams = (Resource<DynInputStream>, Resource<DynOutputStream>);

/// Takes a share of the process's descriptors.
///
/// # Errors
/// `new-socket-limit` if the process has too few left.
fn share() -> SocketResult<Arc<Share>> {
    let share = DESCRIPTORS.take(1).map_err(|_| ErrorCode::NewSocketLimit)?;
    Ok(Arc::new(share))
}

impl WasiP2 {
    fn sockets(&mut self) -> WasiSocketsCtxView<'_> {
        WasiSocketsCtxView {
            ctx: self.ctx.sockets(),
            table: &mut self.table,
        }
    }

    /// Calls a function of wasmtime-wasi that does not wait. It may start operations on the event loop for WASI.
    pub(super) fn on_event_loop<R>(
        &mut self,
        f: impl FnOnce(&mut Self) -> R,
    ) -> Result<R, SocketError> {
        self.entered(f).map_err(TrappableError::trap)
    }

    fn socket<R>(
        &mut self,
        f: impl FnOnce(&mut WasiSocketsCtxView<'_>) -> SocketResult<R>,
    ) -> SocketResult<R> {
        self.on_event_loop(|wasi| f(&mut wasi.sockets()))?
    }

    /// Waits for an operation on a socket.
    ///
    /// # Errors
    /// The error with which the guest has to end, and those of the operation.
    fn wait_for_socket<R>(
        &mut self,
        work: impl AsyncFnOnce(&mut WasiSocketsCtxView<'_>) -> SocketResult<R>,
    ) -> SocketResult<R> {
        let waited = self.wait(async |wasi| work(&mut wasi.sockets()).await);
        waited.map_err(SocketError::trap)?
    }

    /// Has a resource hold the descriptor of a socket open.
    fn holds<T: 'static>(&mut self, resource: &Resource<T>, share: &Arc<Share>) {
        self.sockets.insert(resource.rep(), share.clone());
    }

    /// Has the streams of a socket hold its descriptor open.
    fn share_with<T: 'static, A: 'static, B: 'static>(
        &mut self,
        socket: &Resource<T>,
        streams: &(Resource<A>, Resource<B>),
    ) {
        if let Some(share) = self.sockets.get(&socket.rep()).cloned() {
            self.holds(&streams.0, &share);
            self.holds(&streams.1, &share);
        }
    }

    fn let_go<T: 'static>(&mut self, resource: &Resource<T>) {
        self.sockets.remove(&resource.rep());
    }
}

impl NetworkHost for WasiP2 {
    fn convert_error_code(&mut self, error: SocketError) -> wasmtime::Result<ErrorCode> {
        self.sockets().convert_error_code(error)
    }

    fn network_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        self.sockets().network_error_code(error)
    }
}

impl HostNetwork for WasiP2 {
    fn drop(&mut self, network: Resource<Network>) -> wasmtime::Result<()> {
        HostNetwork::drop(&mut self.sockets(), network)
    }
}

impl instance_network::Host for WasiP2 {
    fn instance_network(&mut self) -> wasmtime::Result<Resource<Network>> {
        self.sockets().instance_network()
    }
}

impl tcp_create_socket::Host for WasiP2 {
    fn create_tcp_socket(&mut self, family: IpAddressFamily) -> SocketResult<Tcp> {
        let share = share()?;
        let socket =
            self.socket(|sockets| tcp_create_socket::Host::create_tcp_socket(sockets, family))?;
        self.holds(&socket, &share);
        Ok(socket)
    }
}

impl udp_create_socket::Host for WasiP2 {
    fn create_udp_socket(&mut self, family: IpAddressFamily) -> SocketResult<Udp> {
        let share = share()?;
        let socket = self.wait_for_socket(async |sockets| {
            async_udp_create_socket::Host::create_udp_socket(sockets, family).await
        })?;
        self.holds(&socket, &share);
        Ok(socket)
    }
}

/// Defines methods of a resource that do what the method of the same name does in wasmtime-wasi, and do not wait.
macro_rules! delegating {
    ($trait:ident, $resource:ty; $(fn $name:ident($($arg:ident: $type:ty),*) -> $result:ty;)*) => {
        $(fn $name(&mut self, this: $resource $(, $arg: $type)*) -> SocketResult<$result> {
            self.socket(|sockets| $trait::$name(sockets, this $(, $arg)*))
        })*
    };
}

impl tcp::Host for WasiP2 {}

impl tcp::HostTcpSocket for WasiP2 {
    delegating! { AsyncTcp, Tcp;
        fn finish_bind() -> ();
        fn start_connect(network: Resource<Network>, address: IpSocketAddress) -> ();
        fn finish_listen() -> ();
        fn local_address() -> IpSocketAddress;
        fn remote_address() -> IpSocketAddress;
        fn set_listen_backlog_size(value: u64) -> ();
        fn keep_alive_enabled() -> bool;
        fn set_keep_alive_enabled(value: bool) -> ();
        fn keep_alive_idle_time() -> u64;
        fn set_keep_alive_idle_time(value: u64) -> ();
        fn keep_alive_interval() -> u64;
        fn set_keep_alive_interval(value: u64) -> ();
        fn keep_alive_count() -> u32;
        fn set_keep_alive_count(value: u32) -> ();
        fn hop_limit() -> u8;
        fn set_hop_limit(value: u8) -> ();
        fn receive_buffer_size() -> u64;
        fn send_buffer_size() -> u64;
    }

    fn start_bind(
        &mut self,
        this: Tcp,
        network: Resource<Network>,
        address: IpSocketAddress,
    ) -> SocketResult<()> {
        self.wait_for_socket(async |sockets| {
            AsyncTcp::start_bind(sockets, this, network, address).await
        })
    }

    fn finish_connect(&mut self, this: Tcp) -> SocketResult<Streams> {
        let socket = Tcp::new_borrow(this.rep());
        let streams = self.socket(|sockets| AsyncTcp::finish_connect(sockets, this))?;
        self.share_with(&socket, &streams);
        Ok(streams)
    }

    fn start_listen(&mut self, this: Tcp) -> SocketResult<()> {
        self.wait_for_socket(async |sockets| AsyncTcp::start_listen(sockets, this).await)
    }

    fn accept(
        &mut self,
        this: Tcp,
    ) -> SocketResult<(Tcp, Resource<DynInputStream>, Resource<DynOutputStream>)> {
        let share = share()?;
        let (socket, input, output) = self.socket(|sockets| AsyncTcp::accept(sockets, this))?;
        self.holds(&socket, &share);
        self.holds(&input, &share);
        self.holds(&output, &share);
        Ok((socket, input, output))
    }

    fn is_listening(&mut self, this: Tcp) -> wasmtime::Result<bool> {
        AsyncTcp::is_listening(&mut self.sockets(), this)
    }

    fn address_family(&mut self, this: Tcp) -> wasmtime::Result<IpAddressFamily> {
        AsyncTcp::address_family(&mut self.sockets(), this)
    }

    fn set_receive_buffer_size(&mut self, this: Tcp, value: u64) -> SocketResult<()> {
        let value = value.min(MAX_BUFFER);
        self.socket(|sockets| AsyncTcp::set_receive_buffer_size(sockets, this, value))
    }

    fn set_send_buffer_size(&mut self, this: Tcp, value: u64) -> SocketResult<()> {
        let value = value.min(MAX_BUFFER);
        self.socket(|sockets| AsyncTcp::set_send_buffer_size(sockets, this, value))
    }

    fn subscribe(&mut self, this: Tcp) -> wasmtime::Result<Resource<DynPollable>> {
        AsyncTcp::subscribe(&mut self.sockets(), this)
    }

    fn shutdown(&mut self, this: Tcp, how: tcp::ShutdownType) -> SocketResult<()> {
        self.socket(|sockets| AsyncTcp::shutdown(sockets, this, how.into()))
    }

    fn drop(&mut self, this: Tcp) -> wasmtime::Result<()> {
        self.let_go(&this);
        AsyncTcp::drop(&mut self.sockets(), this)
    }
}

impl udp::Host for WasiP2 {}

impl udp::HostUdpSocket for WasiP2 {
    delegating! { AsyncUdp, Udp;
        fn finish_bind() -> ();
        fn local_address() -> IpSocketAddress;
        fn remote_address() -> IpSocketAddress;
        fn unicast_hop_limit() -> u8;
        fn set_unicast_hop_limit(value: u8) -> ();
        fn receive_buffer_size() -> u64;
        fn send_buffer_size() -> u64;
    }

    fn start_bind(
        &mut self,
        this: Udp,
        network: Resource<Network>,
        address: IpSocketAddress,
    ) -> SocketResult<()> {
        self.wait_for_socket(async |sockets| {
            AsyncUdp::start_bind(sockets, this, network, address).await
        })
    }

    fn stream(
        &mut self,
        this: Udp,
        remote: Option<IpSocketAddress>,
    ) -> SocketResult<(Incoming, Outgoing)> {
        let socket = Udp::new_borrow(this.rep());
        let streams =
            self.wait_for_socket(async |sockets| AsyncUdp::stream(sockets, this, remote).await)?;
        self.share_with(&socket, &streams);
        Ok(streams)
    }

    fn address_family(&mut self, this: Udp) -> wasmtime::Result<IpAddressFamily> {
        AsyncUdp::address_family(&mut self.sockets(), this)
    }

    fn set_receive_buffer_size(&mut self, this: Udp, value: u64) -> SocketResult<()> {
        let value = value.min(MAX_BUFFER);
        self.socket(|sockets| AsyncUdp::set_receive_buffer_size(sockets, this, value))
    }

    fn set_send_buffer_size(&mut self, this: Udp, value: u64) -> SocketResult<()> {
        let value = value.min(MAX_BUFFER);
        self.socket(|sockets| AsyncUdp::set_send_buffer_size(sockets, this, value))
    }

    fn subscribe(&mut self, this: Udp) -> wasmtime::Result<Resource<DynPollable>> {
        AsyncUdp::subscribe(&mut self.sockets(), this)
    }

    fn drop(&mut self, this: Udp) -> wasmtime::Result<()> {
        self.let_go(&this);
        AsyncUdp::drop(&mut self.sockets(), this)
    }
}

impl udp::HostIncomingDatagramStream for WasiP2 {
    fn receive(
        &mut self,
        this: Incoming,
        max_results: u64,
    ) -> SocketResult<Vec<udp::IncomingDatagram>> {
        let received = self.socket(|sockets| AsyncIncoming::receive(sockets, this, max_results))?;
        Ok(received.into_iter().map(Into::into).collect())
    }

    fn subscribe(&mut self, this: Incoming) -> wasmtime::Result<Resource<DynPollable>> {
        AsyncIncoming::subscribe(&mut self.sockets(), this)
    }

    fn drop(&mut self, this: Incoming) -> wasmtime::Result<()> {
        self.let_go(&this);
        AsyncIncoming::drop(&mut self.sockets(), this)
    }
}

impl udp::HostOutgoingDatagramStream for WasiP2 {
    fn check_send(&mut self, this: Outgoing) -> SocketResult<u64> {
        self.socket(|sockets| AsyncOutgoing::check_send(sockets, this))
    }

    fn send(&mut self, this: Outgoing, datagrams: Vec<udp::OutgoingDatagram>) -> SocketResult<u64> {
        let datagrams = datagrams.into_iter().map(Into::into).collect();
        self.socket(|sockets| AsyncOutgoing::send(sockets, this, datagrams))
    }

    fn subscribe(&mut self, this: Outgoing) -> wasmtime::Result<Resource<DynPollable>> {
        AsyncOutgoing::subscribe(&mut self.sockets(), this)
    }

    fn drop(&mut self, this: Outgoing) -> wasmtime::Result<()> {
        self.let_go(&this);
        self.wait(async |wasi| AsyncOutgoing::drop(&mut wasi.sockets(), this).await)?
    }
}
