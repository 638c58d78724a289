//! Instantiation of modules, and access to the exports of instances.

use std::sync::Arc;

use wasmtime::{AsContextMut, Extern, Instance, Linker, Module, StoreContextMut};

use crate::runtime::base::error::WasmError;
use crate::runtime::base::text;
use crate::runtime::base::types::{ExportInfo, ExportKind, ImportInfo};
use crate::runtime::base::value::WasmValue;
use crate::runtime::engine::limiter::Mark;
use crate::runtime::linking::host_imports::{HostImports, link_once};
use crate::runtime::linking::wasi;
use crate::runtime::module::{Compiled, Reexport, WasmModule};
use crate::runtime::objects::func::WasmFunc;
use crate::runtime::objects::memory::WasmMemory;
use crate::runtime::rewrite::ExportNames;
use crate::runtime::store::host_function::{HostFunction, Stop, ValuesFn, ValuesFunction};
use crate::runtime::store::{LinearMemory, Outcome, StoreData, WasmStore, outcome, ran};

/// An instance of a module in a store.
#[derive(Clone)]
#[non_exhaustive]
pub struct WasmInstance {
    /// The handle of the instance, unique for the life of the state that made it.
    pub id: u32,
    /// The handle of the module.
    pub module_id: u32,
    /// The exports, in the module's order.
    pub exports: Arc<[ExportInfo]>,
    /// The names of the exports in wasmtime's instance, if they differ.
    export_names: Option<Arc<ExportNames>>,
    store: WasmStore,
    instance: Instance,
}

/// The object that satisfies an import. The numbers are handles of the instance's store.
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
    /// A function of the host. It gets the type that the module declares.
    Host(Box<dyn HostFunction>),
    /// A function of the host that takes and returns values: see [`Import::func`].
    Values(Box<ValuesFn>),
    /// The WASI function that the module names. The store has to have WASI.
    Wasi,
}

impl Import {
    /// A function of the host that takes and returns values of the types that the module declares.
    ///
    /// A call ends with `TypeMismatch` if the function returns values of other types.
    pub fn func(
        run: impl Fn(&WasmStore, &[WasmValue]) -> Result<Vec<WasmValue>, Stop> + Send + Sync + 'static,
    ) -> Self {
        Self::Values(Box::new(run))
    }
}

/// Returns the linker with the WASI functions for the engine of the store.
pub(crate) type WasiLinker<'a> = &'a dyn Fn() -> Result<&'a Linker<StoreData>, WasmError>;

/// The module and the store of a new instance.
pub(crate) struct Instantiation<'a> {
    pub(crate) id: u32,
    pub(crate) module: &'a WasmModule,
    /// The code of the module, compiled for the engine of the store.
    pub(crate) code: &'a Compiled,
    pub(crate) store: &'a WasmStore,
}

