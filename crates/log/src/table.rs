//! Small state that lives in the log: the newest value of each key.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::AppendError;

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
    fn bytes(&self) -> usize {
        let value = self.value.as_ref().filter(|value| !value.is_empty());
        value.map_or(0, |value| self.key.len() + value.len())
    }
}

/// All live entries of a table.
pub type Entries = BTreeMap<Bytes, Bytes>;

/// A table in memory, with its size.
#[derive(Debug, Default)]
pub(crate) struct Held {
    pub(crate) entries: Entries,
    bytes: usize,
}

impl Held {
    /// Whether `changes` fit.
    pub(crate) fn check(&self, table: Table, changes: &[Entry]) -> Result<(), AppendError> {
        let full = |bytes, bytes_max| AppendError::TableFull { table, bytes, bytes_max };
        let (mut bytes, mut added) = (self.bytes, 0);
        for change in changes {
            let own = change.bytes();
            if own > Table::ENTRY_BYTES_MAX {
                return Err(full(own, Table::ENTRY_BYTES_MAX));
            }
            let before = self.entries.get(&change.key);
            bytes -= before.map_or(0, |value| change.key.len() + value.len()).min(bytes);
            bytes += own;
            added += own;
        }
        // What makes it no larger is always taken.
        if bytes > Table::BYTES_MAX && bytes > self.bytes {
            return Err(full(added, Table::BYTES_MAX));
        }
        Ok(())
    }

    /// Applies `changes` in their order.
    pub(crate) fn apply(&mut self, changes: Vec<Entry>) {
        for change in changes {
            let Entry { key, value } = change;
            let length = key.len();
            let value = value.filter(|value| !value.is_empty());
            self.bytes += value.as_ref().map_or(0, |value| length + value.len());
            let before = match value {
                Some(value) => self.entries.insert(key, value),
                None => self.entries.remove(&key),
            };
            self.bytes -= before.map_or(0, |before| length + before.len());
        }
    }

    /// Bytes of all keys and values.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}
