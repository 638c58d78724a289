use arbitrary::{Arbitrary as _, Unstructured};
use rand::{Rng as _, SeedableRng as _};
use rand_xorshift::XorShiftRng;
use wasmparser::{Parser, Validator};

use super::*;

fn proposals(wasm: &[u8]) -> Proposals {
    let mut proposals = Proposals::default();
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.unwrap();
        proposals.payload(&payload).unwrap();
        if let Payload::CodeSectionEntry(body) = payload {
            proposals.body(&body).unwrap();
        }
    }
    proposals
}

/// Returns the validator's flags for these features.
fn flags(features: WasmFeatures) -> WasmFeatures {
    let mut flags = features | WasmFeatures::MVP | WasmFeatures::CALL_INDIRECT_OVERLONG;
    for (feature, needed) in [
        (BULK_MEMORY, WasmFeatures::BULK_MEMORY_OPT),
        (WasmFeatures::LEGACY_EXCEPTIONS, WasmFeatures::EXCEPTIONS),
        (WasmFeatures::RELAXED_SIMD, WasmFeatures::SIMD),
        (WasmFeatures::GC, WasmFeatures::FUNCTION_REFERENCES),
        (WasmFeatures::EXCEPTIONS, REFERENCE_TYPES),
        (WasmFeatures::FUNCTION_REFERENCES, REFERENCE_TYPES),
    ] {
        if flags.contains(feature) {
            flags |= needed;
        }
    }
    flags
}

fn validate(wasm: &[u8], flags: WasmFeatures) -> wasmparser::Result<()> {
    Validator::new_with_features(flags)
        .validate_all(wasm)
        .map(drop)
}

#[test]
fn each_proposal_is_seen_and_needed() {
    for (text, names) in [
        ("(func (loop (br 0)))", &[][..]),
        ("(table 1 funcref) (elem (i32.const 0) func)", &[]),
        (
            "(global (export \"g\") (mut i32) (i32.const 0))",
            &["mutable-global"],
        ),
        (
            "(import \"a\" \"b\" (global (mut i32)))",
            &["mutable-global"],
        ),
        (
            "(func (drop (i32.extend8_s (i32.const 0))))",
            &["sign-extension"],
        ),
        (
            "(func (drop (i32.trunc_sat_f32_s (f32.const 0))))",
            &["saturating-float-to-int"],
        ),
        ("(func (result i32 i32) unreachable)", &["multi-value"]),
        (
            "(func (i32.const 0) (block (param i32) (drop)))",
            &["multi-value"],
        ),
        ("(memory 1) (data \"a\")", &["bulk-memory"]),
        ("(elem func)", &["bulk-memory"]),
        ("(table 1 externref)", &["reference-types"]),
        ("(table 1 funcref) (table 1 funcref)", &["reference-types"]),
        ("(func (local externref))", &["reference-types"]),
        ("(func $f) (elem declare func $f)", &["bulk-memory"]),
        ("(func (param v128))", &["simd"]),
        ("(func (return_call 0))", &["tail-call"]),
        (
            "(global i32 (i32.add (i32.const 1) (i32.const 2)))",
            &["extended-const"],
        ),
        ("(memory 1) (memory 1)", &["multi-memory"]),
        ("(memory i64 1)", &["memory64"]),
        ("(table i64 1 funcref)", &["memory64"]),
        ("(tag)", &["exceptions"]),
        ("(memory 1 1 shared)", &["threads"]),
        ("(memory 1 (pagesize 1))", &["custom-page-sizes"]),
        (
            "(tag) (func try catch_all rethrow 0 end)",
            &["legacy-exceptions"],
        ),
        (
            "(func i64.const 0 i64.const 0 i64.mul_wide_s unreachable)",
            &["wide-arithmetic"],
        ),
        ("(type (struct))", &["gc"]),
        (
            "(type (func)) (func (param (ref null 0)))",
            &["function-references"],
        ),
    ] {
        let wasm = wat::parse_str(format!("(module {text})")).unwrap();
        let proposals = proposals(&wasm);
        assert_eq!(proposals.names(), names, "{text}");
        if let Err(error) = validate(&wasm, flags(proposals.features())) {
            panic!("{text}: {error}");
        }
        for (feature, name, _) in PROPOSALS.iter().filter(|(_, name, _)| names.contains(name)) {
            let mut without = WasmFeatures::all().difference(*feature);
            // Its references are part of another one's.
            if *feature == WasmFeatures::FUNCTION_REFERENCES {
                without = without.difference(WasmFeatures::GC);
            }
            let invalid = validate(&wasm, without).is_err();
            assert!(invalid, "{text} is valid without {name}");
        }
    }
}

#[test]
fn both_versions_of_exceptions_in_one_module() {
    let text = "(module (tag) (func try catch_all end) (func (block (try_table (catch_all 0)))))";
    let names = proposals(&wat::parse_str(text).unwrap()).names();
    assert_eq!(names, ["exceptions", "legacy-exceptions"]);
}

#[test]
fn random_modules_need_no_other_proposals() {
    let mut seen = WasmFeatures::empty();
    for seed in 0..400 {
        let mut data = vec![0; 4096];
        XorShiftRng::seed_from_u64(seed).fill_bytes(&mut data);
        let mut data = Unstructured::new(&data);
        let mut config = wasm_smith::Config::arbitrary(&mut data).unwrap();
        config.allow_invalid_funcs = false;
        config.custom_descriptors_enabled = false;
        config.shared_everything_threads_enabled = false;
        let wasm = wasm_smith::Module::new(config, &mut data)
            .unwrap()
            .to_bytes();
        let proposals = proposals(&wasm);
        let features = proposals.features();
        if let Err(error) = validate(&wasm, flags(features)) {
            panic!("seed {seed}, {:?}: {error}", proposals.names());
        }
        seen |= features;
    }
    for feature in [
        WasmFeatures::GC,
        WasmFeatures::THREADS,
        WasmFeatures::EXCEPTIONS,
    ] {
        assert!(seen.contains(feature), "{seen:?}");
    }
}
