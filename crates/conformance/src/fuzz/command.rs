//! `cargo conformance fuzz`.

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;

use super::api::{self, Api};
use super::campaign::{Campaign, StartWorker, Summary};
use super::codec::{self, Codec};
use super::differential::{self, Differential};
use crate::{suite, worker};

/// Runs random modules by `host:wasm` and by wasmi, and looks for what is not the same; or, with `--api`, random
/// programs over the API of `host:wasm`, and looks for what no program may see; or, with `--codec`, random values
/// through random components.
///
/// Goes on until it is stopped, has run as long or as much as it was asked to, or has found ten differences. Each is
/// made smaller and written to `spec-tests/regressions/`.
#[derive(Debug, Args)]
pub struct Fuzz {
    /// Run programs over the public API, and over the ops beneath it, instead of modules.
    #[arg(long)]
    pub api: bool,
    /// Take values through components, by bytes and by wasmtime's own values, instead of running modules.
    #[arg(long, conflicts_with = "api")]
    pub codec: bool,
    /// How long to go on.
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<NonZeroU64>,
    /// How many modules, programs or components to run.
    #[arg(long, value_name = "N")]
    count: Option<NonZeroU64>,
    /// The seed of the first module, program or component; the next has the next. By default the time of day.
    #[arg(long, value_name = "SEED")]
    seed: Option<u64>,
    /// How many run at a time. By default as many as there are processors.
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// How long one of them may take before its process is killed.
    #[arg(long, value_name = "SECONDS", default_value = "20")]
    timeout: NonZeroU64,
    /// The folder that findings are written to. By default where `cargo test` finds them.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Run the program in this file, as `--api` has written it, and no other.
    #[arg(long, value_name = "FILE", requires = "api", conflicts_with_all = ["seconds", "count", "seed", "jobs"])]
    program: Option<PathBuf>,
    /// Run what is asked for on standard input.
    #[arg(long = &worker::ARGUMENT[2..], hide = true)]
    pub worker: bool,
}

impl Fuzz {
    /// Runs as a worker: runs the inputs that arrive on standard input.
    ///
    /// # Errors
    ///
    /// If a request cannot be read, or a host does not start.
    pub fn serve(&self) -> anyhow::Result<()> {
        match (self.api, self.codec) {
            (true, _) => api::worker::serve(),
            (_, true) => codec::serve(),
            _ => differential::worker::serve(),
        }
    }

    /// Runs modules or programs in processes that `start` makes commands for. Returns a summary as text, and whether
    /// nothing was found.
    ///
    /// # Errors
    ///
    /// If no process can be started, or a finding cannot be written.
    pub fn run(&self, start: StartWorker<'_>) -> anyhow::Result<(String, bool)> {
        if let Some(path) = &self.program {
            let timeout = Duration::from_secs(self.timeout.get());
            return Ok(match api::run_file(path, start, timeout)? {
                Ok(_) => (format!("{}: nothing found\n", path.display()), true),
                Err(finding) => (format!("{}: {finding}\n", path.display()), false),
            });
        }
        Ok(match (self.api, self.codec) {
            (true, _) => render(&self.campaign().run::<Api>(start)?),
            (_, true) => render(&self.campaign().run::<Codec>(start)?),
            _ => render(&self.campaign().run::<Differential>(start)?),
        })
    }

    /// The campaign that these arguments describe.
    pub fn campaign(&self) -> Campaign {
        let now = || SystemTime::now().duration_since(UNIX_EPOCH);
        Campaign {
            seconds: self.seconds,
            count: self.count,
            first_seed: self
                .seed
                .unwrap_or_else(|| now().map_or(0, |now| now.as_secs())),
            jobs: self.jobs,
            timeout: Duration::from_secs(self.timeout.get()),
            out: self.out.clone().unwrap_or_else(regressions),
        }
    }
}

/// The folder of the suite `spec-tests` with inputs of earlier findings.
pub fn regressions() -> PathBuf {
    suite::spec_tests().join("regressions")
}

fn render<T: super::campaign::Target>(summary: &Summary<T>) -> (String, bool) {
    (summary.render(), summary.found.is_empty())
}
