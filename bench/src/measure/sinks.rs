//! Sinks: a webhook against a bare client that sends the same events from a file; and what a slow target
//! with a million events before it costs Pluvio and the others.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Result, bail, ensure};
use futures::{StreamExt as _, stream};
use pluvio_e2e::{
    servers::{Deployment, Pluvio, Setup, Simulator, Source},
    stage::Stage,
};
use pluvio_net::{HttpClient, Request, TlsOptions};

use super::{Pairs, Side, interleaved};
use crate::{
    receiver::Receiver,
    report::{Goal, Row},
    servers,
    statistics::{median, quantile_of},
};

const PAIRS: usize = 4;
/// How many events go in each way.
const SHAPES: [Shape; 3] = [
    Shape { name: "one a request, 1 in flight", events: 20_000, in_flight: 1, batch: 1 },
    Shape { name: "one a request, 64 in flight", events: 100_000, in_flight: 64, batch: 1 },
    Shape { name: "500 a request, 1 in flight", events: 300_000, in_flight: 1, batch: 500 },
];
const BACKLOG: usize = 1_000_000;
/// The slow target takes 20 events a second.
const SLOW_MS: u64 = 50;
const LIVE_PER_SECOND: u32 = 500;
const LIVE_S: u64 = 8;
const LIVE_PAIRS: usize = 6;
/// What the bare client reads at once, as much as a sink reads of the log.
const FILE_BUFFER_BYTES: usize = 1 << 20;
const PAUSE: Duration = Duration::from_millis(10);
const PATIENCE: Duration = Duration::from_secs(120);
const STOP_MAX: Duration = Duration::from_secs(30);

#[derive(Clone, Copy)]
struct Shape {
    name: &'static str,
    events: usize,
    in_flight: usize,
    batch: usize,
}

pub(super) async fn webhook(stage: &Stage) -> Result<Vec<Row>> {
    let most = SHAPES.iter().map(|shape| shape.events).max().unwrap_or_default();
    let (folder, lines) = full(stage, most).await?;
    let mut rows = Vec::new();
    for shape in SHAPES {
        let (mut rates, receiver) = (Pairs::default(), Receiver::start(stage).await?);
        for side in interleaved(PAIRS) {
            let seconds = match side {
                Side::A => by_pluvio(stage, &folder, shape, &receiver).await?,
                Side::B => bare(&lines, shape, &receiver).await?,
            };
            rates.push(side, shape.events as f64 / seconds);
        }
        let (a, b) = (median(&rates.a), median(&rates.b));
        let figures = format!("{a:.0} events/s, bare client {b:.0}/s");
        let name = format!("webhook sink, {}", shape.name);
        rows.push(Row::ratio(&name, Goal::AtLeast(0.7), &rates.ratios(), figures));
    }
    Ok(rows)
}

/// A log with so many events, and a file with one of them in each line, as a webhook is sent them.
async fn full(stage: &Stage, events: usize) -> Result<(String, PathBuf)> {
    let simulated = Simulator::start(stage, events).await?;
    let folder = stage.folder.path().join("full").display().to_string();
    let lines = stage.folder.path().join("lines.ndjson");
    let file = format!("type = \"file\"\npath = \"{}\"\nrotate_size = \"8 GiB\"", lines.display());
    let source = Source { more: "begin = \"2d\"".to_owned(), ..Source::from(&simulated) };
    let deployment =
        Deployment::of(source).log(&format!("dir = \"{folder}\"\nretention_size = \"8 GiB\""));
    let mut pluvio = deployment.sink("lines", &file).start(stage).await?;
    servers::holds(&pluvio, events, PAUSE).await?;
    servers::reaches(&pluvio, "lines", events as i64).await?;
    pluvio.terminate(STOP_MAX).await?;
    Ok((folder, lines))
}

/// From the start of a new sink until everything has arrived.
async fn by_pluvio(stage: &Stage, folder: &str, shape: Shape, receiver: &Receiver) -> Result<f64> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let (format, batch) = match shape.batch {
        1 => ("cloudevents", 1000),
        batch => ("cloudevents-batch", batch),
    };
    let lines = format!(
        "[log]\ndir = \"{folder}\"\nretention_size = \"8 GiB\"\n\n[sinks.new-{number}]\n\
         type = \"webhook\"\nurl = \"http://{}/take\"\nformat = \"{format}\"\n\
         batch_events = {batch}\nmax_in_flight = {}\n",
        receiver.address, shape.in_flight,
    );
    let before = receiver.told().await?.requests;
    let begun = Instant::now();
    let mut pluvio = Pluvio::start(stage, &Setup::File(lines)).await?;
    arrived(receiver, before, (shape.events / shape.batch) as u64).await?;
    let seconds = begun.elapsed().as_secs_f64();
    pluvio.kill().await?;
    Ok(seconds)
}

