//! An event on its way out: the stored bytes, decoded only if somebody looks inside.

use std::sync::OnceLock;

use bytes::Bytes;
use jiff::Timestamp;
use pluvio_event::{AttributeName, Event, json};
use pluvio_log::{Offset, StoredRecord};

/// A record on its way out.
#[derive(Debug)]
pub struct Delivered {
    offset: Offset,
    /// Of a gap: the first offset that it stands for. `None`: it is a record of the stream.
    gap_from: Option<Offset>,
    recorded: Timestamp,
    key: Option<Bytes>,
    value: Bytes,
    /// `None`: the bytes are no event. Boxed: most are never decoded, and all are moved.
    event: OnceLock<Option<Box<Event>>>,
}

impl Delivered {
    /// A record as it was read; shares its bytes.
    pub fn new(record: StoredRecord) -> Self {
        let StoredRecord { offset, recorded, key, value } = record;
        Self { offset, gap_from: None, recorded, key, value, event: OnceLock::new() }
    }

    /// An event that lies in no stream but has a place in it: a gap, of all from `begins` to `offset`.
    pub(crate) fn made(begins: Offset, offset: Offset, recorded: Timestamp, event: &Event) -> Self {
        Self {
            offset,
            gap_from: Some(begins),
            recorded,
            key: None,
            value: json::to_vec(event).into(),
            event: OnceLock::new(),
        }
    }

    /// Where whoever has not got it stands: at its place, or where a gap begins.
    pub(crate) fn begins(&self) -> Offset {
        self.gap_from.unwrap_or(self.offset)
    }

    /// Whether it stands for records that are gone. The last of them had its offset, so that the offset alone
    /// does not tell the two apart.
    pub(crate) fn is_gap(&self) -> bool {
        self.gap_from.is_some()
    }

    /// Its place in the stream.
    pub fn offset(&self) -> Offset {
        self.offset
    }

    /// When it was appended, by our clock.
    pub fn recorded(&self) -> Timestamp {
        self.recorded
    }

    /// The event's subject as bytes, for targets that partition.
    pub fn key(&self) -> Option<&Bytes> {
        self.key.as_ref()
    }

    /// The event in structured JSON, exactly as it is stored: without `sequence`.
    pub fn stored(&self) -> &Bytes {
        &self.value
    }

    /// The event, decoded at the first call; `None` for a record that is none, which a sink that
    /// needs one rejects.
    pub fn event(&self) -> Option<&Event> {
        self.event.get_or_init(|| json::decode(&self.value).ok().map(Box::new)).as_deref()
    }

    /// Whether it is an event: without parsing what our own sources wrote.
    pub fn is_event(&self) -> bool {
        json::is_encoded(&self.value) || self.event().is_some()
    }

    /// The event with its place as `sequence` and `recordedtime`, as [`json::splice`] adds them: for
    /// bindings that put attributes elsewhere than into JSON.
    pub fn placed(&self) -> Option<Event> {
        const SEQUENCE: AttributeName = AttributeName::literal("sequence");
        const RECORDED: AttributeName = AttributeName::literal("recordedtime");
        let event = self.event()?.clone();
        let event = event.with_extension(SEQUENCE, format!("{:020}", self.offset.get()));
        Some(event.with_extension(RECORDED, self.recorded.to_string()))
    }
}
