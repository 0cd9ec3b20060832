//! Records of every shape that a batch can hold. No expectations here.

use std::collections::BTreeMap;

use bytes::Bytes;
use pluvio_log::batch::{self, Builder, Built, Compression, Decoded};
use proptest::prelude::*;

/// A record, in the test's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) offset: i64,
    pub(crate) timestamp: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: BTreeMap<String, Option<Vec<u8>>>,
}

impl From<&Decoded> for Sample {
    fn from(record: &Decoded) -> Self {
        let header = |(name, content): (&[u8], Option<&[u8]>)| {
            (String::from_utf8(name.to_vec()).unwrap(), content.map(<[u8]>::to_vec))
        };
        Self {
            offset: record.offset,
            timestamp: record.timestamp,
            key: record.key.as_deref().map(<[u8]>::to_vec),
            value: record.value.as_deref().map(<[u8]>::to_vec),
            headers: record.headers.iter().map(header).collect(),
        }
    }
}

/// Content that is empty, short, or long enough to need a second byte of length, and repeats itself
/// enough to be compressed now and then.
fn content() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(Vec::new()),
        proptest::collection::vec(any::<u8>(), 1..40),
        (any::<u8>(), 60_usize..400).prop_map(|(byte, count)| vec![byte; count]),
    ]
}

/// How far an offset may lie above the one before it: most often by one.
fn gap() -> impl Strategy<Value = i64> {
    prop_oneof![4 => Just(1_i64), 1 => 2_i64..500, 1 => 1_i64..(i64::from(i32::MAX) / 40)]
}

type Shape = (i64, i64, Option<Vec<u8>>, Option<Vec<u8>>, BTreeMap<String, Option<Vec<u8>>>);

fn shape() -> impl Strategy<Value = Shape> {
    let key = proptest::option::of(content());
    let value = proptest::option::weighted(0.9, content());
    let header = ("[a-zé-]{0,12}", proptest::option::weighted(0.8, content()));
    let headers = proptest::collection::btree_map(header.0, header.1, 0..4);
    (gap(), prop_oneof![Just(0_i64), 0_i64..100_000], key, value, headers)
}

/// Between one and 40 records, offsets growing, times not decreasing.
pub(crate) fn samples() -> impl Strategy<Value = Vec<Sample>> {
    let base = (prop_oneof![Just(0_i64), 0..i64::MAX / 2], -1_i64..2_000_000_000_000);
    (base, proptest::collection::vec(shape(), 1..40)).prop_map(|((offset, time), shapes)| {
        let mut at = (offset, time);
        let sample = |(index, (gap, wait, key, value, headers)): (usize, Shape)| {
            if index > 0 {
                at = (at.0 + gap, at.1 + wait);
            }
            Sample { offset: at.0, timestamp: at.1, key, value, headers }
        };
        shapes.into_iter().enumerate().map(sample).collect()
    })
}

/// The same without what [`batch::body`] cannot say: null values and null headers.
pub(crate) fn ours() -> impl Strategy<Value = Vec<Sample>> {
    samples().prop_map(|mut samples| {
        for sample in &mut samples {
            sample.value.get_or_insert_default();
            sample.headers.values_mut().for_each(|content| {
                content.get_or_insert_default();
            });
        }
        samples
    })
}

pub(crate) fn compression() -> impl Strategy<Value = Compression> {
    prop_oneof![Just(Compression::None), Just(Compression::Lz4)]
}

/// A batch of them, built by us.
pub(crate) fn build(samples: &[Sample], compression: Compression) -> Built {
    let mut builder = Builder::new(samples[0].offset, samples[0].timestamp);
    let mut body = Vec::new();
    for sample in samples {
        body.clear();
        let headers: Vec<(&str, &[u8])> = sample
            .headers
            .iter()
            .map(|(name, content)| (name.as_str(), content.as_deref().unwrap()))
            .collect();
        let value = sample.value.as_deref().unwrap();
        batch::body(&mut body, sample.key.as_deref(), value, &headers);
        builder.push(sample.offset, sample.timestamp, &body);
    }
    builder.finish(compression)
}

/// What is in a batch, in the test's own words.
pub(crate) fn read(bytes: &Bytes) -> Vec<Sample> {
    let header = batch::verify(bytes).unwrap();
    assert_eq!(header.bytes, bytes.len());
    let records = batch::decode(bytes, 1 << 20).unwrap();
    assert_eq!(records.last().unwrap().offset, header.last_offset());
    records.iter().map(Sample::from).collect()
}

/// Sets bytes of a batch and makes its checksum right again, as nobody but an attacker does.
pub(crate) fn forged(batch: &Bytes, at: usize, bytes: &[u8]) -> Bytes {
    let mut batch = batch.to_vec();
    batch[at..at + bytes.len()].copy_from_slice(bytes);
    let crc = crc32c::crc32c(&batch[21..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
    Bytes::from(batch)
}