/// Waits until so many requests have come; gives how long their events were on the way.
async fn arrived(receiver: &Receiver, before: u64, wanted: u64) -> Result<Vec<f64>> {
    let (begun, mut latencies) = (Instant::now(), Vec::new());
    loop {
        let told = receiver.told().await?;
        latencies.extend(told.latencies_us.into_iter().map(|micros| micros as f64));
        let count = told.requests - before;
        if count >= wanted {
            return Ok(latencies);
        }
        if begun.elapsed() > PATIENCE {
            bail!("{count} of {wanted} requests after {PATIENCE:?}");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The same events, line after line of a file: no compression, no checksum, no filter, no cursor.
async fn bare(lines: &Path, shape: Shape, receiver: &Receiver) -> Result<f64> {
    let client = HttpClient::new(&TlsOptions { insecure: true, ..TlsOptions::default() })?;
    let url: url::Url = format!("http://{}/take", receiver.address).parse()?;
    let begun = Instant::now();
    let mut lines = BufReader::with_capacity(FILE_BUFFER_BYTES, File::open(lines)?);
    let bodies = std::iter::from_fn(|| body(&mut lines, shape.batch).transpose());
    let mut answers = stream::iter(bodies.take(shape.events / shape.batch))
        .map(|body| async { anyhow::Ok(client.send(Request::post(url.clone(), body?)).await?) })
        .buffer_unordered(shape.in_flight);
    let mut count = 0;
    while let Some(answer) = answers.next().await {
        ensure!(answer?.status.is_success(), "the receiver refuses");
        count += 1;
    }
    ensure!(count == shape.events / shape.batch, "the file ends after {count} requests");
    Ok(begun.elapsed().as_secs_f64())
}

/// The next lines as one request; `None` behind the last.
fn body(lines: &mut impl BufRead, batch: usize) -> Result<Option<bytes::Bytes>> {
    let mut body = Vec::new();
    for number in 0..batch {
        if batch > 1 {
            body.push(if number == 0 { b'[' } else { b',' });
        }
        if lines.read_until(b'\n', &mut body)? == 0 {
            return Ok(None);
        }
        body.pop();
    }
    body.extend((batch > 1).then_some(b']'));
    Ok(Some(body.into()))
}

/// A million events before a slow target.
pub(super) async fn backlog(stage: &Stage) -> Result<Vec<Row>> {
    let simulated = Simulator::start(stage, BACKLOG).await?;
    let (slow, quick) = (Receiver::start(stage).await?, Receiver::start(stage).await?);
    let source = Source { more: "begin = \"2d\"".to_owned(), ..Source::from(&simulated) };
    let full = Deployment::of(source).log("dir = \"full\"\nretention_size = \"8 GiB\"");
    let mut filling = full.start(stage).await?;
    servers::holds(&filling, BACKLOG, PAUSE).await?;
    filling.terminate(STOP_MAX).await?;
    let (mut latencies, mut memory) = (Pairs::default(), Vec::new());
    for (number, side) in interleaved(LIVE_PAIRS).enumerate() {
        let take = |receiver: &Receiver, more: &str| {
            format!("type = \"webhook\"\nurl = \"http://{}/take{more}", receiver.address)
        };
        let quick_lines = take(&quick, "\"\nfrom = \"latest\"");
        let slow_lines = take(&slow, &format!("?wait_ms={SLOW_MS}\""));
        // A new sink each time: one that was there before would go on where it stood.
        let name = |name: &str| -> &'static str { String::leak(format!("{name}-{number}")) };
        let mut deployment = full.clone().sink(name("quick"), &quick_lines);
        if side == Side::A {
            deployment = deployment.sink(name("slow"), &slow_lines);
        }
        let mut pluvio = deployment.start(stage).await?;
        pluvio.until_ready(STOP_MAX).await?;
        let before = quick.told().await?.requests;
        simulated.control(&format!("rate?per_second={LIVE_PER_SECOND}")).await?;
        let wanted = u64::from(LIVE_PER_SECOND) * LIVE_S;
        let micros = arrived(&quick, before, wanted).await?;
        simulated.control("rate?per_second=0").await?;
        latencies.push(side, quantile_of(&micros, 0.99));
        if side == Side::A {
            memory.push(pluvio.rss_bytes()? as f64 / 1e6);
        }
        pluvio.terminate(STOP_MAX).await?;
    }
    let (a, b) = (median(&latencies.a) / 1e3, median(&latencies.b) / 1e3);
    Ok(vec![
        Row::ratio(
            &format!("a backlog of {BACKLOG} before a slow sink: p99 of another"),
            Goal::AtMost(1.2),
            &latencies.ratios(),
            format!("{a:.2} ms from recorded to received, without the slow one {b:.2} ms"),
        ),
        Row::ratio(
            "the same: resident memory, MB",
            Goal::AtMost(150.0),
            &memory,
            format!("the slow target takes {} events/s", 1000 / SLOW_MS),
        ),
    ])
}
