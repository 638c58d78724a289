//! Instances of components. Each has a store of its own: a trap ends all components of a store.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use wasmtime::component::{Func, Instance, ResourceAny, Val};
use wasmtime::{AsContextMut, StoreContextMut};

use super::WasmComponent;
use super::async_instance::Driven;
use super::code::CompiledComponent;
use super::types::{Function, Interface};
use super::{concurrent, resources, values};
use crate::runtime::base::error::WasmError;
use crate::runtime::base::text;
use crate::runtime::store::component_values::{ComponentMailbox, ComponentValues};
use crate::runtime::store::host_function::{HostFunction, Stop};
use crate::runtime::store::{Outcome, RunningCall, StoreData, WasmStore, outcome, ran};
use crate::runtime::wasi::p2::http::incoming::Incoming;
use crate::runtime::wasi::p2::{WasiP2, WasiScope};

/// An instance of a component, in a store of its own.
///
/// Whatever ends a call other than its return ends the instance too: a trap, fuel or time that ran out, a function of
/// the host that failed. Its memories may then be in any state.
#[derive(Clone)]
pub struct ComponentInstance {
    component: WasmComponent,
    store: WasmStore,
    has_wasi: bool,
    /// The exported functions, by number.
    funcs: Arc<[Func]>,
    /// Whether a call is running, or has ended in another way than by its return.
    pub(super) ended: Arc<AtomicBool>,
    pub(super) late_drops: Arc<LateDrops>,
    /// The driver of the calls, if the component is asynchronous.
    pub(super) driven: Option<Rc<Driven>>,
}

/// Handles of resources that the next call drops first: their destructors are guest code, which runs only within the limits
/// of a call.
#[derive(Default)]
pub(super) struct LateDrops(Mutex<Vec<u32>>);

impl LateDrops {
    fn handles(&self) -> MutexGuard<'_, Vec<u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the resources.
    pub(super) fn take(&self, data: &mut StoreData) -> Vec<ResourceAny> {
        let handles = std::mem::take(&mut *self.handles());
        let handles = handles.into_iter();
        handles
            .filter_map(|handle| data.component_handles.take(handle))
            .collect()
    }

    /// Drops the resources.
    pub(super) fn run(&self, store: &mut StoreContextMut<'_, StoreData>) -> wasmtime::Result<()> {
        for dropped in self.take(store.data_mut()) {
            dropped.resource_drop(store.as_context_mut())?;
        }
        Ok(())
    }
}

/// A function of the host for an import of a component. It gets the arguments, and returns the results.
pub type ComponentFunction = dyn Fn(&WasmStore, &[Val]) -> Result<Vec<Val>, Stop> + Send + Sync;

/// The component, store and imports of a new instance.
pub(crate) struct ComponentInstantiation<'a> {
    pub(crate) component: &'a WasmComponent,
    /// The code of the component, compiled for the engine of the store.
    pub(crate) code: &'a CompiledComponent,
    pub(crate) store: &'a WasmStore,
    /// The functions for the imports, by number.
    pub(crate) imports: Arc<[Arc<dyn HostFunction>]>,
    /// The maximum number of bytes of the host's memory for the values that come out of the component in one call.
    pub(crate) max_value_bytes: u64,
}

