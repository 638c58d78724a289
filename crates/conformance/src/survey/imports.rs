//! The toolchains that imports are written for.

use std::fmt;

use ext_wasm::runtime::{ExternInfo, ImportInfo, WASI_MODULES};
use serde::{Deserialize, Serialize};

/// The toolchain, or the standard, that an import belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// WASI, of any version.
    Wasi,
    Emscripten,
    WasmBindgen,
    /// Go's own compiler, or TinyGo.
    Go,
    Other,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Origin::Wasi => "WASI",
            Origin::Emscripten => "Emscripten",
            Origin::WasmBindgen => "wasm-bindgen",
            Origin::Go => "Go",
            Origin::Other => "other",
        })
    }
}

/// The functions of WASI preview 1 without a parameter of 64 bits. Preview 0 has the same names.
const NARROW_FUNCTIONS: [&str; 34] = [
    "args_get",
    "args_sizes_get",
    "clock_res_get",
    "environ_get",
    "environ_sizes_get",
    "fd_close",
    "fd_datasync",
    "fd_fdstat_get",
    "fd_fdstat_set_flags",
    "fd_filestat_get",
    "fd_prestat_dir_name",
    "fd_prestat_get",
    "fd_read",
    "fd_renumber",
    "fd_sync",
    "fd_tell",
    "fd_write",
    "path_create_directory",
    "path_filestat_get",
    "path_link",
    "path_readlink",
    "path_remove_directory",
    "path_rename",
    "path_symlink",
    "path_unlink_file",
    "poll_oneoff",
    "proc_exit",
    "proc_raise",
    "random_get",
    "sched_yield",
    "sock_accept",
    "sock_recv",
    "sock_send",
    "sock_shutdown",
];

/// The functions of WASI preview 1 that have such a parameter. Older versions of Emscripten import them with two
/// parameters in its place, since JavaScript had no such numbers.
const WIDE_FUNCTIONS: [&str; 12] = [
    "clock_time_get",
    "fd_advise",
    "fd_allocate",
    "fd_fdstat_set_rights",
    "fd_filestat_set_size",
    "fd_filestat_set_times",
    "fd_pread",
    "fd_pwrite",
    "fd_readdir",
    "fd_seek",
    "path_filestat_set_times",
    "path_open",
];

/// Returns for each import whether it is a function of WASI that `host:wasm` gives it. The app gives all functions of a
/// module name or none of them: where one of them is not WASI's, the others are stand-ins too.
pub fn given_by_wasi(imports: &[ImportInfo]) -> Vec<bool> {
    let is_given = |module: &str| {
        let mut of_module = imports.iter().filter(|import| import.module == module);
        WASI_MODULES.contains(&module) && of_module.all(is_wasi_function)
    };
    let given = WASI_MODULES.map(|module| (module, is_given(module)));
    imports
        .iter()
        .map(|import| given.contains(&(import.module.as_str(), true)))
        .collect()
}

/// Whether WASI has a function with the name and the parameters of an import.
fn is_wasi_function(import: &ImportInfo) -> bool {
    let name = import.name.as_str();
    let ExternInfo::Function { params, .. } = &import.ty else {
        return false;
    };
    match params.iter().any(|ty| ty == "i64") {
        true => WIDE_FUNCTIONS.contains(&name),
        false => NARROW_FUNCTIONS.contains(&name),
    }
}

/// Names that only Emscripten's JavaScript has begin with these.
const EMSCRIPTEN_PREFIXES: [&str; 17] = [
    "emscripten_",
    "_emscripten_",
    "__emscripten_",
    "_embind_",
    "__embind_",
    "_emval_",
    "__emval_",
    "__cxa_",
    "___cxa_",
    "__syscall_",
    "___syscall",
    "__asyncjs__",
    "__assert_fail",
    "_abort_js",
    "_tzset_js",
    "_mmap_js",
    "_munmap_js",
];

