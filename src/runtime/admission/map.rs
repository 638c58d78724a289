//! The maps of the analysis.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

use foldhash::fast::{FixedState, FoldHasher};

/// A map whose keys are made from a guest's code. With the hash of the standard library, a tenth of the whole analysis
/// would be hashing.
pub(super) type Map<K, V> = HashMap<K, V, Seeded>;

/// Hashes with a seed that only this process knows, so that nobody can choose keys with the same hash.
#[derive(Clone)]
pub(super) struct Seeded(FixedState);

impl Default for Seeded {
    fn default() -> Self {
        static SEED: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(0));
        Self(FixedState::with_seed(*SEED))
    }
}

impl BuildHasher for Seeded {
    type Hasher = FoldHasher<'static>;

    fn build_hasher(&self) -> Self::Hasher {
        self.0.build_hasher()
    }
}

/// Empties a map. `HashMap::clear` takes time in proportion to the map's capacity, so a large map is replaced.
pub(super) fn clear<K, V>(map: &mut Map<K, V>) {
    if map.capacity() > 1 << 12 {
        *map = Map::default();
    } else {
        map.clear();
    }
}
