//! Guest code that copies between arrays of 16-bit numbers and arrays of bytes.
//!
//! The code units of JavaScript's strings are in arrays of 16-bit numbers. wasmtime copies arrays of bytes as a whole,
//! and other arrays by one call of the host for each element, which takes a hundred times as long. Guest code is as
//! quick as a copy, and ends where the fuel or the time of its store ends.

use wasmtime::{Engine, Module};

use crate::runtime::base::error::WasmError;

/// Both functions expect that the arrays are long enough. Bytes are in little-endian order.
const MODULE: &str = r#"(module
    (type $units (array (mut i16)))
    (type $bytes (array (mut i8)))
    (func (export "read") (param $units (ref $units)) (param $start i32) (param $count i32) (result (ref $bytes))
        (local $bytes (ref $bytes)) (local $at i32) (local $unit i32)
        (local.set $bytes (array.new_default $bytes (i32.shl (local.get $count) (i32.const 1))))
        (block $done
            (loop $next
                (br_if $done (i32.ge_u (local.get $at) (local.get $count)))
                (local.set $unit
                    (array.get_u $units (local.get $units) (i32.add (local.get $start) (local.get $at))))
                (array.set $bytes (local.get $bytes) (i32.shl (local.get $at) (i32.const 1)) (local.get $unit))
                (array.set $bytes (local.get $bytes)
                    (i32.or (i32.shl (local.get $at) (i32.const 1)) (i32.const 1))
                    (i32.shr_u (local.get $unit) (i32.const 8)))
                (local.set $at (i32.add (local.get $at) (i32.const 1)))
                (br $next)))
        (local.get $bytes))
    (func (export "write") (param $units (ref $units)) (param $start i32) (param $bytes (ref $bytes))
        (local $at i32)
        (block $done
            (loop $next
                (br_if $done (i32.ge_u (local.get $at) (array.len (local.get $bytes))))
                (array.set $units (local.get $units)
                    (i32.add (local.get $start) (i32.shr_u (local.get $at) (i32.const 1)))
                    (i32.or
                        (array.get_u $bytes (local.get $bytes) (local.get $at))
                        (i32.shl
                            (array.get_u $bytes (local.get $bytes) (i32.add (local.get $at) (i32.const 1)))
                            (i32.const 8))))
                (local.set $at (i32.add (local.get $at) (i32.const 2)))
                (br $next)))))"#;

/// Compiles the code for an engine.
///
/// # Errors
/// `CompileError` if the engine has the garbage-collected types off.
pub(super) fn compile(engine: &Engine) -> Result<Module, WasmError> {
    let failed = |error: String| WasmError::compile(format!("the copying of arrays: {error}"));
    let wasm = wat::parse_str(MODULE).map_err(|error| failed(error.to_string()))?;
    Module::from_binary(engine, &wasm).map_err(|error| failed(format!("{error:#}")))
}
