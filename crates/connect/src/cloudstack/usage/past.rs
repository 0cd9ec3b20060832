//! What was captured of usage before, where ids do not tell: revisions of a record, and records whose
//! resource was purged since.
//!
//! Reads the log from the listing's beginning, and only when a listing holds something of the kind.

use std::collections::{BTreeMap, HashMap};

use pluvio_event::{AttributeName, Event};
use pluvio_log::StoredRecord;
use uuid::Uuid;

use super::records;

/// Records of usage that are stored, or about to be.
#[derive(Debug, Default)]
pub(super) struct Past {
    records: HashMap<Uuid, Captured>,
    /// By group, in the order in which they were captured.
    alike: HashMap<Uuid, Vec<Uuid>>,
    /// Whether the log was read.
    pub(super) is_read: bool,
}

/// What was captured of one record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Captured {
    /// What names its amount, by revision; never empty.
    figures: BTreeMap<u32, Uuid>,
    /// Whether it was captured when the server still told its resource.
    pub(super) was_whole: bool,
}

/// What an event says of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Note {
    record_id: Uuid,
    group: Option<Uuid>,
    revision: u32,
    figure: Uuid,
    is_whole: bool,
}

impl Note {
    /// `None`: it is of no record.
    pub(super) fn of(event: &Event) -> Option<Self> {
        let text = |name: &AttributeName| Some(event.extension(name.as_str())?.to_string());
        let id = |name: &AttributeName| Uuid::parse_str(&text(name)?).ok();
        let revision = text(&records::REVISION).and_then(|number| number.parse().ok());
        let figure = id(&records::RECORD_FIGURE).or_else(|| Uuid::parse_str(event.id()).ok());
        Some(Self {
            record_id: id(&records::RECORD_ID)?,
            group: id(&records::RECORD_GROUP),
            revision: revision.unwrap_or(1),
            figure: figure?,
            is_whole: text(&records::RECORD_PURGED).is_none(),
        })
    }
}

impl Captured {
    /// Its figures, the newest first.
    pub(super) fn newest_first(&self) -> impl Iterator<Item = Uuid> + '_ {
        self.figures.values().rev().copied()
    }

    pub(super) fn newest(&self) -> Option<Uuid> {
        self.newest_first().next()
    }

    pub(super) fn has(&self, figure: Uuid) -> bool {
        self.figures.values().any(|captured| *captured == figure)
    }

    /// Whether all of it is there: the log is forgotten from its beginning on.
    pub(super) fn is_complete(&self) -> bool {
        self.figures.contains_key(&1)
    }
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
        if let Some(note) = Note::of(&event) {
            self.note(note);
        }
    }

    /// Takes note of a record; twice is once.
    pub(super) fn note(&mut self, note: Note) {
        let Note { record_id, group, revision, figure, is_whole } = note;
        let captured = self.records.entry(record_id).or_default();
        if captured.figures.is_empty()
            && let Some(group) = group
        {
            self.alike.entry(group).or_default().push(record_id);
        }
        captured.figures.insert(revision, figure);
        captured.was_whole |= is_whole;
    }

    /// What was captured of a record.
    pub(super) fn of(&self, record_id: Uuid) -> Option<&Captured> {
        self.records.get(&record_id)
    }

    /// Which revision of the record comes next, from 1.
    pub(super) fn next_revision(&self, record_id: Uuid) -> u32 {
        let last = self.of(record_id).and_then(|captured| captured.figures.keys().next_back());
        last.map_or(1, |last| last.saturating_add(1))
    }

    /// What was captured of a group, in the order in which it was.
    pub(super) fn alike(&self, group: Uuid) -> impl Iterator<Item = (Uuid, &Captured)> {
        let ids = self.alike.get(&group).into_iter().flatten();
        ids.filter_map(|id| Some((*id, self.of(*id)?)))
    }
}

#[cfg(test)]
impl Note {
    pub(super) fn new(
        record_id: Uuid,
        group: Uuid,
        revision: u32,
        figure: Uuid,
        is_whole: bool,
    ) -> Self {
        Self { record_id, group: Some(group), revision, figure, is_whole }
    }
}
