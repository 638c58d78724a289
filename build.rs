//! Makes the extension of `ts/init.ts`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::{fs, io};

/// The ops of the extension.
const OPS: &[&str] = &[
    "op_wasm_abort_call",
    "op_wasm_abort_component",
    "op_wasm_advance",
    "op_wasm_answer",
    "op_wasm_answer_component_import",
    "op_wasm_array16_length",
    "op_wasm_call",
    "op_wasm_call_component",
    "op_wasm_call_doubles",
    "op_wasm_call_frame",
    "op_wasm_call_image",
    "op_wasm_call_numbers",
    "op_wasm_call_ready",
    "op_wasm_call_slots",
    "op_wasm_call_with_imports",
    "op_wasm_cancel_compile",
    "op_wasm_cancel_sink",
    "op_wasm_check_store",
    "op_wasm_claim_module",
    "op_wasm_close_source",
    "op_wasm_collect",
    "op_wasm_collect_in_job",
    "op_wasm_collect_js",
    "op_wasm_compile",
    "op_wasm_compile_component",
    "op_wasm_compile_component_file",
    "op_wasm_compile_file",
    "op_wasm_compile_for",
    "op_wasm_compile_now",
    "op_wasm_component_active",
    "op_wasm_component_ended",
    "op_wasm_component_head",
    "op_wasm_component_heap",
    "op_wasm_component_preparation",
    "op_wasm_component_ready",
    "op_wasm_component_results",
    "op_wasm_component_text",
    "op_wasm_component_types",
    "op_wasm_component_wit",
    "op_wasm_custom_sections",
    "op_wasm_detach_grown",
    "op_wasm_detach_view",
    "op_wasm_drop_component",
    "op_wasm_drop_group",
    "op_wasm_drop_instance",
    "op_wasm_drop_module",
    "op_wasm_drop_resource",
    "op_wasm_drop_resource_later",
    "op_wasm_drop_store",
    "op_wasm_end_call",
    "op_wasm_end_deadlocked",
    "op_wasm_end_exchange",
    "op_wasm_end_request",
    "op_wasm_exception_tag",
    "op_wasm_export_indices",
    "op_wasm_forget_store",
    "op_wasm_fuel",
    "op_wasm_func_import",
    "op_wasm_func_number",
    "op_wasm_func_type",
    "op_wasm_get_export",
    "op_wasm_get_global",
    "op_wasm_get_table",
    "op_wasm_global_type",
    "op_wasm_group_memory_cap",
    "op_wasm_grow_memory",
    "op_wasm_grow_table",
    "op_wasm_guard_transfer",
    "op_wasm_handle_request",
    "op_wasm_has_deadline",
    "op_wasm_has_jit",
    "op_wasm_has_plain_type",
    "op_wasm_heap_text",
    "op_wasm_import_arguments",
    "op_wasm_installs_global",
    "op_wasm_instantiate",
    "op_wasm_instantiate_component",
    "op_wasm_interrupted",
    "op_wasm_is_metered",
    "op_wasm_js_tag",
    "op_wasm_last_status",
    "op_wasm_live_instances",
    "op_wasm_live_modules",
    "op_wasm_max_binary_bytes",
    "op_wasm_max_instances",
    "op_wasm_max_value_bytes",
    "op_wasm_memory_length",
    "op_wasm_memory_type",
    "op_wasm_memory_view",
    "op_wasm_new_exception",
    "op_wasm_new_global",
    "op_wasm_new_group",
    "op_wasm_new_grouped_store",
    "op_wasm_new_host_function",
    "op_wasm_new_memory",
    "op_wasm_new_store",
    "op_wasm_new_table",
    "op_wasm_new_tag",
    "op_wasm_next_component_event",
    "op_wasm_output",
    "op_wasm_preparation",
    "op_wasm_prepare",
    "op_wasm_prepare_component",
    "op_wasm_put_elements",
    "op_wasm_read_array16",
    "op_wasm_read_exception",
    "op_wasm_read_memory",
    "op_wasm_release_object",
    "op_wasm_response_head",
    "op_wasm_response_part",
    "op_wasm_resume_call",
    "op_wasm_set_fuel",
    "op_wasm_set_global",
    "op_wasm_set_import_dispatcher",
    "op_wasm_set_import_results",
    "op_wasm_set_table",
    "op_wasm_settle_component",
    "op_wasm_spend_fuel",
    "op_wasm_start_call",
    "op_wasm_start_component_call",
    "op_wasm_start_concurrent_call",
    "op_wasm_start_concurrent_request",
    "op_wasm_start_image_call",
    "op_wasm_start_suspendable_call",
    "op_wasm_store_stats",
    "op_wasm_table_size",
    "op_wasm_table_type",
    "op_wasm_tag_type",
    "op_wasm_validate",
    "op_wasm_validate_async",
    "op_wasm_want_elements",
    "op_wasm_write_array16",
    "op_wasm_write_memory",
    "op_wasm_write_request",
    "op_wasm_yield_now",
];

