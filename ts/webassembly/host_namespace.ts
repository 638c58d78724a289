// The namespace object whose only limits are the caps of the host: the global one, and the one of ES modules.

import { makeNamespace } from "./namespace.ts";
import type { Namespace } from "./namespace.ts";

let ofHost: Namespace | undefined;

/** The namespace object of this runtime without limits of its own. It is made when it is needed first. */
export function hostNamespace(): Namespace {
  return ofHost ??= makeNamespace();
}
