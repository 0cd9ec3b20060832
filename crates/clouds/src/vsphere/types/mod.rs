//! What the classes of vCenter's events look like: the type table.
//!
//! The table is text, made by `cargo xtask vsphere-types` and committed, for two reasons: a change
//! of the API reads as a diff of facts, and a process that meets twenty classes pays for twenty.
//! At first use the text is cut into lines (about 1,500, well under a millisecond); the fields of
//! a class are read when the first event of that class comes, and stay.
//!
//! A class holds its fields *flattened*, those of its bases first: that is the order of the JSON.
//! A field that a class declares anew hides the base's, as Go's encoder has it.

use std::collections::HashMap;
use std::sync::{LazyLock, OnceLock};

use super::pair::{is_told, tells};
use crate::telling::looks_secret;

static TEXT: &str = include_str!("table.txt");

static TABLE: LazyLock<HashMap<&'static str, Class>> =
    LazyLock::new(|| TEXT.lines().filter(|line| !line.starts_with('#')).map(Class::cut).collect());

/// A class without fields, for the day when the table lacks even `Event`.
pub(crate) static NOTHING: Class =
    Class { name: "", base: None, declared: "", shape: OnceLock::new() };

/// One class of the API.
#[derive(Debug)]
pub(crate) struct Class {
    /// Its name.
    pub(crate) name: &'static str,
    base: Option<&'static str>,
    declared: &'static str,
    shape: OnceLock<ClassShape>,
}

#[derive(Debug)]
struct ClassShape {
    fields: Box<[Field]>,
    is_pair: bool,
}

/// One field of a class.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    /// The element's name.
    pub(crate) name: &'static str,
    /// `"Name":`, ready to be written in the govmomi format.
    pub(crate) pascal_key: Box<str>,
    /// `"name":`, ready to be written in the VI JSON format.
    pub(crate) camel_key: Box<str>,
    /// What it holds.
    pub(crate) kind: Kind,
    /// How often.
    pub(crate) shape: Shape,
    /// Printed only when it is present.
    pub(crate) newer: bool,
    /// Redacted by default.
    pub(crate) secret: bool,
}

/// What a field holds.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// A text or a name of an enumeration.
    String,
    /// `true` or `false`.
    Bool,
    /// A whole number of any width.
    Int,
    /// A number with 32 bits.
    Float,
    /// A number with 64 bits.
    Double,
    /// A point in time.
    Time,
    /// Bytes.
    Bytes,
    /// Anything, told by `xsi:type`.
    Any,
    /// A reference to a managed object.
    Reference,
    /// Exactly this class.
    Class(&'static Class),
    /// This class, or one derived from it, told by `xsi:type`.
    Base(&'static Class),
    /// A class that the table lacks.
    Unknown,
}

/// How often a field's value occurs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Once; a zero value stands for none.
    One,
    /// Once or absent.
    Optional,
    /// Any number of times.
    Many,
}

/// The class with a name.
pub(crate) fn class(name: &str) -> Option<&'static Class> {
    TABLE.get(name)
}

/// The names of all classes of events that a vCenter can send, those that others derive from included.
pub fn event_classes() -> impl Iterator<Item = &'static str> {
    TABLE.values().filter(|class| class.is_event()).map(|class| class.name)
}

impl Class {
    fn cut(line: &'static str) -> (&'static str, Class) {
        let (head, declared) = line.split_once(' ').unwrap_or((line, ""));
        let head = head.trim_start_matches('+');
        let (name, base) = match head.split_once('<') {
            Some((name, base)) => (name, Some(base)),
            None => (head, None),
        };
        (name, Class { name, base, declared, shape: OnceLock::new() })
    }

    /// All fields, those of its bases first.
    pub(crate) fn fields(&self) -> &[Field] {
        &self.shape().fields
    }

    /// Whether one field tells whether the value of another is secret.
    pub(crate) fn is_pair(&self) -> bool {
        self.shape().is_pair
    }

    /// Whether it is an event.
    pub(crate) fn is_event(&self) -> bool {
        self.name == "Event" || self.base.and_then(class).is_some_and(Class::is_event)
    }

