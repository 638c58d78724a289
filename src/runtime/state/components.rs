//! Components and their instances.

use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use wasmtime::component::Val;

use crate::runtime::base::error::WasmError;
use crate::runtime::base::options::{CallOptions, Checks, StoreOptions};
use crate::runtime::component::encoding::{self, Reader};
use crate::runtime::component::images::ValuesImport;
use crate::runtime::component::instance::{
    ComponentFunction, ComponentInstance, ComponentInstantiation,
};
use crate::runtime::component::types::{Function, Interface, U32};
use crate::runtime::component::{ComponentCode, ComponentInterface, WasmComponent};
use crate::runtime::state::{WasmState, dropped, next_id, waits};
use crate::runtime::store::component_values::ComponentValues;
use crate::runtime::store::host_function::HostFunction;
use crate::runtime::store::{Outcome, RunningCall, WasmStore};
use crate::runtime::wasi::p2::http::incoming::{HttpExchange, HttpRequest};

impl WasmState {
    /// Compiles a component in the binary or the text format on this thread, as [`WasmState::compile`] does for a module.
    ///
    /// # Errors
    /// `CompileError` if the component is not valid, exceeds a cap, or too many compilations wait.
    pub fn compile_component(&self, source: &[u8]) -> Result<WasmComponent, WasmError> {
        let compiler = self.compiler();
        self.add_component(compiler.in_turn(|compiler| compiler.compile_component(source))?)
    }

    /// Compiles the component in a file that the capabilities grant.
    ///
    /// # Errors
    /// `CompileError` if the file is not granted or not readable, or as [`WasmState::compile_component`].
    pub fn compile_component_file(&self, path: &Path) -> Result<WasmComponent, WasmError> {
        let cap = self.capabilities.module_limits.max_source_bytes();
        self.compile_component(&self.files.read(path, cap)?)
    }

    /// Returns the imports and exports of a component in the binary or the text format, which is validated and not
    /// compiled.
    ///
    /// # Errors
    /// `CompileError` if the component is not valid, or exceeds a cap.
    pub fn component_interface(&self, source: &[u8]) -> Result<ComponentInterface, WasmError> {
        self.compiler().component_interface(source)
    }

    /// Adds a component that a compiler of this state compiled.
    ///
    /// # Errors
    /// `CompileError` if there are too many modules and components, or no handles are left.
    pub(crate) fn add_component(
        &self,
        code: Arc<ComponentCode>,
    ) -> Result<WasmComponent, WasmError> {
        self.check_module_count()?;
        let id = next_id(&self.next_component_id)
            .ok_or_else(|| WasmError::compile("too many components were compiled"))?;
        let component = WasmComponent::new(id, code);
        self.components.borrow_mut().insert(id, component.clone());
        Ok(component)
    }

    /// Returns the component with this handle.
    ///
    /// # Errors
    /// `InstantiateError` if the component was dropped or never existed.
    pub fn component(&self, id: u32) -> Result<WasmComponent, WasmError> {
        let component = self.components.borrow().get(&id).cloned();
        component.ok_or_else(|| {
            WasmError::instantiate(format!("component {id} was dropped or never compiled"))
        })
    }

    /// Drops a component; its instances stay alive. Returns whether the component existed.
    pub fn drop_component(&self, id: u32) -> bool {
        self.components.borrow_mut().remove(&id).is_some()
    }

