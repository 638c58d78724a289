//! Requests that asynchronous components handle: `wasi:http/handler` of WASI 0.3.

use wasmtime::AsContextMut as _;
use wasmtime::component::{Access, Accessor, Func, Resource, Val};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;
use wasmtime_wasi_http::p3::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::p3::{Request, Response};

use super::concurrent::exchange_of;
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

    let begun = accessor.with(|mut access| -> wasmtime::Result<_> {
        let func = func.typed::<Params, Results>(&mut access)?;
        let (request, answer) = incoming.into_request(wasi_of(access.data_mut()))?;
        Ok((
            func,
            request,
            answer,
            exchange_of(&access.as_context_mut())?,
        ))
    });
    let (func, request, answer, exchange) = begun?;
    let (handled,) = func.call_concurrent(accessor, (request,)).await?;
    let end = BodyEnd::new();
    let response = match handled {
        Ok(response) => Ok(accessor.with(|access| with_body(access, response, &end))?),
        Err(code) => Err(code.into()),
    };
    // From before the answer: nothing else shows that the call waits for the app.
    let _body = exchange.body_begins();
    if answer.answer(response, &end) {
        end.wait().await;
    }
    Ok(Vec::new())
}

/// Takes a response out of the table. `end` is the end of its body.
fn with_body(
    mut access: Access<'_, StoreData>,
    response: Resource<Response>,
    end: &BodyEnd,
) -> wasmtime::Result<hyper::Response<HyperOutgoingBody>> {
    let response = http_of(access.data_mut()).table.delete(response)?;
    let sent = end.clone();
    let sent = async move {
        sent.wait().await;
        Ok(())
    };
    response.into_http_with_getter(&mut access, sent, http_of)
}
