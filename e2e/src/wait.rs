//! Waiting for a condition, never for time.
//!
//! [`until`] asks again and again until there is an answer or the deadline has passed, and then says
//! what it waited for. [`throughout`] is its opposite: it watches that something stays true, which
//! is the one thing that takes the time it takes.

use std::time::Duration;

use anyhow::{Result, bail};
use jiff::Timestamp;
use tokio::time::{Instant, sleep, timeout};

/// Between two looks: short against every deadline, long against the cost of a look.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// Asks `look` until it gives something; fails after `within`, naming `what`.
pub async fn until<T>(
    what: &str,
    within: Duration,
    mut look: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let deadline = Instant::now() + within;
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        if Instant::now() >= deadline {
            bail!("waited {}s in vain for {what}", within.as_secs_f32());
        }
        sleep(LOOK_INTERVAL).await;
    }
}

/// Asks `look` for the whole of `period`; fails as soon as it does.
pub async fn throughout(period: Duration, mut look: impl AsyncFnMut() -> Result<()>) -> Result<()> {
    let end = Instant::now() + period;
    while Instant::now() < end {
        look().await?;
        sleep(LOOK_INTERVAL).await;
    }
    Ok(())
}

/// Waits until this machine's clock shows `time`.
///
/// For rules about time itself: two events with the same key less than a second apart are the same
/// event to Pluvio, so whoever lets keys begin again does it later than that.
pub async fn until_clock_shows(time: Timestamp) -> Result<()> {
    let left = time.duration_since(Timestamp::now()).unsigned_abs();
    until("the clock", left + Duration::from_secs(5), async || {
        Ok((Timestamp::now() >= time).then_some(()))
    })
    .await
}

/// Lets a moment pass. For faults alone, whose instant is what is varied: nothing is expected to have
/// happened afterwards.
pub async fn a_moment(length: Duration) {
    sleep(length).await;
}

/// Runs `work`, at most `within`.
pub async fn at_most<T>(
    what: &str,
    within: Duration,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    match timeout(within, work).await {
        Ok(done) => done,
        Err(_) => bail!("{what} took longer than {}s", within.as_secs_f32()),
    }
}
