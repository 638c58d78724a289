import {
  op_wasm_collect_js,
  op_wasm_live_instances,
  op_wasm_max_instances,
  op_wasm_turn,
} from "./core.ts";

/** At how many live instances JavaScript's garbage is collected next. */
let collectAt = 1000;

/**
 * Lets JavaScript collect instances that nobody refers to, when there have come to be many: its
 * collector does not see how much memory each stands for.
 */
export async function makeRoom(): Promise<void> {
  const cap = op_wasm_max_instances();
  const live = op_wasm_live_instances();
  if (live < collectAt && live < cap) return;
  op_wasm_collect_js();
  // Stores are dropped by finalizers, which run in a turn of the event loop of their own.
  await op_wasm_turn();
  const left = op_wasm_live_instances();
  collectAt = 2 * left < 1000 ? 1000 : 2 * left;
}
