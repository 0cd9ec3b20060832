//! How far a sink is behind, looked at now and then, also while its target is away.

use std::time::Duration;

use jiff::Timestamp;
use pluvio_log::{Log as _, Offset, ReadError, ReadLimit};

use super::{SinkContext, tell::Teller};

/// How often it is looked.
const INTERVAL: Duration = Duration::from_secs(5);

/// Tells the lag until dropped.
pub(super) async fn run(context: &SinkContext, teller: &Teller) {
    let mut ticks = tokio::time::interval(INTERVAL);
    loop {
        ticks.tick().await;
        let Some(next) = teller.next() else { continue };
        // What cannot be read is told by whoever must read it.
        if let Ok((records_max, seconds)) = lag(context, next).await {
            teller.lag(records_max, seconds);
        }
    }
}

/// Records that lie before the sink, at most, and how long ago the first of them was stored. Offsets
/// leave gaps, so their difference is a bound and no count.
async fn lag(context: &SinkContext, next: Offset) -> Result<(u64, f64), ReadError> {
    let extent = context.log.extent(&context.stream)?;
    let next = next.max(extent.start);
    let ahead = extent.next.get().saturating_sub(next.get()).max(0).unsigned_abs();
    if ahead == 0 {
        return Ok((0, 0.0));
    }
    let limit = ReadLimit { records_max: 1, bytes_max: 1, wait: Duration::ZERO };
    let chunk = context.log.read(&context.stream, next, limit).await?;
    let Some(first) = chunk.records().next() else { return Ok((0, 0.0)) };
    let seconds = Timestamp::now().duration_since(first.recorded).as_secs_f64().max(0.0);
    Ok((ahead.min(extent.records), seconds))
}
