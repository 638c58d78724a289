//! A case: the types of a component's functions, and values of them.

use std::ops::Range;

use arbitrary::Unstructured;
use ext_wasm::wasmtime::component::Val;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rand_xorshift::XorShiftRng;

use super::abi::Encoding;
use super::guest::Signature;
use super::types::{Type, many};

/// The number of bytes from which a seed makes a case.
const DATA: Range<usize> = 100..2_000;

/// The most levels of a type.
const DEPTH: u32 = 3;

/// A byte that is changed: its place, counted around the bytes that there are, and its new value.
#[derive(Clone, Copy, Debug)]
pub struct Damage {
    pub at: u16,
    pub byte: u8,
}

impl Damage {
    /// Changes the byte, among the first `length` of these.
    pub fn apply(self, bytes: &mut [u8], length: usize) {
        let length = length.min(bytes.len());
        if length > 0 {
            bytes[usize::from(self.at) % length] = self.byte;
        }
    }
}

/// The types of the functions of a component, and what goes through them.
#[derive(Clone, Debug)]
pub struct Case {
    pub signature: Signature,
    pub args: Vec<Val>,
    pub result: Val,
    /// Changes of the bytes of values.
    pub damages: Vec<Vec<Damage>>,
    /// Changes of the component.
    pub flips: Vec<Damage>,
}

impl Case {
    /// Makes the case of a seed; `None` for the few seeds whose values are too large.
    pub fn of_seed(seed: u64) -> Option<Self> {
        let mut rng = XorShiftRng::seed_from_u64(seed);
        let mut data = vec![0; rng.random_range(DATA)];
        rng.fill_bytes(&mut data);
        Self::of_bytes(&data)
    }

    /// Makes a case from bytes; `None` if they make none.
    pub fn of_bytes(data: &[u8]) -> Option<Self> {
        let case = Self::make(&mut Unstructured::new(data)).ok();
        case.filter(|case| case.signature.fits())
    }

    fn make(data: &mut Unstructured<'_>) -> arbitrary::Result<Self> {
        let encodings = [Encoding::Utf8, Encoding::Utf16, Encoding::Latin1OrUtf16];
        let encoding = *data.choose(&encodings)?;
        let params = many(data, 1..=4, |data| Type::random(data, DEPTH))?;
        let args = params.iter().map(|ty| ty.value(data));
        let args = args.collect::<arbitrary::Result<_>>()?;
        let result = params[0].value(data)?;
        let damage = |data: &mut Unstructured<'_>| {
            // Small numbers and those next to a limit say more than others.
            let bytes = [0, 1, 2, 3, 4, 7, 8, 0x10, 0x7f, 0x80, 0xd8, 0xdf, 0xff];
            let byte = match data.ratio(2, 3)? {
                true => *data.choose(&bytes)?,
                false => data.arbitrary()?,
            };
            let at = data.arbitrary()?;
            Ok(Damage { at, byte })
        };
        let damages = many(data, 0..=6, |data| many(data, 1..=3, damage))?;
        let flips = many(data, 0..=2, damage)?;
        Ok(Self {
            signature: Signature { params, encoding },
            args,
            result,
            damages,
            flips,
        })
    }
}
