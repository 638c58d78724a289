//! The functions of WASI 0.2 and 0.3, as imports of components.

use wasmtime::StoreContextMut;
use wasmtime::component::{Accessor, HasData, Linker, Resource};
use wasmtime_wasi::cli::{WasiCli, WasiCliCtxView, WasiCliView as _};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksCtxView, WasiClocksView as _};
use wasmtime_wasi::p2::bindings::{cli, clocks, filesystem, random, sockets, sync};
use wasmtime_wasi::p3::bindings::sockets::ip_name_lookup as ip_name_lookup_03;
use wasmtime_wasi::p3::bindings::sockets::types::IpAddress;
use wasmtime_wasi::random::{WasiRandom, WasiRandomCtx};
use wasmtime_wasi::{WasiCtxView, WasiView};
use wasmtime_wasi_http::p2::bindings::http;
use wasmtime_wasi_http::p2::types::{HostFutureIncomingResponse, HostOutgoingRequest};
use wasmtime_wasi_http::{RequestOptions, WasiHttp, WasiHttpCtxView};
use wasmtime_wasi_io::bindings::wasi::io::error;

use crate::runtime::store::StoreData;
use crate::runtime::wasi::p2::WasiP2;

impl WasiView for StoreData {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        wasi_of(self).view()
    }
}

/// Returns the WASI state of a store whose component was linked with WASI.
pub(super) fn wasi_of(data: &mut StoreData) -> &mut WasiP2 {
    let wasi = data.wasi_p2.as_deref_mut();
    wasi.expect("a component is linked with WASI only where its store has WASI")
}

/// The data of functions that wait.
struct HasWasi;

impl HasData for HasWasi {
    type Data<'a> = &'a mut WasiP2;
}

/// Adds the functions of WASI 0.3 to the linker of an asynchronous component. They work in stores with WASI only.
///
/// # Errors
/// An error of wasmtime's.
pub(super) fn add_03_to_linker(linker: &mut Linker<StoreData>) -> wasmtime::Result<()> {
    use wasmtime_wasi::filesystem::{WasiFilesystem, WasiFilesystemView as _};
    use wasmtime_wasi::p3::bindings::filesystem;

    wasmtime_wasi::p3::cli::add_to_linker(linker)?;
    wasmtime_wasi::p3::clocks::add_to_linker(linker)?;
    wasmtime_wasi::p3::random::add_to_linker(linker)?;
    filesystem::types::add_to_linker::<StoreData, WasiFilesystem>(linker, StoreData::filesystem)?;
    filesystem::preopens::add_to_linker::<StoreData, HasWasi>(linker, wasi_of)
}

/// Adds the functions of WASI 0.2 to a linker. They work in stores with WASI only.
///
/// # Errors
/// An error of wasmtime's.
pub(super) fn add_to_linker(linker: &mut Linker<StoreData>) -> wasmtime::Result<()> {
    type Cli = WasiCli;

    fn of_cli(data: &mut StoreData) -> WasiCliCtxView<'_> {
        data.cli()
    }
    fn of_clocks(data: &mut StoreData) -> WasiClocksCtxView<'_> {
        data.clocks()
    }
    fn of_random(data: &mut StoreData) -> &mut WasiRandomCtx {
        data.ctx().ctx.random()
    }
    clocks::wall_clock::add_to_linker::<StoreData, WasiClocks>(linker, of_clocks)?;
    clocks::monotonic_clock::add_to_linker::<StoreData, WasiClocks>(linker, of_clocks)?;
    random::random::add_to_linker::<StoreData, WasiRandom>(linker, of_random)?;
    random::insecure::add_to_linker::<StoreData, WasiRandom>(linker, of_random)?;
    random::insecure_seed::add_to_linker::<StoreData, WasiRandom>(linker, of_random)?;
    cli::exit::add_to_linker::<StoreData, Cli>(linker, of_cli)?;
    cli::environment::add_to_linker::<StoreData, Cli>(linker, of_cli)?;
    cli::stdin::add_to_linker::<StoreData, Cli>(linker, of_cli)?;
    cli::stdout::add_to_linker::<StoreData, Cli>(linker, of_cli)?;
    cli::stderr::add_to_linker::<StoreData, Cli>(linker, of_cli)?;
    cli::terminal_input::add_to_linker::<StoreData, Cli>(linker, of_cli)?;
    cli::terminal_output::add_to_linker::<StoreData, Cli>(linker, of_cli)?;
    cli::terminal_stdin::add_to_linker::<StoreData, Cli>(linker, of_cli)?;
    cli::terminal_stdout::add_to_linker::<StoreData, Cli>(linker, of_cli)?;
    cli::terminal_stderr::add_to_linker::<StoreData, Cli>(linker, of_cli)?;
    filesystem::preopens::add_to_linker::<StoreData, HasWasi>(linker, wasi_of)?;
    error::add_to_linker::<StoreData, HasWasi>(linker, wasi_of)?;
    sync::io::poll::add_to_linker::<StoreData, HasWasi>(linker, wasi_of)?;
    sync::io::streams::add_to_linker::<StoreData, HasWasi>(linker, wasi_of)?;
    sync::filesystem::types::add_to_linker::<StoreData, HasWasi>(linker, wasi_of)
}

