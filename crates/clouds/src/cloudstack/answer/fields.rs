//! Fields of a JSON object, read one by one.
//!
//! The same field is a number in one version and text in the next, and a `derive` would lose the
//! whole object over one surprise.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// The widest object of CloudStack, a virtual machine, has some 150 fields.
const FIELDS_MAX: usize = 4096;

/// Servers are rarely set to send more than 500 rows.
const ROWS_MAX: usize = 100_000;

/// An object's fields; of two with one name, the last.
pub(in super::super) struct Fields<'a>(BTreeMap<String, &'a RawValue>);

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
        let mut values = self.0.values();
        values.next().copied().filter(|_| values.next().is_none())
    }

    pub(in super::super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Text that is not empty, a number or a boolean, as text.
    pub(in super::super) fn text(&self, name: &str) -> Option<String> {
        let raw = self.0.get(name)?.get();
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
        let rows: Rows<'a> = serde_json::from_str(self.0.get(name)?.get()).ok()?;
        Some(rows.0)
    }

    pub(in super::super) fn object(&self, name: &str) -> Option<Fields<'a>> {
        Fields::of(self.0.get(name)?).ok()
    }

    /// The names of all fields that are arrays.
    pub(in super::super) fn arrays(&self) -> impl Iterator<Item = &str> {
        let arrays = self.0.iter().filter(|(_, raw)| raw.get().starts_with('['));
        arrays.map(|(name, _)| name.as_str())
    }
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Fields<'de>, D::Error> {
        deserializer.deserialize_map(Bounded)
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
        let mut fields = BTreeMap::new();
        while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
            fields.insert(name, value);
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
