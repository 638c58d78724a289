//! `cargo conformance fuzz`: the two engines agree on a fixed set of modules, and the fuzzer detects when they differ.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Parser as _;
use conformance::fuzz::campaign::Summary;
use conformance::fuzz::command::Fuzz;
use conformance::fuzz::differential::compare::{Step, compare};
use conformance::fuzz::differential::worker::Runner;
use conformance::fuzz::differential::{Case, Difference, Differential, Tally, wast};
use conformance::fuzz::features;
use conformance::host::{Failure, FailureKind, Host, Inspect, InstanceId, ModuleId, Source};
use conformance::hosts::engine::EngineHost;
use conformance::hosts::wasmi::WasmiHost;
use conformance::run::{run_file, with_deep_stack};
use conformance::suite::ScriptFile;
use conformance::value::Value;

use crate::failures;

#[test]
fn the_engines_agree_on_a_fixed_set() {
    let total = with_deep_stack(|| {
        let runner = Runner::default();
        let mut total = Tally::default();
        for seed in 0..200 {
            let case = Case::of_seed(seed).unwrap();
            match runner.run(&case).unwrap() {
                Ok(tally) => total += tally,
                Err(difference) => panic!("seed {seed}: {difference}"),
            }
        }
        total
    });
    let total = total.unwrap();
    assert_eq!(total.modules, 200);
    // The engines have agreed on many outcomes of each kind.
    assert!(
        total.returned > 200 && total.trapped > 100 && total.globals > 400,
        "{total:?}"
    );
    assert!(
        total.memories > 100 && total.invalid > 10 && total.cut_short < 20,
        "{total:?}"
    );
}

#[test]
fn the_engines_give_the_same_reasons_for_traps() {
    let text = r#"(module
        (type $f (func))
        (memory 1)
        (table $t 2 3 funcref)
        (elem $e func 0)
        (data $d "x")
        (func (export "unreachable") unreachable)
        (func (export "divide") (drop (i32.div_u (i32.const 1) (i32.const 0))))
        (func (export "overflow") (drop (i32.div_s (i32.const 0x80000000) (i32.const -1))))
        (func (export "convert") (drop (i32.trunc_f32_s (f32.const nan))))
        (func (export "null") (call_indirect (type $f) (i32.const 0)))
        (func (export "beyond") (call_indirect (type $f) (i32.const 2)))
        (func (export "load") (drop (i32.load (i32.const 65536))))
        (func (export "memory.fill") (memory.fill (i32.const 65536) (i32.const 0) (i32.const 1)))
        (func (export "memory.copy") (memory.copy (i32.const 0) (i32.const 65536) (i32.const 1)))
        (func (export "memory.init") (memory.init $d (i32.const 0) (i32.const 0) (i32.const 2)))
        (func (export "table.get") (drop (table.get $t (i32.const 2))))
        (func (export "table.set") (table.set $t (i32.const 2) (ref.null func)))
        (func (export "table.fill") (table.fill $t (i32.const 2) (ref.null func) (i32.const 1)))
        (func (export "table.copy") (table.copy $t $t (i32.const 0) (i32.const 2) (i32.const 1)))
        (func (export "table.init") (table.init $t $e (i32.const 0) (i32.const 0) (i32.const 2)))
        (func (export "recursion") (call 15)))"#;
    let case = Case {
        seed: 0,
        module: wat::parse_str(text).unwrap(),
        intact: true,
    };
    let ran = with_deep_stack(|| Runner::default().run(&case)).unwrap();
    let tally = ran
        .unwrap()
        .unwrap_or_else(|difference| panic!("{difference}"));
    assert_eq!((tally.trapped, tally.returned), (15, 0), "{tally:?}");
}

#[test]
fn a_seed_always_makes_the_same_case() {
    let mut damaged = 0;
    for seed in 0..50 {
        let (one, other) = (Case::of_seed(seed).unwrap(), Case::of_seed(seed).unwrap());
        assert_eq!(one.module, other.module);
        damaged += usize::from(!one.intact);
    }
    assert!((1..20).contains(&damaged), "{damaged}");
}

/// wasmi with a fault.
struct Faulty {
    host: WasmiHost,
    fault: Fault,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    AcceptsAnything,
    RefusesAll,
    WrongKind,
    WrongResult,
    WrongGlobal,
    WrongByte,
    ShortMemory,
    NeverTraps,
    OtherTrap,
    NoInstance,
}

