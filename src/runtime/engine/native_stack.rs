//! The native stack of a thread, and the part that guests and JavaScript may use.
//!
//! Guests, JavaScript and the host use the same native stack, and a stack overflow ends the process. So a thread
//! has one budget for all of them: its stack down to [`ThreadStack::limit`]. Below the limit is a reserve for host
//! code that runs without its own check: ops, WASI functions, a garbage collector, the capture of a trap's
//! backtrace.
//!
//! Each check compares the stack pointer with an address, so the parts do not need to count what the others use. A
//! JavaScript engine gets the limit itself. wasmtime accepts only a number of bytes that a guest may use *below the
//! point where its store is entered*, and only one for a whole engine. So an engine is made for a size class of
//! stacks ([`StackClass`]), and a store is entered on the current stack only if at least that many bytes are left.
//! Otherwise its guest gets its own stack: see `WasmStore::run`.

use std::cell::Cell;

use crate::runtime::base::error::WasmError;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// The number of bytes that are assumed to be left if the system does not report the end of the stack.
const UNKNOWN: usize = 512 * KIB;

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
    fn of(left: usize) -> Self {
        let fits = |class: &Self| class.guest + class.reserve + BEFORE_ENTRY <= left;
        let [.., smallest] = Self::ALL;
        Self::ALL.into_iter().find(fits).unwrap_or(smallest)
    }

    /// Returns the stack that a guest may use below the outermost entry into its store, in bytes.
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
    /// Returns the stack of the current thread.
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
        // Only this much of a larger or unlimited stack is used.
        let left = left.min(LARGEST);
        Self {
            class,
            limit: stack_pointer() - left + class.reserve,
        }
    }

    /// Returns the class of the stack.
    pub(crate) fn class(self) -> StackClass {
        self.class
    }

    /// Returns the lowest address that guests and JavaScript may use.
    pub(crate) fn limit(self) -> usize {
        self.limit
    }

    /// Returns the number of bytes left above the limit. To be called on the thread of this stack.
    #[cfg_attr(
        not(feature = "quickjs"),
        expect(dead_code, reason = "V8 gets the limit itself")
    )]
    pub(crate) fn left(self) -> usize {
        stack_pointer().saturating_sub(self.limit)
    }

    /// Checks that the stack is not used down to the limit. To be called on the thread of this stack.
    ///
    /// # Errors
    /// `RuntimeError`, with the trap name of a guest's stack overflow.
    pub(crate) fn check(self) -> Result<(), WasmError> {
        if is_above(self.limit) {
            Ok(())
        } else {
            Err(WasmError::stack_exhausted())
        }
    }
}

/// Whether the stack pointer of the current thread is at or above this address.
#[inline]
pub(crate) fn is_above(address: usize) -> bool {
    stack_pointer() >= address
}

/// Returns the stack pointer of the current thread.
///
/// The address of a local variable would not do: AddressSanitizer keeps local variables elsewhere.
#[inline(always)]
fn stack_pointer() -> usize {
    cfg_select! {
        target_arch = "x86_64" => {
            let pointer: usize;
            // SAFETY: the instruction copies one register to another, and has no other effect.
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
            // A thread has already used some bytes when it is first measured.
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
        // The system may reuse the larger stack of a thread that has ended.
        assert!(class.guest >= StackClass::ALL[2].guest, "{class:?}");
        assert!(left > class.guest && left <= LARGEST, "{left}");
    }

    #[test]
    fn a_stack_pointer_below_the_limit_is_refused() {
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
