//! Where machine code is kept across processes.
//!
//! wasmtime runs what it finds there. Whoever can write to the folder can run anything in this process,
//! so that no guest may be given a way to it.

use std::fs::DirBuilder;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use wasmtime::{Cache, CacheConfig};

use super::error::WasmError;
use super::granted::Granted;

/// The folders that this process keeps machine code in, for as long as it lives, and those that its
/// states grant to guests.
static FOLDERS: Mutex<Folders> = Mutex::new(Folders {
    caches: Vec::new(),
    granted: Vec::new(),
});

struct Folders {
    caches: Vec<PathBuf>,
    granted: Vec<Weak<Granted>>,
}

/// Enters the folder of a state's cache, which is made if there is none, and what the state grants to
/// guests. Returns the folder without links.
///
/// # Errors
/// `CompileError` if the folder cannot be made, or guests of any state in this process could come to
/// one that is used so.
pub(super) fn enter(
    cache: Option<&Path>,
    granted: &Arc<Granted>,
) -> Result<Option<PathBuf>, WasmError> {
    let cache = cache.map(folder).transpose()?;
    // The lists are whole whatever panicked while they were locked.
    let folders = &mut *FOLDERS.lock().unwrap_or_else(PoisonError::into_inner);
    folders.granted.retain(|granted| granted.strong_count() > 0);
    let mut all_granted = folders.granted.iter().filter_map(Weak::upgrade);
    let meets = folders.caches.iter().any(|used| granted.meets(used))
        || cache.as_ref().is_some_and(|cache| {
            granted.meets(cache) || all_granted.any(|granted| granted.meets(cache))
        });
    if meets {
        return Err(WasmError::compile(
            "machine code cannot be kept where guests may be given files",
        ));
    }
    folders.granted.push(Arc::downgrade(granted));
    if let Some(cache) = &cache
        && !folders.caches.contains(cache)
    {
        folders.caches.push(cache.clone());
    }
    Ok(cache)
}

/// Makes a folder, of which others than this user may know nothing, unless it exists.
fn folder(path: &Path) -> Result<PathBuf, WasmError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let made = builder.create(path).and_then(|()| path.canonicalize());
    made.map_err(|error| unusable(path, error))
}

/// wasmtime's cache in a folder.
///
/// # Errors
/// `CompileError` if wasmtime cannot use it.
pub(super) fn open(folder: &Path) -> Result<Cache, WasmError> {
    let mut config = CacheConfig::new();
    config.with_directory(folder);
    Cache::new(config).map_err(|error| unusable(folder, format!("{error:#}")))
}

