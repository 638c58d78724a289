//! Joins of control flow: each path to a join needs its values, and a local that a loop sets has another value inside
//! the loop.

use ext_wasm::ModuleLimits;

use crate::estimates::{bytes, compile, milliseconds, only_more_is_refused};

/// One link of a chain of instructions without effects.
const LINK: &str = "local.get 0 i32.const N i32.xor i32.popcnt local.get 1 i32.add local.set 0 ";

/// A condition that uses the end of the chain.
const CONDITION: &str = "local.get 1 if i32.const 0 local.get 0 i32.store end ";

/// The text, `times` times, each time with another number for `N`.
fn repeat(text: &str, times: usize) -> String {
    let numbers = (0..times).map(|number| (16 + number).to_string());
    numbers.map(|number| text.replace('N', &number)).collect()
}

fn module(body: &str) -> String {
    format!(
        r#"(module (memory 1) (global (mut i32) (i32.const 0)) (func $call) (type $array (array (mut i64)))
            (func (export "f") (param i32 i32 f32) (result i32) (local $other i32)
                {body} local.get 0 local.get $other i32.add local.get 2 i32.trunc_sat_f32_s i32.add))"#
    )
}

#[test]
fn values_are_counted_on_each_path_that_needs_them() {
    let chain = |n| repeat(LINK, n);
    let conditions = |n| repeat(CONDITION, n);
    let kinds: [(&str, &dyn Fn(usize) -> String); 22] = [
        ("a chain whose links are read and dropped", &|n| {
            repeat(&format!("{LINK} local.get 0 drop "), n) + &conditions(n)
        }),
        ("a chain whose links are multiplied by zero", &|n| {
            let stored =
                "i32.const 0 local.get 0 local.get 1 i32.add i32.const 0 i32.mul i32.store ";
            repeat(&format!("{LINK} {stored}"), n) + &conditions(n)
        }),
        ("results that sometimes equal the first value", &|n| {
            // 16 ^ 20 ^ 24 ^ 28 is 0, and the same holds for the next four numbers.
            let link = "i32.const N local.get 0 i32.xor local.set 0 local.get 1 if local.get 1 local.get 1 i32.store8 br $out end ";
            let links = (0..5 * n).map(|i| link.replace('N', &(16 + 4 * i).to_string()));
            format!("block $out {} end ", links.collect::<String>())
        }),
        ("a chain in blocks", &|n| {
            repeat(&format!("block {LINK} end "), n) + &conditions(n)
        }),
        ("a chain in loops", &|n| {
            repeat(&format!("loop {LINK} end "), n) + &conditions(n)
        }),
        ("a chain in arms that all have an end", &|n| {
            format!(
                "block {} end ",
                repeat(&format!("{LINK} local.get 1 if br 1 end "), n)
            )
        }),
        ("arms that branch out with a new value", &|n| {
            let arm = "local.get 1 if local.get 0 i32.const N i32.mul local.set 0 br $out end ";
            format!("block $out {} {} end ", chain(n), repeat(arm, n))
        }),
        ("arms that branch out without the chain", &|n| {
            let link = format!("{LINK} local.get 1 if i32.const N local.set 0 br $out end ");
            format!("block $out {} {} end ", repeat(&link, n), conditions(n))
        }),
        ("arms before the local gets another value", &|n| {
            let arm = "local.get 1 if br $out end ";
            format!(
                "block $out {} {} i32.const 7 local.set 0 end ",
                chain(n),
                repeat(arm, n)
            )
        }),
        ("arms that restart a loop", &|n| {
            let link = format!("{LINK} local.get 1 if br $again end ");
            format!(
                "loop $again local.get 0 global.set 0 {} end ",
                repeat(&link, n)
            )
        }),
        ("tables of branches", &|n| {
            let arm = "local.get 1 if local.get 1 br_table $out $out 0 end ";
            let link = format!("{LINK} {arm}");
            format!(
                "block $out {} i32.const 7 local.set 0 end ",
                repeat(&link, n)
            )
        }),
        ("both arms of conditions", &|n| {
            let arms = "local.get 1 if local.get 0 i32.const N i32.mul local.set $other
                else i32.const N local.set $other end local.get $other global.set 0 ";
            chain(n) + &repeat(arms, n)
        }),
        ("handlers of exceptions", &|n| {
            let arm = format!("{LINK} local.get 1 if call $call end ");
            format!(
                "block $out try_table (catch_all $out) {} end end ",
                repeat(&arm, n)
            )
        }),
        ("handlers inside of others", &|n| {
            let arm = format!("{LINK} local.get 1 if call $call end ");
            let arms = repeat(&arm, n);
            format!(
                "block $out try_table (catch_all $out) block $in try_table (catch_all $in) {arms}
                    i32.const 7 local.set 0 end end end end "
            )
        }),
        (
            "an else arm, which has the values from before the condition",
            &|n| {
                let (chain, conditions) = (chain(n), conditions(n));
                format!("{chain} local.get 1 if i32.const 7 local.set 0 else {conditions} end ")
            },
        ),
        ("an else arm, which has the parameters", &|n| {
            let (chain, conditions) = (chain(n), conditions(n));
            format!(
                "{chain} local.get 0 local.get 1 if (param i32) drop else local.set 0 {conditions} end "
            )
        }),
        (
            "an equal chain in a loop, where its values are different",
            &|n| {
                let again = "local.get 1 local.set 0 ";
                let (chain, conditions) = (chain(n), conditions(n));
                format!(
                    "local.get $other local.set 0 {chain} local.get 0 global.set 0
                    loop local.get $other local.set 0 {chain} {conditions} {again}
                        local.get 0 local.set $other local.get 1 br_if 0 end "
                )
            },
        ),
        ("a loop that sets it only where it ends", &|n| {
            let (chain, conditions) = (chain(n), conditions(n));
            format!("{chain} loop {conditions} local.get 1 br_if 0 i32.const 7 local.set 0 end ")
        }),
        ("a loop that sets it to itself", &|n| {
            let (chain, conditions) = (chain(n), conditions(n));
            format!("{chain} loop local.get 0 local.set 0 {conditions} local.get 1 br_if 0 end ")
        }),
        ("the result of a loop", &|n| {
            format!(
                "loop (result i32) {} local.get 0 end local.set 0 {}",
                chain(n),
                conditions(n)
            )
        }),
        ("globals that are read in a loop", &|n| {
            let condition = "local.get 1 if i32.const 0 global.get 0 i32.store end ";
            let conditions = repeat(condition, n);
            format!(
                "{} local.get 0 global.set 0 loop {conditions} local.get 1 br_if 0 end ",
                chain(n)
            )
        }),
        ("constants that are kept meanwhile", &|n| {
            let link = "f32.const N local.get 2 local.get 2 f32.mul f32.mul local.set 2 ";
            let condition = "local.get 1 if i32.const 0 local.get 2 f32.store end ";
            repeat(link, n) + &repeat(condition, n)
        }),
    ];
    for (kind, body) in kinds {
        only_more_is_refused(kind, &module(&body(500)), &module(&body(5)));
    }
}

