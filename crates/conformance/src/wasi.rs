//! The programs of [wasi-testsuite](https://github.com/WebAssembly/wasi-testsuite), which other runtimes run too.
//!
//! They are given as a path: the branch `prod/testsuite-base` of a checkout has the programs ready to run. Programs of
//! preview 1 run as they are, and once more as components of WASI 0.2, which an adapter makes of them ([`adapter`]).
//!
//! Each run has a process of its own ([`guest`]), whose streams are those of the program. Another one starts it and does the
//! operations that the specification of the program ([`specification`]) lists.

pub mod adapter;
pub mod command;
mod engine;
pub mod folder;
pub mod guest;
mod operations;
mod script;
pub mod specification;
