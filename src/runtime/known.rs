//! Compiled code that is in use, so that nobody compiles it again.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::module::Code;

/// The code that somebody uses, by the binaries it was made of.
#[derive(Default)]
pub(crate) struct Known {
    hasher: RandomState,
    codes: Mutex<Codes>,
}

#[derive(Default)]
struct Codes {
    by_hash: HashMap<u64, Vec<Weak<Code>>>,
    /// How many hashes there may be before those are looked for of which all code is gone.
    enough: usize,
}

impl Known {
    /// By which a binary is looked for.
    pub(crate) fn hash(&self, wasm: &[u8]) -> u64 {
        self.hasher.hash_one(wasm)
    }

    /// The code of this binary, of this hash, if somebody uses it.
    pub(crate) fn find(&self, hash: u64, wasm: &[u8]) -> Option<Arc<Code>> {
        find(self.codes().by_hash.get(&hash)?, wasm)
    }

    /// Takes in code that was just compiled, of a binary of this hash, and returns it; or that of the
    /// same binary which somebody else has compiled meanwhile.
    pub(crate) fn add(&self, hash: u64, code: Code) -> Arc<Code> {
        debug_assert_eq!(hash, self.hash(code.wasm()));
        let codes = &mut *self.codes();
        let same_hash = codes.by_hash.entry(hash).or_default();
        if let Some(known) = find(same_hash, code.wasm()) {
            return known;
        }
        let code = Arc::new(code);
        same_hash.push(Arc::downgrade(&code));
        if codes.by_hash.len() > codes.enough {
            codes.by_hash.retain(|_, codes| {
                codes.retain(|code| code.strong_count() > 0);
                !codes.is_empty()
            });
            codes.enough = 2 * codes.by_hash.len();
        }
        code
    }

    fn codes(&self) -> MutexGuard<'_, Codes> {
        // The map is whole whatever panicked while it was locked.
        self.codes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn find(codes: &[Weak<Code>], wasm: &[u8]) -> Option<Arc<Code>> {
    let mut alive = codes.iter().filter_map(Weak::upgrade);
    alive.find(|code| code.wasm() == wasm)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::compile_queue::CompileQueue;
    use crate::runtime::engine::{Checks, Engines};
    use crate::runtime::module::Compiler;

    #[test]
    fn code_is_known_for_as_long_as_it_is_used() {
        let tune = Arc::new(|_: &mut wasmtime::Config| {});
        let engines = Engines::new(Some(tune), None).unwrap();
        let queue = CompileQueue::new(1);
        let compiler = Compiler::new(engines.clone(), Checks::default(), Arc::default(), queue);
        let one = compiler.compile(b"(module)").unwrap();
        let same = compiler
            .compile(&wat::parse_str("(module)").unwrap())
            .unwrap();
        assert!(Arc::ptr_eq(&one, &same));
        let other = compiler.compile(b"(module (memory 1))").unwrap();
        assert!(!Arc::ptr_eq(&one, &other));
        let wasm = one.wasm().to_vec();
        drop(one);
        let known = engines.known();
        let hash = known.hash(&wasm);
        assert!(known.find(hash, &wasm).is_some());
        drop(same);
        assert!(known.find(hash, &wasm).is_none());
        for pages in 0..100 {
            compiler
                .compile(format!("(module (memory {pages}))").as_bytes())
                .unwrap();
        }
        let hashes = known.codes().by_hash.len();
        assert!(hashes < 10, "{hashes}");
    }
}
