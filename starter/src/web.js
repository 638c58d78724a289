// Names of the web that the glue of wasm-bindgen and Emscripten uses, as far as UTF-8 and base64 go. `deno_core` has
// few of them. `web_apis/` brings `deno_web` instead: URL, streams, timers, Blob, all encodings and more.

(() => {
  const { decode, encode } = Deno.core;

  class TextEncoder {
    get encoding() {
      return "utf-8";
    }
    encode(text = "") {
      return encode(`${text}`);
    }
    encodeInto(text, target) {
      let read = 0;
      let written = 0;
      for (const character of `${text}`) {
        const bytes = encode(character);
        if (written + bytes.length > target.length) break;
        target.set(bytes, written);
        read += character.length;
        written += bytes.length;
      }
      return { read, written };
    }
  }

  class TextDecoder {
    #fatal;
    #ignoreBOM;
    constructor(label = "utf-8", { fatal = false, ignoreBOM = false } = {}) {
      if (!/^\s*utf-?8\s*$/i.test(label)) throw new RangeError(`the only encoding is utf-8, not ${label}`);
      this.#fatal = !!fatal;
      this.#ignoreBOM = !!ignoreBOM;
    }
    get encoding() {
      return "utf-8";
    }
    get fatal() {
      return this.#fatal;
    }
    get ignoreBOM() {
      return this.#ignoreBOM;
    }
    decode(source = new Uint8Array(), { stream = false } = {}) {
      if (stream) throw new TypeError("text cannot be decoded in parts");
      const { buffer, byteOffset, byteLength } = ArrayBuffer.isView(source) ? source : new Uint8Array(source);
      // A copy, because the bytes may be a shared memory.
      const bytes = new Uint8Array(byteLength);
      bytes.set(new Uint8Array(buffer, byteOffset, byteLength));
      const hasBOM = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
      const rest = hasBOM ? bytes.subarray(3) : bytes;
      const text = decode(rest);
      if (this.#fatal && text.includes("\ufffd") && !isText(rest, text)) throw new TypeError("the bytes are not utf-8");
      return hasBOM && this.#ignoreBOM ? `\ufeff${text}` : text;
    }
  }

  /** Whether a text was these bytes, and has no replacement characters for others. */
  function isText(bytes, text) {
    const encoded = encode(text);
    return encoded.length === bytes.length && encoded.every((byte, i) => byte === bytes[i]);
  }

  const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

  function atob(text) {
    let digits = `${text}`.replace(/[\t\n\f\r ]/g, "");
    if (digits.length % 4 === 0) digits = digits.replace(/={1,2}$/, "");
    if (digits.length % 4 === 1 || /[^A-Za-z0-9+/]/.test(digits)) throw new TypeError("the text is not base64");
    let decoded = "";
    let bits = 0;
    for (let i = 0; i < digits.length; i++) {
      bits = (bits << 6 | DIGITS.indexOf(digits[i])) & 0xffffff;
      if (i % 4 > 0) decoded += String.fromCharCode(bits >> (6 - 2 * (i % 4)) & 0xff);
    }
    return decoded;
  }

  for (const [name, value] of Object.entries({ TextDecoder, TextEncoder, atob })) {
    if (name in globalThis) continue;
    Object.defineProperty(globalThis, name, { value, writable: true, enumerable: false, configurable: true });
  }
})();
