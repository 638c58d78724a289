//! Text from guests and apps in messages. It is cut if it is long, and characters with an effect on terminals and
//! logs are escaped.

/// The maximum number of characters of a name in a message.
const MAX_NAME: usize = 100;

/// The maximum number of characters of another message inside a message.
const MAX_TEXT: usize = 300;

/// Returns a name on one line, cut if it is long.
pub(crate) fn show(name: &str) -> String {
    show_at_most(name, MAX_NAME)
}

/// Returns a name on one line, cut to `most` characters.
pub(crate) fn show_at_most(name: &str, most: usize) -> String {
    escape(name, most, breaks_lines)
}

/// Returns a text on one line, cut if it is very long.
pub(crate) fn show_long(text: &str) -> String {
    escape(text, MAX_TEXT, breaks_lines)
}

/// Returns a name in quotes, cut if it is long.
pub(crate) fn quote(name: &str) -> String {
    match name.char_indices().nth(MAX_NAME) {
        Some((end, _)) => format!("{:?}", format!("{}…", &name[..end])),
        None => format!("{name:?}"),
    }
}

/// Returns wasmtime's message on one line. It may contain names that the guest chose.
pub(crate) fn one_line(error: &wasmtime::Error) -> String {
    escape(&format!("{error:#}"), usize::MAX, breaks_lines)
}

/// Returns a message cut to `most` characters. Line feeds are kept.
pub(crate) fn cut(message: String, most: usize) -> String {
    let breaks = |c| c != '\n' && breaks_lines(c);
    if message.len() <= most && !message.contains(breaks) {
        return message;
    }
    escape(&message, most, breaks)
}

/// Returns a text cut to `most` characters, with the characters escaped for which `is_escaped` is true.
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

/// Whether a character ends a line, is a control character, or changes the text direction.
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
