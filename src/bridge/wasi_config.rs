//! The WASI options of a store, as TypeScript passes them.

use std::path::PathBuf;

use deno_core::serde_json;
use serde::Deserialize;

use crate::runtime::{Network, Preopen, StdioConfig, WasiConfig, WasmError, WasmErrorCode};

/// `WasiConfig` of `host:wasm`, which TypeScript has checked: the arguments, the environment, the preopens (the guest's
/// name, the host's path, whether the folder is read-only), the network (what guests connect to, and listen at), and the
/// three streams.
type Wasi = (
    Vec<String>,
    Vec<(String, String)>,
    Vec<(String, PathBuf, bool)>,
    (Vec<String>, Vec<String>),
    (Stdio, Stdio, Stdio),
);

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Stdio {
    Null,
    Inherit,
    Piped,
    /// Bytes that are passed beside the JSON.
    Bytes,
}

impl Stdio {
    fn config(self, bytes: &[u8]) -> StdioConfig {
        match self {
            Self::Null => StdioConfig::Null,
            Self::Inherit => StdioConfig::Inherit,
            Self::Piped => StdioConfig::Piped,
            Self::Bytes => StdioConfig::Bytes(bytes.to_vec()),
        }
    }
}

/// The options in `json`. The standard input is `stdin`, where they say that it is bytes.
///
/// # Errors
/// `InstantiateError` if the JSON is not of that form.
pub(super) fn wasi_config(json: &str, stdin: &[u8]) -> Result<WasiConfig, WasmError> {
    let wasi: Result<Wasi, _> = serde_json::from_str(json);
    let (args, env, preopens, (connect, listen), (stdin_config, stdout, stderr)) =
        wasi.map_err(|error| {
            let message = format!("the option wasi is unusable: {error}");
            WasmError::new(WasmErrorCode::InstantiateError, message)
        })?;
    let preopens = preopens.into_iter();
    let preopens = preopens.map(|(guest, host, readonly)| Preopen {
        guest,
        host,
        readonly,
    });
    Ok(WasiConfig {
        args,
        env,
        preopens: preopens.collect(),
        network: Network { connect, listen },
        stdin: stdin_config.config(stdin),
        stdout: stdout.config(&[]),
        stderr: stderr.config(&[]),
    })
}
