//! Makes the extension out of `ts/init.ts`.

fn main() {
    let ops: &[&str] = &[
        "op_wasm_abort_call",
        "op_wasm_advance",
        "op_wasm_answer",
        "op_wasm_bind",
        "op_wasm_call",
        "op_wasm_call_doubles",
        "op_wasm_call_numbers",
        "op_wasm_call_ready",
        "op_wasm_call_with",
        "op_wasm_check_store",
        "op_wasm_collect",
        "op_wasm_collect_js",
        "op_wasm_compile",
        "op_wasm_compile_file",
        "op_wasm_compiles",
        "op_wasm_custom_sections",
        "op_wasm_detach_grown",
        "op_wasm_drop_instance",
        "op_wasm_drop_module",
        "op_wasm_drop_store",
        "op_wasm_end_call",
        "op_wasm_ended",
        "op_wasm_forget_store",
        "op_wasm_fuel",
        "op_wasm_func_number",
        "op_wasm_func_type",
        "op_wasm_get_export",
        "op_wasm_get_global",
        "op_wasm_get_table",
        "op_wasm_global_type",
        "op_wasm_grow_memory",
        "op_wasm_grow_table",
        "op_wasm_guard_transfer",
        "op_wasm_has_deadline",
        "op_wasm_instantiate",
        "op_wasm_interrupted",
        "op_wasm_is_metered",
        "op_wasm_is_ready",
        "op_wasm_live_instances",
        "op_wasm_live_modules",
        "op_wasm_max_instances",
        "op_wasm_memory_length",
        "op_wasm_memory_type",
        "op_wasm_memory_view",
        "op_wasm_new_global",
        "op_wasm_new_memory",
        "op_wasm_new_store",
        "op_wasm_new_table",
        "op_wasm_new_tag",
        "op_wasm_output",
        "op_wasm_prepare",
        "op_wasm_read_memory",
        "op_wasm_release_object",
        "op_wasm_set_fuel",
        "op_wasm_set_global",
        "op_wasm_set_table",
        "op_wasm_start_call",
        "op_wasm_table_size",
        "op_wasm_table_type",
        "op_wasm_turn",
        "op_wasm_validate",
        "op_wasm_write_memory",
    ];
    let built = forge_weld::ExtensionBuilder::new("host_wasm", "host:wasm")
        .ts_path("ts/init.ts")
        .ops(ops)
        .state("init_state", &[("wasm", "runtime::WasmState")])
        .generate_sdk_types("types")
        .build();
    if let Err(error) = built {
        eprintln!("{error}");
        std::process::exit(1);
    }
}
