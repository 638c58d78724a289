//! What is shown while something runs.

use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

const FILES: &str = "{bar:30} {pos}/{len} {elapsed} {wide_msg}";

const INPUTS: &str = "{spinner} {human_pos} {prefix}, {per_sec}, {elapsed} {wide_msg}";

/// How often there is a line when stderr is not a terminal.
const LINES: Duration = Duration::from_secs(60);

/// A bar on stderr for that many files; invisible when stderr is not a terminal.
pub fn bar(files: usize) -> ProgressBar {
    styled(ProgressBar::new(files as u64), FILES)
}

/// Writes a line to stderr if that is not a terminal, where a bar would show the same.
pub fn line_without_terminal(bar: &ProgressBar, line: &str) {
    if bar.is_hidden() {
        // If standard error is closed, there is no other place to report it.
        let _ = writeln!(io::stderr(), "{line}");
    }
}

/// How far a run without an end has come, on stderr: a line that is written over on a terminal, and else one a minute.
pub struct Inputs {
    bar: ProgressBar,
    inputs: &'static str,
    findings: &'static str,
    started: Instant,
    last_line: Instant,
}

/// Begins to show that inputs run, the first of them with this seed; and how inputs and findings are called.
pub fn inputs(inputs: &'static str, findings: &'static str, seed: u64) -> Inputs {
    let now = Instant::now();
    let this = Inputs {
        bar: styled(ProgressBar::new_spinner(), INPUTS).with_prefix(inputs),
        inputs,
        findings,
        started: now,
        last_line: now,
    };
    this.println(format!("seed {seed}"));
    this
}

impl Inputs {
    /// Shows how many inputs have run, and how many findings there are.
    pub fn update(&mut self, inputs: u64, findings: usize) {
        self.bar
            .set_message(format!("{findings} {}", self.findings));
        self.bar.set_position(inputs);
        if self.bar.is_hidden() && self.last_line.elapsed() >= LINES {
            self.last_line = Instant::now();
            let seconds = self.started.elapsed().as_secs_f64();
            let rate = inputs as f64 / seconds;
            self.println(format!(
                "{inputs} {} in {seconds:.0} s, {rate:.0} a second, {findings} {}",
                self.inputs, self.findings
            ));
        }
    }

    /// Writes a line that stays.
    pub fn println(&self, line: String) {
        if self.bar.is_hidden() {
            // If standard error is closed, there is no other place to report it.
            let _ = writeln!(io::stderr(), "{line}");
        } else {
            self.bar.println(line);
        }
    }

    /// Takes the line away.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}

fn styled(bar: ProgressBar, template: &str) -> ProgressBar {
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