/// The numbers that Rust and TypeScript both know.
const PROTOCOL: &str = "src/bridge/protocol.rs";

/// The source code on which profiles of modules depend, and the versions of wasmtime and wasmparser.
const PROFILE_SOURCES: &[&str] = &[
    "Cargo.toml",
    "src/runtime/admission",
    "src/runtime/module",
    "src/runtime/rewrite",
];

fn main() {
    match profile_version() {
        Ok(version) => println!("cargo:rustc-env=EXT_WASM_PROFILE_VERSION={version:016x}"),
        Err(error) => {
            eprintln!("the sources of profiles: {error}");
            std::process::exit(1);
        }
    }
    let built = constants().and_then(|constants| {
        forge_weld::ExtensionBuilder::new("host_wasm", "host:wasm")
            .ts_path("ts/init.ts")
            .ops(OPS)
            .generated("ts/ops.ts", &ops())
            .generated("ts/constants.ts", &constants)
            .watch(PROTOCOL)
            .state("init_state", &[("wasm", "runtime::WasmState")])
            .generate_sdk_types("types")
            .generate_api_page("docs/API.md")
            .build()
            .map_err(|error| error.to_string())
    });
    if let Err(error) = built {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

/// A hash of [`PROFILE_SOURCES`].
fn profile_version() -> io::Result<u64> {
    let mut files = BTreeMap::new();
    for path in PROFILE_SOURCES {
        println!("cargo:rerun-if-changed={path}");
        read_all(Path::new(path), &mut files)?;
    }
    let mut hasher = DefaultHasher::new();
    files.hash(&mut hasher);
    Ok(hasher.finish())
}

/// Reads a file, or all files in a folder.
fn read_all(path: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) -> io::Result<()> {
    if !path.is_dir() {
        files.insert(path.to_owned(), fs::read(path)?);
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        read_all(&entry?.path(), files)?;
    }
    Ok(())
}

/// The file `ts/ops.ts`.
fn ops() -> String {
    let ops: String = OPS.iter().map(|op| format!("  {op},\n")).collect();
    format!(
        "// The ops. Made by build.rs: do not edit.\n\n\
         import {{ core }} from \"./core.ts\";\n\n\
         export const {{\n{ops}}} = core.ops;\n"
    )
}

/// The file `ts/constants.ts`: the constants of [`PROTOCOL`], with their documentation.
fn constants() -> Result<String, String> {
    let protocol = fs::read_to_string(PROTOCOL).map_err(|error| format!("{PROTOCOL}: {error}"))?;
    let mut text = format!("// Made by build.rs of {PROTOCOL}: do not edit.\n\n");
    let lines = protocol.lines().enumerate();
    for (number, line) in lines.skip_while(|(_, line)| line.starts_with("//!") || line.is_empty()) {
        let translated = if let Some(doc) = line.strip_prefix("/// ") {
            format!("/** {doc} */")
        } else if line.is_empty() || line.starts_with("// ") {
            line.to_owned()
        } else if let Some((name, value)) = constant(line) {
            format!("export const {name} = {value};")
        } else {
            let number = number + 1;
            return Err(format!(
                "{PROTOCOL}:{number}: expected `pub(super) const NAME: u32 = VALUE;`"
            ));
        };
        let _ = writeln!(text, "{translated}");
    }
    Ok(text)
}

/// The name and the value of a constant.
fn constant(line: &str) -> Option<(&str, u32)> {
    let (name, value) = line
        .strip_prefix("pub(super) const ")?
        .strip_suffix(';')?
        .split_once(": u32 = ")?;
    Some((name, value.parse().ok()?))
}
