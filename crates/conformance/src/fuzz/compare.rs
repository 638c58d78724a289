//! Runs a case on one host, and on another beside it.

use std::fmt;
use std::ops::AddAssign;

use serde::{Deserialize, Serialize};
use wasmparser::types::EntityType;
use wasmparser::{FuncType, Validator};

use super::case::Case;
use crate::features::Features;
use crate::host::{Failure, FailureKind, Inspect, InstanceId, Source};
use crate::value::{self, Value};

/// How often every function is called.
const ROUNDS: u64 = 2;

/// What a case, or many, came to. Two hosts agreed on all of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    pub modules: u64,
    /// Modules that were refused, as they had to be.
    pub invalid: u64,
    /// Valid modules that only one host was asked to run, since bytes of them were changed.
    pub alone: u64,
    pub returned: u64,
    pub trapped: u64,
    /// Modules that ran out of stack or fuel on one host, where the other may have more of it.
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

/// Where two hosts did not agree, or one did what no host may.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    pub step: Step,
    pub expected: String,
    pub got: String,
}

/// What was asked of a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// To compile the module.
    Compile,
    /// To make an instance of it.
    Instantiate,
    /// To call this function, this time.
    Call { name: String, round: u64 },
    /// To read this global, after all calls.
    Global { name: String },
    /// To read this memory, after all calls: its size, or the byte at an address.
    Memory { name: String, at: Option<usize> },
    /// All of it, without ending the process.
    Survive,
    /// All of it, in time.
    End,
}

impl Step {
    /// Whether another is the same but for its name.
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

/// What a valid module exports, in its order.
#[derive(Default)]
pub struct Exports {
    pub functions: Vec<(String, FuncType)>,
    pub globals: Vec<String>,
    /// And whether their addresses have 64 bits.
    pub memories: Vec<(String, bool)>,
}

impl Exports {
    /// Those of a module; `None` when the module is not valid with these features.
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

    /// The calls that a case makes: every function, several times, each as long as there are arguments for it.
    pub fn calls<'a>(&'a self, case: &'a Case) -> impl Iterator<Item = (u64, &'a str, Vec<Value>)> {
        let rounds = (0..ROUNDS).flat_map(|round| self.functions.iter().map(move |f| (round, f)));
        rounds.filter_map(|(round, (name, ty))| {
            let args = case.arguments(name, round, ty)?;
            Some((round, name.as_str(), args))
        })
    }
}

/// Runs a case on `ours`, and compares each step with what `theirs` does.
///
/// A damaged case runs on `ours` alone: nothing makes sure that both would do the same, but everything there is to do
/// must end in one of the ways that a host has.
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
    let mut run = Run {
        ours,
        theirs: case.intact.then_some(theirs),
        tally: Tally {
            modules: 1,
            ..Tally::default()
        },
    };
    match run.all(case, features) {
        Ok(()) => Ok(run.tally),
        Err(Stop::CutShort) => {
            run.tally.cut_short += 1;
            Ok(run.tally)
        }
        Err(Stop::Differs(difference)) => Err(difference),
    }
}

struct Run<'a> {
    ours: &'a mut dyn Inspect,
    theirs: Option<&'a mut dyn Inspect>,
    tally: Tally,
}

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

