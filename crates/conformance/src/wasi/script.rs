//! Programs run from TypeScript.

use std::cell::Cell;
use std::rc::Rc;

use anyhow::{Context as _, bail};
use deno_core::{OpState, op2};
use ext_wasm::WasmState;
use serde_json::json;

use super::guest::{End, Guest};
use crate::js::Js;

/// How the program ended, once it has: its status, or the error of its start.
#[derive(Clone, Default)]
struct Told(Rc<Cell<Option<Result<i32, String>>>>);

#[op2(fast)]
fn op_conformance_exited(state: &mut OpState, status: i32) {
    state.borrow::<Told>().0.set(Some(Ok(status)));
}

#[op2(fast)]
fn op_conformance_refused(state: &mut OpState, #[string] message: String) {
    state.borrow::<Told>().0.set(Some(Err(message)));
}

#[op2]
#[buffer]
fn op_conformance_binary(state: &mut OpState) -> Vec<u8> {
    std::mem::take(&mut state.borrow_mut::<Binary>().0)
}

/// The binary to run.
#[derive(Default)]
struct Binary(Vec<u8>);

deno_core::extension!(
    conformance_wasi,
    ops = [
        op_conformance_binary,
        op_conformance_exited,
        op_conformance_refused
    ],
    options = { told: Told, binary: Binary },
    state = |state, options| {
        state.put(options.told);
        state.put(options.binary);
    }
);

/// Runs a program.
///
/// # Errors
///
/// When it traps, or cannot be run.
pub(super) fn run(guest: &Guest) -> anyhow::Result<End> {
    let told = Told::default();
    let state = WasmState::new(guest.capabilities())?;
    let binary = Binary(guest.binary()?);
    let mut js = Js::new(state, conformance_wasi::init(told.clone(), binary))?;
    let wasi = json!({
        "args": guest.args(),
        "env": guest.env,
        "network": { "connect": guest.hosts(), "listen": guest.hosts() },
        "preopens": guest.root.as_ref().map_or(json!({}), |root| json!({ "/": root })),
        "stdin": "inherit",
        "stdout": "inherit",
        "stderr": "inherit",
    });
    let (compile, instantiate) = match guest.is_component() {
        true => ("compileComponent", "instantiateComponent"),
        false => ("compile", "instantiate"),
    };
    let call = &guest.call;
    let code = format!(
        "import {{ {compile}, {instantiate}, WasmErrorCode }} from 'host:wasm';
         const ops = Deno.core.ops;
         let instance;
         try {{
             instance = await {instantiate}(await {compile}(ops.op_conformance_binary()), {{}}, {{ wasi: {wasi} }});
         }} catch (error) {{
             const {{ CompileError, InstantiateError }} = WasmErrorCode;
             if (error.code !== CompileError && error.code !== InstantiateError) throw error;
             ops.op_conformance_refused(error.message);
         }}
         if (instance !== undefined) ops.op_conformance_exited(await instance.{call}());"
    );
    js.evaluate("conformance:wasi.js", code)?;
    match told.0.take().context("its call never ended")? {
        Ok(status) => Ok(End::Exited(status)),
        Err(message) if guest.is_component() => Ok(End::Refused(message)),
        Err(message) => bail!(message),
    }
}
