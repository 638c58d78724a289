//! The cost of single instructions, as the size of the compiler's data for them.

use wasmparser::{MemArg, Operator};

use super::types::Types;

/// The minimum size of a load, or of a pure instruction that is not a constant, in bytes.
pub(super) const LEAST_SIZE: u64 = 700;

/// The identity of an instruction, without immediates other than a lane index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Opcode {
    pub first: u8,
    /// The opcode after a prefix byte, and the lane index of a vector instruction.
    second: u32,
}

impl Opcode {
    /// Reads the opcode from the start of `bytes`. Returns `None` if `bytes` is empty.
    pub(super) fn read(bytes: &[u8], operator: &Operator<'_>) -> Option<Self> {
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

/// Returns the index of the lane that the instruction extracts from a vector, or replaces.
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

/// The cost of one instruction.
#[derive(Clone, Copy)]
pub(super) struct Weight {
    /// The size of the compiler's data, in bytes.
    pub size: u64,
    /// The number of blocks of the compiler's control-flow graph. Each of them dominates the next.
    pub blocks: u64,
}

const fn weight(size: u64, blocks: u64) -> Weight {
    Weight { size, blocks }
}

/// Returns the weight of an instruction that is not the begin or end of a block, a branch, or an access to a local.
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

/// Returns the size of an instruction that computes a value or accesses a memory, in bytes.
fn size_of(opcode: u8, operator: &Operator<'_>) -> u64 {
    match opcode {
        // Loads and stores.
        0x28..=0x35 => size_of_access(operator, 1_700),
        0x36..=0x3e => size_of_access(operator, 1_150),
        // Division traps. The optimiser has more rules for rotation than for any other instruction.
        0x6d..=0x70 | 0x7f..=0x82 => 2_500,
        0x77 | 0x78 | 0x89 | 0x8a => 9_000,
        // Other numeric instructions.
        0x45..=0xc4 => LEAST_SIZE,
        // Atomic instructions are calls, or have an alignment check.
        0xfe => 4_500,
        // Vectors.
        0xfd => 2_000,
        _ => 1_000,
    }
}

/// Returns the size of an access beyond the guard region, which has its own bounds check; otherwise `near`.
fn size_of_access(operator: &Operator<'_>, near: u64) -> u64 {
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

/// Returns the size of the optimiser's data for alternative forms of the instruction, in bytes. It is freed when
/// its function is compiled. `opcode` is the first byte.
pub(super) fn alternatives_of(opcode: u8, operator: &Operator<'_>) -> u64 {
    match opcode {
        // Integer and float comparisons.
        0x46..=0x4f | 0x51..=0x5a => 700,
        0x5b..=0x66 => 1_600,
        // Subtractions and multiplications, shifts, rotations.
        0x6b | 0x6c | 0x7d | 0x7e => 1_300,
        0x74..=0x76 | 0x86..=0x88 => 1_000,
        0x77 | 0x78 | 0x89 | 0x8a => 1_100,
        // Unary float instructions, minimum and maximum, `copysign`.
        0x8b..=0x91 | 0x99..=0x9f => 600,
        0x96 | 0x97 | 0xa4 | 0xa5 => 800,
        0x98 | 0xa6 => 2_300,
        // Conversions.
        0xa8..=0xbf => 1_100,
        0xfc if !has_effects(opcode, operator) => 1_100,
        _ => 0,
    }
}

/// The same size for the instructions that replace a division by a constant.
pub(super) const DIVISION_BY_CONSTANT: u64 = 3_000;

/// Whether the instruction with this first byte compares two numbers.
pub(super) fn is_comparison(opcode: u8) -> bool {
    matches!(opcode, 0x46..=0x4f | 0x51..=0x66)
}

/// Returns the number of values that an instruction with this first byte derives from each operand to locate the
/// object that it accesses; 0 if it is less than two.
pub(super) fn derived_values(opcode: u8) -> u64 {
    match opcode {
        // Garbage-collected objects.
        0xfb => 4,
        // Tables, and bulk instructions.
        0x25 | 0x26 | 0xfc => 2,
        _ => 0,
    }
}

/// Whether the instruction with this first byte is a numeric instruction that may trap: an integer division, or a
/// conversion of a float to an integer.
pub(super) fn may_trap(opcode: u8) -> bool {
    matches!(
        opcode,
        0x6d..=0x70 | 0x7f..=0x82 | 0xa8..=0xab | 0xae..=0xb1
    )
}

/// Whether the instruction has side effects, so that the optimiser does not move it. `opcode` is its first byte.
pub(super) fn has_effects(opcode: u8, operator: &Operator<'_>) -> bool {
    use Operator as Op;
    match opcode {
        // `select` and constants.
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

/// Returns the memory immediate of a load, and `None` for other instructions.
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

/// Returns the memory immediate of a store, and `None` for other instructions.
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
