//! Arbitrary records, built into a batch and decoded: what went in comes out, plain or packed.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use pluvio_log::batch::{self, Builder, Compression};

#[derive(Arbitrary, Debug)]
struct Input {
    base_offset: u32,
    base_timestamp: u32,
    is_packed: bool,
    records: Vec<Record>,
}

#[derive(Arbitrary, Debug)]
struct Record {
    gap: u16,
    wait: u16,
    key: Option<Vec<u8>>,
    value: Vec<u8>,
    headers: Vec<(String, Vec<u8>)>,
}

fuzz_target!(|input: Input| {
    let (mut offset, mut time) = (i64::from(input.base_offset), i64::from(input.base_timestamp));
    let mut builder = Builder::new(offset, time);
    let (mut body, mut expected) = (Vec::new(), Vec::new());
    for record in &input.records {
        body.clear();
        let headers: Vec<(&str, &[u8])> = record
            .headers
            .iter()
            .map(|(name, content)| (name.as_str(), content.as_slice()))
            .collect();
        batch::body(&mut body, record.key.as_deref(), &record.value, &headers);
        time += i64::from(record.wait);
        builder.push(offset, time, &body);
        expected.push((offset, time, headers));
        offset += 1 + i64::from(record.gap);
    }
    let plain_bytes = builder.len();
    let compression = if input.is_packed { Compression::Lz4 } else { Compression::None };
    let encoded = builder.finish(compression).encoded;
    assert!(encoded.len() <= plain_bytes);
    let header = batch::verify(&encoded).expect("it was just built");
    assert_eq!((header.bytes, header.count as usize), (encoded.len(), expected.len()));
    let decoded = batch::decode(&encoded, plain_bytes).expect("it was just built");
    assert_eq!(decoded.len(), expected.len());
    for ((found, put), (offset, time, headers)) in decoded.iter().zip(&input.records).zip(expected)
    {
        assert_eq!((found.offset, found.timestamp), (offset, time));
        assert_eq!(found.key.as_deref(), put.key.as_deref());
        assert_eq!(found.value.as_deref(), Some(put.value.as_slice()));
        let put = headers.iter().map(|(name, content)| (name.as_bytes(), Some(*content)));
        assert!(found.headers.iter().eq(put));
    }
});
