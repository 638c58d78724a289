//! Every error is a failure of the right directive, and never a pass or a skip.

use std::fs;
use std::path::Path;

use conformance::features::{Feature, Features, Version};
use conformance::host::{Failure, Host, InstanceId, ModuleId, Source};
use conformance::hosts::engine::EngineHost;
use conformance::outcome::Verdict;
use conformance::suite::{self, ScriptFile};
use conformance::value::Value;

use crate::{failures, run, run_file, run_with};

#[test]
fn a_wrong_value_is_reported_with_its_line() {
    let run = run(r#"
        (module (func (export "one") (result i32) (i32.const 1)))
        (assert_return (invoke "one") (i32.const 1))
        (assert_return (invoke "one") (i32.const 2))
    "#);
    let failures = failures(&run);
    let [(4, "assert_return", mismatch)] = failures.as_slice() else {
        panic!("{failures:?}");
    };
    assert_eq!(mismatch.expected, "i32 2");
    assert_eq!(mismatch.got, "i32 1");
    assert!(run.complete);
    assert_eq!(run.outcomes.len(), 3);
}

#[test]
fn every_assertion_can_fail() {
    let run = run(r#"(module $m
          (tag $e)
          (global (export "g") i32 (i32.const 1))
          (func (export "nop"))
          (func (export "two") (result i32 i32) (i32.const 1) (i32.const 2))
          (func (export "trap") (unreachable))
          (func $deep (export "deep") (call $deep))
          (func (export "throw") (throw $e)))
        (assert_return (invoke "nop") (i32.const 1))
        (assert_return (invoke "two") (i32.const 1))
        (assert_return (invoke "two"))
        (assert_return (invoke "trap"))
        (assert_return (get "g") (i64.const 1))
        (assert_return (invoke "missing"))
        (assert_return (get "nop") (i32.const 1))
        (assert_return (invoke "nop" (i32.const 1)))
        (invoke "trap")
        (assert_trap (invoke "nop") "unreachable")
        (assert_trap (invoke "trap") "integer overflow")
        (assert_trap (invoke "deep") "call stack exhausted")
        (assert_trap (invoke "throw") "")
        (assert_exhaustion (invoke "trap") "unreachable")
        (assert_exception (invoke "trap"))
        (assert_exception (invoke "nop"))
        (assert_suspension (invoke "trap") "")
        (assert_invalid (module) "")
        (assert_malformed (module quote "(module)") "")
        (assert_malformed (module binary "\00asm\01\00\00\00") "")
        (assert_invalid_custom (module) "")
        (assert_malformed_custom (module quote "(module)") "")
        (assert_unlinkable (module) "")
        (assert_unlinkable (module (func $f unreachable) (start $f)) "")
        (assert_trap (module) "unreachable")
        (assert_trap (module (import "nowhere" "f" (func))) "")
        (register "n" $missing)
        (module instance $i $missing)
        (module quote "(func (result i32))")
        (invoke "nop")
        (module (import "nowhere" "f" (func)))
    "#);
    let passed: Vec<u32> = run
        .outcomes
        .iter()
        .filter(|outcome| outcome.verdict == Verdict::Passed)
        .map(|outcome| outcome.line)
        .collect();
    assert_eq!(passed, [1], "only the module may pass");
    assert!(run.outcomes.len() > 30);
}

#[test]
fn a_failed_module_does_not_leave_an_earlier_one_in_its_place() {
    let run = run(r#"
        (module $m (func (export "f") (result i32) (i32.const 1)))
        (module $m (import "nowhere" "f" (func)) (func (export "f") (result i32) (i32.const 1)))
        (assert_return (invoke "f") (i32.const 1))
        (assert_return (invoke $m "f") (i32.const 1))
    "#);
    let lines: Vec<u32> = failures(&run).iter().map(|failure| failure.0).collect();
    assert_eq!(lines, [3, 4, 5]);
}

#[test]
fn unsupported_directives_fail_and_the_rest_still_runs() {
    let run = run(r#"
        (module (func (export "f") (result i32) (i32.const 1)))
        (assert_return (invoke "f") (str.const "component value"))
        (component (import "a" (func)))
        (component definition (type (stream u8)))
        (thread $t (component))
        (wait $t)
        (assert_exception (module))
        (assert_return (invoke "f") (i32.const 1))
    "#);
    let lines: Vec<u32> = failures(&run).iter().map(|failure| failure.0).collect();
    // The last one has no instance: that of the component failed.
    assert_eq!(lines, [3, 4, 5, 6, 7, 8, 9]);
    assert!(run.complete);
}

#[test]
fn assertions_about_components_that_do_not_hold() {
    let text = r#"
        (component
          (core module $m
            (func (export "one") (result i32) (i32.const 1))
            (func (export "trap") (unreachable)))
          (core instance $i (instantiate $m))
          (func (export "one") (result u8) (canon lift (core func $i "one")))
          (func (export "trap") (canon lift (core func $i "trap"))))
        (assert_return (invoke "one") (u8.const 1))
        (assert_return (invoke "one") (u8.const 2))
        (assert_return (invoke "one") (u64.const 1))
        (assert_return (invoke "one") (i32.const 1))
        (assert_return (invoke "one"))
        (assert_return (invoke "one") (u8.const 1) (u8.const 1))
        (assert_return (invoke "one" (u8.const 1)) (u8.const 1))
        (assert_return (invoke "two") (u8.const 1))
        (assert_trap (invoke "one") "unreachable")
        (assert_exception (invoke "one"))
        (assert_trap (invoke "trap") "out of bounds memory access")
        (assert_invalid (component) "")
        (assert_malformed (component quote "") "")
        (assert_unlinkable (component) "")
        (assert_trap (component) "unreachable")
        (component instance $k $none)
        (assert_malformed (component quote "(component (import \"a\" (func)))") "")
    "#;
    let features = Features::of(Version::V3).with([Feature::ComponentModel]);
    let run = run_with(&ScriptFile::embedded("test", "test.wast", text), &features);
    let lines: Vec<u32> = failures(&run).iter().map(|failure| failure.0).collect();
    assert_eq!(
        lines,
        (10..=25).collect::<Vec<u32>>(),
        "{:?}",
        failures(&run)
    );
}

#[test]
fn text_that_is_not_utf8_is_malformed() {
    let run = run(r#"
        (assert_malformed (module quote "\ff") "malformed UTF-8 encoding")
        (module quote "\ff")
    "#);
    let lines: Vec<u32> = failures(&run).iter().map(|failure| failure.0).collect();
    assert_eq!(lines, [3]);
}

#[test]
fn a_file_that_is_no_script() {
    for (text, line) in [
        ("(module)\n(assert_everything)", 2),
        ("(module)\n(module", 2),
        ("(module)\n)", 2),
        ("(module)\ninvoke", 2),
        ("", 1),
        (";; nothing\n (; at all ;)", 1),
    ] {
        let run = run(text);
        let failures = failures(&run);
        assert!(
            matches!(failures.as_slice(), [(at, "parse", _)] if *at == line),
            "{text}: {failures:?}"
        );
        assert!(!run.complete);
    }
}

#[test]
fn a_file_that_cannot_be_read() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("unreadable");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("gone.wast"), "(module)").unwrap();
    fs::write(folder.join("latin.wast"), b";; caf\xe9\n(module)").unwrap();
    let files = suite::at_path(&folder).unwrap();
    fs::remove_file(folder.join("gone.wast")).unwrap();
    assert_eq!(files.len(), 2);
    for file in files {
        let run = run_file(&file);
        let failures = failures(&run);
        assert!(
            matches!(failures.as_slice(), [(1, "file", _)]),
            "{failures:?}"
        );
    }
}

/// wasmtime, except that calling anything named `panic` panics.
struct Fragile(EngineHost);

impl Host for Fragile {
    fn compile(&mut self, source: Source<'_>) -> Result<ModuleId, Failure> {
        self.0.compile(source)
    }

    fn instantiate(&mut self, module: ModuleId) -> Result<InstanceId, Failure> {
        self.0.instantiate(module)
    }

    fn register(&mut self, name: &str, instances: &[InstanceId]) -> Result<(), Failure> {
        self.0.register(name, instances)
    }

    fn invoke(
        &mut self,
        instance: InstanceId,
        function: &str,
        args: &[Value],
    ) -> Result<Vec<Value>, Failure> {
        assert_ne!(function, "panic", "a host with a bug");
        self.0.invoke(instance, function, args)
    }

    fn get(&mut self, instance: InstanceId, global: &str) -> Result<Value, Failure> {
        self.0.get(instance, global)
    }
}

#[test]
fn a_host_that_panics() {
    let file = ScriptFile::embedded(
        "test",
        "panic.wast",
        r#"(module (func (export "panic")) (func (export "f")))
        (invoke "f")
        (assert_return (invoke "panic"))
        (invoke "f")"#,
    );
    let run = conformance::run::run_file(&file, &Features::of(Version::V3), &[], &|features| {
        Ok(Box::new(Fragile(EngineHost::new(features)?)))
    });
    let failures = failures(&run);
    let [(3, "file", mismatch)] = failures.as_slice() else {
        panic!("{failures:?}");
    };
    assert!(mismatch.got.contains("a host with a bug"), "{mismatch:?}");
    assert_eq!(run.outcomes.len(), 3, "directives before the panic count");
    assert!(!run.complete);
}

#[test]
fn a_host_that_cannot_be_made() {
    let file = ScriptFile::embedded("test", "any.wast", "(module)");
    let run = conformance::run::run_file(&file, &Features::of(Version::V3), &[], &|_| {
        anyhow::bail!("no such runtime")
    });
    let failures = failures(&run);
    assert!(
        matches!(failures.as_slice(), [(1, "file", _)]),
        "{failures:?}"
    );
}
