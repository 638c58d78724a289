//! Every function returns an error number for any arguments.

use serde_json::json;

use super::{FUNCTIONS, Folder};

/// Values for arguments: descriptors, flags, counts, lengths, times, and addresses near the ends of a memory and of
/// the 32-bit range.
const NUMBERS: &str = "[0, 1, 2, 3, 4, 5, 8, 48, 100, 1024, 1025, 4096, 4097, 65488, 65528, 65532, 65536, 0x10000000, 0x20000001,
    0x7fffffff, -0x80000000, -65536, -4096, -96, -64, -56, -48, -26, -24, -16, -8, -4, -3, -2, -1]";

/// The memories: an empty one, one page, all 32-bit addresses, more than that, and a shared one.
const MEMORIES: [&str; 5] = ["0", "1", "65536", "i64 65600", "1 1 shared"];

#[test]
fn every_function_returns_for_any_arguments() {
    let folder = Folder::new("anything");
    let names: Vec<&str> = FUNCTIONS.iter().map(|(name, _)| *name).collect();
    for memory in MEMORIES {
        let result = folder.js().run(&format!(
            "everything = everything.replace('(memory (export \"memory\") 4)', '(memory (export \"memory\") {memory})');
             // Its code is kept for all guests.
             const kept = await compile(text(everything));
             const numbers = {NUMBERS};
             let seed = 1;
             const random = (below) => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0, Math.floor(seed / 65536) % below);
             const answers = {{}};
             for (const name of {}) {{
                 // A deadline, because some calls work or wait for a long time.
                 const start = () => guest({{ preopens: {{ '/': {{ path: root + 'granted', readonly: true }} }}, stdin: 'x', args: ['a'], env: {{ b: 'c' }} }}, {{ timeoutMs: 20 }});
                 let g = await start();
                 const {{ params }} = g.instance.getExport(name);
                 for (let i = 0; i < 45; i++) {{
                     const all = i < numbers.length ? () => numbers[i] : () => numbers[random(numbers.length)];
                     const args = params.map((type) => type === 'i64' ? BigInt(all()) : all());
                     let answer;
                     try {{
                         answer = g.instance.call(name, args);
                     }} catch (error) {{
                         answer = error.trap ?? tell(error);
                     }}
                     const known = answer === 'interrupt' || answer >= 0 && answer <= 76;
                     if (!known) (answers[name] ??= []).push([args.map(String), answer]);
                     if (typeof answer !== 'number' || /close|renumber/.test(name)) {{
                         g.instance.drop();
                         g = await start();
                     }}
                 }}
                 g.instance.drop();
             }}
             return answers;",
            json!(names)
        ));
        assert_eq!(result, json!({}), "memory {memory}");
    }
    assert_eq!(
        std::fs::read(folder.path("granted/file")).unwrap(),
        b"inside"
    );
    assert_eq!(std::fs::read(folder.path("secret")).unwrap(), b"outside");
}

/// A call that passes through no guest has no memory to read or write.
#[test]
fn a_reexported_function_has_no_memory() {
    let folder = Folder::new("again");
    let again: String = FUNCTIONS
        .iter()
        .map(|(name, params)| {
            format!(
                "(import \"wasi_snapshot_preview1\" \"{name}\" (func ${name} (param {params}) (result i32)))\n"
            )
        })
        .chain(FUNCTIONS.iter().map(|(name, _)| format!("(export \"{name}\" (func ${name}))")))
        .collect();
    let result = folder.js().run(&format!(
        "const instance = await load({}, {{}}, {{ wasi: {{ preopens: {{ '/': root + 'granted' }} }} }});
         const results = new Set();
         for (const {{ name, kind }} of instance.exports) {{
             if (kind === 'memory') continue;
             const args = instance.getExport(name).params.map((type) => type === 'i64' ? 0n : 0);
             const error = await caught(() => {{ throw instance.call(name, args); }});
             results.add(error.message ?? `${{name}} is ${{error}}`);
         }}
         return [...results];",
        json!(format!("(module {again} (memory (export \"memory\") 1))"))
    ));
    println!("{result}");
    assert!(result.as_array().unwrap().len() < 3, "{result}");
}
