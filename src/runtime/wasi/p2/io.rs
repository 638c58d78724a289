//! `wasi:io`: streams, and waiting for them.

use wasmtime::component::{Resource, ResourceTable};
use wasmtime_wasi::p2::bindings::sync::io::{poll, streams};
use wasmtime_wasi::p2::{
    DynInputStream, DynOutputStream, DynPollable, IoError, Pollable as _, StreamError, StreamResult,
};
use wasmtime_wasi_io::bindings::wasi::io::{error, poll as nonblocking, streams as asynchronous};

use super::WasiP2;
use crate::runtime::base::error::WasmError;
use crate::runtime::wasi::call::{tokio, wait};

impl WasiP2 {
    /// Waits for `work` on this thread, unless the guest has to end first.
    ///
    /// # Errors
    /// The error with which the guest has to end.
    pub(super) fn wait<R>(
        &mut self,
        work: impl AsyncFnOnce(&mut Self) -> R,
    ) -> wasmtime::Result<R> {
        let interrupt = self.interrupt.clone();
        wait(tokio()?, interrupt.unless_due(work(self)))
    }

    /// Waits for an operation on a stream.
    ///
    /// # Errors
    /// As [`WasiP2::wait`], and those of the operation.
    fn wait_for_stream<R>(
        &mut self,
        work: impl AsyncFnOnce(&mut Self) -> StreamResult<R>,
    ) -> StreamResult<R> {
        self.wait(work).map_err(StreamError::Trap)?
    }
}

impl WasiP2 {
    /// Calls a function that may start operations in the background. They belong to the event loop for WASI: that of the app
    /// would wait for them when it ends.
    ///
    /// # Errors
    /// `RuntimeError` if there is no such event loop.
    pub(super) fn entered<R>(&mut self, f: impl FnOnce(&mut Self) -> R) -> Result<R, WasmError> {
        let _entered = tokio()?.enter();
        Ok(f(self))
    }

    /// Calls a function that starts operations on a stream in the background.
    fn on_own_event_loop<R>(
        &mut self,
        f: impl FnOnce(&mut ResourceTable) -> StreamResult<R>,
    ) -> StreamResult<R> {
        self.entered(|wasi| f(&mut wasi.table))
            .map_err(|error| StreamError::Trap(error.into()))?
    }

    /// Waits until a file has taken what was written to its stream. wasmtime-wasi writes in the background, so that a guest
    /// with many streams could have any number of bytes wait in the host, and lose them when it ends.
    fn await_file(&mut self, stream: u32) -> StreamResult<()> {
        if !self.shares.contains_key(&stream) {
            return Ok(());
        }
        self.wait_for_stream(async |wasi| {
            let stream = Resource::<DynOutputStream>::new_borrow(stream);
            wasi.table.get_mut(&stream)?.ready().await;
            Ok(())
        })
    }
}

impl error::Host for WasiP2 {}

impl error::HostError for WasiP2 {
    fn to_debug_string(&mut self, error: Resource<IoError>) -> wasmtime::Result<String> {
        error::HostError::to_debug_string(&mut self.table, error)
    }

    fn drop(&mut self, error: Resource<IoError>) -> wasmtime::Result<()> {
        error::HostError::drop(&mut self.table, error)
    }
}

impl poll::Host for WasiP2 {
    fn poll(&mut self, pollables: Vec<Resource<DynPollable>>) -> wasmtime::Result<Vec<u32>> {
        let (count, cap) = (pollables.len(), self.max_subscriptions);
        if count > cap as usize {
            return Err(WasmError::runtime(format!(
                "the guest waits for {count} events at once: the cap is {cap} (max_wasi_subscriptions)"
            ))
            .into());
        }
        self.wait(async |wasi| nonblocking::Host::poll(&mut wasi.table, pollables).await)?
    }
}

impl poll::HostPollable for WasiP2 {
    fn ready(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<bool> {
        self.wait(async |wasi| nonblocking::HostPollable::ready(&mut wasi.table, pollable).await)?
    }

    fn block(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        self.wait(async |wasi| nonblocking::HostPollable::block(&mut wasi.table, pollable).await)?
    }

    fn drop(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        nonblocking::HostPollable::drop(&mut self.table, pollable)
    }
}

impl streams::Host for WasiP2 {
    fn convert_stream_error(
        &mut self,
        error: StreamError,
    ) -> wasmtime::Result<streams::StreamError> {
        streams::Host::convert_stream_error(&mut self.table, error)
    }
}

impl streams::HostInputStream for WasiP2 {
    fn read(&mut self, stream: Resource<DynInputStream>, len: u64) -> StreamResult<Vec<u8>> {
        self.on_own_event_loop(|table| asynchronous::HostInputStream::read(table, stream, len))
    }

