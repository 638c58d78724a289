#!/bin/sh
# Makes the binaries of `debugging.rs`: with clang, wasm-ld and rustc, which the tests themselves do not need.
set -eu
cd "$(dirname "$0")"
for version in 4 5; do
    clang --target=wasm32 -O1 -g -gdwarf-$version -fdebug-compilation-dir=/src -nostdlib \
        -Wl,--no-entry -o c_dwarf$version.wasm guest.c
done
# The guest has no core library, for which the compiler has to be a nightly one or act like it.
RUSTC_BOOTSTRAP=1 rustc --edition 2024 --target wasm32-unknown-unknown --crate-type cdylib -g \
    -C linker=rust-lld --remap-path-prefix "$PWD=/src" -o rust.wasm guest.rs
