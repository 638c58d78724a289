//! Sums of many constants: their code is short, and they cost the compiler a hundred times as much as other additions.

use ext_wasm::ModuleLimits;

use crate::estimates::{bytes as estimate, compile};

fn repeat(n: usize, each: impl Fn(usize) -> String) -> String {
    (0..n).map(each).collect()
}

const OPERATORS: [&str; 5] = ["add", "sub", "and", "or", "xor"];

#[test]
fn long_sums_are_refused() {
    for ty in ["i32", "i64"] {
        for operator in OPERATORS {
            let links = repeat(80_000, |i| {
                format!("{ty}.const {} {ty}.{operator} ", i + 1000)
            });
            let module = format!("(module (func (param {ty}) (result {ty}) local.get 0 {links}))");
            let error = compile(&ModuleLimits::default(), &module).expect_err(operator);
            assert!(error.message.contains("max_compile_"), "{error}");
        }
    }
}

#[test]
fn sums_are_followed_through_every_kind_of_value() {
    /// The least cost of one more addition to a long sum, beyond the cost of its instructions.
    const LONG: u64 = 10_000;
    let kinds: [(&str, &str, &str); 22] = [
        ("operands", "local.get 0", "i32.const 7 i32.add"),
        (
            "constants first",
            "local.get 0",
            "local.set 1 i32.const 7 local.get 1 i32.add",
        ),
        (
            "locals",
            "local.get 0",
            "i32.const 7 i32.add local.set 1 local.get 1",
        ),
        (
            "globals",
            "local.get 0",
            "i32.const 7 i32.add global.set 0 global.get 0",
        ),
        (
            "memories",
            "local.get 0",
            "local.set 1 i32.const 0 local.get 1 i32.const 7 i32.add i32.store
                i32.const 0 i32.load",
        ),
        (
            "memories, with writes to others between",
            "local.get 0",
            "local.set 1 i32.const 0 local.get 1 i32.const 7 i32.add i32.store offset=8
                i32.const 0 i32.const 1 i32.store $other i32.const 0 i32.load offset=8",
        ),
        (
            "conversions",
            "local.get 0",
            "i32.const 7 i32.add i64.extend_i32_u i32.wrap_i64",
        ),
        (
            "bits of floats",
            "local.get 0",
            "i32.const 7 i32.add f32.reinterpret_i32 i32.reinterpret_f32",
        ),
        (
            "or 0",
            "local.get 0",
            "i32.const 7 i32.add i32.const 0 i32.or",
        ),
        (
            "and -1",
            "local.get 0",
            "i32.const 7 i32.add i32.const -1 i32.and",
        ),
        (
            "times 1",
            "local.get 0",
            "i32.const 7 i32.add i32.const 1 i32.mul",
        ),
        (
            "divided by 1",
            "local.get 0",
            "i32.const 7 i32.add i32.const 1 i32.div_u",
        ),
        (
            "shifts by 0",
            "local.get 0",
            "i32.const 7 i32.add i32.const 0 i32.shl",
        ),
        (
            "negated twice",
            "local.get 0",
            "i32.const 7 i32.add local.set 1 i32.const 0 local.get 1 i32.sub local.set 1
                i32.const 0 local.get 1 i32.sub",
        ),
        (
            "inverted twice",
            "local.get 0",
            "i32.const 7 i32.add i32.const -1 i32.xor i32.const -1 i32.xor",
        ),
        (
            "minus and plus the same value",
            "local.get 0",
            "i32.const 7 i32.add local.get 2 i32.sub local.get 2 i32.add",
        ),
        (
            "xor with the same value twice",
            "local.get 0",
            "i32.const 7 i32.add local.get 2 i32.xor local.get 2 i32.xor",
        ),
        (
            "and with itself",
            "local.get 0",
            "i32.const 7 i32.add local.tee 1 local.get 1 i32.and",
        ),
        (
            "and, then or",
            "local.get 0",
            "i32.const 7 i32.add local.tee 1 local.get 2 i32.and local.get 1 i32.or",
        ),
        (
            "select of two equal values",
            "local.get 0",
            "i32.const 7 i32.add local.tee 1 local.get 1 local.get 2 select",
        ),
        (
            "twice itself",
            "local.get 0",
            "i32.const 7 i32.add local.tee 1 local.get 1 i32.add",
        ),
        (
            "two sums",
            "local.get 0",
            "local.get 1 i32.const 5 i32.add local.tee 1 i32.add",
        ),
    ];
    for (kind, start, link) in kinds {
        let of = |n: usize| {
            estimate(&format!(
                "(module (memory 1) (memory $other 1) (global (mut i32) (i32.const 0))
                    (func (param i32) (result i32) (local i32 i32) {start} {}))",
                format!("{link} ").repeat(n)
            ))
        };
        let (short, long) = (of(1) - of(0), of(103) - of(102));
        assert!(
            short < LONG && long > LONG + short,
            "{kind}: {short}, {long}"
        );
    }
}

/// Rotations cost more by themselves than another constant does.
#[test]
fn sums_are_followed_through_rotations() {
    let of = |n: usize, amounts: &str| {
        let link = format!("i32.const 7 i32.add {amounts} ");
        estimate(&format!(
            "(module (func (param i32 i32) (result i32) local.get 0 {}))",
            link.repeat(n)
        ))
    };
    let back = "local.get 1 i32.rotl local.get 1 i32.rotr";
    let by_constants = "i32.const 7 i32.rotl i32.const 9 i32.rotr";
    let (followed, cut) = (
        of(103, back) - of(102, back),
        of(103, by_constants) - of(102, by_constants),
    );
    assert!(followed > 10_000 + cut, "{followed}, {cut}");
}

#[test]
fn code_without_long_sums_costs_little() {
    let kinds = [
        ("no constants", "local.get 0 i32.add"),
        (
            "operators of other kinds",
            "i32.const 7 i32.add i32.const 7 i32.xor",
        ),
        ("loads between", "i32.const 7 i32.add i32.load"),
        ("products", "i32.const 7 i32.mul"),
        ("calls between", "i32.const 7 i32.add call $f"),
    ];
    for (kind, link) in kinds {
        let of = |n: usize| {
            estimate(&format!(
                "(module (func $f (param i32) (result i32) local.get 0)
                    (func (param i32) (result i32) local.get 0 {}))",
                format!("{link} ").repeat(n)
            ))
        };
        assert!(of(103) - of(102) < 10_000, "{kind}");
    }
}
