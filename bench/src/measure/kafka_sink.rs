//! Kafka sink: a log's events into a topic, against Kafka's own producer with the same values and the
//! same settings.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, BufWriter, Write as _},
    path::Path,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use pluvio_e2e::{
    kafka::Admin,
    process::Process,
    servers::{Deployment, Kafka, Machine, Simulator, Source},
    stage::Stage,
};
use tokio::time::{Instant, sleep};

use super::{Pairs, Side, interleaved};
use crate::{
    machine,
    report::{Goal, Row},
    servers,
    statistics::median,
};

const EVENTS: usize = 300_000;
/// Different values of Kafka's producer.
const SAMPLE: usize = 50_000;
const PAIRS: usize = 4;
/// Of both sides, before anything counts.
const WARM_UPS: usize = 1;
const SINK: &str = "kafka";
const BESIDE: &str = "beside";
const PAUSE: Duration = Duration::from_millis(10);
const PATIENCE: Duration = Duration::from_secs(120);
const STOP_MAX: Duration = Duration::from_secs(30);

/// Events a second, and processor seconds for a million of them.
struct Run {
    rate: f64,
    busy: f64,
}

pub(super) async fn run(stage: &Stage) -> Result<Vec<Row>> {
    let simulated = Simulator::start(stage, EVENTS).await?;
    let source = Source { more: "begin = \"2d\"".to_owned(), ..Source::from(&simulated) };
    let log = format!("dir = \"{}\"\nretention_size = \"4 GiB\"", Deployment::DATA);
    let deployment = Deployment::of(source).log(&log);
    let values = stage.folder.path().join("values.ndjson");
    let file = format!("type = \"file\"\npath = \"{}\"\nrotate_size = \"4 GiB\"", values.display());
    let mut pluvio = deployment.clone().sink(BESIDE, &file).start(stage).await?;
    servers::holds(&pluvio, EVENTS, PAUSE).await?;
    servers::reaches(&pluvio, BESIDE, EVENTS as i64).await?;
    pluvio.terminate(STOP_MAX).await?;
    // Reading the cloud would be counted as delivering.
    drop(simulated);
    let sample = stage.folder.path().join("sample.ndjson");
    let bytes = excerpt(&values, &sample)?;
    let sample = sample.to_str().context("a folder's name")?;
    let kafka = Kafka::start(stage, Machine::Full).await?;
    let mut rows = Vec::new();
    for packing in ["none", "lz4"] {
        rows.extend(packed(stage, &deployment, &kafka, packing, sample, bytes).await?);
    }
    Ok(rows)
}

/// Some of the lines, spread over all of them; gives their mean length. Kafka's producer has all its
/// values in a memory of 512 MiB, and takes one of them at random each time.
fn excerpt(values: &Path, sample: &Path) -> Result<f64> {
    let lines = BufReader::new(File::open(values)?).lines().step_by(EVENTS / SAMPLE);
    let (mut count, mut bytes, mut out) = (0, 0, BufWriter::new(File::create(sample)?));
    for line in lines {
        let line = line?;
        writeln!(out, "{line}")?;
        (count, bytes) = (count + 1, bytes + line.len());
    }
    out.flush()?;
    Ok(bytes as f64 / f64::from(count))
}

async fn packed(
    stage: &Stage,
    deployment: &Deployment,
    kafka: &Kafka,
    packing: &str,
    values: &str,
    bytes: f64,
) -> Result<Vec<Row>> {
    let (mut rates, mut busy) = (Pairs::default(), Pairs::default());
    for (number, side) in interleaved(PAIRS + WARM_UPS).enumerate() {
        let topic = format!("{packing}-{number}");
        kafka.make_topic(stage, &topic).await?;
        let run = match side {
            Side::A => ours(stage, deployment, kafka, packing, &topic).await?,
            Side::B => theirs(stage, kafka, packing, &topic, values).await?,
        };
        if number >= 2 * WARM_UPS {
            rates.push(side, run.rate);
            busy.push(side, run.busy);
        }
    }
    let (a, b) = (median(&rates.a), median(&rates.b));
    let figures =
        format!("{a:.0} events/s, Kafka's producer {b:.0}; {EVENTS} events of {bytes:.0} bytes");
    let (a, b) = (median(&busy.a), median(&busy.b));
    let time = format!("{a:.2} s of the processor for a million events, Kafka's producer {b:.2} s");
    let name = format!("kafka sink, {packing}");
    Ok(vec![
        Row::ratio(&name, Goal::AtLeast(0.7), &rates.ratios(), figures),
        Row::ratio(&format!("{name}: processor"), Goal::AtMost(0.5), &busy.ratios(), time),
    ])
}

async fn ours(
    stage: &Stage,
    deployment: &Deployment,
    kafka: &Kafka,
    packing: &str,
    topic: &str,
) -> Result<Run> {
    let address = kafka.access().address;
    let lines = format!(
        "type = \"kafka\"\nbrokers = [\"{address}\"]\ntopic = \"{topic}\"\ncompression = \"{packing}\""
    );
    // A sink of its own for each run, with a cursor of its own.
    let name: &'static str = String::leak(format!("{SINK}-{topic}"));
    let mut pluvio = deployment.clone().sink(name, &lines).start(stage).await?;
    let first = servers::reaches(&pluvio, name, 1).await?;
    let (begun, before) = (Instant::now(), machine::processor_seconds(pluvio.process().id()));
    let last = servers::reaches(&pluvio, name, EVENTS as i64).await?;
    let taken = begun.elapsed().as_secs_f64();
    let used = machine::processor_seconds(pluvio.process().id()) - before;
    pluvio.terminate(STOP_MAX).await?;
    let events = (last - first) as f64;
    ensure!(events > EVENTS as f64 / 2.0, "only {events} were seen on their way");
    Ok(Run { rate: events / taken, busy: used / events * 1e6 })
}

async fn theirs(
    stage: &Stage,
    kafka: &Kafka,
    packing: &str,
    topic: &str,
    values: &str,
) -> Result<Run> {
    let (count, packing) = (EVENTS.to_string(), format!("compression.type={packing}"));
    let arguments = [
        &["--topic", topic, "--num-records", &count, "--payload-file", values][..],
        &["--throughput", "-1", "--command-property", "acks=all", "enable.idempotence=true"],
        &["batch.size=1000000", "max.in.flight.requests.per.connection=1", &packing],
    ];
    let admin = Admin::new(stage, &kafka.access())?;
    let mut command = admin.produce_performance(&arguments.concat()).await?;
    let mut process = Process::start("producer", &mut command, stage.folder.path())?;
    let mut used = 0.0;
    let begun = Instant::now();
    while process.ended()?.is_none() {
        ensure!(begun.elapsed() < PATIENCE, "the producer does not end: {}", process.stderr());
        let now = machine::processor_seconds(process.id());
        used = if now.is_nan() { used } else { f64::max(used, now) };
        sleep(PAUSE).await;
    }
    let said = process.stdout();
    let summary = said.lines().rfind(|line| line.contains("99.9th"));
    let summary = summary.with_context(|| format!("no summary: {said}{}", process.stderr()))?;
    let rate = summary.split(", ").find_map(|part| part.split_once(" records/sec"));
    let rate: f64 = rate.context("no rate")?.0.trim().parse().context("no rate")?;
    Ok(Run { rate, busy: used / EVENTS as f64 * 1e6 })
}
