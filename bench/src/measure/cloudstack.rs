//! CloudStack: a long history into the log, against a bare paging loop by the same client; and the memory
//! of a sweep over a day that is as long.
//!
//! Beside it an earlier build, if `PLUVIO_BENCH_EARLIER` names one, and what fluent-plugin-cloudstack could
//! have read at best, which asks for one page of 500 rows each 300 s.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use pluvio_clouds::cloudstack::{
    ApiKeys, Client, Credentials, DateFormat, Endpoint, EventQuery, Paging, Projects, Scope,
};
use pluvio_e2e::{
    servers::{Deployment, SimulatedCloudstack},
    stage::Stage,
};
use pluvio_net::{HttpClient, TlsOptions};
use pluvio_secret::Secret;

use super::{Pairs, Side, interleaved};
use crate::{
    report::{Goal, Row},
    servers,
    statistics::median,
};

const EVENTS: usize = 1_000_000;
const PAIRS: usize = 7;
const PAGE_ROWS: u32 = 500;
/// Ids of the day that is swept.
const SWEPT: usize = 2_000_000;
const SWEPT_MAX: Duration = Duration::from_secs(300);
const MIB: f64 = (1 << 20) as f64;
const ROWS: &str = "pluvio_cloudstack_rows_total{source=\"cloud\"} ";
const STOP_MAX: Duration = Duration::from_secs(30);
/// How often the log's length is asked for; small beside seconds.
const PAUSE: Duration = Duration::from_millis(20);
/// What the plugin reads at best: a page each 300 s.
const PLUGIN_PER_SECOND: f64 = 500.0 / 300.0;

pub(super) async fn run(stage: &Stage) -> Result<Vec<Row>> {
    let cloud = SimulatedCloudstack::start(stage, "4.20", EVENTS).await?;
    let events = cloud.happened().await?.len();
    let (mut rates, mut memory) = (Pairs::default(), Vec::new());
    let (earlier, mut against) = (servers::earlier(stage)?, Pairs::default());
    for (number, side) in interleaved(PAIRS).enumerate() {
        let seconds = match side {
            Side::A => {
                let (seconds, bytes) = capture(stage, &cloud, events, number).await?;
                memory.push(bytes as f64 / 1e6);
                seconds
            }
            Side::B => page(&cloud, events).await?,
        };
        rates.push(side, events as f64 / seconds);
        if let (Side::A, Some(earlier)) = (side, &earlier) {
            let (before, _) = capture(earlier, &cloud, events, number).await?;
            against.push(Side::A, events as f64 / seconds);
            against.push(Side::B, events as f64 / before);
        }
    }
    let (a, b) = (median(&rates.a), median(&rates.b));
    let resident = median(&memory);
    let figures =
        format!("{a:.0} events/s, bare paging {b:.0}/s; {resident:.0} MB resident at the end");
    let name = format!("catch-up of {events}, simulated CloudStack");
    let plugin: Vec<_> = rates.a.iter().map(|rate| rate / PLUGIN_PER_SECOND).collect();
    drop(cloud);
    let swept = sweep(stage).await?;
    let than = earlier.map(|_| {
        let figures = format!("{:.0} events/s by the earlier build", median(&against.b));
        Row::ratio("the same ÷ an earlier build", Goal::AtLeast(2.5), &against.ratios(), figures)
    });
    let mut rows = vec![
        swept,
        Row::ratio(&name, Goal::AtLeast(0.75), &rates.ratios(), figures),
        Row::ratio(
            "the same ÷ fluent-plugin-cloudstack's schedule",
            Goal::AtLeast(50.0),
            &plugin,
            format!("it reads at most {PLUGIN_PER_SECOND:.2} events/s"),
        ),
    ];
    rows.extend(than);
    Ok(rows)
}

/// From the start of the process until all is in the log; and the memory then.
async fn capture(
    stage: &Stage,
    cloud: &SimulatedCloudstack,
    events: usize,
    number: usize,
) -> Result<(f64, u64)> {
    let deployment = Deployment::of_section(cloud.section("cloud", "begin = \"2d\""))
        .log(&format!("dir = \"data-{number}\"\nretention_size = \"8 GiB\""));
    let begun = Instant::now();
    let pluvio = deployment.start(stage).await?;
    servers::holds(&pluvio, events, PAUSE).await?;
    let seconds = begun.elapsed().as_secs_f64();
    Ok((seconds, pluvio.rss_bytes()?))
}

/// What a sweep over two million events, all of which the log has, adds to the memory of the process.
async fn sweep(stage: &Stage) -> Result<Row> {
    let cloud = SimulatedCloudstack::start(stage, "4.20", SWEPT).await?;
    let events = cloud.happened().await?.len();
    let log = "dir = \"swept\"\nretention_size = \"8 GiB\"";
    let of = |more: &str| Deployment::of_section(cloud.section("cloud", more)).log(log);
    let mut pluvio = of("begin = \"2d\"").start(stage).await?;
    servers::holds(&pluvio, events, PAUSE).await?;
    pluvio.terminate(STOP_MAX).await?;

    // A new process: what catching up leaves in its memory would hide what a sweep takes.
    let pluvio = of("begin = \"2d\"\nsweep = \"10s\"").start(stage).await?;
    let begun = Instant::now();
    let (before, mut most, mut rows) = (pluvio.rss_bytes()?, 0, 0.0);
    while rows < events as f64 {
        ensure!(begun.elapsed() < SWEPT_MAX, "{rows} of {events} rows were listed");
        let text = pluvio.get("/metrics").await?.text();
        let line = text.lines().find_map(|line| line.strip_prefix(ROWS));
        rows = line.map_or(Ok(0.0), str::parse)?;
        most = most.max(pluvio.rss_bytes()?);
        tokio::time::sleep(PAUSE).await;
    }
    let figures = format!(
        "{:.0} MiB resident before, {:.0} MiB at most; {rows:.0} rows listed in {:.0} s",
        before as f64 / MIB,
        most as f64 / MIB,
        begun.elapsed().as_secs_f64(),
    );
    let added = most.saturating_sub(before) as f64 / MIB;
    Ok(Row::ratio(
        &format!("sweep over {events} ids, memory, MiB"),
        Goal::AtMost(32.0),
        &[added],
        figures,
    ))
}

/// Page after page of everything, newest first, as anybody would: of the list with projects, which holds
/// all the rest as well on the release that is simulated.
async fn page(cloud: &SimulatedCloudstack, events: usize) -> Result<f64> {
    let begun = Instant::now();
    let endpoint = Endpoint::parse(&cloud.url()).context("the simulated cloud has no address")?;
    let (api_key, secret_key) = SimulatedCloudstack::KEYS;
    let keys = ApiKeys { api_key: Secret::new(api_key), secret_key: Secret::new(secret_key) };
    let http = HttpClient::new(&TlsOptions { insecure: true, ..TlsOptions::default() })?;
    let client = Client::connect(http, endpoint, &Credentials::Keys(keys)).await?;
    let mut count = 0;
    let projects = Projects::All;
    let scope = Scope { list_all: true, is_recursive: true, projects, ..Scope::default() };
    let query = EventQuery { scope, dates: DateFormat::Iso, ..EventQuery::default() };
    for page in 1.. {
        let rows = client.list_events(&query, Paging { page, page_rows: PAGE_ROWS }).await?.rows;
        count += rows.iter().flatten().count();
        if rows.len() < PAGE_ROWS as usize {
            break;
        }
    }
    ensure!(count >= events, "paging saw {count} of {events} events");
    Ok(begun.elapsed().as_secs_f64())
}
