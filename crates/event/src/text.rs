//! Text that somebody else chose, made harmless for whoever looks at it.
//!
//! Names, messages, refusals and event types come from clouds, clients and targets. On a terminal, some
//! of their characters are commands: escape sequences paint, move the cursor, change the window's title
//! or the clipboard; overrides of direction make a line read otherwise than it is. [`shown`] writes
//! these characters as JSON would escape them, so that they are seen, and so that JSON keeps its meaning.
//!
//! It refuses to decide where: whoever prints calls it, and what is stored or sent stays as it came.

use std::{borrow::Cow, fmt::Write as _};

/// `text` with everything that a terminal would obey in the form of a JSON escape: control characters
/// (C0, DEL, C1) with line ends and tabs among them, line and paragraph separators, and marks that
/// change the direction of writing (Unicode Standard Annex #9). One line comes out as one line.
pub fn shown(text: &str) -> Cow<'_, str> {
    let Some(first) = text.find(is_command) else {
        return Cow::Borrowed(text);
    };
    let mut shown = String::with_capacity(text.len() + 16);
    shown.push_str(&text[..first]);
    for c in text[first..].chars() {
        match c {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            // All of them are below U+10000, so four digits are enough.
            c if is_command(c) => {
                let _never_fails = write!(shown, "\\u{:04x}", u32::from(c));
            }
            c => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// [`shown`] for a text of several lines, JSON included: line ends and tabs stay, for between the tokens
/// of JSON they are blanks, and a carriage return, which can be nothing else there, becomes a space.
pub fn shown_lines(text: &str) -> Cow<'_, str> {
    let stays = |c: char| matches!(c, '\n' | '\t');
    if !text.contains(|c| !stays(c) && is_command(c)) {
        return Cow::Borrowed(text);
    }
    let pieces = text.split_inclusive(|c| stays(c) || c == '\r').map(|piece| {
        let end = piece.trim_end_matches(['\n', '\t', '\r']).len();
        shown(&piece[..end]).into_owned() + &piece[end..].replace('\r', " ")
    });
    Cow::Owned(pieces.collect())
}

/// Whether a terminal obeys it instead of showing it.
fn is_command(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_to_a_terminal_are_shown_and_not_sent() {
        assert_eq!(
            shown("VM.\u{1b}[1mSTART\u{1b}]0;title\u{7}"),
            "VM.\\u001b[1mSTART\\u001b]0;title\\u0007"
        );
        assert_eq!(shown("\u{9b}1m \u{7f}\u{85}"), "\\u009b1m \\u007f\\u0085");
        assert_eq!(shown("a\r\n\tb"), "a\\r\\n\\tb");
        for mark in "\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}\u{200e}\u{200f}\u{61c}".chars() {
            assert_eq!(shown(&mark.to_string()), format!("\\u{:04x}", u32::from(mark)));
        }
    }

    #[test]
    fn what_people_write_stays_as_it_is() {
        for text in ["", "web-1 läuft", "虚拟机 ½ \\n", "שרת", "👩‍💻"] {
            assert!(matches!(shown(text), Cow::Borrowed(same) if same == text), "{text}");
        }
        assert_eq!(shown_lines("a\nb\u{1b}c\n"), "a\nb\\u001bc\n");
        assert!(matches!(shown_lines("a\n\tb"), Cow::Borrowed("a\n\tb")));
        assert_eq!(shown_lines("{\r\n\t\"a\":\r1}"), "{ \n\t\"a\": 1}");
    }

    #[test]
    fn json_says_the_same_afterwards() -> Result<(), serde_json::Error> {
        let said = serde_json::Value::from("\u{1b}\u{7f}\u{9b}\u{202e}\u{2066}\n\\u0007");
        let json = said.to_string();
        assert!(json.contains('\u{202e}'), "serde_json leaves these as they are");
        let json = shown(&json).into_owned();
        assert!(json.is_ascii(), "{json}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&json)?, said);
        Ok(())
    }
}
