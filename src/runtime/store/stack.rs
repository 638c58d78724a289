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

use crate::runtime::error::WasmError;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// What is assumed to be left of a stack whose end the system does not tell.
const UNKNOWN: usize = 512 * KIB;

/// A size of stack, rounded down, so that threads of about the same size share engines and their code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct StackClass {
    /// How much the stack has at least, in bytes, when it is first measured.
    size: usize,
    /// How much of it a guest may use below the outermost entry into its store, in bytes.
    guest: usize,
    /// How much is kept below the limit, in bytes.
    reserve: usize,
}

impl StackClass {
    /// All classes, the largest first. What is neither the guest's nor reserve is for what is on the stack
    /// when a store is entered.
    const ALL: [Self; 6] = [
        Self::new(8 * MIB, 7 * MIB + MIB / 4, 512 * KIB),
        Self::new(4 * MIB, 3 * MIB, 512 * KIB),
        Self::new(2 * MIB, 3 * MIB / 2, 256 * KIB),
        Self::new(MIB, 3 * MIB / 4, 128 * KIB),
        Self::new(512 * KIB, 256 * KIB, 96 * KIB),
        Self::new(0, 64 * KIB, 96 * KIB),
    ];

    /// The size of a thread on which a guest of any class has room, in bytes.
    pub(super) const LARGEST: usize = Self::ALL[0].size;

    const fn new(size: usize, guest: usize, reserve: usize) -> Self {
        Self {
            size,
            guest,
            reserve,
        }
    }

    /// The class of a stack of which so many bytes are left. A sixteenth may be in use already.
    fn of(left: usize) -> Self {
        let fits = |class: &Self| left >= class.size - class.size / 16;
        // The last one fits whatever is left.
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
        // Of a stack that is larger than any class, or without end, no more than that of the largest.
        let left = left.min(StackClass::LARGEST);
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
    #[cfg_attr(not(feature = "quickjs"), expect(dead_code, reason = "V8 is told the limit"))]
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
