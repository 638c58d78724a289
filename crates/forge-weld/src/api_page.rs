use std::fmt::Write;

/// The Markdown page of a module, made from its [declarations](crate::declarations).
///
/// The declarations are printed text, so an item consists of whole lines, and it ends where all of its brackets are
/// closed.
pub(crate) fn page(specifier: &str, declarations: &str) -> String {
    let lines: Vec<&str> = declarations.lines().collect();
    // The first line says how the declarations were made. The other lines are inside the braces of the module.
    let (made, items) = match lines.as_slice() {
        [made, _, items @ .., _] => (*made, items),
        _ => ("", &[][..]),
    };
    let mut entries = merge(read_items(items).into_iter().map(Entry::new).collect());
    // `export {}` of a module that exports nothing.
    entries.retain(|entry| !entry.name.is_empty());

    let made = made.trim_start_matches("// ");
    let mut page = format!("<!-- {made} -->\n\n# `{specifier}`\n");
    for group in Group::ALL {
        let members: Vec<&Entry> = entries
            .iter()
            .filter(|entry| entry.group == group)
            .collect();
        if members.is_empty() {
            continue;
        }
        let links: Vec<String> = members
            .iter()
            .map(|entry| link(&entry.name, &entry.name))
            .collect();
        write!(page, "\n## {}\n\n{}\n", group.title(), links.join(", "))
            .expect("writing to a string cannot fail");
        for entry in members {
            page.push_str(&entry.markdown(&entries));
        }
    }
    page
}

/// A declaration or a member of a declaration: its doc comment, and its lines without their common indentation.
struct Item {
    doc: Vec<String>,
    lines: Vec<String>,
}

/// Splits lines into items.
fn read_items(lines: &[&str]) -> Vec<Item> {
    let depth = lines.first().map_or(0, |line| indentation(line));
    let mut items = Vec::new();
    let mut doc = Vec::new();
    let mut body = Vec::new();
    let mut open = 0_i32;
    let mut in_comment = false;
    for line in lines {
        let text = line.trim();
        if body.is_empty() && (in_comment || text.starts_with("/**")) {
            in_comment = !text.ends_with("*/");
            let text = text.trim_start_matches("/**").trim_end_matches("*/").trim();
            let text = text.strip_prefix('*').unwrap_or(text);
            doc.push(text.trim().to_owned());
            continue;
        }
        body.push(line.get(depth..).unwrap_or(text).to_owned());
        open += brackets(text);
        if open == 0 && text.ends_with([';', '}']) {
            items.push(Item {
                doc: std::mem::take(&mut doc),
                lines: std::mem::take(&mut body),
            });
        }
    }
    items
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// The number of brackets that a line opens, minus the number that it closes. Brackets in doc comments do not count.
fn brackets(line: &str) -> i32 {
    if line.starts_with(['*', '/']) {
        return 0;
    }
    let count = |brackets: &[char]| line.matches(brackets).count() as i32;
    count(&['{', '(', '[']) - count(&['}', ')', ']'])
}

#[derive(Clone, Copy, PartialEq)]
enum Group {
    Functions,
    Classes,
    Types,
    Constants,
}

impl Group {
    const ALL: [Self; 4] = [Self::Functions, Self::Classes, Self::Types, Self::Constants];

    fn title(self) -> &'static str {
        match self {
            Self::Functions => "Functions",
            Self::Classes => "Classes",
            Self::Types => "Types",
            Self::Constants => "Constants",
        }
    }
}

/// All exports with the same name.
struct Entry {
    name: String,
    group: Group,
    parts: Vec<Part>,
}

/// One declaration: the code that the page shows, and the members that the page lists.
struct Part {
    doc: Vec<String>,
    code: String,
    members: Vec<Item>,
}

