//! JSON text as Go's encoder writes it.
//!
//! Beyond what JSON demands, Go escapes `<`, `>` and `&` (the text may land in HTML) and the two
//! line separators that JavaScript dislikes. Equal bytes need equal escapes.

/// Writes a string with its quotes.
pub(super) fn string(out: &mut String, text: &str) {
    out.push('"');
    let mut plain = 0;
    for (at, byte) in text.bytes().enumerate() {
        // 0xE2 begins U+2028 and U+2029, and many harmless ones.
        if byte >= 0x20 && !matches!(byte, b'"' | b'\\' | b'<' | b'>' | b'&' | 0xE2) {
            continue;
        }
        let (escape, width) = match byte {
            b'"' => ("\\\"", 1),
            b'\\' => ("\\\\", 1),
            b'<' => ("\\u003c", 1),
            b'>' => ("\\u003e", 1),
            b'&' => ("\\u0026", 1),
            b'\n' => ("\\n", 1),
            b'\r' => ("\\r", 1),
            b'\t' => ("\\t", 1),
            0x08 => ("\\b", 1),
            0x0C => ("\\f", 1),
            0xE2 if text.as_bytes()[at..].starts_with("\u{2028}".as_bytes()) => ("\\u2028", 3),
            0xE2 if text.as_bytes()[at..].starts_with("\u{2029}".as_bytes()) => ("\\u2029", 3),
            0xE2 => continue,
            control => {
                out.push_str(&text[plain..at]);
                out.push_str(&format!("\\u{control:04x}"));
                plain = at + 1;
                continue;
            }
        };
        out.push_str(&text[plain..at]);
        out.push_str(escape);
        plain = at + width;
    }
    out.push_str(&text[plain..]);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped_as_go_does() {
        let mut out = String::new();
        string(&mut out, "a\"\\<b>&\n\t\u{1}é\u{2028}…\u{2029}");
        let expected =
            concat!(r#""a\"\\\u003cb\u003e\u0026\n\t\u0001"#, "é", r"\u2028", "…", r#"\u2029""#);
        assert_eq!(out, expected);
    }
}
