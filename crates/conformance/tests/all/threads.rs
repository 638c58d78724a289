//! Threads of a script: their shared memories, their end, and their failures.

use conformance::features::{Feature, Features, Version};
use conformance::host::{Failure, Host, InstanceId, ModuleId, NewThread, Source};
use conformance::hosts::engine::EngineHost;
use conformance::hosts::runtime::RuntimeHost;
use conformance::hosts::script::{ScriptHost, Sessions};
use conformance::hosts::wasmi::WasmiHost;
use conformance::outcome::Verdict;
use conformance::run::{self, FileRun, NewHost};
use conformance::suite::ScriptFile;
use conformance::value::Value;

use crate::failures;

const SHARED: &str = r#"(module $shared
  (memory (export "memory") 1 1 shared)
  (func (export "one") (result i32) (i32.const 1)))
"#;

fn run_on(text: &str, new_host: NewHost<'_>) -> FileRun {
    let text = format!("{SHARED}{text}");
    let file = ScriptFile::embedded("test", "threads.wast", text);
    let features = Features::default().with([Feature::Threads]);
    run::run_file(&file, &features, &[], new_host)
}

/// Runs a script in the three lanes, and asserts that the verdicts are the same.
fn run(text: &str) -> FileRun {
    let engine = run_on(text, &|features| Ok(Box::new(EngineHost::new(features)?)));
    let runtime = run_on(text, &|features| Ok(Box::new(RuntimeHost::new(features)?)));
    let verdicts = |run: &FileRun| {
        let outcomes = run.outcomes.iter();
        let verdicts = outcomes.map(|outcome| (outcome.line, outcome.verdict == Verdict::Passed));
        verdicts.collect::<Vec<_>>()
    };
    let sessions = Sessions::default();
    let script = run_on(text, &|features| {
        Ok(Box::new(ScriptHost::new(features, &sessions)?))
    });
    assert_eq!(verdicts(&engine), verdicts(&runtime));
    assert_eq!(verdicts(&engine), verdicts(&script));
    engine
}

#[track_caller]
fn assert_passes(text: &str, directives: usize) {
    let run = run(text);
    assert_eq!(failures(&run), []);
    // One more directive is the shared module.
    assert_eq!(run.outcomes.len(), directives + 1);
}

/// The failed directives with their messages. Lines are counted from the end of the shared module.
#[track_caller]
fn failed(run: &FileRun) -> Vec<(u32, &'static str, String)> {
    let before = SHARED.lines().count() as u32;
    let failures = failures(run).into_iter();
    failures
        .map(|(line, directive, mismatch)| (line - before, directive, mismatch.to_string()))
        .collect()
}

#[test]
fn a_thread_shares_memories_with_the_script() {
    assert_passes(
        r#"(register "shared")
        (thread $t (shared (module $shared))
          (register "shared" $shared)
          (module
            (memory (import "shared" "memory") 1 1 shared)
            (func (export "store") (i32.store (i32.const 8) (i32.const 42))))
          (invoke "store"))
        (wait $t)
        (module
          (memory (import "shared" "memory") 1 1 shared)
          (func (export "load") (result i32) (i32.load (i32.const 8))))
        (assert_return (invoke "load") (i32.const 42))"#,
        5,
    );
}

#[test]
fn threads_run_at_the_same_time() {
    // Each thread waits until the other one has reached the same point.
    let thread = |name: &str, mine: u32, others: u32| {
        format!(
            r#"(thread ${name} (shared (module $shared))
              (register "shared" $shared)
              (module
                (memory (import "shared" "memory") 1 1 shared)
                (func (export "meet") (result i32)
                  (i32.atomic.store (i32.const {mine}) (i32.const 1))
                  (drop (memory.atomic.notify (i32.const {mine}) (i32.const 1)))
                  (memory.atomic.wait32 (i32.const {others}) (i32.const 0) (i64.const -1))))
              ;; 0: the other thread woke this one up. 1: the other thread was first.
              (assert_return (invoke "meet") (either (i32.const 0) (i32.const 1))))
            "#
        )
    };
    let text = format!(
        "{}{}(wait $a)(wait $b)",
        thread("a", 0, 4),
        thread("b", 4, 0)
    );
    assert_passes(&text, 4);
}

#[test]
fn threads_have_threads_and_definitions_of_the_script() {
    assert_passes(
        r#"(module definition $store
          (memory (import "shared" "memory") 1 1 shared)
          (func (export "store") (param i32) (i32.store (i32.const 0) (local.get 0))))
        (thread $outer (shared (module $shared))
          (thread $inner (shared (module $shared))
            (register "shared" $shared)
            (module instance $i $store)
            (invoke $i "store" (i32.const 7)))
          (wait $inner)
          (register "shared" $shared)
          (module
            (memory (import "shared" "memory") 1 1 shared)
            (func (export "load") (result i32) (i32.load (i32.const 0))))
          (assert_return (invoke "load") (i32.const 7)))
        (wait $outer)"#,
        3,
    );
}