fn unusable(folder: &Path, why: impl std::fmt::Display) -> WasmError {
    WasmError::compile(format!(
        "cannot keep machine code in {}: {why}",
        folder.display()
    ))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::runtime::engine::{Checks, Engines};
    use crate::runtime::module::Compiler;
    use crate::runtime::{WasmCapabilities, WasmErrorCode, WasmState};

    const MODULE: &[u8] = b"(module (func (export \"f\") (result i32) (i32.const 7)))";

    /// A folder that does not exist.
    fn nowhere(name: &str) -> PathBuf {
        let name = format!("ext_wasm-cache-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        remove(&path);
        path
    }

    /// Removes a folder, as far as wasmtime does not write its statistics there just now.
    fn remove(folder: &Path) {
        drop(fs::remove_dir_all(folder));
    }

    fn state(cache: Option<&Path>, preopens: &[PathBuf]) -> Result<WasmState, WasmError> {
        WasmState::new(WasmCapabilities {
            cache_path: cache.map(Path::to_owned),
            preopen_paths: preopens.to_vec(),
            ..Default::default()
        })
    }

    /// What a process does that has not compiled anything: compiles the module, and says how many were
    /// in the cache.
    fn compile(cache: &Path, checks: Checks) -> usize {
        // Engines that nobody shares.
        let tune = Arc::new(|_: &mut wasmtime::Config| {});
        let engines = Engines::new(Some(tune), Some(folder(cache).unwrap())).unwrap();
        let code = Compiler::new(engines.clone(), checks)
            .compile(MODULE)
            .unwrap();
        let module = &code.get(checks).unwrap().module;
        let mut store = wasmtime::Store::new(module.engine(), ());
        if checks.fuel {
            store.set_fuel(100).unwrap();
        }
        let instance = wasmtime::Instance::new(&mut store, module, &[]).unwrap();
        let f = instance.get_typed_func::<(), i32>(&mut store, "f").unwrap();
        assert_eq!(f.call(&mut store, ()).unwrap(), 7);
        engines.cache_hits()
    }

    fn files(folder: &Path) -> Vec<PathBuf> {
        let mut files = Vec::new();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files.extend(self::files(&path));
            } else {
                files.push(path);
            }
        }
        files
    }

    #[test]
    fn what_another_process_compiled_is_found() {
        let cache = nowhere("found");
        let metered = Checks {
            fuel: true,
            interrupt: false,
        };
        assert_eq!(compile(&cache, Checks::default()), 0);
        assert_eq!(compile(&cache, Checks::default()), 1);
        // Other checks are other code.
        assert_eq!(compile(&cache, metered), 0);
        assert_eq!(compile(&cache, metered), 1);
        // What is no machine code is not run.
        let kept = files(&cache);
        assert!(kept.len() >= 2, "{kept:?}");
        for file in kept {
            fs::write(file, "garbage").unwrap();
        }
        assert_eq!(compile(&cache, Checks::default()), 0);
        remove(&cache);
    }

    #[test]
    fn states_share_what_is_kept_in_one_folder() {
        let cache = nowhere("shared");
        let (one, other) = (
            state(Some(&cache), &[]),
            state(Some(&cache.join("x/..")), &[]),
        );
        let (one, other) = (one.unwrap(), other.unwrap());
        let code = one.compile(MODULE).unwrap().code();
        assert!(Arc::ptr_eq(&code, &other.compile(MODULE).unwrap().code()));
        let without = state(None, &[]).unwrap().compile(MODULE).unwrap().code();
        assert!(!Arc::ptr_eq(&code, &without));
        remove(&cache);
    }

    #[cfg(unix)]
    #[test]
    fn no_guest_comes_to_it() {
        use std::os::unix::fs::{MetadataExt as _, symlink};

        let root = nowhere("refused");
        let cache = root.join("around/cache");
        let outside = root.join("outside");
        fs::create_dir_all(cache.join("in")).unwrap();
        fs::create_dir_all(&outside).unwrap();
        symlink("around", root.join("link")).unwrap();
        let refused = |cache: Option<&Path>, preopen: &Path| {
            let error = state(cache, &[outside.clone(), preopen.to_owned()])
                .err()
                .unwrap();
            assert_eq!(error.code, WasmErrorCode::CompileError);
            assert!(error.message.contains("guests"), "{error}");
        };
        let overlapping = [
            "",
            "around",
            "around/cache",
            "around/cache/in",
            "link/cache",
        ];
        for preopen in overlapping {
            refused(Some(&cache), &root.join(preopen));
            refused(Some(&root.join("link/cache")), &root.join(preopen));
        }
        // Of another state, as long as there is one.
        let other = state(None, &[root.join("around")]).unwrap();
        let error = state(Some(&cache), &[]).err().unwrap();
        assert!(error.message.contains("guests"), "{error}");
        drop(other);
        drop(state(Some(&cache), std::slice::from_ref(&outside)).unwrap());
        // Code from there may still be used.
        refused(None, &root.join("around"));

        let made = outside.join("new/cache");
        drop(state(Some(&made), &[]).unwrap());
        assert_eq!(made.metadata().unwrap().mode() & 0o777, 0o700);
        fs::write(outside.join("file"), "").unwrap();
        let error = state(Some(&outside.join("file")), &[]).err().unwrap();
        assert!(
            error.message.contains("cannot keep machine code in"),
            "{error}"
        );
        remove(&root);
    }
}
