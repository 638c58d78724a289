//! The analysis of the bodies of a module, on all cores where there are many.
//!
//! The result does not depend on the number of cores. It consists of sums and maxima, whose order does not matter. Only
//! the budgets of the analysis have an order: a body may use as much as the bodies before it have left. So each core gets
//! a share of the rest, and if one of them uses its share up, the same bodies are analysed again, one after another.

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use wasmparser::FunctionBody;

use super::body::{Bodies, BodyProfile, ModuleContext};
use super::cost::{Cost, Total};
use super::types::Types;

/// The maximum number of threads that analyse bodies. Each has the data of one body at a time.
const WORKERS: usize = 8;

/// The maximum number of bodies that wait for their analysis.
const MAX_WAITING: usize = 1 << 15;

/// When bodies are analysed on several cores, and how they are divided.
#[derive(Clone, Copy, Debug)]
pub(super) struct Division {
    /// The number of bytes below which it is quicker to stay on one thread.
    pub least_bytes: usize,
    /// The number of bytes that one thread takes at a time.
    pub chunk_bytes: usize,
    /// The number of bytes from which on the bodies that wait are analysed.
    pub waiting_bytes: usize,
    /// The maximum size of a body that is analysed beside others, which bounds the memory for all of them: the analysis
    /// takes more than a hundred bytes for each byte of some bodies.
    pub largest_body: usize,
}

impl Default for Division {
    fn default() -> Self {
        Self {
            least_bytes: 64 << 10,
            chunk_bytes: 16 << 10,
            waiting_bytes: 4 << 20,
            largest_body: 64 << 10,
        }
    }
}

/// The parts of a module that its bodies refer to.
#[derive(Clone, Copy)]
pub(super) struct Module<'m> {
    pub types: &'m Types,
    /// Whether each function has a second entry point; the list may be too short.
    pub escaping: &'m [bool],
    pub context: ModuleContext,
}

/// A function with its body.
pub(super) struct Function<'a> {
    pub index: usize,
    /// The index of its type.
    pub ty: u32,
    pub body: FunctionBody<'a>,
}

/// The properties and the cost of several bodies together.
#[derive(Debug, Default)]
pub(super) struct CodeProfile {
    /// The maximum of each of these properties of a body.
    pub locals: u64,
    pub nesting: u64,
    pub regions: u64,
    pub validation_steps: u64,
    pub catches: bool,
    pub waits: bool,
    pub legacy_exceptions: bool,
    pub total: Total,
}

impl CodeProfile {
    fn add(&mut self, module: Module<'_>, function: &Function<'_>, body: &BodyProfile) {
        self.merge(&Self {
            locals: body.locals,
            nesting: body.nesting,
            regions: body.regions,
            validation_steps: body.validation_steps,
            catches: body.catches,
            waits: body.waits,
            legacy_exceptions: body.legacy_exceptions,
            total: Total::default(),
        });
        self.total.add(body.cost);
        if module.escaping.get(function.index) == Some(&true) {
            let (params, results) = module.types.arity(function.ty).unwrap_or((0, 0));
            let mut cost = Cost::of_function();
            cost.add(Cost::of_code((params + results) * 2_000));
            self.total.add(cost);
        }
    }

    fn merge(&mut self, other: &Self) {
        self.locals = self.locals.max(other.locals);
        self.nesting = self.nesting.max(other.nesting);
        self.regions = self.regions.max(other.regions);
        self.validation_steps = self.validation_steps.saturating_add(other.validation_steps);
        self.catches |= other.catches;
        self.waits |= other.waits;
        self.legacy_exceptions |= other.legacy_exceptions;
        self.total.merge(&other.total);
    }
}

/// The bodies of a module.
#[derive(Default)]
pub(super) struct Code<'a> {
    pub bodies: Bodies,
    pub profile: CodeProfile,
    division: Division,
    waiting: Vec<Function<'a>>,
    waiting_bytes: usize,
}

impl<'a> Code<'a> {
    pub(super) fn new(bodies: Bodies, division: Division) -> Self {
        Self {
            bodies,
            division,
            ..Self::default()
        }
    }

