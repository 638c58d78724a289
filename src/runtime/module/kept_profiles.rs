//! The profiles of modules that were validated and compiled, in a folder that processes share.
//!
//! wasmtime's cache has the machine code of a module, but not whether the module is within the limits of this process.
//! To find that out takes longer than to read the code: seconds for the largest modules. So the profile is kept beside
//! the code, and compared with the limits.
//!
//! A binary is known by a hash for which nobody can make another binary. The hash covers everything else that the
//! profile depends on: the settings of the engine, wasmtime's version, and the source code of the analysis.

#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::hash::{Hash as _, Hasher};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use wasmtime::Engine;

use crate::runtime::admission::ModuleProfile;

/// The number of files. A profile whose place is taken replaces the one that is there, so nothing has to be removed.
const PLACES: u16 = 1 << 13;

/// The maximum size of a file, in bytes. Only for a module that needs another order of many exports would it be larger.
const MAX_BYTES: u64 = 64 << 10;

/// The version of the source code that makes profiles, and of the format of this file.
const VERSION: &str = env!("EXT_WASM_PROFILE_VERSION");

/// The identity of a module.
pub(super) struct Key([u8; 32]);

/// The profiles in a folder. A file that cannot be read, is damaged, or belongs to another module is as if it were not
/// there.
pub(super) struct KeptProfiles {
    folder: PathBuf,
}

impl Key {
    /// The identity of a binary that is compiled by this engine.
    pub(super) fn of(engine: &Engine, wasm: &[u8]) -> Self {
        let mut settings = Sha256Hasher(Sha256::new());
        engine.precompile_compatibility_hash().hash(&mut settings);
        // Each part has a fixed length, except for the last.
        let hash = Sha256::new()
            .chain_update(Sha256::digest(VERSION))
            .chain_update(settings.0.finalize())
            .chain_update(wasm);
        Self(hash.finalize().into())
    }
}

impl KeptProfiles {
    /// The profiles in this folder, to which nobody else can write.
    pub(super) fn in_folder(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    /// Returns the profile of a module, if it was kept.
    pub(super) fn find(&self, key: &Key) -> Option<ModuleProfile> {
        let mut file = Vec::new();
        let opened = File::open(self.path(key)).ok()?;
        opened.take(MAX_BYTES + 1).read_to_end(&mut file).ok()?;
        let (hash, profile) = file.strip_prefix(&key.0)?.split_at_checked(32)?;
        if *hash != *Sha256::digest(profile) {
            return None;
        }
        postcard::from_bytes(profile).ok()
    }

    /// Keeps the profile of a module that is valid and was compiled.
    pub(super) fn keep(&self, key: &Key, profile: &ModuleProfile) {
        let Ok(profile) = postcard::to_allocvec(profile) else {
            return;
        };
        let file = [&key.0[..], &Sha256::digest(&profile), &profile].concat();
        if file.len() as u64 > MAX_BYTES {
            return;
        }
        // Two processes may write at the same time. What they leave is recognised as damaged.
        if let Err(error) = fs::write(self.path(key), file) {
            tracing::debug!(%error, "cannot keep the profile of a module");
        }
    }

    fn path(&self, key: &Key) -> PathBuf {
        let [first, second, ..] = key.0;
        let place = u16::from_be_bytes([first, second]) % PLACES;
        self.folder.join(format!("{place:04x}"))
    }
}

/// Hashes values whose `Hash` is the same in every process.
struct Sha256Hasher(Sha256);

impl Hasher for Sha256Hasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        unreachable!("the whole hash is taken")
    }
}
