//! Runs a case on two hosts and compares them.

use std::fmt;
use std::ops::AddAssign;

use serde::{Deserialize, Serialize};
use wasmparser::types::EntityType;
use wasmparser::{FuncType, Validator};

use super::case::Case;
use crate::compare::matches_trap;
use crate::features::Features;
use crate::host::{Failure, FailureKind, Inspect, Source};
use crate::value::{self, Value};

/// The number of calls of every function.
const ROUNDS: u64 = 2;

/// Counts of outcomes of one case, or of many, on which two hosts agreed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    pub modules: u64,
    /// Invalid modules, which were refused.
    pub invalid: u64,
    /// Valid modules that ran on one host only, because they were damaged.
    pub alone: u64,
    pub returned: u64,
    pub trapped: u64,
    /// Modules that ran out of stack or fuel on one host. The other host may have more of it.
    pub cut_short: u64,
    pub globals: u64,
    pub memories: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.modules += other.modules;
        self.invalid += other.invalid;
        self.alone += other.alone;
        self.returned += other.returned;
        self.trapped += other.trapped;
        self.cut_short += other.cut_short;
        self.globals += other.globals;
        self.memories += other.memories;
    }
}

/// A step in which two hosts differ, or in which a host failed as no host may.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    pub step: Step,
    pub expected: String,
    pub got: String,
}

/// A step of a case on a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// Compile the module.
    Compile,
    /// Instantiate the module.
    Instantiate,
    /// Call this function, in this round.
    Call { name: String, round: u64 },
    /// Read this global after all calls.
    Global { name: String },
    /// Read this memory after all calls: its size, or the byte at an address.
    Memory { name: String, at: Option<usize> },
    /// The whole case, without a crash of the process.
    Survive,
    /// The whole case, within the timeout.
    End,
}

impl Step {
    /// Whether another step is of the same kind.
    pub fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Compile => f.write_str("compile"),
            Step::Instantiate => f.write_str("instantiate"),
            Step::Call { name, round } => write!(f, "call {name:?} ({round})"),
            Step::Global { name } => write!(f, "global {name:?}"),
            Step::Memory { name, at: None } => write!(f, "size of memory {name:?}"),
            Step::Memory { name, at: Some(at) } => write!(f, "memory {name:?} at {at}"),
            Step::Survive => f.write_str("survive"),
            Step::End => f.write_str("end"),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            step,
            expected,
            got,
        } = self;
        write!(f, "{step}: expected {expected}, got {got}")
    }
}

/// The exports of a valid module, in order.
#[derive(Default)]
pub struct Exports {
    pub functions: Vec<(String, FuncType)>,
    pub globals: Vec<String>,
    /// Names, and whether addresses have 64 bits.
    pub memories: Vec<(String, bool)>,
}

impl Exports {
    /// The exports of a module; `None` if the module is invalid with these features.
    pub fn of(module: &[u8], features: &Features) -> Option<Self> {
        let mut validator = Validator::new_with_features(features.flags());
        let types = validator.validate_all(module).ok()?;
        let types = types.as_ref();
        let mut this = Self::default();
        for (name, ty) in types.core_exports().into_iter().flatten() {
            let name = name.to_owned();
            match ty {
                EntityType::Func(id) => {
                    this.functions.push((name, types[id].unwrap_func().clone()));
                }
                EntityType::Global(_) => this.globals.push(name),
                EntityType::Memory(ty) => this.memories.push((name, ty.memory64)),
                _ => {}
            }
        }
        Some(this)
    }

    /// The calls of a case: every function several times, if arguments can be made for it.
    pub fn calls<'a>(&'a self, case: &'a Case) -> impl Iterator<Item = (u64, &'a str, Vec<Value>)> {
        let rounds = (0..ROUNDS).flat_map(|round| self.functions.iter().map(move |f| (round, f)));
        rounds.filter_map(|(round, (name, ty))| {
            let args = case.arguments(name, round, ty)?;
            Some((round, name.as_str(), args))
        })
    }
}

/// Runs a case on `ours`, and compares each step with the same step on `theirs`.
///
/// A damaged case runs on `ours` alone: the outcomes of two hosts may differ, but each step must end with a result, a
/// trap or a refusal.
///
/// # Errors
///
/// The first difference.
pub fn compare(
    case: &Case,
    features: &Features,
    ours: &mut dyn Inspect,
    theirs: &mut dyn Inspect,
) -> Result<Tally, Difference> {
    let mut hosts = Hosts {
        ours,
        theirs: case.intact.then_some(theirs),
        tally: Tally {
            modules: 1,
            ..Tally::default()
        },
    };
    let ended = match Exports::of(&case.module, features) {
        Some(exports) => hosts.run(case, &exports),
        None => hosts.refuse(case),
    };
    match ended {
        Ok(()) => Ok(hosts.tally),
        Err(Stop::CutShort) => {
            hosts.tally.cut_short += 1;
            Ok(hosts.tally)
        }
        Err(Stop::Differs(difference)) => Err(difference),
    }
}

/// The hosts that run a case.
struct Hosts<'a> {
    ours: &'a mut dyn Inspect,
    /// `None` when ours runs alone.
    theirs: Option<&'a mut dyn Inspect>,
    tally: Tally,
}

