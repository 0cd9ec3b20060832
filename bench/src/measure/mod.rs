//! The benchmarks: one file for each, in the order of the table.

mod append;
mod capture;
mod catch_up;
mod cloudstack;
mod consume;
mod hostile;
mod idle;
mod kafka_sink;
mod live;
mod long_log;
mod memory;
mod replay;
mod sinks;
mod start;
mod sustained;

use anyhow::Result;
use pluvio_e2e::{folder::Folder, stage::Stage};

use crate::{report::Row, servers::tell};

/// Which side is measured next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    /// Pluvio.
    A,
    /// The baseline.
    B,
}

/// A B B A, A B B A, …: twice as many measurements as `pairs`.
fn interleaved(pairs: usize) -> impl Iterator<Item = Side> {
    let order = [Side::A, Side::B, Side::B, Side::A];
    order.into_iter().cycle().take(2 * pairs)
}

/// Measurements of both sides, in the order in which they were made.
#[derive(Debug, Default)]
struct Pairs {
    a: Vec<f64>,
    b: Vec<f64>,
}

impl Pairs {
    fn push(&mut self, side: Side, value: f64) {
        match side {
            Side::A => self.a.push(value),
            Side::B => self.b.push(value),
        }
    }

    /// A ÷ B of each pair.
    fn ratios(&self) -> Vec<f64> {
        self.a.iter().zip(&self.b).map(|(a, b)| a / b).collect()
    }
}

/// Runs those whose name contains `filter`.
pub(crate) async fn run(stage: &Stage, filter: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    for name in NAMES.into_iter().filter(|name| name.contains(filter)) {
        tell(&format!("{name} …"));
        match alone(stage, name).await {
            Ok(more) => rows.extend(more),
            Err(error) => rows.push(Row::failed(name, &error)),
        }
    }
    rows
}

/// All benchmarks, for the filter and its help.
pub(crate) const NAMES: [&str; 17] = [
    "append",
    "long-log",
    "capture-latency",
    "sustained",
    "burst",
    "catch-up",
    "fan-out-replay",
    "fan-out-live",
    "hostile-filters",
    "consume",
    "kafka-sink",
    "cloudstack",
    "webhook",
    "backlog",
    "memory-limits",
    "idle",
    "start",
];

/// In a folder of its own: a configuration that another left behind would be taken for ours.
async fn alone(stage: &Stage, name: &str) -> Result<Vec<Row>> {
    let (pluvio, tools) = (stage.pluvio.clone(), stage.tools.clone());
    one(&Stage { folder: Folder::new(name)?, seed: stage.seed, pluvio, tools }, name).await
}

async fn one(stage: &Stage, name: &str) -> Result<Vec<Row>> {
    match name {
        "append" => append::run(stage).await,
        "long-log" => long_log::run(stage).await,
        "capture-latency" => capture::run(stage).await,
        "sustained" => sustained::run(stage).await,
        "burst" => sustained::burst(stage).await,
        "catch-up" => catch_up::run(stage).await,
        "fan-out-replay" => replay::run(stage).await,
        "fan-out-live" => live::run(stage).await,
        "hostile-filters" => hostile::run(stage).await,
        "consume" => consume::run(stage).await,
        "kafka-sink" => kafka_sink::run(stage).await,
        "cloudstack" => cloudstack::run(stage).await,
        "webhook" => sinks::webhook(stage).await,
        "backlog" => sinks::backlog(stage).await,
        "memory-limits" => memory::run(stage).await,
        "idle" => idle::run(stage).await,
        _ => start::run(stage).await,
    }
}
