//! Modules that are made of random bytes, and made worse by small changes.

use anyhow::{Context as _, ensure};
use arbitrary::Unstructured;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, RngExt as _};
use rand_xorshift::XorShiftRng;
use wasm_smith::{Config, MemoryOffsetChoices};
use wasmparser::{FunctionBody, Parser, Payload, ValType};

/// The choices from which a module is made.
#[derive(Clone, Debug)]
pub struct Genes {
    /// The greatest number of each kind of item. The least number is computed from it: see [`Genes::config`].
    sizes: [usize; SIZES],
    /// The proposals that are on, one bit for each.
    proposals: u16,
    /// The bytes for the choices of wasm-smith.
    bytes: Vec<u8>,
    /// The form in which each function body is repeated.
    shape: Shape,
    repeats: usize,
}

const SIZES: usize = 12;

/// The form of repeated bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// One after another.
    Sequence,
    /// Each in a block around the next.
    Blocks,
    /// Each in a loop around the next, where the function has no results.
    Loops,
    /// One loop after another, where the function has no results.
    LoopSequence,
    /// Each in a block with a handler of all exceptions around the next.
    Tries,
}

const SHAPES: [Shape; 5] = [
    Shape::Sequence,
    Shape::Blocks,
    Shape::Loops,
    Shape::LoopSequence,
    Shape::Tries,
];

/// The most bytes for the choices of wasm-smith, and the largest module in bytes.
const MOST_BYTES: usize = 64 << 10;
const LARGEST: usize = 2 << 20;

impl Genes {
    pub fn random(rng: &mut XorShiftRng) -> Self {
        let mut bytes = vec![0; 1 << rng.random_range(6..15)];
        rng.fill_bytes(&mut bytes);
        Self {
            sizes: std::array::from_fn(|_| 1 << rng.random_range(0..10)),
            proposals: rng.random(),
            bytes,
            shape: *SHAPES.choose(rng).expect("there are shapes"),
            repeats: 1 << rng.random_range(0..11),
        }
    }

    /// A copy with a few changes, some of them taken from `other`.
    pub fn mutated(&self, other: &Self, rng: &mut XorShiftRng) -> Self {
        let mut genes = self.clone();
        for _ in 0..rng.random_range(1..4) {
            genes.mutate(other, rng);
        }
        genes.bytes.truncate(MOST_BYTES);
        genes
    }

    fn mutate(&mut self, other: &Self, rng: &mut XorShiftRng) {
        let length = self.bytes.len();
        match rng.random_range(0..10) {
            0 => self.proposals ^= 1 << rng.random_range(0..16),
            1 => self.shape = *SHAPES.choose(rng).expect("there are shapes"),
            2 | 3 => {
                let factor = [50, 80, 125, 200][rng.random_range(0..4)];
                self.repeats = (self.repeats * factor / 100).clamp(1, 1 << 16);
            }
            4 | 5 => {
                let size = &mut self.sizes[rng.random_range(0..SIZES)];
                *size = match rng.random_range(0..3) {
                    0 => *size / 2,
                    1 => (*size * 2 + 1).min(1 << 14),
                    _ => 0,
                };
            }
            // Repeated choices make repeated code.
            6 if length > 1 => {
                let start = rng.random_range(0..length - 1);
                let end = rng.random_range(start + 1..length.min(start + 256) + 1);
                let times = rng.random_range(1..32);
                let part = self.bytes[start..end.min(length)].repeat(times);
                self.bytes.splice(start..start, part);
            }
            7 if length > 1 && !other.bytes.is_empty() => {
                let at = rng.random_range(0..length.min(other.bytes.len()));
                self.bytes.truncate(at);
                self.bytes.extend_from_slice(&other.bytes[at..]);
            }
            8 => {
                let mut bytes = [0; 64];
                rng.fill_bytes(&mut bytes);
                let at = rng.random_range(0..length + 1);
                self.bytes.splice(at..at, bytes);
            }
            _ if length > 0 => {
                for _ in 0..rng.random_range(1..8) {
                    self.bytes[rng.random_range(0..length)] = rng.random();
                }
            }
            _ => {}
        }
    }

    /// Makes the module.
    ///
    /// # Errors
    /// If wasm-smith makes no module, or the module is too large.
    pub fn module(&self) -> anyhow::Result<Vec<u8>> {
        let mut data = Unstructured::new(&self.bytes);
        let module = wasm_smith::Module::new(self.config(), &mut data)?;
        let wasm = repeat_bodies(&module.to_bytes(), self.shape, self.repeats)?;
        ensure!(wasm.len() <= LARGEST, "too large");
        Ok(wasm)
    }