    fn shape(&self) -> &ClassShape {
        self.shape.get_or_init(|| {
            let own: Vec<Field> = self.declared.split(' ').filter_map(Field::read).collect();
            let base = self.base.and_then(class).map(Class::fields).unwrap_or_default();
            let mut fields: Vec<Field> = base
                .iter()
                .filter(|field| own.iter().all(|own| own.name != field.name))
                .cloned()
                .collect();
            fields.extend(own);
            let has = |kind: fn(&str) -> bool| fields.iter().any(|field| kind(field.name));
            ClassShape { is_pair: has(tells) && has(is_told), fields: fields.into() }
        })
    }
}

impl Field {
    /// `[+]element:kind[shape]`.
    fn read(declared: &'static str) -> Option<Field> {
        let (name, kind) = declared.split_once(':')?;
        let (kind, shape) = match kind.strip_suffix('?') {
            Some(kind) => (kind, Shape::Optional),
            None => match kind.strip_suffix('*') {
                Some(kind) => (kind, Shape::Many),
                None => (kind, Shape::One),
            },
        };
        let (name, newer) = match name.strip_prefix('+') {
            Some(name) => (name, true),
            None => (name, false),
        };
        let kind = Kind::read(kind);
        Some(Field {
            name,
            pascal_key: format!("\"{}\":", capitalised(name)).into(),
            camel_key: format!("\"{name}\":").into(),
            secret: kind.may_be_secret() && looks_secret(name),
            kind,
            shape,
            newer,
        })
    }
}

impl Kind {
    fn read(text: &'static str) -> Kind {
        match text {
            "s" => Kind::String,
            "b" => Kind::Bool,
            "i" => Kind::Int,
            "f" => Kind::Float,
            "d" => Kind::Double,
            "t" => Kind::Time,
            "y" => Kind::Bytes,
            "a" => Kind::Any,
            "r" => Kind::Reference,
            _ => match text.strip_prefix('^') {
                Some(base) => class(base).map_or(Kind::Unknown, Kind::Base),
                None => class(text).map_or(Kind::Unknown, Kind::Class),
            },
        }
    }

    /// The kind of a value by its `xsi:type`, where that names a primitive.
    pub(crate) fn of_primitive(name: &str) -> Option<Kind> {
        Some(match name {
            "string" | "anyURI" => Kind::String,
            "boolean" => Kind::Bool,
            "byte" | "short" | "int" | "long" | "integer" | "unsignedByte" | "unsignedShort"
            | "unsignedInt" | "unsignedLong" => Kind::Int,
            "float" => Kind::Float,
            "double" => Kind::Double,
            "dateTime" => Kind::Time,
            "base64Binary" => Kind::Bytes,
            _ => return None,
        })
    }

    /// A number, a flag or a time is no secret whatever its name.
    fn may_be_secret(self) -> bool {
        !matches!(self, Kind::Bool | Kind::Int | Kind::Float | Kind::Double | Kind::Time)
    }
}

/// `vmName` as `VmName`.
pub(crate) fn capitalised(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().into_iter().flat_map(char::to_uppercase).chain(chars).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn every_line_of_the_table_is_understood() {
        for class in TABLE.values() {
            for field in class.fields() {
                assert!(!matches!(field.kind, Kind::Unknown), "{}.{}", class.name, field.name);
            }
            assert!(class.base.is_none_or(|base| TABLE.contains_key(base)), "{}", class.name);
        }
    }

    #[test]
    fn fields_of_the_base_come_first() {
        let names: Vec<_> =
            class("VmPoweredOnEvent").unwrap().fields().iter().map(|f| f.name).collect();
        assert_eq!(names.first(), Some(&"key"));
        // As API 9.1 has them, with what it added.
        let last = ["dvs", "tgw", "fullFormattedMessage", "changeTag", "auditId", "template"];
        assert_eq!((names.len(), &names[10..]), (16, last.as_slice()));
    }

    #[test]
    fn a_class_knows_whether_it_is_an_event() {
        assert!(class("VmPoweredOnEvent").unwrap().is_event());
        assert!(!class("TaskInfo").unwrap().is_event());
        assert!(event_classes().count() >= 443 && event_classes().any(|name| name == "EventEx"));
    }
}
