//! Threads for guests of asynchronous calls, and for guests that need more stack than their caller has left.
//!
//! The guest's thread and the caller's take turns: see `running`. During its turn, the caller may call the same
//! guest again (an import that calls back). It then passes a task to the guest's thread and waits. If the guest
//! calls an import during the task, the import runs on the caller's thread, on the caller's stack. So only one of
//! the two threads runs at any time, as if both stacks were one.
//!
//! The same mechanism serves a synchronous call when too little of the caller's stack is left: the guest runs on
//! the stack of another thread, for which the caller waits.

use std::any::Any;
use std::cell::Cell;
use std::io;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::thread;

use crate::runtime::base::error::WasmError;
use crate::runtime::engine::quota::{MAPPINGS, PER_THREAD, Share};
use crate::runtime::engine::stack_class::LARGEST;

/// The stack size: enough for a guest of any engine, and the reserve below it.
const STACK_SIZE: usize = LARGEST;

/// The maximum number of idle threads that are kept for later guests.
const MAX_IDLE: usize = 8;

/// The maximum number of threads that give their stack to guests of synchronous calls, nested in the calls of one
/// thread.
const MAX_OWN_STACKS: u32 = 64;

static IDLE_THREADS: Mutex<Vec<GuestThread>> = Mutex::new(Vec::new());

/// How often a thread looks for a message before it sleeps. To wake a thread takes tens of microseconds, and the other
/// thread often answers sooner. With a single core it could not answer meanwhile.
static SPINS: LazyLock<u32> = LazyLock::new(|| match thread::available_parallelism() {
    Ok(cores) if cores.get() > 1 => 300,
    _ => 0,
});

type Task = Box<dyn FnOnce() + Send>;

/// A message from one thread to the other. It also passes the turn.
enum Message {
    /// Run this task, then send `Done`.
    Run(Task),
    /// Run this task. No thread waits for it.
    Start(Task),
    /// The task that the receiver sent has ended.
    Done,
    /// Exit after the running task has ended.
    Exit,
}

/// One thread's end of the channels to the other.
struct Endpoint {
    to: Sender<Message>,
    from: Mutex<Receiver<Message>>,
    /// Whether the thread exits after the running task has ended.
    exit_requested: AtomicBool,
}

impl Endpoint {
    /// Runs `f` on the other thread. In the meantime, runs the tasks that the other thread sends on this one.
    ///
    /// A panic of `f` is resumed on this thread.
    fn run_on_other<R>(&self, f: impl FnOnce() -> R) -> R {
        let mut result: Option<Result<R, Box<dyn Any + Send>>> = None;
        let run = || result = Some(catch_unwind(AssertUnwindSafe(f)));
        let task: Box<dyn FnOnce() + '_> = Box::new(run);
        // SAFETY: the task is run and dropped before the other thread sends `Done`, and `serve` below waits for
        // `Done`. The only other sender of `Done` is `resume`, which sends it when no task runs. So the task never
        // outlives what it borrows. In the meantime this thread only runs the tasks that the other thread sends and
        // waits for. So the data that the task shares with this thread is used by one of them at a time, each
        // handing over through a channel, and does not have to be `Send`. No code in this crate keeps data that
        // belongs to a thread (a scope of the JavaScript engine, for example) in a task: an import gets such data
        // on its own thread.
        let task = unsafe { mem::transmute::<Box<dyn FnOnce() + '_>, Task>(task) };
        self.send(Message::Run(task));
        self.serve();
        match result {
            Some(Ok(result)) => result,
            Some(Err(panic)) => resume_unwind(panic),
            // `Done` is sent only after a task, by `resume` when no task runs, or where a task suspends itself: those
            // are not run here.
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
                Message::Exit => self.exit_requested.store(true, Ordering::Relaxed),
                // `Start` is sent only to a thread that runs no task.
                Message::Start(_) => process::abort(),
            }
        }
    }

    /// Runs the tasks for this thread one after the other, until it has to exit.
    fn work(&self) {
        while !self.exit_requested.load(Ordering::Relaxed) {
            match self.receive() {
                Message::Start(task) => task(),
                Message::Exit => return,
                // Both are sent only while a task runs.
                Message::Run(_) | Message::Done => process::abort(),
            }
        }
    }

    fn send(&self, message: Message) {
        // `Channels` owns both ends of each channel, so no channel is ever closed.
        if self.to.send(message).is_err() {
            process::abort();
        }
    }

    fn receive(&self) -> Message {
        let from = self.from.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..*SPINS {
            if let Ok(message) = from.try_recv() {
                return message;
            }
            std::hint::spin_loop();
        }
        from.recv().unwrap_or_else(|_| process::abort())
    }
}

struct Channels {
    caller: Endpoint,
    guest: Endpoint,
}

/// A thread that runs guests, one at a time.
pub(super) struct GuestThread {
    channels: Arc<Channels>,
    _mappings: Share,
}

/// The channels between a guest's thread and its caller's.
#[derive(Clone)]
pub(super) struct GuestChannel(Arc<Channels>);

impl GuestThread {
    /// Returns an idle thread, or starts one.
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

    /// Runs `task` on the thread, without waiting for it.
    pub(super) fn start(&self, task: impl FnOnce() + Send + 'static) {
        self.channels.caller.send(Message::Start(Box::new(task)));
    }

