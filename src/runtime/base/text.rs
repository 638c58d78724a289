//! Text of guests' and apps' in messages: cut where it is long, and without anything that a terminal or a log
//! would take for more than text.

/// The most characters of a name that a message shows.
const MAX_NAME: usize = 100;

/// A name, cut, on one line.
pub(crate) fn show(name: &str) -> String {
    escape(name, MAX_NAME, breaks_lines)
}

/// A name in quotes, cut.
pub(crate) fn quote(name: &str) -> String {
    match name.char_indices().nth(MAX_NAME) {
        Some((end, _)) => format!("{:?}", format!("{}…", &name[..end])),
        None => format!("{name:?}"),
    }
}

/// What wasmtime says, which may hold names of the guest's, on one line.
pub(crate) fn one_line(error: &wasmtime::Error) -> String {
    escape(&format!("{error:#}"), usize::MAX, breaks_lines)
}

/// A message, cut to so many characters. It keeps its line feeds.
pub(crate) fn cut(message: String, most: usize) -> String {
    let breaks = |c| c != '\n' && breaks_lines(c);
    if message.len() <= most && !message.contains(breaks) {
        return message;
    }
    escape(&message, most, breaks)
}

/// A text with some of its characters escaped, cut to so many characters.
fn escape(text: &str, most: usize, is_escaped: impl Fn(char) -> bool) -> String {
    let mut shown = String::new();
    let mut count = 0;
    for c in text.chars() {
        if count >= most {
            shown.push('…');
            break;
        }
        let before = shown.len();
        if is_escaped(c) {
            shown.extend(c.escape_default());
            count += shown.len() - before;
        } else {
            shown.push(c);
            count += 1;
        }
    }
    shown
}

/// Whether a character ends a line, is a control character, or turns the direction of text.
fn breaks_lines(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{2028}'
                | '\u{2029}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_on_one_line_and_are_cut() {
        assert_eq!(
            show("a\nb\r\u{2028}\u{202e}\u{1b}[2Jé"),
            "a\\nb\\r\\u{2028}\\u{202e}\\u{1b}[2Jé"
        );
        assert_eq!(show(&"é".repeat(101)), format!("{}…", "é".repeat(100)));
        assert_eq!(show(&"é".repeat(100)), "é".repeat(100));
        assert_eq!(quote("a\"\n"), "\"a\\\"\\n\"");
        assert_eq!(quote(&"x".repeat(101)), format!("\"{}…\"", "x".repeat(100)));
    }

    #[test]
    fn messages_keep_their_lines_and_are_cut() {
        assert_eq!(cut("one\ntwo\u{7}".into(), 500), "one\ntwo\\u{7}");
        assert_eq!(cut("abc".into(), 3), "abc");
        assert_eq!(cut("abcd".into(), 3), "abc…");
        let cut = cut("\u{1b}".repeat(500), 500);
        assert!(
            cut.ends_with("\\u{1b}…") && cut.chars().count() < 510,
            "{cut}"
        );
    }
}
