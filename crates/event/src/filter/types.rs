//! What is known of a value's type before there is an event.
//!
//! A [`Type`] is the set of kinds that a value can have: `severitynumber` is an int or absent, which
//! is `null`; a part of `data` is whatever JSON can hold; the value of `c ? 1 : "a"` is an int or a
//! text. [`forms`](super::forms) says which kinds an operator takes, and what it makes of them.
//!
//! It refuses to guess: a set is too large rather than too small, so that no filter is refused that
//! could match. Attributes that Pluvio's own sources write with one type have that type; what a
//! foreign producer may have written (`event.NAME`) has any that an attribute can have, and the value
//! of `dyn(…)` any at all.

use crate::known::CORE_ATTRIBUTES;

/// One kind of value, as [`Value`](super::value::Value) has them. Lists and maps that the expression
/// makes are told from those of the payload, which hold nothing but JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    Bool,
    Int,
    UInt,
    Double,
    Text,
    Time,
    Duration,
    List,
    Map,
    /// A list of the payload.
    Array,
    /// A map of the payload: its keys are texts.
    Object,
}

/// A set of kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kinds(u16);

/// What a value can be, and what it can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Type {
    pub(super) kinds: Kinds,
    /// What a loop over it runs over, and `in` looks through: a list's elements, a map's keys.
    items: Kinds,
    /// What `[…]` and `.field` give: a list's elements, a map's values.
    parts: Kinds,
}

/// The attribute that says when an event was stored.
pub(super) const RECORDED: &str = "recordedtime";

/// Attributes of [`known`](crate::known) that are numbers in every event of Pluvio's sources.
const NUMBERS: [&str; 5] =
    ["pluvioattempts", "pluvioredacted", "revision", "severitynumber", "usagetype"];

/// Attributes of [`known`](crate::known) that are texts in every event of Pluvio's sources.
const TEXTS: [&str; 25] = [
    "account",
    "accountid",
    "authid",
    "authtype",
    "datacontenttype",
    "dataomitted",
    "dataschema",
    "domain",
    "eventclass",
    "id",
    "level",
    "parentid",
    "pluvioflaw",
    "pluviooffset",
    "pluvioreason",
    "pluviosink",
    "pluviostream",
    "recordid",
    "sequence",
    "severitytext",
    "source",
    "specversion",
    "state",
    "subject",
    "type",
];

impl Kind {
    const ALL: [Self; 12] = [
        Self::Null,
        Self::Bool,
        Self::Int,
        Self::UInt,
        Self::Double,
        Self::Text,
        Self::Time,
        Self::Duration,
        Self::List,
        Self::Map,
        Self::Array,
        Self::Object,
    ];
}

impl Kinds {
    pub(super) const NONE: Self = Self(0);
    pub(super) const ALL: Self = Self::of(&Kind::ALL);
    pub(super) const NULL: Self = Self::of(&[Kind::Null]);
    pub(super) const BOOL: Self = Self::of(&[Kind::Bool]);
    pub(super) const INT: Self = Self::of(&[Kind::Int]);
    pub(super) const UINT: Self = Self::of(&[Kind::UInt]);
    pub(super) const DOUBLE: Self = Self::of(&[Kind::Double]);
    pub(super) const TEXT: Self = Self::of(&[Kind::Text]);
    pub(super) const TIME: Self = Self::of(&[Kind::Time]);
    pub(super) const DURATION: Self = Self::of(&[Kind::Duration]);
    pub(super) const NUMBERS: Self = Self::of(&[Kind::Int, Kind::UInt, Kind::Double]);
    pub(super) const LISTS: Self = Self::of(&[Kind::List, Kind::Array]);
    pub(super) const MAPS: Self = Self::of(&[Kind::Map, Kind::Object]);
    /// What an attribute can be, whoever wrote it.
    const SCALARS: Self = Self::of(&[Kind::Null, Kind::Bool, Kind::Int, Kind::Text]);
    /// What the payload and its parts can be.
    const JSON: Self = Self::of(&[
        Kind::Null,
        Kind::Bool,
        Kind::Int,
        Kind::UInt,
        Kind::Double,
        Kind::Text,
        Kind::Array,
        Kind::Object,
    ]);

    pub(super) const fn of(kinds: &[Kind]) -> Self {
        let (mut bits, mut at) = (0, 0);
        while at < kinds.len() {
            bits |= 1 << kinds[at] as u16;
            at += 1;
        }
        Self(bits)
    }

    pub(super) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether a value can be of one of `other`.
    pub(super) fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    fn is_within(self, other: Self) -> bool {
        self.without(other) == Self::NONE
    }

    /// Whether a value is one of `other`, or `null` because something is absent.
    pub(super) fn is_mostly(self, other: Self) -> bool {
        self.meets(other) && self.is_within(other.or(Self::NULL))
    }

