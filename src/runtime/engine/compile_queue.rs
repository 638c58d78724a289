//! The queue of compilations of the process.
//!
//! A compilation takes seconds and hundreds of megabytes, and a process can have many runtimes, each of which can
//! request thousands at once. So the whole process runs at most one compilation per core, each on its own thread.
//! In addition, the compiler compiles the functions of a module in parallel, on the one thread pool that it has for
//! the process. The other compilations wait, without a thread. Owners take turns, so that one runtime's requests do
//! not delay those of another.

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
    /// The waiting compilations by owner, in the order of the owners' turns. No inner list is empty.
    owners: VecDeque<(u64, VecDeque<(u64, Work)>)>,
}

/// A handle of an owner to the queue. The compilations of one owner start in the order of their submission.
#[derive(Clone)]
pub(crate) struct CompileQueue {
    owner: u64,
    waiting: Arc<AtomicU64>,
    max_waiting: u64,
}

impl CompileQueue {
    /// Makes a new owner, with at most `max_waiting` compilations that wait or run.
    pub(crate) fn new(max_waiting: u32) -> Self {
        Self {
            owner: next_number(),
            waiting: Arc::default(),
            max_waiting: max_waiting.into(),
        }
    }

    /// Adds `work` to the queue, which runs it on another thread. Dropping the returned future removes it from the
    /// queue if it has not started.
    ///
    /// # Errors
    /// `CompileError` if too many compilations wait, or no thread can be started.
    pub(crate) fn submit<R: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<R, WasmError> + Send + 'static,
    ) -> Result<Waiting<R>, WasmError> {
        let slot = QueueSlot::take(self)?;
        let (send, receive) = oneshot::channel();
        let work = move |slot| {
            let result = work();
            // Before the result is sent, since its receiver may submit the next compilation.
            drop(slot);
            // Fails if the receiver has been dropped, because the caller no longer waits.
            let _ = send.send(result);
        };
        let waiting = Waiting {
            ticket: slot.ticket,
            result: receive,
        };
        slot.enqueue(work)?;
        Ok(waiting)
    }

    /// Runs `work` on this thread when its turn comes.
    ///
    /// # Errors
    /// `CompileError` if too many compilations wait; otherwise as `work`.
    pub(crate) fn run<R>(
        &self,
        work: impl FnOnce() -> Result<R, WasmError>,
    ) -> Result<R, WasmError> {
        let slot = QueueSlot::take(self)?;
        let (start, started) = std::sync::mpsc::channel();
        let (done, wait) = std::sync::mpsc::channel::<()>();
        // The queue's thread waits until this thread has finished or unwound, so that its slot stays taken.
        slot.enqueue(move |slot| {
            let _ = start.send(slot);
            let _ = wait.recv();
        })?;
        let _done = done;
        let _slot = started
            .recv()
            .map_err(|_| WasmError::compile("the compile was given up"))?;
        work()
    }
}

/// A compilation that waits in the queue or runs. A future of its result.
pub(crate) struct Waiting<R> {
    ticket: u64,
    result: oneshot::Receiver<Result<R, WasmError>>,
}

impl<R> Future for Waiting<R> {
    type Output = Result<R, WasmError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let result = Pin::new(&mut self.result).poll(context);
        // The sender is dropped without a result if the compiler panicked.
        result.map(|sent| sent.unwrap_or_else(|_| Err(WasmError::compile("the compiler failed"))))
    }
}

impl<R> Drop for Waiting<R> {
    fn drop(&mut self) {
        let cancelled = lock_queue().remove(self.ticket);
        // Frees the source after the queue is unlocked.
        drop(cancelled);
    }
}

/// A slot of an owner, which counts as pending until it is dropped.
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

    /// Adds `work` to the queue. The work owns the slot.
    fn enqueue(self, work: impl FnOnce(Self) + Send + 'static) -> Result<(), WasmError> {
        let (owner, ticket) = (self.owner, self.ticket);
        let work = move || work(self);
        let starts_thread = {
            let mut queue = lock_queue();
            queue.push(owner, ticket, Box::new(work));
            let starts_thread = queue.running < max_running();
            queue.running += usize::from(starts_thread);
            starts_thread
        };
        if !starts_thread {
            return Ok(());
        }
        let started = thread::Builder::new()
            .name("wasm-compile".to_owned())
            .spawn(run_queue);
        if let Err(error) = started {
            let cancelled = {
                let mut queue = lock_queue();
                queue.running -= 1;
                // Another thread of the queue will run the work.
                if queue.running > 0 {
                    None
                } else {
                    queue.remove(ticket)
                }
            };
            if cancelled.is_some() {
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

    /// Removes the next compilation: the first one of the owner whose turn it is. The owner moves to the end.
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

/// Runs the compilations of the queue until it is empty.
fn run_queue() {
    loop {
        let next = {
            let mut queue = lock_queue();
            let next = queue.pop();
            queue.running -= usize::from(next.is_none());
            next
        };
        let Some(work) = next else { return };
        // A panic fails only this compilation: its sender is dropped without a result.
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    }
}

fn lock_queue() -> MutexGuard<'static, Queue> {
    // A panic while the lock was held leaves the queue consistent.
    QUEUE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns increasing numbers. So each list in the queue is sorted by ticket, except for tickets that several
/// threads of one owner took at the same time.
fn next_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The maximum number of compilations that run at one time: one per core.
fn max_running() -> usize {
    static MAX: LazyLock<usize> =
        LazyLock::new(|| thread::available_parallelism().map_or(1, usize::from));
    *MAX
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    /// Occupies all slots for running compilations until the returned senders are dropped.
    fn busy(queue: &CompileQueue) -> Vec<std::sync::mpsc::Sender<()>> {
        (0..max_running())
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
    fn one_per_core_runs_owners_take_turns_and_cancelled_work_never_starts() {
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
        let cancelled = many.submit(move || {
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
        drop(cancelled);
        assert_eq!(Arc::strong_count(&held), 1, "its work is still there");
        // All slots but one stay occupied, so that the order is deterministic.
        let mut running = running.into_iter();
        drop(running.next());
        let names: Vec<_> = order.iter().take(4).collect();
        assert_eq!(names, ["first", "other", "second", "third"]);
        drop((running, waiting));
        // The slots were given back.
        assert_eq!(one.run(|| Ok(7)).unwrap(), 7);
        assert_eq!(one.waiting.load(Ordering::Relaxed), 0);
    }
}
