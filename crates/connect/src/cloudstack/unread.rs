//! A row that cannot be read, fit to be stored: so that its loss is seen and can be repaired by a person.
//!
//! Such a row is JSON like any other, so its secrets are taken out by the same [`Redaction`] as a good
//! row's, before anything else is done with its text: cutting it, naming it by what it says. It refuses to
//! hold what the server sent.

use jiff::Timestamp;
use pluvio_clouds::cloudstack::MalformedRow;
use pluvio_runtime::Chain;
use uuid::Uuid;

use super::redact::Redaction;

/// How much is kept of the text.
const TEXT_BYTES_MAX: usize = 16 * 1024;

/// A row that cannot be read, without its secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unread {
    /// By its whole text without secrets, so that a re-list gives the same, and nobody can find a secret by
    /// trying.
    pub(super) id: String,
    /// The beginning of its text, 16 KiB at most.
    pub(super) text: String,
    /// Values that were replaced in the whole of it.
    pub(super) redacted: i32,
    /// What is wrong with it.
    pub(super) flaw: String,
    /// When it says that it was created, if that can be read all the same.
    pub(super) created: Option<Timestamp>,
}

impl Unread {
    pub(super) fn of(malformed: &MalformedRow, redaction: &Redaction) -> Self {
        let redacted = redaction.apply(malformed.raw());
        let text = redacted.json.get();
        Self {
            id: Uuid::new_v5(&Uuid::NAMESPACE_OID, text.as_bytes()).to_string(),
            text: text[..text.floor_char_boundary(TEXT_BYTES_MAX)].to_owned(),
            redacted: redacted.count,
            flaw: Chain(malformed).to_string(),
            created: malformed.moment("created").map(|it| it.at),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use http::{HeaderMap, StatusCode};
    use jiff::Timestamp;
    use pluvio_clouds::cloudstack::{NativeEvent, Page, ROW_BYTES_MAX, Reply};

    use super::*;

    fn unread(row: &str, extra: &[&str]) -> Unread {
        let body = format!(r#"{{"listeventsresponse":{{"event":[{row}]}}}}"#);
        let (status, headers) = (StatusCode::OK, HeaderMap::new());
        let now = Timestamp::UNIX_EPOCH;
        let reply = Reply::decode("listEvents", status, &headers, body.as_bytes(), now).unwrap();
        let malformed = Page::<NativeEvent>::of(&reply, "event").unwrap().rows.remove(0);
        let extra: Vec<String> = extra.iter().map(|name| (*name).to_owned()).collect();
        Unread::of(&malformed.unwrap_err(), &Redaction::with(&extra))
    }

    #[test]
    fn a_row_that_cannot_be_read_loses_its_secrets_as_any_other_does() {
        let row = r#"{"password":"Hunter2, then \"Geheim99\" and; Tail77","token":"Tok","pin":"998877","details":{"secretkey":"Two Words"},"x":1e999}"#;
        let kept = r#"{"password":"[redacted]","token":"[redacted]","pin":"[redacted]","details":{"secretkey":"[redacted]"},"x":1e999}"#;
        let unread = unread(row, &["Pin"]);
        assert_eq!((unread.text.as_str(), unread.redacted), (kept, 4));
        let flaw = format!("failed to read a row of {} bytes: it has no valid `id`", row.len());
        assert_eq!(unread.flaw, flaw);
    }

    #[test]
    fn a_secret_is_taken_out_of_a_huge_row_before_it_is_cut() {
        for before in [0, TEXT_BYTES_MAX - 20, TEXT_BYTES_MAX - 8, TEXT_BYTES_MAX] {
            let filler = "x".repeat(before);
            let secret = "s3cr3t ".repeat(ROW_BYTES_MAX / 7);
            let row = format!(r#"{{"a":"{filler}","password":"{secret}","b":1}}"#);
            let unread = unread(&row, &[]);
            assert!(!unread.text.contains("s3c") && unread.text.len() <= TEXT_BYTES_MAX);
            assert_eq!(unread.redacted, 1);
        }
    }

    #[test]
    fn the_id_is_of_the_whole_text_and_of_no_secret() {
        let id = |row: &str| unread(row, &["pin"]).id;
        let long = |end| format!(r#"{{"a":"{}{end}"}}"#, "x".repeat(2 * TEXT_BYTES_MAX));
        assert_eq!(id(r#"{"a":1}"#), id(r#"{"a":1}"#));
        assert_ne!(id(r#"{"a":1}"#), id(r#"{"a":2}"#));
        assert_ne!(id(&long("1")), id(&long("2")));
        assert_eq!(id(r#"{"pin":1}"#), id(r#"{"pin":2}"#));
    }
}
