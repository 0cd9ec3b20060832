//! Fields of a JSON object, read one by one.
//!
//! The same field is a number in one version and text in the next, and a `derive` would lose the
//! whole object over one surprise.

use std::{borrow::Cow, fmt, str::FromStr};

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// The widest object of CloudStack, a virtual machine, has some 150 fields.
const FIELDS_MAX: usize = 4096;

/// Servers are rarely set to send more than 500 rows.
const ROWS_MAX: usize = 100_000;

/// An object's fields as they stand, names mostly borrowed: there are a score of them in a row, so that
/// looking through them is cheaper than sorting.
pub(in super::super) struct Fields<'a>(Vec<(Name<'a>, &'a RawValue)>);

impl<'a> Fields<'a> {
    /// Reads an object of no more than 4,096 fields.
    pub(in super::super) fn of(object: &'a RawValue) -> Result<Fields<'a>, serde_json::Error> {
        Fields::parse(object.get())
    }

    pub(super) fn parse(text: &'a str) -> Result<Fields<'a>, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// The one field, of an object that has one.
    pub(super) fn only(&self) -> Option<&'a RawValue> {
        match self.0.as_slice() {
            [(_, value)] => Some(value),
            _ => None,
        }
    }

    /// Of two with one name, the last.
    fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.0.iter().rev().find(|(other, _)| other.0 == name).map(|(_, value)| *value)
    }

    pub(in super::super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Text that is not empty, a number or a boolean, as text.
    pub(in super::super) fn text(&self, name: &str) -> Option<String> {
        let raw = self.get(name)?.get();
        let text = match raw.bytes().next()? {
            b'"' => serde_json::from_str(raw).ok()?,
            b'-' | b'0'..=b'9' | b't' | b'f' => raw.to_owned(),
            _ => return None,
        };
        Some(text).filter(|text| !text.is_empty())
    }

    /// A number, or text that is one.
    pub(in super::super) fn number<N: FromStr>(&self, name: &str) -> Option<N> {
        self.text(name)?.trim().parse().ok()
    }

    /// `true`, `"true"`, `false` or `"false"`.
    pub(in super::super) fn flag(&self, name: &str) -> Option<bool> {
        self.text(name)?.trim().to_ascii_lowercase().parse().ok()
    }

    /// A list of no more than 100,000 values.
    pub(in super::super) fn array(&self, name: &str) -> Option<Vec<&'a RawValue>> {
        let rows: Rows<'a> = serde_json::from_str(self.get(name)?.get()).ok()?;
        Some(rows.0)
    }

    pub(in super::super) fn object(&self, name: &str) -> Option<Fields<'a>> {
        Fields::of(self.get(name)?).ok()
    }

    /// Whether `holds` is true of each name, and no value is an object or a list.
    pub(in super::super) fn are_flat(&self, holds: impl Fn(&str) -> bool) -> bool {
        let is_nested = |raw: &RawValue| raw.get().starts_with(['{', '[']);
        self.0.iter().all(|(name, raw)| holds(&name.0) && !is_nested(raw))
    }

    /// The names of all fields that are arrays.
    pub(in super::super) fn arrays(&self) -> impl Iterator<Item = &str> {
        let arrays = self.0.iter().filter(|(_, raw)| raw.get().starts_with('['));
        arrays.map(|(name, _)| &*name.0)
    }
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Fields<'de>, D::Error> {
        deserializer.deserialize_map(Bounded)
    }
}

/// A field's name, borrowed unless something is escaped in it.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Name<'de>, D::Error> {
        deserializer.deserialize_str(AName)
    }
}

struct AName;

impl<'de> Visitor<'de> for AName {
    type Value = Name<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field's name")
    }

    fn visit_borrowed_str<E: serde::de::Error>(self, name: &'de str) -> Result<Name<'de>, E> {
        Ok(Name(Cow::Borrowed(name)))
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Name<'de>, E> {
        Ok(Name(Cow::Owned(name.to_owned())))
    }
}

/// A list's values, unread.
struct Rows<'a>(Vec<&'a RawValue>);

impl<'de> Deserialize<'de> for Rows<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Rows<'de>, D::Error> {
        deserializer.deserialize_seq(BoundedRows)
    }
}

struct Bounded;
struct BoundedRows;

impl<'de> Visitor<'de> for Bounded {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object of at most {FIELDS_MAX} fields")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry::<Name<'de>, &RawValue>()? {
            fields.push(field);
            if fields.len() > FIELDS_MAX {
                return Err(A::Error::invalid_length(fields.len(), &self));
            }
        }
        Ok(Fields(fields))
    }
}

impl<'de> Visitor<'de> for BoundedRows {
    type Value = Rows<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of at most {ROWS_MAX} values")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Rows<'de>, A::Error> {
        let mut rows = Vec::new();
        while let Some(row) = list.next_element()? {
            rows.push(row);
            if rows.len() > ROWS_MAX {
                return Err(A::Error::invalid_length(rows.len(), &self));
            }
        }
        Ok(Rows(rows))
    }
}
