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
use crate::runtime::engine::stack_class::{LARGEST, StackClass};

/// The number of bytes that are assumed to be left if the system does not report the end of the stack.
const UNKNOWN: usize = 512 << 10;

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
            limit: stack_pointer() - left + class.reserve_bytes(),
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

    const KIB: usize = 1 << 10;
    const MIB: usize = 1 << 20;

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
        let of_size = StackClass::of(2 * MIB - 16 * KIB);
        assert!(class.guest_bytes() >= of_size.guest_bytes(), "{class:?}");
        assert!(left > class.guest_bytes() && left <= LARGEST, "{left}");
    }

    #[test]
    fn a_stack_pointer_below_the_limit_is_refused() {
        let here = stack_pointer();
        let class = StackClass::of(LARGEST);
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
