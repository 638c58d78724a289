//! Modules of one function in which a few statements are repeated. Most code that makes a compiler slow is a small
//! piece of code, repeated many times.

use std::fmt::Write as _;

use rand::RngExt as _;
use rand::seq::IndexedRandom as _;
use rand_xorshift::XorShiftRng;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ty {
    I32,
    I64,
    F32,
    F64,
    V128,
    Struct,
    Array,
    Func,
}

use Ty::{Array, F32, F64, Func, I32, I64, Struct, V128};

impl Ty {
    fn name(self) -> &'static str {
        match self {
            I32 => "i32",
            I64 => "i64",
            F32 => "f32",
            F64 => "f64",
            V128 => "v128",
            Struct => "struct",
            Array => "array",
            Func => "func",
        }
    }

    fn text(self) -> &'static str {
        match self {
            Struct => "(ref null $struct)",
            Array => "(ref null $array)",
            Func => "funcref",
            _ => self.name(),
        }
    }
}

const TYPES: [Ty; 8] = [I32, I64, F32, F64, V128, Struct, Array, Func];

/// The number of locals of each type. The first two are parameters, because the compiler knows the initial value of
/// other locals.
const LOCALS: usize = 4;
const PARAMS: usize = 2;

/// Instructions with the types of their operands and of their result. `#` stands for a number that is different in
/// each repetition, `%` for a number that is the same in all.
const INSTRUCTIONS: &[(&str, &[Ty], Ty)] = &[
    ("i32.const #", &[], I32),
    ("i32.const %", &[], I32),
    ("i64.const #", &[], I64),
    ("i64.const #00000000001", &[], I64),
    ("f32.const #", &[], F32),
    ("f64.const #", &[], F64),
    ("v128.const i32x4 # 1 2 3", &[], V128),
    ("global.get $i32", &[], I32),
    ("global.get $f64", &[], F64),
    ("call $one", &[], I32),
    ("i32.load offset=#", &[I32], I32),
    ("i32.load", &[I32], I32),
    ("i32.load8_s offset=%", &[I32], I32),
    ("i64.load offset=#", &[I32], I64),
    ("f32.load offset=#", &[I32], F32),
    ("f64.load offset=%", &[I32], F64),
    ("v128.load offset=#", &[I32], V128),
    ("i32.eqz", &[I32], I32),
    ("i32.clz", &[I32], I32),
    ("i32.popcnt", &[I32], I32),
    ("i32.extend8_s", &[I32], I32),
    ("i32.add", &[I32, I32], I32),
    ("i32.sub", &[I32, I32], I32),
    ("i32.mul", &[I32, I32], I32),
    ("i32.div_s", &[I32, I32], I32),
    ("i32.rem_u", &[I32, I32], I32),
    ("i32.and", &[I32, I32], I32),
    ("i32.or", &[I32, I32], I32),
    ("i32.xor", &[I32, I32], I32),
    ("i32.shl", &[I32, I32], I32),
    ("i32.shr_u", &[I32, I32], I32),
    ("i32.rotl", &[I32, I32], I32),
    ("i32.lt_s", &[I32, I32], I32),
    ("i32.eq", &[I32, I32], I32),
    ("i64.add", &[I64, I64], I64),
    ("i64.sub", &[I64, I64], I64),
    ("i64.mul", &[I64, I64], I64),
    ("i64.div_u", &[I64, I64], I64),
    ("i64.xor", &[I64, I64], I64),
    ("i64.shr_s", &[I64, I64], I64),
    ("i64.gt_u", &[I64, I64], I32),
    ("i64.popcnt", &[I64], I64),
    ("i32.wrap_i64", &[I64], I32),
    ("i64.extend_i32_s", &[I32], I64),
    ("i32.trunc_f32_s", &[F32], I32),
    ("i32.trunc_sat_f64_u", &[F64], I32),
    ("i32.reinterpret_f32", &[F32], I32),
    ("f32.add", &[F32, F32], F32),
    ("f32.mul", &[F32, F32], F32),
    ("f32.min", &[F32, F32], F32),
    ("f32.lt", &[F32, F32], I32),
    ("f32.convert_i32_u", &[I32], F32),
    ("f32.demote_f64", &[F64], F32),
    ("f64.sub", &[F64, F64], F64),
    ("f64.div", &[F64, F64], F64),
    ("f64.sqrt", &[F64], F64),
    ("f64.nearest", &[F64], F64),
    ("f64.copysign", &[F64, F64], F64),
    ("f64.convert_i64_s", &[I64], F64),
    ("f64.promote_f32", &[F32], F64),
    ("i32x4.splat", &[I32], V128),
    ("f32x4.splat", &[F32], V128),
    ("i32x4.extract_lane 1", &[V128], I32),
    ("f32x4.extract_lane 2", &[V128], F32),
    ("i32x4.replace_lane 3", &[V128, I32], V128),
    ("i32x4.add", &[V128, V128], V128),
    ("i32x4.mul", &[V128, V128], V128),
    ("i64x2.mul", &[V128, V128], V128),
    ("i8x16.shl", &[V128, I32], V128),
    ("i8x16.swizzle", &[V128, V128], V128),
    (
        "i8x16.shuffle 0 17 2 19 4 21 6 23 8 25 10 27 12 29 14 31",
        &[V128, V128],
        V128,
    ),
    ("i16x8.narrow_i32x4_s", &[V128, V128], V128),
    ("v128.bitselect", &[V128, V128, V128], V128),
    ("v128.any_true", &[V128], I32),
    ("f64x2.max", &[V128, V128], V128),
    ("select", &[I32, I32, I32], I32),
    ("select", &[F64, F64, I32], F64),
    ("memory.grow", &[I32], I32),
    ("memory.size", &[], I32),
    ("i32.atomic.rmw.add", &[I32, I32], I32),
    ("i32.atomic.load", &[I32], I32),
    ("call_indirect (result i32)", &[I32], I32),
    ("table.get $table", &[I32], Func),
    ("table.size $table", &[], I32),
    ("ref.func $one", &[], Func),
    ("ref.null func", &[], Func),
    ("ref.is_null", &[Func], I32),
    ("struct.new $struct", &[I32, F64], Struct),
    ("struct.new_default $struct", &[], Struct),
    ("struct.get $struct 0", &[Struct], I32),
    ("struct.get $struct 1", &[Struct], F64),
    ("array.new $array", &[I64, I32], Array),
    ("array.new_default $array", &[I32], Array),
    ("array.get $array", &[Array, I32], I64),
    ("array.len", &[Array], I32),
    ("ref.test (ref $struct)", &[Struct], I32),
    ("ref.cast (ref $struct)", &[Struct], Struct),
    ("ref.eq", &[Struct, Array], I32),
];

