//! Files run in processes of their own: the loss of a process fails one file only.
//! Shell scripts replace the workers, because a worker of `cargo conformance` cannot be made to crash or hang.

use std::num::NonZeroUsize;
use std::process::Command;
use std::time::Duration;

use conformance::features::Features;
use conformance::judge::{Finding, Judged};
use conformance::lane::Lane;
use conformance::pool::Pool;
use conformance::suite::ScriptFile;
use conformance::worker::{self, Job};

/// The answer of a worker whose directives passed.
const GOOD: &str = r#"echo '{"passed":7,"failed":[],"skipped":[],"seconds":0}'"#;

/// The answer of a worker with a failed directive.
const BAD: &str = r#"echo '{"passed":0,"failed":[{"line":3,"directive":"invoke","mismatch":{"expected":"a","got":"b"}}],"skipped":[],"seconds":0}'"#;

fn jobs(count: usize) -> Vec<Job> {
    let job = |number| Job {
        file: ScriptFile::embedded("suite", format!("{number}.wast"), "(module)"),
        lane: Lane::Engine,
        features: Features::default(),
    };
    (0..count).map(job).collect()
}

/// The results of jobs whose worker is this shell script, in the order of the jobs.
fn run(script: &str, count: usize, timeout: Duration, fail_fast: bool) -> Vec<(String, Judged)> {
    let command = || {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    };
    let jobs = jobs(count);
    let pool = Pool {
        workers: NonZeroUsize::MIN,
        timeout,
        fail_fast,
        command: &command,
    };
    let results = pool.run(&jobs, |_| {}).unwrap();
    let named = |(job, judged): (&Job, Judged)| (job.file.name.clone(), judged);
    results.into_iter().map(named).collect()
}

const LONG: Duration = Duration::from_secs(60);

fn finding(judged: &Judged) -> &Finding {
    assert_eq!((judged.passed, judged.failed.len()), (0, 1), "{judged:?}");
    assert_eq!(judged.failed[0].directive, "file");
    &judged.failed[0]
}

#[test]
fn a_worker_that_crashes_fails_its_file_and_reports_the_signal() {
    let script = "read job; case $job in *1.wast*) echo 'out of luck' >&2; kill -ABRT $$;; esac;";
    let results = run(
        &format!("while :; do {script} {GOOD}; done"),
        3,
        LONG,
        false,
    );
    let got = &finding(&results[1].1).mismatch.got;
    assert!(
        got.contains("signal: 6") && got.ends_with(": out of luck"),
        "{got}"
    );
    assert_eq!(results[0].1.passed, 7);
    assert_eq!(results[2].1.passed, 7, "a new worker runs the rest");
}

#[test]
fn a_worker_that_ends_without_an_answer() {
    let results = run("read job; exit 3", 2, LONG, false);
    for (_, judged) in &results {
        assert!(finding(judged).mismatch.got.contains("exit status: 3"));
    }
    assert_eq!(results.len(), 2);
}

#[test]
fn a_worker_that_hangs_is_killed() {
    let hang = "read job; exec sleep 1000";
    let results = run(hang, 2, Duration::from_millis(50), false);
    for (_, judged) in &results {
        let mismatch = &finding(judged).mismatch;
        assert_eq!(mismatch.expected, "to end within 0.05 s");
    }
    assert_eq!(results.len(), 2);
}

#[test]
fn a_worker_whose_answer_is_not_json() {
    let results = run("read job; echo done", 1, LONG, false);
    assert_eq!(finding(&results[0].1).mismatch.got, "not understood: done");
}

#[test]
fn fail_fast_ends_the_run_at_the_first_failure() {
    let script =
        format!("while read job; do case $job in *1.wast*) {BAD};; *) {GOOD};; esac; done");
    let stopped = run(&script, 4, LONG, true);
    let names: Vec<&str> = stopped.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["0.wast", "1.wast"]);
    assert_eq!(run(&script, 4, LONG, false).len(), 4);
}

#[test]
fn a_worker_that_cannot_be_started() {
    let command = || Command::new("/no such program");
    let pool = Pool {
        workers: NonZeroUsize::MIN,
        timeout: LONG,
        fail_fast: false,
        command: &command,
    };
    let error = pool.run(&jobs(2), |_| {}).err().unwrap();
    assert!(
        error.to_string().contains("cannot start a worker"),
        "{error:#}"
    );
}

#[test]
fn a_worker_of_this_program_answers() {
    let command = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_conformance"));
        command.arg(worker::ARGUMENT);
        command
    };
    let job = |name: &str, lane| Job {
        file: ScriptFile::embedded("extended-const", name, ""),
        lane,
        features: Features::default(),
    };
    let jobs: Vec<Job> = Lane::SCRIPTS
        .into_iter()
        .flat_map(|lane| [job("global.wast", lane), job("no such file.wast", lane)])
        .collect();
    let pool = Pool {
        workers: NonZeroUsize::MIN,
        timeout: LONG,
        fail_fast: false,
        command: &command,
    };
    for (job, judged) in pool.run(&jobs, |_| {}).unwrap() {
        if job.file.name == "global.wast" {
            assert!(
                judged.passed > 100 && judged.failed.is_empty(),
                "{judged:?}"
            );
        } else {
            let got = &finding(&judged).mismatch.got;
            assert!(got.contains("no file `no such file.wast`"), "{got}");
        }
    }
}
