//! A module that is made of bytes, and the arguments of its calls.

use std::ops::Range;

use arbitrary::Unstructured;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rand_xorshift::XorShiftRng;
use wasmparser::{FuncType, ValType};

use crate::value::{Top, Value};

/// A module, and a seed for the arguments of its calls.
#[derive(Clone, Debug)]
pub struct Case {
    pub seed: u64,
    pub module: Vec<u8>,
    /// Whether the module is unchanged: valid, and certain to terminate. In a damaged module, bytes were changed.
    pub intact: bool,
}

/// The number of bytes from which a seed makes a module.
const DATA: Range<usize> = 256..6144;

/// One case out of this many is damaged.
const DAMAGED: u8 = 8;

/// The number of loop iterations and calls that a module may execute in all: see
/// [`wasm_smith::Module::ensure_termination`].
const STEPS: u32 = 1_000;

/// The most pages that a memory may have.
const MAX_PAGES: u64 = 4;

/// The most elements that a table may have.
const MAX_ELEMENTS: u64 = 64;

impl Case {
    /// Makes the case of a seed.
    ///
    /// # Errors
    ///
    /// If wasm-smith cannot make a module.
    pub fn of_seed(seed: u64) -> anyhow::Result<Self> {
        let mut rng = XorShiftRng::seed_from_u64(seed);
        let mut data = vec![0; rng.random_range(DATA)];
        rng.fill_bytes(&mut data);
        data.splice(..0, seed.to_le_bytes());
        Self::of_bytes(&data)
    }

    /// Makes a case from bytes: the first eight are its seed, and the others choose the contents of the module.
    ///
    /// # Errors
    ///
    /// If wasm-smith cannot make a module.
    pub fn of_bytes(data: &[u8]) -> anyhow::Result<Self> {
        let mut data = Unstructured::new(data);
        let seed = u64::from_le_bytes(data.arbitrary()?);
        let is_damaged = data.ratio(1, DAMAGED)?;
        let mut module = module(&mut data)?;
        if is_damaged {
            damage(&mut module, &mut XorShiftRng::seed_from_u64(seed));
        }
        Ok(Self {
            seed,
            module,
            intact: !is_damaged,
        })
    }

    /// The arguments of a function in a round; `None` if a parameter has a type without values that can be made. They
    /// depend on the seed, the name, the round and the type only, so that a smaller module gets the same arguments.
    pub fn arguments(&self, name: &str, round: u64, ty: &FuncType) -> Option<Vec<Value>> {
        let name = name.bytes().fold(0, |hash: u64, byte| {
            hash.wrapping_mul(31).wrapping_add(u64::from(byte))
        });
        let mut rng = XorShiftRng::seed_from_u64(self.seed ^ name.rotate_left(32) ^ round);
        let values = ty.params().iter().map(|ty| argument(*ty, &mut rng));
        values.collect()
    }
}

/// Makes a valid module that both engines can run, with the same outcome on both.
fn module(data: &mut Unstructured<'_>) -> anyhow::Result<Vec<u8>> {
    // The kinds of instructions and the number of items are random too. The settings below must hold in any case.
    let mut config: wasm_smith::Config = data.arbitrary()?;
    // The whole state of a module must be visible from outside.
    config.export_everything = true;
    config.canonicalize_nans = true;
    // Traps and start functions would end most runs early, so only some modules have them.
    config.disallow_traps = data.ratio(2, 3)?;
    config.allow_start_export = data.ratio(1, 4)?;
    config.allow_invalid_funcs = false;
    config.max_imports = 0;
    config.min_imports = 0;
    // By default, wasm-smith makes few functions and globals.
    config.min_funcs = data.int_in_range(1..=6)?;
    config.max_funcs = 8;
    config.min_globals = data.int_in_range(0..=4)?;
    config.max_globals = config.max_globals.max(4);
    config.max_memories = 2;
    config.min_memories = data.int_in_range(0..=1)?;
    config.min_tables = data.int_in_range(0..=1)?;
    config.max_tables = 2;
    config.max_instructions = 80;
    config.max_memory32_bytes = MAX_PAGES << 16;
    config.max_memory64_bytes = u128::from(MAX_PAGES) << 16;
    config.memory_max_size_required = true;
    config.max_table_elements = MAX_ELEMENTS;
    config.table_max_size_required = true;
    // Features that wasmi does not have, or that are not deterministic.
    config.custom_descriptors_enabled = false;
    config.custom_page_sizes_enabled = false;
    config.exceptions_enabled = false;
    config.gc_enabled = false;
    config.relaxed_simd_enabled = false;
    config.shared_everything_threads_enabled = false;
    config.threads_enabled = false;
    config.wide_arithmetic_enabled = false;
    let mut module = wasm_smith::Module::new(config, data)?;
    module.ensure_termination(STEPS)?;
    Ok(module.to_bytes())
}

/// Damages a module: flips some bits, cuts off the end, or inserts a copy of a part.
fn damage(module: &mut Vec<u8>, rng: &mut XorShiftRng) {
    match rng.random_range(0..4) {
        0 => module.truncate(rng.random_range(0..module.len())),
        1 => {
            let start = rng.random_range(0..module.len());
            let end = rng.random_range(start..module.len());
            let at = rng.random_range(0..module.len());
            let part = module[start..end].to_vec();
            module.splice(at..at, part);
        }
        _ => {
            for _ in 0..rng.random_range(1..=8) {
                let at = rng.random_range(0..module.len());
                module[at] ^= 1 << rng.random_range(0..8);
            }
        }
    }
}

/// Values at the edges of arithmetic, which arguments use besides random ones.
const CORNERS: [u64; 10] = [
    0,
    1,
    u64::MAX,
    1 << 31,
    (1 << 31) - 1,
    1 << 63,
    (1 << 63) - 1,
    0x7f80_0000,
    0x7ff0_0000_0000_0000,
    0x8000_0000_8000_0000,
];

fn argument(ty: ValType, rng: &mut XorShiftRng) -> Option<Value> {
    let mut bits = || match CORNERS.choose(rng) {
        Some(corner) if rng.random() => *corner,
        _ => rng.random(),
    };
    Some(match ty {
        ValType::I32 => Value::I32(bits() as i32),
        ValType::I64 => Value::I64(bits() as i64),
        ValType::F32 => Value::F32(bits() as u32),
        ValType::F64 => Value::F64(bits()),
        ValType::V128 => {
            let halves = [bits().to_le_bytes(), bits().to_le_bytes()];
            Value::V128(halves.concat().try_into().ok()?)
        }
        ValType::Ref(ty) if ty.is_extern_ref() && ty.is_nullable() => {
            Value::Extern(Some(rng.random_range(0..4)))
        }
        ValType::Ref(ty) if ty.is_func_ref() && ty.is_nullable() => Value::Null(Some(Top::Func)),
        ValType::Ref(_) => return None,
    })
}
