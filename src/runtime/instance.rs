//! From a module and its imports to an instance.

use std::sync::Arc;

use wasmtime::{AsContextMut, Extern, Instance, Linker, StoreContextMut};

use crate::runtime::base::error::WasmError;
use crate::runtime::base::text;
use crate::runtime::base::types::{ExportInfo, ExportKind, ImportInfo};
use crate::runtime::base::value::WasmValue;
use crate::runtime::engine::limiter::Mark;
use crate::runtime::linking::host_imports::{HostImports, link_once};
use crate::runtime::linking::wasi;
use crate::runtime::module::{Compiled, WasmModule};
use crate::runtime::objects::func::WasmFunc;
use crate::runtime::objects::memory::WasmMemory;
use crate::runtime::store::host_function::{HostFunction, Stop, ValuesFn, ValuesFunction};
use crate::runtime::store::{LinearMemory, Outcome, StoreData, WasmStore, outcome, ran};

/// A module brought to life in a store.
#[derive(Clone)]
#[non_exhaustive]
pub struct WasmInstance {
    /// Its handle, unique for the life of the state that made it.
    pub id: u32,
    /// The module it was made of.
    pub module_id: u32,
    /// What it exports, in the module's order.
    pub exports: Arc<[ExportInfo]>,
    store: WasmStore,
    instance: Instance,
}

/// What an import is satisfied with. The numbers are handles of the instance's own store.
pub enum Import {
    /// A function of the store.
    Func(u32),
    /// A memory of the store.
    Memory(u32),
    /// A global of the store.
    Global(u32),
    /// A table of the store.
    Table(u32),
    /// A tag of the store.
    Tag(u32),
    /// A function of the host, of the type that the module declares.
    Host(Box<dyn HostFunction>),
    /// The same, one that takes and returns values: see [`Import::func`].
    Values(Box<ValuesFn>),
    /// The function of WASI that the module names, for a store that has WASI.
    Wasi,
}

impl Import {
    /// A function of the host that takes values of the types that the module declares, and returns such values.
    ///
    /// A call ends with `TypeMismatch` if the function returns others.
    pub fn func(
        run: impl Fn(&WasmStore, &[WasmValue]) -> Result<Vec<WasmValue>, Stop> + Send + Sync + 'static,
    ) -> Self {
        Self::Values(Box::new(run))
    }
}

/// How the functions of WASI are come by.
pub(crate) type WasiLinker<'a> = &'a dyn Fn() -> Result<&'a Linker<StoreData>, WasmError>;

/// What an instance is made of, except for its imports.
pub(crate) struct Instantiation<'a> {
    pub(crate) id: u32,
    pub(crate) module: &'a WasmModule,
    /// That of the module, compiled for the engine of the store.
    pub(crate) code: &'a Compiled,
    pub(crate) store: &'a WasmStore,
}

impl Instantiation<'_> {
    /// Makes an instance with these imports.
    pub(crate) fn link(
        &self,
        imports: Vec<Import>,
        wasi: WasiLinker<'_>,
    ) -> Result<Outcome<WasmInstance>, WasmError> {
        let externs = self.externs(imports, wasi)?;
        self.instantiate(|store| Instance::new(store, &self.code.module, &externs))
    }

    /// Makes an instance whose imports, all of which are functions, are those of `H`.
    pub(crate) fn host<H: HostImports>(&self) -> Result<Outcome<WasmInstance>, WasmError> {
        let imports = &self.module.imports;
        if let Some(linked) = link_once::<H>(self.code, imports) {
            return self.instantiate(|store| {
                self.store.expect_host_funcs();
                linked.instantiate(store)
            });
        }
        let typed = imports.iter().zip(&self.code.functions).enumerate();
        let externs = typed.map(|(number, (import, ty))| {
            let ty = ty.as_ref().ok_or_else(no_function);
            let func =
                ty.and_then(|ty| self.store.host_func(ty, H::function(number, import).into()));
            func.map(Extern::Func)
                .map_err(|error| error.of_import(import))
        });
        let externs = externs.collect::<Result<Vec<_>, _>>()?;
        self.instantiate(|store| Instance::new(store, &self.code.module, &externs))
    }

    /// Has wasmtime make an instance, and run its start function.
    fn instantiate(
        &self,
        instantiate: impl FnOnce(StoreContextMut<'_, StoreData>) -> wasmtime::Result<Instance>,
    ) -> Result<Outcome<WasmInstance>, WasmError> {
        let made = self.store.run(|mut store| {
            let limits = &mut store.data_mut().limits;
            limits.take_refusal();
            let mark = limits.mark();
            limits.reserve_shared(self.module.code.profile.shared_growth)?;
            match instantiate(store.as_context_mut()) {
                Ok(instance) => {
                    store.data_mut().count_instance();
                    Ok(Outcome::Returned(instance))
                }
                Err(error) => failed(store, &error, &mark),
            }
        })?;
        Ok(made.map(|instance| WasmInstance {
            id: self.id,
            module_id: self.module.id,
            exports: self.module.exports.clone(),
            store: self.store.clone(),
            instance,
        }))
    }

    /// What `imports` stand for, in the module's order.
    fn externs(
        &self,
        imports: Vec<Import>,
        wasi: WasiLinker<'_>,
    ) -> Result<Vec<Extern>, WasmError> {
        let declared = &self.module.imports;
        if imports.len() != declared.len() {
            return Err(WasmError::instantiate(format!(
                "the module has {} imports, {} were given",
                declared.len(),
                imports.len()
            )));
        }
        let resolved = imports.into_iter().enumerate().map(|(i, import)| {
            let found = self.extern_of(import, i, wasi);
            found.map_err(|error| error.of_import(&declared[i]))
        });
        resolved.collect()
    }

    /// What the module's import of this number is satisfied with.
    fn extern_of(
        &self,
        import: Import,
        i: usize,
        wasi: WasiLinker<'_>,
    ) -> Result<Extern, WasmError> {
        let store = self.store;
        match import {
            Import::Host(host) => match &self.code.functions[i] {
                Some(ty) => store.host_func(ty, host.into()).map(Extern::Func),
                None => Err(no_function()),
            },
            Import::Values(run) => match &self.code.functions[i] {
                Some(ty) => {
                    let signature = ty.signature.clone();
                    let host = Arc::new(ValuesFunction { signature, run });
                    store.host_func(ty, host).map(Extern::Func)
                }
                None => Err(no_function()),
            },
            Import::Func(handle) => store.with(|s| Ok(s.data().funcs.get(handle)?.func.into())),
            Import::Memory(handle) => store.with(|s| {
                Ok(match s.data().memories.get(handle)? {
                    LinearMemory::Own(memory) => (*memory).into(),
                    LinearMemory::Shared(memory) => memory.clone().into(),
                })
            }),
            Import::Global(handle) => store.with(|s| Ok((*s.data().globals.get(handle)?).into())),
            Import::Table(handle) => store.with(|s| Ok((*s.data().tables.get(handle)?).into())),
            Import::Tag(handle) => store.with(|s| Ok((*s.data().tags.get(handle)?).into())),
            Import::Wasi => {
                let linker = wasi()?;
                let ImportInfo { module, name, .. } = &self.module.imports[i];
                store.with(|s| wasi::function(s, linker, module, name))
            }
        }
    }
}

