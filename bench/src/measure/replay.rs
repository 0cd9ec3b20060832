//! Fan-out of the past: a thousand watchers read the whole log at once.

use std::{net::SocketAddr, time::Instant};

use anyhow::Result;
use pluvio_e2e::{servers::Simulator, stage::Stage};

use super::{Pairs, Side, interleaved};
use crate::{
    crowd::{self, Crowd},
    machine,
    report::{Goal, Row},
    servers::{self, Bare},
    statistics::median,
    watcher::Watcher,
};

const WATCHERS: usize = 1000;
const EVENTS: usize = 2000;
const PAIRS: usize = 10;

const TARGET: &str = "/api/v1/events?watch=true&offset=earliest&heartbeat=0";
const BARE_TARGET: &str = "/replay";

pub(super) async fn run(stage: &Stage) -> Result<Vec<Row>> {
    let simulated = Simulator::start(stage, EVENTS).await?;
    let mut pluvio = servers::pluvio_with(stage, &simulated).await?;
    let lines = replay_of_one(pluvio.address()).await?;
    let megabytes = (lines.len() * WATCHERS) as f64 / 1e6;
    let count = memchr::memchr_iter(b'\n', &lines).count();
    let bare = Bare::start(stage, &lines).await?;
    let mut rates = Pairs::default();
    // Once each, so that caches and socket buffers are warm on both sides.
    seconds(pluvio.address(), TARGET, count).await?;
    seconds(bare.address, BARE_TARGET, count).await?;
    let processes = [pluvio.process().id(), bare.process.id()];
    let before = processes.map(machine::processor_seconds);
    for side in interleaved(PAIRS) {
        let taken = match side {
            Side::A => seconds(pluvio.address(), TARGET, count).await?,
            Side::B => seconds(bare.address, BARE_TARGET, count).await?,
        };
        rates.push(side, (count * WATCHERS) as f64 / taken);
    }
    let (a, b) = (median(&rates.a), median(&rates.b));
    let busy = |at: usize| (machine::processor_seconds(processes[at]) - before[at]) / PAIRS as f64;
    let per_line = megabytes / (count * WATCHERS) as f64;
    let figures = format!(
        "{:.2} M lines/s ({:.0} MB/s), bare {:.2} M lines/s; {count} events of {:.0} bytes; \
         {:.2} s of processor each, bare {:.2} s",
        a / 1e6,
        a * per_line,
        b / 1e6,
        per_line * 1e6,
        busy(0),
        busy(1),
    );
    let name = format!("fan-out, replay to {WATCHERS}");
    Ok(vec![Row::ratio(&name, Goal::AtLeast(0.7), &rates.ratios(), figures)])
}

/// The bytes that each watcher gets.
async fn replay_of_one(pluvio: SocketAddr) -> Result<Vec<u8>> {
    let mut watch = Watcher::open(pluvio, TARGET).await?;
    let mut lines = Vec::new();
    while memchr::memchr_iter(b'\n', &lines).count() < EVENTS {
        lines.extend_from_slice(&watch.next().await?);
    }
    Ok(lines)
}

/// From the first request until every watcher has every line; the connections stand before.
async fn seconds(address: SocketAddr, target: &'static str, lines: usize) -> Result<f64> {
    crowd::on_one_thread(move || async move {
        let mut crowd = Crowd::connect(address, WATCHERS).await?;
        let begun = Instant::now();
        crowd.ask(target).await?;
        crowd.have(lines * WATCHERS).await?;
        Ok(begun.elapsed().as_secs_f64())
    })
    .await
}
