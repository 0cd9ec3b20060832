//! A table in memory: what each implementation of the log holds of one, and what it takes.
//!
//! It refuses to store anything: a change is applied when it is durable, or is not.

use crate::{AppendError, Entries, Entry, Table};

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
