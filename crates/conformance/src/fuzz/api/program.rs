//! A program: statements over the API of `host:wasm`.

use std::ops::Range;

use arbitrary::Unstructured;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rand_xorshift::XorShiftRng;
use serde::{Deserialize, Serialize};

use super::writer::{Surface, Writer};

/// The first statement of each program. It makes an instance, so that the next statements have functions to call.
const BEGINNING: &str = "await attempt(async () => wasm.instantiate(await wasm.compile(Deno.core.encode(guests.calls)), { host: \
     { call: imported((args) => args[1]), pick: imported((args) => args[0]), number: imported(() => 7) } }, { fuel: \
     100_000 }), \"calls\");";

/// The last statement of each program.
const END: &str = "await finish();";

/// The most statements of a program.
const MAX_STATEMENTS: usize = 80;

/// The number of bytes from which a seed makes a program.
const DATA: Range<usize> = 100..4_000;

/// A list of statements. If one fails, the next ones still run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    pub statements: Vec<String>,
}

impl Program {
    /// Makes the program of a seed. One program in three uses raw ops.
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

    /// Makes a program from bytes. Any bytes make a program.
    pub fn of_bytes(data: &[u8], surface: Surface) -> Self {
        let mut choices = Unstructured::new(data);
        let mut statements = vec![BEGINNING.to_owned()];
        while !choices.is_empty() && statements.len() < MAX_STATEMENTS {
            match Writer::new(&mut choices, surface).statement() {
                Ok(statement) => statements.push(statement),
                // The bytes ended inside a choice.
                Err(_) => break,
            }
        }
        Self { statements }
    }

    /// Reads the program of a file that [`Program::source`] wrote, without comments and the last statement.
    pub fn of_source(source: &str) -> Self {
        let lines = source.lines().map(str::trim);
        let lines =
            lines.filter(|line| !line.is_empty() && !line.starts_with("//") && *line != END);
        Self {
            statements: lines.map(str::to_owned).collect(),
        }
    }

    /// Whether the program makes raw calls of ops. After these, the runtime's own records of live objects may be wrong.
    pub fn uses_ops(&self) -> bool {
        self.statements
            .iter()
            .any(|statement| statement.contains("op(\""))
    }

    /// The source of a JavaScript module. It needs the functions of `prelude.js` as globals.
    pub fn source(&self) -> String {
        let mut source = self.statements.join("\n");
        source += "\n";
        source + END + "\n"
    }
}