    /// Adds the next function. It may be analysed later: see [`Code::finish`].
    pub(super) fn push(&mut self, module: Module<'_>, function: Function<'a>) {
        let bytes = function.body.range().len();
        if bytes > self.division.largest_body {
            self.finish(module);
            self.analyze(module, &function);
            return;
        }
        self.waiting_bytes += bytes;
        self.waiting.push(function);
        if self.waiting_bytes >= self.division.waiting_bytes || self.waiting.len() >= MAX_WAITING {
            self.finish(module);
        }
    }

    /// Analyses all functions so far.
    pub(super) fn finish(&mut self, module: Module<'_>) {
        let functions = std::mem::take(&mut self.waiting);
        let bytes = std::mem::take(&mut self.waiting_bytes);
        if bytes >= self.division.least_bytes && self.analyze_in_parallel(module, &functions) {
            return;
        }
        for function in &functions {
            self.analyze(module, function);
        }
    }

    fn analyze(&mut self, module: Module<'_>, function: &Function<'_>) {
        let mut profile = self.bodies.profile(module, function);
        if profile.legacy_exceptions && !self.profile.legacy_exceptions {
            // The cost to compile is that of the rewritten module. Of this one, only the cost to validate counts.
            self.bodies = Bodies::new(None);
            profile = self.bodies.profile(module, function);
        }
        self.profile.add(module, function, &profile);
    }

    /// Analyses these functions on several threads. Returns whether the result is the same as on one thread. If not,
    /// nothing is changed.
    fn analyze_in_parallel(&mut self, module: Module<'_>, functions: &[Function<'_>]) -> bool {
        let workers = rayon::current_num_threads().min(WORKERS);
        let share = self.bodies.budgets().share(WORKERS as u64);
        let shared = Shared {
            module,
            chunks: chunks(functions, self.division.chunk_bytes),
            next: AtomicUsize::new(0),
            is_given_up: AtomicBool::new(false),
        };
        if workers < 2 || !self.bodies.fork(share).is_within_budgets() {
            return false;
        }
        let done = Mutex::new(Vec::new());
        rayon::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|_| {
                    let worker = shared.work(self.bodies.fork(share));
                    // A panic while the lock was held leaves the list consistent.
                    done.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(worker);
                });
            }
        });
        if shared.is_given_up.into_inner() {
            return false;
        }
        for (bodies, profile) in done.into_inner().unwrap_or_else(PoisonError::into_inner) {
            if profile.legacy_exceptions && !self.profile.legacy_exceptions {
                // As on one thread.
                self.bodies = Bodies::new(None);
            }
            self.profile.merge(&profile);
            self.bodies.accesses.merge(&bodies.accesses);
            self.bodies.spend(share.without(bodies.budgets()));
        }
        true
    }
}

/// The functions that several threads analyse, each a chunk at a time.
struct Shared<'m> {
    module: Module<'m>,
    chunks: Vec<&'m [Function<'m>]>,
    /// The index of the next chunk.
    next: AtomicUsize,
    /// Whether the functions have to be analysed one after another.
    is_given_up: AtomicBool,
}

impl Shared<'_> {
    /// Analyses chunks until there are no more. Returns the state after the last body, and the sum of all profiles.
    fn work(&self, mut bodies: Bodies) -> (Bodies, CodeProfile) {
        let mut sum = CodeProfile::default();
        while let Some(chunk) = self.chunks.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            for function in *chunk {
                if self.is_given_up.load(Ordering::Relaxed) {
                    return (bodies, sum);
                }
                let profile = bodies.profile(self.module, function);
                sum.add(self.module, function, &profile);
                // After legacy exceptions, values are no longer tracked.
                let changes_mode = bodies.tracks_values() && profile.legacy_exceptions;
                if changes_mode || !bodies.is_within_budgets() {
                    self.is_given_up.store(true, Ordering::Relaxed);
                }
            }
        }
        (bodies, sum)
    }
}

/// Divides functions into chunks of at least `bytes` bytes, except for the last.
fn chunks<'m>(functions: &'m [Function<'m>], bytes: usize) -> Vec<&'m [Function<'m>]> {
    let mut size = 0;
    let chunks = functions.chunk_by(|function, _| {
        size += function.body.range().len();
        let is_full = size >= bytes;
        if is_full {
            size = 0;
        }
        !is_full
    });
    chunks.collect()
}
