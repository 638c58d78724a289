//! The folder for the cache of machine code, which processes share.
//!
//! wasmtime runs the code that it finds there. A user who can write to the folder can run any code in this process.
//! So no guest may have access to it. The profiles of the modules are beside the code, and are trusted like it.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use wasmtime::{Cache, CacheConfig};

use crate::runtime::base::error::WasmError;
use crate::runtime::engine::grants::GrantedPaths;

/// The subfolder for wasmtime in the host's folder. wasmtime deletes all unknown files in the folder of its cache.
const CODE: &str = "ext_wasm";

/// The subfolder for profiles of modules.
const PROFILES: &str = "ext_wasm-profiles";

/// The folders of a cache. Their paths have no links.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CacheFolders {
    /// For wasmtime's cache.
    pub code: PathBuf,
    /// For the profiles of modules.
    pub profiles: PathBuf,
}

/// The interval between deletions of excess entries. An app may compile many modules in a short time.
const CLEANUP: Duration = Duration::from_secs(30);

/// The cache folders of this process, and the folders that its states have granted to guests, which may have left
/// files there. Entries are never removed.
static FOLDERS: Mutex<Folders> = Mutex::new(Folders {
    caches: Vec::new(),
    granted: Vec::new(),
});

struct Folders {
    caches: Vec<PathBuf>,
    granted: Vec<PathBuf>,
}

/// Registers the cache folder of a state and the folders that the state grants to guests. The cache folder is
/// created if it does not exist. Returns its subfolders.
///
/// # Errors
/// `CompileError` if the folder cannot be used, other users can write to it, its path contains links, or guests of
/// any state in this process have or had access to this or another cache folder.
pub(crate) fn enter(
    cache: Option<&Path>,
    granted: &GrantedPaths,
) -> Result<Option<CacheFolders>, WasmError> {
    let absolute = |path: &Path| std::path::absolute(path).map_err(|error| unusable(path, error));
    let cache = cache.map(absolute).transpose()?;
    // A panic while the lock was held leaves the lists consistent.
    let folders = &mut *FOLDERS.lock().unwrap_or_else(PoisonError::into_inner);
    let mut caches = folders.caches.iter().chain(&cache);
    let overlaps_grants = caches.any(|cache| granted.paths().any(|path| overlap(path, cache)));
    let mut earlier = folders.granted.iter();
    let overlaps_earlier_grants = cache
        .as_ref()
        .is_some_and(|cache| earlier.any(|path| overlap(path, cache)));
    if overlaps_grants || overlaps_earlier_grants {
        return Err(WasmError::compile(
            "machine code cannot be kept where guests are or were given files",
        ));
    }
    let subfolders = cache.as_deref().map(make_subfolders).transpose()?;
    for path in granted.paths() {
        if !folders
            .granted
            .iter()
            .any(|granted| path.starts_with(granted))
        {
            folders.granted.push(path.to_owned());
        }
    }
    if let Some(cache) = cache
        && !folders.caches.contains(&cache)
    {
        folders.caches.push(cache);
    }
    Ok(subfolders)
}

/// Whether one path is equal to the other or inside it.
fn overlap(one: &Path, other: &Path) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

/// Creates the subfolders in the host's folder, and the host's folder if it does not exist.
fn make_subfolders(path: &Path) -> Result<CacheFolders, WasmError> {
    Ok(CacheFolders {
        code: make_subfolder(path, CODE)?,
        profiles: make_subfolder(path, PROFILES)?,
    })
}

fn make_subfolder(path: &Path, name: &str) -> Result<PathBuf, WasmError> {
    let subfolder = path.join(name);
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let created = builder
        .create(&subfolder)
        .and_then(|()| subfolder.canonicalize());
    let canonical = created.map_err(|error| unusable(path, error))?;
    if canonical != subfolder {
        // A user who can change a link would choose the code that is run.
        let why = format!("it leads through links to {}", canonical.display());
        return Err(unusable(path, why));
    }
    let private = is_private(&subfolder).map_err(|error| unusable(path, error))?;
    if !private {
        return Err(unusable(path, "others can write to it"));
    }
    Ok(subfolder)
}

/// Whether the folder belongs to this user, and no other user can create files in it.
fn is_private(folder: &Path) -> io::Result<bool> {
    let path = folder.join(format!("{}.tried", std::process::id()));
    let file = File::create(&path)?;
    // Deletion may fail because wasmtime's cleanup has deleted the file.
    drop(fs::remove_file(path));
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let (of_folder, of_file) = (folder.metadata()?, file.metadata()?);
        Ok(of_folder.uid() == of_file.uid() && of_folder.mode() & 0o022 == 0)
    }
    #[cfg(not(unix))]
    Ok(file.metadata().is_ok())
}

