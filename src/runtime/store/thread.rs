//! Threads for guests whose caller does not wait, or has no stack left for them.
//!
//! As `running` tells, the two take turns. In its turn the caller may want more of the same guest (an
//! import that calls back): it hands that over and waits, and what the guest's thread wants meanwhile
//! of the caller's (an import again) comes back to run on the caller's own stack. Of the two threads
//! one runs at any time then, as if both stacks were one.
//!
//! The same serves a guest that is called synchronously where the caller's stack has become too short
//! for it: it gets that of another thread, for which the caller waits.

use std::any::Any;
use std::cell::Cell;
use std::io;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::runtime::base::error::WasmError;
use crate::runtime::engine::native_stack;
use crate::runtime::engine::quota::{MAPPINGS, PER_THREAD, Share};

/// Room for a guest of any engine, and the reserve below it.
const STACK_SIZE: usize = native_stack::LARGEST;

/// How many threads are kept for the next guest when nothing runs on them.
const IDLE: usize = 8;

/// How many guests that one of a thread's guests has led to may have stacks of their own at the same
/// time: each is a thread.
const MAX_OWN_STACKS: u32 = 64;

static IDLE_THREADS: Mutex<Vec<GuestThread>> = Mutex::new(Vec::new());

type Task = Box<dyn FnOnce() + Send>;

/// What one thread tells the other: whose turn it is.
enum Message {
    /// Run this, then say that it is done.
    Run(Task),
    /// Run this. Nobody waits for it.
    Start(Task),
    /// What you asked for is done.
    Done,
    /// There is nothing more to do, when what runs has ended.
    End,
}

/// One thread's end of the line to the other.
struct End {
    to: Sender<Message>,
    from: Mutex<Receiver<Message>>,
    /// Whether there is nothing more to do when what runs has ended.
    ends: AtomicBool,
}

impl End {
    /// Runs `f` on the other thread, and meanwhile on this one what the other asks for.
    ///
    /// A panic of `f` goes on here.
    fn run_there<R>(&self, f: impl FnOnce() -> R) -> R {
        let mut result: Option<Result<R, Box<dyn Any + Send>>> = None;
        let run = || result = Some(catch_unwind(AssertUnwindSafe(f)));
        let task: Box<dyn FnOnce() + '_> = Box::new(run);
        // SAFETY: the task is run and dropped before the other thread says `Done`, which `serve`
        // waits for below; it says so otherwise only by `go_on`, when nothing runs. So nothing that
        // the task borrows is gone before it is. This thread does nothing meanwhile but what the
        // other one asks for and waits for, so that what the task shares with this thread is in use
        // on one of them at a time, each handing over through a channel, and does not have to be
        // `Send`. Nobody in this crate keeps what belongs to a thread (a scope of the JS engine,
        // say) in a task: whatever an import needs of those it finds on its own thread.
        let task = unsafe { mem::transmute::<Box<dyn FnOnce() + '_>, Task>(task) };
        self.send(Message::Run(task));
        self.serve();
        match result {
            Some(Ok(result)) => result,
            Some(Err(panic)) => resume_unwind(panic),
            // `Done` is only sent for a task, or by `go_on` when none is under way.
            None => process::abort(),
        }
    }

    /// Runs what the other thread asks for, until it says that it is done.
    fn serve(&self) {
        loop {
            match self.receive() {
                Message::Run(task) => {
                    task();
                    self.send(Message::Done);
                }
                Message::Done => return,
                Message::End => self.ends.store(true, Ordering::Relaxed),
                // Only a thread on which nothing runs is given a task to start.
                Message::Start(_) => process::abort(),
            }
        }
    }

    /// Runs one task after the other, until there are no more.
    fn work(&self) {
        while !self.ends.load(Ordering::Relaxed) {
            match self.receive() {
                Message::Start(task) => task(),
                Message::End => return,
                // Of those somebody waits for what runs, or what runs waits.
                Message::Run(_) | Message::Done => process::abort(),
            }
        }
    }

    fn send(&self, message: Message) {
        // The `Line` has both ends of each channel, so that none is ever closed.
        if self.to.send(message).is_err() {
            process::abort();
        }
    }

    fn receive(&self) -> Message {
        let from = self.from.lock().unwrap_or_else(PoisonError::into_inner);
        from.recv().unwrap_or_else(|_| process::abort())
    }
}

struct Line {
    caller: End,
    guest: End,
}

/// A thread that guests run on, one at a time.
pub(super) struct GuestThread {
    line: Arc<Line>,
    _mappings: Share,
}

/// The way between a guest's thread and that of its caller.
#[derive(Clone)]
pub(super) struct Way(Arc<Line>);

impl GuestThread {
    /// One that nothing runs on.
    ///
    /// # Errors
    /// `RuntimeError` if no thread can be started.
    pub(super) fn take() -> Result<Self, WasmError> {
        let idle = idle().pop();
        match idle {
            Some(thread) => Ok(thread),
            None => Self::new()
                .map_err(|error| WasmError::runtime(format!("no thread for the guest: {error}"))),
        }
    }

