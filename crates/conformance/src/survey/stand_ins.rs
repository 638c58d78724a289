//! Runs a module through the Rust API, with stand-ins for its imports.
//!
//! A function that stands in returns zeros and null references. Memories, tables, globals and tags have the type that
//! the module asks for. WASI is `host:wasm`'s own, with no rights: a stand-in that returns zeros would offer folders
//! without end.

use ext_wasm::runtime::{ExternInfo, ImportInfo, Outcome, Stop, StoreOptions, WasmStore};
use ext_wasm::{
    ExportInfo, Import, RefHandle, WasiConfig, WasmError, WasmErrorCode, WasmInstance, WasmModule,
    WasmState, WasmValue,
};
use wasmtime::{GlobalType, MemoryTypeBuilder, Mutability, RefType, TableType, ValRaw, ValType};

use super::imports::given_by_wasi;
use super::report::{Call, Ended, Fence, Run};
use super::text::show;

/// The exports that are called rather than others, since they are made to be the first.
const FIRST: [&str; 4] = [
    INITIALIZE,
    "_start",
    "__wasm_call_ctors",
    "__wbindgen_start",
];

/// The function that `host:wasm` for TypeScript calls when it instantiates a module with WASI.
pub const INITIALIZE: &str = "_initialize";

/// Returns the name of the export that is called: a function without parameters.
pub fn callable(exports: &[ExportInfo]) -> Option<&str> {
    let is_callable = |export: &&ExportInfo| match &export.ty {
        ExternInfo::Function { params, .. } => params.is_empty(),
        _ => false,
    };
    let mut first = FIRST.iter().filter_map(|name| {
        let mut exports = exports.iter();
        exports
            .find(|export| export.name == *name)
            .filter(is_callable)
    });
    let export = first.next().or_else(|| exports.iter().find(is_callable));
    export.map(|export| export.name.as_str())
}

/// Instantiates a module, and calls an export, under a fence if there is one.
pub fn run(state: &WasmState, module: &WasmModule, fence: Option<Fence>) -> Run {
    let instance = match instantiate(state, module, fence) {
        Ok(Outcome::Returned(instance)) => instance,
        outcome => {
            return Run {
                instantiate: ended(outcome),
                call: None,
            };
        }
    };
    let call = callable(&module.exports).map(|name| Call {
        name: show(name),
        ended: ended(instance.func(name).and_then(|func| func.call(&[]))),
    });
    Run {
        instantiate: Ended::Returned,
        call,
    }
}

fn ended<T>(outcome: Result<Outcome<T>, WasmError>) -> Ended {
    match outcome {
        Ok(Outcome::Returned(_)) => Ended::Returned,
        Ok(Outcome::Exception(_)) => Ended::Threw,
        Ok(Outcome::Threw(_) | Outcome::Aborted) => Ended::Failed {
            message: "a stand-in ended the call".to_owned(),
        },
        Err(error) => Ended::of(&error),
    }
}

fn instantiate(
    state: &WasmState,
    module: &WasmModule,
    fence: Option<Fence>,
) -> Result<Outcome<WasmInstance>, WasmError> {
    let mut options = StoreOptions::default().with_wasi(WasiConfig::default());
    if let Some(Fence { fuel, timeout_ms }) = fence {
        options = options.with_fuel(fuel).with_timeout_ms(timeout_ms);
    }
    let (id, store) = state.new_store(options)?;
    let wasi = given_by_wasi(&module.imports);
    let imports = module.imports.iter().zip(wasi);
    let imports = imports.map(|(import, is_wasi)| match is_wasi {
        true => Ok(Import::Wasi),
        false => stand_in(&store, import),
    });
    let imports = imports.collect::<Result<Vec<_>, _>>()?;
    state.instantiate(module.id, id, imports)
}

