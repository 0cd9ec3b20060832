//! Fan-out of the present: one event to a thousand watchers, and with some that read nothing.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use pluvio_e2e::{servers::Simulator, stage::Stage as Setting};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::time::sleep;

use super::{Pairs, Side, interleaved};
use crate::{
    crowd::{self, Crowd},
    report::{Goal, Row},
    servers::{self, Bare},
    statistics::{median, millis, quantile_of},
    watcher::Watcher,
};

const WATCHERS: usize = 1000;
const STALLED: usize = 100;
const EVENTS: usize = 25;
const PAIRS: usize = 6;
/// More than the buffers between a server and a reader who does not read.
const BACKLOG: usize = 20_000;

const TARGET: &str = "/api/v1/events?watch=true&heartbeat=0";
const STALLED_TARGET: &str = "/api/v1/events?watch=true&heartbeat=0&offset=earliest";
const BARE_TARGET: &str = "/live";

/// Where to connect, and whom to ask for an event.
#[derive(Clone, Copy, Debug)]
struct Stage {
    server: SocketAddr,
    target: &'static str,
    maker: SocketAddr,
    make: &'static str,
}

pub(super) async fn run(setting: &Setting) -> Result<Vec<Row>> {
    let simulated = Simulator::start(setting, BACKLOG).await?;
    let pluvio = servers::pluvio_with(setting, &simulated).await?;
    let line = Watcher::open(pluvio.address(), STALLED_TARGET).await?.next().await?;
    let bare = Bare::start(setting, &line).await?;
    let ours = Stage {
        server: pluvio.address(),
        target: TARGET,
        maker: simulated.address(),
        make: "/control/post?count=1",
    };
    let bare =
        Stage { server: bare.address, target: BARE_TARGET, maker: bare.address, make: "/go" };
    let spread = crowd::on_one_thread(move || spread(ours, bare)).await?;
    let stalled = crowd::on_one_thread(move || with_stalled(ours)).await?;
    Ok(vec![spread, stalled])
}

/// First to last of all watchers, against the bare writer.
async fn spread(ours: Stage, bare: Stage) -> Result<Row> {
    let crowds = [open(ours, WATCHERS).await?, open(bare, WATCHERS).await?];
    let mut random = StdRng::seed_from_u64(1);
    let mut spreads = Pairs::default();
    for side in interleaved(PAIRS) {
        let (stage, crowd) = match side {
            Side::A => (ours, &crowds[0]),
            Side::B => (bare, &crowds[1]),
        };
        let mut each = Vec::new();
        for _ in 0..EVENTS {
            let arrivals = event(stage, crowd, &mut random).await?;
            each.push(quantile_of(&arrivals, 1.0));
        }
        spreads.push(side, median(&each));
    }
    let (a, b) = (median(&spreads.a), median(&spreads.b));
    let figures = format!("{a:.1} ms from the first to the last, bare {b:.1} ms");
    let name = format!("fan-out, live to {WATCHERS}");
    Ok(Row::ratio(&name, Goal::AtMost(1.5), &spreads.ratios(), figures))
}

/// The same watchers with and without some that stall.
async fn with_stalled(ours: Stage) -> Result<Row> {
    let mut random = StdRng::seed_from_u64(2);
    let crowd = open(ours, WATCHERS - STALLED).await?;
    let mut p99 = Pairs::default();
    for side in interleaved(PAIRS) {
        let stalled = match side {
            Side::A => crowd::stalled(ours.server, STALLED_TARGET, STALLED).await?,
            Side::B => Vec::new(),
        };
        // Until the server has filled what it could; the same pause on both sides.
        sleep(Duration::from_millis(500)).await;
        let mut latencies = Vec::new();
        for _ in 0..EVENTS {
            latencies.extend(event(ours, &crowd, &mut random).await?);
        }
        p99.push(side, quantile_of(&latencies, 0.99));
        drop(stalled);
    }
    let (a, b) = (median(&p99.a), median(&p99.b));
    let figures = format!("p99 of the other {} {a:.1} ms, without {b:.1} ms", WATCHERS - STALLED);
    let name = format!("fan-out, live, {STALLED} of {WATCHERS} stalled");
    Ok(Row::ratio(&name, Goal::AtMost(1.2), &p99.ratios(), figures))
}

async fn open(stage: Stage, watchers: usize) -> Result<Crowd> {
    let mut crowd = Crowd::connect(stage.server, watchers).await?;
    crowd.ask(stage.target).await?;
    crowd.opened().await.context("the crowd")?;
    Ok(crowd)
}

/// Makes one event and gives each watcher's latency behind the first, in milliseconds.
async fn event(stage: Stage, crowd: &Crowd, random: &mut StdRng) -> Result<Vec<f64>> {
    sleep(Duration::from_micros(random.random_range(10_000..30_000))).await;
    let arrivals = crowd.arrivals(servers::post(stage.maker, stage.make)).await?;
    let first = arrivals.iter().min().copied().unwrap_or_else(Instant::now);
    Ok(arrivals.iter().map(|at| millis(at.duration_since(first))).collect())
}