    /// Runs `task` on it, and does not wait.
    pub(super) fn start(&self, task: impl FnOnce() + Send + 'static) {
        self.line.caller.send(Message::Start(Box::new(task)));
    }

    /// Keeps it for the next guest, if there are not enough already.
    pub(super) fn give_back(self) {
        let mut idle = idle();
        if idle.len() < IDLE {
            idle.push(self);
        }
    }

    fn new() -> io::Result<Self> {
        let mappings = MAPPINGS.take(PER_THREAD).map_err(io::Error::other)?;
        let (to_guest, from_caller) = channel();
        let (to_caller, from_guest) = channel();
        let end = |to, from| End {
            to,
            from: Mutex::new(from),
            ends: AtomicBool::new(false),
        };
        let line = Arc::new(Line {
            caller: end(to_guest, from_guest),
            guest: end(to_caller, from_caller),
        });
        let this = line.clone();
        thread::Builder::new()
            .name("wasm guest".to_owned())
            .stack_size(STACK_SIZE)
            .spawn(move || this.guest.work())?;
        Ok(Self {
            line,
            _mappings: mappings,
        })
    }

    /// The way there and back.
    pub(super) fn way(&self) -> Way {
        Way(self.line.clone())
    }
}

impl Drop for GuestThread {
    fn drop(&mut self) {
        self.line.caller.send(Message::End);
    }
}

/// The stack of a guest that is called synchronously, while its caller's is short: that of a thread
/// which [waits](Way::wait) for what to run.
pub(super) struct OwnStack {
    /// Taken when it is dropped.
    thread: Option<GuestThread>,
    way: Way,
}

thread_local! {
    /// How many guests of this thread have stacks of their own.
    static OWN_STACKS: Cell<u32> = const { Cell::new(0) };
}

impl OwnStack {
    /// One that nothing runs on.
    ///
    /// # Errors
    /// `RuntimeError`, as of a stack that is exhausted, if this thread has too many; or if no thread can
    /// be started.
    pub(super) fn take() -> Result<Self, WasmError> {
        if OWN_STACKS.get() >= MAX_OWN_STACKS {
            return Err(WasmError::stack_exhausted());
        }
        let thread = GuestThread::take()?;
        let way = thread.way();
        let waits = way.clone();
        thread.start(move || waits.wait());
        OWN_STACKS.set(OWN_STACKS.get() + 1);
        Ok(Self {
            thread: Some(thread),
            way,
        })
    }

    /// The way there and back.
    pub(super) fn way(&self) -> Way {
        self.way.clone()
    }
}

impl Drop for OwnStack {
    fn drop(&mut self) {
        OWN_STACKS.set(OWN_STACKS.get() - 1);
        self.way.go_on();
        if let Some(thread) = self.thread.take() {
            thread.give_back();
        }
    }
}

impl Way {
    /// From the caller's thread, while the guest's [waits](Self::wait): runs `f` there, and waits for it.
    pub(super) fn run<R>(&self, f: impl FnOnce() -> R) -> R {
        self.0.caller.run_there(f)
    }

    /// From the guest's thread: waits until the other says [`go_on`](Self::go_on), and meanwhile runs
    /// what it asks for.
    pub(super) fn wait(&self) {
        self.0.guest.serve();
    }

    /// Has the guest's thread go on, which [waits](Self::wait), and runs nothing meanwhile.
    pub(super) fn go_on(&self) {
        self.0.caller.send(Message::Done);
    }

    /// From the guest's thread: runs `f` on the caller's, and waits for it.
    pub(super) fn run_back<R>(&self, f: impl FnOnce() -> R) -> R {
        self.0.guest.run_there(f)
    }
}

fn idle() -> std::sync::MutexGuard<'static, Vec<GuestThread>> {
    IDLE_THREADS.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_threads_are_kept_and_no_more() {
        let threads: Vec<GuestThread> = (0..=IDLE).map(|_| GuestThread::take().unwrap()).collect();
        assert!(idle().is_empty());
        let last = threads.last().unwrap().line.clone();
        threads.into_iter().for_each(GuestThread::give_back);
        assert_eq!(idle().len(), IDLE);
        let kept = GuestThread::take().unwrap();
        assert!(!Arc::ptr_eq(&kept.line, &last));
        assert_eq!(idle().len(), IDLE - 1);

        // A thread that is not kept ends, and lets go of its end of the line.
        let line = Arc::downgrade(&kept.line);
        drop(kept);
        while line.strong_count() > 0 {
            thread::yield_now();
        }
    }
}