    /// Makes an instance of a component in a store of its own, with `options`, limited by the capabilities. `imports` are
    /// the functions that it imports, in the component's order, and behind them one for each resource that it imports,
    /// which is called with the number of a resource that the component drops. Returns the handle of the store, too.
    ///
    /// # Errors
    /// `InstantiateError` if the component or an import is unknown, or a cap is exceeded; `RuntimeError` and
    /// `FuelExhausted` from the start functions of its modules.
    pub fn instantiate_component(
        &self,
        component: u32,
        options: StoreOptions,
        imports: Vec<Box<ComponentFunction>>,
    ) -> Result<(u32, ComponentInstance), WasmError> {
        let code = self.component(component)?.code;
        let interface = &code.interface;
        let host = |(number, run)| -> Arc<dyn HostFunction> {
            Arc::new(ValuesImport {
                interface: interface.clone(),
                number,
                run,
            })
        };
        let imports = (0..).zip(imports).map(host).collect();
        let (store, _) = self.new_component_store(options, code.kind)?;
        let made = self.instantiate_component_in(component, store, imports);
        match made.and_then(Outcome::returned) {
            Ok(instance) => Ok((store, instance)),
            Err(error) => {
                self.drop_store(store);
                Err(error)
            }
        }
    }

    /// Makes an instance of a component in a store without instances, which is for this instance alone from now on.
    ///
    /// # Errors
    /// As [`WasmState::instantiate_component`].
    pub(crate) fn instantiate_component_in(
        &self,
        component: u32,
        store_id: u32,
        imports: Arc<[Arc<dyn HostFunction>]>,
    ) -> Result<Outcome<ComponentInstance>, WasmError> {
        let component = self.component(component)?;
        let (store, checks) = self.store_and_checks(store_id)?;
        let profile = &component.code.profile;
        if profile.waits && (checks.fuel || checks.interrupt) {
            return Err(waits("component"));
        }
        self.prepare_component(&component, checks)?;
        let code = component.code.get(checks);
        let code = code.ok_or_else(|| WasmError::instantiate("the component is not compiled"))?;
        self.check_instance_count(profile.core_instances.max(1))?;
        {
            let stores = &mut *self.stores.borrow_mut();
            let entry = stores.get_mut(&store_id);
            let entry = entry.ok_or_else(|| dropped("store", store_id))?;
            if entry.kind != component.code.kind {
                return Err(WasmError::instantiate(
                    "the store is for a component of another kind",
                ));
            }
            if entry.component.is_some() || !entry.instances.is_empty() {
                return Err(WasmError::instantiate(
                    "a component instance needs a store of its own",
                ));
            }
            entry.component = Some(component.clone());
        }
        let max_value_bytes = self.capabilities.max_component_value_bytes;
        let instantiation = ComponentInstantiation {
            max_value_bytes,
            component: &component,
            code,
            store: &store,
            imports,
        };
        let outcome = instantiation.run()?;
        if let Outcome::Returned(instance) = &outcome {
            // A start function may have dropped the store.
            let stores = &mut *self.stores.borrow_mut();
            let entry = stores.get_mut(&store_id);
            let entry = entry.ok_or_else(|| dropped("store", store_id))?;
            entry.component_instance = Some(Rc::new(instance.clone()));
        }
        Ok(outcome)
    }

    /// Compiles a component for stores with these checks, unless it is compiled.
    fn prepare_component(
        &self,
        component: &WasmComponent,
        checks: Checks,
    ) -> Result<(), WasmError> {
        match component.code.is_ready(checks) {
            true => Ok(()),
            false => self.compiler().prepare_component(&component.code, checks),
        }
    }

    /// Returns the component instance of the store with this handle.
    ///
    /// # Errors
    /// `RuntimeError` if the store was dropped, or has none.
    pub fn component_instance(&self, store: u32) -> Result<Rc<ComponentInstance>, WasmError> {
        let instance = self.entry(store, |entry| entry.component_instance.clone())?;
        instance.ok_or_else(|| WasmError::runtime("the store has no component instance"))
    }

    fn interface(&self, store: u32) -> Result<(WasmStore, Arc<Interface>), WasmError> {
        let (store, component) = self.entry(store, |entry| {
            (entry.store.clone(), entry.component.clone())
        })?;
        let component =
            component.ok_or_else(|| WasmError::runtime("the store has no component instance"))?;
        Ok((store, component.code.interface.clone()))
    }

