//! Answers as they are spelled: JSON if asked for, XML otherwise.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::cloudstack::api::{Answer, ApiError};
use crate::cloudstack::version::Version;

/// The spelling that a caller asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spelling {
    Json,
    Xml,
}

impl Spelling {
    /// What `response` asks for.
    pub(super) fn of(response: Option<&str>) -> Self {
        if response.is_some_and(|text| text.eq_ignore_ascii_case("json")) {
            Self::Json
        } else {
            Self::Xml
        }
    }

    /// The content type; old servers called JSON a script.
    pub(super) fn content_type(self, version: Version) -> &'static str {
        match self {
            Self::Xml => "text/xml;charset=UTF-8",
            Self::Json if version == Version::V4_9 => "text/javascript;charset=UTF-8",
            Self::Json => "application/json;charset=UTF-8",
        }
    }

    /// An answer in its envelope, and how many rows it has.
    pub(super) fn answer(self, root: &str, answer: Answer, version: Version) -> (String, usize) {
        let (inner, rows) = match answer {
            Answer::Text { json, rows } if self == Self::Json => {
                return (format!("{{\"{root}\":{json}}}"), rows);
            }
            // What is no JSON has no spelling in XML either.
            Answer::Text { json, rows } => (serde_json::from_str(&json).unwrap_or_default(), rows),
            Answer::List { rows, count: 0, .. } if rows.is_empty() => (json!({}), 0),
            Answer::List { rows, count, .. } if rows.is_empty() => (json!({"count": count}), 0),
            Answer::List { object, rows, count } => {
                let length = rows.len();
                let mut list = json!({"count": count});
                list[object] = Value::Array(rows);
                (list, length)
            }
            Answer::Object(object) => (object, 1),
        };
        (self.envelope(root, &inner, version), rows)
    }

    /// An error in its envelope.
    pub(super) fn error(self, root: &str, error: &ApiError, version: Version) -> String {
        let inner = json!({
            "uuidList": [], "errorcode": error.code, "cserrorcode": cs_code(error.code),
            "errortext": error.text,
        });
        self.envelope(root, &inner, version)
    }

    fn envelope(self, root: &str, inner: &Value, version: Version) -> String {
        match self {
            Self::Json => format!("{{\"{root}\":{inner}}}"),
            Self::Xml => {
                let mut out = format!(
                    "<?xml version=\"1.0\" encoding=\"UTF-8\"?><{root} cloud-stack-version=\"{}\">",
                    version.full()
                );
                content(inner, &mut out);
                let _ = write!(out, "</{root}>");
                out
            }
        }
    }
}

/// The code of the exception, which clients show and nobody reads.
fn cs_code(code: u16) -> u16 {
    match code {
        431 => 4350,
        531 => 4365,
        _ => 9999,
    }
}

/// Members become elements, lists become elements of one name.
fn content(value: &Value, out: &mut String) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::Array(items) => items.iter().for_each(|item| element(name, item, out)),
                    other => element(name, other, out),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| content(item, out)),
        Value::String(text) => out.push_str(&quick_xml::escape::escape(text.as_str())),
        Value::Null => {}
        other => {
            let _ = write!(out, "{other}");
        }
    }
}

fn element(name: &str, value: &Value, out: &mut String) {
    let _ = write!(out, "<{name}>");
    content(value, out);
    let _ = write!(out, "</{name}>");
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Spelling;
    use crate::cloudstack::api::Answer;
    use crate::cloudstack::version::Version;

    fn spelled(spelling: Spelling, rows: usize, count: usize) -> String {
        let rows = vec![json!({"name": "a<b"}); rows];
        let answer = Answer::List { object: "zone", rows, count };
        spelling.answer("listzonesresponse", answer, Version::V4_20).0
    }

    #[test]
    fn an_empty_list_has_no_count_and_a_page_past_the_end_has_no_rows() {
        assert_eq!(spelled(Spelling::Json, 0, 0), r#"{"listzonesresponse":{}}"#);
        assert_eq!(spelled(Spelling::Json, 0, 7), r#"{"listzonesresponse":{"count":7}}"#);
    }

    #[test]
    fn xml_repeats_the_name_of_the_object_for_each_row() {
        let text = spelled(Spelling::Xml, 2, 2);
        assert!(text.contains("cloud-stack-version=\"4.20.1.0\"><count>2</count>"), "{text}");
        assert_eq!(text.matches("<zone><name>a&lt;b</name></zone>").count(), 2);
    }
}