#[test]
fn values_that_are_hoisted_before_a_loop_are_kept_in_it() {
    let kinds = [
        (
            "products of a value from before",
            "local.get 1 i32.const N i32.mul global.set 0 ",
        ),
        (
            "a constant that is computed",
            "i32.const N i32.popcnt global.set 0 ",
        ),
        (
            "a constant that is copied",
            "i32.const N i32.popcnt local.set 0 ",
        ),
        (
            "vectors",
            "v128.const i32x4 N 1 2 3 v128.any_true global.set 0 ",
        ),
        (
            "products of a local that is set to itself",
            "local.get 1 local.set 1 local.get 1 i32.const N i32.mul global.set 0 ",
        ),
        (
            "equal shuffles",
            "local.get 2 f32x4.splat local.get 2 f32x4.splat i8x16.shuffle 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15
                v128.any_true global.set 0 ",
        ),
        (
            "operands of a changing value",
            "i32.const 0 local.get 1 i32.const N i32.mul local.get 1 i32.load offset=N i32.add i32.store offset=N ",
        ),
    ];
    let branch = "block local.get 1 br_table 0 $again $out 0 end ";
    for (kind, value) in kinds {
        let of = |n: usize, before: &str, after: &str| {
            let body = repeat(&format!("{branch} {value}"), n);
            module(&format!("block $out {before} {body} {after} end "))
        };
        let around = |n| of(n, "loop $again", "end");
        only_more_is_refused(kind, &around(2_000), &around(50));
        // A loop that is never repeated costs no more than a block.
        let none = of(1_000, "block $again", "end");
        compile(&ModuleLimits::default(), &none).expect(kind);
    }
}

