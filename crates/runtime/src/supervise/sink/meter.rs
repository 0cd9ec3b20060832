//! How far a sink is behind, looked at now and then, also while its target is away.

use std::time::Duration;

use jiff::Timestamp;
use pluvio_log::{Log as _, Offset, ReadError, ReadLimit};

use tokio::time::Instant;
use tracing::warn;

use super::{
    SinkContext,
    tell::{Lag, Teller},
};
use crate::LineLimit;

/// How often it is looked.
const INTERVAL: Duration = Duration::from_secs(5);

/// Tells the lag until dropped.
pub(super) async fn run(context: &SinkContext, teller: &Teller) {
    let mut ticks = tokio::time::interval(INTERVAL);
    let (mut missing, mut before) = (LineLimit::default(), None::<(Offset, f64, Instant)>);
    loop {
        ticks.tick().await;
        let Some(next) = teller.next() else { continue };
        // What cannot be read is told by whoever must read it.
        let Ok(mut lag) = lag(context, next).await else { continue };
        // Of records that are deleted nobody knows the age, but that it grows.
        let known = before.filter(|(at, ..)| *at == next && lag.missed_max > 0);
        let grown = known.map(|(_, seconds, at)| seconds + at.elapsed().as_secs_f64());
        lag.seconds = lag.seconds.max(grown.unwrap_or(0.0));
        before = Some((next, lag.seconds, Instant::now()));
        teller.lag(lag);
        if lag.missed_max > 0 && missing.count().is_some() {
            let (sink, records_max) = (context.name.as_str(), lag.missed_max);
            warn!(
                sink,
                records_max,
                "retention deletes records that the sink has not been handed; a gap event will tell it \
                 which. Keep more (`retention_age`, `retention_size` of [log]), or see why the sink waits"
            );
        }
    }
}

async fn lag(context: &SinkContext, next: Offset) -> Result<Lag, ReadError> {
    let extent = context.log.extent(&context.stream)?;
    let between =
        |from: Offset, to: Offset| to.get().saturating_sub(from.get()).max(0).unsigned_abs();
    let missed_max = between(next, extent.start);
    let from = next.max(extent.start);
    let ahead = between(from, extent.next);
    if ahead == 0 {
        return Ok(Lag { records_max: missed_max, missed_max, ..Lag::default() });
    }
    let limit = ReadLimit { records_max: 1, bytes_max: 1, wait: Duration::ZERO };
    let chunk = context.log.read(&context.stream, from, limit).await?;
    let first = chunk.records().next().map(|first| first.recorded);
    let age = first.map(|first| Timestamp::now().duration_since(first).as_secs_f64().max(0.0));
    let there = if first.is_some() { ahead.min(extent.records) } else { 0 };
    Ok(Lag { records_max: there + missed_max, seconds: age.unwrap_or(0.0), missed_max })
}
