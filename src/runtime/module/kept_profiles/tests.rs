use std::sync::Arc;

use super::*;
use crate::runtime::base::error::WasmError;
use crate::runtime::base::module_limits::ModuleLimits;
use crate::runtime::base::options::Checks;
use crate::runtime::engine::compile_queue::CompileQueue;
use crate::runtime::engine::disk_cache;
use crate::runtime::engine::grants::GrantedPaths;
use crate::runtime::module::compiler::Compiler;
use crate::runtime::module::{Code, CodeCache};

const MODULE: &str =
    "(module (memory 1) (func (export \"f\") (i32.store (i32.const 0) (i32.const 7))))";
/// In Wasm text, only the unfolded form of these instructions is read.
const LEGACY: &str = "(module (func (export \"f\") try nop catch_all nop end))";

/// A folder of a cache, removed at the end of the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("ext_wasm-profiles-{}-{name}", std::process::id());
        let folder = Self(std::env::temp_dir().join(name));
        folder.remove();
        folder
    }

    /// Repeated, because wasmtime's thread may be writing to it.
    fn remove(&self) {
        while self.0.exists() {
            drop(fs::remove_dir_all(&self.0));
        }
    }

    fn code_cache(&self) -> Arc<CodeCache> {
        let grants = GrantedPaths::new(&[], &[], Path::new("")).unwrap();
        let folders = disk_cache::enter(Some(&self.0), &grants).unwrap();
        // A tuned cache has its own engines and its own code, as a new process would.
        let tune = Arc::new(|_: &mut wasmtime::Config| {});
        CodeCache::new(Some(tune), folders, None).unwrap()
    }

    /// Compiles a module as a new process would.
    fn compile(&self, wasm: &[u8], process: &Process) -> Result<Arc<Code>, WasmError> {
        let compiler = Compiler::new(
            self.code_cache(),
            Checks::default(),
            Arc::new(process.limits.clone()),
            process.allow_legacy_exceptions,
            CompileQueue::new(1),
        );
        compiler.compile(wasm)
    }

    fn key(&self, wasm: &[u8]) -> Key {
        let cache = self.code_cache();
        Key::of(cache.engines().get(Checks::default()).unwrap(), wasm)
    }

    fn profiles(&self) -> KeptProfiles {
        KeptProfiles::in_folder(&self.0.join("ext_wasm-profiles"))
    }

    /// The number of profiles that are kept.
    fn count(&self) -> usize {
        fs::read_dir(self.profiles().folder).unwrap().count()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        self.remove();
    }
}

/// The settings of a process.
struct Process {
    limits: ModuleLimits,
    allow_legacy_exceptions: bool,
}

impl Default for Process {
    fn default() -> Self {
        Self {
            limits: ModuleLimits::default(),
            allow_legacy_exceptions: true,
        }
    }
}

