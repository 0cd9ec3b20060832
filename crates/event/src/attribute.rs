//! Names and values of extension attributes (CloudEvents 1.0 §3.1 naming, §3.2 types).
//!
//! Core attributes are fields of [`Event`](crate::Event); this file is about the others.
//! It refuses structured values: an attribute is a scalar, whatever a producer wishes for.

use std::{
    borrow::{Borrow, Cow},
    fmt,
};

/// A valid attribute name: 1 to 20 lower-case ASCII letters and digits.
///
/// The specification says SHOULD for the 20 (§3.1); Pluvio insists, because brokers turn names into
/// headers and columns.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttributeName(Cow<'static, str>);

/// Why a text is no attribute name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttributeNameError {
    /// Not 1 to 20 lower-case letters and digits.
    #[error("`{0}` is no attribute name: use 1 to 20 lower-case letters and digits")]
    Malformed(String),
    /// The name of a core attribute, which has a field of its own.
    #[error("`{0}` is a core attribute, not an extension")]
    Core(String),
}

const LENGTH_MAX: usize = 20;
const CORE: [&str; 10] = [
    "specversion",
    "id",
    "source",
    "type",
    "subject",
    "time",
    "datacontenttype",
    "dataschema",
    "data",
    "database64",
];

impl AttributeName {
    /// Checks `name`.
    pub fn new(name: &str) -> Result<Self, AttributeNameError> {
        let fits = (1..=LENGTH_MAX).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if !fits {
            return Err(AttributeNameError::Malformed(name.chars().take(40).collect()));
        }
        if CORE.contains(&name) {
            return Err(AttributeNameError::Core(name.to_owned()));
        }
        Ok(Self(Cow::Owned(name.to_owned())))
    }

    /// A name that stands in the code, checked when it is compiled.
    ///
    /// ```
    /// const CLASS: pluvio_event::AttributeName = pluvio_event::AttributeName::literal("eventclass");
    /// ```
    pub const fn literal(name: &'static str) -> Self {
        let bytes = name.as_bytes();
        assert!(!bytes.is_empty() && bytes.len() <= LENGTH_MAX, "1 to 20 characters");
        let mut at = 0;
        while at < bytes.len() {
            let is_legal = bytes[at].is_ascii_lowercase() || bytes[at].is_ascii_digit();
            assert!(is_legal, "lower-case letters and digits");
            at += 1;
        }
        Self(Cow::Borrowed(name))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AttributeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for AttributeName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// The value of an extension attribute, in the types that JSON can tell apart (JSON format §2.2).
///
/// URIs, timestamps and binary values travel as their canonical text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttributeValue {
    /// `true` or `false`.
    Boolean(bool),
    /// A signed 32-bit integer.
    Integer(i32),
    /// Text.
    String(String),
}

impl fmt::Display for AttributeValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(value) => value.fmt(f),
            Self::Integer(value) => value.fmt(f),
            Self::String(value) => f.write_str(value),
        }
    }
}

impl From<&str> for AttributeValue {
    fn from(value: &str) -> Self {
        Self::String(value.to_owned())
    }
}

impl From<String> for AttributeValue {
    fn from(value: String) -> Self {
        Self::String(value)
    }
}

impl From<bool> for AttributeValue {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

impl From<i32> for AttributeValue {
    fn from(value: i32) -> Self {
        Self::Integer(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_1_to_20_lower_case_letters_and_digits() {
        for good in ["a", "eventclass", "x2", "abcdefghij0123456789"] {
            assert!(AttributeName::new(good).is_ok(), "{good}");
        }
        for bad in ["", "eventClass", "event_class", "é", "abcdefghij0123456789x", "a b"] {
            assert!(matches!(AttributeName::new(bad), Err(AttributeNameError::Malformed(_))));
        }
    }

    #[test]
    fn a_core_attribute_is_no_extension() {
        assert_eq!(AttributeName::new("id"), Err(AttributeNameError::Core("id".into())));
    }
}
