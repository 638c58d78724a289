//! Build-time glue: a TypeScript module to the JavaScript, the `.d.ts` and the Rust of a
//! `deno_core` extension, with everything that could fail at run time checked when it is built.
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
//!
//! A program then passes `host_wasm::init(capabilities)` to its `JsRuntime`. Where the text is
//! included, these names must be in scope: `deno_core`, every op, and the function and the types
//! that [`state`](ExtensionBuilder::state) mentions.
//!
//! `build` leaves in `OUT_DIR`:
//!
//! | file | what it is |
//! |---|---|
//! | `extension.rs` | the `deno_core::extension!` call; the JavaScript is a literal in it, so a program needs no file beside it |
//! | `init.js` | the JavaScript, to look at |
//! | `host-wasm.d.ts` | `declare module "host:wasm" { … }`: the exports and their doc comments |
//! | `host-wasm.md` | the same for people: a page of Markdown |
//!
//! Template literals of an extension become additions: QuickJS evaluates them by a call of
//! `String.prototype.concat`, which a script of the app may have replaced. An object in one is asked
//! for `valueOf` before `toString`.
//!
//! # The checked-in `.d.ts`
//!
//! Editors want the declarations in the source tree, but a build that writes there surprises
//! everybody. So a build leaves the source tree alone, unless it runs with
//! `FORGE_WELD_WRITE_TYPES=1`; then it writes `<directory>/host-wasm.d.ts`, and the page that
//! [`generate_api_page`](ExtensionBuilder::generate_api_page) names. A test of the extension crate
//! makes sure that these files are current:
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
//!
//! # Names and numbers that Rust states
//!
//! A TypeScript file can be made by the build script: [`generated`](ExtensionBuilder::generated). The ops of an
//! extension, or the numbers that its ops return, are then stated once, in Rust. Such a file is checked in as well, and
//! is written with `FORGE_WELD_WRITE_TYPES=1`; any other build fails if it is stale.
//!
//! # An app
//!
//! [`transpile`] does for an app's own TypeScript, when it is loaded, what the builder does for an
//! extension's: same parser, same checks, same form of errors.

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
mod templates;
#[cfg(test)]
mod tests;
mod transpile;

pub use builder::ExtensionBuilder;
pub use error::{Error, Problem};
pub use modules::imported_files;
pub use transpile::{Transpiled, transpile};
