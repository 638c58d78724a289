//! Modules that import nothing but functions which the host has for every store, so that they need not
//! be made and compared with what is imported for each instance.

use std::any::TypeId;

use wasmtime::{InstancePre, Linker};

use super::host::HostFunction;
use super::module::Compiled;
use super::store::{StoreData, add_host_func};
use super::types::ImportInfo;

/// Functions that the host has for whatever a module imports, the same for every store.
pub trait HostImports: 'static {
    /// The function for an import that is one, of this number in the module's order.
    ///
    /// One is made for all instances of a module whose code checks for the same, if the module imports
    /// nothing else, and nothing twice, and nobody in the process has instantiated it with other
    /// `HostImports` before; otherwise one for each instance.
    fn function(number: usize, import: &ImportInfo) -> Box<dyn HostFunction>;
}

/// A module's code with functions of the host's for its imports.
pub(crate) struct Hosted {
    /// The `HostImports` that they are of.
    by: TypeId,
    /// `None` if the module cannot be linked by the names of its imports, or imports something else.
    linked: Option<InstancePre<StoreData>>,
}

impl Hosted {
    /// The code with functions of `H`, if it can be had and there is something to be had.
    pub(crate) fn of<'a, H: HostImports>(
        code: &'a Compiled,
        imports: &[ImportInfo],
    ) -> Option<&'a InstancePre<StoreData>> {
        if imports.is_empty() {
            return None;
        }
        let hosted = match code.hosted.get() {
            Some(hosted) => hosted,
            None => {
                // Not while others wait for it: the host's own code runs here.
                let hosted = Self {
                    by: TypeId::of::<H>(),
                    linked: link::<H>(code, imports),
                };
                code.hosted.get_or_init(|| hosted)
            }
        };
        let linked = hosted.linked.as_ref();
        linked.filter(|_| hosted.by == TypeId::of::<H>())
    }
}

fn link<H: HostImports>(code: &Compiled, imports: &[ImportInfo]) -> Option<InstancePre<StoreData>> {
    let mut linker = Linker::new(code.module.engine());
    for (number, (import, ty)) in imports.iter().zip(&code.functions).enumerate() {
        let ty = ty.as_ref()?;
        let names = (&*import.module, &*import.name);
        let host = H::function(number, import).into();
        add_host_func(&mut linker, names, ty, host).ok()?;
    }
    linker.instantiate_pre(&code.module).ok()
}
