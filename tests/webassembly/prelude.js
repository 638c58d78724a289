// Helpers of the tests of `createWebAssembly`.

/** A namespace object with these options. */
const namespace = (options) => createWebAssembly(options);
const W = namespace();
/** The binary of a module in the text format. */
const binary = (source) => wat(source);
/** A module in the text format, compiled. */
const module = (source, W2 = W) => new W2.Module(binary(source));
/** The exports of an instance of a module in the text format. */
const exportsOf = (source, imports, W2 = W) => new W2.Instance(module(source, W2), imports).exports;

/** A value as text that tells all values apart. */
function show(value) {
  if (Array.isArray(value)) return `[${value.map(show).join(", ")}]`;
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "bigint") return `${value}n`;
  return Object.is(value, -0) ? "-0" : String(value);
}

/** Fails unless both values are shown alike. */
function same(actual, expected, what = "value") {
  if (show(actual) !== show(expected)) {
    throw new Error(`${what}: expected ${show(expected)}, got ${show(actual)}`);
  }
}

/** Fails unless both are the identical value. */
function identical(actual, expected, what = "value") {
  if (!Object.is(actual, expected)) throw new Error(`${what} is another one`);
}

/** The error that `f` throws, which has to be of this class. */
function throws(type, f, what = "call") {
  try {
    f();
  } catch (error) {
    if (!(error instanceof type)) throw new Error(`${what} threw ${show(error)}, not a ${type.name}`);
    return error;
  }
  throw new Error(`${what} threw nothing`);
}

/** The error that a promise is rejected with, which has to be of this class. */
async function rejects(type, promise, what = "promise") {
  try {
    await promise;
  } catch (error) {
    if (!(error instanceof type)) throw new Error(`${what} threw ${show(error)}, not a ${type.name}`);
    return error;
  }
  throw new Error(`${what} was not rejected`);
}