/// The toolchains of a module's imports. Some names say it only together with the others: an import of `env` can be
/// anyone's.
#[derive(Default)]
pub struct Origins {
    imports: Vec<(Origin, bool)>,
    has_emscripten: bool,
    is_minified: bool,
    has_long_name: bool,
}

impl Origins {
    /// Adds an import.
    pub fn add(&mut self, module: &str, name: &str) {
        let origin = origin(module, name);
        self.has_emscripten |= origin == Origin::Emscripten;
        // Emscripten minifies all names but WASI's, and its own module name to `a`.
        self.is_minified |= module == "a";
        self.has_long_name |= module == "a" && name.len() > 3;
        self.imports
            .push((origin, module == "env" || module == "a"));
    }

    /// Returns the toolchain of each import, in the order of the imports.
    pub fn all(&self) -> impl Iterator<Item = Origin> {
        let is_emscripten = self.has_emscripten || (self.is_minified && !self.has_long_name);
        self.imports
            .iter()
            .map(move |(origin, is_shared)| match origin {
                Origin::Other if *is_shared && is_emscripten => Origin::Emscripten,
                origin => *origin,
            })
    }
}

/// Returns the toolchain of an import as far as its names alone say it.
fn origin(module: &str, name: &str) -> Origin {
    let is_wasi = module == "wasi" || module.starts_with("wasi:") || module.starts_with("wasi_");
    if is_wasi || module.starts_with("wasix_") {
        return Origin::Wasi;
    }
    let is_bindgen = module == "wbg"
        || module.starts_with("__wbindgen")
        || name.starts_with("__wbindgen_")
        || name.starts_with("__wbg_");
    if is_bindgen {
        return Origin::WasmBindgen;
    }
    let is_go = module == "go"
        || module == "gojs"
        || name.starts_with("syscall/js.")
        || name.starts_with("runtime.");
    if is_go {
        return Origin::Go;
    }
    let is_emscripten = matches!(module, "GOT.func" | "GOT.mem" | "asm2wasm")
        || is_invoke(name)
        || EMSCRIPTEN_PREFIXES
            .iter()
            .any(|prefix| name.starts_with(prefix));
    if is_emscripten {
        return Origin::Emscripten;
    }
    Origin::Other
}

/// Whether a name is of an Emscripten function that calls a guest's function with a signature, such as `invoke_vii`.
fn is_invoke(name: &str) -> bool {
    let signature = name.strip_prefix("invoke_");
    let letters = |signature: &str| {
        signature
            .bytes()
            .all(|letter| b"vijfdepX".contains(&letter))
    };
    signature.is_some_and(letters)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins<const N: usize>(imports: [(&str, &str); N]) -> Vec<Origin> {
        let mut origins = Origins::default();
        for (module, name) in imports {
            origins.add(module, name);
        }
        origins.all().collect()
    }

    #[test]
    fn names_that_say_it_alone() {
        let imports = [
            ("wasi_snapshot_preview1", "fd_write"),
            ("wasi:io/streams@0.2.0", "drop"),
            ("__wbindgen_placeholder__", "__wbindgen_throw"),
            ("./x_bg.js", "__wbg_log_1"),
            ("gojs", "runtime.wasmWrite"),
            ("host", "invoke_other"),
        ];
        use Origin::{Go, Other, Wasi, WasmBindgen};
        assert_eq!(
            origins(imports),
            [Wasi, Wasi, WasmBindgen, WasmBindgen, Go, Other]
        );
    }

    #[test]
    fn an_import_of_env_is_emscriptens_beside_another_one() {
        use Origin::{Emscripten, Other};
        assert_eq!(origins([("env", "memory")]), [Other]);
        assert_eq!(
            origins([("env", "memory"), ("env", "invoke_vii"), ("x", "f")]),
            [Emscripten, Emscripten, Other]
        );
    }

    #[test]
    fn minified_names_are_emscriptens() {
        use Origin::{Emscripten, Other};
        assert_eq!(origins([("a", "a"), ("a", "bc")]), [Emscripten; 2]);
        assert_eq!(origins([("a", "a"), ("a", "print")]), [Other; 2]);
    }
}
