//! How much of a compiler's own data an instruction becomes.

use wasmparser::{MemArg, Operator};

use super::types::Types;

/// The size of an instruction without effects that is no constant, or of a load, in bytes: at least so much.
pub(super) const LEAST_SIZE: u64 = 700;

/// Which instruction it is, without its immediates other than a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Opcode {
    pub first: u8,
    /// What follows if that is a prefix, and the lane of a vector.
    second: u32,
}

impl Opcode {
    /// Reads it from the bytes that begin with the instruction. Nothing if there are none.
    pub fn read(bytes: &[u8], operator: &Operator<'_>) -> Option<Self> {
        let (&first, rest) = bytes.split_first()?;
        let mut second = 0;
        if let 0xfb.. = first {
            for (index, byte) in rest.iter().take(5).enumerate() {
                second |= u32::from(byte & 0x7f).unbounded_shl(7 * index as u32);
                if byte & 0x80 == 0 {
                    break;
                }
            }
            second = second << 8 | u32::from(lane_of(operator).unwrap_or(0));
        }
        Some(Self { first, second })
    }
}

/// The lane that the instruction takes out of a vector, or replaces.
fn lane_of(operator: &Operator<'_>) -> Option<u8> {
    use Operator as Op;
    match operator {
        Op::I8x16ExtractLaneS { lane }
        | Op::I8x16ExtractLaneU { lane }
        | Op::I8x16ReplaceLane { lane }
        | Op::I16x8ExtractLaneS { lane }
        | Op::I16x8ExtractLaneU { lane }
        | Op::I16x8ReplaceLane { lane }
        | Op::I32x4ExtractLane { lane }
        | Op::I32x4ReplaceLane { lane }
        | Op::I64x2ExtractLane { lane }
        | Op::I64x2ReplaceLane { lane }
        | Op::F32x4ExtractLane { lane }
        | Op::F32x4ReplaceLane { lane }
        | Op::F64x2ExtractLane { lane }
        | Op::F64x2ReplaceLane { lane } => Some(*lane),
        _ => None,
    }
}

/// What one instruction becomes.
#[derive(Clone, Copy)]
pub(super) struct Weight {
    /// Data of the compiler's, in bytes.
    pub size: u64,
    /// Blocks of the compiler's, one after another, so that each dominates what follows.
    pub blocks: u64,
}

const fn weight(size: u64, blocks: u64) -> Weight {
    Weight { size, blocks }
}

/// The weight of an instruction that is not a block's begin or end, a branch, or an access to a local.
/// `opcode` is its first byte.
pub(super) fn weight_of(opcode: u8, operator: &Operator<'_>, types: &Types) -> Weight {
    use Operator as Op;
    match operator {
        Op::Nop | Op::Drop => weight(40, 0),
        Op::I32Const { .. } | Op::I64Const { .. } => weight(200, 0),
        Op::F32Const { .. } | Op::F64Const { .. } => weight(500, 0),
        Op::Call { .. } => weight(3_500, 0),
        Op::CallRef { .. } => weight(6_000, 1),
        Op::ReturnCall { .. } | Op::ReturnCallRef { .. } => weight(6_000, 1),
        Op::CallIndirect { .. } | Op::ReturnCallIndirect { .. } => weight(22_000, 3),
        Op::Throw { .. } | Op::ThrowRef => weight(40_000, 5),
        Op::Unreachable => weight(1_000, 0),
        Op::MemoryCopy { .. } | Op::MemoryFill { .. } | Op::MemoryInit { .. } => weight(32_000, 5),
        Op::MemoryGrow { .. } => weight(28_000, 4),
        Op::TableCopy { .. } => weight(80_000, 9),
        Op::TableInit { .. } => weight(70_000, 8),
        Op::TableGrow { .. } => weight(54_000, 7),
        Op::TableFill { .. } => weight(42_000, 6),
        Op::TableGet { .. } => weight(16_000, 3),
        Op::TableSet { .. } => weight(6_000, 1),
        Op::ArrayCopy { .. } => weight(120_000, 12),
        Op::ArrayFill { .. } => weight(60_000, 8),
        Op::ArrayNew { .. } => weight(75_000, 9),
        Op::ArrayNewDefault { .. } => weight(70_000, 8),
        Op::ArrayNewFixed { array_size, .. } => weight(70_000 + 12_000 * u64::from(*array_size), 8),
        Op::ArrayNewData { .. }
        | Op::ArrayNewElem { .. }
        | Op::ArrayInitData { .. }
        | Op::ArrayInitElem { .. } => weight(75_000, 9),
        Op::ArrayGet { .. }
        | Op::ArrayGetS { .. }
        | Op::ArrayGetU { .. }
        | Op::ArraySet { .. }
        | Op::ArrayLen => weight(25_000, 3),
        Op::StructNew { struct_type_index } | Op::StructNewDefault { struct_type_index } => {
            let fields = types.fields(*struct_type_index).unwrap_or(0);
            weight(27_000 + 900 * fields, 4)
        }
        Op::StructGet { .. }
        | Op::StructGetS { .. }
        | Op::StructGetU { .. }
        | Op::StructSet { .. } => weight(4_000, 1),
        Op::RefTestNonNull { .. }
        | Op::RefTestNullable { .. }
        | Op::RefCastNonNull { .. }
        | Op::RefCastNullable { .. } => weight(28_000, 4),
        Op::RefFunc { .. } | Op::ElemDrop { .. } | Op::DataDrop { .. } => weight(3_000, 0),
        Op::RefI31 | Op::I31GetS | Op::I31GetU | Op::RefAsNonNull => weight(4_000, 1),
        _ => weight(size_of(opcode, operator), 0),
    }
}