/// Adds the functions of WASI 0.2 for the network to a linker. They work in stores that may use it.
///
/// # Errors
/// An error of wasmtime's.
pub(super) fn add_network_to_linker(linker: &mut Linker<StoreData>) -> wasmtime::Result<()> {
    let options = sockets::network::LinkOptions::default();
    sockets::network::add_to_linker::<StoreData, HasWasi>(linker, &options, wasi_of)?;
    sockets::instance_network::add_to_linker::<StoreData, HasWasi>(linker, wasi_of)?;
    sockets::ip_name_lookup::add_to_linker::<StoreData, HasWasi>(linker, wasi_of)?;
    sockets::tcp_create_socket::add_to_linker::<StoreData, HasWasi>(linker, wasi_of)?;
    sync::sockets::udp_create_socket::add_to_linker::<StoreData, HasWasi>(linker, wasi_of)?;
    sync::sockets::tcp::add_to_linker::<StoreData, HasWasi>(linker, wasi_of)?;
    sync::sockets::udp::add_to_linker::<StoreData, HasWasi>(linker, wasi_of)
}

/// Adds the functions of WASI 0.3 for the network to the linker of an asynchronous component. They work in stores that may use
/// it.
///
/// # Errors
/// An error of wasmtime's.
pub(super) fn add_network_03_to_linker(linker: &mut Linker<StoreData>) -> wasmtime::Result<()> {
    use wasmtime_wasi::p3::bindings::sockets::{ip_name_lookup, types};
    use wasmtime_wasi::sockets::{WasiSockets, WasiSocketsView as _};

    types::add_to_linker::<StoreData, WasiSockets>(linker, StoreData::sockets)?;
    ip_name_lookup::add_to_linker::<StoreData, HasWasi>(linker, wasi_of)
}

impl ip_name_lookup_03::HostWithStore<StoreData> for HasWasi {
    async fn resolve_addresses(
        accessor: &Accessor<StoreData, Self>,
        name: String,
    ) -> wasmtime::Result<Result<Vec<IpAddress>, ip_name_lookup_03::ErrorCode>> {
        let resolving = accessor.with(|mut access| access.get().resolve(name));
        Ok(resolving.await)
    }
}

/// Adds the functions of `wasi:http` to a linker. A store that may not use the network has its requests denied.
///
/// # Errors
/// An error of wasmtime's.
pub(super) fn add_http_to_linker(linker: &mut Linker<StoreData>) -> wasmtime::Result<()> {
    let options = http::types::LinkOptions::default();
    http::types::add_to_linker::<StoreData, WasiHttp>(linker, &options, http_of)?;
    linker
        .instance(OUTGOING_HANDLER)?
        .func_wrap("handle", handle)
}

/// Adds the functions of `wasi:http` of WASI 0.3 to the linker of an asynchronous component, as [`add_http_to_linker`] does.
///
/// # Errors
/// An error of wasmtime's.
pub(super) fn add_http_03_to_linker(linker: &mut Linker<StoreData>) -> wasmtime::Result<()> {
    use wasmtime_wasi_http::p3::bindings::http::{client, types};

    types::add_to_linker::<StoreData, WasiHttp>(linker, http_of)?;
    client::add_to_linker::<StoreData, WasiHttp>(linker, http_of)
}

/// The interface whose function sends requests.
const OUTGOING_HANDLER: &str = "wasi:http/outgoing-handler@0.2.12";

pub(super) fn http_of(data: &mut StoreData) -> WasiHttpCtxView<'_> {
    wasi_of(data).http()
}

type Handled = Result<Resource<HostFutureIncomingResponse>, http::types::ErrorCode>;

/// The function of wasmtime-wasi-http's starts a task, on the event loop that the thread is in. This one chooses the event loop.
fn handle(
    mut store: StoreContextMut<'_, StoreData>,
    (request, options): (
        Resource<HostOutgoingRequest>,
        Option<Resource<RequestOptions>>,
    ),
) -> wasmtime::Result<(Handled,)> {
    let sent = wasi_of(store.data_mut()).send_request(request, options)?;
    Ok((match sent {
        Ok(response) => Ok(response),
        Err(error) => Err(error.downcast()?),
    },))
}
