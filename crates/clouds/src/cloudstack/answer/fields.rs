//! Fields of a JSON object, read one by one.
//!
//! The same field is a number in one version and text in the next, and a `derive` would lose the
//! whole object over one surprise.

use std::{borrow::Cow, fmt, ops::Range, str::FromStr};

use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// The widest object of CloudStack, a virtual machine, has some 150 fields.
const FIELDS_MAX: usize = 4096;

/// An event has fewer, most of the time.
const FIELDS_USUAL: usize = 24;

/// Servers are rarely set to send more than 500 rows.
const ROWS_MAX: usize = 100_000;

/// An object's fields as they stand, names mostly borrowed: there are a score of them in a row, so that
/// looking through them is cheaper than sorting.
pub(in super::super) struct Fields<'a>(Vec<(Name<'a>, &'a str)>);

impl<'a> Fields<'a> {
    /// Reads an object of no more than 4,096 fields.
    pub(in super::super) fn of(object: &'a RawValue) -> Result<Fields<'a>, serde_json::Error> {
        serde_json::from_str(object.get())
    }

    /// Reads the object that an answer has as the value of its one field; `None`: it is another object.
    pub(in super::super) fn of_answer(
        text: &'a str,
    ) -> Result<Option<Fields<'a>>, serde_json::Error> {
        let answer: Answer<'a> = serde_json::from_str(text)?;
        Ok(answer.0)
    }

    /// Where in `text`, out of which they were read, each field stands, by name.
    pub(in super::super) fn places(self, text: &str) -> Vec<(String, Range<usize>)> {
        let begin = text.as_ptr().addr();
        let place = |value: &str| {
            let from = value.as_ptr().addr().saturating_sub(begin);
            from..from + value.len()
        };
        self.0.into_iter().map(|(name, value)| (name.0.into_owned(), place(value))).collect()
    }

    /// The same again.
    pub(in super::super) fn at(text: &'a str, places: &'a [(String, Range<usize>)]) -> Fields<'a> {
        let value = |place: &Range<usize>| text.get(place.clone()).unwrap_or_default();
        let fields =
            places.iter().map(|(name, at)| (Name(Cow::Borrowed(name.as_str())), value(at)));
        Fields(fields.collect())
    }

    /// Of two with one name, the last.
    fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().rev().find(|(other, _)| other.0 == name).map(|(_, value)| *value)
    }

    pub(in super::super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// See [`text`].
    pub(in super::super) fn text(&self, name: &str) -> Option<String> {
        text(self.get(name)?)
    }

    /// A number, or text that is one.
    pub(in super::super) fn number<N: FromStr>(&self, name: &str) -> Option<N> {
        self.text(name)?.trim().parse().ok()
    }

    /// See [`flag`].
    pub(in super::super) fn flag(&self, name: &str) -> Option<bool> {
        flag(self.get(name)?)
    }

    /// All names and what stands under them, in their order.
    pub(in super::super) fn iter(&self) -> impl Iterator<Item = (&str, &'a str)> {
        self.0.iter().map(|(name, value)| (&*name.0, *value))
    }

    /// A list of no more than 100,000 values.
    pub(in super::super) fn array(&self, name: &str) -> Option<Vec<&'a RawValue>> {
        let rows: Rows<'a> = serde_json::from_str(self.get(name)?).ok()?;
        Some(rows.0)
    }

    pub(in super::super) fn object(&self, name: &str) -> Option<Fields<'a>> {
        serde_json::from_str(self.get(name)?).ok()
    }

    /// The names of all fields that are arrays.
    pub(in super::super) fn arrays(&self) -> impl Iterator<Item = &str> {
        let arrays = self.0.iter().filter(|(_, raw)| raw.starts_with('['));
        arrays.map(|(name, _)| &*name.0)
    }
}

/// What a JSON value says: text that is not empty, a number or a boolean, as text.
pub(in super::super) fn text(value: &str) -> Option<String> {
    let text = match value.bytes().next()? {
        b'"' => serde_json::from_str(value).ok()?,
        b'-' | b'0'..=b'9' | b't' | b'f' => value.to_owned(),
        _ => return None,
    };
    Some(text).filter(|text| !text.is_empty())
}

/// `true`, `"true"`, `false` or `"false"`.
pub(in super::super) fn flag(value: &str) -> Option<bool> {
    text(value)?.trim().to_ascii_lowercase().parse().ok()
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

/// The object within an answer, read in the same pass.
struct Answer<'a>(Option<Fields<'a>>);

impl<'de> Deserialize<'de> for Answer<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Answer<'de>, D::Error> {
        deserializer.deserialize_map(AnAnswer)
    }
}

struct AnAnswer;

impl<'de> Visitor<'de> for AnAnswer {
    type Value = Answer<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with one field")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Answer<'de>, A::Error> {
        let mut answer = None;
        let mut count = 0;
        while map.next_key::<IgnoredAny>()?.is_some() {
            count += 1;
            match count {
                1 => answer = map.next_value::<Inside<'de>>()?.0,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Answer(answer.filter(|_| count == 1)))
    }
}

/// An object's fields; `None` of anything else.
struct Inside<'a>(Option<Fields<'a>>);

impl<'de> Deserialize<'de> for Inside<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Inside<'de>, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Inside<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Inside<'de>, A::Error> {
        Bounded.visit_map(map).map(|fields| Inside(Some(fields)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Inside<'de>, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Inside(None))
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<Inside<'de>, E> {
        Ok(Inside(None))
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<Inside<'de>, E> {
        Ok(Inside(None))
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<Inside<'de>, E> {
        Ok(Inside(None))
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Inside<'de>, E> {
        Ok(Inside(None))
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<Inside<'de>, E> {
        Ok(Inside(None))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Inside<'de>, E> {
        Ok(Inside(None))
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
        let mut fields = Vec::with_capacity(FIELDS_USUAL);
        while let Some((name, value)) = map.next_entry::<Name<'de>, &RawValue>()? {
            fields.push((name, value.get()));
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
