//! Requests that asynchronous components handle: `wasi:http/handler` of WASI 0.3.

use wasmtime::component::{Accessor, Func, Resource, Val};
use wasmtime_wasi_http::p3::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::p3::{Request, Response};

use super::wasi::{http_of, wasi_of};
use crate::runtime::store::StoreData;
use crate::runtime::store::concurrent::exchange::CallError;
use crate::runtime::wasi::p2::http::incoming::{BodyEnd, Incoming};

/// Has a component handle a request. Waits until the body of its response is read to its end, or dropped.
///
/// # Errors
/// The error that ended the instance.
pub(super) async fn handle(
    accessor: &Accessor<StoreData>,
    func: Func,
    incoming: Incoming,
) -> Result<Vec<Val>, CallError> {
    type Params = (Resource<Request>,);
    type Results = (Result<Resource<Response>, ErrorCode>,);

    let (func, request, answer) = accessor.with(|mut access| {
        let func = func.typed::<Params, Results>(&mut access)?;
        let (request, answer) = incoming.into_request(wasi_of(access.data_mut()))?;
        wasmtime::Result::Ok((func, request, answer))
    })?;
    let (handled,) = func.call_concurrent(accessor, (request,)).await?;
    let end = BodyEnd::new();
    let response = accessor.with(|mut access| {
        let view = http_of(access.data_mut());
        let response = match handled {
            Ok(response) => view.table.delete(response)?,
            Err(code) => return Ok(Err(view.error_to_p2(&code.into()))),
        };
        let sent = end.clone();
        let sent = async move {
            sent.wait().await;
            Ok(())
        };
        wasmtime::Result::Ok(Ok(response.into_http_with_getter(
            &mut access,
            sent,
            http_of,
        )?))
    })?;
    if answer.answer(response, &end) {
        end.wait().await;
    }
    Ok(Vec::new())
}