/// The size of an instruction that computes, or accesses a memory.
fn size_of(opcode: u8, operator: &Operator<'_>) -> u64 {
    match opcode {
        // Loads, and stores.
        0x28..=0x35 => far_or(operator, 1_700),
        0x36..=0x3e => far_or(operator, 1_150),
        // Division traps; rotation is what the optimiser has most rules for.
        0x6d..=0x70 | 0x7f..=0x82 => 2_500,
        0x77 | 0x78 | 0x89 | 0x8a => 9_000,
        // Other arithmetic on numbers.
        0x45..=0xc4 => LEAST_SIZE,
        // Atomic instructions are calls, or check that they are aligned.
        0xfe => 4_500,
        // Vectors.
        0xfd => 2_000,
        _ => 1_000,
    }
}

/// What an access to a memory takes beyond the guard region, else `near`: it has checks of its own.
fn far_or(operator: &Operator<'_>, near: u64) -> u64 {
    const GUARD: u64 = 32 << 20;
    let Some(memarg) = loaded(operator).or_else(|| stored(operator)) else {
        return near;
    };
    if memarg.offset >= GUARD - 16 {
        4_000
    } else {
        near
    }
}

/// How many bytes more the optimiser has for an instruction while it looks for other ways to write it, which are gone
/// when its function is compiled. `opcode` is its first byte.
pub(super) fn alternatives_of(opcode: u8, operator: &Operator<'_>) -> u64 {
    match opcode {
        // Comparisons, of integers and of floats.
        0x46..=0x4f | 0x51..=0x5a => 700,
        0x5b..=0x66 => 1_600,
        // Differences and products, shifts, rotations.
        0x6b | 0x6c | 0x7d | 0x7e => 1_300,
        0x74..=0x76 | 0x86..=0x88 => 1_000,
        0x77 | 0x78 | 0x89 | 0x8a => 1_100,
        // What floats have one operand of, minima and maxima, and signs.
        0x8b..=0x91 | 0x99..=0x9f => 600,
        0x96 | 0x97 | 0xa4 | 0xa5 => 800,
        0x98 | 0xa6 => 2_300,
        // Conversions.
        0xa8..=0xbf => 1_100,
        0xfc if !has_effects(opcode, operator) => 1_100,
        _ => 0,
    }
}

/// The same, of what a division by a constant becomes.
pub(super) const DIVISION_BY_CONSTANT: u64 = 3_000;

/// Whether an instruction with this first byte compares two numbers.
pub(super) fn is_comparison(opcode: u8) -> bool {
    matches!(opcode, 0x46..=0x4f | 0x51..=0x66)
}

