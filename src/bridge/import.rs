//! JavaScript functions as a guest's imports.

use deno_core::v8;
use wasmtime::ValRaw;

use super::crossing::Crossing;
use super::number::{FEW, Numbers};
use super::scope::{Guest, with_import};
use crate::runtime::{ExternInfo, HostFunction, RefHandle, Stop, WasmError, WasmStore};

/// The function that JavaScript keeps under this number for the instance's store.
///
/// JavaScript keeps it, and not this, so that an import that refers to its own instance does
/// not keep the two alive.
pub struct JsImport {
    number: u32,
    /// If it takes and returns nothing but a few numbers: then it is called from here.
    numbers: Option<Numbers>,
}

impl JsImport {
    /// The function of this number, of this type.
    pub fn new(number: u32, ty: &ExternInfo) -> Self {
        let numbers = Numbers::of(ty);
        Self { number, numbers }
    }
}

impl HostFunction for JsImport {
    fn number(&self) -> Option<u32> {
        Some(self.number)
    }

    fn call(&self, store: &WasmStore, frame: &mut [ValRaw]) -> Result<(), Stop> {
        let grown = store.take_grown();
        with_import(self.number, |scope, crossing, guest, function| {
            let mut import = Import {
                number: self.number,
                crossing,
                guest,
                frame,
            };
            match (&self.numbers, function) {
                // Views are to be detached where the memory has grown or is going to be used elsewhere.
                (Some(numbers), Some(function)) if !grown && !guest.waits => {
                    import.call(scope, numbers, function)
                }
                _ => {
                    let ended = import.run(scope, grown);
                    if guest.waits && !matches!(ended, Err(Stop::Later)) {
                        hand_over(scope, crossing, store)?;
                    }
                    ended
                }
            }
        })
    }
}

/// How `dispatch` says that an import ended. What was thrown is in the frame's first slot; why
/// one was aborted, JavaScript keeps for itself.
#[derive(Clone, Copy)]
pub enum Completion {
    Returned,
    Threw,
    Rethrew,
    Aborted,
    /// It does so later.
    Pending,
}

impl Completion {
    /// The way of this number, as `host:wasm` knows it.
    pub fn from_number(number: u32) -> Result<Self, Stop> {
        match number {
            0 => Ok(Self::Returned),
            1 => Ok(Self::Threw),
            2 => Ok(Self::Rethrew),
            3 => Ok(Self::Aborted),
            4 => Ok(Self::Pending),
            _ => Err(stop("an import ended in an unknown way")),
        }
    }

    /// Tells the guest, whose frame this is.
    pub fn read(self, crossing: &Crossing, frame: &mut [ValRaw]) -> Result<(), Stop> {
        match self {
            Self::Returned => {
                crossing.frame.read_into(frame);
                Ok(())
            }
            Self::Threw => Err(Stop::Throw(thrown(crossing)?)),
            Self::Rethrew => Err(Stop::Rethrow(reference(crossing)?)),
            Self::Aborted => Err(Stop::Abort),
            Self::Pending => Err(Stop::Later),
        }
    }
}

/// What `dispatch` is to do.
#[derive(Clone, Copy)]
enum Task {
    /// Run the import, with its arguments in the frame.
    Run,
    /// The same, of a store in which a memory has grown.
    RunGrown,
    /// Take what it returned.
    Return,
    /// Take what it threw.
    Throw,
}

/// A call of an import.
struct Import<'a, 's> {
    number: u32,
    crossing: &'a Crossing,
    guest: Guest<'s>,
    frame: &'a mut [ValRaw],
}

impl Import<'_, '_> {
    /// Calls the function with numbers. What it does beside returning one is JavaScript's to judge.
    #[inline]
    fn call(
        &mut self,
        scope: &mut v8::PinScope<'_, '_>,
        numbers: &Numbers,
        function: v8::Local<'_, v8::Function>,
    ) -> Result<(), Stop> {
        let this: v8::Local<'_, v8::Value> = v8::undefined(scope).into();
        let mut args = [this; FEW];
        let params = numbers.params();
        for ((arg, number), slot) in args.iter_mut().zip(params).zip(&*self.frame) {
            *arg = number.value(scope, slot);
        }
        v8::tc_scope!(let scope, scope);
        let Some(returned) = function.call(scope, this, &args[..params.len()]) else {
            return self.threw(scope);
        };
        let Some(result) = numbers.result else {
            return Ok(());
        };
        match (result.slot(returned), self.frame.first_mut()) {
            (Some(value), Some(slot)) => {
                *slot = value;
                Ok(())
            }
            _ => self.dispatch(scope, Task::Return, returned),
        }
    }

