//! Secrets in the text that vCenter writes of a virtual machine's changes.
//!
//! `VmReconfiguredEvent` tells what was changed twice: as data (`configSpec`), and as text, in `configChanges` and
//! in the message. The text has an entry for each change, `PATH: OLD -> NEW` or `PATH: (key = "…", value = "…")`,
//! with `; ` or a line's end behind it, and paths such as `config.extraConfig("RemoteDisplay.vnc.password").value`.
//! Of an entry that tells of a secret, the path is kept and all behind it goes, up to the next entry.
//!
//! Nothing in a value is escaped, so that a value may look like another entry. Both readings are tried: whatever
//! looks like an entry is asked whether it is secret, within quotes or not; but a secret ends only where an entry
//! begins outside of quotes.
//!
//! It refuses to read other texts: only paths that begin with `config.` are looked for, behind white space or a
//! `;`. The time is linear in the text.

use super::redact::{REDACTED, Redaction};
use crate::telling::looks_secret;
use crate::vsphere::pair::is_told;

/// What all paths begin with.
const ROOT: &str = "config.";
/// A longer path with an odd quote is not looked for.
const ODD_PATH_BYTES_MAX: usize = 256;
/// Above the entries of one kind stands one of these.
const HEADINGS: [&str; 3] = ["Modified:", "Added:", "Deleted:"];
/// The type of an appliance's property is told in another place, if at all, and may be `password`.
pub(super) const CHANGED_PROPERTY: &str = "vAppConfig.property";

/// The text without its secrets, and how many there were; `None`: there are none.
pub(in super::super) fn redact_changes(
    text: &str,
    redaction: &Redaction,
) -> Option<(String, usize)> {
    let (mut out, mut copied, mut count) = (String::new(), 0, 0);
    let mut entries = entries(text).peekable();
    while let Some(Entry { begin, value }) = entries.next() {
        // The path of another may begin in quotes of this one's.
        let end = entries.peek().map_or(text.len(), |next| next.begin.max(value));
        if begin < copied || !is_secret(&text[begin..value], &text[value..end], redaction) {
            continue;
        }
        let end = end_of_secret(text, value);
        let said = text[value..end].trim_end();
        let said = said.strip_suffix(';').unwrap_or(said);
        if said.trim().is_empty() || said == REDACTED {
            continue;
        }
        out.push_str(&text[copied..value]);
        out.push_str(REDACTED);
        (copied, count) = (value + said.len(), count + 1);
    }
    out.push_str(&text[copied..]);
    (count > 0).then_some((out, count))
}

fn is_secret(path: &str, said: &str, redaction: &Redaction) -> bool {
    let words = |text| str::split(text, |c: char| !c.is_alphanumeric() && !"_-".contains(c));
    looks_secret(path)
        || looks_secret(said)
        || words(path).chain(words(said)).any(|name| redaction.may_name(name))
        || (path.contains(CHANGED_PROPERTY) && words(path).any(is_told))
}

/// An entry of the text, or what looks like one.
struct Entry {
    /// Where its path begins.
    begin: usize,
    /// Where what it says begins, behind the path, a colon and blanks.
    value: usize,
}

/// All that look like entries, in their order.
fn entries(text: &str) -> impl Iterator<Item = Entry> {
    text.match_indices(ROOT).filter_map(|(begin, _)| entry(text, begin))
}

/// The entry whose path begins there. No two paths that are read far overlap, for what would stand in quotes of
/// the one is outside of the other's.
fn entry(text: &str, begin: usize) -> Option<Entry> {
    let before = text[..begin].bytes().next_back();
    if before.is_some_and(|byte| byte != b';' && !byte.is_ascii_whitespace()) {
        return None;
    }
    let mut quoted = false;
    let path = text.as_bytes()[begin..].iter().position(|byte| {
        quoted ^= *byte == b'"';
        !quoted && (matches!(byte, b':' | b';') || byte.is_ascii_whitespace())
    });
    let path = path.filter(|length| text.as_bytes()[begin + length] == b':');
    let colon = begin + path.or_else(|| odd_path(&text[begin..]))?;
    let value = text.len() - text[colon + 1..].trim_start_matches(' ').len();
    Some(Entry { begin, value })
}

/// How long a path is that has an odd quote in it, as the key of an option may have.
fn odd_path(text: &str) -> Option<usize> {
    let near = &text[..text.floor_char_boundary(ODD_PATH_BYTES_MAX)];
    let line = near.split(['\n', ';']).next().unwrap_or_default();
    line.find("\").").and_then(|key| line[key..].find(": ").map(|colon| key + colon))
}