impl Faulty {
    fn new(fault: Fault) -> Self {
        let host = WasmiHost::new(&features());
        Self { host, fault }
    }

    /// Changes a number if this is the fault.
    fn falsify(&self, when: Fault, value: Value) -> Value {
        match value {
            Value::I32(value) if self.fault == when => Value::I32(value ^ 1),
            value => value,
        }
    }
}

impl Host for Faulty {
    fn compile(&mut self, source: Source<'_>) -> Result<ModuleId, Failure> {
        match (self.fault, self.host.compile(source)) {
            (Fault::AcceptsAnything, Err(_)) => self.host.compile(Source::Text(b"(module)")),
            (Fault::WrongKind, Err(failure)) => Err(Failure::other(failure.message)),
            (Fault::RefusesAll, _) => Err(Failure::new(FailureKind::Invalid, "no")),
            (_, compiled) => compiled,
        }
    }

    fn instantiate(&mut self, module: ModuleId) -> Result<InstanceId, Failure> {
        match self.fault {
            Fault::NoInstance => Err(Failure::new(FailureKind::Unlinkable, "no")),
            _ => self.host.instantiate(module),
        }
    }

    fn register(&mut self, name: &str, instances: &[InstanceId]) -> Result<(), Failure> {
        self.host.register(name, instances)
    }

    fn invoke(
        &mut self,
        instance: InstanceId,
        function: &str,
        args: &[Value],
    ) -> Result<Vec<Value>, Failure> {
        match (self.fault, self.host.invoke(instance, function, args)) {
            (Fault::NeverTraps, Err(failure)) if failure.kind == FailureKind::Trap => Ok(vec![]),
            (Fault::OtherTrap, Err(failure)) if failure.kind == FailureKind::Trap => {
                Err(Failure::new(FailureKind::Trap, "another reason"))
            }
            (_, Ok(values)) => {
                let values = values.into_iter();
                Ok(values
                    .map(|value| self.falsify(Fault::WrongResult, value))
                    .collect())
            }
            (_, failed) => failed,
        }
    }

    fn get(&mut self, instance: InstanceId, global: &str) -> Result<Value, Failure> {
        let value = self.host.get(instance, global)?;
        Ok(self.falsify(Fault::WrongGlobal, value))
    }
}

impl Inspect for Faulty {
    fn memory(&mut self, instance: InstanceId, memory: &str) -> Result<Vec<u8>, Failure> {
        let mut bytes = self.host.memory(instance, memory)?;
        match (self.fault, bytes.last_mut()) {
            (Fault::WrongByte, Some(byte)) => *byte ^= 1,
            (Fault::ShortMemory, _) => bytes.truncate(bytes.len() / 2),
            _ => {}
        }
        Ok(bytes)
    }
}

/// The first difference that a fault makes.
fn find(fault: Fault) -> (Case, Difference) {
    let features = features();
    let found = (0..100).find_map(|seed| {
        let case = Case::of_seed(seed).unwrap();
        let mut theirs = WasmiHost::new(&features);
        let mut ours = Faulty::new(fault);
        let difference = compare(&case, &features, &mut ours, &mut theirs).err()?;
        Some((case, difference))
    });
    found.unwrap_or_else(|| panic!("{fault:?} was not detected"))
}

/// Whether the script of a difference passes on a host.
fn passes(text: &str, host: impl Fn() -> Box<dyn Host>) -> bool {
    let file = ScriptFile::embedded("test", "fuzz.wast", text.to_owned());
    let run = run_file(&file, &features(), &[], &|_| Ok(host()));
    assert!(!run.outcomes.is_empty());
    failures(&run).is_empty()
}

