//! The configuration of the suites: sizes and features.

use std::fs;
use std::path::Path;

use conformance::config::{Config, Suites};
use conformance::features::{Feature, Features, Version};
use conformance::suite::{self, ScriptFile};
use ext_wasm::{WasmCapabilities, WasmState};

#[test]
fn the_size_of_every_official_suite_is_known() {
    let config = Config::load().unwrap();
    for name in suite::names() {
        let ours = [suite::FIXTURES, suite::SPEC_TESTS].contains(&name);
        assert_eq!(config.suites.size(name).is_none(), ours, "{name}");
    }
}

#[test]
fn the_default_configuration_of_host_wasm_is_that_of_our_own_suites() {
    let one_of_each = [
        (
            Feature::BulkMemory,
            "(memory 1) (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 0)))",
        ),
        (Feature::CustomPageSizes, "(memory 1 (pagesize 1))"),
        (Feature::Exceptions, "(tag $e) (func (throw $e))"),
        (
            Feature::ExtendedConst,
            "(global i32 (i32.add (i32.const 1) (i32.const 1)))",
        ),
        (
            Feature::FunctionReferences,
            "(type $f (func)) (func (param (ref $f)) (call_ref $f (local.get 0)))",
        ),
        (Feature::Gc, "(type (struct))"),
        (Feature::Memory64, "(memory i64 1)"),
        (Feature::MultiMemory, "(memory 1) (memory 1)"),
        (
            Feature::MultiValue,
            "(func (result i32 i32) (i32.const 1) (i32.const 1))",
        ),
        (
            Feature::MutableGlobal,
            "(global (import \"m\" \"g\") (mut i32))",
        ),
        (Feature::ReferenceTypes, "(table 1 externref)"),
        (
            Feature::RelaxedSimd,
            "(func (param v128) (result v128) (i8x16.relaxed_swizzle (local.get 0) (local.get 0)))",
        ),
        (
            Feature::SaturatingFloatToInt,
            "(func (result i32) (i32.trunc_sat_f32_s (f32.const 1)))",
        ),
        (
            Feature::SignExtension,
            "(func (result i32) (i32.extend8_s (i32.const 1)))",
        ),
        (Feature::Simd, "(func (param v128))"),
        (Feature::TailCall, "(func $f (return_call $f))"),
        (
            Feature::Threads,
            "(memory 1 1 shared) (func (atomic.fence))",
        ),
        (
            Feature::WideArithmetic,
            "(func (result i64 i64) (i64.mul_wide_s (i64.const 1) (i64.const 1)))",
        ),
    ];
    let state = WasmState::new(WasmCapabilities::default()).unwrap();
    let suites = Config::load().unwrap().suites;
    for ours in [suite::FIXTURES, suite::SPEC_TESTS] {
        let features = suites.features(&ScriptFile::embedded(ours, "a.wast", ""));
        for (feature, module) in one_of_each {
            let compiled = state.compile(format!("(module {module})").as_bytes());
            let error = compiled.err();
            assert_eq!(
                error.is_none(),
                features.has(feature),
                "{feature:?}: {error:?}"
            );
        }
    }
}

/// Writes empty scripts into a folder, and returns the features that the first one runs with.
fn features_in_folder(name: &str, files: &[&str]) -> Features {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("checkouts")
        .join(name);
    for file in files {
        let path = folder.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    let files = suite::at_path(&folder.join(files[0])).unwrap();
    Config::load().unwrap().suites.features(&files[0])
}

#[test]
fn a_checkout_runs_with_the_features_of_its_suite() {
    let v1 = Features::of(Version::V1);
    let v2 = Features::of(Version::V2);
    let v3 = Features::of(Version::V3);
    let threads = [Feature::Threads];
    let core = "test/core/a.wast";
    let gc = "test/core/gc/b.wast";
    let simd = "test/core/simd/b.wast";
    for (repository, files, expected) in [
        ("official/spec", &[core, gc][..], v3.clone()),
        // A merged proposal: its scripts need all features of the version that it became part of.
        (
            "official/spec",
            &["test/core/memory64/a.wast", gc],
            v3.clone(),
        ),
        ("of-2022/spec", &[core, simd], v2.clone()),
        ("of-2019/spec", &[core], v1.clone()),
        ("a/threads", &[core, simd], v2.clone().with(threads)),
        (
            "a/threads",
            &["test/core/threads/a.wast", simd],
            v2.clone().with(threads),
        ),
        ("b/threads-main", &[core, gc], v3.clone().with(threads)),
        ("c/threads", &[core], v1.clone().with(threads)),
        ("memory64", &[core, gc], v3.clone()),
        ("multi-memory-1.0", &[core], v3.clone()),
        (
            "nameless/1",
            &[core, simd, "test/core/threads/b.wast"],
            v2.clone().with(threads),
        ),
        (
            "nameless/2",
            &[core, gc, "test/core/memory64/b.wast"],
            v3.clone(),
        ),
        // WebAssembly/testsuite.
        (
            "testsuite",
            &["proposals/threads/a.wast", "b.wast"],
            v1.with(threads),
        ),
        (
            "testsuite",
            &["b.wast", "proposals/threads/a.wast"],
            v3.clone(),
        ),
    ] {
        let features = features_in_folder(repository, files);
        assert_eq!(features, expected, "{repository} {}", files[0]);
    }
}

#[test]
fn a_clone_is_recognised_by_its_url() {
    for (name, url, expected) in [
        (
            "clone/1",
            "https://example.org/WebAssembly/threads.git",
            true,
        ),
        ("clone/2", "git@example.org:WebAssembly/threads", true),
        (
            "clone/threads",
            "https://example.org/WebAssembly/spec",
            false,
        ),
    ] {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("checkouts")
            .join(name);
        fs::create_dir_all(folder.join(".git")).unwrap();
        let config = format!("[core]\n\tbare = false\n[remote \"origin\"]\n\turl = {url}\n");
        fs::write(folder.join(".git/config"), config).unwrap();
        let features = features_in_folder(name, &["test/core/a.wast"]);
        assert_eq!(features.has(Feature::Threads), expected, "{url}");
    }
}

#[test]
fn other_scripts_run_with_the_default_configuration_of_host_wasm() {
    let host_wasm = Features::of(Version::V3).with([
        Feature::Threads,
        Feature::ComponentModel,
        Feature::ComponentModelAsync,
        Feature::ComponentModelAsyncStackful,
        Feature::ComponentModelFixedLengthLists,
        Feature::ComponentModelMap,
        Feature::ComponentModelMoreAsyncBuiltins,
        Feature::ComponentModelThreading,
    ]);
    for name in [
        "a.wast",
        "gc/a.wast",
        "wasm-1.0/a.wast",
        "core/a.wast",
        "test/a.wast",
    ] {
        assert_eq!(features_in_folder("own", &[name]), host_wasm, "{name}");
    }
}

#[test]
fn invalid_configurations_are_refused() {
    for text in [
        "[no-such-suite]",
        "[suite]\nwith = [\"no-such-feature\"]",
        "[suite]\nversion = \"wasm-4.0\"",
        "[suite]\nsize = { files = 1 }",
        "[suite]\nunknown = 1",
        "[suite",
    ] {
        assert!(Suites::parse(text, &["suite"]).is_err(), "{text}");
    }
}
