//! Names of streams and sources.
//!
//! A stream's name is a legal Kafka topic name, so that a Kafka listener never has to translate.

use std::{fmt, sync::Arc};

use crate::own_file;

/// A stream's name: 1 to 249 of `a-z A-Z 0-9 . _ -`, neither `.` nor `..`, nor the name of one of the log's
/// own files (`LOCK`, `ENDS` and the like, and what ends with `.new`). Names that begin with `__` are the
/// log's own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamName(Arc<str>);

/// The configured name of a source, for example `vcenter` of `[sources.vcenter]`; same letters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceName(Arc<str>);

/// A text that cannot be a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// It has other letters, or too many.
    #[error("`{0}` is no name: use 1 to {max} letters, digits, `.`, `_` or `-`", max = LENGTH_MAX)]
    Letters(String),
    /// A file of the log is called that.
    #[error("`{0}` is what a file of the log is called; choose another name")]
    Taken(String),
}

/// Kafka's limit: a topic is a folder `<topic>-<partition>` of at most 255 bytes.
const LENGTH_MAX: usize = 249;

fn check(name: &str) -> Result<Arc<str>, InvalidName> {
    let is_legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    let fits = (1..=LENGTH_MAX).contains(&name.len()) && name.bytes().all(is_legal);
    if fits && name != "." && name != ".." {
        Ok(name.into())
    } else {
        Err(InvalidName::Letters(name.chars().take(60).collect()))
    }
}

macro_rules! text_name {
    ($name:ident) => {
        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_name!(StreamName);
text_name!(SourceName);

impl SourceName {
    /// Checks `name`.
    pub fn new(name: &str) -> Result<Self, InvalidName> {
        check(name).map(Self)
    }
}

impl StreamName {
    /// Checks `name`.
    pub fn new(name: &str) -> Result<Self, InvalidName> {
        if own_file::is_own(name) {
            return Err(InvalidName::Taken(name.chars().take(60).collect()));
        }
        check(name).map(Self)
    }

    /// The stream that all sources write to unless told otherwise: `events`.
    pub fn events() -> Self {
        Self("events".into())
    }

    /// Whether the name belongs to the log itself.
    pub fn is_internal(&self) -> bool {
        self.0.starts_with("__")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_kafka_topic_name() {
        for good in ["events", "a", "A.b_c-9", "__positions", "events.dead", &"x".repeat(249)] {
            assert!(StreamName::new(good).is_ok(), "{good}");
        }
        for taken in ["LOCK", "ENDS", "UNSYNCED", "RECOVERY", "ENDS.new"] {
            assert!(StreamName::new(taken).is_err(), "{taken}");
            assert!(SourceName::new(taken).is_ok(), "{taken}");
        }
        for bad in ["", ".", "..", "a b", "ä", "a/b", &"x".repeat(250)] {
            assert!(StreamName::new(bad).is_err(), "{bad}");
        }
    }
}
