//! The call stacks of guests.

use std::borrow::Cow;
use std::collections::hash_map::Entry;
use std::fmt::{self, Write as _};
use std::sync::Arc;

use wasmtime::{FrameInfo, Module, WasmBacktrace};

use crate::runtime::base::frame::WasmFrame;
use crate::runtime::base::text;
use crate::runtime::debug_info::DebugInfo;
use crate::runtime::rewrite::OffsetMap;
use crate::runtime::store::StoreData;
use crate::runtime::store::native_stack::{ThreadStack, is_above};

/// The maximum number of bytes of a name that is demangled, and of the demangled name.
const MAX_MANGLED: usize = 500;

/// The native stack that the demangler may need, in bytes: it recurses up to 500 levels, which were seen to take a
/// quarter of this.
const DEMANGLER_STACK: usize = 1 << 20;

/// A module that has instances in the store, as far as call stacks show it.
pub(crate) struct InstantiatedModule {
    id: u32,
    debug_info: Option<Arc<DebugInfo>>,
    /// The offsets in the module of the instructions that were compiled, if they have others there.
    offsets: Option<Arc<OffsetMap>>,
}

impl StoreData {
    /// Adds a module that is about to be instantiated in the store, for call stacks. `id` is its handle. Returns whether
    /// it is new to the store.
    pub(crate) fn add_module(
        &mut self,
        module: &Module,
        id: u32,
        debug_info: Option<&Arc<DebugInfo>>,
        offsets: Option<&Arc<OffsetMap>>,
    ) -> bool {
        let Entry::Vacant(entry) = self.modules.entry(key(module)) else {
            return false;
        };
        entry.insert(InstantiatedModule {
            id,
            debug_info: debug_info.cloned(),
            offsets: offsets.cloned(),
        });
        true
    }

    /// Removes a module that got no instance. The store does not keep it alive, so another module's code may come to its
    /// address.
    pub(crate) fn remove_module(&mut self, module: &Module) {
        self.modules.remove(&key(module));
    }

    /// Returns the call stack at the time of an error. Empty if no guest was running.
    pub(super) fn frames(&self, error: &wasmtime::Error) -> Vec<WasmFrame> {
        let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else {
            return Vec::new();
        };
        let frames = backtrace.frames().iter();
        frames.map(|frame| self.frame(frame)).collect()
    }

    fn frame(&self, frame: &FrameInfo) -> WasmFrame {
        let module = self.modules.get(&key(frame.module()));
        let debug_info = module.and_then(|module| module.debug_info.as_ref());
        let offsets = module.and_then(|module| module.offsets.as_ref());
        let offset = frame.module_offset().map(|offset| match offsets {
            Some(offsets) => offsets.original(offset),
            None => offset,
        });
        WasmFrame {
            func: match frame.func_name() {
                Some(name) => text::show(&demangled(name)),
                None => format!("<function {}>", frame.func_index()),
            },
            module: match (frame.module().name(), module) {
                (Some(name), _) => text::show(name),
                (None, Some(module)) => format!("<module {}>", module.id),
                (None, None) => "<module>".to_owned(),
            },
            offset,
            source: offset.and_then(|offset| debug_info?.location(offset)),
        }
    }
}

/// Returns the name of a function as its source has it, if it is one that Rust's compiler made. Linkers write names of
/// C++ in this form themselves.
fn demangled(name: &str) -> Cow<'_, str> {
    let is_mangled = name.starts_with("_R") || name.starts_with("_ZN");
    let has_stack = || is_above(ThreadStack::current().limit() + DEMANGLER_STACK);
    if !is_mangled || name.len() > MAX_MANGLED || !has_stack() {
        return Cow::Borrowed(name);
    }
    let Ok(demangled) = rustc_demangle::try_demangle(name) else {
        return Cow::Borrowed(name);
    };
    let mut start = Start::default();
    // Without the hash. An error means that the rest of a long name is missing.
    let _ = write!(start, "{demangled:#}");
    Cow::Owned(start.0)
}

/// Keeps the start of a text: a short name can stand for one of a million characters.
#[derive(Default)]
struct Start(String);

impl fmt::Write for Start {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        if self.0.len() + part.len() > MAX_MANGLED {
            return Err(fmt::Error);
        }
        self.0.push_str(part);
        Ok(())
    }
}

/// Returns the address of a module's machine code, which no other module has that is alive.
fn key(module: &Module) -> usize {
    module.text().as_ptr().addr()
}