/// Opens wasmtime's cache in the subfolder.
///
/// # Errors
/// `CompileError` if wasmtime cannot use it.
pub(crate) fn open(folder: &Path) -> Result<Cache, WasmError> {
    let mut config = CacheConfig::new();
    config.with_directory(folder).with_cleanup_interval(CLEANUP);
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
    use std::sync::Arc;

    use super::*;
    use crate::runtime::base::options::Checks;
    use crate::runtime::engine::compile_queue::CompileQueue;
    use crate::runtime::module::CodeCache;
    use crate::runtime::module::compiler::Compiler;
    use crate::runtime::{WasmCapabilities, WasmErrorCode, WasmState};

    const MODULE: &[u8] = b"(module (func (export \"f\") (result i32) (i32.const 7)))";

    /// Returns the path of a folder that does not exist.
    fn missing_folder(name: &str) -> PathBuf {
        let name = format!("ext_wasm-cache-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        remove(&path);
        path
    }

    /// Removes a folder. Repeated, because wasmtime's thread may be writing to it.
    fn remove(folder: &Path) {
        while folder.exists() {
            drop(fs::remove_dir_all(folder));
        }
    }

    fn state(cache: Option<&Path>, preopens: &[PathBuf]) -> Result<WasmState, WasmError> {
        WasmState::new(WasmCapabilities {
            cache_path: cache.map(Path::to_owned),
            allow_wasi: true,
            preopen_paths: preopens.to_vec(),
            ..Default::default()
        })
    }

    /// Compiles the module as a new process would. Returns the number of modules that were found in the cache.
    fn compile(cache: &Path, checks: Checks) -> usize {
        // A tuned cache has its own engines, which no other state shares.
        let tune = Arc::new(|_: &mut wasmtime::Config| {});
        let code_cache =
            CodeCache::new(Some(tune), Some(make_subfolders(cache).unwrap()), None).unwrap();
        let code = Compiler::new(
            code_cache.clone(),
            checks,
            Arc::default(),
            true,
            CompileQueue::new(1),
        )
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
        code_cache.engines().disk_cache_hits()
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
    fn code_of_another_process_is_found() {
        let cache = missing_folder("found");
        let metered = Checks {
            fuel: true,
            interrupt: false,
        };
        assert_eq!(compile(&cache, Checks::default()), 0);
        assert_eq!(compile(&cache, Checks::default()), 1);
        // Code with other checks is separate.
        assert_eq!(compile(&cache, metered), 0);
        assert_eq!(compile(&cache, metered), 1);
        // A file that is not machine code is ignored.
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
        let cache = missing_folder("shared");
        let (one, other) = (state(Some(&cache), &[]), state(Some(&cache.join(".")), &[]));
        let (one, other) = (one.unwrap(), other.unwrap());
        let code = one.compile(MODULE).unwrap().code();
        assert!(Arc::ptr_eq(&code, &other.compile(MODULE).unwrap().code()));
        let without = state(None, &[]).unwrap().compile(MODULE).unwrap().code();
        assert!(!Arc::ptr_eq(&code, &without));
        remove(&cache);
    }

    /// Returns the message of the error when a state is made.
    fn refused(cache: Option<&Path>, preopens: &[PathBuf]) -> String {
        let error = state(cache, preopens).err().unwrap();
        assert_eq!(error.code, WasmErrorCode::CompileError);
        error.message
    }

    #[test]
    fn a_folder_that_guests_can_access_is_refused() {
        let root = missing_folder("guests");
        let cache = root.join("around/cache");
        let (outside, earlier) = (root.join("outside"), root.join("earlier"));
        for folder in [
            &cache.join("ext_wasm"),
            &cache.join("in"),
            &outside,
            &earlier,
        ] {
            fs::create_dir_all(folder).unwrap();
        }
        let overlapping =
            ["", "around", "around/cache", "around/cache/in"].map(|path| root.join(path));
        let guests = "machine code cannot be kept where guests are or were given files";
        for preopen in &overlapping {
            let preopens = [outside.clone(), preopen.clone()];
            assert_eq!(refused(Some(&cache), &preopens), guests);
        }
        assert!(!cache.join("ext_wasm/modules").exists());
        // The process may use code from the cache until it ends.
        drop(state(Some(&cache), &[outside]).unwrap());
        for preopen in overlapping {
            assert_eq!(refused(None, &[preopen]), guests);
        }
        // A guest may have left files in a folder that was granted earlier.
        drop(state(None, std::slice::from_ref(&earlier)).unwrap());
        assert_eq!(refused(Some(&earlier), &[]), guests);
        assert_eq!(refused(Some(&earlier.join("new")), &[]), guests);
        assert!(!earlier.join("new").exists());
        remove(&root);
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_other_users_can_write_to_is_refused() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};

        let root = missing_folder("others");
        let created = root.join("new/cache");
        drop(state(Some(&created), &[]).unwrap());
        let subfolder = created.join(CODE);
        for folder in [&root, &created, &subfolder] {
            let mode = folder.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700, "{folder:?}");
        }
        for mode in [0o720, 0o702] {
            fs::set_permissions(&subfolder, fs::Permissions::from_mode(mode)).unwrap();
            let message = refused(Some(&created), &[]);
            assert!(message.ends_with("others can write to it"), "{message}");
        }
        symlink("new", root.join("link")).unwrap();
        for path in ["link/cache", "new/cache/../cache"] {
            let message = refused(Some(&root.join(path)), &[]);
            assert!(message.contains("leads through links to"), "{message}");
        }
        fs::write(root.join("file"), "").unwrap();
        let message = refused(Some(&root.join("file")), &[]);
        assert!(
            message.starts_with("cannot keep machine code in"),
            "{message}"
        );
        // wasmtime deletes unknown files in its folder, so it must not be the host's folder.
        let host = missing_folder("others-own");
        let state = state(Some(&host), &[]).unwrap();
        state.compile(MODULE).unwrap();
        assert!(host.join(CODE).join("modules").exists());
        let is_known = |file: &PathBuf| {
            file.starts_with(host.join(CODE)) || file.starts_with(host.join(PROFILES))
        };
        assert!(files(&host).iter().all(is_known));
        remove(&host);
        remove(&root);
    }
}
