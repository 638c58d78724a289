//! Modules that import nothing but functions which the host has for every store, so that they need not
//! be made and compared with what is imported for each instance.

use std::any::TypeId;

use wasmtime::{InstancePre, Linker};

use super::host::HostFunction;
use super::module::Compiled;
use super::store::{StoreData, add_host_func};
use super::types::{ExternInfo, ImportInfo};

/// Functions that the host has for whatever a module imports, the same for every store.
pub trait HostFunctions: 'static {
    /// The function for the import of this number, in the module's order, of this type.
    fn function(import: usize, ty: &ExternInfo) -> Box<dyn HostFunction>;
}

/// A module's code with functions of the host's for its imports.
pub(crate) struct Hosted {
    /// What the functions are from.
    by: TypeId,
    /// Nothing if there is no such thing.
    linked: Option<InstancePre<StoreData>>,
}

impl Hosted {
    /// The code with functions of `H`; `None` if an import is no function or has the name of another one,
    /// or somebody else's functions were first.
    pub(crate) fn of<'a, H: HostFunctions>(
        code: &'a Compiled,
        imports: &[ImportInfo],
    ) -> Option<&'a InstancePre<StoreData>> {
        let hosted = code.hosted.get_or_init(|| Self {
            by: TypeId::of::<H>(),
            linked: link::<H>(code, imports),
        });
        let linked = hosted.linked.as_ref();
        linked.filter(|_| hosted.by == TypeId::of::<H>())
    }
}

fn link<H: HostFunctions>(
    code: &Compiled,
    imports: &[ImportInfo],
) -> Option<InstancePre<StoreData>> {
    let mut linker = Linker::new(code.module.engine());
    for (i, (import, ty)) in imports.iter().zip(&code.functions).enumerate() {
        let host = H::function(i, &import.ty).into();
        let names = (&*import.module, &*import.name);
        add_host_func(&mut linker, names, ty.as_ref()?, host).ok()?;
    }
    linker.instantiate_pre(&code.module).ok()
}
