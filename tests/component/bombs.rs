//! Small components that would take long to validate or compile.

use ext_wasm::{WasmCapabilities, WasmErrorCode, WasmState};

/// Types of which each has the one before twice: `$d0` has two parts of type `part`.
fn doubled(levels: usize, part: &str) -> String {
    let mut types = format!("(type $d0 (tuple {part} {part}))");
    for level in 1..levels {
        let inner = level - 1;
        types += &format!("(type $d{level} (tuple $d{inner} $d{inner}))");
    }
    let last = levels - 1;
    format!("{types} (type $t' (record (field \"a\" $d{last})))")
}

/// A record of many fields of a type.
fn wide(fields: usize, part: &str) -> String {
    let fields: String = (0..fields)
        .map(|field| format!("(field \"f{field}\" {part})"))
        .collect();
    format!("(type $t' (record {fields}))")
}

/// Two components, of which one calls functions of the other that take a value of the type `$t'`.
fn pair(name: &str, types: &str, functions: usize) -> String {
    let repeat = |f: &dyn Fn(usize) -> String| (0..functions).map(f).collect::<String>();
    let lifted = repeat(&|i| {
        format!(
            "(func (export \"f{i}\") (param \"x\" $t)
               (canon lift (core func $i \"f\") (memory $m) (realloc $r) string-encoding=utf16))"
        )
    });
    let imported = repeat(&|i| format!("(import \"f{i}\" (func $f{i} (param \"x\" $t)))"));
    let lowered = repeat(&|i| {
        format!("(core func $l{i} (canon lower (func $f{i}) (memory $m) (realloc $r)))")
    });
    let taken = repeat(&|i| format!("(import \"\" \"f{i}\" (func (param i32)))"));
    let passed = repeat(&|i| format!("(export \"f{i}\" (func $l{i}))"));
    let with = repeat(&|i| format!("(with \"f{i}\" (func $a \"f{i}\"))"));
    let core = "(core instance $i (instantiate $lib))
        (alias core export $i \"m\" (core memory $m)) (alias core export $i \"r\" (core func $r))";
    format!(
        "(component {name}
          (core module $lib
            (memory (export \"m\") 1)
            (func (export \"r\") (param i32 i32 i32 i32) (result i32) (i32.const 0))
            (func (export \"f\") (param i32)))
          (component $A {core} {types} (export $t \"t\" (type $t')) {lifted})
          (component $B {types} (import \"t\" (type $t (eq $t'))) {imported} {core} {lowered}
            (core module $user {taken})
            (core instance (instantiate $user (with \"\" (instance {passed})))))
          (instance $a (instantiate $A))
          (instance (instantiate $B (with \"t\" (type $a \"t\")) {with})))"
    )
}

fn pairs(pairs: usize, types: &str) -> String {
    let pairs: String = (0..pairs)
        .map(|i| {
            let name = format!("$p{i}");
            format!("{} (instance (instantiate {name}))", pair(&name, types, 1))
        })
        .collect();
    format!("(component {pairs})")
}

/// A component that makes many instances, each with a value of the type `$t'` as its import.
fn instances(instances: usize, types: &str) -> String {
    let imports = format!(
        "{types} (import \"t\" (type $t (eq $t'))) (import \"f\" (func $f (param \"x\" $t)))"
    );
    let instance = "(instance (instantiate $c (with \"t\" (type $t)) (with \"f\" (func $f))))";
    let instances = instance.repeat(instances);
    format!("(component {imports} (component $c {imports}) {instances})")
}

/// A component with many components that name a large type.
fn components(components: usize, types: &str) -> String {
    let one = format!("(component {types} (import \"t\" (type (eq $t'))))");
    format!("(component {})", one.repeat(components))
}

/// A component with many types of instances that name a large type.
fn instance_types(count: usize, types: &str) -> String {
    let one = "(type (instance (alias outer 1 $t' (type $t')) (export \"t\" (type (eq $t')))))";
    format!("(component {types} {})", one.repeat(count))
}

/// A component with many functions in an instance with a long name.
fn long_names(functions: usize) -> String {
    let name = "long-".repeat(10_000) + "name";
    let functions: String = (0..functions)
        .map(|i| format!("(export \"f{i}\" (func))"))
        .collect();
    format!("(component (import \"{name}\" (instance {functions})))")
}

/// A component that instantiates `inner`, the definition of `$c`, many times in `$d`, which the root instantiates many times.
/// `outer` is what comes before, and `arg` what is passed on.
fn nested(outer: &str, imports: &str, inner: &str, arg: &str, times: [usize; 2]) -> String {
    let c = format!("(instance (instantiate $c {arg}))").repeat(times[0]);
    let d = format!("(instance (instantiate $d {arg}))").repeat(times[1]);
    format!("(component {outer} (component $d {imports} {inner} {c}) {d})")
}

/// Nested instances that import an instance with many functions and export it again.
fn exports(functions: usize, times: [usize; 2]) -> String {
    let functions: String = (0..functions)
        .map(|i| format!("(export \"f{i}\" (func))"))
        .collect();
    let import = |ty: &str| format!("(import \"i\" (instance $i (type {ty})))");
    nested(
        &format!("(type $t (instance {functions})) {}", import("$t")),
        &format!("(alias outer 1 $t (type $t1)) {}", import("$t1")),
        &format!(
            "(component $c (alias outer 1 $t1 (type $t2)) {} (export \"o\" (instance $i)))",
            import("$t2")
        ),
        "(with \"i\" (instance $i))",
        times,
    )
}

/// Nested instances that get an instance with many functions, of which they import one.
fn bags(functions: usize, times: [usize; 2]) -> String {
    let functions: String = (0..functions)
        .map(|i| format!("(export \"f{i}\" (func $f))"))
        .collect();
    let import = "(import \"i\" (instance $i (export \"f0\" (func))))";
    nested(
        &format!("(import \"f\" (func $f)) (instance $i {functions})"),
        import,
        &format!("(component $c {import})"),
        "(with \"i\" (instance $i))",
        times,
    )
}

/// Nested instances that export an item with a long name.
fn long_exports(bytes: usize, times: [usize; 2]) -> String {
    let name = "b".repeat(bytes);
    let inner = format!("(component $c (core module $m) (export \"{name}\" (core module $m)))");
    nested("", "", &inner, "", times)
}

/// Components that are never instantiated, with instantiations of one that exports an item with a long name.
fn long_exports_of_none(bytes: usize, times: [usize; 2]) -> String {
    let name = "b".repeat(bytes);
    let instances = "(instance (instantiate $c1))".repeat(times[0]);
    let one = format!("(component (alias outer 1 $c (component $c1)) {instances})");
    format!(
        "(component (component $c (type $t u8) (export \"{name}\" (type $t))) {})",
        one.repeat(times[1])
    )
}

/// Many types of resources, and nested instances of an empty component.
fn resource_types(types: usize, times: [usize; 2]) -> String {
    let types = "(type (resource (rep i32)))".repeat(types);
    nested(&types, "", "(component $c)", "", times)
}

/// Many instances of a component with functions for its own resources.
fn resource_functions(resources: usize, instances: usize) -> String {
    let repeat = |f: &dyn Fn(usize) -> String| (0..resources).map(f).collect::<String>();
    let types = repeat(&|i| format!("(type $r{i} (resource (rep i32)))"));
    let functions = repeat(&|i| {
        format!(
            "(core func $d{i} (canon resource.drop $r{i})) (core func $n{i} (canon resource.new $r{i}))"
        )
    });
    let imports = repeat(&|i| {
        format!(
            "(import \"\" \"d{i}\" (func (param i32)))
             (import \"\" \"n{i}\" (func (param i32) (result i32)))"
        )
    });
    let exports =
        repeat(&|i| format!("(export \"d{i}\" (func $d{i})) (export \"n{i}\" (func $n{i}))"));
    let made = "(instance (instantiate $c))".repeat(instances);
    format!(
        "(component
           (component $c {types} {functions} (core module $m {imports})
             (core instance (instantiate $m (with \"\" (instance {exports})))))
           {made})"
    )
}

#[test]
fn a_component_is_refused_if_its_instances_would_take_long() {
    let state = WasmState::new(WasmCapabilities::default()).unwrap();
    let compile = |text: &str| {
        let compiled = state.compile_component(&wat::parse_str(text).unwrap());
        compiled.map(|component| state.drop_component(component.id))
    };
    for text in [
        exports(100, [10, 10]),
        bags(100, [10, 10]),
        long_exports(1_000, [10, 10]),
        long_exports_of_none(1_000, [100, 2]),
        resource_types(1_000, [10, 10]),
        resource_functions(10, 20),
    ] {
        compile(&text).unwrap();
    }
    // Without the limits these took 2 to 8 seconds on a busy machine, and up to 4 GB of memory.
    for text in [
        exports(1_000, [100, 150]),
        bags(2_000, [100, 100]),
        long_exports(90_000, [100, 90]),
        long_exports_of_none(40_000, [990, 14]),
        resource_types(30_000, [900, 60]),
        resource_functions(20, 660),
    ] {
        let compiled = compile(&text);
        let error = compiled.expect_err(&text[..text.len().min(200)]);
        assert_eq!(error.code, WasmErrorCode::CompileError, "{error}");
        assert!(error.message.contains("max_compile_"), "{error}");
    }
}

#[test]
fn a_component_is_refused_if_its_types_would_take_long() {
    let state = WasmState::new(WasmCapabilities::default()).unwrap();
    let compile = |text: &str| {
        let compiled = state.compile_component(&wat::parse_str(text).unwrap());
        compiled.map(|component| state.drop_component(component.id))
    };
    let accepted = [
        pair("", &wide(1_000, "string"), 10),
        pair(
            "",
            &wide(1_000, "$o").replacen("(type", "(type $o (option (list string))) (type", 1),
            10,
        ),
        pair("", &doubled(8, "string"), 2),
        pairs(2, &doubled(8, "string")),
        instances(10, &doubled(8, "string")),
        components(100, &doubled(8, "u8")),
        instance_types(100, &doubled(8, "u8")),
        long_names(10),
    ];
    for text in accepted {
        compile(&text).unwrap();
    }
    // Without the limits, the first three took 2.0, 9.2 and 1.2 seconds, and the last one has 50 MB of names.
    let refused = [
        (pairs(30, &doubled(12, "string")), "max_compile_"),
        (instances(1_000, &doubled(16, "u8")), "max_compile_"),
        (components(1_000, &doubled(16, "u8")), "max_compile_"),
        (instance_types(1_000, &doubled(16, "u8")), "max_compile_"),
        (
            pair("", &doubled(12, "string"), 1_000),
            "effective type size",
        ),
        (long_names(1_000), "max_name_bytes"),
    ];
    for (text, limit) in refused {
        let error = compile(&text).unwrap_err();
        assert_eq!(error.code, WasmErrorCode::CompileError, "{error}");
        assert!(error.message.contains(limit), "{error}");
    }
}

/// Texts of components whose parser moves all later items for each item.
#[test]
fn a_text_is_refused_if_its_parser_would_take_long() {
    type Family = fn(&str) -> String;
    let families: [(&str, Family); 10] = [
        ("(import \"a\" (func))", |items| {
            format!("(component {items})")
        }),
        ("(export \"a\" (func))", |items| {
            format!("(component (type (instance {items})))")
        }),
        ("(import \"a\" (func))", |items| {
            format!("(component (type (component {items})))")
        }),
        ("(import \"a\" \"b\" (func))", |items| {
            format!("(component (core type (module {items})))")
        }),
        ("(import \"a\" \"b\" (func))", |items| {
            format!("(component (import \"m\" (core module {items})))")
        }),
        ("(import \"a\" \"b\" (func))", |items| {
            format!("(component (core module (import \"m\") {items}))")
        }),
        ("(type (record (field \"a\" (list u8))))", |items| {
            format!("(component {items})")
        }),
        ("(core func (canon lower (func $i \"f\")))", |items| {
            format!("(component (import \"i\" (instance $i (export \"f\" (func)))) {items})")
        }),
        // Ends without blocks.
        ("(import \"a\" (func))", |items| {
            format!("(component (core module (func end end end end end)) {items})")
        }),
        // Neither a text nor a comment hides an item, or counts as one.
        (
            "(; (core module ;) (import \"a(core module\" (func))",
            |items| format!("(component ;; (core module\n {items})"),
        ),
    ];
    let state = WasmState::new(WasmCapabilities::default()).unwrap();
    let message = |text: &str| match state.compile_component(text.as_bytes()) {
        Ok(component) => {
            state.drop_component(component.id);
            String::new()
        }
        Err(error) => error.message,
    };
    for (item, family) in families {
        let refused = message(&family(&item.repeat(35_000)));
        assert!(refused.contains("ms to parse"), "{item}: {refused}");
        assert!(refused.contains("max_compile_ms"), "{item}: {refused}");
        let parsed = message(&family(&item.repeat(1_000)));
        assert!(!parsed.contains("to parse"), "{item}: {parsed}");
    }
    // The parser moves no items of a core module.
    let functions = "(func (param i32) (drop (i32.add (i32.const 1) (i32.const 2))))".repeat(5_000);
    assert_eq!(
        message(&format!("(component (core module {functions}))")),
        ""
    );
}
