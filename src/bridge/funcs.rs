//! The guests' functions that JavaScript knows.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::number::Numbers;
use crate::runtime::{WasmError, WasmFunc};

/// The functions that JavaScript may call, by number.
///
/// A number is another function's only when JavaScript has collected what knew it: a function whose
/// store was dropped can still be called, and has to fail.
#[derive(Default)]
pub struct Funcs(RefCell<Table>);

#[derive(Default)]
struct Table {
    entries: Vec<Entry>,
    of_store: HashMap<u32, Vec<u32>>,
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
}

impl Funcs {
    /// Gives a function of this store a number.
    ///
    /// # Errors
    /// `RuntimeError` if there are no more numbers.
    pub fn add(&self, store: u32, func: WasmFunc) -> Result<u32, WasmError> {
        let table = &mut *self.0.borrow_mut();
        let entry = Entry::Func(Rc::new(Callable {
            numbers: Numbers::of(&func.info()),
            func,
        }));
        let number = match table.free.pop() {
            Some(number) => {
                table.entries[number as usize] = entry;
                number
            }
            None => {
                let number = u32::try_from(table.entries.len())
                    .map_err(|_| WasmError::runtime("too many functions were exported"))?;
                table.entries.push(entry);
                number
            }
        };
        table.of_store.entry(store).or_default().push(number);
        Ok(number)
    }

    /// The function of this number.
    ///
    /// # Errors
    /// `RuntimeError` if its store was dropped, or there is none.
    #[inline]
    pub fn get(&self, number: u32) -> Result<Rc<Callable>, WasmError> {
        match self.0.borrow().entries.get(number as usize) {
            Some(Entry::Func(callable)) => Ok(callable.clone()),
            Some(Entry::Dropped(store)) => {
                Err(WasmError::runtime(format!("store {store} was dropped")))
            }
            None => Err(WasmError::runtime("no such function")),
        }
    }

    /// Lets go of the functions of a store that was dropped.
    pub fn drop_store(&self, store: u32) {
        let table = &mut *self.0.borrow_mut();
        for &number in table.of_store.get(&store).into_iter().flatten() {
            table.entries[number as usize] = Entry::Dropped(store);
        }
    }

    /// The numbers of the functions of a store that was dropped may be given to others: nobody knows
    /// those functions any more.
    pub fn forget_store(&self, store: u32) {
        let table = &mut *self.0.borrow_mut();
        table
            .free
            .extend(table.of_store.remove(&store).into_iter().flatten());
    }
}
