//! A sink in the hand: connected, written to and dropped without a supervisor.

use pluvio_event::{Data, Event, EventBuilder};
use pluvio_log::{
    Log as _, LogHandle, Memory, MemoryConfig, Offset, Position, ReadLimit, Record, SourceName,
    StreamName,
};
use pluvio_runtime::{
    Answers, Connected, Delivered, Moves, News, Outcome, Sink, SinkName, Standing, Taken, Writer,
};
use uuid::Uuid;

/// Where a sink called `archive` stands that was handed everything before `cursor`.
pub(crate) fn standing(log: u128, cursor: i64) -> Standing {
    Standing {
        sink: SinkName::new("archive").unwrap(),
        stream: StreamName::events(),
        log_id: Uuid::from_u128(log),
        cursor: Offset::new(cursor).unwrap(),
        end: Offset::new(1 << 40).unwrap(),
        moves: Moves::default(),
        is_beside: false,
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
    let Connected { writer, cursor } = connection(sink, standing).await;
    (writer, cursor.map(|it| it.next.get()))
}

/// Connects, which must succeed.
pub(crate) async fn connection<S: Sink + Clone>(
    sink: &S,
    standing: Standing,
) -> Connected<S::Writer> {
    match sink.clone().connect(standing).await {
        Ok(connected) => connected,
        Err(error) => unreachable!("failed to connect: {error}"),
    }
}

/// What a target that took this record last tells of it.
pub(crate) fn taken(record: &Delivered) -> Option<Taken> {
    Some(Taken { offset: record.offset(), recorded: record.recorded() })
}

/// What a write told.
#[derive(Debug)]
pub(crate) struct Written<E> {
    pub(crate) outcome: Outcome<E>,
    /// The offsets of those that were reported as taken, in their order.
    pub(crate) taken: Vec<i64>,
    /// Those that were reported as rejected, and why.
    pub(crate) rejected: Vec<(i64, String)>,
}

/// Writes a batch once.
pub(crate) async fn written<W: Writer>(writer: &mut W, batch: &[Delivered]) -> Written<W::Error> {
    written_for(writer, batch, Answers::default()).await
}

/// The same, told to these answers.
pub(crate) async fn written_for<W: Writer>(
    writer: &mut W,
    batch: &[Delivered],
    answers: Answers,
) -> Written<W::Error> {
    let outcome = writer.write(batch, &answers).await;
    let News { mut taken, rejected } = answers.take();
    taken.sort_unstable();
    let taken = taken.into_iter().map(Offset::get).collect();
    let rejected = rejected.into_iter().map(|it| (it.offset.get(), it.reason)).collect();
    Written { outcome, taken, rejected }
}

impl<E: std::fmt::Debug> Written<E> {
    /// The offsets of those that were rejected.
    pub(crate) fn refused(&self) -> Vec<i64> {
        self.rejected.iter().map(|(offset, _)| *offset).collect()
    }

    /// The error of a write that failed, whoever is to blame.
    pub(crate) fn error(self) -> E {
        match self.outcome {
            Outcome::NotConnected(error) | Outcome::Broken { error, .. } => error,
            other => unreachable!("{other:?}"),
        }
    }
}