impl WasmInstance {
    /// The store it lives in.
    pub fn store(&self) -> &WasmStore {
        &self.store
    }

    /// Calls the function that is exported as `name`, and returns its results.
    ///
    /// For what a host function threw, or an exception of the guest's, call [`WasmInstance::func`].
    ///
    /// # Errors
    /// `FunctionNotFound` if there is no such function; `TypeMismatch` if the arguments do not fit its parameters;
    /// `RuntimeError` if it trapped or threw, or the store is busy; `FuelExhausted`.
    pub fn call(&self, name: &str, args: &[WasmValue]) -> Result<Vec<WasmValue>, WasmError> {
        self.func(name)?.call(args)?.returned()
    }

    /// The function that is exported as `name`.
    ///
    /// # Errors
    /// `FunctionNotFound` if there is no such export, or it is not a function.
    pub fn func(&self, name: &str) -> Result<WasmFunc, WasmError> {
        match self.export(name)? {
            (ExportKind::Function, handle) => self.store.func(handle),
            _ => {
                let name = text::quote(name);
                Err(WasmError::not_found(format!(
                    "export {name} is not a function"
                )))
            }
        }
    }

    /// The memory that is exported as `name`.
    ///
    /// # Errors
    /// `MemoryError` if there is no such export, or it is not a memory.
    pub fn memory(&self, name: &str) -> Result<WasmMemory, WasmError> {
        match self.export(name) {
            Ok((ExportKind::Memory, handle)) => self.store.memory(handle),
            _ => Err(WasmError::memory(format!(
                "no memory named {}",
                text::quote(name)
            ))),
        }
    }

    /// The kind of the export `name` and the handle that it has in the store, the same each time.
    ///
    /// # Errors
    /// `FunctionNotFound` if there is no such export.
    pub fn export(&self, name: &str) -> Result<(ExportKind, u32), WasmError> {
        self.store.with(|mut store| {
            let export = self.instance.get_export(&mut store, name);
            let export = export.ok_or_else(|| {
                WasmError::not_found(format!("no export named {}", text::quote(name)))
            })?;
            export_handle(store, export)
        })
    }
}

/// For a function of the host in the place of something else.
fn no_function() -> WasmError {
    WasmError::instantiate("a function is no such import")
}

/// Why wasmtime did not make an instance: its start function ran into something, or it never
/// got that far.
fn failed(
    mut store: StoreContextMut<'_, StoreData>,
    error: &wasmtime::Error,
    mark: &Mark,
) -> Result<Outcome<Instance>, WasmError> {
    if ran(error) {
        // It failed after it was linked: its memories stay in the store.
        store.data_mut().count_instance();
        return outcome(store, error);
    }
    let limits = &mut store.data_mut().limits;
    limits.undo(mark);
    Err(match limits.take_refusal() {
        Some(why) => WasmError::instantiate(format!("cannot instantiate: {why}")),
        None => WasmError::instantiate(format!("cannot instantiate: {}", text::one_line(error))),
    })
}

/// The kind of what a module exports, and its handle in the store.
fn export_handle(
    mut store: StoreContextMut<'_, StoreData>,
    export: Extern,
) -> Result<(ExportKind, u32), WasmError> {
    let data = store.data_mut();
    Ok(match export {
        Extern::Func(func) => (ExportKind::Function, StoreData::func_handle(store, func)?),
        Extern::Memory(memory) => {
            let handle = data.memory_handle(LinearMemory::Own(memory))?;
            (ExportKind::Memory, handle)
        }
        Extern::SharedMemory(memory) => {
            let handle = data.memory_handle(LinearMemory::Shared(memory))?;
            (ExportKind::Memory, handle)
        }
        Extern::Global(global) => (ExportKind::Global, data.global_handle(global)?),
        Extern::Table(table) => (ExportKind::Table, data.table_handle(table)?),
        Extern::Tag(tag) => (ExportKind::Tag, data.tag_handle(tag)?),
    })
}
