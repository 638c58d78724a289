import { ObjectDefineProperty } from "../core.ts";

/**
 * The `err` of a `result` that a function of a component returns. A function that a component imports throws it in place
 * of returning an `err`.
 */
export class ComponentError extends Error {
  /** The value of the `err`; `undefined` if it has none. */
  declare readonly payload: unknown;

  constructor(payload?: unknown, message: string = "the component returned an error") {
    super(message);
    ObjectDefineProperty(this, "payload", {
      __proto__: null,
      value: payload,
      enumerable: true,
      configurable: true,
    });
  }
}
ObjectDefineProperty(ComponentError.prototype, "name", {
  __proto__: null,
  value: "ComponentError",
  writable: true,
  configurable: true,
});