/// Where the next entry begins, or a heading, outside of quotes.
fn end_of_secret(text: &str, value: usize) -> usize {
    let bytes = text.as_bytes();
    let mut quoted = false;
    for at in value..text.len() {
        quoted ^= bytes[at] == b'"';
        let may_begin = !quoted
            && (at == value || bytes[at - 1] == b';' || bytes[at - 1].is_ascii_whitespace());
        let begins = |word: &str| bytes[at..].starts_with(word.as_bytes());
        if may_begin
            && ((begins(ROOT) && entry(text, at).is_some()) || HEADINGS.into_iter().any(begins))
        {
            return at;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_change_of_a_secret_says_is_replaced_and_all_else_stays() {
        let redacted = |text: &str| {
            redact_changes(text, &Redaction::with(["annotation"]))
                .unwrap_or_else(|| (text.to_owned(), 0))
        };
        for (text, expected, count) in [
            ("config.hardware.numCPU: 1 -> 2; ", "config.hardware.numCPU: 1 -> 2; ", 0),
            (
                "config.extraConfig(\"a.vnc.password\").value: \"x; y\" -> \"z\"; config.name: a -> b",
                "config.extraConfig(\"a.vnc.password\").value: [redacted]; config.name: a -> b",
                1,
            ),
            (
                "Added:  \n \nconfig.extraConfig(\"a.password\"): (key = \"a.password\", value = \"x\")\nend",
                "Added:  \n \nconfig.extraConfig(\"a.password\"): [redacted]",
                1,
            ),
            (
                "config.a.token: 1 \n \nAdded:  \n \nconfig.b: 2;\n \nDeleted:\nconfig.c.token: 3\n",
                "config.a.token: [redacted] \n \nAdded:  \n \nconfig.b: 2;\n \nDeleted:\nconfig.c.token: [redacted]\n",
                2,
            ),
            // Quotes and semicolons of a password.
            (
                "config.a.token: \"a\"; b -> \"c; config.b: 1; config.c: 2; ",
                "config.a.token: [redacted]; ",
                1,
            ),
            // A single quote of another entry.
            (
                "config.name: 5\" disk -> x; config.annotation: \"a\" -> \"b\"; ",
                "config.name: 5\" disk -> x; config.annotation: [redacted]; ",
                1,
            ),
            (
                "config.extraConfig: (key = \"a.annotation\", value = 1); config.b: 1",
                "config.extraConfig: [redacted]; config.b: 1",
                1,
            ),
            (
                "config.vAppConfig.property(0).value: \"a\" -> \"b\"; config.vAppConfig.property(0).label: c",
                "config.vAppConfig.property(0).value: [redacted]; config.vAppConfig.property(0).label: c",
                1,
            ),
            (
                "config.extraConfig(\" config.a: token\").value: \"b\"",
                "config.extraConfig(\" config.a: token\").value: [redacted]",
                1,
            ),
            (
                "config.extraConfig(\"a\"b.password\").value: \"c\" -> \"d\"; config.b: 1",
                "config.extraConfig(\"a\"b.password\").value: [redacted]; config.b: 1",
                1,
            ),
            ("config.a.api_key: 1; x.config.token: 2", "config.a.api_key: [redacted]", 1),
            ("x.config.token: 2; config.token 3", "x.config.token: 2; config.token 3", 0),
            (
                "config.extraConfig: (key = \"a.token\", value = \"x;\"",
                "config.extraConfig: [redacted]",
                1,
            ),
            ("config.annotation: \"a\" -> \"b\"", "config.annotation: [redacted]", 1),
            ("config.password: ", "config.password: ", 0),
            ("the config.password is wrong", "the config.password is wrong", 0),
            ("config.a: 1; config.token: \"é", "config.a: 1; config.token: [redacted]", 1),
            ("config.token: [redacted]", "config.token: [redacted]", 0),
        ] {
            assert_eq!(redacted(text), (expected.to_owned(), count));
        }
    }

    #[test]
    fn a_text_of_paths_without_end_is_read_once() {
        for piece in [
            "config.",
            " config.",
            " config.(\"",
            " config.(",
            "\" config.\"",
            "\"\" config.",
            " config.a: ",
            " config.token: \"",
            " config.token: ; Added: ",
        ] {
            let text = piece.repeat(100_000);
            let redacted = redact_changes(&text, &Redaction::default());
            assert!(
                redacted.is_none_or(|(redacted, _)| redacted.len() <= 2 * text.len()),
                "{piece}"
            );
        }
    }
}
