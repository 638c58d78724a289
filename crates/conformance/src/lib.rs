//! Runs WebAssembly scripts (`.wast`, or as JSON) and fixtures (`.wat`) on any runtime.
//!
//! A runtime implements [`host::Host`], five methods, and more if it has components or threads. The harness has the rest: it finds
//! the scripts ([`suite`]), parses them ([`script`], [`wast_json`]), runs them ([`wast`]), compares results ([`compare`]), knows the
//! directives that do not pass ([`expectations`]) and reports ([`report`]). [`run::run_file`] runs one file;
//! [`hosts::wasmi`] is a whole host in under 200 lines.
//!
//! ```no_run
//! use conformance::features::{Features, Version};
//! use conformance::hosts::engine::EngineHost;
//! use conformance::{run, suite};
//!
//! let features = Features::of(Version::V1);
//! for file in suite::find("wasm-1.0")? {
//!     let run = run::run_file(&file, &features, &[], &|features| {
//!         Ok(Box::new(EngineHost::new(features)?))
//!     });
//!     println!("{}: {} directives", file.label(), run.outcomes.len());
//! }
//! # anyhow::Ok(())
//! ```
//!
//! The command `cargo conformance` runs many files in worker processes ([`pool`], [`worker`]), and
//! `cargo conformance fuzz` looks for modules that two hosts do not run alike ([`fuzz`]). `cargo conformance survey` says
//! what modules need that others have published ([`survey`]), and `cargo conformance js-api` runs the official tests of
//! WebAssembly's JavaScript API ([`js_api`]). `cargo conformance wasi` runs the programs of wasi-testsuite ([`wasi`]).
//!
//! It fails closed. A script that cannot be read or parsed is a failure, and so are a directive that is not supported, a
//! panic, a crash or a hang of a worker, and a suite that has become smaller.

pub mod baseline;
pub mod checkout;
pub mod cli;
pub mod compare;
pub mod component;
pub mod config;
pub mod expectations;
pub mod features;
mod files;
pub mod fixture;
pub mod fuzz;
pub mod host;
pub mod hosts;
pub mod html;
pub mod js;
pub mod js_api;
pub mod judge;
pub mod junit;
pub mod lane;
mod one_or_more;
pub mod outcome;
pub mod pool;
pub mod process;
mod progress;
pub mod report;
mod report_files;
pub mod run;
pub mod script;
pub mod selection;
pub mod spectest;
pub mod suite;
pub mod survey;
pub mod table;
pub mod value;
pub mod wasi;
pub mod wast;
pub mod wast_json;
pub mod worker;
