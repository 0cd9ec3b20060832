//! What never leaves a row: values under names that tell of a secret.
//!
//! CloudStack's events hold no secrets in the fields that are known; usage records and fields to
//! come may. A row keeps each other byte, whether it can be read as an event or not: JSON tells where a
//! value begins and ends, and nothing else of it is looked at, so that no number too large and no text with
//! half a character in it can keep a secret from being found.

use pluvio_clouds::looks_secret;
use pluvio_event::Json;
use serde_json::value::RawValue;

/// What stands in the place of a secret.
const REDACTED: &str = "\"[redacted]\"";

/// Names whose values are replaced.
#[derive(Clone, Debug, Default)]
pub(super) struct Redaction {
    /// In lower case.
    extra: Vec<String>,
}

/// A row as it was recorded, without its secrets, and how many there were; `None` if there are none that
/// the default list has and that stand there. For a log of whoever did not redact.
pub fn redact_recorded(row: &str) -> Option<(String, usize)> {
    let raw: &RawValue = serde_json::from_str(row).ok()?;
    let redacted = Redaction::default().apply(raw);
    let count = usize::try_from(redacted.count).unwrap_or_default();
    (count > 0).then(|| (redacted.json.get().to_owned(), count))
}

/// A row fit to be stored.
pub(super) struct Redacted {
    pub(super) json: Json,
    /// Values that were replaced.
    pub(super) count: i32,
}

impl Redaction {
    /// The default list and these names, without regard to case.
    pub(super) fn with(extra: &[String]) -> Self {
        Self { extra: extra.iter().map(|name| name.to_lowercase()).collect() }
    }

    /// Whether nobody added a name to the default list.
    pub(super) fn is_default(&self) -> bool {
        self.extra.is_empty()
    }

    /// The row without its secrets.
    pub(super) fn apply(&self, raw: &RawValue) -> Redacted {
        let text = raw.get();
        let (mut out, mut copied, mut count) = (String::new(), 0, 0);
        let mut at = 0;
        while let Some(found) = text[at..].find('"') {
            let begin = at + found;
            let end = begin + string_length(&text[begin..]);
            at = end;
            // Of all that is in JSON, only a name is followed by a colon.
            let Some(rest) = text[end..].trim_start().strip_prefix(':') else { continue };
            at = text.len() - rest.trim_start().len();
            if !self.is_secret(&text[begin..end]) {
                continue;
            }
            let value = at..at + value_length(&text[at..]);
            at = value.end;
            if matches!(&text[value.clone()], "null" | "true" | "false" | REDACTED) {
                continue;
            }
            out.push_str(&text[copied..value.start]);
            out.push_str(REDACTED);
            (copied, count) = (value.end, count + 1);
        }
        if count == 0 {
            return Redacted { json: Json::from(raw), count };
        }
        out.push_str(&text[copied..]);
        Redacted { json: Json::as_written(out), count }
    }

    /// Whether a name, as it is written in JSON, is secret.
    fn is_secret(&self, written: &str) -> bool {
        // What cannot be read may be any name.
        let Ok(name) = serde_json::from_str::<String>(written) else { return true };
        looks_secret(&name) || (!self.is_default() && self.extra.contains(&name.to_lowercase()))
    }
}

/// How long the text in quotes is that JSON begins with.
fn string_length(json: &str) -> usize {
    let mut is_escaped = false;
    for (at, byte) in json.bytes().enumerate().skip(1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    json.len()
}

/// How long the value is that JSON begins with.
fn value_length(json: &str) -> usize {
    match json.bytes().next() {
        Some(b'"') => string_length(json),
        Some(b'{' | b'[') => nested_length(json),
        _ => json.find([',', '}', ']', ' ', '\t', '\r', '\n']).unwrap_or(json.len()),
    }
}

/// How long the object or the list is that JSON begins with.
fn nested_length(json: &str) -> usize {
    let (mut at, mut open) = (0, 0_usize);
    while let Some(found) = json[at..].find(['"', '{', '[', '}', ']']) {
        at += found;
        match json.as_bytes().get(at) {
            Some(b'"') => {
                at += string_length(&json[at..]);
                continue;
            }
            Some(b'{' | b'[') => open += 1,
            _ => open -= 1,
        }
        at += 1;
        if open == 0 {
            return at;
        }
    }
    json.len()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn redacted(text: &str, extra: &[&str]) -> (String, i32) {
        let extra: Vec<String> = extra.iter().map(|name| (*name).to_owned()).collect();
        let raw = RawValue::from_string(text.to_owned()).unwrap();
        let redacted = Redaction::with(&extra).apply(&raw);
        serde_json::from_str::<&RawValue>(redacted.json.get()).unwrap();
        (redacted.json.get().to_owned(), redacted.count)
    }

    #[test]
    fn a_row_without_secrets_passes_byte_for_byte() {
        for text in [r#"{"b": 1.0, "a":18446744073709551616}"#, r#"{"description":"my Password"}"#]
        {
            assert_eq!(redacted(text, &[]), (text.to_owned(), 0));
        }
    }

    #[test]
    fn a_value_under_a_telling_name_is_replaced_and_counted() {
        let row = r#"{"id":"1","vncPassword":"x","tags":[{"apikey":{"a":"y"}}],"passwordenabled":true,"Note":"z"}"#;
        let expected = r#"{"id":"1","vncPassword":"[redacted]","tags":[{"apikey":"[redacted]"}],"passwordenabled":true,"Note":"[redacted]"}"#;
        assert_eq!(redacted(row, &["note"]), (expected.to_owned(), 3));
        assert_eq!(redacted(r#"{"p\u0061ssword":"x"}"#, &[]).1, 1);
        assert_eq!(redact_recorded(r#"{"secret":"[redacted]"}"#), None, "once is enough");
    }

    #[test]
    fn what_a_parser_of_values_would_not_read_keeps_no_secret() {
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        for odd in ["1e999", r#""\ud800""#, r#"{"\ud800":null}"#, &deep] {
            let row = |secret| format!(r#"{{ "a" : {odd}, "password" : {secret} , "b":[{odd}]}}"#);
            let hidden = row(r#""[redacted]""#);
            for secret in ["7", r#""a, \"b\" } \\""#, r#"{"a":["}",{}],"b":"]"}"#, "[[], []]", odd]
            {
                assert_eq!(redacted(&row(secret), &[]), (hidden.clone(), 1), "{secret}");
            }
        }
        assert_eq!(redacted(r#"{"token":1,"token":2,"a/b":3}"#, &["A/B"]).1, 3);
        assert_eq!(redacted(r#"{"a\/b":3,"\ud800":4}"#, &["A/B"]).1, 2);
    }

    #[test]
    fn a_text_that_is_no_name_is_left() {
        for text in [r#""password""#, r#"["password", {"a":"token"}]"#, "{}", "null"] {
            assert_eq!(redacted(text, &[]), (text.to_owned(), 0));
        }
    }
}
