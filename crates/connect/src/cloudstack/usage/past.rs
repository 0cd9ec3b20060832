//! What was captured of usage before, where ids do not tell: revisions of a record, and records whose
//! resource was purged since.
//!
//! The server prints a purged machine's record without its id, so a record that was captured whole comes
//! again as another one. They are counted instead: of the records that are alike, as many are known as were
//! captured and are not listed whole any more. Reads the log from the listing's beginning, and only when a
//! listing holds something of the kind.

use std::collections::{HashMap, HashSet};

use pluvio_event::AttributeName;
use pluvio_log::StoredRecord;
use uuid::Uuid;

use super::records;

/// Records of usage that are stored.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// How many revisions of each record.
    revisions: HashMap<Uuid, usize>,
    /// By group: the records that were captured whole, and how many that were purged already.
    alike: HashMap<Uuid, Alike>,
}

#[derive(Debug, Default)]
struct Alike {
    whole: HashSet<Uuid>,
    purged: HashSet<Uuid>,
}

impl Past {
    /// Takes note of a stored record if it is one of ours.
    pub(super) fn see(&mut self, source: &str, stored: &StoredRecord) {
        // Most of what is stored is something else, and is not decoded.
        if memchr::memmem::find(&stored.value, records::TYPE.as_bytes()).is_none() {
            return;
        }
        let Ok(event) = stored.event() else { return };
        if event.source() != source || event.event_type() != records::TYPE {
            return;
        }
        let id = |name: &AttributeName| {
            let text = event.extension(name.as_str()).map(ToString::to_string);
            text.and_then(|id| Uuid::parse_str(&id).ok())
        };
        let Some(record_id) = id(&records::RECORD_ID) else { return };
        *self.revisions.entry(record_id).or_default() += 1;
        let Some(group) = id(&records::RECORD_GROUP) else { return };
        let alike = self.alike.entry(group).or_default();
        if event.extension(records::RECORD_PURGED.as_str()).is_some() {
            alike.purged.insert(record_id);
        } else {
            alike.whole.insert(record_id);
        }
    }

    /// How often the record was captured.
    pub(super) fn revisions(&self, record_id: Uuid) -> usize {
        self.revisions.get(&record_id).copied().unwrap_or(0)
    }

    /// How many of what is alike were captured and are not among `listed` any more.
    pub(super) fn gone(&self, group: Uuid, listed: &HashSet<Uuid>) -> usize {
        self.alike.get(&group).map_or(0, |alike| alike.whole.difference(listed).count())
    }

    /// How many of what is alike were captured when they were purged already.
    pub(super) fn purged(&self, group: Uuid) -> usize {
        self.alike.get(&group).map_or(0, |alike| alike.purged.len())
    }
}
