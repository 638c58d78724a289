//! Build-time glue: makes the JavaScript, the `.d.ts` and the Rust of a `deno_core` extension from a TypeScript
//! module, and checks at build time everything that could fail at run time.
//!
//! # An extension
//!
//! `build.rs`:
//!
//! ```no_run
//! # let _ =
//! forge_weld::ExtensionBuilder::new("host_wasm", "host:wasm")
//!     .ts_path("ts/init.ts")
//!     .ops(&["op_wasm_compile", "op_wasm_call"])
//!     .state("init_state", &[("capabilities", "WasmCapabilities")])
//!     .generate_sdk_types("types")
//!     .build()
//!     .expect("weld");
//! ```
//!
//! `src/lib.rs`:
//!
//! ```ignore
//! use bridge::{op_wasm_call, op_wasm_compile};
//!
//! fn init_state(state: &mut deno_core::OpState, capabilities: WasmCapabilities) { /* … */ }
//!
//! include!(concat!(env!("OUT_DIR"), "/extension.rs"));
//! ```
//! A program then passes `host_wasm::init(capabilities)` to its `JsRuntime`. The file that includes the text needs
//! these names in scope: `deno_core`, every op, and the function and the types that are passed to
//! [`state`](ExtensionBuilder::state).
//! `build` writes to `OUT_DIR`:
//!
//! | file | contents |
//! |---|---|
//! | `extension.rs` | the call of `deno_core::extension!`; it contains the JavaScript as a literal, so a program
//! needs no other file |
//! | `init.js` | the JavaScript, for reading |
//! | `host-wasm.d.ts` | `declare module "host:wasm" { … }`: the exports and their doc comments |
//! | `host-wasm.md` | the same as a Markdown page |
//!
//! Template literals of an extension become additions, because QuickJS evaluates a template literal by a call of
//! `String.prototype.concat`, which a script of the app may have replaced. For an object, an addition calls `valueOf`
//! before `toString`.
//!
//! # The checked-in `.d.ts`
//! Editors need the declarations in the source tree, but a build should not change the source tree without a request.
//! With `FORGE_WELD_WRITE_TYPES=1`, a build writes `<directory>/host-wasm.d.ts`, and the page of
//! [`generate_api_page`](ExtensionBuilder::generate_api_page). A test of the extension crate checks that these files
//! are current:
//!
//! ```ignore
//! #[test]
//! fn checked_in_declarations_are_up_to_date() {
//!     assert_eq!(
//!         include_str!("../types/host-wasm.d.ts"),
//!         include_str!(concat!(env!("OUT_DIR"), "/host-wasm.d.ts")),
//!         "build with FORGE_WELD_WRITE_TYPES=1 and check the file in"
//!     );
//! }
//! ```
//! # Names and numbers that are defined in Rust
//!
//! The build script can make a TypeScript file: [`generated`](ExtensionBuilder::generated). The ops of an extension,
//! or the numbers that its ops return, are then defined once, in Rust. Such a file is checked in too. A build with
//! `FORGE_WELD_WRITE_TYPES=1` writes the file, and any other build fails if the file is stale.
//!
//! # An app
//! [`transpile`] converts the TypeScript of an app when it is loaded, with the same parser, the same checks and the
//! same form of errors as the builder.

#![warn(missing_docs)]

mod api_page;
mod ascii;
mod builder;
mod declarations;
mod error;
mod extension;
mod helper;
mod javascript;
mod modules;
mod ops;
mod source;
mod source_phase;
mod templates;
#[cfg(test)]
mod tests;
mod transpile;

pub use builder::ExtensionBuilder;
pub use error::{Error, Problem};
pub use modules::imported_files;
pub use transpile::{Transpiled, transpile};
