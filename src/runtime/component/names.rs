//! Names of WIT in JavaScript, as `ts/component/names.ts` has them.

/// The name of a function, parameter or field: `read-all` becomes `readAll`.
pub(super) fn camel_case(name: &str) -> String {
    let mut converted = String::new();
    for (i, word) in name.split('-').enumerate() {
        let word = word.to_lowercase();
        match i {
            0 => converted += &word,
            _ => converted += &capitalized(&word),
        }
    }
    converted
}

/// The name of a resource's class, or of a type: `input-stream` becomes `InputStream`.
pub(super) fn pascal_case(name: &str) -> String {
    capitalized(&camel_case(name))
}

/// An interface id without its version: `my:pkg/iface@1.2.3` becomes `my:pkg/iface`.
pub(super) fn without_version(id: &str) -> &str {
    id.rsplit_once('@').map_or(id, |(bare, _)| bare)
}

/// The short name of an interface: `my:pkg/some-iface@1.2.3` becomes `someIface`.
pub(super) fn short_name(id: &str) -> String {
    let bare = without_version(id);
    camel_case(bare.rsplit_once('/').map_or(bare, |(_, name)| name))
}

/// Whether a name is one of WIT, or the id of an interface. The validator also accepts URLs and hashes, which have other
/// characters.
pub(super) fn is_plain(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-:/@.+[]".contains(&byte);
    name.bytes().all(is_plain)
}

fn capitalized(word: &str) -> String {
    let mut characters = word.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => String::new(),
    }
}
