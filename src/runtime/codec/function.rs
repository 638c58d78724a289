//! Calls of guests, and functions for their imports.

use wasmtime::component::{Func, LinkerInstance};
use wasmtime::{AsContextMut as _, Result, StoreContextMut};

use super::lift::{Lifted, Parameters, Results};
use super::lower::{Arguments, Reply};

/// The most core values that the parameters of a function are outside of memory.
pub(crate) const MAX_FLAT_PARAMS: usize = 16;

/// Calls a function with the values of an image, which was [checked](super::Element::check).
///
/// # Errors
/// As [`Func::call`].
pub(crate) fn call<T: 'static>(
    func: &Func,
    mut store: StoreContextMut<'_, T>,
    image: &[u8],
) -> Result<Lifted> {
    let func = func.typed::<Arguments<'_>, Results>(&store)?;
    Ok(func.call(store.as_context_mut(), Arguments(image))?.0)
}

/// The number of core values that a function of the host has outside of memory.
#[derive(Clone, Copy)]
pub(crate) struct FlatCounts {
    pub(crate) params: u32,
    pub(crate) results: u32,
}

/// Adds a function of the host with these numbers of core values in its type. It gets the values of the guest, and returns
/// an image that was [checked](super::Element::check).
///
/// # Errors
/// As [`LinkerInstance::func_wrap`].
pub(crate) fn add_import<T: 'static>(
    linker: &mut LinkerInstance<'_, T>,
    name: &str,
    FlatCounts { params, results }: FlatCounts,
    run: impl Fn(StoreContextMut<'_, T>, Lifted) -> Result<Vec<u8>> + Send + Sync + 'static,
) -> Result<()> {
    macro_rules! add {
        ($($count:literal)*) => {
            match (params, results) {
                $(
                    ($count, 1) => linker.func_wrap(name, move |store, Parameters::<$count>(params)| {
                        Ok(Reply::<1>(run(store, params)?))
                    }),
                    ($count, _) => linker.func_wrap(name, move |store, Parameters::<$count>(params)| {
                        Ok(Reply::<0>(run(store, params)?))
                    }),
                )*
                // The parameters are in memory, and so there is no slot for them.
                (_, 1) => linker.func_wrap(name, move |store, Parameters::<0>(params)| {
                    Ok(Reply::<1>(run(store, params)?))
                }),
                (_, _) => linker.func_wrap(name, move |store, Parameters::<0>(params)| {
                    Ok(Reply::<0>(run(store, params)?))
                }),
            }
        };
    }
    add!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16)
}
