//! The names of the web that `deno_web` has.

use std::sync::Arc;

use deno_core::Extension;
use deno_web::{BlobStore, InMemoryBroadcastChannel};

deno_core::extension!(
    web_globals,
    deps = [deno_web],
    esm_entry_point = "ext:web_globals/globals.js",
    esm = ["ext:web_globals/globals.js" = {
        source = r#"
            import { core } from "ext:core/mod.js";
            const load = (file) => core.loadExtScript(`ext:deno_web/${file}`);
            const files = [
                ["00_url.js", "URL", "URLSearchParams"],
                ["01_dom_exception.js", "DOMException"],
                ["02_event.js", "Event", "EventTarget"],
                ["02_timers.js", "setTimeout", "setInterval", "clearTimeout", "clearInterval"],
                ["03_abort_signal.js", "AbortController", "AbortSignal"],
                ["05_base64.js", "atob", "btoa"],
                ["06_streams.js", "ReadableStream", "TransformStream", "WritableStream"],
                ["08_text_encoding.js", "TextDecoder", "TextEncoder"],
                ["09_file.js", "Blob", "File"],
                ["14_compression.js", "CompressionStream", "DecompressionStream"],
                ["15_performance.js", "performance"],
                ["16_image_data.js", "ImageData"],
            ];
            for (const [file, ...names] of files) {
                const script = load(file);
                for (const name of names) {
                    const value = script[name];
                    const flags = { writable: true, enumerable: false, configurable: true };
                    Object.defineProperty(globalThis, name, { value, ...flags });
                }
            }
        "#
    }],
);

/// The extensions that define the names, and then another one.
pub fn with(extension: Extension) -> Vec<Extension> {
    let blobs = Arc::new(BlobStore::default());
    let channels = InMemoryBroadcastChannel::default();
    vec![
        deno_webidl::deno_webidl::init(),
        deno_web::deno_web::init(blobs, None, false, channels),
        web_globals::init(),
        extension,
    ]
}
