//! Build-time glue: one TypeScript file to the JavaScript, the `.d.ts` and the Rust of a
//! `deno_core` extension.
mod ascii;
mod builder;
mod declarations;
mod error;
mod extension;
mod helper;
mod javascript;
mod ops;
mod source;
#[cfg(test)]
mod tests;
mod transpile;

pub use builder::ExtensionBuilder;
pub use error::{Error, Problem};
pub use transpile::{Transpiled, transpile};