    fn config(&self) -> Config {
        let [
            types,
            funcs,
            globals,
            imports,
            exports,
            tables,
            memories,
            tags,
            elements,
            data,
            instructions,
            nesting,
        ] = self.sizes;
        let has = |bit: u16| self.proposals & (1 << bit) != 0;
        // By default, wasm-smith makes few items of each kind.
        let least = |most: usize| if has(0) { most / 2 } else { 0 };
        Config {
            max_types: types,
            min_types: least(types).min(64),
            max_funcs: funcs,
            min_funcs: least(funcs).max(1).min(funcs),
            max_globals: globals,
            min_globals: least(globals),
            max_imports: imports,
            max_exports: exports,
            export_everything: has(1),
            max_tables: 1 + tables % 100,
            max_memories: 1 + memories % 100,
            max_tags: tags,
            max_element_segments: elements,
            min_element_segments: least(elements),
            max_elements: elements,
            max_data_segments: data,
            min_data_segments: least(data),
            max_instructions: instructions * 16,
            max_nesting_depth: nesting,
            max_memory32_bytes: if has(2) { 1 << 20 } else { 1 << 32 },
            // Offsets inside of a guard region, and beyond it.
            memory_offset_choices: MemoryOffsetChoices(75, 24, u32::from(has(3))),
            gc_enabled: has(4),
            exceptions_enabled: has(5),
            simd_enabled: has(6),
            relaxed_simd_enabled: has(6),
            tail_call_enabled: has(7),
            memory64_enabled: has(8),
            threads_enabled: has(9),
            multi_value_enabled: has(10),
            bulk_memory_enabled: true,
            reference_types_enabled: true,
            max_type_size: if has(11) { 10_000 } else { 100 },
            allow_floats: has(12),
            disallow_traps: has(13),
            limit_arrays_in_const_exprs: true,
            allow_invalid_funcs: false,
            ..Config::default()
        }
    }
}

/// The same module, in which the code of each body is repeated. It is still valid, because each copy is in a block
/// with the label and the results of the function.
fn repeat_bodies(wasm: &[u8], shape: Shape, repeats: usize) -> anyhow::Result<Vec<u8>> {
    let mut types = Vec::new();
    let mut functions = Vec::new();
    let mut bodies = Vec::new();
    let mut section = None;
    let mut repeated = 0;
    for payload in Parser::new(0).parse_all(wasm) {
        match payload? {
            Payload::TypeSection(groups) => {
                for group in groups {
                    types.extend(group?.into_types());
                }
            }
            Payload::FunctionSection(all) => {
                functions = all.into_iter().collect::<Result<Vec<_>, _>>()?;
            }
            Payload::CodeSectionStart { range, .. } => section = Some(range),
            Payload::CodeSectionEntry(body) => {
                let ty = functions[bodies.len()];
                let ty = &types[ty as usize].composite_type.inner;
                let results = match ty {
                    wasmparser::CompositeInnerType::Func(ty) => ty.results(),
                    _ => &[],
                };
                let body = repeat_body(&body, results, shape, repeats)?;
                repeated += body.len();
                ensure!(repeated <= LARGEST, "too large");
                bodies.push(body);
            }
            _ => {}
        }
    }
    let Some(section) = section else {
        return Ok(wasm.to_vec());
    };
    let mut content = Vec::new();
    leb128(bodies.len(), &mut content);
    for body in bodies {
        leb128(body.len(), &mut content);
        content.extend(body);
    }
    // The size of the section is in the bytes before it. wasm-smith writes it in the shortest form.
    let mut old_size = Vec::new();
    leb128(section.len(), &mut old_size);
    let start = section.start - old_size.len();
    ensure!(wasm[start - 1] == 10, "no code section where it should be");
    let mut all = wasm[..start].to_vec();
    leb128(content.len(), &mut all);
    all.extend(content);
    all.extend_from_slice(&wasm[section.end..]);
    Ok(all)
}

fn repeat_body(
    body: &FunctionBody<'_>,
    results: &[ValType],
    shape: Shape,
    repeats: usize,
) -> anyhow::Result<Vec<u8>> {
    let code_start = body.get_operators_reader()?.original_position() - body.range().start;
    let (locals, code) = body.as_bytes().split_at(code_start);
    let mut repeated = locals.to_vec();
    // The last byte of the code is an `end`.
    let (_, code) = code.split_last().context("no end")?;
    let block_type: u8 = match results {
        [] => 0x40,
        [ValType::I32] => 0x7f,
        [ValType::I64] => 0x7e,
        [ValType::F32] => 0x7d,
        [ValType::F64] => 0x7c,
        // Other results would need a type of their own.
        _ => return Ok(body.as_bytes().to_vec()),
    };
    let (is_nested, begin): (bool, &[u8]) = match shape {
        Shape::Sequence => (false, &[0x02, block_type]),
        Shape::Blocks => (true, &[0x02, block_type]),
        Shape::LoopSequence if results.is_empty() => (false, &[0x03, block_type]),
        Shape::Loops if results.is_empty() => (true, &[0x03, block_type]),
        // `catch_all` branches to the block itself, which takes no values.
        Shape::Tries if results.is_empty() => (true, &[0x1f, block_type, 1, 2, 0]),
        _ => (false, &[0x02, block_type]),
    };
    let repeats = repeats.min(1 + LARGEST / (code.len() + begin.len() + 2));
    for copy in 0..repeats {
        repeated.extend_from_slice(begin);
        repeated.extend_from_slice(code);
        if !is_nested {
            repeated.push(0x0b);
        }
        if copy + 1 < repeats {
            repeated.extend(results.iter().map(|_| 0x1a));
        }
    }
    if is_nested {
        repeated.extend((0..repeats).map(|_| 0x0b));
    }
    repeated.push(0x0b);
    Ok(repeated)
}

fn leb128(mut value: usize, to: &mut Vec<u8>) {
    while value >= 0x80 {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}