#[test]
fn a_thread_has_nothing_else_of_the_script() {
    assert_passes(
        r#"(register "registered")
        (thread $t (shared (module $shared))
          (assert_unlinkable (module (import "registered" "memory" (memory 1 1 shared))) "")
          (register "shared" $shared)
          (assert_unlinkable (module (import "shared" "one" (func (result i32)))) "")
          (module (import "spectest" "print" (func)))
          (module (import "shared" "memory" (memory 1 1 shared))))
        (wait $t)
        (assert_unlinkable (module (import "shared" "memory" (memory 1 1 shared))) "")"#,
        4,
    );
    let run = run(r#"(thread $t (assert_return (invoke $shared "one") (i32.const 1)))"#);
    assert_eq!(failed(&run).len(), 1);
}

#[test]
fn a_directive_that_fails_fails_its_thread() {
    let run = run(r#"(thread $t (shared (module $shared))
          (module (func (export "one") (result i32) (i32.const 1)))
          (assert_return (invoke "one") (i32.const 2))
          (assert_return (invoke "one") (i32.const 1))
          (assert_trap (invoke "one") "unreachable"))
        (wait $t)
        (assert_return (invoke "one") (i32.const 1))"#);
    assert_eq!(
        failed(&run),
        [(
            1,
            "thread",
            "expected every directive of the thread to pass, got \
             line 6: assert_return expected i32 2, got i32 1; \
             line 8: assert_trap expected trap: unreachable, got i32 1"
                .to_owned()
        )]
    );
    assert!(run.complete);
    assert_eq!(run.outcomes.len(), 4);
}

#[test]
fn a_thread_that_is_not_waited_for_ends_before_the_script() {
    let run = run("(thread $t (assert_invalid (module) \"\"))\n(module)");
    let failed = failed(&run);
    assert!(matches!(failed[..], [(1, "thread", _)]), "{failed:?}");
    // The same holds for a thread of a thread.
    let run = self::run("(thread $t (thread $u (assert_invalid (module) \"\")))\n(wait $t)");
    assert_eq!(self::failed(&run).len(), 1);
}

#[test]
fn a_thread_is_waited_for_once() {
    let run =
        run("(wait $t)\n(thread $t)\n(wait $t)\n(wait $t)\n(thread $u)\n(wait $t)\n(wait $u)");
    let lines = failed(&run).into_iter();
    let lines: Vec<_> = lines
        .map(|(line, directive, _)| (line, directive))
        .collect();
    assert_eq!(lines, [(1, "wait"), (4, "wait"), (6, "wait")]);
}

#[test]
fn a_thread_cannot_share_a_missing_instance() {
    let run = run("(thread $t (shared (module $missing)))\n(wait $t)");
    let lines: Vec<_> = failed(&run).into_iter().map(|failed| failed.0).collect();
    assert_eq!(lines, [1, 2]);
}

#[test]
fn threads_fail_on_a_host_without_threads() {
    let text = "(module)\n(thread $t)\n(wait $t)";
    let file = ScriptFile::embedded("test", "threads.wast", text);
    let run = run::run_file(&file, &Features::of(Version::V1), &[], &|features| {
        Ok(Box::new(WasmiHost::new(features)))
    });
    let failures = failures(&run).into_iter();
    let failures: Vec<_> = failures.map(|failure| (failure.0, failure.1)).collect();
    assert_eq!(failures, [(2, "thread"), (3, "wait")]);
}

/// A host whose threads fail to get a host of their own.
struct Broken(EngineHost);

impl Host for Broken {
    fn compile(&mut self, source: Source<'_>) -> Result<ModuleId, Failure> {
        self.0.compile(source)
    }

    fn instantiate(&mut self, module: ModuleId) -> Result<InstanceId, Failure> {
        self.0.instantiate(module)
    }

    fn register(&mut self, name: &str, instances: &[InstanceId]) -> Result<(), Failure> {
        self.0.register(name, instances)
    }

    fn invoke(&mut self, id: InstanceId, f: &str, args: &[Value]) -> Result<Vec<Value>, Failure> {
        self.0.invoke(id, f, args)
    }

    fn get(&mut self, instance: InstanceId, global: &str) -> Result<Value, Failure> {
        self.0.get(instance, global)
    }

    fn thread(&mut self, shared: Option<InstanceId>) -> Result<NewThread, Failure> {
        match shared {
            Some(_) => Ok(Box::new(|| panic!("a host with a bug"))),
            None => Ok(Box::new(|| anyhow::bail!("out of hosts"))),
        }
    }
}

#[test]
fn a_thread_whose_host_is_broken_fails() {
    let text = "(thread $t (shared (module $shared)))\n(thread $u)\n(wait $t)\n(wait $u)";
    let run = run_on(text, &|features| {
        Ok(Box::new(Broken(EngineHost::new(features)?)))
    });
    let failed = failed(&run);
    let [(1, "thread", panicked), (2, "thread", failure)] = &failed[..] else {
        panic!("{failed:?}");
    };
    assert!(
        panicked.ends_with("panicked: a host with a bug"),
        "{panicked}"
    );
    assert!(failure.ends_with("got out of hosts"), "{failure}");
    assert!(
        !run.outcomes
            .iter()
            .any(|outcome| outcome.verdict == Verdict::Running)
    );
}