#[test]
fn every_fault_is_detected_and_shown_by_its_script() {
    let call = Step::Call {
        name: String::new(),
        round: 0,
    };
    let global = Step::Global {
        name: String::new(),
    };
    let memory = Step::Memory {
        name: String::new(),
        at: None,
    };
    for (fault, step) in [
        (Fault::AcceptsAnything, Step::Compile),
        (Fault::RefusesAll, Step::Compile),
        (Fault::WrongKind, Step::Compile),
        (Fault::NoInstance, Step::Instantiate),
        (Fault::WrongResult, call.clone()),
        (Fault::NeverTraps, call.clone()),
        (Fault::OtherTrap, call),
        (Fault::WrongGlobal, global),
        (Fault::WrongByte, memory.clone()),
        (Fault::ShortMemory, memory),
    ] {
        with_deep_stack(|| {
            let (case, difference) = find(fault);
            assert!(difference.step.is_like(&step), "{fault:?}: {difference}");
            let mut reference = WasmiHost::new(&features());
            let text = wast::script(&case, &difference, &features(), &mut reference);
            let first = text.lines().next().unwrap();
            let seed = format!("--seed {} ", case.seed);
            assert!(first.contains(&seed), "{first}");
            let engine = || Box::new(EngineHost::new(&features()).unwrap()) as Box<dyn Host>;
            assert!(passes(&text, engine), "{fault:?}");
            // Scripts read memories through a second module, which the faults in compiling and instantiating would
            // break too.
            let is_seen = !matches!(
                fault,
                Fault::WrongByte | Fault::ShortMemory | Fault::RefusesAll | Fault::NoInstance
            );
            if is_seen {
                let faulty = || Box::new(Faulty::new(fault)) as Box<dyn Host>;
                assert!(!passes(&text, faulty), "{fault:?}");
            }
        })
        .unwrap();
    }
}

#[derive(clap::Parser)]
struct Arguments {
    #[command(flatten)]
    fuzz: Fuzz,
}

/// Runs the command with a shell script as its worker.
fn run_command(
    folder: &Path,
    script: &str,
    args: &[&str],
) -> anyhow::Result<Summary<Differential>> {
    let folder = folder.to_str().unwrap();
    let fixed = ["fuzz", "--jobs", "1", "--seed", "7", "--out", folder];
    let args = Arguments::parse_from(fixed.iter().chain(args));
    args.fuzz.campaign().run(&|| {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    })
}

fn empty_folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    folder
}

/// The answer of a worker without a difference.
const GOOD: &str = r#"echo '{"Ok":{"modules":1,"invalid":0,"alone":0,"returned":2,"trapped":0,"cut_short":0,"globals":0,"memories":0}}'"#;

#[test]
fn a_crash_is_made_smaller_and_written_with_its_seed() {
    let folder = empty_folder("crash");
    let crash = "echo 'no way' >&2; kill -ABRT $$";
    let script =
        format!("while read case; do case $case in *:9,*) {crash};; *) {GOOD};; esac; done");
    let summary = run_command(&folder, &script, &["--count", "6"]).unwrap();
    assert_eq!((summary.tally.modules, summary.tally.returned), (6, 10));
    let [(path, difference)] = summary.found.as_slice() else {
        panic!("{:?}", summary.found);
    };
    assert!(
        difference.contains("signal: 6") && difference.contains("no way"),
        "{difference}"
    );
    assert_eq!(path, &folder.join("fuzz-9.wast"));
    let text = fs::read_to_string(path).unwrap();
    let first = text.lines().next().unwrap();
    assert!(first.contains("--seed 9 --count 1"), "{text}");
    // Every part of the module could be removed.
    assert!(text.len() < 300, "{text}");
    assert!(
        summary.render().contains("1 differences\n"),
        "{}",
        summary.render()
    );
}

#[test]
fn a_hang_is_written_as_it_is() {
    let folder = empty_folder("hang");
    let script = format!(
        "while read case; do case $case in *:8,*) exec sleep 1000;; *) {GOOD};; esac; done"
    );
    let args = ["--count", "3", "--timeout", "1"];
    let summary = run_command(&folder, &script, &args).unwrap();
    assert_eq!(summary.found.len(), 1);
    assert!(
        summary.found[0].1.contains("ran on"),
        "{}",
        summary.found[0].1
    );
}

#[test]
fn a_campaign_ends_after_enough_findings() {
    let summary = run_command(&empty_folder("enough"), "exit 3", &["--count", "1000"]).unwrap();
    assert!(
        (10..20).contains(&summary.found.len()),
        "{}",
        summary.found.len()
    );
}

#[test]
fn the_command_runs_its_own_workers() {
    let output = Command::new(env!("CARGO_BIN_EXE_conformance"))
        .args(["fuzz", "--seed", "1000", "--count", "20", "--out"])
        .arg(empty_folder("own"))
        .output()
        .unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{stdout}");
    assert!(stdout.starts_with("20 modules in "), "{stdout}");
    assert!(stdout.ends_with("\n0 differences\n"), "{stdout}");
    for usage_error in [["--seconds", "0"], ["--jobs", "0"], ["--seed", "-1"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_conformance"));
        let output = command.arg("fuzz").args(usage_error).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{usage_error:?}");
    }
}
