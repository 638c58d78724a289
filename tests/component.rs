//! Components: values both ways, imports, and the fence around them.

mod adversary;
mod async_adversary;
mod async_calls;
mod bloat;
mod bombs;
mod compile;
mod fence;
mod http;
mod http_03;
mod imports;
mod lifetimes;
mod network;
mod network_03;
mod programs;
mod resources;
mod streams;
mod tls;
mod values;
mod wasi;
mod wasi_03;
mod wit;

use crate::support::js::Js;

/// A component whose functions return the list that they get. The elements have these types, and the functions their
/// names. `types` are definitions in the text format.
fn echo(types: &str, elements: &[(&str, &str)]) -> String {
    let functions: String = elements
        .iter()
        .map(|(name, element)| {
            format!(
                r#"(func (export "{name}") (param "values" (list {element})) (result (list {element}))
                     (canon lift (core func $i "echo") (memory $memory) (realloc (core func $i "realloc"))))
                "#
            )
        })
        .collect();
    format!(
        r#"(component
          (core module $m
            (memory (export "memory") 1)
            (global $next (mut i32) (i32.const 1024))
            (func (export "realloc") (param i32 i32 i32 i32) (result i32)
              (local $at i32)
              (local.set $at (i32.and
                (i32.add (global.get $next) (i32.sub (local.get 2) (i32.const 1)))
                (i32.sub (i32.const 0) (local.get 2))))
              (global.set $next (i32.add (local.get $at) (local.get 3)))
              (block $enough
                (br_if $enough (i32.le_u (global.get $next) (i32.mul (memory.size) (i32.const 65536))))
                (if (i32.eq (i32.const -1) (memory.grow (i32.add (i32.const 1) (i32.div_u (local.get 3) (i32.const 65536)))))
                  (then unreachable)))
              (local.get $at))
            (func (export "echo") (param i32 i32) (result i32)
              (i32.store (i32.const 16) (local.get 0))
              (i32.store (i32.const 20) (local.get 1))
              (i32.const 16)))
          (core instance $i (instantiate $m))
          (alias core export $i "memory" (core memory $memory))
          {types}
          {functions})"#
    )
}

/// Compares a text with the snapshot of this name.
fn snapshot(name: &str, text: &str) {
    crate::support::snapshots(|| insta::assert_snapshot!(name, text.trim_end()));
}

/// A runtime with the source of a component as the global `source`.
fn with_source(source: &str) -> Js {
    let mut js = Js::new();
    let source = serde_json::to_string(source).unwrap();
    js.run(&format!(
        "globalThis.source = {source};
         globalThis.component = async (imports, options) =>
             await instantiateComponent(await compileComponent(text(source)), imports, options);"
    ));
    js
}
