//! The answer to a fetch, written by hand around batches that are not copied.
//!
//! A dozen fields in twelve versions. Everything that a follower, a replica nearby or a transaction
//! would need is absent or empty.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::ResponseError;
use pluvio_log::{Extent, StreamName};

use super::{Outcome, Wanted};
use crate::kafka::topics::PARTITION;

/// No offset, no replica.
const NONE_I64: i64 = -1;
const NONE_I32: i32 = -1;

/// The answer to a request that cannot be served as a whole. Versions without room for it have no
/// sessions either.
pub(super) fn refused(error: ResponseError, version: i16) -> Vec<Bytes> {
    let mut writer = Writer::new(version);
    writer.begin(error.code());
    writer.count(0);
    writer.tags();
    writer.finish()
}

/// The answer, partition for partition.
pub(super) fn answer(
    request: &Wanted,
    outcomes: Vec<Outcome>,
    extent: impl Fn(&StreamName) -> Option<Extent>,
    version: i16,
) -> Vec<Bytes> {
    let mut writer = Writer::new(version);
    let mut outcomes = outcomes.into_iter();
    writer.begin(0);
    writer.count(request.topics.len());
    for topic in &request.topics {
        if version >= 13 {
            writer.head.put_slice(topic.id.as_bytes());
        } else {
            writer.text(topic.name.as_bytes());
        }
        writer.count(topic.partitions.len());
        for (wanted, outcome) in topic.partitions.iter().zip(&mut outcomes) {
            let outcome = outcome.and_then(|part| match extent(&part.stream) {
                Some(extent) => Ok((extent, part.pieces)),
                None => Err(ResponseError::UnknownTopicOrPartition),
            });
            debug_assert!(wanted.index == PARTITION || outcome.is_err());
            writer.partition(wanted.index, outcome);
        }
        writer.tags();
    }
    writer.tags();
    writer.finish()
}

struct Writer {
    version: i16,
    done: Vec<Bytes>,
    head: BytesMut,
}

impl Writer {
    fn new(version: i16) -> Self {
        Self { version, done: Vec::new(), head: BytesMut::with_capacity(256) }
    }

    fn is_flexible(&self) -> bool {
        self.version >= 12
    }

    fn begin(&mut self, error: i16) {
        // No throttling.
        self.head.put_i32(0);
        if self.version >= 7 {
            self.head.put_i16(error);
            // No session.
            self.head.put_i32(0);
        }
    }

    fn partition(&mut self, index: i32, outcome: Result<(Extent, Vec<Bytes>), ResponseError>) {
        let (error, ends, start, pieces) = match outcome {
            Ok((extent, pieces)) => (0, extent.next.get(), extent.start.get(), pieces),
            Err(error) => (error.code(), NONE_I64, NONE_I64, Vec::new()),
        };
        self.head.put_i32(index);
        self.head.put_i16(error);
        // High watermark and last stable offset: nothing is under way between them.
        self.head.put_i64(ends);
        self.head.put_i64(ends);
        if self.version >= 5 {
            self.head.put_i64(start);
        }
        self.no_list();
        if self.version >= 11 {
            self.head.put_i32(NONE_I32);
        }
        let bytes: usize = pieces.iter().map(Bytes::len).sum();
        if self.is_flexible() {
            self.varint(bytes + 1);
        } else {
            self.head.put_i32(i32::try_from(bytes).unwrap_or(i32::MAX));
        }
        if !pieces.is_empty() {
            self.done.push(self.head.split().freeze());
            self.done.extend(pieces);
        }
        self.tags();
    }

    fn text(&mut self, text: &[u8]) {
        if self.is_flexible() {
            self.varint(text.len() + 1);
        } else {
            self.head.put_i16(i16::try_from(text.len()).unwrap_or(i16::MAX));
        }
        self.head.put_slice(text);
    }

    fn count(&mut self, count: usize) {
        if self.is_flexible() {
            self.varint(count + 1);
        } else {
            self.head.put_i32(i32::try_from(count).unwrap_or(i32::MAX));
        }
    }

    /// Aborted transactions: there are none to tell of.
    fn no_list(&mut self) {
        if self.is_flexible() { self.varint(0) } else { self.head.put_i32(NONE_I32) }
    }

    fn tags(&mut self) {
        if self.is_flexible() {
            self.head.put_u8(0);
        }
    }

    fn varint(&mut self, mut value: usize) {
        while value >= 0x80 {
            self.head.put_u8(value as u8 | 0x80);
            value >>= 7;
        }
        self.head.put_u8(value as u8);
    }

    fn finish(mut self) -> Vec<Bytes> {
        if !self.head.is_empty() {
            self.done.push(self.head.freeze());
        }
        self.done
    }
}
