//! Requests that are wrong, over the real binary, byte by byte.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use pluvio_e2e::{
    feed::Seen,
    http::{Connection, Line, Watch},
    servers::{Pluvio, Simulator, Source},
    stage::Stage,
    wait,
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, interval},
};

use crate::{
    report::Counts,
    runner::{Lane, Scenario},
};

const ARRIVAL_MAX: Duration = Duration::from_secs(30);

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new("wrong requests are answered with the status that the issue lists", wrong),
        Scenario::new("a watch from a future offset waits, and then begins there", a_future_watch),
        Scenario::new("requests that are too large are refused, not read", too_large),
        Scenario::new("a request that never ends is closed after 10 s", slowloris)
            .lane(Lane::Patient),
    ]
}

/// Pluvio with a log of 100 records in memory, of which the oldest are purged: whole batches at a time, and
/// never the newest, so events are made until that has happened.
async fn purged(stage: &Stage) -> Result<(Simulator, Pluvio)> {
    let simulator = Simulator::start(stage, 200).await?;
    let source = Source { more: "begin = \"25h\"".to_owned(), ..Source::from(&simulator) };
    let limited = source.setup_with("type = \"memory\"\nretention_records = 100");
    let pluvio = Pluvio::start(stage, &limited).await?;
    pluvio.until_ready(ARRIVAL_MAX).await?;
    wait::until("events to be purged", ARRIVAL_MAX, async || {
        simulator.control("post?count=20").await?;
        let range = pluvio.get("/api/v1/range").await?;
        let earliest = range.json::<Value>().ok().and_then(|range| range["earliest"].as_i64());
        Ok(earliest.filter(|earliest| *earliest > 200))
    })
    .await?;
    until_quiet(&simulator, &pluvio).await?;
    Ok((simulator, pluvio))
}

/// Waits until everything that happened is captured.
async fn until_quiet(simulator: &Simulator, pluvio: &Pluvio) -> Result<()> {
    wait::until("everything to be captured", ARRIVAL_MAX, async || {
        let produced = simulator.produced().await?.len() as u64;
        let captured = pluvio.source().await?["events"].as_u64();
        Ok((captured == Some(produced)).then_some(()))
    })
    .await
}

async fn wrong(stage: Arc<Stage>) -> Result<Counts> {
    let (_simulator, pluvio) = purged(&stage).await?;
    let range: Value = pluvio.get("/api/v1/range").await?.json()?;
    let latest = range["latest"].as_i64().context("no latest offset")?;
    let future = format!("/api/v1/events/{}", latest + 1000);
    let long = format!("/api/v1/events?filter={}", "x".repeat(20_000));
    let other_log = "/api/v1/events?watch=true&log=00000000-0000-4000-8000-000000000000";
    let cases: &[(&str, u16, &str)] = &[
        ("/api/v1/events/5", 410, "invalid offset: offset out of range"),
        ("/api/v1/events?watch=true&offset=5", 410, "invalid offset: offset out of range"),
        ("/api/v1/events?offset=5", 410, "invalid offset: offset out of range"),
        (&future, 404, "invalid offset: future offset"),
        ("/api/v1/events/five", 400, "invalid offset"),
        ("/api/v1/events?watch=true&offset=five", 400, "invalid offset"),
        ("/api/v1/events?watch=1", 400, "invalid watch parameter"),
        ("/api/v1/events?filter=type+%3D%3D%3D+1", 400, "filter"),
        ("/api/v1/events?watch=true&filter=(", 400, "filter"),
        ("/api/v1/events?ofset=5", 400, "offset"),
        ("/api/v1/events?limit=0", 400, "limit"),
        ("/api/v1/events?since=yesterday", 400, "since"),
        (other_log, 410, ""),
        ("/api/v1/streams/nothing/events", 404, "nothing"),
        ("/api/v1/event", 404, "/api/v1/events"),
        (&long, 414, ""),
    ];
    for (target, status, part) in cases {
        let answer = pluvio.get(target).await?;
        let shown = &target[..target.len().min(80)];
        let text = answer.text();
        ensure!(answer.status() == *status, "`{shown}`: {} {text}", answer.status());
        let problem: Value = answer.json()?;
        let detail = problem["detail"].as_str().unwrap_or_default();
        ensure!(detail.contains(part), "`{shown}` does not say `{part}`: {text}");
        ensure!(problem["status"] == *status, "`{shown}`: the body's status differs: {text}");
        let media_type = answer.head.header("content-type");
        ensure!(media_type == Some("application/problem+json"), "`{shown}`: {media_type:?}");
    }
    let mut connection = Connection::open(pluvio.address()).await?;
    let posted = connection.ask("POST", "/api/v1/events", &[], b"{}").await?;
    ensure!(posted.status() == 405, "a POST is answered with {}", posted.status());
    let head = connection.ask("HEAD", "/api/v1/range", &[], &[]).await?;
    ensure!(head.status() == 200 && head.body.is_empty(), "HEAD: {}", head.status());
    Ok(Counts::default().with("requests", cases.len() + 2))
}

