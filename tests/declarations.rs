//! The declarations that ship are those of the code.

#[test]
fn the_checked_in_declarations_are_current() {
    let generated = include_str!(concat!(env!("OUT_DIR"), "/host-wasm.d.ts"));
    let shipped = include_str!("../types/host-wasm.d.ts");
    assert!(
        generated == shipped,
        "types/host-wasm.d.ts is stale: build once with FORGE_WELD_WRITE_TYPES=1"
    );
}
