//! The line that compiles wait in.
//!
//! A compile takes seconds and hundreds of megabytes, and a process has many runtimes, each of which may
//! ask for thousands at once. So at most one a core runs, in the whole process, on a thread of its own;
//! a module's functions are compiled in parallel besides, by the one pool of threads that the compiler
//! has for the process. The others wait without a thread. Those who wait take turns by owner, so that
//! nobody waits for all that another runtime has asked for.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::thread;

use tokio::sync::oneshot;

use crate::runtime::base::error::WasmError;

static QUEUE: LazyLock<Mutex<Queue>> = LazyLock::new(Mutex::default);

type Work = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Queue {
    running: usize,
    /// Those who wait, by owner, in the order of their turns. No list is empty.
    owners: VecDeque<(u64, VecDeque<(u64, Work)>)>,
}

/// One who compiles: those of the same owner wait for each other.
#[derive(Clone)]
pub(crate) struct CompileQueue {
    owner: u64,
    waiting: Arc<AtomicU64>,
    max_waiting: u64,
}

impl CompileQueue {
    /// A new owner, who may have `max_waiting` compiles in line.
    pub(crate) fn new(max_waiting: u32) -> Self {
        Self {
            owner: next_number(),
            waiting: Arc::default(),
            max_waiting: max_waiting.into(),
        }
    }

    /// Puts `work` in line. It runs on another thread; to drop what is returned takes it out of the line
    /// if it has not begun.
    ///
    /// # Errors
    /// `CompileError` if too many wait, or there is no thread to be had.
    pub(crate) fn submit<R: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<R, WasmError> + Send + 'static,
    ) -> Result<Waiting<R>, WasmError> {
        let slot = QueueSlot::take(self)?;
        let (send, receive) = oneshot::channel();
        let work = move |slot| {
            let result = work();
            // Who is told that it is over may submit another.
            drop(slot);
            // Who waits may have given up, and dropped the other end.
            let _ = send.send(result);
        };
        let waiting = Waiting {
            ticket: slot.ticket,
            result: receive,
        };
        slot.queue(work)?;
        Ok(waiting)
    }

    /// Runs `work` on this thread when its turn comes.
    ///
    /// # Errors
    /// `CompileError` if too many wait; otherwise as `work`.
    pub(crate) fn run<R>(
        &self,
        work: impl FnOnce() -> Result<R, WasmError>,
    ) -> Result<R, WasmError> {
        let slot = QueueSlot::take(self)?;
        let (my_turn, turn) = std::sync::mpsc::channel();
        let (done, wait) = std::sync::mpsc::channel::<()>();
        // Whoever runs the line waits until this thread is done, or has unwound.
        slot.queue(move |slot| {
            let _ = my_turn.send(slot);
            let _ = wait.recv();
        })?;
        let _done = done;
        let _place = turn
            .recv()
            .map_err(|_| WasmError::compile("the compile was given up"))?;
        work()
    }
}

/// A compile that waits in line, or runs.
pub struct Waiting<R> {
    ticket: u64,
    result: oneshot::Receiver<Result<R, WasmError>>,
}

impl<R> Future for Waiting<R> {
    type Output = Result<R, WasmError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let result = Pin::new(&mut self.result).poll(context);
        // Nothing is sent if the compiler panicked.
        result.map(|sent| sent.unwrap_or_else(|_| Err(WasmError::compile("the compiler failed"))))
    }
}

impl<R> Drop for Waiting<R> {
    fn drop(&mut self) {
        let given_up = line().remove(self.ticket);
        // Its source is freed here, after the line is unlocked.
        drop(given_up);
    }
}

/// One slot in the line, which counts until it is given back.
struct QueueSlot {
    owner: u64,
    ticket: u64,
    waiting: Arc<AtomicU64>,
}

impl QueueSlot {
    fn take(queue: &CompileQueue) -> Result<Self, WasmError> {
        let slot = Self {
            owner: queue.owner,
            ticket: next_number(),
            waiting: queue.waiting.clone(),
        };
        let cap = queue.max_waiting;
        let count = slot.waiting.fetch_add(1, Ordering::Relaxed) + 1;
        if count > cap {
            return Err(WasmError::compile(format!(
                "{count} compiles at the same time exceed the cap of {cap} (max_pending_compiles)"
            )));
        }
        Ok(slot)
    }

