//! `cargo conformance survey`: what modules need that others have published, and whether `host:wasm` takes them.
//!
//! A module is read ([`contents`]), compiled by wasmtime alone and by `host:wasm`, instantiated with stand-ins for its
//! imports, and run ([`stand_ins`]). All of this happens in processes of their own ([`worker`]), so that a crash of one
//! is a row of the report.

pub mod archive;
pub mod command;
pub mod contents;
pub mod html;
pub mod imports;
pub mod markdown;
pub mod proposals;
pub mod report;
mod script;
pub mod sources;
pub mod stand_ins;
pub mod table;
mod text;
pub mod worker;
