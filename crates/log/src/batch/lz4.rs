//! Records packed as one LZ4 frame, as Kafka's clients write and read it.
//!
//! The Java client refuses blocks that depend on the ones before them, and so does this: a batch
//! that half of the clients cannot read is not passed on. Legacy and skippable frames are refused.

use std::{
    fmt,
    io::{BufRead as _, Write as _},
};

use lz4_flex::frame::{BlockMode, FrameDecoder, FrameEncoder, FrameInfo};

use super::BatchError;

const MAGIC: [u8; 4] = 0x184D_2204_u32.to_le_bytes();
/// The bit of a frame's first flag byte that says that its blocks stand alone.
const INDEPENDENT: u8 = 1 << 5;
/// What a frame unpacks to at first guess, in multiples of its size: events are repetitive text.
const RATIO_EXPECTED: usize = 4;

/// Packs one after the other, each into a frame of its own; what that takes of memory is used again.
#[derive(Default)]
pub struct Packing(Option<FrameEncoder<Vec<u8>>>);

impl Packing {
    /// Appends `plain`, packed, to `head`; `None` when that is not shorter than `plain` was.
    pub(super) fn pack(&mut self, head: &[u8], plain: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(head.len() + plain.len() / 2);
        out.extend_from_slice(head);
        let encoder = self.0.get_or_insert_with(|| {
            let info = FrameInfo::new().block_mode(BlockMode::Independent);
            FrameEncoder::with_frame_info(info, Vec::new())
        });
        *encoder.get_mut() = out;
        encoder.write_all(plain).ok()?;
        encoder.try_finish().ok()?;
        let packed = std::mem::take(encoder.get_mut());
        (packed.len() < head.len() + plain.len()).then_some(packed)
    }
}

impl fmt::Debug for Packing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Packing").field(&self.0.is_some()).finish()
    }
}

/// Unpacks the one frame that `packed` is, to at most `bytes_max`. Besides that, two blocks of at
/// most 4 MiB are allocated, whatever the frame says.
pub(super) fn unpack(packed: &[u8], bytes_max: usize) -> Result<Vec<u8>, BatchError> {
    if !packed.starts_with(&MAGIC) {
        return Err(BatchError::Frame { what: "no magic" });
    }
    if packed.get(MAGIC.len()).is_none_or(|flags| flags & INDEPENDENT == 0) {
        return Err(BatchError::Frame { what: "blocks that depend on each other" });
    }
    let mut plain = Vec::with_capacity(packed.len().saturating_mul(RATIO_EXPECTED).min(bytes_max));
    let mut decoder = FrameDecoder::new(packed);
    loop {
        let piece = decoder.fill_buf().map_err(BatchError::Unpack)?;
        if piece.is_empty() {
            break;
        }
        let (needed, taken) = (plain.len() + piece.len(), piece.len());
        if needed > bytes_max {
            return Err(BatchError::TooLarge { bytes_max });
        }
        if needed > plain.capacity() {
            let doubled = plain.capacity().saturating_mul(2).min(bytes_max);
            plain.reserve_exact(doubled.max(needed) - plain.len());
        }
        plain.extend_from_slice(piece);
        decoder.consume(taken);
    }
    if !decoder.into_inner().is_empty() {
        return Err(BatchError::Frame { what: "bytes behind its end" });
    }
    Ok(plain)
}
