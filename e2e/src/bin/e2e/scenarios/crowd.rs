//! A thousand who watch.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use pluvio_e2e::{
    feed::Seen,
    http::{Line, Watch},
    servers::{Pluvio, Vcsim, VcsimOptions},
    stage::Stage,
    wait,
};
use tokio::{task::JoinSet, time::Instant};

use crate::{report::Counts, runner::Scenario};

const WATCHERS: usize = 1_000;
const ARRIVAL_MAX: Duration = Duration::from_secs(30);
/// The promise about SIGTERM.
const DRAIN_MAX: Duration = Duration::from_secs(5);

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "1,000 idle watchers get the same next event, and a clean end at SIGTERM",
            a_thousand_idle_watchers,
        ),
        Scenario::new("SIGTERM without watchers ends at once and frees the session", a_quick_end),
    ]
}

async fn a_thousand_idle_watchers(stage: Arc<Stage>) -> Result<Counts> {
    let vcsim = Vcsim::start(&stage, VcsimOptions { machines: 1, tls: false }).await?;
    let mut pluvio = Pluvio::capture(&stage, &vcsim).await?;
    let mut soap = vcsim.login().await?;
    soap.post_event("com.example.warm", "so that the first watcher is not the first at all")
        .await?;
    let witness = pluvio.collect().await?;
    witness.until_kind("com.example.warm", ARRIVAL_MAX).await?;

    let alone = pluvio.rss_bytes()?;
    let received = Arc::<AtomicUsize>::default();
    let mut watchers = gather(pluvio.address(), &received).await?;
    wait::until("1,000 watches", ARRIVAL_MAX, async || {
        let status = pluvio.status().await?;
        Ok((status["watches"] == WATCHERS + 1).then_some(()))
    })
    .await?;
    let crowded = pluvio.rss_bytes()?;
    let kib_each = crowded.saturating_sub(alone) as f64 / WATCHERS as f64 / 1024.0;

    let begun = Instant::now();
    soap.post_event("com.example.next", "for everybody").await?;
    wait::until("the next event at all watchers", ARRIVAL_MAX, async || {
        Ok((received.load(Ordering::Relaxed) >= WATCHERS).then_some(()))
    })
    .await?;
    let next_after = begun.elapsed();

    // SIGTERM comes in the middle of a stream, so that there are events which not all have yet.
    let posting = tokio::spawn(async move {
        for number in 0..5_000 {
            soap.post_event("com.example.last", &format!("{number}")).await?;
        }
        Ok::<_, anyhow::Error>(())
    });
    wait::until("the stream to flow", ARRIVAL_MAX, async || {
        Ok((received.load(Ordering::Relaxed) >= WATCHERS * 50).then_some(()))
    })
    .await?;
    let (status, took) = pluvio.terminate(DRAIN_MAX * 2).await?;
    posting.abort();
    let ends = ends(&mut watchers).await?;
    ensure!(status.code() == Some(0), "SIGTERM ended it with {status}");
    ensure!(took <= DRAIN_MAX, "SIGTERM took {:.2}s", took.as_secs_f64());
    let last_log = pluvio.process().stderr();
    ensure!(last_log.contains("is_clean=true"), "the drain was not clean");
    Ok(Counts::default()
        .with("watchers", WATCHERS)
        .with("KiB each", format!("{kib_each:.1}"))
        .with("ms to all", next_after.as_millis())
        .with("events each", ends)
        .with("ms to the end", took.as_millis()))
}

/// What one watcher got, and whether its answer ended properly.
type End = (Vec<i64>, bool);

async fn gather(address: SocketAddr, received: &Arc<AtomicUsize>) -> Result<JoinSet<Result<End>>> {
    let mut watchers = JoinSet::new();
    for _ in 0..WATCHERS {
        let mut watch = Watch::open(address, "heartbeat=0").await?;
        let received = Arc::clone(received);
        watchers.spawn(async move {
            let mut offsets = Vec::new();
            loop {
                match watch.line().await {
                    Ok(Line::Event(line)) => offsets.push(Seen::parse(&line)?.offset()?),
                    Ok(Line::End) => return Ok((offsets, true)),
                    Err(_) => return Ok((offsets, false)),
                }
                received.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    Ok(watchers)
}

/// Waits until all watches have ended: properly, with the same events. Gives how many.
async fn ends(watchers: &mut JoinSet<Result<End>>) -> Result<usize> {
    let mut all: Vec<End> = Vec::new();
    wait::at_most("the end of all watches", ARRIVAL_MAX, async {
        while let Some(end) = watchers.join_next().await {
            all.push(end??);
        }
        Ok(())
    })
    .await?;
    let cut = all.iter().filter(|(_, is_clean)| !is_clean).count();
    ensure!(cut == 0, "{cut} of {} watches were cut off", all.len());
    let (longest, _) = all.iter().max_by_key(|(offsets, _)| offsets.len()).context("no watcher")?;
    let short = all.iter().filter(|(offsets, _)| offsets != longest).count();
    ensure!(short == 0, "{short} watchers got less than {} events", longest.len());
    ensure!(longest.windows(2).all(|pair| pair[0] < pair[1]), "events are out of order");
    ensure!(!longest.is_empty(), "nobody got anything");
    Ok(longest.len())
}

/// An orchestrator that restarts a pod waits for it.
async fn a_quick_end(stage: Arc<Stage>) -> Result<Counts> {
    let vcsim = Vcsim::start(&stage, VcsimOptions { machines: 1, tls: false }).await?;
    let mut pluvio = Pluvio::capture(&stage, &vcsim).await?;
    let mut soap = vcsim.login().await?;
    let (status, took) = pluvio.terminate(DRAIN_MAX * 2).await?;
    ensure!(status.code() == Some(0), "SIGTERM ended it with {status}");
    ensure!(took < Duration::from_secs(2), "SIGTERM took {:.2}s", took.as_secs_f64());
    let left = soap.terminate_others(&[]).await?;
    ensure!(left == 0, "{left} sessions were left behind");
    Ok(Counts::default().with("ms to the end", took.as_millis()).with("sessions left", left))
}
