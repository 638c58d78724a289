//! Random programs with legacy exceptions, and the result that each must have.
//!
//! wasm-smith makes no legacy exceptions, and the fuzzer's second engine runs none. So these programs are trees of our
//! own, which [`interpreter`] runs by the rules of the proposal: it knows nothing of `try_table`. [`text`] writes a
//! program as a module for any engine.

pub mod generator;
pub mod interpreter;
pub mod text;

use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rand_xorshift::XorShiftRng;

/// The parameters of each tag, all of type `i32`.
pub const TAGS: [usize; 3] = [0, 1, 2];

/// Functions of type `[i32] -> [i32]`. The first is exported, and each calls only those after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    pub functions: Vec<Vec<Instruction>>,
}

/// An instruction. All values are of type `i32`; labels count outwards from the instruction, as in the text format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Instruction {
    Const(i32),
    /// `local.get` of the function's parameter.
    Param,
    Drop,
    Add,
    /// Makes a number part of the trace.
    Mark(i32),
    /// Takes a value and makes it part of the trace.
    MarkTop,
    Call(usize),
    ReturnCall(usize),
    /// Calls the imported function, which throws a value of the host for every third number.
    CallHost,
    Throw(usize),
    Rethrow(u32),
    Br(u32),
    BrIf(u32),
    BrTable(Vec<u32>, u32),
    Return,
    Unreachable,
    Block(Block),
    /// A loop that traps when it begins for the fifth time in a call of the function. The number is its own.
    Loop(usize, Block),
    If(Block, Vec<Instruction>),
    Try(Block, Vec<Handler>),
    Delegate(Block, u32),
}

/// The body of a block, and the numbers of its parameters and results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    pub params: usize,
    pub results: usize,
    pub body: Vec<Instruction>,
}

/// A handler of a `try`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handler {
    /// `None` for `catch_all`.
    pub tag: Option<usize>,
    pub body: Vec<Instruction>,
}

/// The number of times that a loop may begin in a call of its function.
pub const TURNS: i32 = 4;

/// The number that the imported function returns, or `None` if it throws.
pub fn host(number: i32) -> Option<i32> {
    (number % 3 != 0).then(|| number.wrapping_add(1))
}

/// The trace after a number has become part of it.
pub fn trace(before: i32, number: i32) -> i32 {
    before.wrapping_mul(31).wrapping_add(number)
}

impl Program {
    /// The program of a seed.
    pub fn of_seed(seed: u64) -> Self {
        let mut rng = XorShiftRng::seed_from_u64(seed);
        let mut data = vec![0; rng.random_range(64..2_000)];
        rng.fill_bytes(&mut data);
        generator::program(&data)
    }
}