impl ComponentInstantiation<'_> {
    /// Makes the instance. Runs the start functions of the modules in it.
    pub(crate) fn run(self) -> Result<Outcome<ComponentInstance>, WasmError> {
        let Self {
            component,
            code,
            store,
            imports,
            max_value_bytes,
        } = self;
        let interface = &component.code.interface;
        let wanted = component.host_functions();
        if imports.len() != wanted {
            return Err(WasmError::instantiate(format!(
                "the component needs {wanted} functions of the host, {} were given",
                imports.len()
            )));
        }
        let (scope, allows_03) = store.with(|store| {
            let wasi = store.data().wasi_p2.as_deref();
            Ok((
                wasi.map_or(WasiScope::None, WasiP2::scope),
                wasi.is_some_and(WasiP2::allows_03),
            ))
        })?;
        let has_wasi = scope.has_wasi();
        if has_wasi && !allows_03 && interface.imports_wasi_03() {
            return Err(WasmError::instantiate(
                "the component imports WASI 0.3, which the host does not allow (allow_wasi_03)",
            ));
        }
        let linked = code.linked(interface, scope)?;
        if !imports.is_empty() {
            store.expect_host_funcs();
        }
        let profile = &component.code.profile;
        let driven = Driven::of(store, has_wasi && interface.imports_wasi_03())?;
        let prepare = |mut store: StoreContextMut<'_, StoreData>| {
            let max_counted = max_value_bytes / interface.crossing_traits(has_wasi).flags_factor;
            store.set_hostcall_fuel(usize::try_from(max_counted).unwrap_or(usize::MAX));
            let max_handles = store.data().limits.max_references;
            store.set_max_component_handles(max_handles as usize);
            let data = store.data_mut();
            if let Some(exchange) = &data.exchange {
                exchange.set_imports(imports.clone());
            }
            data.component_imports = imports;
            data.limits.take_refusal();
            data.limits.reserve_shared(profile.shared_growth)?;
            data.count_instances(profile.core_instances.max(1));
            Ok::<_, WasmError>(())
        };
        let made = match &driven {
            None => store.run(|mut store| {
                prepare(store.as_context_mut())?;
                match linked.instantiate(store.as_context_mut()) {
                    Ok(instance) => Ok(Outcome::Returned(funcs(store, &instance, code)?)),
                    Err(error) => instantiation_error(store, &error),
                }
            })?,
            Some(driven) => {
                store.with(prepare)?;
                let work = async |store: &mut StoreContextMut<'_, StoreData>| {
                    let instance = linked.instantiate_async(store.as_context_mut()).await?;
                    Ok(funcs(store.as_context_mut(), &instance, code)?)
                };
                driven.run_in_place(store, work, instantiation_error)?
            }
        };
        Ok(made.map(|funcs| ComponentInstance {
            component: component.clone(),
            store: store.clone(),
            has_wasi,
            funcs,
            ended: Arc::default(),
            late_drops: Arc::default(),
            driven,
        }))
    }
}

fn funcs(
    mut store: StoreContextMut<'_, StoreData>,
    instance: &Instance,
    code: &CompiledComponent,
) -> Result<Arc<[Func]>, WasmError> {
    let funcs = code.exports.iter();
    let funcs = funcs.map(|export| instance.get_func(&mut store, export));
    let funcs = funcs.collect::<Option<_>>();
    funcs.ok_or_else(|| WasmError::instantiate("an exported function is missing"))
}

fn instantiation_error(
    mut store: StoreContextMut<'_, StoreData>,
    error: &wasmtime::Error,
) -> Result<Outcome<Arc<[Func]>>, WasmError> {
    if ran(error) {
        return ended(outcome(store, error));
    }
    let why = store.data_mut().limits.take_refusal();
    let why = why.unwrap_or_else(|| text::one_line(error));
    Err(WasmError::instantiate(format!("cannot instantiate: {why}")))
}

/// Returns the end of a call of a component. No exception comes out of a component as such.
pub(super) fn ended<T>(ended: Result<Outcome<T>, WasmError>) -> Result<Outcome<T>, WasmError> {
    match ended {
        Ok(Outcome::Threw(_) | Outcome::Exception(_)) => {
            Err(WasmError::runtime("uncaught WebAssembly exception"))
        }
        other => other,
    }
}

/// Returns the end of a call that this error ended, and with it the instance. Nothing that it has open is of use any more.
pub(super) fn ended_by<T>(
    mut store: StoreContextMut<'_, StoreData>,
    error: &wasmtime::Error,
) -> Result<Outcome<T>, WasmError> {
    if let Some(wasi) = store.data_mut().wasi_p2.as_deref_mut() {
        wasi.close();
    }
    ended(outcome(store, error))
}

/// A call of a function of a component with arguments that fit.
pub(crate) struct ComponentCall {
    pub(super) func: Func,
    /// The number of the function among the exports of the interface.
    pub(super) number: u32,
    pub(super) interface: Arc<Interface>,
    pub(super) args: Vec<Val>,
    pub(super) late_drops: Arc<LateDrops>,
}

