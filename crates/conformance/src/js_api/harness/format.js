// Values and thrown values as text.

const { core } = Deno;

/// The name of the test's file in stacks.
const FILE = core.ops.op_js_api_file();

/// How long a value may be in a message or in the name of a subtest.
const MAX_VALUE_LENGTH = 1000;

/// How long a message may be.
const MAX_MESSAGE_LENGTH = 500;

const ESCAPES = { "\0": "\\0", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\v": "\\v", "\f": "\\f", "\r": "\\r" };

function escape(character) {
    const code = character.charCodeAt(0).toString(16).padStart(2, "0");
    return ESCAPES[character] ?? `\\x${code}`;
}

/// A value as text. Tests use it in the names of subtests.
function formatValue(value, within = []) {
    if (Array.isArray(value)) {
        if (within.includes(value)) return "[...]";
        return `[${value.map((element) => formatValue(element, [...within, value])).join(", ")}]`;
    }
    switch (typeof value) {
        case "string": {
            const escaped = value.replaceAll("\\", "\\\\").replaceAll('"', '\\"');
            return `"${escaped.replace(/[\0-\x1f\x7f\ufffe\uffff]/g, escape)}"`;
        }
        case "bigint":
            return `${value}n`;
        case "number":
            return Object.is(value, -0) ? "-0" : String(value);
        case "boolean":
        case "undefined":
            return String(value);
    }
    if (value === null) return "null";
    let text;
    try {
        text = String(value);
    } catch (error) {
        text = `no string: ${error}`;
    }
    return `${typeof value} "${text.slice(0, MAX_VALUE_LENGTH)}"`;
}

/// The line of the test's file in which an error was made; 0 if it was made elsewhere.
function lineOf(error) {
    const stack = typeof error?.stack === "string" ? error.stack : "";
    const at = stack.indexOf(`${FILE}:`);
    return at < 0 ? 0 : Number.parseInt(stack.slice(at + FILE.length + 1), 10) || 0;
}

/// A thrown value as text.
function formatThrown(thrown) {
    let text;
    try {
        const isError = typeof thrown === "object" && thrown !== null && "message" in thrown;
        text = isError ? `${thrown.name}: ${thrown.message}` : formatValue(thrown);
    } catch {
        text = "a value that cannot be shown";
    }
    return text.slice(0, MAX_MESSAGE_LENGTH);
}

/// A thrown value as text, with its line in the test's file.
function describe(thrown) {
    const line = lineOf(thrown);
    return formatThrown(thrown) + (line > 0 ? ` (line ${line})` : "");
}

