//! The guests' functions that JavaScript knows.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use deno_core::v8;

use super::crossing::Crossing;
use super::number::Numbers;
use crate::runtime::{WasmError, WasmFunc};

thread_local! {
    /// The functions that JavaScript on this thread may call, by number: of all runtimes, so that an op
    /// that calls one need not ask for the state of its own.
    static TABLE: RefCell<Table> = const { RefCell::new(Table::new()) };
}

struct Table {
    entries: Vec<Entry>,
    free: Vec<u32>,
}

enum Entry {
    Func(Rc<Callable>),
    /// Its store, of this number, was dropped.
    Dropped(u32),
}

/// A function, and what is asked of it for every call.
pub struct Callable {
    pub func: WasmFunc,
    /// If it takes a few numbers and returns one at most, and nothing else.
    pub numbers: Option<Numbers>,
    pub crossing: Rc<Crossing>,
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

/// The function of this number, of the runtime of this isolate; `None` if its store was dropped, or the runtime
/// has none.
#[inline]
pub fn find(number: u32, isolate: &v8::Isolate) -> Option<Rc<Callable>> {
    TABLE.with_borrow(|table| match table.entries.get(number as usize) {
        Some(Entry::Func(callable)) if callable.crossing.is_of(isolate) => Some(callable.clone()),
        _ => None,
    })
}

/// Why there is no function of this number.
#[cold]
pub fn missing(number: u32) -> WasmError {
    TABLE.with_borrow(|table| match table.entries.get(number as usize) {
        Some(Entry::Dropped(store)) => WasmError::runtime(format!("store {store} was dropped")),
        _ => WasmError::runtime("no such function"),
    })
}

/// The functions of one `JsRuntime`.
///
/// A number is another function's only when JavaScript has collected what knew it: a function whose
/// store was dropped can still be called, and has to fail.
#[derive(Default)]
pub struct Funcs {
    /// By store, and by the function's handle in it.
    of_store: RefCell<HashMap<u32, HashMap<u32, u32>>>,
}

impl Funcs {
    /// The number of a function of this store, the same each time.
    ///
    /// # Errors
    /// `RuntimeError` if there are no more numbers.
    pub fn add(
        &self,
        store: u32,
        func: WasmFunc,
        crossing: Rc<Crossing>,
    ) -> Result<u32, WasmError> {
        let mut of_store = self.of_store.borrow_mut();
        let of_store = of_store.entry(store).or_default();
        let handle = func.handle();
        if let Some(number) = of_store.get(&handle) {
            return Ok(*number);
        }
        let callable = Callable {
            numbers: Numbers::of(&func.info()),
            func,
            crossing,
        };
        let number = TABLE.with_borrow_mut(|table| table.add(callable))?;
        of_store.insert(handle, number);
        Ok(number)
    }

    /// Lets go of the functions of a store that was dropped.
    pub fn drop_store(&self, store: u32) {
        let of_store = self.of_store.borrow();
        drop_all(
            store,
            of_store.get(&store).into_iter().flat_map(HashMap::values),
        );
    }

    /// The numbers of the functions of a store that was dropped may be given to others: nobody knows
    /// those functions any more.
    pub fn forget_store(&self, store: u32) {
        let numbers = self.of_store.borrow_mut().remove(&store);
        let numbers = numbers.into_iter().flat_map(HashMap::into_values);
        TABLE.with_borrow_mut(|table| table.free.extend(numbers));
    }
}

/// Lets go of the functions of these numbers, of a store that was dropped.
fn drop_all<'a>(store: u32, numbers: impl Iterator<Item = &'a u32>) {
    for &number in numbers {
        let dropped = Entry::Dropped(store);
        // What it was is dropped here, and not while the table is borrowed.
        drop(TABLE.with_borrow_mut(|table| {
            std::mem::replace(&mut table.entries[number as usize], dropped)
        }));
    }
}

impl Drop for Funcs {
    fn drop(&mut self) {
        for (store, numbers) in self.of_store.take() {
            // The thread's table may be gone already, with all that was in it.
            if TABLE.try_with(|_| ()).is_err() {
                return;
            }
            drop_all(store, numbers.values());
            TABLE.with_borrow_mut(|table| table.free.extend(numbers.into_values()));
        }
    }
}
