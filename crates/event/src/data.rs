//! The payload: the cloud's own record, kept as it came.
//!
//! It refuses to interpret: nothing here looks inside the JSON.

use bytes::Bytes;
use serde_json::value::RawValue;

/// The payload of an event.
#[derive(Clone, Debug)]
pub enum Data {
    /// A JSON value, byte for byte as it came (`data` in structured JSON).
    Json(Json),
    /// Anything else (`data_base64` in structured JSON).
    Binary(Bytes),
}

/// A JSON value as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Json(Box<str>);

impl Json {
    /// Takes what was just written as JSON by code of ours, without another look at it: for a large
    /// payload that look costs more than writing it did. Debug builds look all the same.
    pub fn as_written(text: impl Into<Box<str>>) -> Self {
        let text = text.into();
        debug_assert!(serde_json::from_str::<&RawValue>(&text).is_ok(), "no JSON: {text}");
        Self(text)
    }

    /// The text.
    pub fn get(&self) -> &str {
        &self.0
    }
}

impl From<Box<RawValue>> for Json {
    fn from(value: Box<RawValue>) -> Self {
        Self(value.into())
    }
}

impl From<&RawValue> for Json {
    fn from(value: &RawValue) -> Self {
        Self(value.get().into())
    }
}

/// Text that was given as JSON is none.
#[derive(Debug, thiserror::Error)]
#[error("data is not valid JSON")]
pub struct DataError(#[source] serde_json::Error);

impl Data {
    /// Takes JSON text as it is, after one check that it is JSON.
    pub fn json(text: impl AsRef<str>) -> Result<Self, DataError> {
        let value: Result<&RawValue, _> = serde_json::from_str(text.as_ref());
        value.map(|value| Self::Json(value.into())).map_err(DataError)
    }

    /// The payload's length in bytes, before any base64.
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// Whether the payload has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The payload's bytes: JSON text, or the binary value itself.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Json(raw) => raw.get().as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }
}

impl PartialEq for Data {
    /// Equal bytes of the same kind; `1.0` and `1.00` differ, for the bytes are what we promise.
    fn eq(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
            && self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Data {}
