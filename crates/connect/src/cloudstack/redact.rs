//! What never leaves a row: values under names that tell of a secret.
//!
//! CloudStack's events hold no secrets in the fields that are known; usage records and fields to
//! come may. A row without such a name passes byte for byte; one with it is written anew.

use pluvio_event::Json;
use serde_json::{Value, value::RawValue};

/// What stands in the place of a secret.
const REDACTED: &str = "[redacted]";

/// A name is secret when it holds one of these, in any case.
const SECRET_WORDS: [&str; 10] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "privatekey",
    "credential",
    "apikey",
    "sessionkey",
    "signature",
];

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
        let untouched = || Redacted { json: Json::from(raw), count: 0 };
        if !self.may_be_in(raw.get()) {
            return untouched();
        }
        let Ok(mut value) = serde_json::from_str::<Value>(raw.get()) else { return untouched() };
        match self.replace(&mut value) {
            0 => untouched(),
            count => Redacted { json: Json::as_written(value.to_string()), count },
        }
    }

    /// Most rows hold no such word at all, and are not parsed again.
    fn may_be_in(&self, text: &str) -> bool {
        // A name may be written with escapes.
        let text = text.to_lowercase();
        text.contains("\\u") || self.words().any(|word| text.contains(word))
    }

    fn words(&self) -> impl Iterator<Item = &str> {
        SECRET_WORDS.into_iter().chain(self.extra.iter().map(String::as_str))
    }

    fn is_secret(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        SECRET_WORDS.iter().any(|word| name.contains(word)) || self.extra.contains(&name)
    }

    fn replace(&self, value: &mut Value) -> i32 {
        match value {
            Value::Object(fields) => fields
                .iter_mut()
                .map(|(name, value)| match value {
                    Value::Null | Value::Bool(_) => 0,
                    Value::String(text) if text == REDACTED => 0,
                    _ if self.is_secret(name) => {
                        *value = Value::from(REDACTED);
                        1
                    }
                    _ => self.replace(value),
                })
                .sum(),
            Value::Array(values) => values.iter_mut().map(|value| self.replace(value)).sum(),
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn redacted(text: &str, extra: &[&str]) -> (String, i32) {
        let extra: Vec<String> = extra.iter().map(|name| (*name).to_owned()).collect();
        let raw = RawValue::from_string(text.to_owned()).unwrap();
        let redacted = Redaction::with(&extra).apply(&raw);
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
}
