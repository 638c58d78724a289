//! Heads in slots of calls, 16 bytes each.

use wasmtime::ValRaw;

/// The number of bytes in a slot.
const SLOT: usize = size_of::<u128>();

/// Puts bytes into slots, of which there are at least `count`.
pub(crate) fn pack(bytes: &[u8], count: usize) -> Vec<ValRaw> {
    let slots = bytes.chunks(SLOT).map(|chunk| {
        let mut slot = [0; SLOT];
        slot[..chunk.len()].copy_from_slice(chunk);
        ValRaw::v128(u128::from_le_bytes(slot))
    });
    let mut slots: Vec<ValRaw> = slots.collect();
    slots.resize(slots.len().max(count), ValRaw::v128(0));
    slots
}

/// The first `length` bytes in slots, or all of them if there are fewer.
pub(crate) fn unpack(slots: impl IntoIterator<Item = ValRaw>, length: usize) -> Vec<u8> {
    let slots = slots.into_iter().take(length.div_ceil(SLOT));
    let mut bytes: Vec<u8> = slots
        .flat_map(|slot| slot.get_v128().to_le_bytes())
        .collect();
    bytes.truncate(length);
    bytes
}
