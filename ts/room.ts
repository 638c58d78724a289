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
function roomFor(live: () => number, most: () => number): () => Promise<void> {
  let collectAt = FEW;
  return async () => {
    const before = live();
    if (before < collectAt && before < most()) return;
    op_wasm_collect_js();
    // Things are dropped by finalizers, which run in a turn of the event loop of their own.
    await op_wasm_turn();
    const left = live();
    collectAt = 2 * left < FEW ? FEW : 2 * left;
  };
}

/** Makes room for an instance. */
export const roomForInstance = roomFor(op_wasm_live_instances, op_wasm_max_instances);

/** Makes room for a module. */
export const roomForModule = roomFor(op_wasm_live_modules, () => Infinity);