async fn a_future_watch(stage: Arc<Stage>) -> Result<Counts> {
    let (simulator, pluvio) = purged(&stage).await?;
    let range: Value = pluvio.get("/api/v1/range").await?.json()?;
    let wanted = range["latest"].as_i64().context("no latest offset")? + 50;
    let query = format!("offset={wanted}");
    let opening = Watch::open(pluvio.address(), &query);
    let mut watch = wait::at_most("headers", Duration::from_secs(2), opening).await?;
    simulator.control("post?count=80").await?;
    let line = wait::at_most("the first event", ARRIVAL_MAX, watch.line()).await?;
    let Line::Event(line) = line else { bail!("the watch ended") };
    let first = Seen::parse(&line)?.offset()?;
    ensure!(first == wanted, "the watch begins at {first} instead of {wanted}");
    Ok(Counts::default().with("first offset", first))
}

async fn too_large(stage: Arc<Stage>) -> Result<Counts> {
    let (_simulator, pluvio) = purged(&stage).await?;
    let address = pluvio.address();
    let megabyte = "x".repeat(1 << 20);
    let url = format!("GET /api/v1/events?filter={megabyte} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let head = format!("GET /livez HTTP/1.1\r\nHost: {address}\r\nX-Large: {megabyte}\r\n\r\n");
    let many = format!("GET /livez HTTP/1.1\r\nHost: {address}\r\n{}\r\n", "a: b\r\n".repeat(5000));
    let mut statuses = Vec::new();
    for (what, request, allowed) in
        [("a URL", url, [414, 431]), ("a header", head, [431, 431]), ("headers", many, [431, 431])]
    {
        let status = sent_in_slices(address, request.as_bytes()).await;
        let status = status.with_context(|| format!("{what} of 1 MB"))?;
        ensure!(allowed.contains(&status), "{what} of 1 MB is answered with {status}");
        statuses.push(status.to_string());
    }
    let body = vec![b'x'; 1 << 20];
    let posted = Connection::open(address).await?.ask("POST", "/api/v1/events", &[], &body).await;
    // It may close without reading such a body; it must not take it.
    if let Ok(answer) = posted {
        ensure!(answer.status() >= 400, "a body of 1 MB is answered with {}", answer.status());
    }
    ensure!(pluvio.get("/livez").await?.status() == 200, "it does not live any more");
    Ok(Counts::default().with("statuses", statuses.join(" ")))
}

/// Sends slice by slice, as a client on a slow line, and then reads the status: the refusal must
/// still be there, not lost in a reset.
async fn sent_in_slices(address: SocketAddr, request: &[u8]) -> Result<u16> {
    let mut stream = TcpStream::connect(address).await?;
    let mut pace = interval(Duration::from_millis(3));
    for slice in request.chunks(32 << 10) {
        pace.tick().await;
        stream.write_all(slice).await.context("the connection was reset while sending")?;
    }
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.context("there is no answer")?;
    let status = std::str::from_utf8(&answer[9..])?;
    status.parse().with_context(|| format!("`{status}` is no status"))
}

async fn slowloris(stage: Arc<Stage>) -> Result<Counts> {
    let simulator = Simulator::start(&stage, 0).await?;
    let pluvio = Pluvio::capture(&stage, &simulator).await?;
    let mut stream = TcpStream::connect(pluvio.address()).await?;
    let begun = Instant::now();
    stream.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: ").await?;
    let mut answer = Vec::new();
    wait::at_most("the connection to be closed", Duration::from_secs(15), async {
        // Closed with or without a word: both end the reading.
        let _closed = stream.read_to_end(&mut answer).await;
        Ok(())
    })
    .await?;
    let took = begun.elapsed().as_secs_f64();
    ensure!((9.0..13.0).contains(&took), "closed after {took:.1}s instead of 10 s");
    ensure!(!answer.starts_with(b"HTTP/1.1 200"), "half a request was answered");
    Ok(Counts::default().with("closed after s", format!("{took:.1}")))
}
