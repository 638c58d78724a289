// What the apps use that tests/es_modules.rs runs.

/** Hands a value to the test. Bigints are strings that end in `n`. */
globalThis.show = (value) => {
  const text = (_, part) => {
    if (typeof part === "bigint") return `${part}n`;
    return part === undefined ? "undefined" : part;
  };
  globalThis.shown = JSON.stringify(value, text);
};

/** The error that a function throws or rejects with, as its name, its code if it has one of ours, and its message. */
globalThis.caught = async (f) => {
  try {
    await f();
  } catch (error) {
    const { name, code, message } = error;
    // deno_core gives codes too, as text.
    return typeof code === "number" ? { name, code, message } : { name, message };
  }
  return "nothing was thrown";
};
