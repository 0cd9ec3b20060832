//! An event as a document. Pure.
//!
//! JSON's numbers become the smallest of int32, int64 and decimal128 that holds them exactly if they
//! are whole, and doubles otherwise; what none of them holds is kept as the text that was written. Of
//! a time, BSON keeps milliseconds.

use std::{fmt, str::FromStr as _};

use jiff::Timestamp;
use mongodb::bson::{
    Binary, Bson, DateTime, Decimal128, Document, RawDocumentBuf, spec::BinarySubtype,
};
use pluvio_event::{AttributeValue, Data, whole_characters};
use pluvio_runtime::Delivered;
use serde::{
    Deserialize,
    de::{Deserializer, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::outbound::message::NO_EVENT;

/// MongoDB takes no larger document.
const DOCUMENT_BYTES_MAX: usize = 16 << 20;
/// MongoDB nests no deeper; the document and `data` are two.
const DEPTH_MAX: usize = 98;
/// A decimal128 has so many digits.
const DECIMAL_DIGITS_MAX: usize = 34;

/// The document for `record`; or why it never will have one.
pub(super) fn document(record: &Delivered) -> Result<RawDocumentBuf, String> {
    let event = record.placed().ok_or(NO_EVENT)?;
    let mut document = Document::new();
    document.insert("_id", format!("{} {}", event.source(), event.id()));
    for (name, value) in event.attributes() {
        document.insert(name, attribute(value));
    }
    if let Some(content_type) = event.datacontenttype() {
        document.insert("datacontenttype", content_type);
    }
    if let Some(time) = event.time() {
        document.insert("time", date(time));
    }
    document.insert("recordedtime", date(record.recorded()));
    document.insert("offset", record.offset().get());
    if let Some(data) = event.data() {
        document.insert("data", bson_of(data)?);
    }
    let raw = RawDocumentBuf::try_from(&document);
    let raw = raw.map_err(|error| format!("it cannot be written as BSON: {error}"))?;
    let bytes = raw.as_bytes().len();
    if bytes > DOCUMENT_BYTES_MAX {
        return Err(format!("a document of {bytes} bytes, and MongoDB takes {DOCUMENT_BYTES_MAX}"));
    }
    Ok(raw)
}

fn attribute(value: AttributeValue) -> Bson {
    match value {
        AttributeValue::Boolean(value) => Bson::Boolean(value),
        AttributeValue::Integer(value) => Bson::Int32(value),
        AttributeValue::String(value) => Bson::String(value),
    }
}

fn date(time: Timestamp) -> Bson {
    Bson::DateTime(DateTime::from_millis(time.as_millisecond()))
}

fn bson_of(data: &Data) -> Result<Bson, String> {
    match data {
        Data::Binary(bytes) => {
            Ok(Bson::Binary(Binary { subtype: BinarySubtype::Generic, bytes: bytes.to_vec() }))
        }
        Data::Json(json) => {
            let text = whole_characters(json.get());
            let raw = serde_json::from_str(&text);
            value(raw.map_err(|error| format!("its data is no JSON: {error}"))?, 0)
        }
    }
}

/// Goes down one level at a time, because a number is only exact as it is written.
fn value(raw: &RawValue, depth: usize) -> Result<Bson, String> {
    if depth > DEPTH_MAX {
        return Err(format!("its data is nested deeper than {DEPTH_MAX}"));
    }
    let text = raw.get();
    let no_json = |error: serde_json::Error| format!("its data is no JSON: {error}");
    Ok(match text.as_bytes().first() {
        Some(b'{') => {
            let Fields(fields) = serde_json::from_str(text).map_err(no_json)?;
            let mut document = Document::new();
            for (name, raw) in fields {
                if name.contains('\0') {
                    return Err("a name in its data holds NUL, which BSON cannot".to_owned());
                }
                document.insert(name, value(raw, depth + 1)?);
            }
            Bson::Document(document)
        }
        Some(b'[') => {
            let values: Vec<&RawValue> = serde_json::from_str(text).map_err(no_json)?;
            let values: Result<_, _> =
                values.into_iter().map(|raw| value(raw, depth + 1)).collect();
            Bson::Array(values?)
        }
        Some(b'"') => Bson::String(serde_json::from_str(text).map_err(no_json)?),
        Some(b't') => Bson::Boolean(true),
        Some(b'f') => Bson::Boolean(false),
        Some(b'n') | None => Bson::Null,
        Some(_) => number(text),
    })
}

fn number(text: &str) -> Bson {
    if let Ok(whole) = text.parse::<i64>() {
        return i32::try_from(whole).map_or(Bson::Int64(whole), Bson::Int32);
    }
    if text.contains(['.', 'e', 'E']) {
        return match text.parse::<f64>() {
            Ok(double) if double.is_finite() => Bson::Double(double),
            _ => Bson::String(text.to_owned()),
        };
    }
    let decimal = (text.len() <= DECIMAL_DIGITS_MAX).then(|| Decimal128::from_str(text).ok());
    decimal.flatten().map_or_else(|| Bson::String(text.to_owned()), Bson::Decimal128)
}

/// The fields of an object in their order.
struct Fields<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldsVisitor;

        impl<'de> Visitor<'de> for FieldsVisitor {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(FieldsVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bson(json: &str) -> Result<Bson, String> {
        value(serde_json::from_str(json).map_err(|error| error.to_string())?, 0)
    }

    #[test]
    fn numbers_are_kept_as_exactly_as_bson_can() {
        let decimal = |text: &str| Decimal128::from_str(text).map(Bson::Decimal128).ok();
        for (json, expected) in [
            ("7", Some(Bson::Int32(7))),
            ("-2147483649", Some(Bson::Int64(-2_147_483_649))),
            ("9223372036854775807", Some(Bson::Int64(i64::MAX))),
            ("9223372036854775808", decimal("9223372036854775808")),
            ("1.50", Some(Bson::Double(1.5))),
            ("1e400", Some(Bson::String("1e400".into()))),
            (&"9".repeat(40), Some(Bson::String("9".repeat(40)))),
        ] {
            assert_eq!(bson(json).ok(), expected, "{json}");
        }
    }

    #[test]
    fn objects_keep_their_order_and_everything_in_them() {
        let document = bson(r#"{"b":[1,{"x":null}],"a":{"":true},"s":"\u00e9\n"}"#);
        let document = document.map(|bson| bson.to_string());
        let expected = r#"{ "b": [1, { "x": null }], "a": { "": true }, "s": "é"#;
        assert!(document.as_ref().is_ok_and(|text| text.starts_with(expected)), "{document:?}");
    }

    #[test]
    fn what_bson_cannot_hold_is_told() {
        assert!(bson(r#"{"a\u0000b":1}"#).is_err_and(|error| error.contains("NUL")));
        let deep = format!("{}1{}", "[".repeat(99), "]".repeat(99));
        assert!(bson(&deep).is_err_and(|error| error.contains("deeper")));
    }
}