    /// Has JavaScript take what the function threw.
    #[inline(never)]
    fn threw(
        &mut self,
        scope: &mut v8::PinnedRef<'_, v8::TryCatch<'_, '_, v8::HandleScope<'_>>>,
    ) -> Result<(), Stop> {
        if scope.has_terminated() {
            return Err(terminated());
        }
        let thrown = match scope.exception() {
            Some(thrown) => thrown,
            None => v8::undefined(scope).into(),
        };
        scope.reset();
        self.dispatch(scope, Task::Throw, thrown)
    }

    /// Has JavaScript run the function.
    #[inline(never)]
    fn run(&mut self, scope: &mut v8::PinScope<'_, '_>, grown: bool) -> Result<(), Stop> {
        self.crossing.frame.write(self.frame);
        v8::tc_scope!(let scope, scope);
        let nothing = v8::undefined(scope).into();
        let task = if grown { Task::RunGrown } else { Task::Run };
        self.dispatch(scope, task, nothing)
    }

    /// Has `host:wasm` do this. Not inlined: what calls a function with numbers, at every level that a guest
    /// and JavaScript call each other, needs no stack for it.
    #[inline(never)]
    fn dispatch(
        &mut self,
        scope: &mut v8::PinnedRef<'_, v8::TryCatch<'_, '_, v8::HandleScope<'_>>>,
        task: Task,
        value: v8::Local<'_, v8::Value>,
    ) -> Result<(), Stop> {
        let function = self.crossing.dispatch.borrow().clone();
        let function = function.ok_or_else(|| stop("host:wasm was never evaluated"))?;
        let function = v8::Local::new(scope, function);
        let this = v8::undefined(scope).into();
        let args = [
            self.guest.imports,
            v8::Integer::new_from_unsigned(scope, self.number).into(),
            v8::Boolean::new(scope, self.guest.waits).into(),
            v8::Integer::new(scope, task as i32).into(),
            value,
        ];
        match function.call(scope, this, &args) {
            Some(completion) => {
                let completion = completion.uint32_value(scope).unwrap_or(u32::MAX);
                Completion::from_number(completion)?.read(self.crossing, self.frame)
            }
            None if scope.has_terminated() => Err(terminated()),
            // `dispatch` catches whatever the import throws; only where the stack has no room left
            // even for that does an exception come through.
            None => Err(exhausted()),
        }
    }
}

/// Gives a guest its memories, which runs beside JavaScript from here on. Not inlined, so that the calls that
/// nest deeply need no stack for it.
#[inline(never)]
fn hand_over(
    scope: &mut v8::PinScope<'_, '_>,
    crossing: &Crossing,
    store: &WasmStore,
) -> Result<(), Stop> {
    crossing.views.detach_all(scope, store).map_err(Stop::Error)
}

fn thrown(crossing: &Crossing) -> Result<u32, Stop> {
    match reference(crossing)? {
        RefHandle::Host(index) => Ok(index),
        _ => Err(stop("an import threw something unknown")),
    }
}

fn reference(crossing: &Crossing) -> Result<RefHandle, Stop> {
    RefHandle::from_bits(crossing.frame.first().get_u64())
        .ok_or_else(|| stop("an import threw something unknown"))
}

#[cold]
#[inline(never)]
fn terminated() -> Stop {
    stop("JavaScript was terminated while the guest ran")
}

/// That of an import that the stack has no room for.
#[cold]
#[inline(never)]
pub(super) fn exhausted() -> Stop {
    Stop::Error(WasmError::stack_exhausted())
}

#[cold]
#[inline(never)]
pub(super) fn stop(message: &str) -> Stop {
    Stop::Error(WasmError::runtime(message))
}