impl ComponentCall {
    /// Calls the function in its store.
    fn run(
        self,
        mut store: StoreContextMut<'_, StoreData>,
    ) -> Result<Outcome<Vec<Val>>, WasmError> {
        match self.call(&mut store) {
            Ok(results) => Ok(Outcome::Returned(results)),
            Err(error) => ended_by(store, &error),
        }
    }

    fn call(self, store: &mut StoreContextMut<'_, StoreData>) -> wasmtime::Result<Vec<Val>> {
        let Self {
            func,
            number,
            interface,
            mut args,
            late_drops,
        } = self;
        late_drops.run(store)?;
        let ty = &interface.exports.functions[number as usize].ty;
        let params = ty.params.iter().map(|(_, ty)| *ty);
        let mut results = vec![Val::Bool(false); ty.result.iter().len()];
        let loans = resources::lower(store, &interface, params, &mut args)?;
        func.call(store.as_context_mut(), &args, &mut results)?;
        resources::end_loans(store, loans)?;
        resources::lift(store, &interface, ty.result.iter().copied(), &mut results)?;
        Ok(results)
    }
}

/// Calls the function of a component that handles requests.
fn handle(
    store: &mut StoreContextMut<'_, StoreData>,
    func: Func,
    incoming: Incoming,
) -> wasmtime::Result<()> {
    let wasi = store.data_mut().wasi_p2.as_deref_mut();
    let wasi = wasi.expect("the instance has WASI");
    let (request, answer) = incoming.into_resources(wasi)?;
    let request = request.try_into_resource_any(store.as_context_mut())?;
    let answer = answer.try_into_resource_any(store.as_context_mut())?;
    let args = [Val::Resource(request), Val::Resource(answer)];
    func.call(store.as_context_mut(), &args, &mut [])
}

impl ComponentInstance {
    /// Returns the component.
    pub fn component(&self) -> &WasmComponent {
        &self.component
    }

    /// Returns the store of the instance.
    pub fn store(&self) -> &WasmStore {
        &self.store
    }

    pub(super) fn interface(&self) -> &Arc<Interface> {
        &self.component.code.interface
    }

    /// Returns the exported function of this number.
    ///
    /// # Errors
    /// As [`ComponentInstance::call`].
    pub(super) fn func(&self, number: u32) -> Result<Func, WasmError> {
        let func = self.funcs.get(number as usize).copied();
        func.ok_or_else(|| WasmError::not_found("no such function"))
    }

    /// Whether the instance has ended, so that no function of it can be called any more.
    pub fn ended(&self) -> bool {
        match &self.driven {
            Some(driven) => self.ended.load(Ordering::Acquire) || driven.has_ended(),
            None => self.ended.load(Ordering::Acquire) && self.store.is_at_rest(),
        }
    }

    /// Calls an exported function, and returns its result if it has one. The path is its name, or the name of an exported
    /// instance, `#`, and its name there. A handle of a resource is a `Val::U32`: a number that came out of this instance,
    /// or one that the host chose for a resource of its own.
    ///
    /// # Errors
    /// `FunctionNotFound` if there is no such function; `TypeMismatch` if the arguments do not fit its parameters;
    /// `RuntimeError` if it trapped, a function of the host ended it, or the instance has ended or is busy;
    /// `FuelExhausted` if the fuel ran out.
    pub fn call(&self, path: &str, args: &[Val]) -> Result<Option<Val>, WasmError> {
        let number = self.number_of(path)?;
        let (function, _) = self.callable(number)?;
        values::check_arguments(self.interface(), &function.ty, args)?;
        if let Some(plan) = self.interface().plans.export(number) {
            return self.call_by_codec(number, &function.ty, plan, args);
        }
        let call = self.prepare(number, args.to_vec())?;
        Ok(self.run(call)?.returned()?.pop())
    }

    /// Returns the number of the exported function at this path.
    ///
    /// # Errors
    /// `FunctionNotFound` if there is none.
    pub(crate) fn number_of(&self, path: &str) -> Result<u32, WasmError> {
        let functions = &self.component.code.interface.exports.functions;
        let is_at = |function: &Function| {
            let mut parts = path.split('#');
            function.path.iter().all(|name| parts.next() == Some(name)) && parts.next().is_none()
        };
        let found = functions.iter().position(is_at);
        let number = found.ok_or_else(|| {
            WasmError::not_found(format!("no exported function {}", text::quote(path)))
        })?;
        Ok(number as u32)
    }

