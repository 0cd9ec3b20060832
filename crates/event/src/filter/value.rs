//! The values of CEL while an expression is evaluated.
//!
//! Texts and payloads are borrowed from the event, so that looking at an attribute copies nothing.
//! Numbers compare across their types, as CEL says; a time compares with a text of RFC 3339 or the
//! beginning of one, so that `time > "2026-11-20T09"` and `time > timestamp("2026-11-20T09:00:00Z")` both
//! hold. With any other text it has no order: letter by letter, `2026-11-20 09:00` would lie before the whole
//! day.
//!
//! It refuses bytes, messages and types: no attribute is one.

use std::{cmp::Ordering, rc::Rc};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value as Json;

use super::{
    meter::{Meter, Stopped},
    time::{self, Compared},
};

/// A value. Cloning one copies no text and no list.
#[derive(Clone, Debug)]
pub(super) enum Value<'e> {
    Null,
    Bool(bool),
    Int(i64),
    UInt(u64),
    Double(f64),
    Text(Text<'e>),
    Time(Timestamp),
    Duration(SignedDuration),
    List(Rc<Vec<Value<'e>>>),
    Map(Rc<Vec<(Value<'e>, Value<'e>)>>),
    /// An array or an object of the payload; scalars become the values above.
    Json(&'e Json),
}

/// A text of the event or of the expression, or one that was made.
#[derive(Clone, Debug)]
pub(super) enum Text<'e> {
    Borrowed(&'e str),
    Made(Rc<str>),
}

impl Text<'_> {
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Made(text) => text,
        }
    }
}

/// Why an evaluation has no value: it does not match, or it was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// A missing field, a wrong type, an overflow.
    Error,
    Stopped,
}

impl From<Stopped> for Fault {
    fn from(_: Stopped) -> Self {
        Self::Stopped
    }
}

/// Work of looking at one value, in units.
pub(super) const NODE_UNITS: u64 = 10;
/// Work of reading or writing a time or a duration, in units.
pub(super) const TIME_UNITS: u64 = 200;
/// Work of comparing one byte of text or payload, at most, in units.
pub(super) const COMPARE_UNITS: u64 = 6;

impl<'e> Value<'e> {
    pub(super) fn text(text: &'e str) -> Self {
        Self::Text(Text::Borrowed(text))
    }

    pub(super) fn made(text: &str) -> Self {
        Self::Text(Text::Made(text.into()))
    }

