//! Threads for guests whose caller does not wait, or has no stack left for them.
//!
//! The two threads take turns: see `running`. In its turn the caller may want more of the same guest (an
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

/// A message from one thread to the other, which also passes the turn.
enum Message {
    /// Run this task, then send `Done`.
    Run(Task),
    /// Run this task. No thread waits for it.
    Start(Task),
    /// The task that you sent has run.
    Done,
    /// Exit when the task that runs has ended.
    Exit,
}

/// One thread's end of the channels to the other.
struct Endpoint {
    to: Sender<Message>,
    from: Mutex<Receiver<Message>>,
    /// Whether the thread exits when the task that runs has ended.
    exits: AtomicBool,
}

impl Endpoint {
    /// Runs `f` on the other thread, and meanwhile the tasks that the other thread sends on this one.
    ///
    /// A panic of `f` goes on here.
    fn run_there<R>(&self, f: impl FnOnce() -> R) -> R {
        let mut result: Option<Result<R, Box<dyn Any + Send>>> = None;
        let run = || result = Some(catch_unwind(AssertUnwindSafe(f)));
        let task: Box<dyn FnOnce() + '_> = Box::new(run);
        // SAFETY: the task is run and dropped before the other thread says `Done`, which `serve`
        // waits for below; it says so otherwise only by `resume`, when nothing runs. So nothing that
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
            // `Done` is only sent for a task, or by `resume` when none is under channel.
            None => process::abort(),
        }
    }

    /// Runs the tasks that the other thread sends, until it sends `Done`.
    fn serve(&self) {
        loop {
            match self.receive() {
                Message::Run(task) => {
                    task();
                    self.send(Message::Done);
                }
                Message::Done => return,
                Message::Exit => self.exits.store(true, Ordering::Relaxed),
                // Only a thread on which nothing runs is given a task to start.
                Message::Start(_) => process::abort(),
            }
        }
    }

    /// Runs one task after the other, until there are no more.
    fn work(&self) {
        while !self.exits.load(Ordering::Relaxed) {
            match self.receive() {
                Message::Start(task) => task(),
                Message::Exit => return,
                // Both are sent only while a task runs.
                Message::Run(_) | Message::Done => process::abort(),
            }
        }
    }

    fn send(&self, message: Message) {
        // `Channels` has both ends of each channel, so that none is ever closed.
        if self.to.send(message).is_err() {
            process::abort();
        }
    }

    fn receive(&self) -> Message {
        let from = self.from.lock().unwrap_or_else(PoisonError::into_inner);
        from.recv().unwrap_or_else(|_| process::abort())
    }
}

struct Channels {
    caller: Endpoint,
    guest: Endpoint,
}

/// A thread that guests run on, one at a time.
pub(super) struct GuestThread {
    channels: Arc<Channels>,
    _mappings: Share,
}

/// The channels between a guest's thread and its caller's.
#[derive(Clone)]
pub(super) struct GuestChannel(Arc<Channels>);

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
        self.channels.caller.send(Message::Start(Box::new(task)));
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
        let endpoint = |to, from| Endpoint {
            to,
            from: Mutex::new(from),
            exits: AtomicBool::new(false),
        };
        let channels = Arc::new(Channels {
            caller: endpoint(to_guest, from_guest),
            guest: endpoint(to_caller, from_caller),
        });
        let this = channels.clone();
        thread::Builder::new()
            .name("wasm guest".to_owned())
            .stack_size(STACK_SIZE)
            .spawn(move || this.guest.work())?;
        Ok(Self {
            channels,
            _mappings: mappings,
        })
    }

    /// The channels to it and back.
    pub(super) fn channel(&self) -> GuestChannel {
        GuestChannel(self.channels.clone())
    }
}

impl Drop for GuestThread {
    fn drop(&mut self) {
        self.channels.caller.send(Message::Exit);
    }
}

/// The stack of a guest that is called synchronously, while its caller's is short: that of a thread
/// which [waits](GuestChannel::wait) for what to run.
pub(super) struct OwnStack {
    /// Taken when it is dropped.
    thread: Option<GuestThread>,
    channel: GuestChannel,
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
        let channel = thread.channel();
        let waits = channel.clone();
        thread.start(move || waits.wait());
        OWN_STACKS.set(OWN_STACKS.get() + 1);
        Ok(Self {
            thread: Some(thread),
            channel,
        })
    }

    /// The channels to it and back.
    pub(super) fn channel(&self) -> GuestChannel {
        self.channel.clone()
    }
}

impl Drop for OwnStack {
    fn drop(&mut self) {
        OWN_STACKS.set(OWN_STACKS.get() - 1);
        self.channel.resume();
        if let Some(thread) = self.thread.take() {
            thread.give_back();
        }
    }
}

impl GuestChannel {
    /// From the caller's thread, while the guest's [waits](Self::wait): runs `f` there, and waits for it.
    pub(super) fn run<R>(&self, f: impl FnOnce() -> R) -> R {
        self.0.caller.run_there(f)
    }

    /// From the guest's thread: waits until the other says [`resume`](Self::resume), and meanwhile runs
    /// what it asks for.
    pub(super) fn wait(&self) {
        self.0.guest.serve();
    }

    /// Has the guest's thread go on, which [waits](Self::wait), and runs nothing meanwhile.
    pub(super) fn resume(&self) {
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
        let last = threads.last().unwrap().channels.clone();
        threads.into_iter().for_each(GuestThread::give_back);
        assert_eq!(idle().len(), IDLE);
        let kept = GuestThread::take().unwrap();
        assert!(!Arc::ptr_eq(&kept.channels, &last));
        assert_eq!(idle().len(), IDLE - 1);

        // A thread that is not kept ends, and lets go of its endpoint of the channels.
        let channels = Arc::downgrade(&kept.channels);
        drop(kept);
        while channels.strong_count() > 0 {
            thread::yield_now();
        }
    }
}
