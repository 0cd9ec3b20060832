//! Consume: the same Kafka clients read the very same record batches from Pluvio and from Apache
//! Kafka, packed by LZ4 as is the default, and as they are.
//!
//! The batches are those of Pluvio, fetched as bytes and produced as bytes, so that neither size nor
//! compression differs. Both servers have read all of it before anything is measured.

mod client;
mod wire;

use std::time::Duration;

use anyhow::{Result, ensure};
use pluvio_e2e::{
    kafka::{Access, Client, Reading},
    servers::{Deployment, Kafka, Machine, Simulator, Source},
    stage::Stage,
};

use super::{Pairs, Side, interleaved};
use crate::{
    machine,
    report::{Goal, Row},
    servers,
    statistics::median,
};
use client::{console, librdkafka};
use wire::Wire;

const EVENTS: usize = 300_000;
/// Pairs of runs by librdkafka, and by the Java client, which takes longer to start.
const PAIRS: usize = 8;
const JAVA_PAIRS: usize = 4;
/// Runs before anything counts: Kafka's compilers need some.
const WARM_UPS: usize = 4;
const TOPIC: &str = "events";
/// For how long nobody reads.
const IDLE: Duration = Duration::from_secs(4);
/// To end.
const STOP_MAX: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(50);

/// One of the two servers.
struct Server {
    access: Access,
    process: u32,
}

/// What lies in both.
struct Load {
    records: usize,
    stored_bytes: f64,
    value_bytes: f64,
}

pub(super) async fn run(stage: &Stage) -> Result<Vec<Row>> {
    let simulated = Simulator::start(stage, EVENTS).await?;
    let mut full = Vec::new();
    for packing in ["lz4", "none"] {
        full.push((packing, fill(stage, &simulated, packing).await?));
    }
    // From here on there is no cloud to read: catching up and sweeps would be counted as serving.
    drop(simulated);
    let mut rows = Vec::new();
    for (packing, deployment) in full {
        rows.extend(packed(stage, packing, &deployment).await?);
    }
    Ok(rows)
}

/// Captures everything into a log of its own, and ends.
async fn fill(stage: &Stage, simulated: &Simulator, packing: &str) -> Result<Deployment> {
    let source = Source { more: "begin = \"2d\"".to_owned(), ..Source::from(simulated) };
    let log = format!(
        "dir = \"{}-{packing}\"\ncompression = \"{packing}\"\nretention_size = \"4 GiB\"",
        Deployment::DATA
    );
    let deployment = Deployment::of(source).log(&log).kafka()?;
    let mut pluvio = deployment.start(stage).await?;
    servers::holds(&pluvio, EVENTS, PAUSE).await?;
    pluvio.terminate(STOP_MAX).await?;
    Ok(deployment)
}

/// With batches packed so, both servers freshly started.
async fn packed(stage: &Stage, packing: &str, deployment: &Deployment) -> Result<Vec<Row>> {
    let mut pluvio = deployment.start(stage).await?;
    let kafka = Kafka::start(stage, Machine::Full).await?;
    kafka.make_topic(stage, TOPIC).await?;
    let servers = [
        Server { access: deployment.access(), process: pluvio.process().id() },
        Server { access: kafka.access(), process: kafka.process().id() },
    ];
    let load = copy(stage, &servers).await?;
    let mut rows = by_librdkafka(stage, packing, &servers, &load).await?;
    rows.push(by_java(stage, packing, &servers, &load).await?);
    rows.push(memory(packing, &servers));
    Ok(rows)
}

fn of(servers: &[Server; 2], side: Side) -> &Server {
    &servers[usize::from(side == Side::B)]
}

