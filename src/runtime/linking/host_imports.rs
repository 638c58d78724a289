//! Modules that import nothing but functions which the host has for every store, so that they need not
//! be made and compared with what is imported for each instance.

use std::any::TypeId;

use wasmtime::{InstancePre, Linker};

use crate::runtime::base::types::ImportInfo;
use crate::runtime::module::{Compiled, HostLinked};
use crate::runtime::store::host_function::HostFunction;
use crate::runtime::store::{StoreData, add_host_func};

/// Functions that the host has for whatever a module imports, the same for every store.
pub trait HostImports: 'static {
    /// The function for an import that is one, of this number in the module's order.
    ///
    /// One is made for all instances of a module whose code checks for the same, if the module imports
    /// nothing else, and nothing twice, and nobody in the process has instantiated it with other
    /// `HostImports` before; otherwise one for each instance.
    fn function(number: usize, import: &ImportInfo) -> Box<dyn HostFunction>;
}

/// The code with functions of `H` for its imports, if it can be linked so and imports anything.
pub(crate) fn link_once<'a, H: HostImports>(
    code: &'a Compiled,
    imports: &[ImportInfo],
) -> Option<&'a InstancePre<StoreData>> {
    if imports.is_empty() {
        return None;
    }
    let host_linked = match code.host_linked.get() {
        Some(host_linked) => host_linked,
        None => {
            // Not in `get_or_init`, where others would wait for it: the host's own code runs here.
            let host_linked = HostLinked {
                by: TypeId::of::<H>(),
                linked: link::<H>(code, imports),
            };
            code.host_linked.get_or_init(|| host_linked)
        }
    };
    let linked = host_linked.linked.as_ref();
    linked.filter(|_| host_linked.by == TypeId::of::<H>())
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
