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
    /// Most bytes that all keys and values of one table take.
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
    /// Its new value; `None` deletes it.
    pub value: Option<Bytes>,
}

/// All live entries of a table.
pub type Entries = BTreeMap<Bytes, Bytes>;

/// Whether `changes` fit.
pub(crate) fn check(table: Table, now: &Entries, changes: &[Entry]) -> Result<(), AppendError> {
    let bytes = |change: &Entry| change.key.len() + change.value.as_ref().map_or(0, Bytes::len);
    let full = |bytes, bytes_max| AppendError::TableFull { table, bytes, bytes_max };
    if let Some(change) = changes.iter().find(|c| bytes(c) > Table::ENTRY_BYTES_MAX) {
        return Err(full(bytes(change), Table::ENTRY_BYTES_MAX));
    }
    let held: usize = now.iter().map(|(key, value)| key.len() + value.len()).sum();
    let added = changes.iter().filter(|change| change.value.is_some()).map(bytes).sum();
    if held + added > Table::BYTES_MAX && added > 0 {
        return Err(full(added, Table::BYTES_MAX));
    }
    Ok(())
}

/// Applies `changes` in their order.
pub(crate) fn apply(entries: &mut Entries, changes: Vec<Entry>) {
    for Entry { key, value } in changes {
        match value {
            Some(value) => entries.insert(key, value),
            None => entries.remove(&key),
        };
    }
}