fn stand_in(store: &WasmStore, import: &ImportInfo) -> Result<Import, WasmError> {
    let stand_in = match &import.ty {
        ExternInfo::Function { results, .. } => Ok(function(results)),
        ExternInfo::Memory {
            minimum,
            maximum,
            shared,
            address,
        } => MemoryTypeBuilder::new()
            .min(*minimum)
            .max(*maximum)
            .shared(*shared)
            .memory64(*address == "i64")
            .build()
            .map_err(|error| no_stand_in(&error.to_string()))
            .and_then(|ty| Ok(Import::Memory(store.new_memory(ty)?.handle()))),
        ExternInfo::Global { value, mutable } => value_type(value).and_then(|ty| {
            let zero = zero(&ty);
            let mutability = match mutable {
                true => Mutability::Var,
                false => Mutability::Const,
            };
            let global = store.new_global(GlobalType::new(ty, mutability), &zero)?;
            Ok(Import::Global(global.handle()))
        }),
        ExternInfo::Table {
            element,
            minimum,
            maximum,
            address,
        } => value_type(element).and_then(|ty| table(store, &ty, *minimum, *maximum, address)),
        ExternInfo::Tag { params } => params
            .iter()
            .map(|ty| value_type(ty))
            .collect::<Result<Vec<_>, _>>()
            .and_then(|params| Ok(Import::Tag(store.new_tag(params)?))),
        _ => Err(no_stand_in("a kind of import that is new")),
    };
    stand_in.map_err(|error| {
        let name = show(&format!("{}.{}", import.module, import.name));
        WasmError::new(error.code, format!("import {name}: {}", error.message))
    })
}

fn table(
    store: &WasmStore,
    element: &ValType,
    minimum: u64,
    maximum: Option<u64>,
    address: &str,
) -> Result<Import, WasmError> {
    let Some(element) = element.as_ref() else {
        return Err(no_stand_in("a table without references"));
    };
    let ty = match address {
        "i64" => TableType::new64(element.clone(), minimum, maximum),
        _ => {
            let fits = |size: u64| {
                u32::try_from(size).map_err(|_| no_stand_in("a table beyond its own indices"))
            };
            let maximum = maximum.map(fits).transpose()?;
            TableType::new(element.clone(), fits(minimum)?, maximum)
        }
    };
    Ok(Import::Table(
        store.new_table(ty, &ValRaw::u64(0))?.handle(),
    ))
}

fn function(results: &[String]) -> Import {
    let results: Vec<Option<WasmValue>> = results.iter().map(|ty| zero_value(ty)).collect();
    let results: Option<Vec<WasmValue>> = results.into_iter().collect();
    Import::func(move |_, _| match &results {
        Some(results) => Ok(results.clone()),
        None => Err(Stop::Error(no_stand_in("a result that cannot be null"))),
    })
}

fn zero_value(ty: &str) -> Option<WasmValue> {
    Some(match ty {
        "i32" => WasmValue::I32(0),
        "i64" => WasmValue::I64(0),
        "f32" => WasmValue::F32(0.0),
        "f64" => WasmValue::F64(0.0),
        "v128" => WasmValue::V128(0),
        ty if ty.ends_with("ref") || ty.starts_with("(ref null ") => {
            WasmValue::Ref(RefHandle::Null)
        }
        _ => return None,
    })
}

fn zero(ty: &ValType) -> ValRaw {
    match ty {
        ValType::I32 => ValRaw::i32(0),
        ValType::F32 => ValRaw::f32(0),
        ValType::F64 => ValRaw::f64(0),
        ValType::V128 => ValRaw::v128(0),
        ValType::I64 | ValType::Ref(_) => ValRaw::u64(0),
    }
}

/// Returns the type of this name. A type that a module defines has no name outside of it.
fn value_type(name: &str) -> Result<ValType, WasmError> {
    Ok(match name {
        "i32" => ValType::I32,
        "i64" => ValType::I64,
        "f32" => ValType::F32,
        "f64" => ValType::F64,
        "v128" => ValType::V128,
        "funcref" => ValType::FUNCREF,
        "externref" => ValType::EXTERNREF,
        "anyref" => ValType::ANYREF,
        "exnref" => ValType::Ref(RefType::new(true, wasmtime::HeapType::Exn)),
        name => return Err(no_stand_in(&format!("the type {name}"))),
    })
}

fn no_stand_in(what: &str) -> WasmError {
    let message = format!("no stand-in: {what}");
    WasmError::new(WasmErrorCode::InstantiateError, message)
}
