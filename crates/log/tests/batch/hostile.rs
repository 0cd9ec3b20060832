//! Bytes that were cut, changed or forged.

use bytes::Bytes;
use pluvio_log::batch::{self, BatchError, Builder, Compression, HEADER_BYTES, Header};
use proptest::prelude::*;

use crate::sample::{build, compression, forged, ours};

/// What the checksum does not cover: the base offset and the leader epoch.
fn is_unchecked(at: usize) -> bool {
    matches!(at, 0..8 | 12..16)
}

proptest! {
    // Every byte of every batch is changed: few batches are many cases.
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn any_change_of_a_byte_is_seen(
        samples in ours(),
        compression in compression(),
        xor in 1_u8..=255,
    ) {
        let batch = build(&samples, compression).encoded.to_vec();
        for at in (0..batch.len()).filter(|at| !is_unchecked(*at)) {
            let mut changed = batch.clone();
            changed[at] ^= xor;
            prop_assert!(batch::verify(&changed).is_err(), "byte {at}");
            // Whoever does not verify gets an error or records, never a panic.
            let _ = batch::decode(&Bytes::from(changed), 1 << 20);
        }
    }

}

proptest! {
    #[test]
    fn any_cut_is_told_from_wrong_bytes(samples in ours(), compression in compression()) {
        let batch = build(&samples, compression).encoded;
        for end in 0..batch.len() {
            let torn = batch::verify(&batch[..end]).unwrap_err();
            prop_assert!(torn.is_incomplete());
            prop_assert!(batch::decode(&batch.slice(..end), 1 << 20).unwrap_err().is_incomplete());
        }
    }

    #[test]
    fn what_lies_behind_a_batch_does_not_matter(
        samples in ours(),
        compression in compression(),
        behind in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        let batch = build(&samples, compression).encoded;
        let longer = Bytes::from([&batch[..], &behind].concat());
        prop_assert_eq!(batch::verify(&longer).unwrap().bytes, batch.len());
        let both = (batch::decode(&batch, 1 << 20).unwrap(), batch::decode(&longer, 1 << 20).unwrap());
        prop_assert_eq!(both.0, both.1);
    }

    #[test]
    fn forged_records_are_refused_or_in_order(
        samples in ours(),
        compression in compression(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut batch = build(&samples, compression).encoded;
        for (at, byte) in changes {
            batch = forged(&batch, 21 + at.index(batch.len() - 21), &[byte]);
        }
        let Ok(header) = batch::verify(&batch) else { return Ok(()) };
        let Ok(records) = batch::decode(&batch, 1 << 20) else { return Ok(()) };
        prop_assert_eq!(records.len(), header.count as usize);
        prop_assert!(records.is_sorted_by(|one, next| one.offset < next.offset));
        prop_assert!(records.is_sorted_by_key(|record| record.timestamp));
        prop_assert!(records.iter().all(|record| record.offset <= header.last_offset()));
        prop_assert!(records.iter().all(|record| record.timestamp <= header.max_timestamp));
    }

    #[test]
    fn arbitrary_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(batch::verify(&bytes).is_err());
    }
}

fn two() -> Bytes {
    let mut body = Vec::new();
    batch::body(&mut body, None, &[b'a'; 200], &[]);
    let mut builder = Builder::new(10, 1000);
    builder.push(10, 1000, &body);
    builder.push(12, 1005, &body);
    builder.finish(Compression::None).encoded
}

fn refused(at: usize, bytes: &[u8]) -> BatchError {
    batch::decode(&forged(&two(), at, bytes), 1 << 20).unwrap_err()
}

#[test]
fn older_message_sets_are_refused() {
    assert!(matches!(refused(16, &[1]), BatchError::Magic { magic: 1 }));
}

#[test]
fn lengths_that_no_batch_has_are_refused() {
    for length in [i32::MIN, -1, 0, 48] {
        let error = refused(8, &length.to_be_bytes());
        assert!(matches!(error, BatchError::Length { length: told } if told == length));
    }
}

#[test]
fn what_this_release_does_not_read_is_named() {
    assert!(matches!(refused(22, &[1]), BatchError::Compression { code: 1 }));
    assert!(matches!(refused(22, &[4]), BatchError::Compression { code: 4 }));
    assert!(matches!(refused(22, &[1 << 4]), BatchError::Attributes { attributes: 16 }));
    assert!(matches!(refused(22, &[1 << 5]), BatchError::Attributes { attributes: 32 }));
}

#[test]
fn a_count_that_the_records_do_not_have_is_refused() {
    assert!(matches!(refused(57, &1_i32.to_be_bytes()), BatchError::Count { count: 1 }));
    let error = refused(57, &3_i32.to_be_bytes());
    assert!(matches!(error, BatchError::Record { index: 2, what: "no length" }));
    let error = refused(57, &4_i32.to_be_bytes());
    assert!(matches!(error, BatchError::Field { field: "count", value: 4 }));
}

#[test]
fn a_large_count_reserves_nothing() {
    let batch = forged(&two(), 23, &i32::MAX.to_be_bytes());
    let batch = forged(&batch, 57, &i32::MAX.to_be_bytes());
    let error = batch::decode(&batch, 1 << 20).unwrap_err();
    assert!(matches!(error, BatchError::Count { count: i32::MAX }));
}

#[test]
fn offsets_and_times_out_of_order_are_refused() {
    // Length (two bytes), attributes, time, offset of the second record.
    let second = HEADER_BYTES + (two().len() - HEADER_BYTES) / 2;
    for delta in [0, 1, 6] {
        assert!(matches!(refused(second + 4, &[delta]), BatchError::Offset { index: 1, .. }));
    }
    for delta in [1, 12] {
        assert!(matches!(refused(second + 3, &[delta]), BatchError::Timestamp { index: 1, .. }));
    }
}

#[test]
fn what_unpacks_to_too_much_is_refused() {
    let mut body = Vec::new();
    batch::body(&mut body, None, &vec![0; 3 << 20], &[]);
    let mut builder = Builder::new(0, 0);
    builder.push(0, 0, &body);
    let batch = builder.finish(Compression::Lz4).encoded;
    assert!(batch.len() < 64 << 10);
    let error = batch::decode(&batch, 1 << 20).unwrap_err();
    assert!(matches!(error, BatchError::TooLarge { bytes_max } if bytes_max == 1 << 20));
}

#[test]
fn frames_that_kafkas_clients_do_not_read_are_refused() {
    let mut body = Vec::new();
    batch::body(&mut body, None, &[0; 2000], &[]);
    let mut builder = Builder::new(0, 0);
    builder.push(0, 0, &body);
    let batch = builder.finish(Compression::Lz4).encoded;
    assert_eq!(Header::parse(&batch).unwrap().compression, Compression::Lz4);
    let linked = forged(&batch, HEADER_BYTES + 4, &[batch[HEADER_BYTES + 4] & !(1 << 5)]);
    assert!(matches!(batch::decode(&linked, 1 << 20), Err(BatchError::Frame { .. })));
    let legacy = forged(&batch, HEADER_BYTES, &0x184C_2102_u32.to_le_bytes());
    assert!(matches!(batch::decode(&legacy, 1 << 20), Err(BatchError::Frame { .. })));
}
