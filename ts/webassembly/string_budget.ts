// The memory and the time of builtin functions on strings.

import { MathTrunc } from "../core.ts";
import { op_wasm_spend_fuel } from "../ops.ts";

/** The most bytes of these strings if there is no cap on memory. */
const DEFAULT_BYTES = 2 ** 30;

/** The code units that builtin functions read or make for one unit of fuel. */
const UNITS_PER_FUEL = 16;

/**
 * Counts the strings that the builtin functions of a namespace object make. They are JavaScript's, so no limit of a store
 * counts them. They are counted as they are made, and when the budget is used up, those that guests still hold.
 */
export class StringBudget {
  readonly #group: number;
  readonly #max: number;
  readonly #countHeld: () => number;
  #units: number = 0;

  /** `countHeld` returns the code units of the strings that guests hold. `maxBytes` is −1 if there is no cap. */
  constructor(group: number, maxBytes: number, countHeld: () => number) {
    this.#group = group;
    this.#max = (maxBytes < 0 || maxBytes > DEFAULT_BYTES ? DEFAULT_BYTES : maxBytes) / 2;
    this.#countHeld = countHeld;
  }

  /**
   * Uses up the fuel for a function that reads or makes so many code units.
   *
   * @throws {WasmError} `FuelExhausted`.
   */
  spend(units: number): void {
    if (units >= UNITS_PER_FUEL) op_wasm_spend_fuel(this.#group, MathTrunc(units / UNITS_PER_FUEL));
  }

  /** Counts a string of so many code units that is going to be made. Returns whether there is room for it. */
  take(units: number): boolean {
    this.#units += units;
    if (this.#units <= this.#max) return true;
    // At most half of the budget stays in use, so that the next count is far away.
    this.#units = this.#countHeld() + units;
    return this.#units <= this.#max / 2;
  }
}
