//! Output that is kept for the app.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

use super::{StdioConfig, unusable};
use crate::runtime::error::WasmError;

/// What a guest has written to a stream, up to a cap.
#[derive(Clone, Debug)]
pub(super) struct Captured {
    name: &'static str,
    written: Arc<Mutex<Vec<u8>>>,
    cap: usize,
}

impl Captured {
    pub(super) fn new(
        name: &'static str,
        config: &StdioConfig,
        cap: usize,
    ) -> Result<Option<Self>, WasmError> {
        match config {
            StdioConfig::Null | StdioConfig::Inherit => Ok(None),
            StdioConfig::Piped => Ok(Some(Self {
                name,
                written: Arc::default(),
                cap,
            })),
            StdioConfig::Bytes(_) => Err(unusable(format!("{name} cannot be bytes"))),
        }
    }

    pub(super) fn contents(&self) -> Vec<u8> {
        let written = self.written.lock();
        written.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl IsTerminal for Captured {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Captured {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        // Of WASI preview 3, which takes no part here.
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl OutputStream for Captured {
    /// Keeps what there is room for. To write more ends the guest: to throw it away would be to
    /// pretend.
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let room = self.cap - written.len();
        written.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if bytes.len() <= room {
            return Ok(());
        }
        let message = format!(
            "the guest wrote more to {} than {} bytes",
            self.name, self.cap
        );
        Err(StreamError::Trap(WasmError::runtime(message).into()))
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        // More than there is room for, so that `write` is asked and can say what is wrong.
        Ok(1 << 16)
    }
}

#[async_trait]
impl Pollable for Captured {
    async fn ready(&mut self) {}
}
