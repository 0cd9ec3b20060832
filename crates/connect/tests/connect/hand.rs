//! A sink in the hand: connected, written to and dropped without a supervisor.

use pluvio_event::{Data, Event, EventBuilder};
use pluvio_log::{
    Log as _, LogHandle, Memory, MemoryConfig, Offset, Position, ReadLimit, Record, SourceName,
    StreamName,
};
use pluvio_runtime::{Connected, Delivered, Sink, SinkName, Standing};
use uuid::Uuid;

/// Where a sink called `archive` stands that was handed everything before `cursor`.
pub(crate) fn standing(log: u128, cursor: i64) -> Standing {
    Standing {
        sink: SinkName::new("archive").unwrap(),
        stream: StreamName::events(),
        log_id: Uuid::from_u128(log),
        cursor: Offset::new(cursor).unwrap(),
    }
}

/// The records `first ..= last` of a stream, each with its number as id.
pub(crate) async fn records(numbers: std::ops::RangeInclusive<i64>) -> Vec<Delivered> {
    records_of(numbers, |_| None).await
}

/// The same, each with a subject.
pub(crate) async fn records_of(
    numbers: std::ops::RangeInclusive<i64>,
    subject: impl Fn(i64) -> Option<String>,
) -> Vec<Delivered> {
    let log = LogHandle::new(Memory::new(MemoryConfig::default()));
    let stream = StreamName::events();
    log.open(&stream).await.unwrap();
    let record = |number: i64| {
        let event = Event::builder(number.to_string(), "urn:test", "com.example.Thing.v0")
            .time("2026-11-20T10:31:22Z".parse().unwrap())
            .data(Data::json(format!("{{\n \"message\": \"thing {number}\"}}")).unwrap());
        let event = subject(number).into_iter().fold(event, EventBuilder::subject);
        Record {
            event: event.build().unwrap(),
            source: SourceName::new("test").unwrap(),
            position: Position::new("").unwrap(),
            at_least: Offset::new(number),
        }
    };
    let first = Offset::new(*numbers.start()).unwrap();
    log.append(&stream, numbers.map(record).collect()).await.unwrap();
    let limit = ReadLimit { records_max: 10_000, ..ReadLimit::default() };
    let chunk = log.read(&stream, first, limit).await.unwrap();
    chunk.records().cloned().map(Delivered::new).collect()
}

/// Connects, which must succeed; gives the writer and the target's cursor.
pub(crate) async fn connected<S: Sink + Clone>(
    sink: &S,
    standing: Standing,
) -> (S::Writer, Option<i64>) {
    match sink.clone().connect(standing).await {
        Ok(Connected { writer, cursor }) => (writer, cursor.map(Offset::get)),
        Err(error) => unreachable!("failed to connect: {error}"),
    }
}
