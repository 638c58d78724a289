//! Measures the cost of compiling one module, in a process of its own.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use ext_wasm::{ModuleLimits, WasmCapabilities, WasmState};

/// The first argument of a process that measures the module on its standard input.
pub const MEASURE: &str = "--measure";

/// Time and memory, estimated or measured.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// On two cores.
    pub seconds: f64,
    pub mib: f64,
}

impl Cost {
    /// The bound of a module with this number of bytes.
    pub fn bound(bytes: usize) -> Self {
        let bytes = bytes as f64;
        Self {
            seconds: 1.0 + bytes / 100e3,
            mib: 128.0 + 100.0 * bytes / MIB,
        }
    }

    /// The share of `whole`, in time and in memory.
    pub fn share_of(self, whole: Self) -> (f64, f64) {
        (self.seconds / whole.seconds, self.mib / whole.mib)
    }
}

const MIB: f64 = (1 << 20) as f64;

/// The outcome of compiling.
pub enum Outcome {
    Compiled(Cost),
    /// The compiler refused the module, with this message.
    Refused(String),
    /// The process failed, for example by a panic: its last output.
    Failed(String),
    /// The timeout passed.
    TooLong,
}

/// Compiles a module with all checks in a process of its own. The limit is on processor time, so a busy machine does
/// not change the outcome: the process may use twice `limit`.
pub fn measure(wasm: &[u8], limit: Duration) -> anyhow::Result<Outcome> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg(MEASURE)
        // The bound is for two cores, on any machine.
        .env("RAYON_NUM_THREADS", "2")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut stdin = child.stdin.take().context("no standard input")?;
    // A process that failed early does not read its input. Its exit status reports that.
    let _ = stdin.write_all(wasm);
    drop(stdin);
    let pid = child.id();
    // The process prints one line only, which fits in the pipe.
    while child.try_wait()?.is_none() {
        // A process that has just ended may have no times.
        if processor_time(pid).is_some_and(|time| time > 2 * limit) {
            child.kill()?;
            child.wait()?;
            return Ok(Outcome::TooLong);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let output = child.wait_with_output()?;
    let line = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let stderr = stderr.trim_end().lines().take(3).collect::<Vec<_>>();
        return Ok(Outcome::Failed(format!(
            "{}: {}",
            output.status,
            stderr.join(" ")
        )));
    }
    if let Some(message) = line.strip_prefix(REFUSED) {
        return Ok(Outcome::Refused(message.trim_end().to_owned()));
    }
    let (seconds, mib) = line.trim_end().split_once(' ').context("no figures")?;
    Ok(Outcome::Compiled(Cost {
        seconds: seconds.parse()?,
        mib: mib.parse()?,
    }))
}

/// The processor time of all threads of a process so far.
fn processor_time(pid: u32) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program, in brackets, may contain spaces. The fields after it are numbered from 3.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(14 - 3);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    // A tick of Linux is a hundredth of a second.
    Some(Duration::from_millis(10 * (ticks()? + ticks()?)))
}

const REFUSED: &str = "refused: ";

/// Compiles the module on standard input with all checks in this process, and prints its cost.
pub fn measure_here() -> anyhow::Result<()> {
    let mut wasm = Vec::new();
    std::io::stdin().read_to_end(&mut wasm)?;
    let mut capabilities = WasmCapabilities::default();
    // The caller has already checked whether the module is admitted.
    capabilities.module_limits = without_estimates();
    capabilities.max_fuel = Some(u64::MAX);
    capabilities.max_timeout_ms = Some(u64::MAX);
    let state = WasmState::new(capabilities)?;
    state.compile(b"(module (func))")?;
    reset_peak();
    let (memory, cpu) = (peak()?, CpuTime::now()?);
    if let Err(error) = state.compile(&wasm) {
        println!("{REFUSED}{}", error.message);
        return Ok(());
    }
    let (memory, cpu) = (peak()?.saturating_sub(memory), CpuTime::now()?.since(&cpu));
    println!("{} {}", cpu, memory as f64 / MIB);
    Ok(())
}

