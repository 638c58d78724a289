use std::fs;
use std::path::{Path, PathBuf};

use super::builder;

/// A temporary directory of a crate, removed at the end of the test.
struct Package(PathBuf);

impl Package {
    fn new(name: &str) -> Self {
        let directory =
            std::env::temp_dir().join(format!("forge-weld-{}-{name}", std::process::id()));
        fs::create_dir_all(directory.join("ts")).expect("a directory");
        Self(directory)
    }

    fn with_source(name: &str) -> Self {
        let package = Self::new(name);
        fs::write(package.path("ts/init.ts"), "export const a: number = 1;\n").expect("a file");
        package
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn build(&self, write_types: bool) -> Result<(), crate::Error> {
        builder(&[])
            .generate_sdk_types("types")
            .generate_api_page("docs/API.md")
            .build_in(&self.0, &self.path("out"), write_types)
    }
}

impl Drop for Package {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .expect("a directory")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("a name")
        })
        .collect();
    names.sort();
    names
}

#[test]
fn a_build_leaves_the_source_tree_alone() {
    let package = Package::with_source("plain");
    package.build(false).expect("builds");
    assert_eq!(
        names(&package.path("out")),
        ["extension.rs", "host-wasm.d.ts", "host-wasm.md", "init.js"]
    );
    assert_eq!(names(&package.0), ["out", "ts"]);
}

#[test]
fn declarations_are_checked_in_on_request() {
    let package = Package::with_source("types");
    package.build(true).expect("builds");
    let checked_in = fs::read(package.path("types/host-wasm.d.ts")).expect("the file");
    assert_eq!(
        checked_in,
        fs::read(package.path("out/host-wasm.d.ts")).expect("the file")
    );
    assert_eq!(
        fs::read(package.path("docs/API.md")).expect("the page"),
        fs::read(package.path("out/host-wasm.md")).expect("the page")
    );
}

#[test]
fn an_unchanged_file_is_not_written() {
    let package = Package::with_source("identical");
    package.build(true).expect("builds");
    let dates = || {
        [
            "out/extension.rs",
            "out/init.js",
            "types/host-wasm.d.ts",
            "docs/API.md",
        ]
        .map(|name| {
            fs::metadata(package.path(name))
                .and_then(|m| m.modified())
                .expect("a date")
        })
    };
    let before = dates();
    package.build(true).expect("builds again");
    assert_eq!(dates(), before);
}

#[test]
fn a_missing_file_is_a_refusal() {
    let package = Package::new("missing");
    let refusal = package.build(false).expect_err("there is nothing to build");
    let text = refusal.to_string();
    assert!(
        text.starts_with("ts/init.ts:1:1: cannot read the file: "),
        "{text}"
    );
    assert_eq!(format!("{refusal:?}"), format!("\n{text}"));
}

#[test]
fn an_output_that_cannot_be_written_is_an_error_that_names_it() {
    let package = Package::with_source("unwritable");
    fs::write(package.path("out"), "a file where the directory should be").expect("a file");
    let text = package
        .build(false)
        .expect_err("nowhere to write")
        .to_string();
    assert!(text.contains("init.js: "), "{text}");
}

#[test]
fn outside_of_a_build_script_building_is_an_error() {
    // Cargo sets `OUT_DIR` only for packages with a build script. This package has none.
    let refusal = builder(&[]).build().expect_err("no OUT_DIR");
    assert_eq!(
        refusal.to_string(),
        "OUT_DIR is not set: forge-weld works inside a build script, started by cargo"
    );
}

#[test]
fn a_stale_generated_file_is_refused_and_can_be_written() {
    let package = Package::new("generated");
    let init = "import { A } from \"./constants.ts\";\nexport const a: number = A;\n";
    fs::write(package.path("ts/init.ts"), init).expect("a file");
    let stale = "export const A = 1;\n";
    fs::write(package.path("ts/constants.ts"), stale).expect("a file");
    let build = |write_types| {
        builder(&[])
            .generated("ts/constants.ts", "export const A = 2;\n")
            .build_in(&package.0, &package.path("out"), write_types)
    };
    let refused = build(false).expect_err("is refused").to_string();
    assert!(
        refused.contains("ts/constants.ts:1:1: the file is stale"),
        "{refused}"
    );
    let present = fs::read_to_string(package.path("ts/constants.ts")).expect("a file");
    assert_eq!(present, stale);
    build(true).expect("builds");
    build(false).expect("builds");
    let javascript = fs::read_to_string(package.path("out/init.js")).expect("a file");
    assert!(javascript.contains("const A = 2;"), "{javascript}");
}
