import {
  op_wasm_collect_js,
  op_wasm_live_instances,
  op_wasm_live_modules,
  op_wasm_max_instances,
  op_wasm_turn,
} from "./core.ts";

/** How many things JavaScript's collector is left alone with. */
const FEW = 1000;

/**
 * What lets JavaScript collect things that nobody refers to, when there have come to be many: its
 * collector does not see how much memory each stands for.
 */
class Room {
  readonly #live: () => number;
  readonly #most: () => number;
  /** What that told. */
  #cap: number | undefined;
  #collectAt: number = FEW;
  /** The collection that is under way. */
  #collection: Promise<void> | undefined;

  constructor(live: () => number, most: () => number) {
    this.#live = live;
    this.#most = most;
  }

  /** Whether it is time to. */
  isScarce(): boolean {
    const live = this.#live();
    return live >= this.#collectAt || live >= (this.#cap ??= this.#most());
  }

  /** Makes room. Whoever asks for it meanwhile waits for the same collection. */
  async make(): Promise<void> {
    this.#collection ??= this.#collect();
    await this.#collection;
  }

  async #collect(): Promise<void> {
    op_wasm_collect_js();
    // Things are dropped by finalizers, which run in a turn of the event loop of their own.
    await op_wasm_turn();
    const left = this.#live();
    this.#collectAt = 2 * left < FEW ? FEW : 2 * left;
    this.#collection = undefined;
  }
}

export const roomForInstances: Room = new Room(op_wasm_live_instances, op_wasm_max_instances);
export const roomForModules: Room = new Room(op_wasm_live_modules, () => Infinity);
