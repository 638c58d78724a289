//! The fuel of stores in a group with a budget.
//!
//! Such a store has fuel only while a guest runs in it. It takes the fuel from the group when a run enters it, and gives
//! the rest back when the run leaves it or calls the host. So stores of the group that run meanwhile, nested in the
//! run, use the same budget.

use wasmtime::StoreContextMut;

use crate::runtime::base::error::WasmError;
use crate::runtime::engine::group::Group;
use crate::runtime::store::{StoreData, unmetered};

/// How much of the group's fuel a run takes.
#[derive(Clone, Copy)]
pub(super) enum FuelShare {
    /// All that is left: the thread of the group waits for the run.
    All,
    /// Half: other stores of the group may run meanwhile.
    Half,
}

/// Runs `f` with fuel of the group, if there is a group and it has a budget.
pub(super) fn with_share<R>(
    store: &mut StoreContextMut<'_, StoreData>,
    group: Option<&Group>,
    share: FuelShare,
    f: impl FnOnce(&mut StoreContextMut<'_, StoreData>) -> R,
) -> Result<R, WasmError> {
    let Some(group) = group.filter(|group| group.is_metered()) else {
        return Ok(f(store));
    };
    take(store, group, share)?;
    let result = f(store);
    give_back(store, group)?;
    Ok(result)
}

/// Moves fuel from the group to the store, which has none.
#[inline(never)]
pub(super) fn take(
    store: &mut StoreContextMut<'_, StoreData>,
    group: &Group,
    share: FuelShare,
) -> Result<(), WasmError> {
    let fuel = match share {
        FuelShare::All => group.take_fuel(),
        FuelShare::Half => group.take_half_of_fuel(),
    };
    set(store, fuel).map(drop)
}

/// Moves the fuel of the store to the group.
#[inline(never)]
pub(super) fn give_back(
    store: &mut StoreContextMut<'_, StoreData>,
    group: &Group,
) -> Result<(), WasmError> {
    group.give_back_fuel(set(store, 0)?);
    Ok(())
}

/// Sets the fuel of the store. Returns the fuel that it had.
fn set(store: &mut StoreContextMut<'_, StoreData>, fuel: u64) -> Result<u64, WasmError> {
    let left = store.get_fuel().map_err(|_| unmetered())?;
    store.set_fuel(fuel).map_err(|_| unmetered())?;
    store.data_mut().fuel.set(left, fuel);
    Ok(left)
}
