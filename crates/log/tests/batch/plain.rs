//! What a builder promises to whoever keeps the ranges it gave.

use bytes::Bytes;
use pluvio_log::batch::{self, Builder, Compression, HEADER_BYTES, Header};
use proptest::prelude::*;

use crate::sample::{Sample, build, compression, ours, read};

proptest! {
    #[test]
    fn what_was_pushed_is_decoded(samples in ours(), compression in compression()) {
        prop_assert_eq!(read(&build(&samples, compression).encoded), samples);
    }

    #[test]
    fn ranges_point_into_the_plain_bytes(samples in ours(), compression in compression()) {
        let mut builder = Builder::new(samples[0].offset, samples[0].timestamp);
        let mut places = Vec::new();
        for Sample { offset, timestamp, key, value, .. } in &samples {
            let mut body = Vec::new();
            let cut = batch::body(&mut body, key.as_deref(), value.as_deref().unwrap(), &[]);
            let start = builder.push(*offset, *timestamp, &body).start;
            let shifted = |range: std::ops::Range<usize>| range.start + start..range.end + start;
            places.push((cut.key.map(shifted), shifted(cut.value)));
        }
        let built = builder.finish(compression);
        for (sample, (key, value)) in samples.iter().zip(places) {
            prop_assert_eq!(key.map(|key| built.plain[key].to_vec()), sample.key.clone());
            prop_assert_eq!(Some(built.plain[value].to_vec()), sample.value.clone());
        }
    }

    #[test]
    fn a_batch_never_grows_by_compression(samples in ours()) {
        let plain = build(&samples, Compression::None).encoded;
        let packed = build(&samples, Compression::Lz4).encoded;
        prop_assert!(packed.len() <= plain.len());
        let compression = Header::parse(&packed).unwrap().compression;
        prop_assert_eq!(compression == Compression::None, packed == plain);
    }
}

fn one(value: &[u8], compression: Compression) -> Bytes {
    let mut body = Vec::new();
    batch::body(&mut body, None, value, &[("h", b"1"), ("h", b"2")]);
    let mut builder = Builder::new(7, 9);
    builder.push(7, 9, &body);
    builder.finish(compression).encoded
}

#[test]
fn plain_records_are_slices_of_the_batch() {
    let batch = one(&[7; 4096], Compression::None);
    let records = batch::decode(&batch, 0).unwrap();
    let value = records[0].value.as_ref().unwrap();
    assert!(batch.as_ptr_range().contains(&value.as_ptr()));
}

#[test]
fn a_batch_of_several_lz4_blocks_comes_back() {
    let value: Vec<u8> = (0..5_000_000_u32).map(|at| (at / 7 % 251) as u8).collect();
    let batch = one(&value, Compression::Lz4);
    assert_eq!(Header::parse(&batch).unwrap().compression, Compression::Lz4);
    let records = batch::decode(&batch, 6_000_000).unwrap();
    assert_eq!(records[0].value.as_deref(), Some(value.as_slice()));
}

#[test]
fn the_first_of_two_headers_is_got_and_both_are_listed() {
    let records = batch::decode(&one(b"v", Compression::None), 0).unwrap();
    let headers = &records[0].headers;
    assert_eq!(headers.get("h"), Some(&b"1"[..]));
    assert_eq!(headers.get("i"), None);
    assert_eq!(
        headers.iter().map(|(_, content)| content.unwrap()).collect::<Vec<_>>(),
        [b"1", b"2"]
    );
}

#[test]
fn an_offset_lies_at_most_31_bits_above_the_first() {
    let last = 5 + i64::from(i32::MAX);
    let mut body = Vec::new();
    batch::body(&mut body, None, b"", &[]);
    let mut builder = Builder::new(5, 0);
    builder.push(5, 0, &body);
    builder.push(last, i64::MAX, &body);
    let batch = builder.finish(Compression::None).encoded;
    assert_eq!(batch::verify(&batch).unwrap().last_offset(), last);
    let records = batch::decode(&batch, 0).unwrap();
    assert_eq!((records[1].offset, records[1].timestamp), (last, i64::MAX));
}

#[test]
fn an_empty_batch_has_no_records() {
    let batch = Builder::new(3, 4).finish(Compression::Lz4).encoded;
    assert_eq!(batch.len(), HEADER_BYTES);
    assert_eq!(batch::verify(&batch).unwrap().count, 0);
    assert!(batch::decode(&batch, 0).unwrap().is_empty());
}
