//! Kafka's record batch, magic 2, byte for byte: the unit that is written, checked, shared and sent.
//!
//! ```text
//!  ┌────────── 61 bytes of header ──────────┬─────────── records, lz4 as a whole or plain ────────┐
//!  │ base offset · length · epoch · magic 2 │ length · attributes · Δtime · Δoffset · body        │
//!  │ CRC-32C ▸ attributes · last Δ · times  │                              └ key · value · headers│
//!  │ producer (none) · count                │                                                     │
//!  └────────────────────────────────────────┴─────────────────────────────────────────────────────┘
//! ```
//!
//! Why this format: a Kafka client reads a segment's bytes as they lie there, so nothing is encoded
//! twice and the format is proven by clients that we did not write (Kafka protocol guide, "Record
//! Batch"). The CRC does not cover the base offset; whoever reads compares it with an index.
//!
//! ```text
//!  Header::parse   61 bytes   where the batch ends, what it claims
//!  verify          all        nothing was changed since it was written
//!  decode          all        its records, as slices
//! ```
//!
//! What it refuses: the older message sets, transactions, control batches, gzip, snappy and zstd.
//! Pure functions on bytes: no I/O, no clock. Bytes from a disk may be hostile: nothing here panics,
//! and nothing allocates beyond the limit it is given.

mod decode;
mod encode;
mod error;
mod header;
mod lz4;
mod varint;

pub use decode::{Decoded, HeaderIter, Headers, decode};
pub use encode::{Builder, Built, Places, body};
pub use error::BatchError;
pub use header::{Compression, Header, verify};
pub use lz4::Packing;

/// Bytes of a batch before its records.
pub const HEADER_BYTES: usize = 61;
/// Largest batch in bytes, header included, that is written: 1 MiB, as Kafka takes by default.
/// A single record that is larger has a batch of its own.
pub const BATCH_BYTES_MAX: usize = 1 << 20;
