//! Sets of locals.

/// A set of locals, as a bit set over their numbers.
#[derive(Clone, Default)]
pub(super) struct LocalSet(Vec<u64>);

impl LocalSet {
    /// Returns the intersection of both sets, in words of 64 bits.
    pub(super) fn words_of_both<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = u64> + 'a {
        self.0
            .iter()
            .zip(&other.0)
            .map(|(left, right)| left & right)
    }

    pub(super) fn insert(&mut self, local: u32) {
        let word = local as usize / 64;
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (local % 64);
    }

    pub(super) fn contains(&self, local: u32) -> bool {
        let word = self.0.get(local as usize / 64);
        word.is_some_and(|word| word & 1 << (local % 64) != 0)
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn remove(&mut self, local: u32) {
        if let Some(word) = self.0.get_mut(local as usize / 64) {
            *word &= !(1 << (local % 64));
        }
    }

    pub(super) fn add(&mut self, others: &Self) {
        if others.0.len() > self.0.len() {
            self.0.resize(others.0.len(), 0);
        }
        for (word, other) in self.0.iter_mut().zip(&others.0) {
            *word |= other;
        }
    }
}