fn binary(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

#[test]
fn a_module_is_analysed_once_for_all_processes() {
    let folder = Folder::new("once");
    for text in [MODULE, LEGACY] {
        let wasm = binary(text);
        let first = folder.compile(&wasm, &Process::default()).unwrap();
        let key = folder.key(&wasm);
        let mut kept = folder.profiles().find(&key).unwrap();
        assert_eq!(format!("{kept:?}"), format!("{:?}", first.profile));
        // A mark, which an analysis would not find.
        kept.waits = true;
        folder.profiles().keep(&key, &kept);
        let second = folder.compile(&wasm, &Process::default()).unwrap();
        assert!(second.profile.waits && !first.profile.waits, "{text}");
        assert_eq!(second.offsets.is_some(), text == LEGACY);
    }
}

#[test]
fn a_kept_profile_is_compared_with_the_limits_of_each_process() {
    let folder = Folder::new("limits");
    let with = |change: fn(&mut Process)| {
        let mut process = Process::default();
        change(&mut process);
        process
    };
    let strict = [
        with(|process| process.limits.max_memories = 0),
        with(|process| {
            process.limits.max_compile_ms = 0;
            process.limits.max_compile_ns_per_byte = 0;
        }),
        with(|process| {
            process.limits.max_compile_bytes = 0;
            process.limits.max_compile_bytes_per_byte = 0;
        }),
    ];
    let refused = |folder: &Folder, text, process: &Process| {
        let refused = folder.compile(&binary(text), process);
        refused.map(drop).unwrap_err().message
    };
    let empty = Folder::new("no-profiles");
    let before: Vec<_> = strict
        .iter()
        .map(|process| refused(&empty, MODULE, process))
        .collect();
    folder
        .compile(&binary(MODULE), &Process::default())
        .unwrap();
    let after: Vec<_> = strict
        .iter()
        .map(|process| refused(&folder, MODULE, process))
        .collect();
    assert_eq!(before, after);
    folder
        .compile(&binary(LEGACY), &Process::default())
        .unwrap();
    let message = refused(
        &folder,
        LEGACY,
        &with(|process| process.allow_legacy_exceptions = false),
    );
    assert!(message.contains("allow_legacy_exceptions"), "{message}");
}

#[test]
fn nothing_is_kept_of_a_module_that_is_not_compiled() {
    let folder = Folder::new("refused");
    let invalid = binary("(module (func i32.add))");
    folder
        .compile(&invalid, &Process::default())
        .map(drop)
        .unwrap_err();
    let mut strict = Process::default();
    strict.limits.max_memories = 0;
    folder
        .compile(&binary(MODULE), &strict)
        .map(drop)
        .unwrap_err();
    assert_eq!(folder.count(), 0);
}

#[test]
fn a_damaged_file_is_as_if_it_were_not_there() {
    let folder = Folder::new("damaged");
    let wasm = binary(MODULE);
    folder.compile(&wasm, &Process::default()).unwrap();
    let (profiles, key) = (folder.profiles(), folder.key(&wasm));
    let path = profiles.path(&key);
    let whole = fs::read(&path).unwrap();
    for place in 0..whole.len() {
        let mut changed = whole.clone();
        changed[place] ^= 1;
        fs::write(&path, changed).unwrap();
        assert!(profiles.find(&key).is_none(), "byte {place}");
        fs::write(&path, &whole[..place]).unwrap();
        assert!(profiles.find(&key).is_none(), "{place} bytes");
    }
    let longer = [&whole[..], &vec![0; MAX_BYTES as usize]].concat();
    fs::write(&path, longer).unwrap();
    assert!(profiles.find(&key).is_none());
    // It is replaced.
    folder.compile(&wasm, &Process::default()).unwrap();
    assert_eq!(fs::read(&path).unwrap(), whole);
}

#[test]
fn a_file_of_another_module_is_as_if_it_were_not_there() {
    let folder = Folder::new("foreign");
    let (wasm, other) = (binary(MODULE), binary("(module (memory 2))"));
    folder.compile(&wasm, &Process::default()).unwrap();
    let (profiles, key, others_key) = (folder.profiles(), folder.key(&wasm), folder.key(&other));
    fs::copy(profiles.path(&key), profiles.path(&others_key)).unwrap();
    assert!(profiles.find(&others_key).is_none());
    assert!(profiles.find(&key).is_some());
}

#[test]
fn engines_with_other_settings_do_not_share_profiles() {
    let wasm = binary(MODULE);
    let key = |change: fn(&mut wasmtime::Config) -> &mut wasmtime::Config| {
        let mut config = wasmtime::Config::new();
        change(&mut config);
        Key::of(&Engine::new(&config).unwrap(), &wasm).0
    };
    let usual = key(|config| config);
    assert_eq!(usual, key(|config| config));
    assert_ne!(
        usual,
        key(|config| config.wasm_simd(false).wasm_relaxed_simd(false))
    );
    assert_ne!(usual, key(|config| config.consume_fuel(true)));
}
