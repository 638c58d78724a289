//! Output that is captured for the app.

use std::sync::{Arc, Mutex, PoisonError};

use super::{StdioConfig, unusable};
use crate::runtime::base::error::WasmError;

/// The output of a guest to one stream, up to a cap.
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

    /// Appends bytes, up to the cap.
    ///
    /// # Errors
    /// `RuntimeError` if not all bytes fit, which ends the guest: a success would hide that output was lost.
    pub(super) fn write(&self, bytes: &[u8]) -> Result<(), WasmError> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let room = self.cap - written.len();
        written.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if bytes.len() <= room {
            return Ok(());
        }
        Err(WasmError::runtime(format!(
            "the guest wrote more to {} than {} bytes",
            self.name, self.cap
        )))
    }
}
