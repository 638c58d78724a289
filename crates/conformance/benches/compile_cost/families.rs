//! Families of modules that are hard to compile, each with modules of any size.

/// The name of a family, and a function that makes its module of a given size.
type Family = (&'static str, fn(usize) -> String);

/// The families whose cost comes nearest to the bound. They were found by hand or by a search.
pub const FAMILIES: &[Family] = &[
    ("empty functions", |n| {
        format!("(module {})", "(func)".repeat(n))
    }),
    ("exported functions", |n| {
        format!(
            "(module {})",
            each(n, |i| format!("(func (export \"{i}\"))"))
        )
    }),
    ("locals across conditions", |n| {
        let sets = each(n, |i| {
            format!("(local.set {} (i32.load offset={i} (local.get 0))) ", i + 1)
        });
        let uses = each(n, |i| {
            format!("(i32.store (local.get 0) (local.get {})) ", i + 1)
        });
        let ifs = "local.get 0 if end ".repeat(n);
        let locals = "i32 ".repeat(n);
        format!("(module (memory 1) (func (param i32) (local {locals}) {sets} {ifs} {uses}))")
    }),
    ("locals set in nested loops", |n| {
        let sets = each(n, |i| {
            format!("local.get {i} i32.const 1 i32.add local.set {i} ")
        });
        let ends = "local.get 0 br_if 0 end ".repeat(n);
        let locals = "i32 ".repeat(n);
        format!(
            "(module (func (local {locals}) {} {sets} {ends}))",
            "loop ".repeat(n)
        )
    }),
    ("loops", |n| {
        format!("(module (func {}))", "loop end ".repeat(n))
    }),
    ("conditional branches", |n| {
        format!(
            "(module (func (param i32) {}))",
            "local.get 0 br_if 0 ".repeat(n)
        )
    }),
    ("values on the stack", |n| {
        let loads = each(n, |i| format!("local.get 0 i32.load offset={} ", 4 * i));
        let adds = "i32.add ".repeat(n);
        format!("(module (memory 1) (func (param i32) (result i32) i32.const 0 {loads} {adds}))")
    }),
    ("wide signatures", |n| {
        let wide = "i64 ".repeat(1_000);
        let types = each(n, |i| {
            let results = "i64 ".repeat(1_000 - i % 1_000);
            format!("(type (func (param {wide}) (result {results})))")
        });
        format!("(module {types})")
    }),
    ("structures in globals", |n| {
        let globals = "(global (ref $s) (struct.new_default $s))".repeat(n);
        format!("(module (type $s (struct)) {globals})")
    }),
    ("handlers around calls", |n| {
        let tries = "try_table (catch $t $b) ".repeat(n);
        let (calls, ends) = ("call 0 ".repeat(n), "end ".repeat(n));
        format!("(module (tag $t) (func (block $b {tries} {calls} {ends})))")
    }),
    ("blocks with results", |n| {
        let blocks = "block (result i32) i32.const 0 end drop ".repeat(n);
        format!("(module (func {blocks}))")
    }),
    ("sums of constants", |n| {
        let links = each(n, |i| format!("i32.const {} i32.add ", 1_000 + i));
        format!("(module (func (param i32) (result i32) local.get 0 {links}))")
    }),
    ("sums in globals", |n| {
        let links = each(n, |i| {
            format!("global.get 0 i64.const {} i64.xor global.set 0 ", 1_000 + i)
        });
        format!("(module (global (mut i64) (i64.const 0)) (func {links}))")
    }),
    ("globals set in conditions", |n| {
        let globals = "(global (mut i32) (i32.const 0))".repeat(n);
        let sets = each(n, |i| format!("(global.set {i} (i32.const 1)) "));
        let ifs = each(n, |i| {
            format!("local.get 0 if (global.set {i} (i32.const 2)) end ")
        });
        format!("(module {globals} (func (param i32) {sets} {ifs}))")
    }),
    ("values before conditions", |n| {
        let chain = each(n, |i| {
            format!("i32.const {i} i32.xor i32.popcnt local.get 1 i32.add ")
        });
        let store = "local.get 1 if i32.const 0 local.get 0 i32.store end ";
        format!(
            "(module (memory 1) (func (param i32 i32) local.get 0 {chain} local.set 0 {}))",
            store.repeat(n)
        )
    }),
    ("values computed five times", |n| {
        let link = |i| {
            format!(
                "local.get 1 i32.const {} i32.mul i32.popcnt i32.xor ",
                i + 4
            )
        };
        let links = each(n, link).repeat(5);
        format!("(module (func (param i32 i32) (result i32) local.get 0 {links}))")
    }),
    ("loads repeated five times", |n| {
        let link = |i| format!("local.get 0 i32.load offset={i} global.set 0 ");
        format!(
            "(module (memory 1) (global (mut i32) (i32.const 0)) (func (param i32) {}))",
            each(n, link).repeat(5)
        )
    }),
    ("divisions by constants", |n| {
        let link = |i| format!("local.get 0 i32.const {} i32.div_u global.set 0 ", i + 3);
        format!(
            "(module (global (mut i32) (i32.const 0)) (func (param i32) {}))",
            each(n, link)
        )
    }),
    ("references across a call", |n| {
        let (gets, sets) = ("global.get $g ".repeat(n), "global.set $g ".repeat(n));
        format!(
            "(module (global $g (mut externref) (ref.null extern)) (func $f) \
             (func {gets} call $f {sets}))"
        )
    }),
];

fn each(n: usize, make: impl Fn(usize) -> String) -> String {
    (0..n).map(make).collect()
}
