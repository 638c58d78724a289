//! The native stack of a thread, and how much of it guests and JavaScript may use.
//!
//! Guests, JavaScript and the host recurse on one stack, and a stack that runs out ends the process. So
//! a thread has one budget for all of them: its stack down to [`ThreadStack::limit`]. Below the limit is a
//! reserve for code of the host's that runs without a check of its own: an op, a function of WASI, a
//! collector, the capture of a trap's backtrace.
//!
//! Nobody has to count what the others have used, since each check compares the stack pointer with an
//! address. A JavaScript engine is given the limit itself. wasmtime can only be told how many bytes a
//! guest may use *below the place where its store is entered*, and only for a whole engine: an engine is
//! made for a size of stack ([`StackClass`]), and a store is entered in place where at least as much is
//! left. Elsewhere its guest gets a stack of its own: see `WasmStore::run`.

use std::cell::Cell;

use crate::runtime::base::error::WasmError;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// What is assumed to be left of a stack whose end the system does not tell.
const UNKNOWN: usize = 512 * KIB;

/// The size of the largest stack that is made use of, in bytes; a guest of any engine has room on it.
pub(crate) const LARGEST: usize = 8 * MIB;

/// What is left at least, in bytes, for what comes on the stack between where it is first measured and the
/// outermost entries into stores.
const BEFORE_ENTRY: usize = 64 * KIB;

/// A size of stack, rounded down, so that threads of about the same size share engines and their code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct StackClass {
    /// How much of it a guest may use below the outermost entry into its store, in bytes.
    guest: usize,
    /// How much is kept below the limit, in bytes.
    reserve: usize,
}

impl StackClass {
    /// Those for stacks of 8, 4, 2 and 1 MiB, of 512 KiB, and for smaller ones.
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

    /// The largest class that fits where so many bytes of a stack are left, or else the smallest one.
    fn of(left: usize) -> Self {
        let fits = |class: &Self| class.guest + class.reserve + BEFORE_ENTRY <= left;
        let [.., smallest] = Self::ALL;
        Self::ALL.into_iter().find(fits).unwrap_or(smallest)
    }

    /// How much stack a guest may use below the outermost entry into its store, in bytes.
    pub(crate) fn guest_bytes(self) -> usize {
        self.guest
    }
}

/// The stack of a thread, as it was first measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ThreadStack {
    class: StackClass,
    limit: usize,
}

impl ThreadStack {
    /// That of the thread that asks.
    pub(crate) fn current() -> Self {
        thread_local! {
            static MEASURED: Cell<Option<ThreadStack>> = const { Cell::new(None) };
        }
        MEASURED.get().unwrap_or_else(|| {
            let measured = Self::measure();
            MEASURED.set(Some(measured));
            measured
        })
    }

    #[cold]
    fn measure() -> Self {
        let left = stacker::remaining_stack().unwrap_or(UNKNOWN);
        let class = StackClass::of(left);
        // Of a stack that is larger, or seems to be without end, no more than that.
        let left = left.min(LARGEST);
        Self {
            class,
            limit: stack_pointer() - left + class.reserve,
        }
    }

    /// Its class.
    pub(crate) fn class(self) -> StackClass {
        self.class
    }

    /// The lowest address that guests and JavaScript may use.
    pub(crate) fn limit(self) -> usize {
        self.limit
    }

    /// How many bytes are left above the limit, on the thread whose stack this is.
    #[cfg_attr(
        not(feature = "quickjs"),
        expect(dead_code, reason = "V8 is told the limit")
    )]
    pub(crate) fn left(self) -> usize {
        stack_pointer().saturating_sub(self.limit)
    }

    /// Refuses to go on where the stack, on whose thread this is, is in use down to the limit.
    ///
    /// # Errors
    /// `RuntimeError`, with the name of a guest's trap for the same.
    pub(crate) fn check(self) -> Result<(), WasmError> {
        if is_above(self.limit) {
            Ok(())
        } else {
            Err(WasmError::stack_exhausted())
        }
    }
}

/// Whether the stack of the thread that asks does not yet reach down to this address.
#[inline]
pub(crate) fn is_above(address: usize) -> bool {
    stack_pointer() >= address
}

/// Where the stack of the thread that asks ends at present.
///
/// Not the address of a local variable: AddressSanitizer keeps those elsewhere.
#[inline(always)]
fn stack_pointer() -> usize {
    cfg_select! {
        target_arch = "x86_64" => {
            let pointer: usize;
            // SAFETY: it copies a register to another one, and does nothing else.
            unsafe {
                std::arch::asm!("mov {}, rsp", out(reg) pointer, options(nomem, nostack, preserves_flags));
            }
            pointer
        }
        target_arch = "aarch64" => {
            let pointer: usize;
            // SAFETY: as above.
            unsafe {
                std::arch::asm!("mov {}, sp", out(reg) pointer, options(nomem, nostack, preserves_flags));
            }
            pointer
        }
        _ => {
            let here = 0u8;
            std::ptr::from_ref(&here).addr()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_fits_the_stacks_that_it_is_for() {
        let sizes = [8 * MIB, 4 * MIB, 2 * MIB, MIB, 512 * KIB];
        for (size, class) in sizes.into_iter().zip(StackClass::ALL) {
            // A thread has used some already when it is first measured.
            assert_eq!(StackClass::of(size - 16 * KIB), class);
            assert_ne!(StackClass::of(size - size / 4), class);
        }
        let [.., smallest] = StackClass::ALL;
        for left in [0, 1, 64 * KIB, 256 * KIB] {
            assert_eq!(StackClass::of(left), smallest);
        }
    }

    #[test]
    fn a_thread_is_measured_from_its_end() {
        let deep = std::thread::Builder::new().stack_size(2 * MIB).spawn(|| {
            let stack = ThreadStack::current();
            let left = stack_pointer() - stack.limit();
            assert!(stack.check().is_ok());
            (stack.class(), left)
        });
        let (class, left) = deep.unwrap().join().unwrap();
        // The system may give a thread the larger stack of one that has ended.
        assert!(class.guest >= StackClass::ALL[2].guest, "{class:?}");
        assert!(left > class.guest && left <= LARGEST, "{left}");
    }

    #[test]
    fn what_is_below_the_limit_is_refused() {
        let here = stack_pointer();
        let class = StackClass::ALL[0];
        let short = ThreadStack {
            class,
            limit: here + KIB,
        };
        assert_eq!(short.check(), Err(WasmError::stack_exhausted()));
        let enough = ThreadStack {
            class,
            limit: here - MIB,
        };
        assert_eq!(enough.check(), Ok(()));
    }
}
