//! What is written down about the suites is so.

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

#[test]
fn a_path_says_which_suite_its_features_are_those_of() {
    let suites = Suites::parse(
        "[threads]\nwith = [\"threads\"]\n[gc]\nversion = \"wasm-1.0\"",
        &["threads", "gc"],
    )
    .unwrap();
    let default = Features::of(Version::V3);
    let threads = default.clone().with([Feature::Threads]);
    let gc = Features::of(Version::V1);
    for (suite, name, features) in [
        ("threads", "a.wast", &threads),
        ("/spec/test/core", "a.wast", &default),
        ("/spec/test/core", "threads/a.wast", &threads),
        ("/spec/test/core", "gc/threads/a.wast", &threads),
        ("/spec/test/core", "threads/gc/more/a.wast", &gc),
        ("/proposals/threads", "a.wast", &threads),
        ("/threads/test/core", "a.wast", &default),
        ("/spec/test/core", "threads.wast", &default),
    ] {
        let file = ScriptFile::at(suite, name, "a.wast");
        assert_eq!(suites.features(&file), *features, "{suite} {name}");
    }
}

#[test]
fn what_cannot_be_is_refused() {
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
