//! Records as pieces: keys, headers, bodies, and the batch around them.
//!
//! An event in the structured form is not parsed: what the log stores is spliced and copied. An event
//! without data has an empty value, never a null one, which would delete its key from a compacted
//! topic.
//!
//! It refuses to choose a partition, and batches that no broker takes by default.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use bytes::Bytes;
use jiff::Timestamp;
use pluvio_event::json;
use pluvio_log::{
    Offset,
    batch::{self, Builder, Compression},
};
use pluvio_runtime::Delivered;

use super::lane::{Memory, Piece, TopicPartition};
use crate::outbound::message::{MessageFormat, NO_EVENT};

/// A piece is closed before it grows beyond this, if more than one record is in it: brokers take
/// batches of 1,048,588 bytes by default.
pub(super) const PIECE_BYTES_MAX: usize = 1_000_000;
/// What a record's own fields have at most, before its body.
const RECORD_BYTES: usize = 24;
/// The first records of a piece need this; it grows.
const PIECE_BYTES_MIN: usize = 16 << 10;

const CONTENT_TYPE: &str = "content-type";

/// Puts records into pieces.
pub(super) struct Encoder<'a> {
    format: MessageFormat,
    compression: Compression,
    /// What pieces of a place may have, where that is less than by default.
    limits: &'a HashMap<TopicPartition, usize>,
    drafts: BTreeMap<TopicPartition, Draft>,
    /// When the last record was recorded, and how that is written: most of a batch share it.
    recorded: (Timestamp, String),
    value: Vec<u8>,
    body: Vec<u8>,
}

struct Draft {
    builder: Builder,
    offsets: Vec<Offset>,
    largest: usize,
    latest: i64,
}

impl<'a> Encoder<'a> {
    pub(super) fn new(
        format: MessageFormat,
        compression: Compression,
        limits: &'a HashMap<TopicPartition, usize>,
    ) -> Self {
        Self {
            format,
            compression,
            limits,
            drafts: BTreeMap::new(),
            recorded: (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH.to_string()),
            value: Vec::new(),
            body: Vec::new(),
        }
    }

    /// Puts a record behind all others of its place; or says why it never will be one.
    pub(super) fn push(
        &mut self,
        topic: &Arc<str>,
        partition: i32,
        record: &Delivered,
        memory: &mut Memory,
    ) -> Result<(), String> {
        self.encode(record)?;
        let place = TopicPartition { topic: Arc::clone(topic), partition };
        let bytes_max = self.limits.get(&place).copied().unwrap_or(PIECE_BYTES_MAX);
        let bytes = self.body.len() + RECORD_BYTES;
        let is_full = |draft: &Draft| draft.builder.len() + bytes > bytes_max;
        if self.drafts.get(&place).is_some_and(is_full)
            && let Some(draft) = self.drafts.remove(&place)
        {
            memory.push(place.clone(), draft.finish(self.compression));
        }
        let millis = record.recorded().as_millisecond();
        let draft = self.drafts.entry(place).or_insert_with(|| Draft {
            builder: Builder::with_room(0, millis, PIECE_BYTES_MIN),
            offsets: Vec::new(),
            largest: 0,
            latest: millis,
        });
        // A gap's event is made later than the records behind it were.
        draft.latest = draft.latest.max(millis);
        draft.builder.push(draft.offsets.len() as i64, draft.latest, &self.body);
        draft.offsets.push(record.offset());
        draft.largest = draft.largest.max(bytes);
        Ok(())
    }

    /// Closes what is open.
    pub(super) fn finish(self, memory: &mut Memory) {
        for (place, draft) in self.drafts {
            memory.push(place, draft.finish(self.compression));
        }
    }

    fn encode(&mut self, record: &Delivered) -> Result<(), String> {
        self.body.clear();
        if self.format == MessageFormat::Cloudevents {
            let key = record.key().map(Bytes::as_ref);
            if !record.is_event() {
                return Err(NO_EVENT.to_owned());
            }
            if self.recorded.0 != record.recorded() {
                self.recorded = (record.recorded(), record.recorded().to_string());
            }
            self.value.clear();
            let sequence = record.offset().get().unsigned_abs();
            json::splice(record.stored(), sequence, &self.recorded.1, &mut self.value);
            let headers = [(CONTENT_TYPE, json::MEDIA_TYPE.as_bytes())];
            batch::body(&mut self.body, key, &self.value, &headers);
            return Ok(());
        }
        let message = self.format.message(record)?;
        let named = |(name, value): &(String, _)| (format!("ce_{name}"), format!("{value}"));
        let mut named: Vec<(String, String)> = message.attributes.iter().map(named).collect();
        named.extend(message.content_type.map(|media_type| (CONTENT_TYPE.to_owned(), media_type)));
        let headers: Vec<(&str, &[u8])> =
            named.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        batch::body(&mut self.body, message.key.as_deref(), &message.body, &headers);
        Ok(())
    }
}

impl Draft {
    fn finish(self, compression: Compression) -> Piece {
        // What was there before compression is not needed any more.
        let encoded = self.builder.finish(compression).encoded;
        Piece { offsets: self.offsets, batch: encoded, largest: self.largest }
    }
}