    /// Keeps the thread for later guests, unless enough idle threads are kept.
    pub(super) fn give_back(self) {
        let mut idle = idle();
        if idle.len() < MAX_IDLE {
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
            exit_requested: AtomicBool::new(false),
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

    /// Returns the channels between the thread and the caller's.
    pub(super) fn channel(&self) -> GuestChannel {
        GuestChannel(self.channels.clone())
    }
}

impl Drop for GuestThread {
    fn drop(&mut self) {
        self.channels.caller.send(Message::Exit);
    }
}

/// A guest's thread that [waits](GuestChannel::wait) for tasks.
pub(super) struct WaitingThread {
    /// `None` only during drop.
    thread: Option<GuestThread>,
    channel: GuestChannel,
}

impl WaitingThread {
    /// Takes a thread and makes it wait for tasks.
    ///
    /// # Errors
    /// `RuntimeError` if no thread can be started.
    pub(super) fn take() -> Result<Self, WasmError> {
        let thread = GuestThread::take()?;
        let channel = thread.channel();
        let waiting = channel.clone();
        thread.start(move || waiting.wait());
        Ok(Self {
            thread: Some(thread),
            channel,
        })
    }

    /// Returns the channels between the thread and the caller's.
    pub(super) fn channel(&self) -> GuestChannel {
        self.channel.clone()
    }
}

impl Drop for WaitingThread {
    fn drop(&mut self) {
        self.channel.resume();
        if let Some(thread) = self.thread.take() {
            thread.give_back();
        }
    }
}

/// The stack of another thread for a guest of a synchronous call.
pub(super) struct OwnStack(WaitingThread);

thread_local! {
    /// The number of `OwnStack`s of this thread.
    static OWN_STACKS: Cell<u32> = const { Cell::new(0) };
}

impl OwnStack {
    /// Takes a thread and makes it wait for tasks.
    ///
    /// # Errors
    /// `RuntimeError`, as for an exhausted stack, if this thread has too many; or if no thread can be started.
    pub(super) fn take() -> Result<Self, WasmError> {
        if OWN_STACKS.get() >= MAX_OWN_STACKS {
            return Err(WasmError::stack_exhausted());
        }
        let thread = WaitingThread::take()?;
        OWN_STACKS.set(OWN_STACKS.get() + 1);
        Ok(Self(thread))
    }

    /// Returns the channels between the thread and the caller's.
    pub(super) fn channel(&self) -> GuestChannel {
        self.0.channel()
    }
}

impl Drop for OwnStack {
    fn drop(&mut self) {
        OWN_STACKS.set(OWN_STACKS.get() - 1);
    }
}

impl GuestChannel {
    /// Runs `f` on the guest's thread, which has to be [waiting](Self::wait), and waits for it. Called on the
    /// caller's thread.
    pub(super) fn run<R>(&self, f: impl FnOnce() -> R) -> R {
        self.0.caller.run_on_other(f)
    }

    /// Waits until the caller's thread calls [`resume`](Self::resume), and runs its tasks in the meantime. Called
    /// on the guest's thread.
    pub(super) fn wait(&self) {
        self.0.guest.serve();
    }

    /// Ends the [wait](Self::wait) of the guest's thread, which has to be running no task.
    pub(super) fn resume(&self) {
        self.0.caller.send(Message::Done);
    }

    /// Runs `task` on the guest's thread, which has to be [waiting](Self::wait), until the task has ended or
    /// [suspends](Self::suspend) itself. Called on the caller's thread.
    pub(super) fn run_until_suspended(&self, task: impl FnOnce() + Send + 'static) {
        self.0.caller.send(Message::Run(Box::new(task)));
        self.0.caller.serve();
    }

    /// Resumes the innermost task of the guest's thread, which has to be suspended, until the task has ended or
    /// [suspends](Self::suspend) itself again. Called on the caller's thread.
    pub(super) fn resume_until_suspended(&self) {
        self.0.caller.send(Message::Done);
        self.0.caller.serve();
    }

    /// Suspends the running task, and runs tasks of the caller's thread until that thread [resumes
    /// it](Self::resume_until_suspended). Called on the guest's thread.
    pub(super) fn suspend(&self) {
        self.0.guest.send(Message::Done);
        self.0.guest.serve();
    }

    /// Runs `f` on the caller's thread, and waits for it. Called on the guest's thread.
    pub(super) fn run_back<R>(&self, f: impl FnOnce() -> R) -> R {
        self.0.guest.run_on_other(f)
    }
}

fn idle() -> std::sync::MutexGuard<'static, Vec<GuestThread>> {
    IDLE_THREADS.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_threads_are_kept_up_to_the_maximum() {
        let threads: Vec<GuestThread> = (0..=MAX_IDLE)
            .map(|_| GuestThread::take().unwrap())
            .collect();
        assert!(idle().is_empty());
        let last = threads.last().unwrap().channels.clone();
        threads.into_iter().for_each(GuestThread::give_back);
        assert_eq!(idle().len(), MAX_IDLE);
        let kept = GuestThread::take().unwrap();
        assert!(!Arc::ptr_eq(&kept.channels, &last));
        assert_eq!(idle().len(), MAX_IDLE - 1);

        // A thread that is not kept exits, and drops its endpoint of the channels.
        let channels = Arc::downgrade(&kept.channels);
        drop(kept);
        while channels.strong_count() > 0 {
            thread::yield_now();
        }
    }
}
