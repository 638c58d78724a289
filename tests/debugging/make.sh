#!/bin/sh
# Makes the binaries of `debugging.rs`. It needs clang, wasm-ld and rustc. The tests need none of them.
set -eu
cd "$(dirname "$0")"
for version in 4 5; do
    clang --target=wasm32 -O1 -g -gdwarf-$version -fdebug-compilation-dir=/src -nostdlib \
        -Wl,--no-entry -o c_dwarf$version.wasm guest.c
done
# A guest without the core library needs nightly features. The variable turns them on in a stable compiler.
RUSTC_BOOTSTRAP=1 rustc --edition 2024 --target wasm32-unknown-unknown --crate-type cdylib -g \
    -C linker=rust-lld --remap-path-prefix "$PWD=/src" -o rust.wasm guest.rs
