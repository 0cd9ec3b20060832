//! The payload: the cloud's own record, kept as it came.
//!
//! It refuses to interpret: nothing here looks inside the JSON.

use bytes::Bytes;
use serde_json::value::RawValue;

/// The payload of an event.
#[derive(Clone, Debug)]
pub enum Data {
    /// A JSON value, byte for byte as it came (`data` in structured JSON).
    Json(Box<RawValue>),
    /// Anything else (`data_base64` in structured JSON).
    Binary(Bytes),
}

/// Text that was given as JSON is none.
#[derive(Debug, thiserror::Error)]
#[error("data is not valid JSON")]
pub struct DataError(#[source] serde_json::Error);

impl Data {
    /// Takes JSON text as it is, after one check that it is JSON.
    pub fn json(text: impl Into<String>) -> Result<Self, DataError> {
        RawValue::from_string(text.into()).map(Self::Json).map_err(DataError)
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
