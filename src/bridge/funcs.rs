//! The functions of guests that JavaScript can call.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use deno_core::v8;

use super::js_call_context::JsCallContext;
use super::numeric::NumericSignature;
use crate::runtime::{WasmError, WasmFunc};

thread_local! {
    /// The functions that JavaScript on this thread can call, by number. One table for all runtimes of the thread: an
    /// op that calls a function does not need the state of its runtime.
    static TABLE: RefCell<Table> = const { RefCell::new(Table::new()) };
}

struct Table {
    entries: Vec<Entry>,
    free: Vec<u32>,
}

enum Entry {
    Func(Rc<Callable>),
    /// The store of the function was dropped. The store had this number.
    Dropped(u32),
}

/// A function, with all that a call of it needs.
pub(super) struct Callable {
    pub func: WasmFunc,
    /// The number of its store.
    pub store: u32,
    /// If it takes a few numbers and returns at most one.
    pub numeric: Option<NumericSignature>,
    pub context: Rc<JsCallContext>,
}

impl Table {
    const fn new() -> Self {
        Self {
            entries: Vec::new(),
            free: Vec::new(),
        }
    }

    fn add(&mut self, callable: Callable) -> Result<u32, WasmError> {
        let entry = Entry::Func(Rc::new(callable));
        if let Some(number) = self.free.pop() {
            self.entries[number as usize] = entry;
            return Ok(number);
        }
        let number = u32::try_from(self.entries.len())
            .map_err(|_| WasmError::runtime("too many functions were exported"))?;
        self.entries.push(entry);
        Ok(number)
    }
}

/// The function of this number in the runtime of this isolate; `None` if its store was dropped, or the runtime has no
/// such function.
#[inline]
pub(super) fn find(number: u32, isolate: &v8::Isolate) -> Option<Rc<Callable>> {
    TABLE.with_borrow(|table| match table.entries.get(number as usize) {
        Some(Entry::Func(callable)) if callable.context.is_of(isolate) => Some(callable.clone()),
        _ => None,
    })
}

/// The error for a number that [`find`] does not find.
#[cold]
pub(super) fn missing(number: u32) -> WasmError {
    TABLE.with_borrow(|table| match table.entries.get(number as usize) {
        Some(Entry::Dropped(store)) => WasmError::runtime(format!("store {store} was dropped")),
        _ => WasmError::runtime("no such function"),
    })
}

/// The functions of one `JsRuntime`.
///
/// A JavaScript function whose store was dropped can still be called, and has to fail. So a number is used again only
/// when JavaScript has collected all functions of its store.
#[derive(Default)]
pub(crate) struct Funcs {
    /// By store, and by the function's handle in it.
    of_store: RefCell<HashMap<u32, HashMap<u32, u32>>>,
}

impl Funcs {
    /// The number of a function of this store, the same each time.
    ///
    /// # Errors
    /// `RuntimeError` if there are no more numbers.
    pub(crate) fn add(
        &self,
        store: u32,
        func: WasmFunc,
        context: Rc<JsCallContext>,
    ) -> Result<u32, WasmError> {
        let mut of_store = self.of_store.borrow_mut();
        let of_store = of_store.entry(store).or_default();
        let handle = func.handle();
        if let Some(number) = of_store.get(&handle) {
            return Ok(*number);
        }
        let callable = Callable {
            numeric: NumericSignature::of(&func.info()),
            func,
            store,
            context,
        };
        let number = TABLE.with_borrow_mut(|table| table.add(callable))?;
        of_store.insert(handle, number);
        Ok(number)
    }

    /// Drops the functions of a store that was dropped.
    pub(crate) fn drop_store(&self, store: u32) {
        let of_store = self.of_store.borrow();
        drop_all(
            store,
            of_store.get(&store).into_iter().flat_map(HashMap::values),
        );
    }

    /// Frees the numbers of the functions of a dropped store: JavaScript has collected all of them.
    pub(crate) fn forget_store(&self, store: u32) {
        let numbers = self.of_store.borrow_mut().remove(&store);
        let numbers = numbers.into_iter().flat_map(HashMap::into_values);
        TABLE.with_borrow_mut(|table| table.free.extend(numbers));
    }
}

/// Drops the functions of these numbers, of a store that was dropped.
fn drop_all<'a>(store: u32, numbers: impl Iterator<Item = &'a u32>) {
    for &number in numbers {
        let dropped = Entry::Dropped(store);
        // The function is dropped here, and not while the table is borrowed.
        drop(TABLE.with_borrow_mut(|table| {
            std::mem::replace(&mut table.entries[number as usize], dropped)
        }));
    }
}

impl Drop for Funcs {
    fn drop(&mut self) {
        for (store, numbers) in self.of_store.take() {
            // When the thread ends, its table may be dropped first.
            if TABLE.try_with(|_| ()).is_err() {
                return;
            }
            drop_all(store, numbers.values());
            TABLE.with_borrow_mut(|table| table.free.extend(numbers.into_values()));
        }
    }
}