/// How many values an instruction computes of each of its operands to find what it reaches, by its first byte: of those
/// that compute more than one.
pub(super) fn derived_values(opcode: u8) -> u64 {
    match opcode {
        // Objects that are collected.
        0xfb => 4,
        // Tables, and what reaches many elements at once.
        0x25 | 0x26 | 0xfc => 2,
        _ => 0,
    }
}

/// Whether an instruction with this first byte is one of those on numbers that may trap: divisions of integers, and what
/// turns floats into integers.
pub(super) fn may_trap(opcode: u8) -> bool {
    matches!(
        opcode,
        0x6d..=0x70 | 0x7f..=0x82 | 0xa8..=0xab | 0xae..=0xb1
    )
}

/// Whether the optimiser leaves the instruction where it is. `opcode` is its first byte.
pub(super) fn has_effects(opcode: u8, operator: &Operator<'_>) -> bool {
    use Operator as Op;
    match opcode {
        // `select`, and constants.
        0x1b | 0x1c | 0x41..=0x44 => false,
        0x45..=0xc4 => may_trap(opcode),
        0xfc => !matches!(
            operator,
            Op::I32TruncSatF32S
                | Op::I32TruncSatF32U
                | Op::I32TruncSatF64S
                | Op::I32TruncSatF64U
                | Op::I64TruncSatF32S
                | Op::I64TruncSatF32U
                | Op::I64TruncSatF64S
                | Op::I64TruncSatF64U
        ),
        0xfd => {
            let loads_lane = matches!(
                operator,
                Op::V128Load8Lane { .. }
                    | Op::V128Load16Lane { .. }
                    | Op::V128Load32Lane { .. }
                    | Op::V128Load64Lane { .. }
            );
            loads_lane || loaded(operator).is_some() || stored(operator).is_some()
        }
        _ => true,
    }
}

/// Where a load reads; nothing for other instructions.
pub(super) fn loaded(operator: &Operator<'_>) -> Option<MemArg> {
    use Operator as Op;
    match operator {
        Op::I32Load { memarg }
        | Op::I64Load { memarg }
        | Op::F32Load { memarg }
        | Op::F64Load { memarg }
        | Op::I32Load8S { memarg }
        | Op::I32Load8U { memarg }
        | Op::I32Load16S { memarg }
        | Op::I32Load16U { memarg }
        | Op::I64Load8S { memarg }
        | Op::I64Load8U { memarg }
        | Op::I64Load16S { memarg }
        | Op::I64Load16U { memarg }
        | Op::I64Load32S { memarg }
        | Op::I64Load32U { memarg }
        | Op::V128Load { memarg }
        | Op::V128Load8x8S { memarg }
        | Op::V128Load8x8U { memarg }
        | Op::V128Load16x4S { memarg }
        | Op::V128Load16x4U { memarg }
        | Op::V128Load32x2S { memarg }
        | Op::V128Load32x2U { memarg }
        | Op::V128Load8Splat { memarg }
        | Op::V128Load16Splat { memarg }
        | Op::V128Load32Splat { memarg }
        | Op::V128Load64Splat { memarg }
        | Op::V128Load32Zero { memarg }
        | Op::V128Load64Zero { memarg } => Some(*memarg),
        _ => None,
    }
}

/// Where a store writes; nothing for other instructions.
pub(super) fn stored(operator: &Operator<'_>) -> Option<MemArg> {
    use Operator as Op;
    match operator {
        Op::I32Store { memarg }
        | Op::I64Store { memarg }
        | Op::F32Store { memarg }
        | Op::F64Store { memarg }
        | Op::I32Store8 { memarg }
        | Op::I32Store16 { memarg }
        | Op::I64Store8 { memarg }
        | Op::I64Store16 { memarg }
        | Op::I64Store32 { memarg }
        | Op::V128Store { memarg }
        | Op::V128Store8Lane { memarg, .. }
        | Op::V128Store16Lane { memarg, .. }
        | Op::V128Store32Lane { memarg, .. }
        | Op::V128Store64Lane { memarg, .. } => Some(*memarg),
        _ => None,
    }
}
