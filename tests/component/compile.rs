//! Compilation of components: what is refused, and the caps.

use ext_wasm::{ModuleLimits, WasmCapabilities};
use serde_json::json;

use super::snapshot;
use crate::support::js::Js;

fn message(js: &mut Js, source: &str) -> String {
    let source = serde_json::to_string(source).unwrap();
    let error = js.run(&format!(
        "return tell(await caught(() => compileComponent(text({source}))))"
    ));
    assert_eq!(error["code"], 5000, "{source}: {error:#}");
    error["message"].as_str().unwrap().to_owned()
}

#[test]
fn sources_that_are_no_valid_components_are_refused() {
    let mut js = Js::new();
    let mut messages = String::new();
    for source in [
        "",
        "(module)",
        "(component",
        "(component (import \"a\" (func $f (param \"x\" u32))) (import \"a\" (func)))",
        "(component (core module (func (result i32))))",
        "(component (core module (memory 1) (func try nop catch_all nop end)))",
        "(component (type $r (record (field \"a\" u32))) (import \"f\" (func (param \"r\" $r))))",
        "(component (import \"f\" (func (param \"e\" error-context))))",
        "(component (import \"f\" (func $f)) (export \"g\" (func $f)))",
        "(component (component $c) (instance (instantiate $c)) (core module (func (param i64) (i32.ctz (local.get 0)) drop)))",
    ] {
        messages += &format!("{source}\n    {}\n", message(&mut js, source));
    }
    for script in [
        "await compileComponent(wat('(module)'))",
        "await compile(wat('(component)'))",
        "await compile(text('(component)'))",
        "await compileComponent(new Uint8Array([0, 97, 115, 109, 12, 0, 1, 0]))",
        "await compileComponent(new Uint8Array([0, 97, 115, 109, 13, 0, 1, 0, 1]))",
        "await compileComponent('(component)')",
        "await compileComponentFile('wat/add.wat')",
        "await compileComponentFile(5)",
    ] {
        let error = js.run(&format!(
            "return tell(await caught(async () => {{ {script} }}))"
        ));
        assert_eq!(error["code"], 5000, "{script}: {error:#}");
        messages += &format!("{script}\n    {}\n", error["message"].as_str().unwrap());
    }
    snapshot("component_compile_errors", &messages);
}

