//! The specification as code. An implementation gives a function `fn(Retention) -> Bench` and runs
//! it all with `conformance!(function)`.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use pluvio_event::{AttributeName, Data, Event};
use pluvio_log::{
    AppendError, Entry, EventId, Log, LogHandle, Offset, Position, ReadError, ReadLimit, Record,
    Seek, SourceName, Span, StreamName, Table, batch,
};

/// A log under test and its clock.
pub(crate) struct Bench {
    pub(crate) log: LogHandle,
    pub(crate) now: Arc<Mutex<Timestamp>>,
}

pub(crate) fn stream() -> StreamName {
    StreamName::events()
}

fn offset(number: i64) -> Offset {
    Offset::new(number).unwrap()
}

pub(crate) fn record(id: &str, at_least: Option<i64>) -> Record {
    let event = Event::builder(id, "urn:cloud", "t").subject(format!("vm/{id}")).build().unwrap();
    Record {
        event,
        source: SourceName::new("cloud").unwrap(),
        position: Position::new(format!("after {id}")).unwrap(),
        at_least: at_least.map(offset),
    }
}

const WAIT: ReadLimit =
    ReadLimit { records_max: 1000, bytes_max: 1 << 20, wait: Duration::from_secs(3600) };

impl Bench {
    pub(crate) fn id(&self, id: &str) -> EventId {
        EventId { source: "urn:cloud".into(), id: id.into() }
    }

    pub(crate) fn advance(&self, by: SignedDuration) {
        let mut now = self.now.lock().unwrap();
        *now += by;
    }

    /// Opens the stream and appends all ids as one group.
    pub(crate) async fn append(&self, ids: &[&str]) -> Span {
        self.append_at(&ids.iter().map(|id| (*id, None)).collect::<Vec<_>>()).await
    }

    pub(crate) async fn append_at(&self, ids: &[(&str, Option<i64>)]) -> Span {
        self.log.open(&stream()).await.unwrap();
        let records = ids.iter().map(|(id, at)| record(id, *at)).collect();
        self.log.append(&stream(), records).await.unwrap()
    }

    /// `offset:id` of everything from `from` to the end.
    async fn all(&self, from: i64) -> Result<Vec<String>, ReadError> {
        let mut from = offset(from);
        let mut seen = Vec::new();
        loop {
            let chunk = self.log.read(&stream(), from, ReadLimit::default()).await?;
            if chunk.is_empty() {
                return Ok(seen);
            }
            let line =
                |r: &pluvio_log::StoredRecord| format!("{}:{}", r.offset, r.event().unwrap().id());
            seen.extend(chunk.records().map(line));
            assert!(chunk.next > from, "a read that gave something moves on");
            from = chunk.next;
        }
    }

    async fn seek(&self, seek: Seek) -> i64 {
        self.log.seek(&stream(), seek).await.unwrap().get()
    }

    fn bounds(&self) -> (i64, Option<i64>, Option<i64>, i64) {
        let extent = self.log.extent(&stream()).unwrap();
        let number = |offset: Option<Offset>| offset.map(Offset::get);
        (extent.start.get(), number(extent.earliest), number(extent.latest), extent.next.get())
    }
}

pub(crate) async fn an_empty_stream_begins_at_0_and_has_neither_earliest_nor_latest(bench: Bench) {
    let extent = bench.log.open(&stream()).await.unwrap();
    assert_eq!(bench.bounds(), (0, None, None, 0));
    assert!(bench.all(0).await.unwrap().is_empty());
    assert_eq!(bench.log.open(&stream()).await.unwrap().log_id, extent.log_id, "opening again");
    for seek in [Seek::Start, Seek::End, Seek::Last(5), Seek::Time(Timestamp::UNIX_EPOCH)] {
        assert_eq!(bench.seek(seek).await, 0);
    }
}

