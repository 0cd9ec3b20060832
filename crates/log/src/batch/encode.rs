//! Building a batch: bodies are encoded by whoever appends, the batch around them by the one writer.

use std::ops::Range;

use bytes::Bytes;

use super::HEADER_BYTES;

/// How the records of a batch are packed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// As they are.
    #[default]
    None,
    /// One LZ4 frame with independent blocks, as Kafka's clients read it.
    Lz4,
}

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
            varint(out, -1);
            None
        }
    };
    let value = sized(out, value);
    varint(out, headers.len() as i64);
    for (name, content) in headers {
        sized(out, name.as_bytes());
        sized(out, content);
    }
    Places { key, value }
}

fn sized(out: &mut Vec<u8>, bytes: &[u8]) -> Range<usize> {
    varint(out, bytes.len() as i64);
    out.extend_from_slice(bytes);
    out.len() - bytes.len()..out.len()
}

/// A signed number in zigzag form, seven bits a byte, the least significant first.
fn varint(out: &mut Vec<u8>, number: i64) {
    let mut rest = ((number << 1) ^ (number >> 63)) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn varint_bytes(number: i64) -> usize {
    let zigzag = ((number << 1) ^ (number >> 63)) as u64;
    (64 - zigzag.leading_zeros() as usize).div_ceil(7).max(1)
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
        Self {
            buffer: vec![0; HEADER_BYTES],
            base_offset,
            base_timestamp,
            last_offset: base_offset,
            last_timestamp: base_timestamp,
            count: 0,
        }
    }

    /// Bytes of the batch as it stands, before compression.
    pub fn len(&self) -> usize {
        self.buffer.len()
    }

    /// Whether nothing was pushed yet.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Appends a record made by [`body`]. Offsets grow and timestamps do not decrease: the caller
    /// sees to that. Returns where the body lies in [`Built::plain`].
    pub fn push(&mut self, offset: i64, timestamp: i64, body: &[u8]) -> Range<usize> {
        debug_assert!(self.is_empty() || offset > self.last_offset);
        debug_assert!(timestamp >= self.last_timestamp);
        let (offset_delta, time_delta) =
            (offset - self.base_offset, timestamp - self.base_timestamp);
        let bytes = 1 + varint_bytes(time_delta) + varint_bytes(offset_delta) + body.len();
        varint(&mut self.buffer, bytes as i64);
        self.buffer.push(0);
        varint(&mut self.buffer, time_delta);
        varint(&mut self.buffer, offset_delta);
        let start = self.buffer.len();
        self.buffer.extend_from_slice(body);
        (self.last_offset, self.last_timestamp) = (offset, timestamp);
        self.count += 1;
        start..self.buffer.len()
    }

    /// Closes the batch.
    pub fn finish(mut self, _compression: Compression) -> Built {
        header(
            &mut self.buffer,
            self.base_offset,
            self.base_timestamp,
            Last { offset: self.last_offset, timestamp: self.last_timestamp, count: self.count },
        );
        let encoded = Bytes::from(self.buffer);
        Built { plain: encoded.clone(), encoded }
    }
}

struct Last {
    offset: i64,
    timestamp: i64,
    count: i32,
}

fn header(buffer: &mut [u8], base_offset: i64, base_timestamp: i64, last: Last) {
    let mut fields = Vec::with_capacity(HEADER_BYTES);
    fields.extend_from_slice(&base_offset.to_be_bytes());
    fields.extend_from_slice(&((buffer.len() - 12) as i32).to_be_bytes());
    fields.extend_from_slice(&0_i32.to_be_bytes()); // leader epoch
    fields.push(2); // magic
    fields.extend_from_slice(&[0; 4]); // CRC, below
    fields.extend_from_slice(&0_i16.to_be_bytes()); // attributes
    fields.extend_from_slice(&((last.offset - base_offset) as i32).to_be_bytes());
    fields.extend_from_slice(&base_timestamp.to_be_bytes());
    fields.extend_from_slice(&last.timestamp.to_be_bytes());
    fields.extend_from_slice(&(-1_i64).to_be_bytes()); // producer id
    fields.extend_from_slice(&(-1_i16).to_be_bytes()); // producer epoch
    fields.extend_from_slice(&(-1_i32).to_be_bytes()); // base sequence
    fields.extend_from_slice(&last.count.to_be_bytes());
    buffer[..HEADER_BYTES].copy_from_slice(&fields);
    let crc = crc32c::crc32c(&buffer[21..]);
    buffer[17..21].copy_from_slice(&crc.to_be_bytes());
}