/// The answer of each host; `None` for a host that does not run the case.
type Answers<T> = (T, Option<T>);

enum Stop {
    CutShort,
    Differs(Difference),
}

fn differs<T>(step: Step, expected: impl fmt::Display, got: impl fmt::Display) -> Result<T, Stop> {
    Err(Stop::Differs(Difference {
        step,
        expected: expected.to_string(),
        got: got.to_string(),
    }))
}

impl Hosts<'_> {
    /// Compiles a module that is not valid.
    fn refuse(&mut self, case: &Case) -> Result<(), Stop> {
        self.tally.invalid += 1;
        match self.ours.compile(Source::Binary(&case.module)) {
            Err(failure) if failure.kind == FailureKind::Invalid => Ok(()),
            Err(failure) => differs(Step::Compile, "an invalid module", failure),
            Ok(_) => differs(Step::Compile, "an invalid module", "no error"),
        }
    }

    /// Runs a module that is valid.
    fn run(&mut self, case: &Case, exports: &Exports) -> Result<(), Stop> {
        self.tally.alone += u64::from(self.theirs.is_none());
        let source = Source::Binary(&case.module);
        let unasked = ((), Some(()));
        let modules = self.ask(&Step::Compile, unasked, |host, ()| host.compile(source))?;
        let Some(modules) = modules else {
            return Ok(());
        };
        let instantiate = |host: &mut dyn Inspect, module| host.instantiate(module);
        let Some(instances) = self.ask(&Step::Instantiate, modules, instantiate)? else {
            return Ok(());
        };
        for (round, name, args) in exports.calls(case) {
            let step = Step::Call {
                name: name.to_owned(),
                round,
            };
            let call = |host: &mut dyn Inspect, instance| host.invoke(instance, name, &args);
            if let Some((ours, Some(theirs))) = self.ask(&step, instances, call)? {
                if ours != theirs {
                    return differs(step, value::list(&theirs), value::list(&ours));
                }
                self.tally.returned += 1;
            }
        }
        for name in &exports.globals {
            let step = Step::Global { name: name.clone() };
            let get = |host: &mut dyn Inspect, instance| host.get(instance, name);
            if let Some((ours, Some(theirs))) = self.ask(&step, instances, get)? {
                if ours != theirs {
                    return differs(step, theirs, ours);
                }
                self.tally.globals += 1;
            }
        }
        if self.theirs.is_none() {
            return Ok(());
        }
        for (name, _) in &exports.memories {
            let step = |at| Step::Memory {
                name: name.clone(),
                at,
            };
            let look = |host: &mut dyn Inspect, instance| host.memory(instance, name);
            if let Some((ours, Some(theirs))) = self.ask(&step(None), instances, look)? {
                if ours.len() != theirs.len() {
                    return differs(step(None), theirs.len(), ours.len());
                }
                let mut bytes = ours.iter().zip(&theirs);
                if let Some(at) = bytes.position(|(ours, theirs)| ours != theirs) {
                    return differs(step(Some(at)), theirs[at], ours[at]);
                }
                self.tally.memories += 1;
            }
        }
        Ok(())
    }

    /// Runs a step on each host; `None` if both failed for the same reason, and hosts may fail so.
    fn ask<I: Copy, T>(
        &mut self,
        step: &Step,
        of: Answers<I>,
        ask: impl Fn(&mut dyn Inspect, I) -> Result<T, Failure>,
    ) -> Result<Option<Answers<T>>, Stop> {
        let ours = ask(self.ours, of.0);
        let theirs = match (&mut self.theirs, of.1) {
            (Some(host), Some(of)) => Some(ask(*host, of)),
            _ => None,
        };
        let is_cut_short = |result: &Result<T, Failure>| {
            let kind = result.as_ref().err().map(|failure| failure.kind);
            matches!(kind, Some(FailureKind::Exhaustion | FailureKind::OutOfFuel))
        };
        if is_cut_short(&ours) || theirs.as_ref().is_some_and(is_cut_short) {
            return Err(Stop::CutShort);
        }
        match (ours, theirs) {
            (Ok(ours), None) => Ok(Some((ours, None))),
            (Ok(ours), Some(Ok(theirs))) => Ok(Some((ours, Some(theirs)))),
            // A damaged module may have missing imports, or request more than the limits allow.
            (Err(ours), None) if is_expected(&ours) => Ok(None),
            (Err(ours), Some(Err(theirs))) if is_expected(&ours) && is_same(&ours, &theirs) => {
                self.tally.trapped += 1;
                Ok(None)
            }
            (ours, theirs) => {
                let describe = |result: Result<T, Failure>| match result {
                    Ok(_) => "an answer".to_owned(),
                    Err(failure) => failure.to_string(),
                };
                let expected = theirs.map_or("an answer, a trap or a refusal".to_owned(), describe);
                differs(step.clone(), expected, describe(ours))
            }
        }
    }
}

/// Whether a host may fail for this reason.
fn is_expected(failure: &Failure) -> bool {
    matches!(failure.kind, FailureKind::Trap | FailureKind::Unlinkable)
}

fn is_same(ours: &Failure, theirs: &Failure) -> bool {
    ours.kind == theirs.kind
        && (ours.kind != FailureKind::Trap || matches_trap(&ours.message, &theirs.message))
}
