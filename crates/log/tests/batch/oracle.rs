//! Somebody else's codec reads what we write, and we read what it writes.

use bytes::{Bytes, BytesMut};
use kafka_protocol::{
    protocol::StrBytes,
    records::{
        Compression as Theirs, Record, RecordBatchDecoder, RecordBatchEncoder, RecordEncodeOptions,
        TimestampType,
    },
};
use pluvio_log::batch::{self, Compression};
use proptest::prelude::*;

use crate::sample::{Sample, build, compression, forged, ours, read, samples};

fn to_theirs(sample: &Sample) -> Record {
    let mut record = Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: 0,
        producer_id: -1,
        producer_epoch: -1,
        timestamp_type: TimestampType::Creation,
        offset: sample.offset,
        sequence: sample.offset as i32,
        timestamp: sample.timestamp,
        key: sample.key.clone().map(Bytes::from),
        value: sample.value.clone().map(Bytes::from),
        headers: Default::default(),
    };
    for (name, content) in &sample.headers {
        let content = content.clone().map(Bytes::from);
        record.headers.insert(StrBytes::from_string(name.clone()), content);
    }
    record
}

fn from_theirs(record: &Record) -> Sample {
    let header = |(name, content): (&StrBytes, &Option<Bytes>)| {
        (name.to_string(), content.as_deref().map(<[u8]>::to_vec))
    };
    Sample {
        offset: record.offset,
        timestamp: record.timestamp,
        key: record.key.as_deref().map(<[u8]>::to_vec),
        value: record.value.as_deref().map(<[u8]>::to_vec),
        headers: record.headers.iter().map(header).collect(),
    }
}

fn written_by_them(samples: &[Sample], compression: Compression) -> Bytes {
    let compression = match compression {
        Compression::None => Theirs::None,
        Compression::Lz4 => Theirs::Lz4,
    };
    let records: Vec<Record> = samples.iter().map(to_theirs).collect();
    let mut out = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression };
    RecordBatchEncoder::encode(&mut out, &records, &options).unwrap();
    out.freeze()
}

fn read_by_them(batch: &Bytes) -> Vec<Sample> {
    let set = RecordBatchDecoder::decode(&mut batch.clone()).unwrap();
    set.records.iter().map(from_theirs).collect()
}

proptest! {
    #[test]
    fn they_read_what_we_write(samples in ours(), compression in compression()) {
        let built = build(&samples, compression);
        prop_assert_eq!(read_by_them(&built.encoded), samples);
    }

    #[test]
    fn we_read_what_they_write(samples in samples(), compression in compression()) {
        let written = written_by_them(&samples, compression);
        prop_assert_eq!(batch::verify(&written).unwrap().compression, compression);
        prop_assert_eq!(read(&written), samples);
    }

    #[test]
    fn plain_batches_are_theirs_byte_for_byte(samples in ours()) {
        let ours = build(&samples, Compression::None).encoded;
        let theirs = written_by_them(&samples, Compression::None);
        // Headers that are no part of the records: they number the records, we do not.
        let theirs = forged(&theirs, 53, &(-1_i32).to_be_bytes());
        prop_assert_eq!(ours, theirs);
    }

    #[test]
    fn both_read_append_time_alike(samples in ours(), compression in compression()) {
        let built = build(&samples, compression).encoded;
        let attributes = built[22] | 1 << 3;
        let stamped = forged(&built, 22, &[attributes]);
        let latest = samples.last().unwrap().timestamp;
        let read = read(&stamped);
        prop_assert!(batch::verify(&stamped).unwrap().append_time);
        prop_assert!(read.iter().all(|record| record.timestamp == latest));
        let theirs = RecordBatchDecoder::decode(&mut stamped.clone()).unwrap();
        prop_assert!(theirs.records.iter().all(|it| it.timestamp_type == TimestampType::LogAppend));
    }
}
