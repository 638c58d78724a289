//! Names and messages out of modules and archives, as they are shown.

/// The maximum number of characters of a name.
const MAX_NAME: usize = 200;

/// Returns a name or a message on one line, cut if it is long, with an escape for each character that would control a
/// terminal or change the direction of text.
pub fn show(text: &str) -> String {
    let mut shown = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == MAX_NAME {
            shown.push('…');
            break;
        }
        let changes_direction = matches!(
            c,
            '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        );
        if c.is_control() || changes_direction {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Returns a number of bytes with a unit.
pub fn bytes(bytes: u64) -> String {
    let bytes = bytes as f64;
    match bytes {
        ..1e3 => format!("{bytes} B"),
        ..1e6 => format!("{:.1} kB", bytes / 1e3),
        _ => format!("{:.2} MB", bytes / 1e6),
    }
}
