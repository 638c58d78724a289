//! The compiler computes an instruction without effects where its result is used, and keeps its operands alive until
//! then. The compiler's work grows with the number of pairs of values that are alive at the same time.

use ext_wasm::ModuleLimits;

use crate::estimates::{compile, milliseconds as estimate, only_more_is_refused};

/// A module with a function that repeats `link` `n` times. Each repetition has another number for `N`.
fn module(link: &str, n: usize) -> String {
    let links: String = (0..n)
        .map(|i| link.replace('N', &(16 + 4 * i).to_string()) + "\n")
        .collect();
    let locals = if link.contains("$N") {
        (0..n)
            .map(|i| format!("(local ${} i32)", 16 + 4 * i))
            .collect()
    } else {
        String::new()
    };
    format!(
        r#"(module (memory 100) (global (mut i32) (i32.const 0)) (global (mut i32) (i32.const 0))
            (func $one (result i32) i32.const 1)
            (func (export "f") (param i32 i32 f32 v128) (result i32) {locals} {links}
                local.get 0 local.get 2 i32.reinterpret_f32 i32.add local.get 3 i32x4.extract_lane 0 i32.add))"#
    )
}

#[test]
fn code_that_keeps_many_values_alive_is_refused() {
    for (kind, link) in [
        (
            "loads",
            "local.get 0 i32.const N i32.load i32.add local.set 0",
        ),
        (
            "results of calls",
            "local.get 0 call $one i32.xor local.set 0",
        ),
        ("globals", "local.get 0 global.get 0 i32.add local.set 0"),
        (
            "constants before a shift",
            "i32.const N local.get 0 i32.shl local.set 0",
        ),
        (
            "constants of floats",
            "f32.const N local.get 2 f32.sub local.set 2",
        ),
        (
            "constants of vectors",
            "v128.const i32x4 N 1 2 3 local.get 3 i32x4.add local.set 3",
        ),
        (
            "a division by a constant",
            "local.get 0 i32.const N i32.load i32.add i32.const 1 i32.div_u local.set 0",
        ),
        (
            "values of dead stores",
            "i32.const N local.get 0 i32.shl local.set 0 i32.const 0 local.get 0 i32.store",
        ),
        (
            "values of dead stores to a global",
            "i32.const N local.get 0 i32.shl local.tee 0 global.set 0",
        ),
        (
            "values of dead stores to two globals",
            "i32.const N local.get 0 i32.shl local.tee 0 global.set 0 local.get 0 global.set 1",
        ),
        (
            "values through a memory",
            "i32.const 0 local.get 0 i32.const N i32.load offset=4 i32.add i32.store i32.const 0 i32.load local.set 0",
        ),
    ] {
        let error = compile(&ModuleLimits::default(), &module(link, 12_000)).expect_err(kind);
        assert!(error.message.contains("max_compile_ms"), "{kind}: {error}");
    }
}

/// Code that can run without the earlier computation of a value computes the value again.
#[test]
fn values_that_many_branches_need_are_counted_in_each() {
    let chain: String = (0..600)
        .map(|i| format!("i32.const {i} i32.xor i32.popcnt local.get 1 i32.add "))
        .collect();
    for (kind, before, arm) in [
        (
            "conditions",
            "",
            "local.get 1 if i32.const 0 local.get 0 i32.store end ",
        ),
        (
            "else arms",
            "",
            "local.get 1 if else i32.const 0 local.get 0 i32.store end ",
        ),
        (
            "blocks",
            "",
            "block local.get 1 br_if 0 i32.const 0 local.get 0 i32.store end ",
        ),
        (
            "globals",
            "local.get 0 global.set 0 ",
            "local.get 1 if i32.const 0 global.get 0 i32.store end ",
        ),
        (
            "memories",
            "i32.const 0 local.get 0 i32.store ",
            "local.get 1 if i32.const 0 i32.load global.set 0 end ",
        ),
    ] {
        let module = |arms: usize| {
            let body = before.to_owned() + &arm.repeat(arms);
            format!(
                r#"(module (memory 1) (global (mut i32) (i32.const 0))
                    (func (export "f") (param i32 i32) local.get 0 {chain} local.set 0 {body}))"#
            )
        };
        only_more_is_refused(kind, &module(600), &module(6));
    }
}