/// The estimated cost of the module, and the time for estimating in seconds; `None` if the module exceeds a cap on
/// its contents.
pub fn estimate(wasm: &[u8]) -> anyhow::Result<Option<(Cost, f64)>> {
    let start = Instant::now();
    // The estimates are in the messages of errors, so the caps are set to refuse every module.
    let mut limits = without_estimates();
    (limits.max_compile_ms, limits.max_compile_ns_per_byte) = (0, 0);
    let Some(ms) = estimate_in_message(wasm, limits)? else {
        return Ok(None);
    };
    let took = start.elapsed().as_secs_f64();
    let mut limits = without_estimates();
    (limits.max_compile_bytes, limits.max_compile_bytes_per_byte) = (0, 0);
    let Some(bytes) = estimate_in_message(wasm, limits)? else {
        return Ok(None);
    };
    let cost = Cost {
        // Milliseconds are rounded down.
        seconds: (ms + 1.0) / 1e3,
        mib: bytes / MIB,
    };
    Ok(Some((cost, took)))
}

/// Whether the default caps admit a module with this estimate.
pub fn is_admitted(estimate: Cost, bytes: usize) -> bool {
    let (time, memory) = estimate.share_of(Cost::bound(bytes));
    time <= 1.0 && memory <= 1.0
}

fn without_estimates() -> ModuleLimits {
    let mut limits = ModuleLimits::default();
    limits.max_compile_ms = u64::MAX / 1_000_000;
    limits.max_compile_bytes = u64::MAX;
    limits
}

fn estimate_in_message(wasm: &[u8], limits: ModuleLimits) -> anyhow::Result<Option<f64>> {
    let mut capabilities = WasmCapabilities::default();
    capabilities.module_limits = limits;
    let Err(error) = WasmState::new(capabilities)?.compile(wasm) else {
        // The estimate is below a millisecond.
        return Ok(Some(0.0));
    };
    let Some((_, rest)) = error.message.split_once("an estimated ") else {
        return Ok(None);
    };
    let number = rest.split(' ').next().context("no number")?;
    Ok(Some(number.parse()?))
}

/// Resets the peak of memory, so that earlier uses of memory do not count.
fn reset_peak() {
    // If the system refuses this, the row shows more memory than compiling took.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// The peak of the process's memory in bytes.
fn peak() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    Ok(kib.context("no VmHWM")?.parse::<u64>()? << 10)
}

/// The processor time of each thread of the process so far, in nanoseconds.
struct CpuTime(Vec<(String, u64)>);

impl CpuTime {
    fn now() -> anyhow::Result<Self> {
        let mut threads = Vec::new();
        for thread in std::fs::read_dir("/proc/self/task")? {
            let thread = thread?;
            // A thread that ends now is not one of the compiling threads.
            let Ok(stat) = std::fs::read_to_string(thread.path().join("schedstat")) else {
                continue;
            };
            let ns = stat.split(' ').next().context("no time")?.parse()?;
            threads.push((thread.file_name().to_string_lossy().into_owned(), ns));
        }
        Ok(Self(threads))
    }

    /// The time since `before` in seconds, as on two free cores: the main thread waits while two other threads
    /// compile functions, and the busier one of them counts.
    fn since(&self, before: &Self) -> f64 {
        let main = std::process::id().to_string();
        let (mut alone, mut longest) = (0, 0);
        for (thread, ns) in &self.0 {
            let before = before.0.iter().find(|(before, _)| before == thread);
            let ns = ns - before.map_or(0, |(_, ns)| *ns);
            if *thread == main {
                alone = ns;
            } else {
                longest = longest.max(ns);
            }
        }
        (alone + longest) as f64 / 1e9
    }
}
