// Glue as wasm-bindgen writes it for a browser. It knows nothing of `host:wasm`.

let wasm;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });

function passString(text) {
  const bytes = encoder.encode(text);
  const at = wasm.__wbindgen_malloc(bytes.length, 1) >>> 0;
  new Uint8Array(wasm.memory.buffer).set(bytes, at);
  return [at, bytes.length];
}

function getString(at, length) {
  return decoder.decode(new Uint8Array(wasm.memory.buffer).subarray(at >>> 0, (at >>> 0) + length));
}

export function greet(name) {
  const [nameAt, nameLength] = passString(name);
  const [at, length] = wasm.greet(nameAt, nameLength);
  try {
    return getString(at, length);
  } finally {
    wasm.__wbindgen_free(nameAt, nameLength, 1);
  }
}

const imports = {
  "./greet_bg.js": {
    __wbindgen_throw(at, length) {
      throw new Error(getString(at, length));
    },
  },
};

export function initSync(module) {
  wasm = new WebAssembly.Instance(module, imports).exports;
}
