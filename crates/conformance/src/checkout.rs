//! Checkouts of the official repositories: where a file is in one, and which features its scripts are written for.
//!
//! Three layouts are known:
//!
//! - `REPOSITORY/test/…`, with a list of tests in `nyi.txt`:
//!   [WebAssembly/component-model](https://github.com/WebAssembly/component-model).
//! - `REPOSITORY/test/core/…`: [WebAssembly/spec](https://github.com/WebAssembly/spec) and the repositories of proposals,
//!   which are copies of it.
//! - `REPOSITORY/proposals/NAME/…` and `REPOSITORY/…`, with scripts in `REPOSITORY` itself:
//!   [WebAssembly/testsuite](https://github.com/WebAssembly/testsuite), which collects the scripts of all of them.

use std::fs;
use std::path::Path;

use crate::features::Version;
use crate::suite::COMPONENT_MODEL;

/// The part of a checkout that a file is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkout {
    /// The proposal that the scripts are for, if they are for one.
    pub proposal: Option<String>,
    /// The version of the specification that the scripts are based on, if the folder tells it.
    pub version: Option<Version>,
}

impl Checkout {
    /// The checkout that the file at `path` is in, if it is in one. `proposals` are those with a suite; `is_pending`
    /// says whether a proposal is in no version of the specification yet.
    pub fn find(
        path: &Path,
        proposals: &[&str],
        is_pending: &dyn Fn(&str) -> bool,
    ) -> Option<Self> {
        let path = fs::canonicalize(path).ok()?;
        path.ancestors()
            .skip(1)
            .find_map(|folder| Self::at(folder, proposals, is_pending))
    }

    fn at(folder: &Path, proposals: &[&str], is_pending: &dyn Fn(&str) -> bool) -> Option<Self> {
        if folder.ends_with("test/core") {
            return Some(Self {
                proposal: proposal_of(folder, proposals, is_pending),
                version: Some(version_of(folder)),
            });
        }
        if folder.ends_with("test") && folder.join("nyi.txt").is_file() {
            return Some(Self {
                proposal: Some(COMPONENT_MODEL.to_owned()),
                version: None,
            });
        }
        let name = name(folder);
        if folder
            .parent()
            .is_some_and(|parent| parent.ends_with("proposals"))
            && proposals.contains(&name.as_str())
        {
            return Some(Self {
                proposal: Some(name),
                version: None,
            });
        }
        let is_testsuite = folder.join("proposals").is_dir() && holds_script(folder);
        is_testsuite.then_some(Self {
            proposal: None,
            version: Some(Version::default()),
        })
    }
}

/// The proposal that the scripts in a `test/core` are for. The repository's name tells it; where that is not known, a
/// folder does that is named after a pending proposal.
fn proposal_of(
    core: &Path,
    proposals: &[&str],
    is_pending: &dyn Fn(&str) -> bool,
) -> Option<String> {
    let repository = core.ancestors().nth(2)?;
    for name in [remote_name(repository), Some(name(repository))] {
        let name = name.unwrap_or_default();
        if name == "spec" {
            return None;
        }
        // The longest, so that `multi-memory` is not taken for a proposal called `memory`.
        let named = proposals
            .iter()
            .filter(|proposal| has_word(&name, proposal));
        if let Some(proposal) = named.max_by_key(|proposal| proposal.len()) {
            return Some((*proposal).to_owned());
        }
    }
    let mut pending = proposals.iter().filter(|proposal| is_pending(proposal));
    let found = pending.find(|proposal| core.join(proposal).is_dir());
    found.map(|proposal| (*proposal).to_owned())
}

/// The name of the repository that a folder was cloned from.
fn remote_name(repository: &Path) -> Option<String> {
    let config = fs::read_to_string(repository.join(".git/config")).ok()?;
    let url = config
        .lines()
        .find_map(|line| line.trim().strip_prefix("url = "))?;
    let name = url.trim_end_matches('/').rsplit(['/', ':']).next()?;
    Some(name.trim_end_matches(".git").to_owned())
}

/// Whether `name` is `word`, or holds it between other characters than letters and digits: an unpacked archive is
/// called `threads-main`, say.
fn has_word(name: &str, word: &str) -> bool {
    let is_bound = |c: Option<char>| c.is_none_or(|c| !c.is_ascii_alphanumeric());
    name.match_indices(word).any(|(start, _)| {
        is_bound(name[..start].chars().next_back())
            && is_bound(name[start + word.len()..].chars().next())
    })
}

/// The version of the specification that a `test/core` is of, by the folders that its scripts got in that version.
fn version_of(core: &Path) -> Version {
    if core.join("gc").is_dir() {
        Version::V3
    } else if core.join("simd").is_dir() {
        Version::V2
    } else {
        Version::V1
    }
}

fn holds_script(folder: &Path) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).any(|path| {
        path.extension()
            .is_some_and(|extension| extension == "wast")
    })
}

fn name(folder: &Path) -> String {
    let name = folder.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}
