//! An app gets only what the host grants.

use std::path::PathBuf;

use ext_wasm::WasmCapabilities;
use serde_json::json;

use crate::support::js::Js;

/// A fresh folder with `inside/add.wat`, `outside/add.wat`, and links between them.
struct Files(PathBuf);

impl Files {
    fn new(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("ext_wasm-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&root);
        for folder in ["inside", "outside"] {
            std::fs::create_dir_all(root.join(folder)).unwrap();
            std::fs::write(root.join(folder).join("add.wat"), "(module)").unwrap();
        }
        #[cfg(unix)]
        {
            let link = std::os::unix::fs::symlink::<PathBuf, PathBuf>;
            link(root.join("outside/add.wat"), root.join("inside/leaves.wat")).unwrap();
            link(root.join("inside/add.wat"), root.join("outside/enters.wat")).unwrap();
        }
        std::fs::write(root.join("inside/broken.wat"), "(module").unwrap();
        Self(root)
    }

    fn path(&self, path: &str) -> String {
        self.0.join(path).to_string_lossy().into_owned()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(unix)]
#[test]
fn only_granted_files_compile() {
    let files = Files::new("granted");
    let mut capabilities = WasmCapabilities::default();
    capabilities.allow_file_compile = true;
    capabilities.compile_paths = vec![files.0.join("inside")];
    let mut js = Js::with(capabilities);
    let mut code =
        |path: &str| js.run(&format!("return await codeOf(() => compileFile({path:?}))"));

    assert_eq!(code(&files.path("inside/add.wat")), json!(null));
    assert_eq!(code(&files.path("outside/enters.wat")), json!(null));
    for refused in [
        "outside/add.wat",
        "inside/leaves.wat",
        "inside/../outside/add.wat",
        "inside/missing.wat",
        "inside",
        "inside/broken.wat",
        "inside/add.wat\0",
    ] {
        assert_eq!(code(&files.path(refused)), json!(5000), "{refused}");
    }
}

#[test]
fn a_message_does_not_reveal_whether_a_file_exists() {
    let files = Files::new("existence");
    let mut capabilities = WasmCapabilities::default();
    capabilities.allow_file_compile = true;
    capabilities.compile_paths = vec![files.0.join("inside")];
    let mut js = Js::with(capabilities);
    let mut message = |path: &str| {
        let path = files.path(path);
        let result = js.run(&format!(
            "return (await caught(() => compileFile({path:?}))).message"
        ));
        result.as_str().unwrap().replace(&path, "PATH")
    };
    assert_eq!(message("outside/add.wat"), message("outside/missing.wat"));
}

#[test]
fn no_file_compiles_without_a_list_of_paths() {
    let files = Files::new("none");
    let mut capabilities = WasmCapabilities::default();
    capabilities.allow_file_compile = true;
    let path = files.path("inside/add.wat");
    let script = format!("return await codeOf(() => compileFile({path:?}))");
    assert_eq!(Js::with(capabilities.clone()).run(&script), json!(5000));
    capabilities.compile_paths = vec![path.into()];
    assert_eq!(Js::with(capabilities).run(&script), json!(null));
}

#[cfg(unix)]
#[test]
fn a_pipe_is_not_waited_for() {
    let files = Files::new("pipe");
    let mut capabilities = WasmCapabilities::default();
    capabilities.allow_file_compile = true;
    capabilities.compile_paths = vec![files.0.clone()];
    // No process ever writes to this pipe.
    let pipe = files.path("inside/pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let result =
        Js::with(capabilities).run(&format!("return await codeOf(() => compileFile({pipe:?}))"));
    assert_eq!(result, json!(5000));
}

#[test]
fn a_fuel_cap_holds_for_every_store_and_wins_over_larger_requests() {
    let mut capabilities = WasmCapabilities::default();
    capabilities.max_fuel = Some(1000);
    let result = Js::with(capabilities).run(
        r#"
        const plain = await fixture("spin");
        const greedy = await fixture("spin", {}, { fuel: 1_000_000 });
        const modest = await fixture("spin", {}, { fuel: 10 });
        const results = [plain.fuel, greedy.fuel, modest.fuel];
        plain.setFuel(2 ** 53 - 1);
        results.push(plain.fuel, await codeOf(() => plain.call("forever")), plain.fuel);
        return results;
        "#,
    );
    assert_eq!(result, json!([1000, 1000, 10, 1000, 5006, 0]));
}

#[test]
fn a_memory_cap_wins_and_covers_all_memories_together() {
    let mut capabilities = WasmCapabilities::default();
    capabilities.max_memory_bytes = Some(4 * 65536);
    let result = Js::with(capabilities).run(
        r#"
        const growth = await fixture("growth", {}, { maxMemoryBytes: 2 ** 40 });
        const small = await fixture("growth", {}, { maxMemoryBytes: 65536 });
        const two = await fixture("multi_memory");
        return [
            growth.call("fill", [100]),
            small.call("fill", [100]),
            two.call("grow_a", [1]),
            two.call("grow_b", [1]),
            await codeOf(() => load("(module (memory 3) (memory 2))")),
        ];
        "#,
    );
    assert_eq!(result, json!([4, 1, 1, -1, 5001]));
}

#[test]
fn a_failed_growth_does_not_give_memory_back() {
    let result = Js::new().run(
        r#"
        const instance = await load(`(module (memory (export "memory") 0)
            (func (export "try") (param i32) (result i32) (memory.grow (local.get 0))))`,
            {}, { maxMemoryBytes: 4 * 65536 });
        let granted = 0;
        for (let i = 0; i < 20; i++) {
            if (instance.call("try", [1]) !== -1) granted++;
            instance.call("try", [65536]);
            instance.call("try", [-1]);
        }
        return [granted, instance.memory().byteLength];
        "#,
    );
    assert_eq!(result, json!([4, 4 * 65536]));
}

#[test]
fn shared_memories_count_with_their_maximum() {
    let mut capabilities = WasmCapabilities::default();
    capabilities.max_memory_bytes = Some(4 * 65536);
    let result = Js::with(capabilities).run(
        r#"
        const shared = (minimum, maximum) => load(`(module (memory (export "memory") ${minimum}
            ${maximum} shared) (func (export "grow") (result i32) (memory.grow (i32.const 1))))`);
        const instance = await shared(1, 4);
        const own = (minimum, maximum) =>
            new WasmMemory(new WasmStore(), { minimum, maximum, shared: true });
        return [
            instance.call("grow"), instance.call("grow"), instance.call("grow"),
            instance.call("grow"), await codeOf(() => shared(1, 5)), own(4, 4).byteLength,
            await codeOf(() => own(0, 5)),
        ];
        "#,
    );
    assert_eq!(result, json!([1, 2, 3, -1, 5001, 262144, 5001]));
}

#[test]
fn a_memory_does_not_grow_where_it_would_have_to_move() {
    let mut capabilities = WasmCapabilities::default();
    capabilities.max_memory_bytes = Some(5 << 30);
    let result = Js::with(capabilities).run(
        r#"
        const store = new WasmStore();
        const [large, small] = [1, 2].map((minimum) => new WasmMemory(store, { minimum, address: "i64" }));
        return [
            await codeOf(() => large.grow(65536)), large.grow(65535), large.byteLength,
            await codeOf(() => large.grow(1)), small.grow(1000), await codeOf(() => small.grow(16384)),
        ];
        "#,
    );
    assert_eq!(result, json!([5003, 1, 1u64 << 32, 5003, 2, 5003]));
}

#[test]
fn a_table_cap_covers_all_tables_together() {
    let mut capabilities = WasmCapabilities::default();
    capabilities.max_table_elements = 10;
    let result = Js::with(capabilities).run(
        r#"
        const tables = await fixture("tables");
        return [
            tables.call("grow", [2]),
            await codeOf(() => load("(module (table 6 funcref) (table 5 funcref))")),
            await codeOf(() => load("(module (table 6 funcref) (table 4 funcref))")) ?? null,
            await codeOf(() => new WasmTable(new WasmStore(), { element: "funcref", minimum: 11 })),
        ];
        "#,
    );
    assert_eq!(result, json!([3, 5001, null, 5001]));
}

#[test]
fn shared_memories_may_grow_to_the_cap_and_not_beyond() {
    let mut capabilities = WasmCapabilities::default();
    capabilities.max_memory_bytes = Some(4 * 65536);
    let result = Js::with(capabilities).run(
        r#"
        const shared = (maximum) => load(`(module (memory 1 ${maximum} shared))`);
        const results = [];
        for (const pages of [3, 4, 5]) results.push(await codeOf(() => shared(pages)) ?? null);
        const store = new WasmStore();
        const two = () => new WasmMemory(store, { minimum: 1, maximum: 2, shared: true });
        two();
        two();
        results.push(await codeOf(two), await codeOf(() => load("(module (memory 0 0 shared))", {}, { store })) ?? null);
        return results;
        "#,
    );
    assert_eq!(result, json!([null, null, 5001, 5001, null]));
}

#[test]
fn a_manifest_says_what_is_granted() {
    let manifest = r#"
        load = ["plugins/*.wasm", "./more/**"]
        preopens = ["/srv/[ab]"]
        compile_paths = ["own"]
        max_instances = 3
        max_fuel = 1000
        module_limits = { max_functions = 7 }
    "#;
    let read: WasmCapabilities = toml::from_str(manifest).unwrap();
    let relative = read.relative_to(std::path::Path::new("/app [1]"));
    let expected = WasmCapabilities::builder()
        .compile_globs(["plugins/*.wasm", "./more/**"])
        .preopen_globs(["/srv/[ab]"])
        .max_instances(3)
        .max_fuel(1_000);
    let mut expected = expected.build();
    expected.base_folder = "/app [1]".into();
    expected.compile_paths = vec!["/app [1]/own".into()];
    expected.module_limits.max_functions = 7;
    assert_eq!(relative, expected);
    assert_eq!(toml::from_str(""), Ok(WasmCapabilities::default()));
    for wrong in [
        "fuel = 1",
        "module_limits = { functions = 1 }",
        "max_fuel = -1",
        "load = \"a\"",
    ] {
        toml::from_str::<WasmCapabilities>(wrong).expect_err(wrong);
    }
}
