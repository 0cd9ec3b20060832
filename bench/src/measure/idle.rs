//! What Pluvio costs while nothing happens.

use std::time::Duration;

use anyhow::Result;
use pluvio_e2e::{
    servers::{Pluvio, START_MAX},
    stage::Stage,
};
use tokio::time::{Instant, sleep};

use crate::{
    crowd::{self, Crowd},
    machine::{self, Memory},
    report::Row,
    servers,
};

const WATCHERS: usize = 1000;
/// Longer than the period of the heartbeats.
const LASTS: Duration = Duration::from_secs(32);
/// For the start and the openings to settle.
const SETTLES: Duration = Duration::from_secs(3);

const RSS_MAX: f64 = 20e6;
const WATCHER_BYTES_MAX: f64 = 16.0 * 1024.0;
const WAKEUPS_MAX: f64 = 5.0;

pub(super) async fn run(stage: &Stage) -> Result<Vec<Row>> {
    let vcsim = servers::vcsim(stage).await?;
    let mut pluvio = Pluvio::start(stage, &servers::by_environment(stage, &vcsim)?).await?;
    pluvio.until_ready(START_MAX).await?;
    sleep(SETTLES).await;
    let (process, address) = (pluvio.process().id(), pluvio.address());
    let alone = machine::memory(process);
    let (with_watchers, wakeups, cores) = crowd::on_one_thread(move || async move {
        let mut crowd = Crowd::connect(address, WATCHERS).await?;
        crowd.ask("/api/v1/events?watch=true").await?;
        crowd.opened().await?;
        sleep(SETTLES).await;
        let memory = machine::memory(process);
        let (begun, woken) = (Instant::now(), machine::wakeups(process));
        let busy = machine::processor_seconds(process);
        sleep(LASTS).await;
        let seconds = begun.elapsed().as_secs_f64();
        let wakeups = (machine::wakeups(process) - woken) / seconds;
        let cores = (machine::processor_seconds(process) - busy) / seconds;
        Ok((memory, wakeups, cores))
    })
    .await?;
    let grown = (with_watchers.resident - alone.resident) / WATCHERS as f64;
    let Memory { resident, anonymous, file } = alone;
    Ok(vec![
        Row {
            name: "idle, one vcsim: resident memory".to_owned(),
            goal: "≤ 20 MB".to_owned(),
            measured: format!("{:.1} MB", resident / 1e6),
            figures: format!(
                "{:.1} MB anonymous, {:.1} MB of the program's file",
                anonymous / 1e6,
                file / 1e6
            ),
            is_met: resident <= RSS_MAX,
        },
        Row {
            name: format!("idle, {WATCHERS} watchers: memory of each"),
            goal: "≤ 16 KiB".to_owned(),
            measured: format!("{:.1} KiB", grown / 1024.0),
            figures: format!("{:.1} MB in all", with_watchers.resident / 1e6),
            is_met: grown <= WATCHER_BYTES_MAX,
        },
        Row {
            name: format!("idle, {WATCHERS} watchers: wake-ups"),
            goal: "≤ 5/s".to_owned(),
            measured: format!("{wakeups:.1}/s"),
            figures: format!("{:.2} % of a core over {} s", cores * 100.0, LASTS.as_secs()),
            is_met: wakeups <= WAKEUPS_MAX,
        },
    ])
}
