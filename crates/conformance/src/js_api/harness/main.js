// Gives the tests their global names.

import * as assertions from "ext:js_api/assertions.js";
import { formatValue } from "ext:js_api/format.js";
import * as subtests from "ext:js_api/subtests.js";
import * as web from "ext:js_api/web.js";

const { load, ...names } = subtests;
Object.assign(globalThis, assertions, names, web, { format_value: formatValue });

/// Called once by the harness, which then takes it and deno_core's names away.
globalThis.conformanceLoad = load;
