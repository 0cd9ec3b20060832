//! Halves of characters in JSON: an escape such as `\ud83d` without its other half.
//!
//! JSON's grammar has them (RFC 8259 §8.2), no text of Unicode can, and no reader of ours takes one: a whole event
//! would be as if it had no data. Clouds cut texts at a length in UTF-16, so they happen.

use std::borrow::Cow;

const HIGH: std::ops::Range<u16> = 0xd800..0xdc00;
const LOW: std::ops::Range<u16> = 0xdc00..0xe000;
const REPLACEMENT: &str = "\\ufffd";
/// `\ud83d`.
const ESCAPE_BYTES: usize = 6;

/// JSON with U+FFFD for each half character.
pub fn whole_characters(json: &str) -> Cow<'_, str> {
    let bytes = json.as_bytes();
    let (mut whole, mut done, mut at) = (String::new(), 0, 0);
    while let Some(found) = memchr::memchr(b'\\', bytes.get(at..).unwrap_or_default()) {
        at += found;
        let length = match unit(bytes, at) {
            None => 2,
            Some(unit) if HIGH.contains(&unit) => {
                let next = self::unit(bytes, at + ESCAPE_BYTES);
                if next.is_some_and(|next| LOW.contains(&next)) { 2 * ESCAPE_BYTES } else { 0 }
            }
            Some(unit) if LOW.contains(&unit) => 0,
            Some(_) => ESCAPE_BYTES,
        };
        if length == 0 {
            whole.push_str(&json[done..at]);
            whole.push_str(REPLACEMENT);
            done = at + ESCAPE_BYTES;
        }
        at += length.max(2);
    }
    if done == 0 {
        return Cow::Borrowed(json);
    }
    whole.push_str(&json[done..]);
    Cow::Owned(whole)
}

/// The unit of UTF-16 that is escaped there.
fn unit(json: &[u8], at: usize) -> Option<u16> {
    let digits = json.get(at..at + ESCAPE_BYTES)?.strip_prefix(b"\\u")?;
    let is_hex = digits.iter().all(u8::is_ascii_hexdigit);
    u16::from_str_radix(std::str::from_utf8(digits).ok().filter(|_| is_hex)?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_characters_are_replaced_and_nothing_else() {
        for (json, expected) in [
            (r#"{"a":"cut \ud83d"}"#, r#"{"a":"cut \ufffd"}"#),
            (r#"["\ude00\ud83d\ud83d\ude00\uD83D"]"#, r#"["\ufffd\ufffd\ud83d\ude00\ufffd"]"#),
            (r#""\ud83d\n\\ud83d\u00e9""#, r#""\ufffd\n\\ud83d\u00e9""#),
        ] {
            assert_eq!(whole_characters(json), expected);
            assert!(serde_json::from_str::<serde_json::Value>(expected).is_ok());
        }
        for json in [r#"{"a":"\ud83d\ude00 \\ud83d \u12"}"#, "é", r"\", r"\u", ""] {
            assert!(matches!(whole_characters(json), Cow::Borrowed(same) if same == json));
        }
    }
}
