//! Values of components: what crosses by the codec is what wasmtime alone and the second statement of the canonical ABI
//! have, and the comparison notices when it is not.

use conformance::fuzz::codec::abi::Encoding;
use conformance::fuzz::codec::engines::{Engines, Exchanged, Guest as _};
use conformance::fuzz::codec::guest::Signature;
use conformance::fuzz::codec::script::Scripts;
use conformance::fuzz::codec::types::Type;
use conformance::fuzz::codec::{Case, Tally, compare};
use conformance::run::with_deep_stack;
use ext_wasm::wasmtime::component::Val;

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
        total.images > 250 && total.values > 2_000 && total.trapped > 80,
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
        Val::U32(value) => Val::S32(value as i32),
        other => other,
    };
    assert!(compare(case).is_err());
}

/// The images of one parameter, at the limits of what fits. No bytes in between are left out by chance here.
#[test]
fn an_image_is_refused_for_each_bit_too_much() {
    let accepts = |ty: &Type, images: &[Vec<u8>]| -> Vec<bool> {
        let signature = Signature {
            params: vec![ty.clone()],
            encoding: Encoding::Utf8,
        };
        let binary = wat::parse_str(signature.component()).unwrap();
        let engines = Engines::new(&binary).unwrap();
        let guest = engines.ours(&Exchanged::default()).unwrap();
        let images = images.iter().map(|image| guest.take_image(image).unwrap());
        images.collect()
    };
    let words = |words: &[u32]| -> Vec<Vec<u8>> {
        words
            .iter()
            .map(|word| u64::from(*word).to_le_bytes().to_vec())
            .collect()
    };
    let bools = accepts(&Type::Bool, &words(&[0, 1, 2, 3, 0x80, 0xff]));
    assert_eq!(bools, [true, true, false, false, false, false]);
    let codes = [
        0,
        0xd7ff,
        0xd800,
        0xdfff,
        0xe000,
        0x10_ffff,
        0x11_0000,
        u32::MAX,
    ];
    let chars = accepts(&Type::Char, &words(&codes));
    assert_eq!(chars, [true, true, false, false, true, true, false, false]);
    for count in [1, 2, 255, 256, 257, 300] {
        let cases = accepts(&Type::Enum(count), &words(&[0, count - 1, count]));
        // A byte cannot hold 256, which is 0 then.
        assert_eq!(cases, [true, true, count == 256], "{count}");
    }
    for count in [1, 7, 8, 9, 15, 16, 17, 24, 25, 31, 32_u32] {
        let size = match count {
            0..=8 => 8,
            9..=16 => 16,
            _ => 32,
        };
        let bits: Vec<u32> = (0..size).map(|bit| 1 << bit).collect();
        let expected: Vec<bool> = (0..size).map(|bit| bit < count).collect();
        assert_eq!(
            accepts(&Type::Flags(count), &words(&bits)),
            expected,
            "{count}"
        );
    }
    // Two bytes of a string behind its pair, and one byte less or more.
    let text = [0, 0, 0, 0, 2, 0, 0, 0, 0xc3, 0xa9];
    let mut images = vec![
        text.to_vec(),
        text[..9].to_vec(),
        [&text[..], &[0]].concat(),
    ];
    images.push([&text[..9], &[0x41]].concat());
    images.push(text[..7].to_vec());
    images.push(Vec::new());
    let strings = accepts(&Type::String, &images);
    assert_eq!(strings, [true, false, false, false, false, false]);
    // A list of three-byte records has its second element behind the first.
    let list = Type::List(Box::new(Type::Tuple(vec![
        Type::Bool,
        Type::U8,
        Type::Bool,
    ])));
    let image = |count: u8, bytes: &[u8]| [&[0, 0, 0, 0, count, 0, 0, 0], bytes].concat();
    let images = [
        image(2, &[1, 9, 0, 1, 9, 0]),
        image(2, &[1, 9, 0, 1, 9, 2]),
        image(2, &[1, 9, 0, 2, 9, 1]),
        image(2, &[1, 9, 0, 1, 9]),
        image(1, &[1, 9, 0, 1]),
        image(0, &[]),
    ];
    assert_eq!(
        accepts(&list, &images),
        [true, false, false, false, false, true]
    );
}

/// Core values have more bits than small types. Those that have no meaning do not come out of the guest.
#[test]
fn results_have_one_form_whatever_their_other_bits_are() {
    let given = |ty: Type, bits: u32| -> Vec<u8> {
        let signature = Signature {
            params: vec![ty],
            encoding: Encoding::Utf8,
        };
        let binary = wat::parse_str(signature.component()).unwrap();
        let engines = Engines::new(&binary).unwrap();
        let mut guest = engines.ours(&Exchanged::default()).unwrap();
        let bytes = bits.to_le_bytes().map(Val::U8).to_vec();
        assert_eq!(guest.call("set", &[Val::List(bytes)]), Ok(None));
        guest.give_image().unwrap()
    };
    for bits in [1, 2, 0x80, 0x100, u32::MAX] {
        assert_eq!(
            given(Type::Bool, bits),
            [1, 0, 0, 0, 0, 0, 0, 0],
            "{bits:x}"
        );
    }
    for count in [1, 7, 8, 9, 15, 16, 17, 31, 32] {
        let mask = u64::from(u32::MAX >> (32 - count));
        assert_eq!(
            given(Type::Flags(count), u32::MAX),
            mask.to_le_bytes(),
            "{count}"
        );
    }
    assert_eq!(given(Type::U8, 0x1234), [0x34, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(given(Type::S16, 0x1_8000), [0, 0x80, 0, 0, 0, 0, 0, 0]);
}