/// Copies every batch; both then serve the same records to the same client.
async fn copy(stage: &Stage, [from, to]: &[Server; 2]) -> Result<Load> {
    let mut source = Wire::connect(from.access.address, TOPIC).await?;
    let mut target = Wire::connect(to.access.address, TOPIC).await?;
    let (mut next, mut records, mut stored) = (0, 0, 0);
    loop {
        let (batches, behind) = source.fetch(next).await?;
        if batches.is_empty() {
            break;
        }
        for batch in batches {
            records += batch.records();
            stored += batch.len();
            target.produce(batch).await?;
        }
        next = behind;
    }
    let records = usize::try_from(records)?;
    ensure!(records >= EVENTS, "{records} of {EVENTS} records were copied");
    // Not all of it, for the client prints what it sees.
    let reading = Reading::of(TOPIC).count(1_000);
    let here = Client::Kcat.read(stage, &from.access, &reading).await?;
    let there = Client::Kcat.read(stage, &to.access, &reading).await?;
    let is_same = here.iter().zip(&there).all(|(a, b)| a.value == b.value && a.key == b.key);
    ensure!(is_same && here.len() == there.len(), "the copies differ");
    let sample: usize = here.iter().map(|record| record.value.len()).sum();
    let value_bytes = sample as f64 / here.len() as f64 * records as f64;
    Ok(Load { records, stored_bytes: stored as f64, value_bytes })
}

async fn by_librdkafka(
    stage: &Stage,
    packing: &str,
    servers: &[Server; 2],
    load: &Load,
) -> Result<Vec<Row>> {
    for server in servers {
        for _ in 0..WARM_UPS {
            librdkafka(stage, &server.access, TOPIC).await?;
        }
    }
    // What a server does without any reader is none of the readers' cost.
    let idle = idle(servers).await;
    let (mut rates, mut busy) = (Pairs::default(), [0.0, 0.0]);
    for side in interleaved(PAIRS) {
        let (at, server) = (usize::from(side == Side::B), of(servers, side));
        let before = machine::processor_seconds(server.process);
        let taken = librdkafka(stage, &server.access, TOPIC).await?;
        busy[at] += machine::processor_seconds(server.process) - before - idle[at] * taken;
        rates.push(side, load.value_bytes / 1e6 / taken);
    }
    let [a, b] = busy.map(|seconds| seconds / (load.stored_bytes * PAIRS as f64 / 1e9));
    let figures = format!(
        "{:.0} MB/s of values, Kafka {:.0} MB/s; {} records, {:.0} MB of values in {:.0} MB of \
         batches, the very same in both",
        median(&rates.a),
        median(&rates.b),
        load.records,
        load.value_bytes / 1e6,
        load.stored_bytes / 1e6
    );
    let time = format!("{a:.2} s of the server's processor per GB of batches, Kafka {b:.2} s");
    let name = format!("consume, librdkafka, {packing}");
    Ok(vec![
        Row::ratio(&name, Goal::AtLeast(0.9), &rates.ratios(), figures),
        Row::ratio(&format!("{name}: processor"), Goal::AtMost(1.0), &[a / b], time),
    ])
}

/// Processor seconds a second of both, while nobody reads.
async fn idle(servers: &[Server; 2]) -> [f64; 2] {
    let now = || servers.each_ref().map(|server| machine::processor_seconds(server.process));
    let before = now();
    tokio::time::sleep(IDLE).await;
    let after = now();
    [0, 1].map(|at| (after[at] - before[at]) / IDLE.as_secs_f64())
}

async fn by_java(stage: &Stage, packing: &str, servers: &[Server; 2], load: &Load) -> Result<Row> {
    for server in servers {
        console(stage, &server.access, TOPIC, load.records).await?;
    }
    let mut rates = Pairs::default();
    for side in interleaved(JAVA_PAIRS) {
        let rate = console(stage, &of(servers, side).access, TOPIC, load.records).await?;
        rates.push(side, rate);
    }
    let (a, b) = (median(&rates.a), median(&rates.b));
    let figures = format!("{a:.0} MB/s, Kafka {b:.0} MB/s, by its ConsumerPerformance");
    let name = format!("consume, Java client, {packing}");
    Ok(Row::ratio(&name, Goal::AtLeast(0.9), &rates.ratios(), figures))
}

/// After all reading.
fn memory(packing: &str, servers: &[Server; 2]) -> Row {
    let [pluvio, kafka] = servers.each_ref().map(|server| machine::memory(server.process));
    let figures = format!(
        "{:.0} MB resident, {:.0} MB of it anonymous; Kafka {:.0} MB with its own 1 GiB heap",
        pluvio.resident / 1e6,
        pluvio.anonymous / 1e6,
        kafka.resident / 1e6
    );
    let name = format!("consume, {packing}: memory");
    Row::ratio(&name, Goal::AtMost(0.1), &[pluvio.resident / kafka.resident], figures)
}
