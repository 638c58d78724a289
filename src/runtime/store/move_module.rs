//! Moves a module to another engine.

use wasmtime::{Engine, Module};

/// Returns the code of `module` as a module of `engine`, whose settings may only differ in the choice of compilers
/// for the same machine.
///
/// # Errors
/// If the engine has other settings.
pub(crate) fn move_to_engine(module: &Module, engine: &Engine) -> wasmtime::Result<Module> {
    let code = module.serialize()?;
    // SAFETY: `deserialize` trusts the bytes to be machine code from `serialize`. These are, of a module that this
    // process compiled, and nothing else has had access to them.
    unsafe { Module::deserialize(engine, code) }
}
