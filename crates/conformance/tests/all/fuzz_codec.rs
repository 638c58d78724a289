//! Values of components: what crosses by the codec is what wasmtime alone and the second statement of the canonical ABI
//! have, and the comparison notices when it is not.

use conformance::fuzz::codec::abi::Encoding;
use conformance::fuzz::codec::script::Scripts;
use conformance::fuzz::codec::types::Type;
use conformance::fuzz::codec::{Case, Tally, compare};
use conformance::run::with_deep_stack;

#[test]
fn values_are_the_same_by_the_codec_by_wasmtime_and_by_the_specification() {
    let mut total = Tally::default();
    for seed in 0..300 {
        if let Some(case) = Case::of_seed(seed) {
            total += compare(&case).unwrap_or_else(|error| panic!("seed {seed}: {error:?}"));
        }
    }
    // There were many outcomes of each kind.
    assert!(
        total.images > 250
            && total.cases > total.images
            && total.values > 2_000
            && total.trapped > 80,
        "{total:?}"
    );
    assert!(
        total.refused > 200 && total.invalid > 100 && total.alone > 20,
        "{total:?}"
    );
}

#[test]
fn cases_have_all_types_and_encodings() {
    let cases: Vec<Case> = (0..300).filter_map(Case::of_seed).collect();
    let text = format!(
        "{:?}",
        cases
            .iter()
            .map(|case| &case.signature.params)
            .collect::<Vec<_>>()
    );
    for name in [
        "Bool",
        "S8",
        "U8",
        "S16",
        "U16",
        "S32",
        "U32",
        "S64",
        "U64",
        "F32",
        "F64",
        "Char",
        "String",
        "List(",
        "FixedLengthList(",
        "Record(",
        "Tuple(",
        "Variant(",
        "Enum(300",
        "Flags(32",
        "Option(",
        "Result(",
    ] {
        assert!(text.contains(name), "{name}");
    }
    for encoding in [Encoding::Utf8, Encoding::Utf16, Encoding::Latin1OrUtf16] {
        let has = |case: &Case| case.signature.encoding == encoding;
        assert!(cases.iter().any(has), "{encoding:?}");
    }
    let in_memory = |case: &&Case| case.signature.params_are_in_memory();
    assert!(cases.iter().filter(in_memory).count() > 20);
}

#[test]
fn values_go_through_javascript_and_come_back() {
    let ran = with_deep_stack(|| {
        let mut scripts = Scripts::default();
        for seed in 0..120 {
            if let Some(case) = Case::of_seed(seed) {
                let ran = scripts.run(&case);
                ran.unwrap_or_else(|error| panic!("seed {seed}: {error:?}\n{case:?}"));
            }
        }
    });
    ran.unwrap();
}

#[test]
fn a_seed_always_makes_the_same_case() {
    for seed in 0..50 {
        let (one, other) = (Case::of_seed(seed), Case::of_seed(seed));
        assert_eq!(format!("{one:?}"), format!("{other:?}"));
    }
}

/// A comparison that cannot fail would say nothing: with another type in the second statement, it does.
#[test]
fn a_difference_is_found() {
    let mut case = (0..)
        .find_map(|seed| Case::of_seed(seed).filter(|case| case.signature.params[0] == Type::U32));
    let case = case.as_mut().unwrap();
    let wrong = case.result.clone();
    assert!(compare(case).is_ok());
    case.result = match wrong {
        ext_wasm::wasmtime::component::Val::U32(value) => {
            ext_wasm::wasmtime::component::Val::S32(value as i32)
        }
        other => other,
    };
    assert!(compare(case).is_err());
}
