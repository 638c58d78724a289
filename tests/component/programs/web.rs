//! A program that handles HTTP requests. componentize-js gives an instance one request, so each has its own instance.

use serde_json::{Value, json};

use super::{LIMITS, granting, made, on_node, printed};
use crate::support::js::Js;

/// Paths and requests. Node sends them, too.
const REQUESTS: &str = "
    async function* parts() { yield Uint8Array.of(0x61, 0x62); yield Uint8Array.of(0x63, 0x2d, 0x64); }
    const requests = [
        ['/greet?name=W%C3%B6rld', { headers: { accept: 'text/html' } }],
        ['/words', { method: 'POST', body: 'to be or not to be' }],
        ['/words', { method: 'POST', body: 'word '.repeat(100_000) }],
        ['/upper', { method: 'POST', body: parts() }],
        ['/elsewhere', {}],
        ['/nowhere', { method: 'DELETE' }],
    ];
    const told = (status, type, by, text) => [status, type, by ?? 'nobody', text.length > 1000 ? text.length : text];";

fn expected() -> Value {
    json!([
        [
            201,
            "application/json",
            "web.js",
            "{\"hello\":\"W\u{f6}rld\",\"accept\":\"text/html\"}"
        ],
        [
            200,
            "application/json",
            "nobody",
            "[\"to\",\"be\",\"or\",\"not\",\"to\",\"be\"]"
        ],
        [200, "application/json", "nobody", 700_001],
        [200, "text/plain", "nobody", "ABC-D"],
        [502, "text/plain", "nobody", "TypeError"],
        [404, "text/plain", "nobody", "no such page"],
    ])
}

#[test]
fn a_program_in_javascript_handles_requests() {
    let Some(component) = made("web-js.wasm") else {
        return;
    };
    let got = Js::with(granting(&component)).run(&format!(
        "const component = await compileComponentFile({});
         const make = () => instantiateComponent(component, {{}}, {{ wasi: {{ stderr: 'piped' }}, {LIMITS} }});
         const read = async (body) => {{
             const bytes = [];
             for await (const part of body) for (const byte of part) bytes.push(byte);
             return Deno.core.decode(Uint8Array.from(bytes));
         }};
         {REQUESTS}
         const answers = [];
         for (const [path, request] of requests) {{
             const {{ status, headers, body }} = await (await make()).handle({{ url: `https://example.com:8443${{path}}`, ...request }});
             const head = (name) => headers.find(([key]) => key === name)?.[1];
             answers.push(told(status, head('content-type'), head('x-made-by'), await read(body)));
         }}
         const empty = await (await make()).handle({{ url: 'https://example.com/empty' }});
         // The response starts before the request has ended.
         const order = [];
         let answer;
         const answered = new Promise((resolve) => {{ answer = resolve; }});
         async function* talk() {{ yield 'ping'; await answered; order.push('goes on'); yield 'pong'; }}
         const {{ body }} = await (await make()).handle({{ url: 'https://example.com/upper', method: 'POST', body: talk() }});
         for await (const part of body) {{ order.push(Deno.core.decode(part)); answer(); }}
         return [answers, empty.status, await read(empty.body), order];",
        json!(component)
    ));
    assert_eq!(
        got,
        json!([expected(), 204, "", ["PING", "goes on", "PONG"]])
    );
}

/// The shim of jco is a server, whose client has to be another thread: the component runs on the first one. A response
/// without a body ends the shim with a `TypeError`, so Node sends no such request.
#[test]
fn a_translation_to_javascript_gives_the_same_responses() {
    let client = format!(
        "import {{ parentPort }} from 'node:worker_threads';
         {REQUESTS}
         const answers = [];
         parentPort.on('message', async (port) => {{
             const [path, request] = requests.shift();
             const response = await fetch(`http://127.0.0.1:${{port}}${{path}}`, {{ duplex: 'half', ...request }});
             const head = (name) => response.headers.get(name);
             answers.push(told(response.status, head('content-type'), head('x-made-by'), await response.text()));
             parentPort.postMessage(requests.length === 0 ? answers : undefined);
         }});"
    );
    let script = format!(
        "import {{ Worker }} from 'node:worker_threads';
         import {{ HTTPServer }} from '@bytecodealliance/preview2-shim/http';
         const client = new Worker({}, {{ eval: true }});
         let served = 0;
         let server;
         // Each import with another query is another instance.
         const serve = async () => {{
             server?.stop();
             server = new HTTPServer((await import(`${{translated}}?${{served++}}`)).incomingHandler);
             server.listen(0, '127.0.0.1');
             client.postMessage(server.address().port);
         }};
         client.on('message', (answers) => {{
             if (answers === undefined) return serve();
             console.log(JSON.stringify(answers));
             process.exit();
         }});
         await serve();",
        json!(client)
    );
    if let Some(output) = on_node("web-js", &script, "") {
        assert_eq!(printed(&output), expected());
    }
}
