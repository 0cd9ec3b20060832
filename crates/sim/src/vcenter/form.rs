//! The two forms of an event's JSON, and how each spells what every event has.
//!
//! A recording may be of either, and both the objects that it names and its XML are read out of it; so this lies
//! below both. It refuses to know classes: only names, references and what says that there is nothing.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// Which JSON an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Govmomi,
    ViJson,
}

/// The one element of the API that begins with a capital.
const CAPITALS: &str = "VNI";
/// What govmomi prints for a time that was never set.
const ZERO_TIME: &str = "0001-01-01T00:00:00Z";

impl Form {
    /// The form of an event: it has a key in any.
    pub(crate) fn of(event: &Map<String, Value>) -> Self {
        if event.contains_key("Key") { Self::Govmomi } else { Self::ViJson }
    }

    /// A member of an event that every event has, by the name of its element.
    pub(crate) fn member<'v>(self, event: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
        match self {
            Self::Govmomi => event.get(capitalized(name).as_str()),
            Self::ViJson => event.get(name),
        }
    }

    /// The name of an element.
    pub(crate) fn element(self, member: &str) -> Cow<'_, str> {
        match self {
            Self::Govmomi if member != CAPITALS => Cow::Owned(lowered(member)),
            _ => Cow::Borrowed(member),
        }
    }

    /// The kind and the identifier of an object, if that is what a structure is.
    pub(crate) fn reference(self, value: &Map<String, Value>) -> Option<(&str, &str)> {
        let (kind, id) = match self {
            Self::Govmomi if value.len() == 2 => (value.get("Type")?, value.get("Value")?),
            Self::ViJson if class_of(value) == Some("ManagedObjectReference") => {
                (value.get("type")?, value.get("value")?)
            }
            _ => return None,
        };
        Some((kind.as_str()?, id.as_str()?))
    }

    /// Whether a value says that there is none.
    pub(crate) fn is_absent(self, value: &Value) -> bool {
        match value {
            Value::Null => true,
            // What is absent is left out of VI JSON.
            _ if self == Self::ViJson => false,
            Value::String(text) => text.is_empty() || text == ZERO_TIME,
            Value::Object(object) => self.reference(object) == Some(("", "")),
            _ => false,
        }
    }
}

/// The class that a structure names.
pub(crate) fn class_of(object: &Map<String, Value>) -> Option<&str> {
    object.get("_typeName")?.as_str()
}

/// A name of govmomi as the API spells it.
pub(crate) fn lowered(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().into_iter().flat_map(char::to_lowercase).chain(letters).collect()
}

fn capitalized(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}