    /// Reads the arguments of an exported function from bytes, and calls it on this thread. Its results are those of the
    /// [store](WasmState::component_results) if it returns.
    ///
    /// # Errors
    /// As [`ComponentInstance::call`].
    pub(crate) fn call_component(
        &self,
        store: u32,
        function: u32,
        args: &[u8],
    ) -> Result<Outcome<()>, WasmError> {
        let instance = self.component_instance(store)?;
        let call = instance.prepare(function, self.read_arguments(&instance, function, args)?)?;
        Ok(instance.run(call)?.map(|values| {
            instance.store().put_component_values(ComponentValues {
                import: None,
                values,
            });
        }))
    }

    /// Starts an asynchronous call of an exported function, as [`WasmState::start_call`] does.
    ///
    /// # Errors
    /// As [`WasmState::start_call`] and [`ComponentInstance::call`].
    pub(crate) fn start_component_call(
        &self,
        store: u32,
        function: u32,
        args: &[u8],
        options: CallOptions,
    ) -> Result<RunningCall, WasmError> {
        let instance = self.component_instance(store)?;
        let call = instance.prepare(function, self.read_arguments(&instance, function, args)?)?;
        let checks = self.checks(store)?;
        let (timeout, running) = self.begin_call(instance.store(), checks, options)?;
        instance.start(call, timeout, running)
    }

    /// Has the component of a store handle a request. Returns the call, which runs while its caller does other work. The
    /// [exchange](WasmState::http_exchange) with the component takes the place of the one before. The caller has to [end
    /// it](HttpExchange::finish) when the call has ended.
    ///
    /// # Errors
    /// `TypeMismatch` if the request is not one of HTTP; `FunctionNotFound` if the component handles none; otherwise as
    /// [`WasmState::start_call`].
    pub fn start_handling(
        &self,
        store: u32,
        request: HttpRequest,
        options: CallOptions,
    ) -> Result<RunningCall, WasmError> {
        let instance = self.component_instance(store)?;
        let (exchange, incoming) = HttpExchange::new(request)?;
        let checks = self.checks(store)?;
        let (timeout, running) = self.begin_call(instance.store(), checks, options)?;
        let call = instance.start_handling(incoming, timeout, running)?;
        self.exchange_begins(store, exchange);
        Ok(call)
    }

    /// Has an asynchronous component handle a request beside its calls, as [`WasmState::start_handling`] does, and returns the
    /// number of the call.
    ///
    /// # Errors
    /// `RuntimeError` if the component handles another request; otherwise as [`WasmState::start_handling`].
    pub(crate) fn start_handling_concurrently(
        &self,
        store: u32,
        request: HttpRequest,
        options: CallOptions,
    ) -> Result<u32, WasmError> {
        let instance = self.component_instance(store)?;
        let before = self.entry(store, |entry| entry.http_exchange.clone())?;
        if before.is_some_and(|before| !before.has_ended()) {
            return Err(WasmError::busy());
        }
        let (exchange, incoming) = HttpExchange::new(request)?;
        let timeout = self.call_timeout(instance.store(), self.checks(store)?, options)?;
        let held = || Ok(Box::new(self.count_call()?) as _);
        let call = instance.start_handling_concurrently(incoming, timeout, held)?;
        self.exchange_begins(store, exchange);
        Ok(call)
    }

    /// Remembers an exchange in place of the one before.
    fn exchange_begins(&self, store: u32, exchange: HttpExchange) {
        let stores = &mut *self.stores.borrow_mut();
        if let Some(entry) = stores.get_mut(&store)
            && let Some(before) = entry.http_exchange.replace(exchange)
        {
            before.close();
        }
    }

    /// Returns the exchange with the component of a store that was started last.
    ///
    /// # Errors
    /// `RuntimeError` if the store was dropped, or there is none.
    pub fn http_exchange(&self, store: u32) -> Result<HttpExchange, WasmError> {
        let exchange = self.entry(store, |entry| entry.http_exchange.clone())?;
        exchange.ok_or_else(|| WasmError::runtime("the component handles no request"))
    }

