//! The cache of compiled code that is in use, so that the same module is not compiled again.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};

use super::Code;
use super::kept_profiles::KeptProfiles;
use crate::runtime::base::error::WasmError;
use crate::runtime::base::instance_pool::InstancePool;
use crate::runtime::component::ComponentCode;
use crate::runtime::engine::disk_cache::CacheFolders;
use crate::runtime::engine::stack_class::StackClass;
use crate::runtime::engine::{Engines, Tune};
use crate::runtime::store::concurrent::fiber_stacks;
use crate::runtime::store::native_stack::ThreadStack;

/// The engines, and the compiled code that is in use, by the binaries it was compiled from.
pub(crate) struct CodeCache {
    engines: Engines,
    /// Profiles of modules whose machine code may be in a folder. `None` without one.
    kept_profiles: Option<KeptProfiles>,
    hasher: RandomState,
    modules: Codes<Code>,
    components: Codes<ComponentCode>,
}

/// Compiled code of one kind.
struct Codes<T>(Mutex<CodesByHash<T>>);

struct CodesByHash<T> {
    by_hash: HashMap<u64, Vec<Weak<T>>>,
    /// The number of hashes above which hashes without live code are removed.
    max_hashes: usize,
}

/// Code that was compiled from a binary.
trait Compiled {
    /// Returns the binary.
    fn wasm(&self) -> &[u8];
}

impl Compiled for Code {
    fn wasm(&self) -> &[u8] {
        self.wasm()
    }
}

impl Compiled for ComponentCode {
    fn wasm(&self) -> &[u8] {
        self.wasm()
    }
}

impl CodeCache {
    /// Returns a cache for threads with a stack like the current one's. With `tune`, the cache is new and has its
    /// own engines. Without `tune`, one cache is shared in the whole process by all states with the same folders for
    /// machine code, similar stack sizes and equal pools of instances, so that code which one runtime compiled serves the
    /// others.
    ///
    /// # Errors
    /// As [`Engines::new`].
    pub(crate) fn new(
        tune: Option<Tune>,
        disk_cache: Option<CacheFolders>,
        pool: Option<InstancePool>,
    ) -> Result<Arc<Self>, WasmError> {
        type Key = (Option<CacheFolders>, StackClass, Option<InstancePool>);
        type Untuned = HashMap<Key, Arc<CodeCache>>;
        static UNTUNED: LazyLock<Mutex<Untuned>> = LazyLock::new(Mutex::default);
        let stack = ThreadStack::current().class();
        if tune.is_some() {
            return Ok(Arc::new(Self::of(tune, disk_cache.as_ref(), stack, pool)?));
        }
        // A panic while the lock was held leaves the map consistent.
        let untuned = &mut *UNTUNED.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (disk_cache, stack, pool);
        if let Some(cache) = untuned.get(&key) {
            return Ok(cache.clone());
        }
        let cache = Arc::new(Self::of(None, key.0.as_ref(), stack, pool)?);
        untuned.insert(key, cache.clone());
        Ok(cache)
    }

    fn of(
        tune: Option<Tune>,
        folders: Option<&CacheFolders>,
        stack: StackClass,
        pool: Option<InstancePool>,
    ) -> Result<Self, WasmError> {
        let code = folders.map(|folders| &*folders.code);
        Ok(Self {
            engines: Engines::new(tune, code, stack, fiber_stacks::creator(), pool)?,
            kept_profiles: folders.map(|folders| KeptProfiles::in_folder(&folders.profiles)),
            hasher: RandomState::new(),
            modules: Codes::default(),
            components: Codes::default(),
        })
    }

    /// Returns the profiles that are kept in a folder, if there is one.
    pub(super) fn kept_profiles(&self) -> Option<&KeptProfiles> {
        self.kept_profiles.as_ref()
    }

    /// Returns the engines that compile the code.
    pub(crate) fn engines(&self) -> &Engines {
        &self.engines
    }

    /// Returns the hash of a binary, for [`find`](Self::find) and [`add`](Self::add).
    pub(crate) fn hash(&self, wasm: &[u8]) -> u64 {
        self.hasher.hash_one(wasm)
    }

    /// Returns the code of this module if it is in use and `fits`. `hash` is the binary's hash.
    pub(crate) fn find(
        &self,
        hash: u64,
        wasm: &[u8],
        fits: impl Fn(&Code) -> bool,
    ) -> Option<Arc<Code>> {
        self.modules.find(hash, wasm, fits)
    }

    /// Adds new code and returns it. If another thread has added code of the same module in the meantime, returns
    /// that. `hash` is the binary's hash.
    pub(crate) fn add(&self, hash: u64, code: Code) -> Arc<Code> {
        debug_assert_eq!(hash, self.hash(code.wasm()));
        let single_pass = code.single_pass;
        self.modules
            .add(hash, code, |other| other.single_pass == single_pass)
    }

