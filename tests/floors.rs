//! Imports point downwards: `floors.txt` lists the floor of each file and folder.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The imports of each unit. A unit is a file or a folder directly below the folder that is checked.
type Imports = BTreeMap<String, BTreeSet<String>>;

#[test]
fn imports_point_downwards() {
    let floors = include_str!("floors.txt");
    let mut wrong = Vec::new();
    for (folder, floors) in sections(floors) {
        wrong.extend(check(&folder, &floors, &imports_in(&folder)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_check_finds_each_kind_of_error() {
    let sections = sections("# A comment.\n[ts]\na b c low\n\nhigh\ngone\n");
    let (folder, floors) = &sections[0];
    let imports: Imports = [
        ("a", vec!["b"]),
        ("b", vec!["c"]),
        ("c", vec!["a"]),
        ("high", vec!["a", "low"]),
        ("low", vec!["high"]),
        ("new", vec!["a"]),
    ]
    .into_iter()
    .map(|(unit, imports)| {
        (
            unit.to_owned(),
            imports.into_iter().map(str::to_owned).collect(),
        )
    })
    .collect();
    assert_eq!(
        check(folder, floors, &imports),
        [
            "ts: a -> b -> c -> a is a circle",
            "ts: high -> low -> high is a circle",
            "ts: low imports high, which is on a higher floor",
            "ts: new is on no floor",
            "ts: gone is on a floor, but there is no such file",
        ]
    );
}

#[test]
fn rust_paths_are_found_everywhere_in_a_file() {
    let source = r#"
        //! Not `super::comment::here`.
        use super::one::{Two, Three};
        use crate::{four::{self, five::Six}, Seven};
        fn f() -> super::super::eight::Nine { call(self::ten::f, "super::text::here") }
        mod inner { use super::super::eleven; use super::twelve::g; }
        mod tests { use super::super::thirteen; }
    "#;
    let mut paths = Vec::new();
    find_paths(source.parse().unwrap(), &[], 0, &mut paths);
    let paths: Vec<String> = paths.iter().map(|path| path.join("::")).collect();
    assert_eq!(
        paths,
        [
            "super::one::Two",
            "super::one::Three",
            "crate::four::self",
            "crate::four::five::Six",
            "crate::Seven",
            "super::super::eight::Nine",
            "self::ten::f",
            "super::eleven",
            "self::twelve::g",
        ]
    );
}

/// The folders of the table, each with the units of its floors.
fn sections(table: &str) -> Vec<(String, Vec<Vec<String>>)> {
    let mut sections: Vec<(String, Vec<Vec<String>>)> = Vec::new();
    for line in table.lines() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(folder) = line.strip_prefix('[') {
            let folder = folder.strip_suffix(']').expect(line);
            sections.push((folder.to_owned(), Vec::new()));
            continue;
        }
        let (_, floors) = sections.last_mut().expect(line);
        floors.push(line.split_whitespace().map(str::to_owned).collect());
    }
    sections
}

/// All errors in the imports of a folder.
fn check(folder: &str, floors: &[Vec<String>], imports: &Imports) -> Vec<String> {
    let mut wrong = Vec::new();
    let floor_of = |unit: &String| floors.iter().position(|floor| floor.contains(unit));
    for (unit, imported) in imports {
        let Some(floor) = floor_of(unit) else {
            wrong.push(format!("{folder}: {unit} is on no floor"));
            continue;
        };
        for other in imported {
            if floor_of(other).is_some_and(|other| other > floor) {
                wrong.push(format!(
                    "{folder}: {unit} imports {other}, which is on a higher floor"
                ));
            }
        }
        if let Some(circle) = circle_from(unit, imports) {
            // Each circle is reported once, from the first of its units.
            if circle.iter().all(|other| unit <= other) {
                wrong.push(format!(
                    "{folder}: {} -> {unit} is a circle",
                    circle.join(" -> ")
                ));
            }
        }
    }
    let listed = floors.iter().flatten();
    wrong.extend(
        listed
            .filter(|unit| !imports.contains_key(*unit))
            .map(|unit| format!("{folder}: {unit} is on a floor, but there is no such file")),
    );
    wrong
}

/// A shortest circle of imports from a unit back to itself.
fn circle_from(unit: &str, imports: &Imports) -> Option<Vec<String>> {
    let mut seen = BTreeSet::new();
    let mut paths = VecDeque::from([vec![unit.to_owned()]]);
    while let Some(path) = paths.pop_front() {
        for next in path
            .last()
            .and_then(|last| imports.get(last))
            .into_iter()
            .flatten()
        {
            if next == unit {
                return Some(path);
            }
            if seen.insert(next.clone()) {
                let mut longer = path.clone();
                longer.push(next.clone());
                paths.push_back(longer);
            }
        }
    }
    None
}

/// The imports of all source files below a folder of this package, without imports of a unit from itself.
fn imports_in(folder: &str) -> Imports {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut imports = Imports::new();
    for file in files_in(&root.join(folder)) {
        let file = file.strip_prefix(root).unwrap();
        let text = fs::read_to_string(root.join(file)).unwrap();
        let name = file.to_str().unwrap().replace('\\', "/");
        let imported = match file.extension().and_then(|extension| extension.to_str()) {
            Some("ts") => forge_weld::imported_files(&name, &text).expect(&name),
            Some("rs") => rust_imports(root, &name, &text),
            _ => continue,
        };
        let unit = unit_of(folder, &name).unwrap();
        let of_unit = imports.entry(unit.clone()).or_default();
        let imported = imported.iter().filter_map(|file| unit_of(folder, file));
        of_unit.extend(imported.filter(|other| *other != unit));
    }
    imports
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_in(&path));
        } else {
            files.push(path);
        }
    }
    files
}