pub(crate) async fn an_unknown_stream_is_an_error_and_not_empty(bench: Bench) {
    let read = bench.log.read(&stream(), Offset::ZERO, ReadLimit::default()).await;
    assert!(matches!(read, Err(ReadError::UnknownStream(_))));
    let append = bench.log.append(&stream(), vec![record("a", None)]).await;
    assert!(matches!(append, Err(AppendError::UnknownStream(_))));
    assert!(bench.log.streams().is_empty());
}

pub(crate) async fn records_are_read_in_the_order_of_appending(bench: Bench) {
    assert_eq!(bench.append(&["a", "b"]).await, Span { start: offset(0), end: offset(2) });
    assert_eq!(bench.append(&["c"]).await, Span { start: offset(2), end: offset(3) });
    assert_eq!(bench.all(0).await.unwrap(), ["0:a", "1:b", "2:c"]);
    assert_eq!(bench.all(1).await.unwrap(), ["1:b", "2:c"], "from inside a batch");
    assert_eq!(bench.bounds(), (0, Some(0), Some(2), 3));
}

pub(crate) async fn appending_nothing_changes_nothing(bench: Bench) {
    bench.append(&["a"]).await;
    let span = bench.append(&[]).await;
    assert_eq!(span, Span { start: offset(1), end: offset(1) });
    assert_eq!(bench.bounds(), (0, Some(0), Some(0), 1));
}

pub(crate) async fn a_record_gets_the_offset_it_asks_for_unless_that_is_used_up(bench: Bench) {
    let span = bench
        .append_at(&[("a", Some(44)), ("b", Some(50)), ("late", Some(45)), ("none", None)])
        .await;
    assert_eq!(span, Span { start: offset(44), end: offset(53) });
    assert_eq!(bench.all(0).await.unwrap(), ["44:a", "50:b", "51:late", "52:none"]);
    assert_eq!(bench.bounds(), (0, Some(44), Some(52), 53));
}

pub(crate) async fn reading_in_a_gap_begins_behind_it(bench: Bench) {
    bench.append_at(&[("a", Some(10)), ("b", Some(20))]).await;
    assert_eq!(bench.all(0).await.unwrap(), ["10:a", "20:b"], "before the earliest is no loss");
    assert_eq!(bench.all(11).await.unwrap(), ["20:b"]);
    assert!(bench.all(21).await.unwrap().is_empty());
}

pub(crate) async fn the_last_offsets_are_refused_and_nothing_is_appended(bench: Bench) {
    bench.append(&["a"]).await;
    let too_far = vec![record("b", Some(i64::MAX - 1))];
    let refused = bench.log.append(&stream(), too_far).await;
    assert!(matches!(refused, Err(AppendError::NoOffsetLeft(_))));
    assert_eq!(bench.bounds(), (0, Some(0), Some(0), 1));
}

pub(crate) async fn a_record_that_is_too_large_is_refused_with_all_its_group(bench: Bench) {
    bench.append(&["a"]).await;
    let mut large = record("large", None);
    let data = Data::json(format!("\"{}\"", "x".repeat(1 << 20))).unwrap();
    large.event = Event::builder("large", "urn:cloud", "t").data(data).build().unwrap();
    let refused = bench.log.append(&stream(), vec![record("b", None), large]).await.unwrap_err();
    assert!(matches!(refused, AppendError::RecordTooLarge { index: 1, .. }), "{refused}");
    assert_eq!(bench.all(0).await.unwrap(), ["0:a"]);
}

