//! Dead letters: durable in `<stream>.dead` before the cursor passes the record, once each.

use std::{collections::BTreeMap, io::ErrorKind};

use jiff::Timestamp;
use pluvio_event::InvalidEvent;
use pluvio_log::{
    AppendError, EventId, Found, InvalidName, Log as _, LogHandle, Offset, OpenError, Position,
    PositionTooLong, ReadError, Record, StreamName,
};

use super::letter::Origin;
use crate::{
    Delivered, Failure, Rejected, Response,
    ingest::{DATA_OMITTED, FULL_REMEDY, remedy},
};

/// Dead letters did not get in.
#[derive(Debug, thiserror::Error)]
pub(super) enum DeadError {
    #[error("no name for the stream of dead letters of `{stream}`")]
    Name { stream: StreamName, source: InvalidName },
    #[error("failed to open the stream of dead letters")]
    Open(#[from] OpenError),
    #[error("failed to look up dead letters")]
    Find(#[from] ReadError),
    #[error("failed to append dead letters; the sink waits")]
    Append(#[from] AppendError),
    #[error("failed to make a dead letter")]
    Event(#[from] InvalidEvent),
    #[error("failed to make a dead letter")]
    Position(#[from] PositionTooLong),
}

impl DeadError {
    /// Whether only room is missing, so that the same will work later.
    fn is_full(&self) -> bool {
        match self {
            Self::Append(error) => matches!(error, AppendError::DiskFull { .. }),
            Self::Open(OpenError::Disk { source, .. }) => source.kind() == ErrorKind::StorageFull,
            _ => false,
        }
    }
}

impl Failure for DeadError {
    fn response(&self) -> Response {
        if self.is_full() { Response::Wait(super::FULL_PAUSE) } else { Response::Retry }
    }

    fn remedy(&self) -> Option<String> {
        let text = match self {
            Self::Append(error) => remedy(error)?,
            _ if self.is_full() => FULL_REMEDY,
            _ => return None,
        };
        Some(text.to_owned())
    }
}

/// How the name of a stream ends that dead letters lie in.
pub(crate) const DEAD_SUFFIX: &str = ".dead";

/// Where the dead letters of a stream lie.
pub fn dead_stream(stream: &StreamName) -> Result<StreamName, InvalidName> {
    StreamName::new(&format!("{stream}{DEAD_SUFFIX}"))
}

/// How often records were tried before, by offset; only of records that failed.
pub(super) type Failed = BTreeMap<Offset, u32>;

/// Writes letters for `rejected`, in the order of their records; those that are there already, from
/// before a crash, are not written again. One that retention took is: the log knows its id for a day more, but
/// nobody could read it. Gives how many are new. Durable on return.
pub(super) async fn write(
    log: &LogHandle,
    origin: Origin<'_>,
    records: &[Delivered],
    rejected: &[Rejected],
    failed: &Failed,
) -> Result<usize, DeadError> {
    let name = |source| DeadError::Name { stream: origin.stream.clone(), source };
    let stream = dead_stream(origin.stream).map_err(name)?;
    log.open(&stream).await?;
    let reason_of = |record: &Delivered| {
        rejected.iter().find(|rejected| rejected.offset == record.offset()).map(|r| &r.reason)
    };
    let mut letters = Vec::new();
    for record in records {
        if let Some(reason) = reason_of(record) {
            let attempts = failed.get(&record.offset()).copied().unwrap_or(0).saturating_add(1);
            letters.push((
                record.offset(),
                origin.letter(record, reason, attempts, Timestamp::now())?,
            ));
        }
    }
    let ids: Vec<EventId> = letters.iter().map(|(_, letter)| EventId::of(letter)).collect();
    let found = log.find(&stream, &ids).await?;
    let start = log.extent(&stream)?.start;
    let is_there = |found: Option<Found>| found.is_some_and(|found| found.offset >= start);
    let new = letters.into_iter().zip(found).filter(|(_, found)| !is_there(*found));
    let records: Result<Vec<Record>, PositionTooLong> = new
        .map(|((offset, event), _)| {
            let (source, position) = (origin.sink.writer().clone(), offset.to_string());
            Ok(Record { event, source, position: Position::new(position)?, at_least: None })
        })
        .collect();
    let records = records?;
    let count = records.len();
    append(log, &stream, records).await?;
    Ok(count)
}

/// Appends letters. One that is larger than the log takes, with the original in it, goes without:
/// the original lies in its own stream, and the letter says where.
async fn append(
    log: &LogHandle,
    stream: &StreamName,
    mut records: Vec<Record>,
) -> Result<(), AppendError> {
    loop {
        let error = match log.append(stream, records.clone()).await {
            Ok(_) => return Ok(()),
            Err(error) => error,
        };
        let AppendError::RecordTooLarge { index, .. } = error else { return Err(error) };
        let Some(large) = records.get_mut(index) else { return Err(error) };
        let Some(data) = large.event.data() else { return Err(error) };
        let bytes = data.len().to_string();
        large.event = large.event.clone().without_data(DATA_OMITTED, bytes.into());
    }
}

/// Whether every one of `rejected` is a record of `records`, and there is one.
pub(super) fn are_of(records: &[Delivered], rejected: &[Rejected]) -> bool {
    let is_there = |offset| records.binary_search_by_key(&offset, Delivered::offset).is_ok();
    !rejected.is_empty() && rejected.iter().all(|rejected| is_there(rejected.offset))
}
