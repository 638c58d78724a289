//! Modules that import only host functions that are the same for every store. They are linked once, so that the
//! functions are not made and type-checked for each instance.

use std::any::TypeId;
use std::sync::Arc;

use wasmtime::{InstancePre, Linker};

use crate::runtime::base::types::ImportInfo;
use crate::runtime::module::{Compiled, HostLinked};
use crate::runtime::store::host_function::HostFunction;
use crate::runtime::store::{StoreData, add_host_func};

/// The functions that a host provides for the imports of any module, the same for every store.
pub trait HostImports: 'static {
    /// Makes the function for an import. `number` is its index in the module's order.
    ///
    /// The function is made once for all instances of a module with the same checks, if the module imports only
    /// functions, has no two imports of the same name, and was not instantiated in this process with another
    /// `HostImports` before. Otherwise it is made for each instance.
    fn function(number: usize, import: &ImportInfo) -> Box<dyn HostFunction>;
}

/// Returns the code linked with the functions of `H`. Returns `None` if it has no imports or cannot be linked once.
pub(crate) fn link_once<'a, H: HostImports>(
    code: &'a Compiled,
    imports: &[ImportInfo],
) -> Option<Linked<'a>> {
    if imports.is_empty() {
        return None;
    }
    let host_linked = match code.host_linked.get() {
        Some(host_linked) => host_linked,
        None => {
            // Outside of `get_or_init`, which would make other threads wait: `link` runs code of the host.
            let mut numbers = Vec::with_capacity(imports.len());
            let host_linked = HostLinked {
                by: TypeId::of::<H>(),
                linked: link::<H>(code, imports, &mut numbers),
                numbers: numbers.into(),
            };
            code.host_linked.get_or_init(|| host_linked)
        }
    };
    let HostLinked {
        by,
        linked,
        numbers,
    } = host_linked;
    let module = linked.as_ref().filter(|_| *by == TypeId::of::<H>())?;
    Some(Linked { module, numbers })
}

/// A module that is linked with host functions.
pub(crate) struct Linked<'a> {
    pub(crate) module: &'a InstancePre<StoreData>,
    /// The numbers of the functions that have one.
    pub(crate) numbers: &'a [Option<u32>],
}

fn link<H: HostImports>(
    code: &Compiled,
    imports: &[ImportInfo],
    numbers: &mut Vec<Option<u32>>,
) -> Option<InstancePre<StoreData>> {
    let mut linker = Linker::new(code.module.engine());
    for (number, (import, ty)) in imports.iter().zip(&code.functions).enumerate() {
        let ty = ty.as_ref()?;
        let names = (&*import.module, &*import.name);
        let host: Arc<dyn HostFunction> = H::function(number, import).into();
        numbers.push(host.number());
        add_host_func(&mut linker, names, ty, host).ok()?;
    }
    linker.instantiate_pre(&code.module).ok()
}
