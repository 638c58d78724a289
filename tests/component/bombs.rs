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
    // Without the limits, the first three took 2.0, 9.2 and 1.2 seconds, and the last one has 2.5 GB of names.
    let refused = [
        (pairs(30, &doubled(12, "string")), "max_compile_ms"),
        (instances(1_000, &doubled(16, "u8")), "max_compile_ms"),
        (components(1_000, &doubled(16, "u8")), "max_compile_ms"),
        (instance_types(1_000, &doubled(16, "u8")), "max_compile_ms"),
        (
            pair("", &doubled(12, "string"), 1_000),
            "effective type size",
        ),
        (long_names(50_000), "max_name_bytes"),
    ];
    for (text, limit) in refused {
        let error = compile(&text).unwrap_err();
        assert_eq!(error.code, WasmErrorCode::CompileError, "{error}");
        assert!(error.message.contains(limit), "{error}");
    }
}