    pub(super) fn each(self) -> impl Iterator<Item = Kind> {
        Kind::ALL.into_iter().filter(move |kind| self.meets(Self::of(&[*kind])))
    }

    /// In words for an error, with the article. `null`, which most values can be, is told only of
    /// what is nothing else.
    pub(super) fn shown(self) -> String {
        let some = self.without(Self::NULL);
        if some == Self::NONE {
            return "`null`".to_owned();
        }
        if self == Self::JSON {
            return "a value of `data`".to_owned();
        }
        let names = [
            (Self::BOOL, "a boolean"),
            (Self::NUMBERS, "a number"),
            (Self::TEXT, "a text"),
            (Self::TIME, "a time"),
            (Self::DURATION, "a duration"),
            (Self::LISTS, "a list"),
            (Self::MAPS, "a map"),
        ];
        let names = names.into_iter().filter(|(kinds, _)| some.meets(*kinds));
        names.map(|(_, name)| name).collect::<Vec<_>>().join(" or ")
    }

    /// As [`shown`](Self::shown), with the type of a number: arithmetic mixes none.
    pub(super) fn shown_exactly(self) -> String {
        match self.without(Self::NULL) {
            Self::INT => "an int".to_owned(),
            Self::UINT => "a uint".to_owned(),
            Self::DOUBLE => "a double".to_owned(),
            _ => self.shown(),
        }
    }
}

impl Type {
    /// A value of `kinds`, of whose elements no more is known.
    pub(super) fn of(kinds: Kinds) -> Self {
        let mut held = Kinds::NONE;
        if kinds.meets(Kinds::of(&[Kind::Array, Kind::Object])) {
            held = held.or(Kinds::JSON);
        }
        if kinds.meets(Kinds::of(&[Kind::List, Kind::Map])) {
            held = held.or(Kinds::ALL);
        }
        Self { kinds, items: held, parts: held }
    }

    /// A list that the expression makes.
    pub(super) fn list(elements: Kinds) -> Self {
        let elements = elements.or_all();
        Self { kinds: Kinds::of(&[Kind::List]), items: elements, parts: elements }
    }

    /// A map that the expression makes.
    pub(super) fn map(keys: Kinds, values: Kinds) -> Self {
        Self { kinds: Kinds::of(&[Kind::Map]), items: keys.or_all(), parts: values.or_all() }
    }

    /// The payload.
    pub(super) fn data() -> Self {
        Self::of(Kinds::JSON)
    }

    /// The attribute `name` by its own name: as Pluvio's sources write it.
    pub(super) fn of_attribute(name: &str) -> Self {
        let kinds = match name {
            "data" => return Self::data(),
            "time" | RECORDED => Kinds::TIME,
            _ if NUMBERS.contains(&name) => Kinds::INT,
            _ if TEXTS.contains(&name) => Kinds::TEXT,
            _ => Kinds::SCALARS,
        };
        Self::of(kinds.or(Kinds::NULL))
    }

    /// `event.NAME`: as any producer may have written it.
    pub(super) fn of_any_attribute(name: &str) -> Self {
        match name {
            _ if CORE_ATTRIBUTES.contains(&name) => Self::of_attribute(name),
            RECORDED => Self::of(Kinds::SCALARS.or(Kinds::TIME)),
            _ => Self::of(Kinds::SCALARS),
        }
    }

    /// Whichever of the two.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            kinds: self.kinds.or(other.kinds),
            items: self.items.or(other.items),
            parts: self.parts.or(other.parts),
        }
    }

    /// What holds the same, but is of `kinds`.
    pub(super) fn with_kinds(self, kinds: Kinds) -> Self {
        Self { kinds, ..self }
    }

    /// What a loop's variable is.
    pub(super) fn items(self) -> Self {
        Self::of(self.items)
    }

    /// What `[…]` and `.field` give.
    pub(super) fn parts(self) -> Self {
        Self::of(self.parts)
    }
}

impl Kinds {
    /// What is in an empty list is not known, and nothing is refused for it.
    fn or_all(self) -> Self {
        if self == Self::NONE { Self::ALL } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::known::EXTENSIONS;

    #[test]
    fn every_attribute_with_a_type_is_known() {
        for name in NUMBERS.iter().chain(&TEXTS).chain([&RECORDED]) {
            assert!(CORE_ATTRIBUTES.contains(name) || EXTENSIONS.contains(name), "{name}");
        }
    }

    #[test]
    fn a_set_of_kinds_is_told_in_words() {
        assert_eq!(Type::of_attribute("severitynumber").kinds.shown(), "a number");
        assert_eq!(Type::of_attribute("severitynumber").kinds.shown_exactly(), "an int");
        assert_eq!(Type::data().kinds.shown(), "a value of `data`");
        assert_eq!(Kinds::TEXT.or(Kinds::DOUBLE).shown(), "a number or a text");
        assert_eq!(Kinds::NULL.shown(), "`null`");
    }
}
