//! Values of every type, both ways.

use serde_json::json;

use super::{echo, snapshot, with_source};

const TYPES: &str = r#"
    (type $point' (record (field "x-pos" s32) (field "name" string)))
    (export $point "point" (type $point'))
    (type $shape' (variant (case "empty") (case "circle" f32) (case "poly-gon" (list $point))))
    (export $shape "shape" (type $shape'))
    (type $color' (enum "red" "dark-green"))
    (export $color "color" (type $color'))
    (type $rights' (flags "read" "write-all" "run"))
    (export $rights "rights" (type $rights'))
"#;

/// Each function of the echo component, the type of its elements, elements that go in, and the elements that come out
/// if they differ.
const ELEMENTS: &[(&str, &str, &str, Option<&str>)] = &[
    ("bools", "bool", "[true, false]", None),
    ("s8s", "s8", "[-128, 127]", Some("Int8Array.of(-128, 127)")),
    ("u8s", "u8", "Uint8Array.of(0, 255)", None),
    (
        "s16s",
        "s16",
        "[-32768, 32767]",
        Some("Int16Array.of(-32768, 32767)"),
    ),
    ("u16s", "u16", "Uint16Array.of(0, 65535)", None),
    (
        "s32s",
        "s32",
        "[-2147483648, 2147483647]",
        Some("Int32Array.of(-2147483648, 2147483647)"),
    ),
    ("u32s", "u32", "Uint32Array.of(0, 4294967295)", None),
    (
        "s64s",
        "s64",
        "[-9223372036854775808n, 5]",
        Some("BigInt64Array.of(-9223372036854775808n, 5n)"),
    ),
    (
        "u64s",
        "u64",
        "BigUint64Array.of(0n, 18446744073709551615n)",
        None,
    ),
    (
        "f32s",
        "f32",
        "[0.5, -0, NaN, Infinity]",
        Some("Float32Array.of(0.5, -0, NaN, Infinity)"),
    ),
    ("f64s", "f64", "Float64Array.of(0.1, 5e-324)", None),
    (
        "chars",
        "char",
        r#"["a", "\u{1f980}", "\0", "\ufeff"]"#,
        None,
    ),
    (
        "strings",
        "string",
        r#"["", "a\0b", "\ufeffmark", "\u{1f980} crab"]"#,
        None,
    ),
    (
        "lists",
        "(list u16)",
        "[[], Uint16Array.of(1, 2)]",
        Some("[new Uint16Array(), Uint16Array.of(1, 2)]"),
    ),
    (
        "fixed",
        "(list u8 3)",
        "[Uint8Array.of(1, 2, 3), [4, 5, 6]]",
        Some("[Uint8Array.of(1, 2, 3), Uint8Array.of(4, 5, 6)]"),
    ),
    (
        "maps",
        "(map string u32)",
        r#"[new Map([["a", 1], ["b", 2]]), new Map()]"#,
        None,
    ),
    (
        "records",
        "$point",
        r#"[{ xPos: -1, name: "one" }, { name: "", xPos: 2, more: 1 }]"#,
        Some(r#"[{ xPos: -1, name: "one" }, { xPos: 2, name: "" }]"#),
    ),
    ("tuples", "(tuple u8 string)", r#"[[1, "one"]]"#, None),
    (
        "variants",
        "$shape",
        r#"[{ tag: "empty" }, { tag: "circle", val: 2.5 }, { tag: "poly-gon", val: [{ xPos: 1, name: "p" }] }]"#,
        None,
    ),
    ("enums", "$color", r#"["dark-green", "red"]"#, None),
    (
        "flags",
        "$rights",
        "[{ read: true, writeAll: false, run: true }, {}]",
        Some(
            "[{ read: true, writeAll: false, run: true }, { read: false, writeAll: false, run: false }]",
        ),
    ),
    ("options", "(option string)", r#"["some", undefined]"#, None),
    (
        "nested",
        "(option (option u8))",
        r#"[undefined, { tag: "some", val: undefined }, { tag: "some", val: 7 }]"#,
        Some(r#"[undefined, { tag: "some", val: undefined }, { tag: "some", val: 7 }]"#),
    ),
    (
        "results",
        "(result u8 (error string))",
        r#"[{ tag: "ok", val: 1 }, { tag: "err", val: "no" }]"#,
        None,
    ),
    (
        "bare",
        "(result)",
        r#"[{ tag: "ok" }, { tag: "err" }]"#,
        None,
    ),
];

/// A text that tells all values apart, for comparisons.
const SHOW: &str = r#"
    globalThis.show = (value) => {
        if (ArrayBuffer.isView(value)) return `${value.constructor.name}(${[...value].map(show)})`;
        if (Array.isArray(value)) return `[${value.map(show)}]`;
        if (value instanceof Map) return `Map(${[...value].map(show)})`;
        if (typeof value === "bigint") return `${value}n`;
        if (Object.is(value, -0)) return "-0";
        if (typeof value === "object") {
            const proto = Object.getPrototypeOf(value) === Object.prototype ? "" : "other ";
            return `${proto}{${Object.entries(value).map(([name, part]) => `${name}: ${show(part)}`)}}`;
        }
        return typeof value === "string" ? JSON.stringify(value) : String(value);
    };"#;

fn echo_of_all() -> String {
    let functions: Vec<(&str, &str)> = ELEMENTS.iter().map(|(name, ty, ..)| (*name, *ty)).collect();
    echo(TYPES, &functions)
}

#[test]
fn every_type_comes_back_as_it_went_in() {
    let mut js = with_source(&echo_of_all());
    js.run(&format!("{SHOW} globalThis.instance = await component();"));
    for (name, _, values, expected) in ELEMENTS {
        let expected = expected.unwrap_or(values);
        let shown = js.run(&format!(
            "const got = instance.exports.{name}({values});
             return [show(got), show({expected}), show(instance.call({name:?}, [{values}]))];"
        ));
        assert_eq!(shown[0], shown[1], "{name}");
        assert_eq!(shown[2], shown[1], "{name}");
    }
}

/// Values that do not fit, and the messages.
const MISFITS: &[(&str, &str)] = &[
    ("bools", "[0]"),
    ("bools", "{ length: 0 }"),
    ("s8s", "[128]"),
    ("u8s", "[1, 2, -1]"),
    ("u8s", "Int8Array.of(1)"),
    ("u16s", "[1.5]"),
    ("s32s", "[2147483648]"),
    ("u32s", "[1n]"),
    ("s64s", "[9223372036854775808n]"),
    ("u64s", "[-1]"),
    ("u64s", "[2 ** 53]"),
    ("f32s", "['1']"),
    ("f64s", "[1n]"),
    ("chars", "['ab']"),
    ("chars", "['']"),
    ("chars", "['\\ud800']"),
    ("chars", "[5]"),
    ("strings", "['a', '\\udc00']"),
    ("strings", "[null]"),
    ("strings", "[Promise.resolve('a')]"),
    ("lists", "[[1], [70000]]"),
    ("fixed", "[[1, 2]]"),
    ("fixed", "[new Uint8Array(4)]"),
    ("maps", "[{}]"),
    ("maps", "[new Map([['a', -1]])]"),
    ("records", "[{ xPos: 1 }]"),
    ("records", "[{ xPos: '1', name: '' }]"),
    ("records", "[Object.create({ xPos: 1, name: '' })]"),
    ("records", "['point']"),
    ("tuples", "[[1]]"),
    ("tuples", "[[1, 2]]"),
    ("variants", "[{ tag: 'square' }]"),
    ("variants", "[{ tag: 'circle' }]"),
    ("variants", "[{ tag: 'empty', val: 1 }]"),
    (
        "variants",
        "[{ tag: 'poly-gon', val: [{ xPos: 0, name: 1 }] }]",
    ),
    ("variants", "['empty']"),
    ("enums", "['blue']"),
    ("enums", "[0]"),
    ("flags", "[{ read: 1 }]"),
    ("flags", "[true]"),
    ("options", "[null]"),
    ("nested", "[7]"),
    ("nested", "[{ tag: 'some', val: 'x' }]"),
    ("results", "[{ tag: 'ok', val: 'x' }]"),
    ("results", "[{ tag: 'maybe' }]"),
    ("bare", "[{ tag: 'err', val: 1 }]"),
];

#[test]
fn a_value_that_does_not_fit_is_refused_before_the_component_is_entered() {
    let mut js = with_source(&echo_of_all());
    js.run("globalThis.instance = await component();");
    let mut messages = String::new();
    for (name, values) in MISFITS {
        let error = js.run(&format!(
            "return tell(await caught(() => instance.exports.{name}({values})))"
        ));
        assert_eq!(error["code"], 5005, "{name} {values}: {error:#}");
        messages += &format!(
            "{name} {values}\n    {}\n",
            error["message"].as_str().unwrap()
        );
    }
    assert_eq!(
        js.run("return [instance.ended, instance.exports.bools([true])]"),
        json!([false, [true]])
    );
    snapshot("component_misfits", &messages);
}