    fn blocking_read(
        &mut self,
        stream: Resource<DynInputStream>,
        len: u64,
    ) -> StreamResult<Vec<u8>> {
        self.wait_for_stream(async |wasi| {
            asynchronous::HostInputStream::blocking_read(&mut wasi.table, stream, len).await
        })
    }

    fn skip(&mut self, stream: Resource<DynInputStream>, len: u64) -> StreamResult<u64> {
        self.on_own_event_loop(|table| asynchronous::HostInputStream::skip(table, stream, len))
    }

    fn blocking_skip(&mut self, stream: Resource<DynInputStream>, len: u64) -> StreamResult<u64> {
        self.wait_for_stream(async |wasi| {
            asynchronous::HostInputStream::blocking_skip(&mut wasi.table, stream, len).await
        })
    }

    fn subscribe(
        &mut self,
        stream: Resource<DynInputStream>,
    ) -> wasmtime::Result<Resource<DynPollable>> {
        asynchronous::HostInputStream::subscribe(&mut self.table, stream)
    }

    fn drop(&mut self, stream: Resource<DynInputStream>) -> wasmtime::Result<()> {
        let number = stream.rep();
        let dropped = self
            .wait(async |wasi| asynchronous::HostInputStream::drop(&mut wasi.table, stream).await);
        self.shares.remove(&number);
        self.sockets.remove(&number);
        dropped?
    }
}

impl streams::HostOutputStream for WasiP2 {
    fn check_write(&mut self, stream: Resource<DynOutputStream>) -> StreamResult<u64> {
        self.on_own_event_loop(|table| asynchronous::HostOutputStream::check_write(table, stream))
    }

    fn write(&mut self, stream: Resource<DynOutputStream>, bytes: Vec<u8>) -> StreamResult<()> {
        let number = stream.rep();
        let permitted = self.check_write(Resource::new_borrow(number))?;
        if bytes.len() as u64 > permitted {
            return Err(StreamError::trap(
                "the guest wrote more than check-write permits",
            ));
        }
        self.on_own_event_loop(|table| {
            asynchronous::HostOutputStream::write(table, stream, bytes)
        })?;
        self.await_file(number)
    }

    fn blocking_write_and_flush(
        &mut self,
        stream: Resource<DynOutputStream>,
        bytes: Vec<u8>,
    ) -> StreamResult<()> {
        self.wait_for_stream(async |wasi| {
            let table = &mut wasi.table;
            asynchronous::HostOutputStream::blocking_write_and_flush(table, stream, bytes).await
        })
    }

    fn flush(&mut self, stream: Resource<DynOutputStream>) -> StreamResult<()> {
        self.on_own_event_loop(|table| asynchronous::HostOutputStream::flush(table, stream))
    }

    fn blocking_flush(&mut self, stream: Resource<DynOutputStream>) -> StreamResult<()> {
        self.wait_for_stream(async |wasi| {
            asynchronous::HostOutputStream::blocking_flush(&mut wasi.table, stream).await
        })
    }

    fn subscribe(
        &mut self,
        stream: Resource<DynOutputStream>,
    ) -> wasmtime::Result<Resource<DynPollable>> {
        asynchronous::HostOutputStream::subscribe(&mut self.table, stream)
    }

    fn write_zeroes(&mut self, stream: Resource<DynOutputStream>, len: u64) -> StreamResult<()> {
        let number = stream.rep();
        self.on_own_event_loop(|table| {
            asynchronous::HostOutputStream::write_zeroes(table, stream, len)
        })?;
        self.await_file(number)
    }

    fn blocking_write_zeroes_and_flush(
        &mut self,
        stream: Resource<DynOutputStream>,
        len: u64,
    ) -> StreamResult<()> {
        self.wait_for_stream(async |wasi| {
            let table = &mut wasi.table;
            asynchronous::HostOutputStream::blocking_write_zeroes_and_flush(table, stream, len)
                .await
        })
    }

    fn splice(
        &mut self,
        to: Resource<DynOutputStream>,
        from: Resource<DynInputStream>,
        len: u64,
    ) -> StreamResult<u64> {
        let number = to.rep();
        let moved = self.on_own_event_loop(|table| {
            asynchronous::HostOutputStream::splice(table, to, from, len)
        })?;
        self.await_file(number)?;
        Ok(moved)
    }

    fn blocking_splice(
        &mut self,
        to: Resource<DynOutputStream>,
        from: Resource<DynInputStream>,
        len: u64,
    ) -> StreamResult<u64> {
        self.wait_for_stream(async |wasi| {
            asynchronous::HostOutputStream::blocking_splice(&mut wasi.table, to, from, len).await
        })
    }

    fn drop(&mut self, stream: Resource<DynOutputStream>) -> wasmtime::Result<()> {
        let number = stream.rep();
        let dropped = self
            .wait(async |wasi| asynchronous::HostOutputStream::drop(&mut wasi.table, stream).await);
        self.shares.remove(&number);
        self.sockets.remove(&number);
        dropped?
    }
}
