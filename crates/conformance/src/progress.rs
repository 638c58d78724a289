//! What is shown while something runs.

use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

const FILES: &str = "{bar:30} {pos}/{len} {elapsed} {wide_msg}";

const MODULES: &str = "{spinner} {human_pos} modules, {per_sec}, {elapsed} {wide_msg}";

/// How often there is a line when stderr is not a terminal.
const LINES: Duration = Duration::from_secs(60);

/// A bar on stderr for that many files; invisible when stderr is not a terminal.
pub fn bar(files: usize) -> ProgressBar {
    styled(ProgressBar::new(files as u64), FILES)
}

/// How far a run without an end has come, on stderr: a line that is written over on a terminal, and else one a minute.
pub struct Modules {
    bar: ProgressBar,
    started: Instant,
    last_line: Instant,
}

/// Begins to show that modules run, the first of them with this seed.
pub fn modules(seed: u64) -> Modules {
    let now = Instant::now();
    let this = Modules {
        bar: styled(ProgressBar::new_spinner(), MODULES),
        started: now,
        last_line: now,
    };
    this.println(format!("seed {seed}"));
    this
}

impl Modules {
    /// That many have run, and so many showed a difference.
    pub fn tell(&mut self, modules: u64, differences: usize) {
        self.bar.set_message(format!("{differences} differences"));
        self.bar.set_position(modules);
        if self.bar.is_hidden() && self.last_line.elapsed() >= LINES {
            self.last_line = Instant::now();
            let seconds = self.started.elapsed().as_secs_f64();
            let rate = modules as f64 / seconds;
            self.println(format!(
                "{modules} modules in {seconds:.0} s, {rate:.0} a second, {differences} differences"
            ));
        }
    }

    /// Writes a line that stays.
    pub fn println(&self, line: String) {
        if self.bar.is_hidden() {
            // With stderr gone there is nobody to tell.
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
