#!/usr/bin/env bash
# Builds the libFuzzer targets, and puts each with its seed corpus into the folder $OUT.
set -euo pipefail
cd "${SRC:?}/ext_wasm"

# A stable compiler takes the flags of the sanitizer with it.
export RUSTC_BOOTSTRAP=1
cargo fuzz build --release --debug-assertions

for target in api codec differential ops; do
  cp "fuzz/target/x86_64-unknown-linux-gnu/release/$target" "${OUT:?}/"
  (cd "fuzz/corpus/$target" && zip -q -r - .) >"$OUT/${target}_seed_corpus.zip"
  # What guests run into on purpose is wasmtime's to handle.
  printf '[asan]\nallow_user_segv_handler=1\nhandle_segv=1\ndetect_leaks=0\n' >"$OUT/$target.options"
done
