//! Secrets in the text that vCenter writes of a virtual machine's changes.
//!
//! `VmReconfiguredEvent` tells what was changed twice: as data (`configSpec`), and as text, in `configChanges` and
//! in the message. The text has an entry for each change, `PATH: OLD -> NEW` or `PATH: (key = "…", value = "…")`,
//! with `; ` or a line's end behind it, and paths such as `config.extraConfig("RemoteDisplay.vnc.password").value`.
//! Of an entry that tells of a secret, the path is kept and all behind it goes.
//!
//! It refuses to read other texts: only paths that begin with `config.` are looked for.

use std::ops::Range;

use super::redact::{REDACTED, Redaction, looks_secret};

/// What all paths begin with.
const ROOT: &str = "config.";

/// The text without its secrets, and how many there were; `None`: there are none.
pub(in super::super) fn redact_changes(
    text: &str,
    redaction: &Redaction,
) -> Option<(String, usize)> {
    let (mut out, mut copied, mut count) = (String::new(), 0, 0);
    let mut at = 0;
    while let Some(found) = text.get(at..).and_then(|rest| rest.find(ROOT)) {
        let begin = at + found;
        let Some(value) = value(text, begin) else {
            at = begin + ROOT.len();
            continue;
        };
        at = value.end;
        let (path, said) = (&text[begin..value.start], &text[value.clone()]);
        let mut names = path.split(['.', '(', ')', '"', '[', ']', ':']);
        let is_secret =
            looks_secret(path) || looks_secret(said) || names.any(|name| redaction.may_name(name));
        if is_secret && !said.trim().is_empty() && said != REDACTED {
            out.push_str(&text[copied..value.start]);
            out.push_str(REDACTED);
            (copied, count) = (value.end, count + 1);
        }
    }
    out.push_str(&text[copied..]);
    (count > 0).then_some((out, count))
}

/// Where the value of the entry stands whose path begins there; `None`: it is no entry.
fn value(text: &str, begin: usize) -> Option<Range<usize>> {
    let is_quoted = |quoted: &mut bool, c: char| {
        *quoted ^= c == '"';
        *quoted
    };
    let mut quoted = false;
    let path = text[begin..].char_indices().find(|(_, c)| {
        !is_quoted(&mut quoted, *c) && (matches!(c, ':' | ';') || c.is_whitespace())
    });
    let (length, ':') = path? else { return None };
    let start = begin + length + 1;
    let start = text.len() - text[start..].trim_start_matches(' ').len();
    let mut quoted = false;
    let end = text[start..].char_indices().find(|(at, c)| {
        let is_end = || text[start + at + 1..].chars().next().is_none_or(char::is_whitespace);
        !is_quoted(&mut quoted, *c) && (*c == '\n' || (*c == ';' && is_end()))
    });
    Some(start..end.map_or(text.len(), |(at, _)| start + at))
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
                "Added:  \n \nconfig.extraConfig(\"a.password\"): [redacted]\nend",
                1,
            ),
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
}
