//! The 61 bytes before a batch's records, and the checksum over what follows them.
//!
//! Only what the header says by itself is judged here; whether the records agree with it is for
//! [`decode`](super::decode()).

use super::{BatchError, HEADER_BYTES};

/// Bytes before the length field ends: the length counts what follows.
const BEFORE_LENGTH_ENDS: usize = 12;
const MAGIC: u8 = 2;
/// Where the checksum lies; it covers everything behind it.
const CRC_AT: usize = 17;
const CRC_FROM: usize = 21;

const COMPRESSION_MASK: u16 = 0b111;
const COMPRESSION_LZ4: u16 = 3;
/// `LogAppendTime`: every record was recorded at the batch's latest time.
const APPEND_TIME: u16 = 1 << 3;

/// How the records of a batch are packed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// As they are.
    #[default]
    None,
    /// One LZ4 frame with independent blocks, as Kafka's clients read it.
    Lz4,
}

/// What a batch says about itself before its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The offset that the records' deltas count from. The checksum does not cover it.
    pub base_offset: i64,
    /// Bytes of the whole batch, this header included.
    pub bytes: usize,
    /// Of the leader that appended it; 0 in what Pluvio writes. The checksum does not cover it.
    pub leader_epoch: i32,
    /// CRC-32C of what follows the field.
    pub crc: u32,
    /// How the records are packed.
    pub compression: Compression,
    /// Whether all records have the batch's latest time, whatever their deltas say.
    pub append_time: bool,
    /// The last record's offset less the base offset.
    pub last_offset_delta: i32,
    /// What the records' times count from, in milliseconds since 1970.
    pub base_timestamp: i64,
    /// The latest time of a record, in milliseconds since 1970.
    pub max_timestamp: i64,
    /// Of an idempotent producer; -1 without.
    pub producer_id: i64,
    /// Of an idempotent producer; -1 without.
    pub producer_epoch: i16,
    /// Of an idempotent producer. In what Pluvio writes, which names no producer: -1 where the batch begins a group
    /// that one sync covers, else how many of the group lie before it.
    pub base_sequence: i32,
    /// Number of records.
    pub count: i32,
}

impl Header {
    /// Whether it begins a group, or is one: whatever lies before it was synced before it was written.
    pub fn begins_group(&self) -> bool {
        self.base_sequence < 1
    }

    /// Reads the header at the beginning of `bytes`, which may end with it.
    ///
    /// # Errors
    ///
    /// [`BatchError::Incomplete`] when there are fewer than [`HEADER_BYTES`]; otherwise what cannot
    /// be true or is not read here.
    pub fn parse(bytes: &[u8]) -> Result<Self, BatchError> {
        let Some(fields) = bytes.first_chunk::<HEADER_BYTES>() else {
            return Err(BatchError::Incomplete { needed: HEADER_BYTES, have: bytes.len() });
        };
        let length = i32::from_be_bytes(at(fields, 8));
        if fields[16] != MAGIC {
            return Err(BatchError::Magic { magic: fields[16] });
        }
        let bytes = usize::try_from(length).ok().and_then(|n| n.checked_add(BEFORE_LENGTH_ENDS));
        let bytes = bytes.filter(|bytes| *bytes >= HEADER_BYTES);
        let bytes = bytes.ok_or(BatchError::Length { length })?;
        let attributes = u16::from_be_bytes(at(fields, 21));
        let header = Self {
            base_offset: i64::from_be_bytes(at(fields, 0)),
            bytes,
            leader_epoch: i32::from_be_bytes(at(fields, 12)),
            crc: u32::from_be_bytes(at(fields, CRC_AT)),
            compression: compression(attributes)?,
            append_time: attributes & APPEND_TIME != 0,
            last_offset_delta: i32::from_be_bytes(at(fields, 23)),
            base_timestamp: i64::from_be_bytes(at(fields, 27)),
            max_timestamp: i64::from_be_bytes(at(fields, 35)),
            producer_id: i64::from_be_bytes(at(fields, 43)),
            producer_epoch: i16::from_be_bytes(at(fields, 51)),
            base_sequence: i32::from_be_bytes(at(fields, 53)),
            count: i32::from_be_bytes(at(fields, 57)),
        };
        header.check()?;
        Ok(header)
    }

