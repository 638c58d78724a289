//! The WIT of a component, and its TypeScript declarations. wit-component says whether the component is one of the world that the text describes.

use std::path::Path;
use std::process::Command;

use ext_wasm::{WasmCapabilities, WasmState};
use wit_parser::Resolve;

use super::{programs, snapshot};
use conformance::wasi::adapter::component_of;

/// An interface of each kind of item, which is imported and exported, and another that uses its types.
const EVERYTHING: &str = r#"(component
  (import "test:all/types@1.2.3" (instance $types
    (type $color' (enum "red" "dark-blue"))
    (export "color" (type $color (eq $color')))
    (type $size' (record (field "width" u8) (field "list" (list $color)) (field "map" (option (option string)))))
    (export "size" (type $size (eq $size')))
    (type $shape' (variant (case "point") (case "rect" $size) (case "pair" (tuple s8 u16 s16 u32 s32 u64 s64 f32 f64 char bool))))
    (export "shape" (type $shape (eq $shape')))
    (type $set' (flags "read" "write-all"))
    (export "set" (type $set (eq $set')))
    (type $names' (list string))
    (export "names" (type $names (eq $names')))
    (type $number' u32)
    (export "number" (type (eq $number')))
    (export "canvas" (type $canvas (sub resource)))
    (export "[constructor]canvas" (func (param "size" $size) (result (own $canvas))))
    (export "[method]canvas.draw" (func (param "self" (borrow $canvas)) (param "shape" $shape) (result (result (error string)))))
    (export "[static]canvas.all" (func (result (list (own $canvas)))))
    (export "use" (func (param "from" (borrow $canvas)) (param "set" $set) (result (result (own $canvas) (error $shape)))))
    (export "either" (func (param "names" $names) (result (result))))
    (export "ok" (func (result (result u8))))))
  (alias export $types "size" (type $size))
  (alias export $types "canvas" (type $canvas))
  (import "test:all/other@1.2.3" (instance
    (alias outer 1 $size (type $s))
    (export "size" (type $size (eq $s)))
    (alias outer 1 $size (type $s2))
    (export "extent" (type $extent (eq $s2)))
    (alias outer 1 $canvas (type $c))
    (export "canvas" (type $canvas (eq $c)))
    (export "measure" (func (param "canvas" (borrow $canvas)) (result $size)))
    (export "grow" (func (param "by" $extent)))))
  (import "log" (func (param "line" string)))
  (import "plain" (instance (export "f" (func (result u32)))))
  (core module $m (func (export "run") (result i32) (i32.const 0)))
  (core instance $i (instantiate $m))
  (func $run (result (result)) (canon lift (core func $i "run")))
  (instance $command (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $command))
  (export "status" (func $run)))"#;

/// A program that uses the declarations of [`EVERYTHING`].
const PROGRAM: &str = r#"
import type { Exports, Imports, TestAllTypes } from "./component.d.ts";
import { instantiateComponent, type WasmComponent } from "host:wasm";

class Canvas implements TestAllTypes.Canvas {
  size: TestAllTypes.Size;
  constructor(size: TestAllTypes.Size) { this.size = size; }
  draw(shape: TestAllTypes.Shape): void {
    if (shape.tag === "rect") this.size = shape.val;
  }
  static all(): Canvas[] { return []; }
}

export async function run(component: WasmComponent): Promise<void> {
  const imports: Imports = {
    "test:all/types@1.2.3": {
      Canvas,
      use(from: Canvas, set: TestAllTypes.Set): Canvas { return set.writeAll ? from : new Canvas(from.size); },
      either(names: string[]): void { names.map((name) => name.length); },
      ok(): number { return 1; },
    },
    "test:all/other@1.2.3": {
      measure(canvas: Canvas): TestAllTypes.Size { return canvas.size; },
      async grow(by: TestAllTypes.Size): Promise<void> { await by.list; },
    },
    log(line: string): void { line.trim(); },
    plain: { f: () => 5 },
  };
  const { exports } = await instantiateComponent(component, imports as never);
  const typed = exports as Exports;
  typed.status();
  typed.run.run();
  const canvas = new Canvas({ width: 3, list: ["red", "dark-blue"], map: { tag: "some", val: undefined } });
  canvas.draw({ tag: "point" });
  canvas.draw({ tag: "pair", val: [1, 2, 3, 4, 5, 6n, 0n, 1.5, 2.5, "c", true] });
}
"#;

fn wit_of(component: &[u8]) -> String {
    let state = WasmState::new(WasmCapabilities::default()).unwrap();
    state.component_interface(component).unwrap().wit().unwrap()
}

/// Checks that a component is one of the world that its WIT describes.
fn check(component: &[u8]) {
    let wit = wit_of(component);
    let mut resolve = Resolve::new();
    let package = resolve.push_str("component.wit", &wit);
    let package = package.unwrap_or_else(|error| panic!("{error:#}\n{wit}"));
    let world = resolve.select_world(&[package], Some("root")).unwrap();
    let targeted = wit_component::targets(&resolve, world, component);
    targeted.unwrap_or_else(|error| panic!("{error:#}\n{wit}"));
}

#[test]
fn every_kind_of_item_is_in_the_text() {
    let component = wat::parse_str(EVERYTHING).unwrap();
    snapshot("wit", &wit_of(&component));
    check(&component);
    let state = WasmState::new(WasmCapabilities::default()).unwrap();
    let types = state.component_interface(&component).unwrap().types();
    snapshot("wit_types", &types.unwrap());
}

/// Asynchronous functions, streams and futures.
const ASYNCHRONOUS: &str = r#"(component
  (import "test:all/feed@1.0.0" (instance
    (type $line' (record (field "text" string)))
    (export "line" (type $line (eq $line')))
    (type $lines' (stream $line))
    (export "lines" (type $lines (eq $lines')))
    (export "load" (func async (param "id" u32) (result string)))
    (type $bytes (stream u8))
    (type $followed (result $bytes (error string)))
    (export "follow" (func async (param "lines" $lines) (result $followed)))
    (type $numbers (list u16))
    (type $value (future $numbers))
    (type $done (future))
    (export "later" (func (param "value" $value) (result $done)))
    (type $ticks (stream))
    (export "ticks" (func (result $ticks))))))"#;

#[test]
fn asynchronous_functions_streams_and_futures_are_in_the_text() {
    let component = wat::parse_str(ASYNCHRONOUS).unwrap();
    snapshot("async_wit", &wit_of(&component));
    check(&component);
    let state = WasmState::new(WasmCapabilities::default()).unwrap();
    let types = state.component_interface(&component).unwrap().types();
    snapshot("async_wit_types", &types.unwrap());
}

/// The compiler of TypeScript accepts the declarations, and a program that uses them, but no wrong one.
#[test]
fn the_compiler_accepts_the_declarations() {
    let Some(modules) = programs::made("node_modules/typescript") else {
        return;
    };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(crate::support::child::own_name("component-types"));
    _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let state = WasmState::new(WasmCapabilities::default()).unwrap();
    let component = state.component_interface(EVERYTHING.as_bytes()).unwrap();
    let api = include_str!("../../types/host-wasm.d.ts");
    std::fs::write(folder.join("host-wasm.d.ts"), api).unwrap();
    std::fs::write(folder.join("component.d.ts"), component.types().unwrap()).unwrap();
    let compile = |program: &str| {
        std::fs::write(folder.join("program.ts"), program).unwrap();
        let mut node = Command::new("node");
        node.arg(modules.join("bin/tsc"))
            .args(["--noEmit", "--strict"]);
        node.args([
            "--target",
            "esnext",
            "--module",
            "esnext",
            "--moduleResolution",
            "bundler",
        ]);
        node.args([
            "--lib",
            "esnext,dom",
            "--skipLibCheck",
            "false",
            "--types",
            "",
        ]);
        let output = node
            .args(["host-wasm.d.ts", "program.ts"])
            .current_dir(&folder)
            .output();
        let output = output.unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert_eq!(compile(PROGRAM), "");
    for (right, wrong, message) in [
        (
            "width: 3",
            "width: \"3\"",
            "Type 'string' is not assignable to type 'number'",
        ),
        (
            "tag: \"point\"",
            "tag: \"pint\"",
            "Did you mean '\"point\"'",
        ),
        (
            "0n, ",
            "0, ",
            "Type 'number' is not assignable to type 'bigint'",
        ),
        (
            "canvas.draw",
            "canvas.drew",
            "Property 'drew' does not exist",
        ),
    ] {
        let errors = compile(&PROGRAM.replacen(right, wrong, 1));
        assert!(errors.contains(message), "{errors}");
    }
}

#[test]
fn components_of_toolchains_are_of_the_world_that_the_text_describes() {
    let command =
        wat::parse_str("(module (memory (export \"memory\") 1) (func (export \"_start\")))")
            .unwrap();
    check(&component_of(&command).unwrap());
    for name in programs::NAMES {
        let Some(file) = programs::made(&format!("{name}.wasm")) else {
            continue;
        };
        let component = std::fs::read(file).unwrap();
        check(&component);
    }
}

/// The validator accepts URLs as names, whose text must not become code.
#[test]
fn names_are_never_code() {
    let name = "url=<*/\nexport const injected = 1; /*\n}\nworld other {}>";
    let component = format!(
        "(component
           (import {name:?} (instance (export \"f\" (func))))
           (import \"my:pkg/iface@1.2.3-rc.1+b\" (instance (type $t' (record (field \"a\" u8))) (export \"t\" (type (eq $t'))))))"
    );
    let state = WasmState::new(WasmCapabilities::default()).unwrap();
    let component = match state.component_interface(component.as_bytes()) {
        Ok(component) => component,
        Err(error) => panic!("{error}"),
    };
    for text in [component.wit().unwrap(), component.types().unwrap()] {
        let is_code =
            |line: &str| line.starts_with("export const") || line.starts_with("world other");
        assert!(!text.lines().any(is_code), "{text}");
    }
}

#[test]
fn a_text_without_an_end_is_refused() {
    let types: String = (1..18)
        .map(|level| format!("(type $t{level} (tuple $t{} $t{}))", level - 1, level - 1))
        .collect();
    let text = format!(
        "(component (type $t0 (tuple string string string)) {types} (import \"f\" (func (param \"x\" $t17))))"
    );
    let state = WasmState::new(WasmCapabilities::default()).unwrap();
    let component = state.component_interface(text.as_bytes()).unwrap();
    let error = component.wit().unwrap_err();
    assert_eq!(
        error.message,
        "the WIT of the component has more than 4194304 bytes"
    );
}
