//! Building a batch: bodies are encoded by whoever appends, the batch around them by the one writer.
//!
//! It refuses to look into a body or to give out offsets: it only puts bytes in order.

use std::ops::Range;

use bytes::Bytes;

use super::{Compression, HEADER_BYTES, Header, Packing, varint};

/// Where the parts of a body lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// The key, if there is one.
    pub key: Option<Range<usize>>,
    /// The value.
    pub value: Range<usize>,
}

/// Appends a record's body to `out`: key, value and headers, each behind its length, a missing key
/// behind -1. Returns where they lie in `out`.
pub fn body(
    out: &mut Vec<u8>,
    key: Option<&[u8]>,
    value: &[u8],
    headers: &[(&str, &[u8])],
) -> Places {
    let key = match key {
        Some(key) => Some(sized(out, key)),
        None => {
            varint::put(out, -1);
            None
        }
    };
    let value = sized(out, value);
    varint::put(out, headers.len() as i64);
    for (name, content) in headers {
        sized(out, name.as_bytes());
        sized(out, content);
    }
    Places { key, value }
}

fn sized(out: &mut Vec<u8>, bytes: &[u8]) -> Range<usize> {
    varint::put(out, bytes.len() as i64);
    out.extend_from_slice(bytes);
    out.len() - bytes.len()..out.len()
}

/// A batch being built.
#[derive(Debug)]
pub struct Builder {
    /// The header's place, then the records.
    buffer: Vec<u8>,
    base_offset: i64,
    base_timestamp: i64,
    last_offset: i64,
    last_timestamp: i64,
    count: i32,
    base_sequence: i32,
}

/// A finished batch.
#[derive(Clone, Debug)]
pub struct Built {
    /// The whole batch, as it is stored and sent.
    pub encoded: Bytes,
    /// What the ranges that [`Builder::push`] gave point into: `encoded` itself where nothing was
    /// compressed.
    pub plain: Bytes,
}

impl Builder {
    /// A batch whose first record lies at `base_offset` and was recorded at `base_timestamp`, in
    /// milliseconds since 1970.
    pub fn new(base_offset: i64, base_timestamp: i64) -> Self {
        Self::with_room(base_offset, base_timestamp, 0)
    }

    /// The same, with memory for so many bytes of records.
    pub fn with_room(base_offset: i64, base_timestamp: i64, bytes: usize) -> Self {
        let mut buffer = Vec::with_capacity(HEADER_BYTES + bytes);
        buffer.resize(HEADER_BYTES, 0);
        Self {
            buffer,
            base_offset,
            base_timestamp,
            last_offset: base_offset,
            last_timestamp: base_timestamp,
            count: 0,
            base_sequence: -1,
        }
    }

    /// Says that this is the `nth` batch behind the first of a group, from 1: one sync covers them all. It is
    /// kept as the base sequence, which means nothing where no producer is named.
    #[must_use]
    pub fn following(self, nth: i32) -> Self {
        Self { base_sequence: nth, ..self }
    }

    /// Bytes of the batch as it stands, before compression.
    pub fn len(&self) -> usize {
        self.buffer.len()
    }

    /// Whether nothing was pushed yet.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Appends a record made by [`body`]. Offsets grow, at most 2^31 - 1 above the first, and
    /// timestamps do not decrease: the caller sees to that. Returns where the body lies in
    /// [`Built::plain`].
    pub fn push(&mut self, offset: i64, timestamp: i64, body: &[u8]) -> Range<usize> {
        debug_assert!(self.is_empty() || offset > self.last_offset);
        debug_assert!(timestamp >= self.last_timestamp);
        let (offset_delta, time_delta) =
            (offset - self.base_offset, timestamp - self.base_timestamp);
        debug_assert!((0..=i64::from(i32::MAX)).contains(&offset_delta));
        let bytes = 1 + varint::bytes(time_delta) + varint::bytes(offset_delta) + body.len();
        varint::put(&mut self.buffer, bytes as i64);
        self.buffer.push(0);
        varint::put(&mut self.buffer, time_delta);
        varint::put(&mut self.buffer, offset_delta);
        let start = self.buffer.len();
        self.buffer.extend_from_slice(body);
        (self.last_offset, self.last_timestamp) = (offset, timestamp);
        self.count += 1;
        start..self.buffer.len()
    }

    /// Closes the batch. It stays plain where compressing does not make it smaller.
    pub fn finish(self, compression: Compression) -> Built {
        self.finish_with(compression, &mut Packing::default())
    }

    /// The same with the memory that packed the batch before.
    pub fn finish_with(mut self, compression: Compression, packing: &mut Packing) -> Built {
        let packed = match compression {
            Compression::None => None,
            Compression::Lz4 => packing.pack(&[0; HEADER_BYTES], &self.buffer[HEADER_BYTES..]),
        };
        if let Some(mut packed) = packed {
            self.header(Compression::Lz4).write(&mut packed);
            return Built { encoded: Bytes::from(packed), plain: Bytes::from(self.buffer) };
        }
        self.header(Compression::None).write(&mut self.buffer);
        let encoded = Bytes::from(self.buffer);
        Built { plain: encoded.clone(), encoded }
    }

    fn header(&self, compression: Compression) -> Header {
        Header {
            base_offset: self.base_offset,
            bytes: 0,
            leader_epoch: 0,
            crc: 0,
            compression,
            append_time: false,
            last_offset_delta: (self.last_offset - self.base_offset) as i32,
            base_timestamp: self.base_timestamp,
            max_timestamp: self.last_timestamp,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: self.base_sequence,
            count: self.count,
        }
    }
}
