//! Compiles that scripts can cancel.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use tokio::sync::Notify;

/// The compiles that can be cancelled, by the numbers that TypeScript gave them.
#[derive(Default)]
pub(crate) struct Cancellations(RefCell<HashMap<u32, Rc<Notify>>>);

impl Cancellations {
    /// Cancels the compile of this number, if it has not ended.
    pub(crate) fn cancel(&self, number: u32) {
        if let Some(cancelled) = self.0.borrow().get(&number) {
            cancelled.notify_one();
        }
    }
}

/// A compile that can be cancelled. Its number is free again when this is dropped.
pub(super) struct Cancellation {
    all: Rc<Cancellations>,
    number: u32,
    cancelled: Rc<Notify>,
}

impl Cancellation {
    /// `None` for the number 0, which stands for a compile that is never cancelled.
    pub(super) fn new(all: &Rc<Cancellations>, number: u32) -> Option<Self> {
        if number == 0 {
            return None;
        }
        let cancelled = Rc::new(Notify::new());
        all.0.borrow_mut().insert(number, cancelled.clone());
        Some(Self {
            all: all.clone(),
            number,
            cancelled,
        })
    }

    /// Waits until a script cancels the compile.
    pub(super) async fn cancelled(&self) {
        self.cancelled.notified().await;
    }
}

impl Drop for Cancellation {
    fn drop(&mut self) {
        self.all.0.borrow_mut().remove(&self.number);
    }
}
