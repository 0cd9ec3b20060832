//! A batch written down byte by byte from the protocol guide, its checksum computed bit by bit
//! elsewhere. It changes only if the format does.

use bytes::Bytes;
use pluvio_log::batch::{self, Builder, Compression};

use crate::sample::read;

/// Offsets 44 and 47, times 1,700,000,000,000 and 300 ms later.
#[rustfmt::skip]
const KNOWN: [u8; 86] = [
    0, 0, 0, 0, 0, 0, 0, 44,                        // base offset
    0, 0, 0, 74,                                    // length of what follows
    0, 0, 0, 0,                                     // leader epoch
    2,                                              // magic
    0xbc, 0x7e, 0x02, 0x10,                         // CRC-32C of what follows
    0, 0,                                           // attributes
    0, 0, 0, 3,                                     // last offset delta
    0, 0, 0x01, 0x8b, 0xcf, 0xe5, 0x68, 0,          // base timestamp
    0, 0, 0x01, 0x8b, 0xcf, 0xe5, 0x69, 0x2c,       // max timestamp
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, // producer id
    0xff, 0xff,                                     // producer epoch
    0xff, 0xff, 0xff, 0xff,                         // base sequence
    0, 0, 0, 2,                                     // records
    26, 0, 0, 0, 2, b'k', 4, b'v', b'1', 2, 2, b'h', 2, b'x',
    20, 0, 0xd8, 0x04, 6, 1, 0, 2, 2, b'n', 1,
];

#[test]
fn known_bytes_are_read() {
    let records = read(&Bytes::from_static(&KNOWN));
    assert_eq!(records.len(), 2);
    assert_eq!((records[0].offset, records[0].timestamp), (44, 1_700_000_000_000));
    assert_eq!(records[0].key.as_deref(), Some(&b"k"[..]));
    assert_eq!(records[0].value.as_deref(), Some(&b"v1"[..]));
    assert_eq!(records[0].headers["h"].as_deref(), Some(&b"x"[..]));
    assert_eq!((records[1].offset, records[1].timestamp), (47, 1_700_000_000_300));
    assert_eq!(records[1].key, None);
    assert_eq!(records[1].value.as_deref(), Some(&b""[..]));
    assert_eq!(records[1].headers["n"], None);
}

#[test]
fn known_bytes_are_written() {
    let mut builder = Builder::new(44, 1_700_000_000_000);
    let mut body = Vec::new();
    batch::body(&mut body, Some(b"k"), b"v1", &[("h", b"x")]);
    builder.push(44, 1_700_000_000_000, &body);
    // A null header is what only others write.
    builder.push(47, 1_700_000_000_300, &[1, 0, 2, 2, b'n', 1]);
    assert_eq!(builder.finish(Compression::None).encoded[..], KNOWN);
}

#[test]
fn the_header_says_what_was_written_down() {
    let header = batch::Header::parse(&KNOWN[..batch::HEADER_BYTES]).unwrap();
    assert_eq!((header.base_offset, header.last_offset()), (44, 47));
    assert_eq!((header.bytes, header.count), (KNOWN.len(), 2));
    assert_eq!((header.producer_id, header.producer_epoch, header.base_sequence), (-1, -1, -1));
    assert_eq!(header.crc, 0xbc7e_0210);
}