    /// Returns the exported function of this number, if its values can cross.
    ///
    /// # Errors
    /// As [`ComponentInstance::call`].
    pub(super) fn callable(&self, number: u32) -> Result<(&Function, Func), WasmError> {
        let interface = &self.component.code.interface;
        let function = interface.exports.functions.get(number as usize);
        let (Some(function), Some(func)) = (function, self.funcs.get(number as usize)) else {
            return Err(WasmError::not_found("no such function"));
        };
        let traits = interface.traits_of(&function.ty);
        if let Some(ty) = traits.uncrossable {
            return Err(WasmError::mismatch(format!(
                "the function has values of type {ty}, which the host does not convert"
            )));
        }
        if self.has_wasi && traits.has_wasi_handles {
            return Err(WasmError::mismatch(
                "the function has resources of WASI, which the host does not give or take",
            ));
        }
        Ok((function, *func))
    }

    /// Checks the handles in the arguments of a function before the component is entered. The arguments are of its types.
    ///
    /// # Errors
    /// As [`ComponentInstance::call`].
    pub(crate) fn prepare(
        &self,
        number: u32,
        mut args: Vec<Val>,
    ) -> Result<ComponentCall, WasmError> {
        let (function, func) = self.callable(number)?;
        let interface = &self.component.code.interface;
        self.check_usable()?;
        if interface.traits_of(&function.ty).has_handles {
            let params = function.ty.params.iter().map(|(_, ty)| *ty);
            self.store.with(|store| {
                let handles = &store.data().component_handles;
                resources::check(handles, interface, params, &mut args)
            })?;
        }
        Ok(ComponentCall {
            func,
            number,
            interface: interface.clone(),
            args,
            late_drops: self.late_drops.clone(),
        })
    }

    /// Drops a resource of the component that the host has a handle of, which runs its destructor.
    ///
    /// # Errors
    /// `TypeMismatch` if there is no such handle; otherwise as [`ComponentInstance::call`].
    pub(crate) fn drop_resource(&self, handle: u32) -> Result<Outcome<()>, WasmError> {
        self.check_usable()?;
        let dropped = self.store.with(|mut store| {
            let handles = &mut store.data_mut().component_handles;
            Ok(handles.take(handle))
        })?;
        let dropped = dropped.ok_or_else(|| {
            WasmError::mismatch(format!("there is no handle {handle} of a resource"))
        })?;
        if let Some(driven) = &self.driven {
            return self.enter_in_place(driven, async |store| {
                dropped.resource_drop_async(store.as_context_mut()).await
            });
        }
        self.enter(
            |mut store| match dropped.resource_drop(store.as_context_mut()) {
                Ok(()) => Ok(Outcome::Returned(())),
                Err(error) => ended_by(store, &error),
            },
        )
    }

    /// Has the next call drop a resource that the host has a handle of, before it calls its function.
    ///
    /// # Errors
    /// `RuntimeError` if more handles wait than there can be.
    pub(crate) fn drop_resource_later(&self, handle: u32, cap: u32) -> Result<(), WasmError> {
        let mut handles = self.late_drops.handles();
        if handles.len() >= cap as usize {
            return Err(WasmError::runtime(format!(
                "too many resources wait to be dropped: the cap is {cap} (max_references)"
            )));
        }
        handles.push(handle);
        Ok(())
    }

    pub(super) fn check_usable(&self) -> Result<(), WasmError> {
        self.settle();
        if !self.store.is_at_rest() {
            return Err(WasmError::busy());
        }
        self.check_not_ended()
    }

    pub(super) fn check_not_ended(&self) -> Result<(), WasmError> {
        let driven = self.driven.as_deref();
        if self.ended.load(Ordering::Acquire) || driven.is_some_and(Driven::has_ended) {
            return Err(WasmError::runtime(
                "cannot enter component instance: it has ended, since an earlier call did not return",
            ));
        }
        Ok(())
    }

