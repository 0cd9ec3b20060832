//! Arbitrary bytes as a record batch: refused, or records that keep every promise. Never a panic,
//! never more memory than allowed.
//!
//! Decoding does not ask for the checksum, so records are tried whatever it is; verifying is judged
//! by a checksum computed here.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use pluvio_log::batch::{self, Header};

/// Small, so that unpacking beyond it is found.
const PLAIN_BYTES_MAX: usize = 1 << 16;
const CRC_AT: usize = 17;
const CRC_FROM: usize = 21;

fuzz_target!(|bytes: &[u8]| {
    let as_they_are = batch::verify(bytes);
    let bytes = Bytes::copy_from_slice(bytes);
    let Ok(header) = Header::parse(&bytes) else {
        assert!(as_they_are.is_err());
        assert!(batch::decode(&bytes, PLAIN_BYTES_MAX).is_err());
        return;
    };
    assert!(header.bytes >= batch::HEADER_BYTES && header.last_offset() >= header.base_offset);
    let Ok(records) = batch::decode(&bytes, PLAIN_BYTES_MAX) else { return };
    assert_eq!(records.len(), header.count as usize);
    assert!(records.is_sorted_by(|one, next| one.offset < next.offset));
    assert!(records.is_sorted_by_key(|record| record.timestamp));
    let mut plain_bytes = 0;
    for record in &records {
        assert!((header.base_offset..=header.last_offset()).contains(&record.offset));
        assert!(record.timestamp <= header.max_timestamp);
        plain_bytes += record.key.as_ref().map_or(0, Bytes::len);
        plain_bytes += record.value.as_ref().map_or(0, Bytes::len);
        plain_bytes += record.headers.as_bytes().len();
        let cut =
            |(name, content): (&[u8], Option<&[u8]>)| name.len() + content.map_or(0, <[u8]>::len);
        assert!(record.headers.iter().map(cut).sum::<usize>() <= record.headers.as_bytes().len());
    }
    assert!(plain_bytes <= PLAIN_BYTES_MAX.max(header.bytes));
    // What decodes is verified once its checksum is right, and only then.
    let mut sealed = bytes[..header.bytes].to_vec();
    let crc = crc32c(&sealed[CRC_FROM..]);
    sealed[CRC_AT..CRC_FROM].copy_from_slice(&crc.to_be_bytes());
    assert!(batch::verify(&sealed).is_ok());
    assert_eq!(as_they_are.is_ok(), crc == header.crc);
});

/// Bit by bit: not the implementation that is tested.
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg());
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}