/// Statements with the types of their operands.
const STATEMENTS: &[(&str, &[Ty])] = &[
    ("drop", &[I32]),
    ("global.set $i32", &[I32]),
    ("global.set $f64", &[F64]),
    ("i32.store offset=#", &[I32, I32]),
    ("i32.store", &[I32, I32]),
    ("i32.store8 offset=%", &[I32, I32]),
    ("i64.store offset=#", &[I32, I64]),
    ("f32.store offset=%", &[I32, F32]),
    ("f64.store offset=#", &[I32, F64]),
    ("v128.store offset=#", &[I32, V128]),
    ("call $take", &[I32]),
    ("call $take_two", &[I64, F64]),
    ("call_indirect (param i64 f64)", &[I64, F64, I32]),
    ("table.set $table", &[I32, Func]),
    ("struct.set $struct 0", &[Struct, I32]),
    ("array.set $array", &[Array, I32, I64]),
    ("throw $tag", &[I32]),
];

/// Code before and after a statement.
const AROUND: &[(&str, &str)] = &[
    ("", ""),
    ("", ""),
    ("", ""),
    ("local.get $i32_1 if ", " end"),
    ("local.get $i32_1 if else ", " end"),
    ("block local.get $i32_1 br_if 0 ", " end"),
    ("loop ", " end"),
    ("loop ", " local.get $i32_1 br_if 0 end"),
    ("local.get $i32_1 if ", " br $out end"),
    ("", " local.get $i32_1 br_if $out"),
    ("", " local.get $i32_1 if br $again end"),
    ("", " block local.get $i32_1 br_table 0 $again $out 0 end"),
    ("block try_table (catch_all 1) ", " end end"),
    ("try_table (catch_all $out) ", " end"),
];