    /// Runs a call on this thread.
    ///
    /// # Errors
    /// As [`ComponentInstance::call`].
    pub(crate) fn run(&self, call: ComponentCall) -> Result<Outcome<Vec<Val>>, WasmError> {
        self.check_usable()?;
        match &self.driven {
            None => self.enter(|store| call.run(store)),
            Some(driven) => self.enter_in_place(driven, async |store| {
                concurrent::call_alone(store, call).await
            }),
        }
    }

    /// Runs `run`, which enters the component. The instance ends if it does not return.
    pub(super) fn enter<T>(
        &self,
        run: impl FnOnce(StoreContextMut<'_, StoreData>) -> Result<Outcome<T>, WasmError>,
    ) -> Result<Outcome<T>, WasmError> {
        let entered = Cell::new(false);
        let called = self.store.run(|store| {
            entered.set(true);
            run(store)
        });
        let returned = matches!(called, Ok(Outcome::Returned(_)));
        self.ended
            .store(entered.get() && !returned, Ordering::Release);
        called
    }

    /// Returns the function that handles requests: that of WASI 0.2, or the asynchronous one of WASI 0.3.
    ///
    /// # Errors
    /// `FunctionNotFound` if there is none, or the component has no WASI.
    pub(super) fn http_handler(&self, is_async: bool) -> Result<Func, WasmError> {
        let number = self.component.code.interface.http_handler(is_async);
        let func = number.and_then(|number| self.funcs.get(number as usize));
        func.copied().filter(|_| self.has_wasi).ok_or_else(|| {
            let interface = match is_async {
                true => "wasi:http/handler@0.3",
                false => "wasi:http/incoming-handler@0.2",
            };
            WasmError::not_found(format!(
                "the component handles no requests: it does not export {interface}, or has no WASI"
            ))
        })
    }

    /// Starts to handle a request, as [`ComponentInstance::start`] starts a call.
    ///
    /// # Errors
    /// `FunctionNotFound` if the component handles no requests; otherwise as [`ComponentInstance::start`].
    pub(crate) fn start_handling(
        &self,
        incoming: Incoming,
        timeout: Option<Duration>,
        held: impl Send + 'static,
    ) -> Result<RunningCall, WasmError> {
        let func = self.http_handler(false)?;
        let late_drops = self.late_drops.clone();
        self.start_entering(timeout, held, move |mut store| {
            let called = late_drops
                .run(&mut store)
                .and_then(|()| handle(&mut store, func, incoming));
            match called {
                Ok(()) => Ok(Outcome::Returned(())),
                Err(error) => ended_by(store, &error),
            }
        })
    }

    /// Starts a call that runs while its caller does other work. Its results are the [values of the
    /// component](WasmStore::take_component_values) when it has ended. `held` is dropped then.
    ///
    /// # Errors
    /// `RuntimeError` if the instance has ended or is busy, or no thread can be started.
    pub(crate) fn start(
        &self,
        call: ComponentCall,
        timeout: Option<Duration>,
        held: impl Send + 'static,
    ) -> Result<RunningCall, WasmError> {
        let mailbox: Arc<ComponentMailbox> = self.store.component_mailbox();
        self.start_entering(timeout, held, move |store| {
            let called = call.run(store)?;
            Ok(called.map(|values| {
                mailbox.put(ComponentValues {
                    import: None,
                    values,
                });
            }))
        })
    }

    /// Starts `run`, which enters the component, while the caller does other work. The instance ends if it does not return.
    ///
    /// # Errors
    /// As [`ComponentInstance::start`].
    pub(super) fn start_entering(
        &self,
        timeout: Option<Duration>,
        held: impl Send + 'static,
        run: impl FnOnce(StoreContextMut<'_, StoreData>) -> Result<Outcome<()>, WasmError>
        + Send
        + 'static,
    ) -> Result<RunningCall, WasmError> {
        if self.driven.is_some() {
            return Err(WasmError::runtime(
                "the component is asynchronous: no other calls run beside its own",
            ));
        }
        self.check_usable()?;
        let ended = self.ended.clone();
        self.store.start_with(timeout, held, move |store| {
            ended.store(true, Ordering::Release);
            let called = run(store)?;
            if let Outcome::Returned(()) = called {
                ended.store(false, Ordering::Release);
            }
            Ok(called.map(|()| Vec::new()))
        })
    }
}