impl Run<'_> {
    fn all(&mut self, case: &Case, features: &Features) -> Result<(), Stop> {
        let source = Source::Binary(&case.module);
        let exports = Exports::of(&case.module, features);
        let module = match (self.ours.compile(source), &exports) {
            (Ok(module), Some(_)) => module,
            (
                Err(Failure {
                    kind: FailureKind::Invalid,
                    ..
                }),
                None,
            ) => {
                self.tally.invalid += 1;
                return Ok(());
            }
            (Ok(_), None) => return differs(Step::Compile, "an invalid module", "no error"),
            (Err(failure), None) => return differs(Step::Compile, "an invalid module", failure),
            (Err(failure), Some(_)) => return differs(Step::Compile, "a module", failure),
        };
        let exports = exports.unwrap_or_default();
        let our_instance = self.ours.instantiate(module);
        let their_instance = match &mut self.theirs {
            Some(theirs) => match theirs.compile(source) {
                Ok(module) => theirs.instantiate(module),
                Err(failure) => return differs(Step::Compile, failure, "a module"),
            },
            None => {
                self.tally.alone += 1;
                Ok(InstanceId(0))
            }
        };
        let (our_instance, their_instance) = match (our_instance, their_instance) {
            (Ok(ours), Ok(theirs)) => (ours, theirs),
            (ours, theirs) => {
                let (ours, theirs) = (ours.map(|_| "an instance"), theirs.map(|_| "an instance"));
                return self.agree(Step::Instantiate, ours, theirs).map(|_| ());
            }
        };
        for (round, name, args) in exports.calls(case) {
            let ours = self.ours.invoke(our_instance, name, &args);
            let theirs = self.theirs.as_mut();
            let theirs = theirs.map(|theirs| theirs.invoke(their_instance, name, &args));
            let step = Step::Call {
                name: name.to_owned(),
                round,
            };
            let ours = ours.map(|values| value::list(&values));
            let theirs = theirs.map(|result| result.map(|values| value::list(&values)));
            if self.agree(step, ours.clone(), theirs.unwrap_or(ours))? {
                self.tally.returned += 1;
            }
        }
        for name in &exports.globals {
            let ours = self.ours.get(our_instance, name);
            let theirs = self.theirs.as_mut();
            let theirs = theirs.map(|theirs| theirs.get(their_instance, name));
            let step = Step::Global { name: name.clone() };
            self.agree(step, ours.clone(), theirs.unwrap_or(ours))?;
            self.tally.globals += 1;
        }
        for (name, _) in &exports.memories {
            let ours = self.ours.memory(our_instance, name);
            let theirs = self.theirs.as_mut();
            let theirs = theirs.map(|theirs| theirs.memory(their_instance, name));
            let name = name.clone();
            match (ours, theirs) {
                (Ok(ours), Some(Ok(theirs))) => same_bytes(name, &ours, &theirs)?,
                (Ok(_), None) => {}
                (ours, theirs) => {
                    let theirs = theirs.unwrap_or(Ok(Vec::new())).map(|_| "bytes");
                    let step = Step::Memory { name, at: None };
                    self.agree(step, ours.map(|_| "bytes"), theirs)?;
                }
            }
            self.tally.memories += 1;
        }
        Ok(())
    }

    /// Whether both returned. They may also both have trapped, for one reason.
    fn agree<T: fmt::Display + PartialEq>(
        &mut self,
        step: Step,
        ours: Result<T, Failure>,
        theirs: Result<T, Failure>,
    ) -> Result<bool, Stop> {
        let is_cut_short = |result: &Result<T, Failure>| {
            let kind = result.as_ref().err().map(|failure| failure.kind);
            matches!(kind, Some(FailureKind::Exhaustion | FailureKind::OutOfFuel))
        };
        if is_cut_short(&ours) || is_cut_short(&theirs) {
            return Err(Stop::CutShort);
        }
        match (ours, theirs) {
            (Ok(ours), Ok(theirs)) if ours == theirs => Ok(true),
            (Err(ours), Err(theirs)) if is_expected(&ours) && is_same(&ours, &theirs) => {
                self.tally.trapped += 1;
                Ok(false)
            }
            // A damaged module may import what there is not, or ask for more than there may be.
            (Err(ours), Ok(_)) if self.theirs.is_none() && is_expected(&ours) => Ok(false),
            (ours, theirs) => differs(step, told(theirs), told(ours)),
        }
    }
}

fn told<T: fmt::Display>(result: Result<T, Failure>) -> String {
    match result {
        Ok(value) => value.to_string(),
        Err(failure) => failure.to_string(),
    }
}

/// Whether a host may fail like this at all.
fn is_expected(failure: &Failure) -> bool {
    matches!(failure.kind, FailureKind::Trap | FailureKind::Unlinkable)
}

fn is_same(ours: &Failure, theirs: &Failure) -> bool {
    ours.kind == theirs.kind
        && (ours.kind != FailureKind::Trap || reason(&ours.message) == reason(&theirs.message))
}

/// The reasons of traps, in words that are in the messages of both engines.
const REASONS: [&str; 10] = [
    "unreachable",
    "out of bounds memory access",
    // Before the next: wasmtime says both of a call through a table.
    "undefined element",
    "out of bounds table access",
    "uninitialized element",
    "integer divide by zero",
    "integer overflow",
    "invalid conversion to integer",
    "indirect call type mismatch",
    "null reference",
];

/// Why it trapped, or the whole message if that is none of the [reasons](REASONS).
pub fn reason(message: &str) -> &str {
    let found = REASONS.into_iter().find(|reason| message.contains(reason));
    match found {
        // wasmi has one word for an access to a table and for a call through one.
        Some("undefined element") => "out of bounds table access",
        Some(reason) => reason,
        None => message,
    }
}

/// Compares what is in a memory of this name.
fn same_bytes(name: String, ours: &[u8], theirs: &[u8]) -> Result<(), Stop> {
    if ours.len() != theirs.len() {
        let step = Step::Memory { name, at: None };
        return differs(step, theirs.len(), ours.len());
    }
    match ours
        .iter()
        .zip(theirs)
        .position(|(ours, theirs)| ours != theirs)
    {
        None => Ok(()),
        Some(at) => {
            let step = Step::Memory { name, at: Some(at) };
            differs(step, theirs[at], ours[at])
        }
    }
}