    /// Returns the results of the last call of an exported function that has returned, as bytes.
    ///
    /// # Errors
    /// `RuntimeError` if the store was dropped, or is not that of a component.
    pub(crate) fn component_results(
        &self,
        store: u32,
        function: u32,
    ) -> Result<Vec<u8>, WasmError> {
        let (store, interface) = self.interface(store)?;
        let function = interface.exports.functions.get(function as usize);
        let ComponentValues { import, values } = store.take_component_values();
        let mut bytes = Vec::new();
        if let (None, Some(function)) = (import, function) {
            let types = function.ty.result.iter();
            write_all(&interface, types.copied(), &values, &mut bytes)?;
        }
        Ok(bytes)
    }

    /// Returns the arguments of the import that the component of a store calls, as bytes.
    ///
    /// # Errors
    /// `RuntimeError` if the store was dropped, is not that of a component, or calls no import.
    pub(crate) fn import_arguments(&self, store: u32) -> Result<Vec<u8>, WasmError> {
        let (store, interface) = self.interface(store)?;
        let ComponentValues { import, values } = store.take_component_values();
        store.put_component_values(ComponentValues {
            import,
            values: Vec::new(),
        });
        let mut bytes = Vec::new();
        match called(&interface, import)? {
            Called::Function(function) => {
                let types = function.ty.params.iter().map(|(_, ty)| *ty);
                write_all(&interface, types, &values, &mut bytes)?;
            }
            Called::Drop => write_all(&interface, [U32].into_iter(), &values, &mut bytes)?,
        }
        Ok(bytes)
    }

    /// Gives the import that the component of a store calls its results, from bytes.
    ///
    /// # Errors
    /// `TypeMismatch` if the bytes do not fit; otherwise as [`WasmState::import_arguments`].
    pub(crate) fn set_import_results(&self, store: u32, bytes: &[u8]) -> Result<(), WasmError> {
        let (store, interface) = self.interface(store)?;
        let import = store.called_import();
        if let Some(import) = import.filter(|import| interface.plans.import(*import).is_some()) {
            return self.set_reply(&store, &interface, import, bytes);
        }
        let types = match called(&interface, import)? {
            Called::Function(function) => function.ty.result,
            Called::Drop => None,
        };
        let types = types.into_iter();
        let max_room = self.capabilities.max_component_value_bytes;
        let values = Reader::read_all(&interface, types, bytes, max_room)?;
        store.put_component_values(ComponentValues { import, values });
        Ok(())
    }

    pub(super) fn read_arguments(
        &self,
        instance: &ComponentInstance,
        function: u32,
        args: &[u8],
    ) -> Result<Vec<Val>, WasmError> {
        let interface = &instance.component().code.interface;
        let function = interface.exports.functions.get(function as usize);
        let function = function.ok_or_else(|| WasmError::not_found("no such function"))?;
        let types = function.ty.params.iter().map(|(_, ty)| *ty);
        let max_room = self.capabilities.max_component_value_bytes;
        Reader::read_all(interface, types, args, max_room)
    }
}

/// A function of the host that a component calls.
pub(super) enum Called<'a> {
    Function(&'a Function),
    /// The component drops a resource of the host.
    Drop,
}

pub(super) fn called(interface: &Interface, import: Option<u32>) -> Result<Called<'_>, WasmError> {
    let functions = &interface.imports.functions;
    let import = import.ok_or_else(|| WasmError::runtime("the component calls no import"))?;
    Ok(match functions.get(import as usize) {
        Some(function) => Called::Function(function),
        None => Called::Drop,
    })
}

/// Writes values that the runtime itself has made or checked.
fn write_all(
    interface: &Interface,
    types: impl ExactSizeIterator<Item = u32>,
    values: &[Val],
    bytes: &mut Vec<u8>,
) -> Result<(), WasmError> {
    if types.len() != values.len() {
        return Err(WasmError::runtime(
            "the values of the call were taken before",
        ));
    }
    for (ty, value) in types.zip(values) {
        encoding::write(interface, ty, value, bytes);
    }
    Ok(())
}