    /// JSON as CEL sees it: whole numbers are `int` so that `data.Key == 44` holds.
    pub(super) fn json(json: &'e Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(bool) => Self::Bool(*bool),
            Json::String(text) => Self::text(text),
            Json::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(int), _) => Self::Int(int),
                (None, Some(uint)) => Self::UInt(uint),
                (None, None) => Self::Double(number.as_f64().unwrap_or(f64::NAN)),
            },
            Json::Array(_) | Json::Object(_) => Self::Json(json),
        }
    }

    pub(super) fn bool(&self) -> Result<bool, Fault> {
        if let Self::Bool(bool) = self { Ok(*bool) } else { Err(Fault::Error) }
    }

    /// The value as a text, for the functions of strings: a time reads as RFC 3339.
    pub(super) fn as_text(&self, meter: &mut Meter<'_>) -> Result<Text<'e>, Fault> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::Time(time) => {
                meter.charge(TIME_UNITS)?;
                Ok(Text::Made(time.to_string().into()))
            }
            _ => Err(Fault::Error),
        }
    }

    /// Whether both are the same value. Values of different types are not, and that is no error.
    pub(super) fn equals(&self, other: &Self, meter: &mut Meter<'_>) -> Result<bool, Fault> {
        meter.charge(NODE_UNITS)?;
        Ok(match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(one), Self::Bool(other)) => one == other,
            (Self::Duration(one), Self::Duration(other)) => one == other,
            (Self::Text(one), Self::Text(other)) => {
                let (one, other) = (one.as_str(), other.as_str());
                if one.len() == other.len() {
                    meter.charge_bytes(one.len())?;
                }
                one == other
            }
            (Self::Json(Json::Object(one)), Self::Json(Json::Object(other))) => {
                // Both are sorted by their keys.
                if one.len() != other.len() {
                    return Ok(false);
                }
                for ((key, value), (other_key, other)) in one.iter().zip(other) {
                    meter.charge_bytes(key.len().min(other_key.len()))?;
                    if key != other_key || !Self::json(value).equals(&Self::json(other), meter)? {
                        return Ok(false);
                    }
                }
                true
            }
            (Self::Map(map), other @ (Self::Map(_) | Self::Json(Json::Object(_))))
            | (other @ Self::Json(Json::Object(_)), Self::Map(map)) => {
                if other.entries_len() != Some(map.len()) {
                    return Ok(false);
                }
                for (key, value) in map.iter() {
                    match other.get(key, meter)? {
                        Some(other) if value.equals(&other, meter)? => {}
                        _ => return Ok(false),
                    }
                }
                true
            }
            (Self::List(_) | Self::Json(_), Self::List(_) | Self::Json(_)) => {
                let (Some(count), Some(others)) = (self.list_len(), other.list_len()) else {
                    return Ok(false);
                };
                if count != others {
                    return Ok(false);
                }
                for at in 0..count {
                    let (Some(one), Some(other)) = (self.element(at), other.element(at)) else {
                        return Ok(false);
                    };
                    if !one.equals(&other, meter)? {
                        return Ok(false);
                    }
                }
                true
            }
            _ => self.compare(other, meter)? == Some(Ordering::Equal),
        })
    }

    /// Which comes first; `None` for values that have no order among them.
    pub(super) fn compare(
        &self,
        other: &Self,
        meter: &mut Meter<'_>,
    ) -> Result<Option<Ordering>, Fault> {
        Ok(match (self, other) {
            (Self::Bool(one), Self::Bool(other)) => Some(one.cmp(other)),
            (Self::Text(one), Self::Text(other)) => {
                let (one, other) = (one.as_str(), other.as_str());
                meter.charge_bytes(one.len().min(other.len()))?;
                Some(one.cmp(other))
            }
            (Self::Time(one), Self::Time(other)) => Some(one.cmp(other)),
            (Self::Time(time), Self::Text(text)) => {
                meter.charge(TIME_UNITS)?;
                compare_time(*time, text.as_str())
            }
            (Self::Text(text), Self::Time(time)) => {
                meter.charge(TIME_UNITS)?;
                compare_time(*time, text.as_str()).map(Ordering::reverse)
            }
            (Self::Duration(one), Self::Duration(other)) => Some(one.cmp(other)),
            _ => self.compare_numbers(other),
        })
    }

    fn compare_numbers(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Double(one), Self::Double(other)) => one.partial_cmp(other),
            (Self::Double(one), other) => exactly(other.whole()?, *one).map(Ordering::reverse),
            (one, Self::Double(other)) => exactly(one.whole()?, *other),
            (one, other) => Some(one.whole()?.cmp(&other.whole()?)),
        }
    }

    fn whole(&self) -> Option<i128> {
        match self {
            Self::Int(int) => Some(i128::from(*int)),
            Self::UInt(uint) => Some(i128::from(*uint)),
            _ => None,
        }
    }

    /// How many elements a list has; `None` for what is no list.
    pub(super) fn list_len(&self) -> Option<usize> {
        match self {
            Self::List(list) => Some(list.len()),
            Self::Json(json) => json.as_array().map(Vec::len),
            _ => None,
        }
    }

    /// The element at `at` of a list.
    pub(super) fn element(&self, at: usize) -> Option<Self> {
        match self {
            Self::List(list) => list.get(at).cloned(),
            Self::Json(json) => json.as_array()?.get(at).map(Self::json),
            _ => None,
        }
    }

    /// How many entries a map has; `None` for what is no map.
    pub(super) fn entries_len(&self) -> Option<usize> {
        match self {
            Self::Map(map) => Some(map.len()),
            Self::Json(json) => json.as_object().map(serde_json::Map::len),
            _ => None,
        }
    }

    /// What a loop runs over: a list's elements or a map's keys.
    pub(super) fn items(&self) -> Result<Items<'e>, Fault> {
        match self {
            Self::List(list) => Ok(Items::List(Rc::clone(list), 0)),
            Self::Map(map) => {
                Ok(Items::List(Rc::new(map.iter().map(|(key, _)| key.clone()).collect()), 0))
            }
            Self::Json(Json::Array(items)) => Ok(Items::Array(items.iter())),
            Self::Json(Json::Object(members)) => Ok(Items::Keys(members.keys())),
            _ => Err(Fault::Error),
        }
    }

    /// The value behind `key` of a map.
    pub(super) fn get(&self, key: &Self, meter: &mut Meter<'_>) -> Result<Option<Self>, Fault> {
        match self {
            Self::Json(Json::Object(members)) => {
                let Self::Text(key) = key else { return Ok(None) };
                meter.charge_bytes(key.as_str().len())?;
                Ok(members.get(key.as_str()).map(Self::json))
            }
            Self::Map(map) => {
                for (known, value) in map.iter() {
                    if known.equals(key, meter)? {
                        return Ok(Some(value.clone()));
                    }
                }
                Ok(None)
            }
            _ => Err(Fault::Error),
        }
    }
}

/// A whole number against a double, by their values: an int beyond 2^53 has no double of its own. `None`: it
/// is no number.
fn exactly(whole: i128, double: f64) -> Option<Ordering> {
    if double.is_nan() {
        return None;
    }
    // Beyond every int and uint this saturates, which leaves the order right.
    let by_whole = whole.cmp(&(double.trunc() as i128));
    if by_whole.is_eq() { 0.0.partial_cmp(&double.fract()) } else { Some(by_whole) }
}

/// A time against a text: as times if the text is one, as texts if it is the beginning of one.
fn compare_time(time: Timestamp, text: &str) -> Option<Ordering> {
    match time::compared(text)? {
        Compared::Time(other) => Some(time.cmp(&other)),
        Compared::Beginning(text) => Some(time.to_string().as_str().cmp(text)),
    }
}

/// What a loop still has to look at.
pub(super) enum Items<'e> {
    List(Rc<Vec<Value<'e>>>, usize),
    Array(std::slice::Iter<'e, Json>),
    Keys(serde_json::map::Keys<'e>),
}

impl<'e> Iterator for Items<'e> {
    type Item = Value<'e>;

    fn next(&mut self) -> Option<Value<'e>> {
        match self {
            Self::List(list, at) => {
                *at += 1;
                list.get(*at - 1).cloned()
            }
            Self::Array(items) => items.next().map(Value::json),
            Self::Keys(keys) => keys.next().map(|key| Value::text(key)),
        }
    }
}