pub(crate) async fn a_stored_event_is_what_was_appended_and_its_key_is_the_subject(bench: Bench) {
    bench.log.open(&stream()).await.unwrap();
    let mut appended = record("a", None);
    appended.event = Event::builder("a", "urn:cloud", "t")
        .subject("vm/1")
        .extension(AttributeName::new("account").unwrap(), "admin")
        .data(Data::json(r#"{"n":12345678901234567890123}"#).unwrap())
        .build()
        .unwrap();
    bench.log.append(&stream(), vec![appended.clone()]).await.unwrap();
    let chunk = bench.log.read(&stream(), Offset::ZERO, ReadLimit::default()).await.unwrap();
    let stored = chunk.records().next().unwrap();
    assert_eq!(stored.event().unwrap(), appended.event);
    assert_eq!(stored.key.as_deref(), Some(b"vm/1".as_slice()));
    assert_eq!(stored.recorded, *bench.now.lock().unwrap());
}

pub(crate) async fn a_reader_waits_for_the_offset_it_asked_for(bench: Bench) {
    bench.append(&["a"]).await;
    let log = bench.log.clone();
    let waiting = tokio::spawn(async move { log.read(&stream(), offset(3), WAIT).await });
    tokio::task::yield_now().await;
    bench.append(&["b", "c"]).await;
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished(), "offset 3 is not written yet");
    bench.append(&["d"]).await;
    let chunk = waiting.await.unwrap().unwrap();
    assert_eq!(chunk.records().map(|r| r.offset.get()).collect::<Vec<_>>(), [3]);
}

pub(crate) async fn a_wait_that_ends_gives_an_empty_chunk(bench: Bench) {
    bench.append(&["a"]).await;
    let chunk = bench.log.read(&stream(), offset(1), WAIT).await.unwrap();
    assert!(chunk.is_empty());
    assert_eq!(chunk.next, offset(1));
}

pub(crate) async fn many_readers_each_see_everything_at_their_own_pace(bench: Bench) {
    bench.log.open(&stream()).await.unwrap();
    let reader = |log: LogHandle, at_a_time: usize| async move {
        let (mut seen, mut from) = (Vec::new(), Offset::ZERO);
        while seen.len() < 300 {
            let limit = ReadLimit { records_max: at_a_time, ..WAIT };
            let chunk = log.read(&stream(), from, limit).await.unwrap();
            seen.extend(chunk.records().map(|r| r.offset.get()));
            from = chunk.next;
            tokio::task::yield_now().await;
        }
        seen
    };
    let readers: Vec<_> =
        (1..=8).map(|pace| tokio::spawn(reader(bench.log.clone(), pace * pace))).collect();
    for _ in 0..100 {
        bench.append(&["a", "b", "c"]).await;
        tokio::task::yield_now().await;
    }
    for reader in readers {
        assert_eq!(reader.await.unwrap(), (0..300).collect::<Vec<_>>());
    }
}

pub(crate) async fn a_read_keeps_to_its_limits_but_always_gives_a_batch(bench: Bench) {
    for _ in 0..10 {
        bench.append(&["a", "b"]).await;
    }
    let read = |limit| {
        let log = bench.log.clone();
        async move { log.read(&stream(), Offset::ZERO, limit).await.unwrap().records().count() }
    };
    let limit = ReadLimit::default();
    assert_eq!(read(ReadLimit { records_max: 5, ..limit }).await, 6, "whole batches");
    assert_eq!(read(ReadLimit { bytes_max: 1, ..limit }).await, 2);
    assert_eq!(read(limit).await, 20);
}

pub(crate) async fn a_trimmed_offset_is_out_of_range_and_says_the_range(bench: Bench) {
    bench.append(&["a", "b", "c"]).await;
    bench.append(&["d"]).await;
    bench.log.trim(&stream(), offset(2)).await.unwrap();
    assert_eq!(bench.bounds(), (2, Some(2), Some(3), 4), "also inside a batch");
    let error = bench.all(1).await.unwrap_err();
    assert!(matches!(error, ReadError::OutOfRange { from, extent }
        if from == offset(1) && extent.start == offset(2) && extent.latest == Some(offset(3))));
    assert_eq!(bench.all(2).await.unwrap(), ["2:c", "3:d"]);
    bench.log.trim(&stream(), offset(1)).await.unwrap();
    assert_eq!(bench.bounds().0, 2, "start never goes back");
    assert_eq!(bench.log.extent(&stream()).unwrap().records, 2);
}

pub(crate) async fn trimming_everything_never_lets_an_offset_be_used_again(bench: Bench) {
    bench.append(&["a", "b"]).await;
    bench.log.trim(&stream(), offset(10)).await.unwrap();
    assert_eq!(bench.bounds(), (10, None, None, 10));
    assert_eq!(bench.append(&["c"]).await.start, offset(10));
}

pub(crate) async fn a_waiting_reader_is_told_when_its_offset_is_trimmed(bench: Bench) {
    bench.append(&["a"]).await;
    let log = bench.log.clone();
    let waiting = tokio::spawn(async move { log.read(&stream(), offset(1), WAIT).await });
    tokio::task::yield_now().await;
    bench.log.trim(&stream(), offset(5)).await.unwrap();
    assert!(matches!(waiting.await.unwrap(), Err(ReadError::OutOfRange { .. })));
}

pub(crate) async fn an_offset_is_found_by_time_by_id_and_from_the_end(bench: Bench) {
    let first = *bench.now.lock().unwrap();
    bench.append(&["a", "b"]).await;
    bench.advance(SignedDuration::from_secs(10));
    bench.append_at(&[("c", Some(7)), ("d", None)]).await;
    assert_eq!(bench.seek(Seek::Start).await, 0);
    assert_eq!(bench.seek(Seek::End).await, 9);
    assert_eq!(bench.seek(Seek::Time(first)).await, 0);
    assert_eq!(bench.seek(Seek::Time(first + SignedDuration::from_secs(1))).await, 7);
    assert_eq!(bench.seek(Seek::Time(first + SignedDuration::from_secs(11))).await, 9);
    assert_eq!(bench.seek(Seek::Id(bench.id("d"))).await, 8);
    for (count, expected) in [(0, 9), (1, 8), (2, 7), (3, 1), (4, 0), (99, 0)] {
        assert_eq!(bench.seek(Seek::Last(count)).await, expected, "last {count}");
    }
    let unknown = bench.log.seek(&stream(), Seek::Id(bench.id("x"))).await;
    assert!(matches!(unknown, Err(ReadError::NotFound(_))));
}

pub(crate) async fn ids_are_found_with_their_event_time_and_unknown_ones_are_not(bench: Bench) {
    bench.log.open(&stream()).await.unwrap();
    let time = "2026-11-20T09:00:00.5Z".parse::<Timestamp>().unwrap();
    let mut timed = record("a", Some(3));
    timed.event = Event::builder("a", "urn:cloud", "t").time(time).build().unwrap();
    bench.log.append(&stream(), vec![timed]).await.unwrap();
    let elsewhere = EventId { source: "urn:other".into(), id: "a".into() };
    let ids = [bench.id("x"), bench.id("a"), elsewhere];
    let found = bench.log.find(&stream(), &ids).await.unwrap();
    assert_eq!(found[0], None);
    assert_eq!(found[1].map(|f| (f.offset, f.time)), Some((offset(3), Some(time))));
    assert_eq!(found[2], None);
}

pub(crate) async fn positions_are_those_of_each_sources_last_record_also_after_it_went(
    bench: Bench,
) {
    bench.append(&["a", "b"]).await;
    let mut other = record("c", None);
    other.source = SourceName::new("other").unwrap();
    bench.log.append(&stream(), vec![other]).await.unwrap();
    bench.log.trim(&stream(), offset(3)).await.unwrap();
    let positions = bench.log.positions(&stream()).await.unwrap();
    let position = |name: &str| positions[&SourceName::new(name).unwrap()].as_str().to_owned();
    assert_eq!((position("cloud"), position("other")), ("after b".into(), "after c".into()));
}

pub(crate) async fn a_checkpoint_is_a_position_until_the_next_record(bench: Bench) {
    bench.append(&["a"]).await;
    let cloud = SourceName::new("cloud").unwrap();
    let looked = Position::new("looked, nothing new").unwrap();
    bench.log.checkpoint(&stream(), &cloud, looked.clone()).await.unwrap();
    assert_eq!(bench.log.positions(&stream()).await.unwrap()[&cloud], looked);
    assert_eq!(bench.bounds().3, 1, "a checkpoint is no record");
    bench.append(&["b"]).await;
    assert_eq!(bench.log.positions(&stream()).await.unwrap()[&cloud].as_str(), "after b");
}

pub(crate) async fn recorded_times_never_decrease_when_the_clock_is_set_back(bench: Bench) {
    bench.append(&["a"]).await;
    bench.advance(SignedDuration::from_hours(-24));
    bench.append(&["b"]).await;
    let chunk = bench.log.read(&stream(), Offset::ZERO, ReadLimit::default()).await.unwrap();
    let times: Vec<_> = chunk.records().map(|r| r.recorded).collect();
    // Not believed, the clock is carried on from what is known: no step back, and none ahead.
    let passed = times[1].duration_since(times[0]);
    assert!(!passed.is_negative() && passed < SignedDuration::from_mins(1), "{times:?}");
}

pub(crate) async fn the_newest_batch_stays_whatever_retention_says(bench: Bench) {
    bench.append(&["a", "b", "c"]).await;
    bench.log.maintain().await;
    assert_eq!(bench.all(0).await.unwrap().len(), 3);
}

pub(crate) async fn retention_by_count_deletes_the_oldest_batches(bench: Bench) {
    for id in ["a", "b", "c", "d", "e"] {
        bench.append(&[id]).await;
    }
    assert_eq!(bench.bounds(), (2, Some(2), Some(4), 5));
    assert!(matches!(bench.all(1).await, Err(ReadError::OutOfRange { .. })));
}

pub(crate) async fn retention_by_size_deletes_the_oldest_batches(bench: Bench) {
    for _ in 0..50 {
        bench.append(&["a"]).await;
    }
    let extent = bench.log.extent(&stream()).unwrap();
    assert!(extent.bytes <= 2000 && extent.records >= 5, "{extent:?}");
}

pub(crate) async fn retention_by_age_counts_from_recording_and_needs_no_append(bench: Bench) {
    bench.append(&["a"]).await;
    bench.advance(SignedDuration::from_secs(50));
    bench.append(&["b"]).await;
    bench.advance(SignedDuration::from_secs(11));
    bench.log.maintain().await;
    assert_eq!(bench.all(1).await.unwrap(), ["1:b"]);
    assert_eq!(bench.bounds().0, 1);
}

pub(crate) async fn what_is_fetched_undecoded_is_what_is_read(bench: Bench) {
    bench.append_at(&[("a", None), ("b", Some(7))]).await;
    bench.append(&["c"]).await;
    let fetched = bench.log.fetch(&stream(), offset(3), ReadLimit::default()).await.unwrap();
    assert_eq!((fetched.from, fetched.next), (offset(3), offset(9)));
    let mut bytes = bytes::Bytes::from(fetched.pieces.concat());
    let mut seen = Vec::new();
    while !bytes.is_empty() {
        let header = batch::verify(&bytes).unwrap();
        let whole = bytes.split_to(header.bytes);
        seen.extend(batch::decode(&whole, 1 << 20).unwrap());
    }
    let read = bench.log.read(&stream(), Offset::ZERO, ReadLimit::default()).await.unwrap();
    let read: Vec<_> = read.records().collect();
    assert_eq!(seen.len(), read.len(), "also the records of the first batch below the offset");
    for (fetched, read) in seen.iter().zip(read) {
        assert_eq!(fetched.offset, read.offset.get());
        assert_eq!(fetched.timestamp, read.recorded.as_millisecond());
        assert_eq!((&fetched.key, fetched.value.as_ref()), (&read.key, Some(&read.value)));
        assert_eq!(fetched.headers.get("content-type"), Some(&b"application/cloudevents+json"[..]));
    }
    assert_eq!(seen[1].headers.get("pluvio-pos"), Some(&b"cloud=after b"[..]));
}

pub(crate) async fn a_fetch_keeps_to_its_limit_but_always_gives_a_batch(bench: Bench) {
    for _ in 0..10 {
        bench.append(&["a"]).await;
    }
    let limit = ReadLimit { bytes_max: 1, ..ReadLimit::default() };
    let one = bench.log.fetch(&stream(), Offset::ZERO, limit).await.unwrap();
    assert_eq!(one.next, offset(1));
    let bytes_max = one.pieces.concat().len() * 3;
    let limit = ReadLimit { bytes_max, ..ReadLimit::default() };
    assert_eq!(bench.log.fetch(&stream(), offset(2), limit).await.unwrap().next, offset(5));
    let none = bench.log.fetch(&stream(), offset(10), ReadLimit::default()).await.unwrap();
    assert!(none.is_empty());
}

fn entry(key: &str, value: Option<&str>) -> Entry {
    Entry { key: key.to_owned().into(), value: value.map(|value| value.to_owned().into()) }
}

async fn table(bench: &Bench) -> Vec<String> {
    let entries = bench.log.entries(Table::Offsets).await.unwrap();
    let text = |bytes: &bytes::Bytes| String::from_utf8(bytes.to_vec()).unwrap();
    entries.iter().map(|(key, value)| format!("{}={}", text(key), text(value))).collect()
}

pub(crate) async fn a_table_holds_the_newest_value_of_each_key(bench: Bench) {
    let changes = [entry("b", Some("1")), entry("a", Some("1")), entry("b", Some("2"))];
    bench.log.put(Table::Offsets, changes.to_vec()).await.unwrap();
    assert_eq!(table(&bench).await, ["a=1", "b=2"]);
    bench.log.put(Table::Offsets, vec![entry("a", None)]).await.unwrap();
    assert_eq!(table(&bench).await, ["b=2"]);
    assert!(bench.log.entries(Table::Cursors).await.unwrap().is_empty());
    let large = "x".repeat(Table::ENTRY_BYTES_MAX);
    let refused = bench.log.put(Table::Offsets, vec![entry("c", Some(&large))]).await;
    assert!(matches!(refused, Err(AppendError::TableFull { .. })));
}

/// A log that lasts: `open` gives what a new process would find.
pub(crate) struct Durable {
    pub(crate) open: Box<dyn Fn() -> LogHandle>,
    pub(crate) now: Arc<Mutex<Timestamp>>,
}

impl Durable {
    fn open(&self) -> Bench {
        Bench { log: (self.open)(), now: Arc::clone(&self.now) }
    }
}

pub(crate) async fn all_that_was_acknowledged_is_there_in_the_next_process(durable: Durable) {
    let bench = durable.open();
    bench.append_at(&[("a", None), ("b", Some(10))]).await;
    bench.append(&["c"]).await;
    let (all, extent) = (bench.all(0).await.unwrap(), bench.log.extent(&stream()).unwrap());
    drop(bench);
    let bench = durable.open();
    assert_eq!(bench.log.streams(), [stream()]);
    assert_eq!(bench.log.extent(&stream()).unwrap(), extent);
    assert_eq!(bench.all(0).await.unwrap(), all);
    assert_eq!(bench.append(&["d"]).await.start, extent.next);
}

pub(crate) async fn positions_and_checkpoints_last(durable: Durable) {
    let bench = durable.open();
    let mut other = record("x", None);
    other.source = SourceName::new("other").unwrap();
    bench.append(&["a"]).await;
    bench.log.append(&stream(), vec![other]).await.unwrap();
    let looked = Position::new("looked, nothing new").unwrap();
    let cloud = SourceName::new("cloud").unwrap();
    bench.log.checkpoint(&stream(), &cloud, looked).await.unwrap();
    let before = bench.log.positions(&stream()).await.unwrap();
    drop(bench);
    let bench = durable.open();
    assert_eq!(bench.log.positions(&stream()).await.unwrap(), before);
    assert_eq!(before[&cloud].as_str(), "looked, nothing new");
    bench.append(&["b"]).await;
    drop(bench);
    let bench = durable.open();
    let after = bench.log.positions(&stream()).await.unwrap();
    assert_eq!(after[&cloud].as_str(), "after b", "a record supersedes a checkpoint");
    bench.log.trim(&stream(), offset(1000)).await.unwrap();
    drop(bench);
    assert_eq!(durable.open().log.positions(&stream()).await.unwrap(), after, "without records");
}

pub(crate) async fn a_trim_lasts_inside_a_batch_and_beyond_the_end(durable: Durable) {
    let bench = durable.open();
    bench.append(&["a", "b", "c"]).await;
    bench.log.trim(&stream(), offset(1)).await.unwrap();
    let before = bench.log.extent(&stream()).unwrap();
    drop(bench);
    let bench = durable.open();
    assert_eq!(bench.log.extent(&stream()).unwrap(), before);
    assert_eq!((before.earliest, before.records), (Some(offset(1)), 2));
    bench.log.trim(&stream(), offset(50)).await.unwrap();
    drop(bench);
    let bench = durable.open();
    assert_eq!(bench.bounds(), (50, None, None, 50));
    assert_eq!(bench.append(&["d"]).await.start, offset(50));
}

pub(crate) async fn ids_are_found_in_the_next_process_also_without_their_records(durable: Durable) {
    let bench = durable.open();
    let time = "2026-11-20T09:00:00.5Z".parse::<Timestamp>().unwrap();
    let mut timed = record("a", None);
    timed.event = Event::builder("a", "urn:cloud", "t").time(time).build().unwrap();
    bench.log.open(&stream()).await.unwrap();
    bench.log.append(&stream(), vec![timed, record("b", None)]).await.unwrap();
    let ids = [bench.id("a"), bench.id("b"), bench.id("x")];
    for trimmed in [0, 1, 1000] {
        bench.log.trim(&stream(), offset(trimmed)).await.unwrap();
    }
    drop(bench);
    let bench = durable.open();
    let found = bench.log.find(&stream(), &ids).await.unwrap();
    assert_eq!(found[0].map(|f| (f.offset, f.time)), Some((offset(0), Some(time))));
    assert_eq!(found[1].map(|f| (f.offset, f.time)), Some((offset(1), None)));
    assert_eq!(found[2], None);
}

pub(crate) async fn recorded_times_do_not_decrease_over_a_restart(durable: Durable) {
    let bench = durable.open();
    bench.append(&["a"]).await;
    drop(bench);
    let bench = durable.open();
    bench.advance(SignedDuration::from_hours(-24));
    bench.append(&["b"]).await;
    let chunk = bench.log.read(&stream(), Offset::ZERO, ReadLimit::default()).await.unwrap();
    let times: Vec<_> = chunk.records().map(|r| r.recorded).collect();
    assert!(times[0] <= times[1]);
}

pub(crate) async fn tables_last(durable: Durable) {
    let bench = durable.open();
    let changes = vec![entry("a", Some("1")), entry("b", Some("1"))];
    bench.log.put(Table::Offsets, changes).await.unwrap();
    bench.log.put(Table::Offsets, vec![entry("a", None), entry("c", Some("3"))]).await.unwrap();
    drop(bench);
    let bench = durable.open();
    assert_eq!(table(&bench).await, ["b=1", "c=3"]);
}

pub(crate) async fn a_table_that_is_changed_for_long_stays_small_and_right(durable: Durable) {
    let bench = durable.open();
    let large = "x".repeat(60_000);
    bench.log.put(Table::Offsets, vec![entry("kept", Some("1"))]).await.unwrap();
    for round in 0..200 {
        let value = format!("{round}{large}");
        bench.log.put(Table::Offsets, vec![entry("changed", Some(&value))]).await.unwrap();
    }
    bench.log.put(Table::Offsets, vec![entry("changed", Some("last"))]).await.unwrap();
    drop(bench);
    assert_eq!(table(&durable.open()).await, ["changed=last", "kept=1"]);
}

/// Runs what a log that lasts promises beyond the others.
macro_rules! durability {
    ($make:path) => {
        durability!(@run $make;
            all_that_was_acknowledged_is_there_in_the_next_process,
            positions_and_checkpoints_last,
            a_trim_lasts_inside_a_batch_and_beyond_the_end,
            ids_are_found_in_the_next_process_also_without_their_records,
            recorded_times_do_not_decrease_over_a_restart,
            tables_last,
            a_table_that_is_changed_for_long_stays_small_and_right,
        );
    };
    (@run $make:path; $($promise:ident,)*) => {
        $(
            #[tokio::test(start_paused = true)]
            async fn $promise() {
                $crate::conformance::$promise($make()).await;
            }
        )*
    };
}

/// Runs every promise on the log that `$make` makes; time is paused, so a wait costs nothing.
macro_rules! conformance {
    ($make:path) => {
        conformance!(@run $make, Retention::default();
            an_empty_stream_begins_at_0_and_has_neither_earliest_nor_latest,
            an_unknown_stream_is_an_error_and_not_empty,
            records_are_read_in_the_order_of_appending,
            appending_nothing_changes_nothing,
            a_record_gets_the_offset_it_asks_for_unless_that_is_used_up,
            reading_in_a_gap_begins_behind_it,
            the_last_offsets_are_refused_and_nothing_is_appended,
            a_record_that_is_too_large_is_refused_with_all_its_group,
            a_stored_event_is_what_was_appended_and_its_key_is_the_subject,
            a_reader_waits_for_the_offset_it_asked_for,
            a_wait_that_ends_gives_an_empty_chunk,
            many_readers_each_see_everything_at_their_own_pace,
            a_read_keeps_to_its_limits_but_always_gives_a_batch,
            a_trimmed_offset_is_out_of_range_and_says_the_range,
            trimming_everything_never_lets_an_offset_be_used_again,
            a_waiting_reader_is_told_when_its_offset_is_trimmed,
            an_offset_is_found_by_time_by_id_and_from_the_end,
            ids_are_found_with_their_event_time_and_unknown_ones_are_not,
            positions_are_those_of_each_sources_last_record_also_after_it_went,
            a_checkpoint_is_a_position_until_the_next_record,
            recorded_times_never_decrease_when_the_clock_is_set_back,
            what_is_fetched_undecoded_is_what_is_read,
            a_fetch_keeps_to_its_limit_but_always_gives_a_batch,
            a_table_holds_the_newest_value_of_each_key,
        );
        conformance!(@run $make, Retention { records_max: Some(1), ..Retention::default() };
            the_newest_batch_stays_whatever_retention_says,
        );
        conformance!(@run $make, Retention { records_max: Some(3), ..Retention::default() };
            retention_by_count_deletes_the_oldest_batches,
        );
        conformance!(@run $make, Retention { bytes_max: Some(2000), ..Retention::default() };
            retention_by_size_deletes_the_oldest_batches,
        );
        conformance!(@run $make, Retention { age: Some(std::time::Duration::from_secs(60)),
            ..Retention::default() };
            retention_by_age_counts_from_recording_and_needs_no_append,
        );
    };
    (@run $make:path, $retention:expr; $($promise:ident,)*) => {
        $(
            #[tokio::test(start_paused = true)]
            async fn $promise() {
                $crate::conformance::$promise($make($retention)).await;
            }
        )*
    };
}
