//! Capture latency: from an event's `createdTime` to a line at a watcher, against a bare probe.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use jiff::Timestamp;
use pluvio_e2e::{servers::START_MAX, stage::Stage};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until, timeout},
};

use super::{Pairs, Side, interleaved};
use crate::{
    report::{Goal, Row},
    servers,
    statistics::quantile_of,
    vcenter::{POSTED_TYPE, VCenter},
    watcher::{self, Watcher},
};

const PAIRS: usize = 8;
const EVENTS: u64 = 100;
/// vcsim looks for changes each 20 ms: the spacing must not beat in time with that.
const SPACING_MICROS: std::ops::Range<u64> = 2_000..42_000;
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) async fn run(stage: &Stage) -> Result<Vec<Row>> {
    let (with_pluvio, with_probe) = (servers::vcsim(stage).await?, servers::vcsim(stage).await?);
    let pluvio = servers::pluvio(stage, &with_pluvio).await?;
    pluvio.until_ready(START_MAX).await?;
    let posters = [VCenter::login(&with_pluvio).await?, VCenter::login(&with_probe).await?];
    let watch = Watcher::open(pluvio.address(), "/api/v1/events?watch=true&heartbeat=0").await?;
    let (at_watcher, mut pluvio_latencies) = mpsc::unbounded_channel();
    let (at_probe, mut probe_latencies) = mpsc::unbounded_channel();
    let watching = tokio::spawn(listen(watch, at_watcher));
    let probing = tokio::spawn(VCenter::login(&with_probe).await?.probe(at_probe));
    let mut random = StdRng::seed_from_u64(1);
    // The first events warm both sides up.
    post(&posters[0], &mut pluvio_latencies, &mut random, 20).await.context("at a watcher")?;
    post(&posters[1], &mut probe_latencies, &mut random, 20).await.context("at the probe")?;
    let (mut p50, mut p99) = (Pairs::default(), Pairs::default());
    let (mut all_a, mut all_b) = (Vec::new(), Vec::new());
    for side in interleaved(PAIRS) {
        let samples = match side {
            Side::A => post(&posters[0], &mut pluvio_latencies, &mut random, EVENTS).await?,
            Side::B => post(&posters[1], &mut probe_latencies, &mut random, EVENTS).await?,
        };
        p50.push(side, quantile_of(&samples, 0.50));
        p99.push(side, quantile_of(&samples, 0.99));
        if side == Side::A { &mut all_a } else { &mut all_b }.extend(samples);
    }
    watching.abort();
    probing.abort();
    let row = |name, goal, share, aim, pairs: &Pairs| {
        let (a, b) = (quantile_of(&all_a, share), quantile_of(&all_b, share));
        let figures = format!("{a:.1} ms, bare probe {b:.1} ms (aim ≤ {aim} ms)");
        Row::ratio(name, Goal::AtMost(goal), &pairs.ratios(), figures)
    };
    Ok(vec![
        row("capture latency, vcsim, p50", 1.25, 0.50, 25, &p50),
        row("capture latency, vcsim, p99", 1.5, 0.99, 60, &p99),
    ])
}

/// Posts so many events at random moments and gives their latencies.
async fn post(
    poster: &VCenter,
    latencies: &mut mpsc::UnboundedReceiver<f64>,
    random: &mut StdRng,
    events: u64,
) -> Result<Vec<f64>> {
    let mut next = Instant::now();
    for number in 0..events {
        next += Duration::from_micros(random.random_range(SPACING_MICROS));
        sleep_until(next).await;
        poster.post(number).await?;
    }
    let mut samples = Vec::new();
    while (samples.len() as u64) < events {
        let latency = timeout(PATIENCE, latencies.recv()).await;
        let latency = latency.with_context(|| format!("{} of {events} came", samples.len()))?;
        samples.push(latency.ok_or_else(|| anyhow!("the listener ended"))?);
    }
    Ok(samples)
}

async fn listen(mut watch: Watcher, latencies: mpsc::UnboundedSender<f64>) -> Result<()> {
    loop {
        let lines = watch.next().await?;
        let now = Timestamp::now();
        for event in watcher::events(&lines)? {
            if let Some(time) = event.time.filter(|_| event.r#type.contains(POSTED_TYPE)) {
                latencies.send(now.duration_since(time).as_secs_f64() * 1e3)?;
            }
        }
    }
}
