//! Size classes of native stacks. wasmtime accepts only one number of bytes that the guests of an engine may use, so
//! engines are made for a class.

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// The largest stack size that is used, in bytes. It is large enough for a guest of any engine.
pub(crate) const LARGEST: usize = 8 * MIB;

/// The reserve for the frames between the first measurement and the outermost entries into stores, in bytes.
const BEFORE_ENTRY: usize = 64 * KIB;

/// A size class of stacks. Threads with similar stack sizes share engines and their code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct StackClass {
    /// The stack that a guest may use below the outermost entry into its store, in bytes.
    guest: usize,
    /// The reserve below the limit, in bytes.
    reserve: usize,
}

impl StackClass {
    /// The classes for stacks of 8, 4, 2 and 1 MiB, of 512 KiB, and for smaller stacks.
    const ALL: [Self; 6] = [
        Self::new(7 * MIB + MIB / 2, 256 * KIB),
        Self::new(3 * MIB + MIB / 2, 256 * KIB),
        Self::new(MIB + MIB / 2, 256 * KIB),
        Self::new(768 * KIB, 128 * KIB),
        Self::new(256 * KIB, 96 * KIB),
        Self::new(64 * KIB, 96 * KIB),
    ];

    const fn new(guest: usize, reserve: usize) -> Self {
        Self { guest, reserve }
    }

    /// Returns the largest class for a stack with `left` bytes left, or the smallest class if none fits.
    pub(crate) fn of(left: usize) -> Self {
        let fits = |class: &Self| class.guest + class.reserve + BEFORE_ENTRY <= left;
        let [.., smallest] = Self::ALL;
        Self::ALL.into_iter().find(fits).unwrap_or(smallest)
    }

    /// Returns the stack that a guest may use below the outermost entry into its store, in bytes.
    pub(crate) fn guest_bytes(self) -> usize {
        self.guest
    }

    /// Returns the reserve below the limit of the stack, in bytes.
    pub(crate) fn reserve_bytes(self) -> usize {
        self.reserve
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_fits_the_stacks_that_it_is_for() {
        let sizes = [8 * MIB, 4 * MIB, 2 * MIB, MIB, 512 * KIB];
        for (size, class) in sizes.into_iter().zip(StackClass::ALL) {
            // A thread has already used some bytes when it is first measured.
            assert_eq!(StackClass::of(size - 16 * KIB), class);
            assert_ne!(StackClass::of(size - size / 4), class);
        }
        let [.., smallest] = StackClass::ALL;
        for left in [0, 1, 64 * KIB, 256 * KIB] {
            assert_eq!(StackClass::of(left), smallest);
        }
    }
}
