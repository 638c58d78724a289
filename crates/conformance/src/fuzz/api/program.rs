//! A program: statements over the API of `host:wasm`.

use std::ops::Range;

use arbitrary::Unstructured;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rand_xorshift::XorShiftRng;
use serde::{Deserialize, Serialize};

use super::writer::{Surface, Writer};

/// What stands at the beginning of each program, so that there is something to call from the first statement on.
const BEGINNING: &str = "await attempt(async () => wasm.instantiate(await wasm.compile(Deno.core.encode(guests.calls)), { host: \
     { call: imported((args) => args[1]), pick: imported((args) => args[0]), number: imported(() => 7) } }, { fuel: \
     100_000 }), \"calls\");";

/// What stands at the end of each program.
const END: &str = "await finish();";

/// The most statements of a program.
const MAX_STATEMENTS: usize = 80;

/// How many bytes a program of a seed is made of.
const DATA: Range<usize> = 100..4_000;

/// Statements, each of which may fail without keeping the next ones from running.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    pub statements: Vec<String>,
}

impl Program {
    /// The program of a seed. One in three uses raw ops.
    pub fn of_seed(seed: u64) -> Self {
        let mut rng = XorShiftRng::seed_from_u64(seed);
        let surface = match rng.random_ratio(1, 3) {
            true => Surface::Ops,
            false => Surface::Api,
        };
        let mut data = vec![0; rng.random_range(DATA)];
        rng.fill_bytes(&mut data);
        Self::of_bytes(&data, surface)
    }

    /// The program that these bytes choose. Any bytes make one.
    pub fn of_bytes(data: &[u8], surface: Surface) -> Self {
        let mut choices = Unstructured::new(data);
        let mut statements = vec![BEGINNING.to_owned()];
        while !choices.is_empty() && statements.len() < MAX_STATEMENTS {
            match Writer::new(&mut choices, surface).statement() {
                Ok(statement) => statements.push(statement),
                // The bytes ended within a choice.
                Err(_) => break,
            }
        }
        Self { statements }
    }

    /// The program that a file holds, as [`Program::source`] wrote it: without its comments and its end.
    pub fn of_source(source: &str) -> Self {
        let lines = source.lines().map(str::trim);
        let lines =
            lines.filter(|line| !line.is_empty() && !line.starts_with("//") && *line != END);
        Self {
            statements: lines.map(str::to_owned).collect(),
        }
    }

    /// Whether it calls ops by themselves, after which the runtime's own records of what exists may be wrong.
    pub fn uses_ops(&self) -> bool {
        self.statements
            .iter()
            .any(|statement| statement.contains("op(\""))
    }

    /// A JavaScript module that the functions of `prelude.js` are globals of.
    pub fn source(&self) -> String {
        let mut source = self.statements.join("\n");
        source += "\n";
        source + END + "\n"
    }
}
