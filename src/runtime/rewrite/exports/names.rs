//! The names of exports in a reordered binary.

use std::collections::HashMap;

use super::section::Export;

/// The use of a new name.
#[derive(Clone, Copy)]
pub(super) enum Use {
    /// An object that the module does not export.
    Hidden,
    /// An export of the module with a longer name.
    Renamed,
}

/// Returns the new name with this number. The first ones are the shortest.
pub(super) fn new_name(prefix: &str, of: Use, count: usize) -> String {
    const SYMBOLS: &[u8; 64] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_";
    let mut name = prefix.to_owned();
    let mut number = 2 * count + usize::from(matches!(of, Use::Renamed));
    loop {
        name.push(SYMBOLS[number % SYMBOLS.len()].into());
        number /= SYMBOLS.len();
        if number == 0 {
            return name;
        }
        // So that no name is another one with zeros at its end.
        number -= 1;
    }
}

/// The names that a module's exports have in its reordered binary.
#[derive(Debug, Default)]
pub(crate) struct ExportNames {
    /// The prefix of all new names. The module itself has no name that begins with it.
    pub(super) prefix: Option<Box<str>>,
    pub(super) renamed: HashMap<Box<str>, Box<str>>,
}

impl ExportNames {
    /// Returns the name in the reordered binary of the module's export `name`. Returns `None` for names of hidden
    /// exports, which nobody else may use.
    pub(crate) fn resolve<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        let Some(prefix) = &self.prefix else {
            return Some(name);
        };
        if name.starts_with(&**prefix) {
            return None;
        }
        Some(self.renamed.get(name).map_or(name, |new| &**new))
    }
}

/// Returns a prefix of one or two characters with which no name begins.
pub(super) fn unused_prefix(exports: &[Export<'_>]) -> Option<String> {
    let mut begins = [false; 128];
    let mut begins_with_two = vec![[false; 128]; 128];
    for export in exports {
        match *export.name.as_bytes() {
            [a, b, ..] if a < 128 && b < 128 => {
                begins[usize::from(a)] = true;
                begins_with_two[usize::from(a)][usize::from(b)] = true;
            }
            [a, ..] if a < 128 => begins[usize::from(a)] = true,
            _ => {}
        }
    }
    let character = |index: usize| u8::try_from(index).map(char::from).ok();
    if let Some(free) = begins.iter().position(|used| !used) {
        return Some(character(free)?.into());
    }
    begins_with_two
        .iter()
        .enumerate()
        .find_map(|(first, seconds)| {
            let second = seconds.iter().position(|used| !used)?;
            Some([character(first)?, character(second)?].iter().collect())
        })
}