/// The imports of an instance that is being made, in the module's order.
#[derive(Clone, Copy)]
enum Imported<'a> {
    Externs(&'a [Extern]),
    /// Host functions that wasmtime makes, with their numbers.
    Numbers(&'a [Option<u32>]),
}

impl Instantiation<'_> {
    /// Makes an instance with these imports.
    pub(crate) fn link(
        &self,
        imports: Vec<Import>,
        wasi: WasiLinker<'_>,
    ) -> Result<Outcome<WasmInstance>, WasmError> {
        let externs = self.externs(imports, wasi)?;
        self.instantiate(Imported::Externs(&externs), |store| {
            Instance::new(store, &self.code.module, &externs)
        })
    }

    /// Makes an instance with the functions of `H` as imports. The module has to import only functions.
    pub(crate) fn host<H: HostImports>(&self) -> Result<Outcome<WasmInstance>, WasmError> {
        let imports = &self.module.imports;
        if let Some(linked) = link_once::<H>(self.code, imports) {
            return self.instantiate(Imported::Numbers(linked.numbers), |store| {
                self.store.expect_host_funcs();
                linked.module.instantiate(store)
            });
        }
        let typed = imports.iter().zip(&self.code.functions).enumerate();
        let externs = typed.map(|(number, (import, ty))| {
            let ty = ty.as_ref().ok_or_else(not_a_function_import);
            let func =
                ty.and_then(|ty| self.store.host_func(ty, H::function(number, import).into()));
            func.map(Extern::Func)
                .map_err(|error| error.of_import(import))
        });
        let externs = externs.collect::<Result<Vec<_>, _>>()?;
        self.instantiate(Imported::Externs(&externs), |store| {
            Instance::new(store, &self.code.module, &externs)
        })
    }

    /// Lets wasmtime make an instance and run its start function.
    fn instantiate(
        &self,
        imported: Imported<'_>,
        instantiate: impl FnOnce(StoreContextMut<'_, StoreData>) -> wasmtime::Result<Instance>,
    ) -> Result<Outcome<WasmInstance>, WasmError> {
        let outcome = self.store.run(|mut store| {
            let code = &self.module.code;
            let (debug_info, offsets) = (code.debug_info.as_ref(), code.offsets.as_ref());
            let data = store.data_mut();
            let limits = &mut data.limits;
            limits.take_refusal();
            let mark = limits.mark();
            limits.reserve_shared(self.module.code.profile.shared_growth)?;
            self.store.occupy_place()?;
            limits.expect_instance();
            let is_new = data.add_module(&self.code.module, self.module.id, debug_info, offsets);
            match instantiate(store.as_context_mut()) {
                Ok(instance) => {
                    store.data_mut().count_instance();
                    self.add_reexports(store, &instance, imported);
                    Ok(Outcome::Returned(instance))
                }
                Err(error) => {
                    if !ran(&error) {
                        self.store.vacate_place();
                        store.data_mut().limits.forget_instance();
                    }
                    let added = is_new.then_some(&self.code.module);
                    instantiation_error(store, &error, &mark, added)
                }
            }
        })?;
        Ok(outcome.map(|instance| WasmInstance {
            id: self.id,
            module_id: self.module.id,
            exports: self.module.exports.clone(),
            export_names: self.code.export_names.clone(),
            store: self.store.clone(),
            instance,
        }))
    }

    /// Records which exported functions of a new instance are functions that it imports.
    fn add_reexports(
        &self,
        mut store: StoreContextMut<'_, StoreData>,
        instance: &Instance,
        imported: Imported<'_>,
    ) {
        for Reexport { name, import } in self.module.code.reexports() {
            let name = match &self.code.export_names {
                Some(names) => names.resolve(name),
                None => Some(&**name),
            };
            let own = name.and_then(|name| instance.get_func(&mut store, name));
            let Some(own) = own else { continue };
            let store = store.as_context_mut();
            match imported {
                Imported::Externs(externs) => {
                    if let Some(Extern::Func(original)) = externs.get(*import) {
                        StoreData::add_reexport(store, &own, original);
                    }
                }
                Imported::Numbers(numbers) => {
                    if let Some(Some(number)) = numbers.get(*import) {
                        StoreData::add_host_func(store, &own, *number);
                    }
                }
            }
        }
    }

    /// Resolves `imports`, which are in the module's order.
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

    /// Resolves the import with index `i` of the module.
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
                None => Err(not_a_function_import()),
            },
            Import::Values(run) => match &self.code.functions[i] {
                Some(ty) => {
                    let signature = ty.signature.clone();
                    let host = Arc::new(ValuesFunction { signature, run });
                    store.host_func(ty, host).map(Extern::Func)
                }
                None => Err(not_a_function_import()),
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
    /// Returns the store of the instance.
    pub fn store(&self) -> &WasmStore {
        &self.store
    }

    /// Calls the exported function `name`, and returns its results.
    ///
    /// The error does not contain the value that a host function threw or the exception of a guest; to get it, call
    /// the function of [`WasmInstance::func`].
    ///
    /// # Errors
    /// `FunctionNotFound` if there is no exported function of that name; `TypeMismatch` if the arguments do not fit
    /// its parameters; `RuntimeError` if the function trapped or threw, or the store is busy; `FuelExhausted` if
    /// the fuel ran out.
    pub fn call(&self, name: &str, args: &[WasmValue]) -> Result<Vec<WasmValue>, WasmError> {
        self.func(name)?.call(args)?.returned()
    }

    /// Returns the exported function `name`.
    ///
    /// # Errors
    /// `FunctionNotFound` if there is no export of this name, or it is not a function.
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

    /// Returns the exported memory `name`.
    ///
    /// # Errors
    /// `MemoryError` if there is no export of this name, or it is not a memory.
    pub fn memory(&self, name: &str) -> Result<WasmMemory, WasmError> {
        match self.export(name) {
            Ok((ExportKind::Memory, handle)) => self.store.memory(handle),
            _ => Err(WasmError::memory(format!(
                "no memory named {}",
                text::quote(name)
            ))),
        }
    }

    /// Returns the kind of the export `name` and its handle in the store, which is the same each time.
    ///
    /// # Errors
    /// `FunctionNotFound` if there is no export of this name.
    pub fn export(&self, name: &str) -> Result<(ExportKind, u32), WasmError> {
        self.store.with(|mut store| {
            let own_name = match &self.export_names {
                Some(names) => names.resolve(name),
                None => Some(name),
            };
            let export = own_name.and_then(|name| self.instance.get_export(&mut store, name));
            let export = export.ok_or_else(|| {
                WasmError::not_found(format!("no export named {}", text::quote(name)))
            })?;
            export_handle(store, export)
        })
    }
}

/// The error of a host function given for an import that is not a function.
fn not_a_function_import() -> WasmError {
    WasmError::instantiate("a function is no such import")
}

/// Handles an error of wasmtime's instantiation: the start function failed, or linking failed before it ran. `added` is
/// the module if this instantiation added it to the store.
fn instantiation_error(
    mut store: StoreContextMut<'_, StoreData>,
    error: &wasmtime::Error,
    mark: &Mark,
    added: Option<&Module>,
) -> Result<Outcome<Instance>, WasmError> {
    if ran(error) {
        // The start function ran, so the instance exists, and its memories stay in the store.
        store.data_mut().count_instance();
        return outcome(store, error);
    }
    let data = store.data_mut();
    if let Some(module) = added {
        data.remove_module(module);
    }
    let limits = &mut data.limits;
    limits.undo(mark);
    Err(match limits.take_refusal() {
        Some(why) => WasmError::instantiate(format!("cannot instantiate: {why}")),
        None => WasmError::instantiate(format!("cannot instantiate: {}", text::one_line(error))),
    })
}

/// Returns the kind of an export and its handle in the store.
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
