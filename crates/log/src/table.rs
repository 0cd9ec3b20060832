//! Small state that lives in the log: the newest value of each key.

use std::collections::BTreeMap;

use bytes::Bytes;

/// Which state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// Where each sink stands: `__cursors`.
    Cursors,
    /// What Kafka's consumer groups committed: `__offsets`.
    Offsets,
}

impl Table {
    /// All there are.
    pub const ALL: [Self; 2] = [Self::Cursors, Self::Offsets];
    /// Largest key and value of one entry together, in bytes.
    pub const ENTRY_BYTES_MAX: usize = 64 << 10;
    /// Most bytes that all keys and values of one table take. Whoever lets several parties write divides
    /// it among them, as the Kafka listener does: here one could take all of it.
    pub const BYTES_MAX: usize = 32 << 20;

    /// The internal stream that holds it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cursors => "__cursors",
            Self::Offsets => "__offsets",
        }
    }
}

/// A change of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What is named; its form is the writer's own.
    pub key: Bytes,
    /// Its new value; `None` deletes it, and so does an empty one.
    pub value: Option<Bytes>,
}

impl Entry {
    /// What it takes once it is there.
    pub(crate) fn bytes(&self) -> usize {
        let value = self.value.as_ref().filter(|value| !value.is_empty());
        value.map_or(0, |value| self.key.len() + value.len())
    }
}

/// All live entries of a table.
pub type Entries = BTreeMap<Bytes, Bytes>;
