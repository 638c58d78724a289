//! Where machine code is kept across processes.
//!
//! wasmtime runs what it finds there. Whoever can write to the folder can run anything in this process,
//! so that no guest may be given a way to it.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use wasmtime::{Cache, CacheConfig};

use crate::runtime::base::error::WasmError;
use crate::runtime::engine::grants::GrantedPaths;

/// What is in a folder of the host's: wasmtime removes whatever else it finds where it keeps its code.
const OURS: &str = "ext_wasm";

/// How often what is too much is removed; an app may compile one module after another.
const CLEANUP: Duration = Duration::from_secs(30);

/// The folders that this process has kept machine code in, and those that its states have granted to
/// guests, who may have left something there. Both for as long as it lives.
static FOLDERS: Mutex<Folders> = Mutex::new(Folders {
    caches: Vec::new(),
    granted: Vec::new(),
});

struct Folders {
    caches: Vec<PathBuf>,
    granted: Vec<PathBuf>,
}

/// Enters the folder of a state's cache, which is made if there is none, and what the state grants to
/// guests. Returns where in the folder the code is to be kept.
///
/// # Errors
/// `CompileError` if the folder cannot be used, others than this user can write to it, the path leads
/// there through links, or guests of any state in this process could come, or could have come, to one
/// that is used so.
pub(crate) fn enter(
    cache: Option<&Path>,
    granted: &GrantedPaths,
) -> Result<Option<PathBuf>, WasmError> {
    let absolute = |path: &Path| std::path::absolute(path).map_err(|error| unusable(path, error));
    let cache = cache.map(absolute).transpose()?;
    // The lists are whole whatever panicked while they were locked.
    let folders = &mut *FOLDERS.lock().unwrap_or_else(PoisonError::into_inner);
    let mut caches = folders.caches.iter().chain(&cache);
    let with_mine = caches.any(|cache| granted.paths().any(|path| meet(path, cache)));
    let mut earlier = folders.granted.iter();
    let with_earlier = cache
        .as_ref()
        .is_some_and(|cache| earlier.any(|path| meet(path, cache)));
    if with_mine || with_earlier {
        return Err(WasmError::compile(
            "machine code cannot be kept where guests are or were given files",
        ));
    }
    let ours = cache.as_deref().map(folder).transpose()?;
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
    Ok(ours)
}

/// Whether one is in the other.
fn meet(one: &Path, other: &Path) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

/// Makes our folder in the host's, and that if there is none.
fn folder(path: &Path) -> Result<PathBuf, WasmError> {
    let ours = path.join(OURS);
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let made = builder.create(&ours).and_then(|()| ours.canonicalize());
    let real = made.map_err(|error| unusable(path, error))?;
    if real != ours {
        // Whoever can change a link chooses what is run.
        let why = format!("it leads through links to {}", real.display());
        return Err(unusable(path, why));
    }
    let private = is_private(&ours).map_err(|error| unusable(path, error))?;
    if !private {
        return Err(unusable(path, "others can write to it"));
    }
    Ok(ours)
}

/// Whether a folder, in which this process can make files, is this user's, and nobody else can.
fn is_private(folder: &Path) -> io::Result<bool> {
    let path = folder.join(format!("{}.tried", std::process::id()));
    let file = File::create(&path)?;
    // wasmtime, which tidies here, may have been first.
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

/// wasmtime's cache in a folder of ours.
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
    use crate::runtime::engine::compile_queue::CompileQueue;
    use crate::runtime::module::CodeCache;
    use crate::runtime::module::compiler::Compiler;
    use crate::runtime::{Checks, WasmCapabilities, WasmErrorCode, WasmState};

    const MODULE: &[u8] = b"(module (func (export \"f\") (result i32) (i32.const 7)))";

    /// A folder that does not exist.
    fn nowhere(name: &str) -> PathBuf {
        let name = format!("ext_wasm-cache-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        remove(&path);
        path
    }

    /// Removes a folder, into which wasmtime's own thread may just be writing.
    fn remove(folder: &Path) {
        while folder.exists() {
            drop(fs::remove_dir_all(folder));
        }
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
        let code_cache = CodeCache::new(Some(tune), Some(folder(cache).unwrap())).unwrap();
        let code = Compiler::new(
            code_cache.clone(),
            checks,
            Arc::default(),
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
        let (one, other) = (state(Some(&cache), &[]), state(Some(&cache.join(".")), &[]));
        let (one, other) = (one.unwrap(), other.unwrap());
        let code = one.compile(MODULE).unwrap().code();
        assert!(Arc::ptr_eq(&code, &other.compile(MODULE).unwrap().code()));
        let without = state(None, &[]).unwrap().compile(MODULE).unwrap().code();
        assert!(!Arc::ptr_eq(&code, &without));
        remove(&cache);
    }

    /// What the refusal says of a state.
    fn refused(cache: Option<&Path>, preopens: &[PathBuf]) -> String {
        let error = state(cache, preopens).err().unwrap();
        assert_eq!(error.code, WasmErrorCode::CompileError);
        error.message
    }

    #[test]
    fn no_guest_comes_to_it() {
        let root = nowhere("guests");
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
        // Code from there may be used until the process ends.
        drop(state(Some(&cache), &[outside]).unwrap());
        for preopen in overlapping {
            assert_eq!(refused(None, &[preopen]), guests);
        }
        // And a guest may have left something behind.
        drop(state(None, std::slice::from_ref(&earlier)).unwrap());
        assert_eq!(refused(Some(&earlier), &[]), guests);
        assert_eq!(refused(Some(&earlier.join("new")), &[]), guests);
        assert!(!earlier.join("new").exists());
        remove(&root);
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_comes_to_it() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};

        let root = nowhere("others");
        let made = root.join("new/cache");
        drop(state(Some(&made), &[]).unwrap());
        let ours = made.join(OURS);
        for folder in [&root, &made, &ours] {
            let mode = folder.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700, "{folder:?}");
        }
        for mode in [0o720, 0o702] {
            fs::set_permissions(&ours, fs::Permissions::from_mode(mode)).unwrap();
            let message = refused(Some(&made), &[]);
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
        // wasmtime removes whatever it does not know from its folder, which is not the host's.
        let host = nowhere("others-own");
        let state = state(Some(&host), &[]).unwrap();
        state.compile(MODULE).unwrap();
        assert!(host.join(OURS).join("modules").exists());
        assert!(
            files(&host)
                .iter()
                .all(|file| file.starts_with(host.join(OURS)))
        );
        remove(&host);
        remove(&root);
    }
}