#[test]
fn values_that_are_computed_again_are_kept_meanwhile() {
    for (kind, link) in [
        (
            "integers",
            "local.get 0 local.get 1 i32.const N i32.mul i32.popcnt i32.xor local.set 0",
        ),
        (
            "equal sums and products of different form",
            "local.get 0
                local.get 1 i32.const 0 i32.or i32.const 1 i32.sub i32.const N i32.add i32.popcnt
                i32.const 1 i32.mul i32.xor local.set 0",
        ),
        (
            "operands in the other order",
            "local.get 0 local.get 1 i32.eqz local.get 1 i32.const N i32.mul i32.add i32.popcnt i32.xor local.set 0",
        ),
        (
            "floats",
            "i32.const M local.get 2 f32.const N f32.mul f32.store",
        ),
        ("loads", "local.get 1 i32.load offset=N global.set 0"),
        (
            "divisions, which may trap",
            "i32.const N local.get 1 i32.div_u local.get 0 i32.xor global.set 0",
        ),
        (
            "conversions, which may trap",
            "local.get 2 f32.const N f32.add i32.trunc_f32_s global.set 0",
        ),
    ] {
        let of = |values: usize, rounds: usize| {
            let links: String = (0..values * rounds)
                .map(|i| {
                    let link = link.replace('N', &(16 + 4 * (i % values)).to_string());
                    link.replace('M', &(4 * i).to_string()) + "\n"
                })
                .collect();
            estimate(&module(&links, 1))
        };
        let (few, once, again) = (of(50, 120), of(6_000, 1), of(2_000, 3));
        assert!(
            again > once + 200 && again > few + 200,
            "{kind}: {few}, {once}, {again} ms"
        );
    }
}

/// A value that is alive is carried through each block that begins before its use.
#[test]
fn values_that_are_kept_across_blocks_are_counted() {
    let link = "loop local.get 1 br_if 0 end global.get 0 local.get 0 i32.xor ";
    let kept = estimate(&module(&format!("{link} local.set 0"), 1_000));
    let used_at_once = estimate(&module(&format!("{link} global.set 1"), 1_000));
    assert!(kept > used_at_once + 500, "{kept} ms, {used_at_once} ms");
}

#[test]
fn divisions_by_constants_are_counted_in_pairs() {
    for ty in ["div_u", "div_s", "rem_u", "rem_s"] {
        let link = format!("local.get 1 i32.const N i32.{ty} global.set 0");
        let error = compile(&ModuleLimits::default(), &module(&link, 12_000)).expect_err(ty);
        assert!(error.message.contains("max_compile_ms"), "{ty}: {error}");
    }
}

#[test]
fn locals_that_are_kept_are_counted() {
    let set = |n| module("i32.const N i32.load local.set $N", n);
    let uses: String = (0..3_000)
        .map(|i| format!("local.get ${} drop local.get 1 i32.load drop ", 16 + 4 * i))
        .collect();
    let used = set(3_000).replace(
        "local.get 0 local.get 2",
        &(uses + "local.get 0 local.get 2"),
    );
    assert!(estimate(&used) > 1_000 + estimate(&set(3_000)));
}

#[test]
fn values_that_are_used_soon_cost_little() {
    for (kind, link) in [
        (
            "stores to different places",
            "local.get 0 i32.const N i32.load i32.add local.set 0 i32.const N local.get 0 i32.store offset=N",
        ),
        ("addresses", "local.get 0 i32.const N i32.add i32.load local.set 0"),
        (
            "stores to two places in turns",
            "i32.const N local.get 0 i32.shl local.set 0
                i32.const 0 local.get 0 i32.store i32.const 0 local.get 0 i32.store offset=8",
        ),
        (
            "products and sums",
            "local.get 0 local.get 1 f32.load offset=N local.get 0 f32.load offset=N f32.mul local.get 2 f32.add
                f32.store offset=N",
        ),
        ("constants as second operands", "local.get 2 f32.const N f32.sub local.set 2"),
        ("unused values", "local.get 0 i32.const N i32.load i32.add drop"),
    ] {
        let (few, many) = (estimate(&module(link, 1_000)), estimate(&module(link, 8_000)));
        assert!(many < 12 * few + 20, "{kind}: {few} ms, {many} ms");
    }
}