impl Entry {
    fn new(item: Item) -> Self {
        let head = item.lines[0].trim_start_matches("export ").to_owned();
        let mut words = head.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '$');
        let keyword = words.next().unwrap_or_default();
        let name = words.next().unwrap_or_default().to_owned();
        let group = match keyword {
            "function" => Group::Functions,
            "class" => Group::Classes,
            "const" => Group::Constants,
            _ => Group::Types,
        };
        let has_members = head.ends_with('{') && keyword != "type";
        let (code, members) = if has_members {
            let inner: Vec<&str> = item.lines[1..item.lines.len() - 1]
                .iter()
                .map(String::as_str)
                .collect();
            let head = head.trim_end_matches('{').trim_end().trim_end_matches(':');
            (head.to_owned(), read_items(&inner))
        } else {
            let rest = &item.lines[1..];
            let code = [&[head], rest].concat().join("\n");
            (code.trim_end_matches(';').to_owned(), Vec::new())
        };
        let part = Part {
            doc: item.doc,
            code,
            members,
        };
        Self {
            name,
            group,
            parts: vec![part],
        }
    }

    fn markdown(&self, all: &[Self]) -> String {
        let mut text = format!("\n### {}\n", self.name);
        for Part { doc, code, members } in &self.parts {
            write!(text, "\n```ts\n{code}\n```\n").expect("writing to a string cannot fail");
            for paragraph in paragraphs(doc, all) {
                write!(text, "\n{paragraph}\n").expect("writing to a string cannot fail");
            }
            let members: Vec<String> = members
                .iter()
                .filter_map(|member| list_item(member, all))
                .collect();
            if !members.is_empty() {
                write!(text, "\n{}\n", members.join("\n"))
                    .expect("writing to a string cannot fail");
            }
        }
        text
    }
}

/// Puts declarations of the same name together, a constant and its type for example.
fn merge(entries: Vec<Entry>) -> Vec<Entry> {
    let mut merged: Vec<Entry> = Vec::new();
    for entry in entries {
        match merged.iter_mut().find(|other| other.name == entry.name) {
            Some(first) => first.parts.extend(entry.parts),
            None => merged.push(entry),
        }
    }
    merged
}

/// A member as an item of a list; `None` for a private member.
fn list_item(member: &Item, all: &[Entry]) -> Option<String> {
    let words: Vec<&str> = member
        .lines
        .iter()
        .flat_map(|line| line.split_whitespace())
        .collect();
    let code = words.join(" ");
    let code = code.trim_end_matches(';');
    if code.starts_with('#') || code.starts_with("private ") {
        return None;
    }
    let mut text = format!("- `{code}`");
    let paragraphs = paragraphs(&member.doc, all);
    if let Some((first, rest)) = paragraphs.split_first() {
        write!(text, ": {first}").expect("writing to a string cannot fail");
        for paragraph in rest {
            write!(text, "\n\n  {paragraph}").expect("writing to a string cannot fail");
        }
    }
    Some(text)
}

/// The paragraphs of a doc comment.
fn paragraphs(doc: &[String], all: &[Entry]) -> Vec<String> {
    let mut paragraphs: Vec<String> = Vec::new();
    let mut ended = true;
    for line in doc {
        let text = match line.strip_prefix("@throws ") {
            Some(thrown) => {
                ended = true;
                let (class, when) = thrown
                    .strip_prefix('{')
                    .and_then(|thrown| thrown.split_once('}'))
                    .unwrap_or(("", thrown));
                let class = link_to(class, all);
                format!("Throws {class}: {}", when.trim())
            }
            None => line.clone(),
        };
        match paragraphs.last_mut() {
            _ if text.is_empty() => ended = true,
            Some(last) if !ended => {
                last.push(' ');
                last.push_str(&text);
            }
            _ => {
                paragraphs.push(text);
                ended = false;
            }
        }
    }
    paragraphs
        .iter()
        .map(|text| with_links(text, all))
        .collect()
}

/// Replaces each `{@linkcode Name.member}` of a comment by a link.
fn with_links(text: &str, all: &[Entry]) -> String {
    let mut linked = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{@linkcode ") {
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        linked.push_str(before);
        linked.push_str(&link_to(name.trim(), all));
        rest = after;
    }
    linked + rest
}

/// A name in code style, with a link to its heading if the page has one.
fn link_to(name: &str, all: &[Entry]) -> String {
    let export = name.split('.').next().unwrap_or(name);
    if all.iter().any(|entry| entry.name == export) {
        link(name, export)
    } else {
        format!("`{name}`")
    }
}

fn link(text: &str, heading: &str) -> String {
    format!("[`{text}`](#{})", heading.to_lowercase())
}