    /// The offset of the last record.
    pub fn last_offset(&self) -> i64 {
        // `check` saw to it that this does not overflow; the fields are public, so say it again.
        self.base_offset.saturating_add(i64::from(self.last_offset_delta))
    }

    fn check(&self) -> Result<(), BatchError> {
        let wrong = |field, value| Err(BatchError::Field { field, value });
        let delta = i64::from(self.last_offset_delta);
        if self.base_offset < 0 || self.base_offset.checked_add(delta).is_none() {
            return wrong("base offset", self.base_offset);
        }
        if delta < 0 {
            return wrong("last offset delta", delta);
        }
        let count = i64::from(self.count);
        if count < 0 || count > delta + 1 {
            return wrong("count", count);
        }
        if self.max_timestamp < self.base_timestamp && !self.append_time {
            return wrong("latest time", self.max_timestamp);
        }
        Ok(())
    }

    /// Writes the header, checksum included, over the first bytes of `batch`, whose records are
    /// there. `bytes` and `crc` are computed.
    pub(super) fn write(&self, batch: &mut [u8]) {
        let attributes = match self.compression {
            Compression::None => 0,
            Compression::Lz4 => COMPRESSION_LZ4,
        } | if self.append_time { APPEND_TIME } else { 0 };
        let length = (batch.len() - BEFORE_LENGTH_ENDS) as i32;
        put(batch, 0, self.base_offset.to_be_bytes());
        put(batch, 8, length.to_be_bytes());
        put(batch, 12, self.leader_epoch.to_be_bytes());
        batch[16] = MAGIC;
        put(batch, 21, attributes.to_be_bytes());
        put(batch, 23, self.last_offset_delta.to_be_bytes());
        put(batch, 27, self.base_timestamp.to_be_bytes());
        put(batch, 35, self.max_timestamp.to_be_bytes());
        put(batch, 43, self.producer_id.to_be_bytes());
        put(batch, 51, self.producer_epoch.to_be_bytes());
        put(batch, 53, self.base_sequence.to_be_bytes());
        put(batch, 57, self.count.to_be_bytes());
        let crc = crc32c::crc32c(&batch[CRC_FROM..]);
        put(batch, CRC_AT, crc.to_be_bytes());
    }
}

fn at<const N: usize>(fields: &[u8; HEADER_BYTES], start: usize) -> [u8; N] {
    let mut field = [0; N];
    field.copy_from_slice(&fields[start..start + N]);
    field
}

fn put<const N: usize>(batch: &mut [u8], start: usize, field: [u8; N]) {
    batch[start..start + N].copy_from_slice(&field);
}

fn compression(attributes: u16) -> Result<Compression, BatchError> {
    if attributes & !(COMPRESSION_MASK | APPEND_TIME) != 0 {
        return Err(BatchError::Attributes { attributes });
    }
    match attributes & COMPRESSION_MASK {
        0 => Ok(Compression::None),
        COMPRESSION_LZ4 => Ok(Compression::Lz4),
        code => Err(BatchError::Compression { code: code as u8 }),
    }
}

/// Checks the batch that begins with `bytes`, which may go on behind it: [`Header::bytes`] tells
/// where it ends.
///
/// # Errors
///
/// [`BatchError::Incomplete`] when the bytes end before the batch does, [`BatchError::Crc`] when they
/// are not those that were written, otherwise what [`Header::parse`] refuses.
pub fn verify(bytes: &[u8]) -> Result<Header, BatchError> {
    let header = Header::parse(bytes)?;
    let Some(batch) = bytes.get(..header.bytes) else {
        return Err(BatchError::Incomplete { needed: header.bytes, have: bytes.len() });
    };
    let computed = crc32c::crc32c(&batch[CRC_FROM..]);
    if computed != header.crc {
        return Err(BatchError::Crc { stored: header.crc, computed });
    }
    Ok(header)
}