/// The unit of a file: the file itself or the folder that contains it, directly below `folder`, without its extension.
fn unit_of(folder: &str, file: &str) -> Option<String> {
    let inner = file.strip_prefix(folder)?.strip_prefix('/')?;
    let unit = inner.split('/').next()?;
    Some(unit.split('.').next()?.to_owned())
}

/// The files that the paths in a Rust file refer to.
fn rust_imports(root: &Path, file: &str, text: &str) -> Vec<String> {
    let tokens: TokenStream = text
        .parse()
        .unwrap_or_else(|error| panic!("{file}: {error}"));
    let mut paths = Vec::new();
    find_paths(tokens, &[], 0, &mut paths);
    let module = module_of(file);
    let found = paths.iter().filter_map(|path| file_of(root, &module, path));
    found.collect()
}

/// The path of a file's module, from the root of the crate.
fn module_of(file: &str) -> Vec<String> {
    let inner = file
        .strip_prefix("src/")
        .unwrap()
        .strip_suffix(".rs")
        .unwrap();
    let mut module: Vec<String> = inner.split('/').map(str::to_owned).collect();
    if module
        .last()
        .is_some_and(|last| matches!(last.as_str(), "mod" | "lib"))
    {
        module.pop();
    }
    module
}

/// The file of the innermost module on a path that has a file of its own.
fn file_of(root: &Path, module: &[String], path: &[String]) -> Option<String> {
    let mut at = module.to_vec();
    let mut path = path.iter().map(String::as_str).peekable();
    match path.next()? {
        "crate" => at.clear(),
        "self" => {}
        "super" => {
            at.pop();
        }
        // A child module of this module, or a name of another kind.
        first => {
            at.push(first.to_owned());
            module_file(root, &at)?;
        }
    }
    while path.next_if_eq(&"super").is_some() {
        at.pop();
    }
    for name in path {
        at.push(name.to_owned());
        if module_file(root, &at).is_none() {
            at.pop();
            break;
        }
    }
    module_file(root, &at)
}

fn module_file(root: &Path, module: &[String]) -> Option<String> {
    let path = module.join("/");
    let files = match module {
        [] => vec!["src/lib.rs".to_owned()],
        _ => vec![format!("src/{path}.rs"), format!("src/{path}/mod.rs")],
    };
    files.into_iter().find(|file| root.join(file).is_file())
}

/// Finds the paths of several names in tokens: each path of a `use` item, and paths in code. `prefix` is the part of
/// a `use` item before its list. `depth` is the number of inline modules around the tokens.
fn find_paths(tokens: TokenStream, prefix: &[String], depth: usize, paths: &mut Vec<Vec<String>>) {
    let mut tokens = tokens.into_iter().peekable();
    let mut path = prefix.to_vec();
    // Whether the next name belongs to the path.
    let mut continues = !prefix.is_empty();
    // Whether the next name is the name of a module, or the next group is its body.
    let mut is_module = false;
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(name) => {
                let after_mod = !continues && path == ["mod"];
                if !continues {
                    end_path(&mut path, depth, paths);
                }
                path.push(name.to_string());
                continues = false;
                is_module = after_mod;
                continue;
            }
            TokenTree::Group(group) if continues && group.delimiter() == Delimiter::Brace => {
                find_paths(group.stream(), &path, depth, paths);
                path.clear();
                continues = false;
            }
            // Unit tests may import from higher floors.
            TokenTree::Group(_) if is_module && path == ["tests"] => path.clear(),
            TokenTree::Group(group) => {
                end_path(&mut path, depth, paths);
                let depth = depth + usize::from(is_module);
                find_paths(group.stream(), &[], depth, paths);
                continues = false;
            }
            TokenTree::Punct(colon) if colon.as_char() == ':' => {
                let is_colon = |token: &TokenTree| matches!(token, TokenTree::Punct(second) if second.as_char() == ':');
                continues = tokens.next_if(is_colon).is_some() && !path.is_empty();
                if !continues {
                    end_path(&mut path, depth, paths);
                }
            }
            TokenTree::Punct(comma) if comma.as_char() == ',' && !prefix.is_empty() => {
                end_path(&mut path, depth, paths);
                path = prefix.to_vec();
                continues = true;
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => {
                end_path(&mut path, depth, paths);
                continues = false;
            }
        }
        is_module = false;
    }
    end_path(&mut path, depth, paths);
}

/// Adds a path of several names to the list. In an inline module, the first `super` is the module of the file.
fn end_path(path: &mut Vec<String>, depth: usize, paths: &mut Vec<Vec<String>>) {
    let mut path = std::mem::take(path);
    let supers = path.iter().take_while(|name| *name == "super").count();
    if supers > 0 && depth > 0 {
        path.drain(..supers.min(depth));
        if supers <= depth {
            path.insert(0, "self".to_owned());
        }
    }
    if path.len() > 1 {
        paths.push(path);
    }
}