/// The text of a module.
pub fn module(rng: &mut XorShiftRng) -> String {
    let mut text = String::from(
        "(module (memory 1 65536) (global $i32 (mut i32) (i32.const 0)) (global $f64 (mut f64) (f64.const 0))
            (table $table 9 funcref) (tag $tag (param i32)) (elem declare func $one)
            (type $struct (struct (field (mut i32)) (field (mut f64)))) (type $array (array (mut i64)))
            (func $one (result i32) i32.const 1) (func $take (param i32)) (func $take_two (param i64 f64))
            (func (export \"f\") ",
    );
    for (kind, indices) in [("param", 0..PARAMS), ("local", PARAMS..LOCALS)] {
        if kind == "local" {
            text += "(result i32) ";
        }
        for ty in TYPES {
            for index in indices.clone() {
                let _ = write!(text, "({kind} ${}_{index} {}) ", ty.name(), ty.text());
            }
        }
    }
    for _ in 0..rng.random_range(1..4) {
        text += "block $out loop $again\n";
        let motif: String = (0..rng.random_range(1..4))
            .map(|_| statement(rng))
            .collect();
        let times = 10_usize.pow(rng.random_range(1..4)) * rng.random_range(1..6);
        let rounds = if rng.random_ratio(1, 3) { 4 } else { 1 };
        for time in 0..times {
            let number = 16 + 4 * (time % times.div_ceil(rounds));
            text += &motif.replace('#', &number.to_string()).replace('%', "24");
            text.push('\n');
        }
        text += "end end\n";
    }
    // The end of the function uses all first parameters.
    text += "local.get $i32_0 local.get $i64_0 i32.wrap_i64 i32.add local.get $f32_0 i32.reinterpret_f32 i32.add
        local.get $f64_0 i64.reinterpret_f64 i32.wrap_i64 i32.add local.get $v128_0 i32x4.extract_lane 0 i32.add))";
    text
}

fn statement(rng: &mut XorShiftRng) -> String {
    let (before, after) = AROUND.choose(rng).expect("there are some");
    let mut text = String::from(*before);
    if rng.random_ratio(2, 3) {
        let ty = *TYPES.choose(rng).expect("there are some");
        // Most statements set the same local, which makes a long chain.
        let index = if rng.random_ratio(2, 3) { 0 } else { 2 };
        expression(rng, ty, 3, &mut text);
        let _ = write!(text, "local.set ${}_{index} ", ty.name());
    } else {
        let (statement, operands) = STATEMENTS.choose(rng).expect("there are some");
        for operand in *operands {
            expression(rng, *operand, 2, &mut text);
        }
        text += statement;
    }
    text + after + " "
}

fn expression(rng: &mut XorShiftRng, ty: Ty, depth: u32, text: &mut String) {
    let fitting = INSTRUCTIONS
        .iter()
        .filter(|(_, operands, result)| *result == ty && (depth > 0 || operands.is_empty()));
    let fitting: Vec<_> = fitting.collect();
    if fitting.is_empty() || rng.random_ratio(1, if depth == 3 { 16 } else { 2 }) {
        let index = if rng.random_ratio(2, 3) {
            0
        } else {
            rng.random_range(1..LOCALS)
        };
        let _ = write!(text, "local.get ${}_{index} ", ty.name());
        return;
    }
    if depth > 0 && rng.random_ratio(1, 16) {
        let result = ty.text();
        let (frame, between, arms) = match rng.random_range(0..3) {
            0 => ("block", "", 1),
            1 => ("loop", "", 1),
            _ => ("local.get $i32_1 if", "else ", 2),
        };
        let _ = write!(text, "{frame} (result {result}) ");
        for arm in 0..arms {
            if arm > 0 {
                *text += between;
            }
            expression(rng, ty, depth - 1, text);
        }
        *text += "end ";
        return;
    }
    let (instruction, operands, _) = fitting[rng.random_range(0..fitting.len())];
    for operand in *operands {
        expression(rng, *operand, depth - 1, text);
    }
    *text += instruction;
    text.push(' ');
}
