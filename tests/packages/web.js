// Names of the web that the glue of packages uses, and that a bare runtime lacks. A real host has all of them: these
// do only as much as the packages here need.

// Some glue takes a runtime with `Deno` for Deno, so a program may remove it.
const { core } = Deno;

/** The characters of bytes in UTF-8 or UTF-16. */
class TextDecoder {
  #encoding;
  #fatal;
  #ignoreBOM;

  constructor(label = "utf-8", { fatal = false, ignoreBOM = false } = {}) {
    this.#encoding = label.toLowerCase().replace("utf8", "utf-8");
    this.#fatal = fatal;
    this.#ignoreBOM = ignoreBOM;
  }

  get encoding() {
    return this.#encoding;
  }

  decode(input = new Uint8Array()) {
    const buffer = ArrayBuffer.isView(input) ? input.buffer : input;
    // A copy, because an op takes no shared bytes.
    const bytes = new Uint8Array(input.byteLength);
    bytes.set(new Uint8Array(buffer, input.byteOffset ?? 0, input.byteLength));
    if (this.#encoding.startsWith("utf-16")) {
      const units = new Uint16Array(bytes.buffer);
      let text = "";
      for (const unit of units) text += String.fromCharCode(unit);
      return text;
    }
    const hasBom = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
    let text = core.decode(bytes);
    if (hasBom && this.#ignoreBOM) text = `\ufeff${text}`;
    if (this.#fatal && text.includes("\ufffd") && !isUtf8(text, bytes)) throw new TypeError("this is not UTF-8");
    return text;
  }
}

/** Whether these are the bytes of a text. */
function isUtf8(text, bytes) {
  const own = core.encode(text);
  return own.length === bytes.length && own.every((byte, at) => byte === bytes[at]);
}

class TextEncoder {
  encoding = "utf-8";

  encode(text = "") {
    return core.encode(String(text));
  }

  encodeInto(text, target) {
    let read = 0;
    let written = 0;
    for (const character of text) {
      const bytes = core.encode(character);
      if (written + bytes.length > target.length) break;
      target.set(bytes, written);
      written += bytes.length;
      read += character.length;
    }
    return { read, written };
  }
}

/** A URL with a path: enough to find a file beside another one. */
class URL {
  constructor(url, base) {
    url = String(url);
    if (/^[a-z]+:/.test(url) || base === undefined) this.href = url;
    else this.href = `${String(base).replace(/[^/]*$/, "")}${url.replace(/^\.\//, "")}`;
  }

  get pathname() {
    return this.href.replace(/^[a-z]+:(\/\/[^/]*)?/, "");
  }

  toString() {
    return this.href;
  }
}

class ImageData {
  colorSpace = "srgb";

  constructor(data, width, height) {
    this.data = data;
    this.width = width;
    this.height = height ?? data.length / (4 * width);
  }
}

class Headers {
  #values = new Map();

  constructor(values = {}) {
    for (const name in values) this.#values.set(name.toLowerCase(), values[name]);
  }

  get(name) {
    return this.#values.get(name.toLowerCase()) ?? null;
  }
}

class Request {
  constructor(url) {
    this.url = String(url);
  }
}

class Response {
  ok = true;
  status = 200;
  #bytes;

  constructor(bytes, { headers } = {}) {
    this.#bytes = bytes;
    this.headers = new Headers(headers);
  }

  arrayBuffer() {
    return Promise.resolve(this.#bytes.buffer);
  }

  async json() {
    return JSON.parse(new TextDecoder().decode(this.#bytes));
  }
}

/** Gets a file of a package. */
async function fetch(source) {
  const path = new URL(source.url ?? source).pathname;
  const bytes = readFile(path);
  const type = path.endsWith(".wasm") ? "application/wasm" : "application/octet-stream";
  return new Response(bytes, { headers: { "Content-Type": type, "Content-Length": `${bytes.length}` } });
}

/** Numbers that are the same in each run, for tests only. */
let seed = 1;
function getRandomValues(array) {
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  for (let at = 0; at < bytes.length; at++) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    bytes[at] = seed >>> 24;
  }
  return array;
}

const start = Date.now();
const names = {
  // Nothing here waits for a timer.
  clearTimeout() {},
  TextDecoder,
  TextEncoder,
  URL,
  Headers,
  ImageData,
  Request,
  Response,
  fetch,
  crypto: { getRandomValues },
  performance: { now: () => Date.now() - start, timeOrigin: start },
  console: {},
};
for (const name in names) globalThis[name] ??= names[name];
for (const name of ["assert", "debug", "error", "info", "log", "warn"]) console[name] ??= () => {};