    /// Returns the code of this component if it is in use. `hash` is the binary's hash.
    pub(crate) fn find_component(&self, hash: u64, wasm: &[u8]) -> Option<Arc<ComponentCode>> {
        self.components.find(hash, wasm, |_| true)
    }

    /// Adds new code of a component, as [`CodeCache::add`] does.
    pub(crate) fn add_component(&self, hash: u64, code: ComponentCode) -> Arc<ComponentCode> {
        debug_assert_eq!(hash, self.hash(code.wasm()));
        self.components.add(hash, code, |_| true)
    }
}

impl<T> Default for Codes<T> {
    fn default() -> Self {
        Self(Mutex::new(CodesByHash {
            by_hash: HashMap::new(),
            max_hashes: 0,
        }))
    }
}

impl<T: Compiled> Codes<T> {
    fn find(&self, hash: u64, wasm: &[u8], fits: impl Fn(&T) -> bool) -> Option<Arc<T>> {
        find(self.lock().by_hash.get(&hash)?, wasm, fits)
    }

    fn add(&self, hash: u64, code: T, is_same: impl Fn(&T) -> bool) -> Arc<T> {
        let codes = &mut *self.lock();
        let same_hash = codes.by_hash.entry(hash).or_default();
        if let Some(found) = find(same_hash, code.wasm(), is_same) {
            return found;
        }
        let code = Arc::new(code);
        same_hash.push(Arc::downgrade(&code));
        if codes.by_hash.len() > codes.max_hashes {
            codes.by_hash.retain(|_, codes| {
                codes.retain(|code| code.strong_count() > 0);
                !codes.is_empty()
            });
            codes.max_hashes = 2 * codes.by_hash.len();
        }
        code
    }

    fn lock(&self) -> MutexGuard<'_, CodesByHash<T>> {
        // A panic while the lock was held leaves the map consistent.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn find<T: Compiled>(codes: &[Weak<T>], wasm: &[u8], fits: impl Fn(&T) -> bool) -> Option<Arc<T>> {
    let mut alive = codes.iter().filter_map(Weak::upgrade);
    alive.find(|code| code.wasm() == wasm && fits(code))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::base::module_limits::ModuleLimits;
    use crate::runtime::base::options::Checks;
    use crate::runtime::engine::compile_queue::CompileQueue;
    use crate::runtime::module::compiler::Compiler;

    #[test]
    fn code_of_one_register_allocator_does_not_serve_states_with_the_other() {
        let tune = Arc::new(|_: &mut wasmtime::Config| {});
        let cache = CodeCache::new(Some(tune), None, None).unwrap();
        let compiler = |above| {
            let limits = ModuleLimits {
                single_pass_above_body_bytes: above,
                ..ModuleLimits::default()
            };
            let queue = CompileQueue::new(1);
            Compiler::new(
                cache.clone(),
                Checks::default(),
                Arc::new(limits),
                true,
                queue,
            )
        };
        let (usual, single_pass) = (compiler(u64::MAX), compiler(0));
        let wasm = wat::parse_str("(module (func (drop (i32.const 1))))").unwrap();
        let one = single_pass.compile(&wasm).unwrap();
        assert!(usual.find_small(&wasm).is_none());
        let other = usual.compile(&wasm).unwrap();
        assert!(one.single_pass && !other.single_pass);
        assert!(Arc::ptr_eq(&one, &single_pass.compile(&wasm).unwrap()));
        assert!(Arc::ptr_eq(&other, &usual.find_small(&wasm).unwrap()));
    }

    #[test]
    fn code_is_found_for_as_long_as_it_is_used() {
        let tune = Arc::new(|_: &mut wasmtime::Config| {});
        let cache = CodeCache::new(Some(tune), None, None).unwrap();
        let queue = CompileQueue::new(1);
        let compiler = Compiler::new(
            cache.clone(),
            Checks::default(),
            Arc::default(),
            true,
            queue,
        );
        let one = compiler.compile(b"(module)").unwrap();
        let same = compiler
            .compile(&wat::parse_str("(module)").unwrap())
            .unwrap();
        assert!(Arc::ptr_eq(&one, &same));
        let other = compiler.compile(b"(module (memory 1))").unwrap();
        assert!(!Arc::ptr_eq(&one, &other));
        let wasm = one.wasm().to_vec();
        drop(one);
        let hash = cache.hash(&wasm);
        assert!(cache.find(hash, &wasm, |_| true).is_some());
        drop(same);
        assert!(cache.find(hash, &wasm, |_| true).is_none());
        for pages in 0..100 {
            compiler
                .compile(format!("(module (memory {pages}))").as_bytes())
                .unwrap();
        }
        let hashes = cache.modules.lock().by_hash.len();
        assert!(hashes < 10, "{hashes}");
    }
}
