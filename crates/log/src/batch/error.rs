//! What is wrong with the bytes of a batch.
//!
//! It says what, never what follows from it: whether a tail is cut or a segment refused is for
//! whoever knows where the bytes came from.

use std::io;

/// Bytes that are no batch that this release reads.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// The bytes end before the batch does: at the end of a file, what a crash left.
    #[error("the batch is incomplete: {have} of {needed} bytes")]
    Incomplete {
        /// Bytes of the header, or of the batch where its header is there.
        needed: usize,
        /// Bytes that are there.
        have: usize,
    },
    /// Not a record batch, or one of an older kind.
    #[error("the batch has magic {magic}, expected 2")]
    Magic {
        /// What stands where the magic should.
        magic: u8,
    },
    /// A length that no batch has.
    #[error("the batch claims a length of {length}")]
    Length {
        /// The length field: bytes after the field itself.
        length: i32,
    },
    /// An offset, a count or a time in the header that cannot be.
    #[error("the batch claims {value} as its {field}")]
    Field {
        /// Which field.
        field: &'static str,
        /// What it says.
        value: i64,
    },
    /// The bytes were changed since they were written.
    #[error("the batch has checksum {stored:08x}, its bytes have {computed:08x}")]
    Crc {
        /// What the header says.
        stored: u32,
        /// What the bytes have.
        computed: u32,
    },
    /// Records packed in a way that this release does not read.
    #[error("the batch has compression {code}; valid: 0 (none), 3 (lz4)")]
    Compression {
        /// The code in the batch's attributes.
        code: u8,
    },
    /// A transactional or control batch, or attributes that nobody has defined.
    #[error(
        "the batch has attributes {attributes:#06x}: transactions and control batches are not read"
    )]
    Attributes {
        /// The attributes as they stand in the header.
        attributes: u16,
    },
    /// The LZ4 frame is of a kind that Kafka's clients do not read, or has bytes behind it.
    #[error("the batch's lz4 frame has {what}")]
    Frame {
        /// What is wrong with it.
        what: &'static str,
    },
    /// The records could not be unpacked.
    #[error("failed to unpack the batch")]
    Unpack(#[source] io::Error),
    /// The records are larger than whoever decodes allows.
    #[error("the batch's records unpack to more than {bytes_max} bytes")]
    TooLarge {
        /// The limit.
        bytes_max: usize,
    },
    /// A record that is cut or does not add up.
    #[error("record {index} of the batch has {what}")]
    Record {
        /// Which record, from 0.
        index: usize,
        /// What is wrong with it.
        what: &'static str,
    },
    /// An offset that is not above the one before it, or not within the batch.
    #[error("record {index} of the batch has offset {offset}, out of order or range")]
    Offset {
        /// Which record, from 0.
        index: usize,
        /// Its offset.
        offset: i64,
    },
    /// A time before that of the record before it, or after the batch's latest.
    #[error("record {index} of the batch has time {timestamp} ms, out of order or range")]
    Timestamp {
        /// Which record, from 0.
        index: usize,
        /// Its time in milliseconds since 1970.
        timestamp: i64,
    },
    /// More or fewer records than the header says.
    #[error("the batch claims {count} records, which its bytes do not hold")]
    Count {
        /// What the header says.
        count: i32,
    },
}

impl BatchError {
    /// Whether the bytes may be the beginning of a batch that was not written to its end.
    pub fn is_incomplete(&self) -> bool {
        matches!(self, Self::Incomplete { .. })
    }
}
