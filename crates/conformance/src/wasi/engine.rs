//! Programs on wasmtime alone.

use hyper::{Request, Response};
use wasmtime::component::{Component, Linker as ComponentLinker, ResourceTable};
use wasmtime::{Engine, Error, Linker, Module, Store};
use wasmtime_wasi::p1::{self, WasiP1Ctx};
use wasmtime_wasi::p2::{self, bindings::Command};
use wasmtime_wasi::p3::{self, bindings::Command as CommandOf03};
use wasmtime_wasi::{FsPerms, I32Exit, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{
    Error as HttpError, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks,
    WasiHttpView,
};

use super::guest::{End, Guest};

struct Host {
    ctx: WasiCtx,
    http: WasiHttpCtx,
    requests: NoRequests,
    table: ResourceTable,
}

impl Host {
    fn new(wasi: &mut WasiCtxBuilder) -> Self {
        Self {
            ctx: wasi.build(),
            http: WasiHttpCtx::new(),
            requests: NoRequests,
            table: ResourceTable::new(),
        }
    }
}

impl WasiView for Host {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.ctx,
            table: &mut self.table,
        }
    }
}

/// No program that this lane runs sends requests.
struct NoRequests;

impl WasiHttpHooks for NoRequests {
    fn send_request(
        &mut self,
        _: Request<WasiBody>,
        _: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), HttpError>> + Send>,
    ) -> Box<dyn Future<Output = Result<Sent, HttpError>> + Send> {
        Box::new(async { Err(HttpError::HttpRequestDenied) })
    }
}

/// A response, and the end of its connection.
type Sent = (
    Response<WasiBody>,
    Box<dyn Future<Output = Result<(), HttpError>> + Send>,
);

impl WasiHttpView for Host {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            ctx: &mut self.http,
            table: &mut self.table,
            hooks: &mut self.requests,
        }
    }
}

/// Runs a program.
///
/// # Errors
///
/// When it traps, or cannot be run.
pub(super) fn run(guest: &Guest) -> anyhow::Result<End> {
    let binary = guest.binary()?;
    let mut wasi = WasiCtx::builder();
    wasi.args(&guest.args()).inherit_stdio();
    for (name, value) in &guest.env {
        wasi.env(name, value);
    }
    if let Some(root) = &guest.root {
        let opened = wasi.preopened_dir(root, "/", FsPerms::ReadWrite);
        opened.map_err(readable)?;
    }
    if guest.has_network {
        wasi.inherit_network()
            .allow_tcp(true)
            .allow_udp(true)
            .allow_ip_name_lookup(true);
    }
    let engine = Engine::default();
    if !guest.is_component() {
        return run_module(&engine, &binary, &mut wasi);
    }
    let component = match Component::from_binary(&engine, &binary) {
        Ok(component) => component,
        Err(error) => return Ok(End::Refused(format!("{error:#}"))),
    };
    let mut event_loop = tokio::runtime::Builder::new_current_thread();
    let event_loop = event_loop.enable_all().build()?;
    ended(match guest.is_of_03 {
        true => event_loop.block_on(run_component_03(&engine, &component, &mut wasi)),
        false => event_loop.block_on(run_component(&engine, &component, &mut wasi)),
    })
}

fn run_module(engine: &Engine, binary: &[u8], wasi: &mut WasiCtxBuilder) -> anyhow::Result<End> {
    let mut run = || -> Result<(), Error> {
        let module = Module::from_binary(engine, binary)?;
        let mut linker: Linker<WasiP1Ctx> = Linker::new(engine);
        p1::add_to_linker_sync(&mut linker, |wasi| wasi)?;
        let mut store = Store::new(engine, wasi.build_p1());
        let instance = linker.instantiate(&mut store, &module)?;
        let start = instance.get_typed_func::<(), ()>(&mut store, "_start")?;
        start.call(&mut store, ())
    };
    ended(run().map(|()| 0))
}

/// Runs a program of WASI 0.2. Its functions are those that programs of WASI 0.3 have as well, since a second kind of each
/// would take long to compile.
async fn run_component(
    engine: &Engine,
    component: &Component,
    wasi: &mut WasiCtxBuilder,
) -> Result<i32, Error> {
    let mut linker: ComponentLinker<Host> = ComponentLinker::new(engine);
    p2::add_to_linker_async(&mut linker)?;
    let mut store = Store::new(engine, Host::new(wasi));
    let command = Command::instantiate_async(&mut store, component, &linker).await?;
    let result = command.wasi_cli_run().call_run(&mut store).await?;
    Ok(result.is_err().into())
}

/// As [`run_component`], for WASI 0.3.
async fn run_component_03(
    engine: &Engine,
    component: &Component,
    wasi: &mut WasiCtxBuilder,
) -> Result<i32, Error> {
    let mut linker: ComponentLinker<Host> = ComponentLinker::new(engine);
    p3::add_to_linker(&mut linker)?;
    wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
    // Programs of WASI 0.3 may use interfaces of WASI 0.2, too.
    p2::add_to_linker_async(&mut linker)?;
    let mut store = Store::new(engine, Host::new(wasi));
    let command = CommandOf03::instantiate_async(&mut store, component, &linker).await?;
    let run = async |accessor: &_| command.wasi_cli_run().call_run(accessor).await;
    let result = store.run_concurrent(run).await??;
    Ok(result.is_err().into())
}

fn ended(ran: Result<i32, Error>) -> anyhow::Result<End> {
    match ran {
        Ok(status) => Ok(End::Exited(status)),
        Err(error) => match error.downcast_ref::<I32Exit>() {
            Some(I32Exit(status)) => Ok(End::Exited(*status)),
            None => Err(readable(error)),
        },
    }
}

fn readable(error: Error) -> anyhow::Error {
    anyhow::anyhow!("{error:#}")
}
