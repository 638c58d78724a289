// The internals of deno_core, and the primordials: JavaScript's builtins as they are before app code can change them.

// deno_core has no import of its internals for the module of an extension. The global object has them, and host:wasm
// starts before any app code can change it.
export const { core } = globalThis.Deno;
export const bootstrap = globalThis.__bootstrap;
export const {
  encode,
  isPromise,
  refOpPromise,
  registerErrorBuilder,
  unrefOpPromise,
} = core;
export const {
  ArrayBufferIsView,
  ArrayBufferPrototype,
  ArrayBufferPrototypeGetByteLength,
  ArrayIsArray,
  ArrayPrototype,
  BigInt,
  BigInt64Array,
  BigIntAsIntN,
  BigIntAsUintN,
  DataViewPrototypeGetBuffer,
  DataViewPrototypeGetByteLength,
  DataViewPrototypeGetByteOffset,
  Float32Array,
  Float64Array,
  Int32Array,
  JSONParse,
  JSONStringify,
  MathTrunc,
  Number,
  NumberIsSafeInteger,
  NumberPrototypeToString,
  ObjectDefineProperties,
  ObjectDefineProperty,
  ObjectFreeze,
  ObjectGetOwnPropertyDescriptor,
  ObjectGetOwnPropertyDescriptors,
  ObjectGetPrototypeOf,
  ObjectHasOwn,
  ObjectKeys,
  ObjectPrototype,
  ObjectSetPrototypeOf,
  Promise,
  RangeError,
  ReflectApply,
  ReflectConstruct,
  SafeFinalizationRegistry,
  SafeMap,
  SafeWeakMap,
  String,
  StringPrototypeCharCodeAt,
  StringPrototypeSlice,
  SymbolFor,
  TypeError,
  TypedArrayPrototypeGetBuffer,
  TypedArrayPrototypeGetByteLength,
  TypedArrayPrototypeGetByteOffset,
  TypedArrayPrototypeGetLength,
  TypedArrayPrototypeGetSymbolToStringTag,
  TypedArrayPrototypeSet,
  Uint32Array,
  Uint8Array,
} = globalThis.__bootstrap.primordials;

/** The getter `byteLength` of `SharedArrayBuffer`, for which deno_core has no primordial. */
export const sharedByteLength = ObjectGetOwnPropertyDescriptor(
  globalThis.SharedArrayBuffer.prototype,
  "byteLength",
).get;
