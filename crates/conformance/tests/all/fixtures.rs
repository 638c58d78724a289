//! Fixtures: their order, their comments, and their two directives.

use std::fs;
use std::path::{Path, PathBuf};

use conformance::fixture;
use conformance::outcome::Verdict;
use conformance::suite;

use crate::{failures, run_file};

fn folder(name: &str, files: &[(&str, &str)]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).unwrap();
    for (name, text) in files {
        fs::write(folder.join(name), text).unwrap();
    }
    folder
}

#[test]
fn a_fixture_comes_after_what_it_imports_from() {
    let folder = folder(
        "order",
        &[
            (
                "a.wat",
                ";; a\n(module (import \"b\" \"f\" (func)) (import \"spectest\" \"print\" (func)))",
            ),
            (
                "b.wat",
                ";; b\n(module (import \"c\" \"m\" (memory 1)) (func (export \"f\")))",
            ),
            ("c.wat", ";; c\n(module (memory (export \"m\") 1))"),
        ],
    );
    let fixtures = fixture::discover(&folder).unwrap();
    let names: Vec<&str> = fixtures
        .iter()
        .map(|fixture| fixture.name.as_str())
        .collect();
    assert_eq!(names, ["c", "b", "a"]);

    for file in suite::at_path(&folder).unwrap() {
        let run = run_file(&file);
        let directives: Vec<_> = run
            .outcomes
            .iter()
            .map(|outcome| (outcome.directive, &outcome.verdict))
            .collect();
        let passed = [
            ("compile", &Verdict::Passed),
            ("instantiate", &Verdict::Passed),
        ];
        assert_eq!(directives, passed, "{}", file.label());
    }
}

#[test]
fn faulty_fixtures_fail() {
    folder(
        "elsewhere",
        &[("c.wat", ";; c\n(module (memory (export \"m\") 1))")],
    );
    for (name, text, expected) in [
        ("silent", "(module)", vec!["comment"]),
        ("empty-comment", ";;\n(module)", vec!["comment"]),
        (
            "invalid",
            ";; x\n(module (func (result i32)))",
            vec!["compile", "instantiate"],
        ),
        (
            "unlinkable",
            ";; x\n(module (import \"x\" \"y\" (func)))",
            vec!["instantiate"],
        ),
        (
            "itself",
            ";; x\n(module (import \"itself\" \"f\" (func)))",
            vec!["file"],
        ),
        (
            "outside",
            ";; x\n(module (import \"../elsewhere/c\" \"m\" (memory 1)))",
            vec!["instantiate"],
        ),
    ] {
        let file = format!("{name}.wat");
        let folder = folder(name, &[(file.as_str(), text)]);
        let files = suite::at_path(&folder).unwrap();
        let run = run_file(&files[0]);
        let failed: Vec<&str> = failures(&run).iter().map(|failure| failure.1).collect();
        assert_eq!(failed, expected, "{name}");
        if let Ok(fixtures) = fixture::with_dependencies(&folder.join(file)) {
            assert_eq!(fixtures.len(), 1, "{name} has no dependency");
        }
    }
}
