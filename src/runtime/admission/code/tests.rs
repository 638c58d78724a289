//! The same module gives the same profile, however its bodies are divided among threads.

use std::fmt::Write as _;
use std::sync::LazyLock;

use proptest::collection::vec;
use proptest::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::super::body::Budgets;
use super::super::cost::Bound;
use super::super::profile::ModuleProfile;
use super::super::walk::Walk;
use super::*;

/// Bodies are analysed one after another.
const NEVER: Division = Division {
    least_bytes: usize::MAX,
    chunk_bytes: 1,
    waiting_bytes: usize::MAX,
    largest_body: usize::MAX,
};

/// Four threads, also on a machine with fewer cores.
static THREADS: LazyLock<ThreadPool> = LazyLock::new(|| {
    ThreadPoolBuilder::new()
        .num_threads(4)
        .build()
        .expect("four threads can be started")
});

fn profile(wasm: &[u8], bodies: Bodies, division: Division) -> String {
    let walk = Walk::with_code(Code::new(bodies, division));
    let profile = THREADS.install(|| walk.through(wasm, wasm.len() as u64));
    format!("{profile:#?}")
}

/// Writes instructions that leave the stack as it was. Each takes a byte from `choices`.
fn write_code(text: &mut String, choices: &mut dyn Iterator<Item = u8>, depth: u32) {
    while let Some(choice) = choices.next() {
        let number = choice / 24;
        let code = match choice % 24 {
            0 => "(local.set 0 (i32.add (local.get 1) (i32.const 7)))",
            1 => "(local.set 1 (i32.mul (local.get 0) (i32.xor (local.get 2) (i32.const 9))))",
            2 => "(local.set 2 (i32.load offset=4 (local.get 0)))",
            3 => "(i32.store offset=8 (local.get 1) (i32.add (local.get 0) (local.get 2)))",
            4 => "(global.set 1 (i32.sub (global.get 0) (local.get 1)))",
            5 => "(br_if 0 (i32.eqz (local.get 0)))",
            6 => "(block (br_table 0 0 1 (local.get 1)))",
            7 => "(drop (call 0 (local.get 0) (local.get 1)))",
            8 => "(drop (memory.grow (i32.const 1)))",
            9 => "(table.set (i32.const 0) (ref.func 0))",
            10 => "(drop (i32.div_u (local.get 0) (i32.const 10)))",
            11 => "(memory.fill (i32.const 0) (local.get 1) (i32.const 8))",
            12 => "(local.set 4 (f64.add (local.get 4) (f64.const 1)))",
            13 => "(drop (memory.atomic.notify (local.get 0) (i32.const 1)))",
            14 => "(return (local.get 2))",
            15 => "(local.set 3 (select (local.get 3) (global.get 2) (local.get 1)))",
            22 => {
                "(block (result i32 i32 i32 i32 i32 i32) (local.get 0) (local.get 1) (local.get 2)
                 (local.get 0) (local.get 1) (local.get 2) (br_table 0 0 0 0 0 0 0 0 (local.get 1)))
                 drop drop drop drop drop drop "
            }
            // An index that is not valid.
            16 if number == 0 => "(drop (local.get 77))",
            // Operands that are missing.
            17 if number == 0 => "i32.add ",
            18 if number < 2 => "try catch_all end ",
            kind => {
                let (begin, end) = match kind {
                    19 => ("(loop ", "(br_if 0 (local.get 1)))"),
                    20 => (
                        "(if (local.get 0) (then ",
                        ") (else (local.set 1 (i32.const 1))))",
                    ),
                    21 => ("(block (try_table (catch_all 0) ", "))"),
                    _ => ("(block ", "(br_if 0 (local.get 2)))"),
                };
                text.push_str(begin);
                if depth < 6 {
                    write_code(text, &mut choices.take(3 + usize::from(number)), depth + 1);
                }
                end
            }
        };
        text.push_str(code);
    }
}

/// Modules of several functions, of which each may be exported.
fn modules() -> impl Strategy<Value = Vec<u8>> {
    let function = (any::<bool>(), vec(any::<u8>(), 0..60));
    vec(function, 1..24).prop_map(|functions| {
        let mut text = String::from(
            "(module
             (import \"a\" \"m\" (memory 1 9 shared))
             (import \"a\" \"g\" (global i32))
             (import \"a\" \"h\" (global (mut i32)))
             (import \"a\" \"e\" (global externref))
             (table 3 funcref) (elem (i32.const 0) func 0)",
        );
        for (number, (is_exported, choices)) in functions.into_iter().enumerate() {
            text.push_str("(func ");
            if is_exported {
                write!(text, "(export \"f{number}\")").expect("strings take all text");
            }
            text.push_str("(param i32 i32) (result i32) (local i32 externref f64)");
            write_code(&mut text, &mut choices.into_iter(), 0);
            text.push_str("(local.get 0))");
        }
        text.push_str("(data (i32.const 0) \"abc\"))");
        wat::parse_str(text).expect("the text is well-formed")
    })
}

fn divisions() -> impl Strategy<Value = Division> {
    (1_usize..60, 1_usize..900, 20_usize..400).prop_map(
        |(chunk_bytes, waiting_bytes, largest_body)| Division {
            least_bytes: 0,
            chunk_bytes,
            waiting_bytes,
            largest_body,
        },
    )
}

fn budgets() -> impl Strategy<Value = Budgets> {
    // From used up at once to never.
    let budget = || prop_oneof![1 => Just(0), 8 => 1_u64..2_000, 4 => Just(u64::MAX)];
    (budget(), budget(), budget(), budget(), budget(), budget()).prop_map(
        |(loop_pairs, repeats, arguments, merged_pairs, set_words, branch_pairs)| Budgets {
            loop_pairs,
            repeats,
            arguments,
            merged_pairs,
            set_words,
            branch_pairs,
        },
    )
}

proptest! {
    #[test]
    fn the_division_among_threads_does_not_change_the_profile(
        wasm in modules(),
        division in divisions(),
    ) {
        let bound = Some(Bound { ns: 1 << 40, bytes: 1 << 40 });
        let content = ModuleProfile::content_of(&wasm);
        let sections = ModuleProfile::sections_of(&wasm);
        prop_assert!(content.validation_steps <= sections.most_validation_steps());
        for bound in [None, bound] {
            prop_assert_eq!(
                profile(&wasm, Bodies::new(bound), division),
                profile(&wasm, Bodies::new(bound), NEVER)
            );
        }
    }

    #[test]
    fn budgets_are_used_up_at_the_same_body(
        wasm in modules(),
        division in divisions(),
        budgets in budgets(),
        max_instructions in 5_u64..200,
    ) {
        prop_assert_eq!(
            profile(&wasm, Bodies::within(budgets, max_instructions), division),
            profile(&wasm, Bodies::within(budgets, max_instructions), NEVER)
        );
    }
}