#[test]
fn imports_and_exports_are_described() {
    let mut js = Js::new();
    let described = js.run(
        r#"const component = await compileComponent(text(`(component
             (import "f" (func (param "a" u32) (param "b" (list string)) (result (option char))))
             (import "my:pkg/types@1.0.0" (instance
               (type $r (record (field "some-name" string)))
               (export "r" (type (eq $r)))
               (export "res" (type (sub resource)))))
             (core module $m (func (export "g")))
             (core instance $i (instantiate $m))
             (func (export "run-it") (canon lift (core func $i "g"))))`));
           return [component.imports, component.exports, Object.isFrozen(component.imports)];"#,
    );
    assert_eq!(
        described,
        json!([
            [
                {
                    "name": "f",
                    "kind": "function",
                    "async": false,
                    "params": [
                        { "name": "a", "type": "u32" },
                        { "name": "b", "type": "list<string>" },
                    ],
                    "result": "option<char>",
                },
                {
                    "name": "my:pkg/types@1.0.0",
                    "kind": "instance",
                    "items": [
                        { "name": "r", "kind": "type" },
                        { "name": "res", "kind": "resource" },
                    ],
                },
            ],
            [{ "name": "run-it", "kind": "function", "async": false, "params": [] }],
            true,
        ])
    );
}

/// A runtime with a changed limit on modules and components.
fn limited(change: impl FnOnce(&mut ModuleLimits)) -> Js {
    let mut limits = ModuleLimits::default();
    change(&mut limits);
    let mut capabilities = WasmCapabilities::default();
    capabilities.module_limits = limits;
    Js::with(capabilities)
}

#[test]
fn caps_hold_for_the_modules_in_a_component() {
    let two = "(component (core module (func) (func)) (component (core module (func) (func))))";
    let mut js = limited(|limits| limits.max_functions = 3);
    assert_eq!(
        message(&mut js, two),
        "the component has 4 functions, which exceeds the cap of 3 (max_functions)"
    );
    let mut js = limited(|limits| limits.max_functions = 1);
    assert_eq!(
        message(&mut js, two),
        "module 0 of the component: the module has 2 functions, which exceeds the cap of 1 (max_functions)"
    );
    let mut js = limited(|limits| limits.max_component_modules = 1);
    assert_eq!(
        message(&mut js, two),
        "the component has more than 1 modules, which exceeds the cap of 1 (max_component_modules)"
    );
    let mut js = limited(|limits| limits.max_component_nesting = 0);
    assert_eq!(
        message(&mut js, two),
        "the component has 1 nested components, which exceeds the cap of 0 (max_component_nesting)"
    );
    let mut js = limited(|limits| limits.max_interface_types = 3);
    assert_eq!(
        message(
            &mut js,
            "(component (import \"f\" (func (param \"x\" (tuple u8 u8 u8)))))"
        ),
        "the imports and exports of the component have more than 3 types, fields and cases (max_interface_types)"
    );
    let mut js = limited(|limits| limits.max_compile_ms = 0);
    let slow = message(&mut js, "(component (core module (func (nop))))");
    assert!(slow.contains("max_compile_ms"), "{slow}");
}

/// A component that instantiates the component in it twice, and so on, `depth` deep: one that makes 2^`depth` instances.
fn doubling(depth: usize) -> String {
    let mut inner = "(component $c0 (core module $m) (core instance (instantiate $m)))".to_owned();
    for level in 1..=depth {
        let below = level - 1;
        inner = format!(
            "(component $c{level} {inner} (instance (instantiate $c{below})) (instance (instantiate $c{below})))"
        );
    }
    format!("(component {inner} (instance (instantiate $c{depth})))")
}

#[test]
fn a_component_cannot_multiply_itself() {
    let mut js = Js::new();
    assert_eq!(
        message(&mut js, &doubling(60)),
        "the component makes more than 100000 items when it is instantiated, which exceeds the cap of 100000 \
         (max_component_items)"
    );
    let made = js.run(&format!(
        "const component = await compileComponent(text(`{}`));
         await instantiateComponent(component);
         return Deno.core.ops.op_wasm_live_instances();",
        doubling(5)
    ));
    assert_eq!(made, 32);
}

#[test]
fn a_component_whose_modules_wait_on_shared_memory_gets_no_fence() {
    let mut js = Js::new();
    let got = js.run(
        "const component = await compileComponent(text(`(component (component
             (core module (memory 1 1 shared)
               (func (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1)))))))`));
         return [tell(await caught(() => instantiateComponent(component, {}, { fuel: 1 }))),
                 (await instantiateComponent(component)).ended];",
    );
    assert_eq!(got[0]["code"], 5001);
    assert_eq!(
        got[0]["message"],
        "the component waits on shared memory (memory.atomic.wait), which neither fuel nor a deadline can end"
    );
    assert_eq!(got[1], false);
}

#[test]
fn shared_memories_count_with_their_maximum_as_often_as_they_are_made() {
    let mut js = Js::new();
    let source = "(component (core module $m (memory 1 10 shared))
        (core instance (instantiate $m)) (core instance (instantiate $m)))";
    let got = js.run(&format!(
        "const component = await compileComponent(text(`{source}`));
         const options = (pages) => ({{ maxMemoryBytes: pages * 65536 }});
         await instantiateComponent(component, {{}}, options(20));
         return tell(await caught(() => instantiateComponent(component, {{}}, options(19))));"
    ));
    assert_eq!(got["code"], 5001, "{got:#}");
}

#[test]
fn components_in_files() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(crate::support::child::own_name("component-files"));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("five.wat");
    let source = r#"(component
      (core module $m (func (export "five") (result i32) (i32.const 5)))
      (core instance $i (instantiate $m))
      (func (export "five") (result u32) (canon lift (core func $i "five"))))"#;
    std::fs::write(&file, source).unwrap();
    std::fs::write(folder.join("module.wat"), "(module)").unwrap();
    let mut capabilities = WasmCapabilities::default();
    capabilities.allow_file_compile = true;
    capabilities.compile_paths = vec![folder.clone()];
    let mut js = Js::with(capabilities);
    let got = js.run(&format!(
        "const made = await compileComponentFile({});
         const instance = await wasm.instantiateComponent(made);
         const codes = [];
         for (const path of [{}, {}, 'wat/add.wat']) codes.push(await codeOf(() => compileComponentFile(path)));
         return [instance.exports.five(), codes];",
        json!(file),
        json!(folder.join("module.wat")),
        json!(folder.join("missing.wat")),
    ));
    assert_eq!(got, json!([5, [5000, 5000, 5000]]));
}
