//! Consume: the same Kafka clients read the very same record batches from Pluvio and from Apache
//! Kafka.
//!
//! The batches are those of Pluvio, fetched as bytes and produced as bytes, so that neither size nor
//! compression differs. Both servers have read all of it before anything is measured.

mod client;
mod wire;

use std::time::Duration;

use anyhow::{Result, ensure};
use pluvio_e2e::{
    kafka::{Access, Client, Reading},
    process::Process,
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
    let source = Source { more: "begin = \"2d\"".to_owned(), ..Source::from(&simulated) };
    let deployment = Deployment::of(source).kafka()?;
    let mut pluvio = deployment.start(stage).await?;
    servers::holds(&pluvio, EVENTS, PAUSE).await?;
    let kafka = Kafka::start(stage, Machine::Full).await?;
    kafka.make_topic(stage, TOPIC).await?;
    let pluvio = Server { access: deployment.access(), process: pluvio.process().id() };
    let id = |process: &Process| process.id();
    let kafka_server = Server { access: kafka.access(), process: id(kafka.process()) };
    let load = copy(stage, &pluvio, &kafka_server).await?;
    let servers = [pluvio, kafka_server];
    let mut rows = by_librdkafka(stage, &servers, &load).await?;
    rows.push(by_java(stage, &servers, &load).await?);
    rows.push(memory(&servers));
    Ok(rows)
}

fn of(servers: &[Server; 2], side: Side) -> &Server {
    &servers[usize::from(side == Side::B)]
}

/// Copies every batch; both then serve the same records to the same client.
async fn copy(stage: &Stage, from: &Server, to: &Server) -> Result<Load> {
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

async fn by_librdkafka(stage: &Stage, servers: &[Server; 2], load: &Load) -> Result<Vec<Row>> {
    for server in servers {
        for _ in 0..WARM_UPS {
            librdkafka(stage, &server.access, TOPIC).await?;
        }
    }
    let (mut rates, mut busy) = (Pairs::default(), [0.0, 0.0]);
    for side in interleaved(PAIRS) {
        let server = of(servers, side);
        let before = machine::processor_seconds(server.process);
        let taken = librdkafka(stage, &server.access, TOPIC).await?;
        busy[usize::from(side == Side::B)] += machine::processor_seconds(server.process) - before;
        rates.push(side, load.value_bytes / 1e6 / taken);
    }
    let per_gigabyte = busy.map(|seconds| seconds / (load.stored_bytes * PAIRS as f64 / 1e9));
    let figures = format!(
        "{:.0} MB/s of values, Kafka {:.0} MB/s; {} records, {:.0} MB of values in {:.0} MB of \
         batches, the very same in both",
        median(&rates.a),
        median(&rates.b),
        load.records,
        load.value_bytes / 1e6,
        load.stored_bytes / 1e6
    );
    let time = format!(
        "{:.2} s of the server's processor per GB of batches, Kafka {:.2} s",
        per_gigabyte[0], per_gigabyte[1]
    );
    let ratio = per_gigabyte[0] / per_gigabyte[1];
    Ok(vec![
        Row::ratio("consume, librdkafka", Goal::AtLeast(0.9), &rates.ratios(), figures),
        Row::ratio("consume, librdkafka: processor", Goal::AtMost(1.0), &[ratio], time),
    ])
}

async fn by_java(stage: &Stage, servers: &[Server; 2], load: &Load) -> Result<Row> {
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
    Ok(Row::ratio("consume, Java client", Goal::AtLeast(0.9), &rates.ratios(), figures))
}

/// After all reading.
fn memory(servers: &[Server; 2]) -> Row {
    let [pluvio, kafka] = servers.each_ref().map(|it| machine::memory(it.process).resident / 1e6);
    let figures = format!("{pluvio:.0} MB resident, Kafka {kafka:.0} MB with its own 1 GiB heap");
    Row::ratio("consume: memory", Goal::AtMost(0.1), &[pluvio / kafka], figures)
}
