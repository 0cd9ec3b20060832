//! What an object holds: which events of a batch, as lines, and what tells the same lines from others. Pure.

use std::io::Write as _;

use bytes::Bytes;
use flate2::{Compression as Level, write::GzEncoder};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use pluvio_runtime::{Chain, Delivered, Format};
use sha2::{Digest as _, Sha256};

use super::{config::Compression, cursor::Putting};
use crate::endpoint::http::hex;

/// The events of an object.
#[derive(Debug)]
pub(super) struct Lines {
    /// As they are put.
    pub(super) body: Bytes,
    /// Of the lines before they are packed, for one packer makes other bytes of them than the next: two objects
    /// with one digest hold the same events.
    pub(super) sha256: String,
}

impl Lines {
    /// Writes lines and packs them; the error says which record is no event.
    pub(super) fn new(records: &[Delivered], compression: Compression) -> Result<Self, String> {
        let bytes: usize = records.iter().map(|record| record.stored().len() + 128).sum();
        let mut lines = Vec::with_capacity(bytes);
        for record in records {
            let written = Format::Cloudevents.line(record, &mut lines);
            written.map_err(|error| Chain(&error).to_string())?;
        }
        let sha256 = hex(&Sha256::digest(&lines));
        let body = match compression {
            Compression::None => lines.into(),
            Compression::Gzip => gzip(&lines),
        };
        Ok(Self { body, sha256 })
    }
}

/// How many records of a batch go into one object: those of one day, and no others than were in one
/// that may still arrive under the same name.
pub(super) fn of_one_object(batch: &[Delivered], putting: Option<&Putting>) -> usize {
    let Some(first) = batch.first() else { return 0 };
    let day = day(first.recorded());
    let putting = putting.filter(|putting| putting.first == first.offset());
    batch.partition_point(|record| {
        let is_of_it = putting.is_none_or(|putting| record.offset() <= putting.last);
        day == self::day(record.recorded()) && is_of_it
    })
}

fn day(time: Timestamp) -> Date {
    time.to_zoned(TimeZone::UTC).date()
}

fn gzip(lines: &[u8]) -> Bytes {
    let mut packer = GzEncoder::new(Vec::with_capacity(lines.len() / 6), Level::default());
    // Writing to memory does not fail.
    let _written = packer.write_all(lines);
    packer.finish().unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use pluvio_log::{Offset, StoredRecord};

    use super::*;

    fn at(offset: i64) -> Offset {
        Offset::new(offset).unwrap_or_default()
    }

    fn record(offset: i64, hours: i64) -> Delivered {
        Delivered::new(StoredRecord {
            offset: at(offset),
            recorded: Timestamp::from_second(hours * 3600).unwrap_or_default(),
            key: None,
            value: Bytes::from_static(b"{}"),
        })
    }

    #[test]
    fn an_object_holds_the_records_of_one_day() {
        let batch = [record(1, 22), record(4, 23), record(5, 24), record(6, 49)];
        assert_eq!(of_one_object(&batch, None), 2);
        assert_eq!(of_one_object(&batch[2..], None), 1);
    }

    #[test]
    fn an_object_that_may_still_arrive_is_written_again_as_it_was() {
        let batch = [record(1, 1), record(4, 1), record(5, 1)];
        let of_one = |first, last| {
            let (key, sha256) = Default::default();
            let putting = Putting { first: at(first), last: at(last), recorded: None, key, sha256 };
            of_one_object(&batch, Some(&putting))
        };
        assert_eq!(of_one(1, 4), 2);
        assert_eq!(of_one(0, 4), 3, "that is another object");
        assert_eq!(of_one(1, 9), 3);
    }

    #[test]
    fn the_same_records_have_one_digest_however_they_are_packed() {
        let digest = |records: &[Delivered], compression| {
            Lines::new(records, compression).map(|lines| lines.sha256)
        };
        let batch = [record(1, 1), record(2, 1)];
        let plain = digest(&batch, Compression::None);
        assert!(plain.is_ok());
        assert_eq!(digest(&batch, Compression::Gzip), plain);
        let recorded_later = [record(1, 1), record(2, 2)];
        assert_ne!(digest(&recorded_later, Compression::None), plain);
    }
}
