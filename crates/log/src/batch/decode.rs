//! The records of a batch, as slices of its bytes, or of the one buffer they were unpacked into.
//!
//! Nothing that the bytes claim is believed before it was counted: a record takes at least seven
//! bytes, so a header's count reserves no more than its bytes could hold. Whether the bytes are
//! those that were written is [`verify`](super::verify)'s question and not asked again.

use std::fmt;

use bytes::Bytes;

use super::{BatchError, Compression, HEADER_BYTES, Header, lz4, varint};

/// Length, attributes, two deltas, no key, no value, no headers: one byte each.
const RECORD_BYTES_MIN: usize = 7;

/// A record as it lies in a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// Its place in the stream.
    pub offset: i64,
    /// When it was recorded, in milliseconds since 1970.
    pub timestamp: i64,
    /// The key, if there is one.
    pub key: Option<Bytes>,
    /// The value, if there is one.
    pub value: Option<Bytes>,
    /// What is said beside the value.
    pub headers: Headers,
}

/// A record's headers, as they lie in the batch: checked when the record was decoded, cut when asked
/// for.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(Bytes);

impl Headers {
    /// The names and contents, in order; a name may come more than once.
    pub fn iter(&self) -> HeaderIter<'_> {
        HeaderIter(&self.0)
    }

    /// The content of the first header of that name, unless it is null.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|(found, _)| *found == name.as_bytes())?.1
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The headers as they are encoded, without their number.
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |(name, content): (&[u8], Option<&[u8]>)| {
            (name.escape_ascii().to_string(), content.map(|it| it.escape_ascii().to_string()))
        };
        f.debug_map().entries(self.iter().map(shown)).finish()
    }
}

impl<'a> IntoIterator for &'a Headers {
    type Item = (&'a [u8], Option<&'a [u8]>);
    type IntoIter = HeaderIter<'a>;

    fn into_iter(self) -> HeaderIter<'a> {
        self.iter()
    }
}

/// Names and contents.
#[derive(Clone, Debug)]
pub struct HeaderIter<'a>(&'a [u8]);

impl<'a> Iterator for HeaderIter<'a> {
    type Item = (&'a [u8], Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        // What is there was cut once without a fault, so `None` means the end.
        take_header(&mut self.0)
    }
}

/// The records of the batch that begins with `batch`, in order. Its checksum is not looked at.
///
/// `plain_bytes_max` limits what packed records are unpacked to. Beyond that one buffer, memory goes
/// to two LZ4 blocks of at most 4 MiB while unpacking, and to one [`Decoded`] for every seven bytes
/// of records at most.
///
/// # Errors
///
/// [`BatchError::Incomplete`] when the bytes end before the batch does; what [`Header::parse`]
/// refuses; otherwise the first record that cannot be.
pub fn decode(batch: &Bytes, plain_bytes_max: usize) -> Result<Vec<Decoded>, BatchError> {
    let header = Header::parse(batch)?;
    if batch.len() < header.bytes {
        return Err(BatchError::Incomplete { needed: header.bytes, have: batch.len() });
    }
    let plain = match header.compression {
        Compression::None => batch.slice(HEADER_BYTES..header.bytes),
        Compression::Lz4 => {
            Bytes::from(lz4::unpack(&batch[HEADER_BYTES..header.bytes], plain_bytes_max)?)
        }
    };
    let count = usize::try_from(header.count).ok();
    let count = count.filter(|count| *count <= plain.len() / RECORD_BYTES_MIN);
    let count = count.ok_or(BatchError::Count { count: header.count })?;
    let mut records = Vec::with_capacity(count);
    let (mut rest, mut order) = (&plain[..], Order::new(&header));
    for index in 0..count {
        let (record, deltas) = record(&plain, &mut rest, index)?;
        let (offset, timestamp) = order.next(index, &deltas)?;
        records.push(Decoded { offset, timestamp, ..record });
    }
    if !rest.is_empty() {
        return Err(BatchError::Count { count: header.count });
    }
    Ok(records)
}

/// What a record's place and time are told by.
struct Deltas {
    time: i64,
    offset: i32,
}

/// Cuts the record at the front of `rest`, which is the end of `plain`. Its offset and time are yet
/// to be set.
fn record(plain: &Bytes, rest: &mut &[u8], index: usize) -> Result<(Decoded, Deltas), BatchError> {
    let wrong = |what| BatchError::Record { index, what };
    let length = varint::take_i32(rest).ok_or_else(|| wrong("no length"))?;
    let length = usize::try_from(length).ok().filter(|length| *length <= rest.len());
    let length = length.ok_or_else(|| wrong("a length beyond the batch"))?;
    let (mut body, after) = rest.split_at(length);
    *rest = after;
    // The record's attributes mean nothing so far.
    body = body.get(1..).ok_or_else(|| wrong("no attributes"))?;
    let time = varint::take(&mut body).ok_or_else(|| wrong("no time"))?;
    let offset = varint::take_i32(&mut body).ok_or_else(|| wrong("no offset"))?;
    let key = take_sized(&mut body).ok_or_else(|| wrong("a key that is cut"))?;
    let value = take_sized(&mut body).ok_or_else(|| wrong("a value that is cut"))?;
    let count = varint::take_i32(&mut body).filter(|count| *count >= 0);
    let count = count.ok_or_else(|| wrong("no number of headers"))?;
    let headers = body;
    for _ in 0..count {
        take_header(&mut body).ok_or_else(|| wrong("a header that is cut"))?;
    }
    if !body.is_empty() {
        return Err(wrong("bytes behind its headers"));
    }
    let slice = |part: &[u8]| if part.is_empty() { Bytes::new() } else { plain.slice_ref(part) };
    let record = Decoded {
        offset: 0,
        timestamp: 0,
        key: key.map(slice),
        value: value.map(slice),
        headers: Headers(slice(headers)),
    };
    Ok((record, Deltas { time, offset }))
}

/// Bytes behind their length; `Some(None)` where the length is -1.
#[inline]
fn take_sized<'a>(bytes: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    let length = varint::take_i32(bytes)?;
    if length == -1 {
        return Some(None);
    }
    let (taken, rest) = bytes.split_at_checked(usize::try_from(length).ok()?)?;
    *bytes = rest;
    Some(Some(taken))
}

#[inline]
fn take_header<'a>(bytes: &mut &'a [u8]) -> Option<(&'a [u8], Option<&'a [u8]>)> {
    let name = take_sized(bytes)??;
    Some((name, take_sized(bytes)?))
}

/// Offsets grow and times do not decrease, within what the header says.
struct Order<'a> {
    header: &'a Header,
    last_delta: i32,
    last_time: i64,
}

impl<'a> Order<'a> {
    fn new(header: &'a Header) -> Self {
        Self { header, last_delta: -1, last_time: i64::MIN }
    }

    fn next(&mut self, index: usize, deltas: &Deltas) -> Result<(i64, i64), BatchError> {
        let Deltas { time, offset: delta } = *deltas;
        let offset = self.header.base_offset.saturating_add(i64::from(delta));
        if delta <= self.last_delta || delta > self.header.last_offset_delta {
            return Err(BatchError::Offset { index, offset });
        }
        self.last_delta = delta;
        if self.header.append_time {
            return Ok((offset, self.header.max_timestamp));
        }
        let timestamp = self.header.base_timestamp.saturating_add(time);
        if timestamp < self.last_time || timestamp > self.header.max_timestamp {
            return Err(BatchError::Timestamp { index, timestamp });
        }
        self.last_time = timestamp;
        Ok((offset, timestamp))
    }
}