    /// Puts `work` in line, which takes the slot over.
    fn queue(self, work: impl FnOnce(Self) + Send + 'static) -> Result<(), WasmError> {
        let (owner, ticket) = (self.owner, self.ticket);
        let work = move || work(self);
        let starts = {
            let mut line = line();
            line.push(owner, ticket, Box::new(work));
            let starts = line.running < most_at_once();
            line.running += usize::from(starts);
            starts
        };
        if !starts {
            return Ok(());
        }
        let started = thread::Builder::new()
            .name("wasm-compile".to_owned())
            .spawn(run_line);
        if let Err(error) = started {
            let given_up = {
                let mut line = line();
                line.running -= 1;
                // Others that run come to it.
                if line.running > 0 {
                    None
                } else {
                    line.remove(ticket)
                }
            };
            if given_up.is_some() {
                return Err(WasmError::compile(format!(
                    "no thread to compile on: {error}"
                )));
            }
        }
        Ok(())
    }
}

impl Drop for QueueSlot {
    fn drop(&mut self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Queue {
    fn push(&mut self, owner: u64, ticket: u64, work: Work) {
        match self.owners.iter_mut().find(|(known, _)| *known == owner) {
            Some((_, works)) => works.push_back((ticket, work)),
            None => self
                .owners
                .push_back((owner, VecDeque::from([(ticket, work)]))),
        }
    }

    /// Who is next: the first of the owner whose turn it is, who then has the last turn.
    fn pop(&mut self) -> Option<Work> {
        let (owner, mut works) = self.owners.pop_front()?;
        let (_, work) = works.pop_front()?;
        if !works.is_empty() {
            self.owners.push_back((owner, works));
        }
        Some(work)
    }

    fn remove(&mut self, ticket: u64) -> Option<Work> {
        for index in 0..self.owners.len() {
            let works = &mut self.owners[index].1;
            let Ok(slot) = works.binary_search_by_key(&ticket, |(ticket, _)| *ticket) else {
                continue;
            };
            let (_, work) = works.remove(slot)?;
            if works.is_empty() {
                self.owners.remove(index);
            }
            return Some(work);
        }
        None
    }
}

/// Does what is in the line until it is empty.
fn run_line() {
    loop {
        let next = {
            let mut line = line();
            let next = line.pop();
            line.running -= usize::from(next.is_none());
            next
        };
        let Some(work) = next else { return };
        // What panics fails for who waits for it, and for nobody else.
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    }
}

fn line() -> MutexGuard<'static, Queue> {
    // The line is whole whatever panicked while it was locked.
    QUEUE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Numbers grow, so that each list in the line is sorted by them but for those taken at the same time by
/// several threads of one owner.
fn next_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// How many compiles run at one time: one a core.
fn most_at_once() -> usize {
    static MOST: LazyLock<usize> =
        LazyLock::new(|| thread::available_parallelism().map_or(1, usize::from));
    *MOST
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    /// Fills all places where something runs, until what is returned is dropped.
    fn busy(queue: &CompileQueue) -> Vec<std::sync::mpsc::Sender<()>> {
        (0..most_at_once())
            .map(|_| {
                let (stop, stopped) = channel::<()>();
                let (started, start) = channel();
                let waiting = queue.submit(move || {
                    started.send(()).unwrap();
                    let _ = stopped.recv();
                    Ok(())
                });
                std::mem::forget(waiting.unwrap());
                start.recv().unwrap();
                stop
            })
            .collect()
    }

    #[test]
    fn one_a_core_runs_owners_take_turns_and_what_is_given_up_never_starts() {
        let (many, one) = (CompileQueue::new(100), CompileQueue::new(1));
        let running = busy(&many);
        let (send, order) = channel();
        let submit = |queue: &CompileQueue, name: &'static str| {
            let send = send.clone();
            queue.submit(move || {
                send.send(name).unwrap();
                Ok(())
            })
        };
        let held = Arc::new(());
        let hold = held.clone();
        let given_up = many.submit(move || {
            drop(hold);
            panic!("it was given up");
            #[expect(unreachable_code, reason = "says what it would return")]
            Ok(())
        });
        let waiting = [
            submit(&many, "first"),
            submit(&many, "second"),
            submit(&many, "third"),
            submit(&one, "other"),
        ];
        let refused = submit(&one, "too many").err().unwrap();
        assert!(
            refused.message.contains("cap of 1 (max_pending_compiles)"),
            "{refused}"
        );
        assert_eq!(Arc::strong_count(&held), 2);
        drop(given_up);
        assert_eq!(Arc::strong_count(&held), 1, "its work is still there");
        // All but one go on to be busy, so that there is one order.
        let mut running = running.into_iter();
        drop(running.next());
        let names: Vec<_> = order.iter().take(4).collect();
        assert_eq!(names, ["first", "other", "second", "third"]);
        drop((running, waiting));
        // The slot was given back.
        assert_eq!(one.run(|| Ok(7)).unwrap(), 7);
        assert_eq!(one.waiting.load(Ordering::Relaxed), 0);
    }
}