#[test]
fn values_that_are_kept_past_branches_out_are_counted() {
    let exits = "local.get 1 br_if $out ".repeat(4);
    let rounds = |n: usize, text: &str| repeat(text, n).repeat(4);
    let kinds: [(&str, &dyn Fn(usize) -> String); 3] = [
        ("values that are computed again", &|n| {
            rounds(
                n,
                &format!("local.get 0 i32.const N i32.mul global.set 0 {exits} "),
            )
        }),
        ("values that branches carry", &|n| {
            rounds(
                n,
                &format!("local.get 1 i32.const N i32.mul local.set $other {exits} "),
            )
        }),
        ("locals that are read again", &|n| {
            let locals = repeat("(local $N i32) ", n);
            let set = repeat("local.get 0 i32.load offset=N local.set $N ", n);
            let reads = rounds(n, &format!("local.get $N global.set 0 {exits} "));
            // The locals come first.
            format!("{locals}{set}{reads}")
        }),
    ];
    for (kind, body) in kinds {
        let of = |n| {
            let body = body(n);
            let (locals, body) = body.split_at(body.rfind("(local ").map_or(0, |last| {
                last + body[last..].find(')').expect("it ends") + 1
            }));
            module(&format!("{locals} block $out {body} end "))
        };
        only_more_is_refused(kind, &of(400), &of(20));
        // A branch to a place where the value is kept too costs little.
        let near = of(300).replace(&exits, "block local.get 1 br_if 0 end ");
        compile(&ModuleLimits::default(), &near).expect(kind);
    }
}

#[test]
fn hidden_computations_of_an_instruction_are_hoisted_too() {
    let value =
        "local.get 1 i32.const N i32.mul array.new_default $array drop local.get 1 br_if $out ";
    let body = repeat(value, 400);
    let of = |before, after| bytes(&module(&format!("block $out {before} {body} {after} end ")));
    let (around, none) = (of("loop", "local.get 1 br_if 0 end"), of("block", "end"));
    assert!(
        around > none + 4 * 400 * 400 * 100,
        "{around} bytes, {none} bytes"
    );
}

#[test]
fn many_locals_with_different_values_on_many_paths_are_counted() {
    let set = |n| repeat("i32.const N local.set $N ", n);
    let kinds: [(&str, &dyn Fn(usize) -> String); 3] = [
        ("branches", &|n| {
            let branches = "local.get 1 br_if 0 ".repeat(6 * n);
            format!("block {branches} {} end ", set(n))
        }),
        ("calls that may throw", &|n| {
            let (calls, set) = ("call $call ".repeat(2 * n), set(n));
            format!(
                "block $h block try_table (catch_all $h) {set} call $call {set} {calls} end end end "
            )
        }),
        ("conditions before one that sets them", &|n| {
            let conditions = "local.get 1 if end ".repeat(10 * n);
            format!("{conditions} local.get 1 if {} end ", set(n))
        }),
    ];
    for (kind, body) in kinds {
        let of = |n| {
            let locals = repeat("(local $N i32) ", n);
            let reads = repeat("local.get $N global.set 0 ", n);
            module(&format!("{locals} {} {reads}", body(n)))
        };
        only_more_is_refused(kind, &of(500), &of(30));
    }
}

#[test]
fn joins_with_short_computations_cost_little() {
    for (kind, link) in [
        (
            "loops that count",
            "loop local.get 0 i32.const N i32.add local.tee 0 i32.load br_if 0 end ",
        ),
        (
            "conditions that count",
            "local.get 1 if local.get 0 i32.const N i32.mul i32.const 3 i32.add local.set 0 end ",
        ),
        (
            "a chain that is not read after the join",
            "block local.get 0 i32.const N i32.mul i32.popcnt i32.popcnt i32.popcnt local.tee $other
                i32.load br_if 0 i32.const 7 local.set $other end i32.const 3 local.set $other ",
        ),
        (
            "a loop that carries a new value",
            "loop local.get 0 i32.const 1 i32.shr_u i32.popcnt i32.popcnt i32.popcnt local.tee 0 br_if 0 end ",
        ),
    ] {
        let of = |n| milliseconds(&module(&repeat(link, n)));
        let (few, many) = (of(100), of(800));
        assert!(many < 16 * few, "{kind}: {few} ms, {many} ms");
    }
}
