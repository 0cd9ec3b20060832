//! Readers with the dearest filters that pass the static bound, and some that send refused ones without
//! a pause: what they cost `/livez` and another watcher.

use std::{
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use jiff::Timestamp;
use pluvio_e2e::{
    http::Connection,
    servers::{Deployment, Simulator, Source},
    stage::Stage,
};
use pluvio_event::Filter;
use pluvio_log::{Log as _, batch::Compression};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::mpsc,
    task::{JoinHandle, spawn_local},
    time::{sleep, timeout},
};
use url::form_urlencoded;

use super::{Pairs, Side, interleaved};
use crate::{
    crowd,
    report::{Goal, Row},
    servers, shelf,
    statistics::{median, millis, quantile_of},
    watcher::{self, Watcher},
};

const PAIRS: usize = 8;
/// Of each round, for each watcher.
const EVENTS: usize = 100;
const EVENT_SPACING_MICROS: std::ops::Range<u64> = 10_000..30_000;
const PROBE_SPACING_MICROS: std::ops::Range<u64> = 1_000..5_000;
const READERS: usize = 8;
/// A log of a cloud's events, and of the largest that there can be: a filter's bound is theirs.
const TYPICAL_EVENTS: usize = 50_000;
const LARGE_EVENTS: usize = 100;
const LARGE_NUMBERS: usize = 250_000;
/// Until the hostile readers have used up what they had saved, and all are in their stride.
const SETTLES: Duration = Duration::from_secs(3);
const PATIENCE: Duration = Duration::from_secs(60);
const WATCH: &str = "/api/v1/events?watch=true&heartbeat=0";
const POST: &str = "/control/post?count=1";

/// Milliseconds.
#[derive(Debug, Default)]
struct Samples {
    livez: Vec<f64>,
    plain: Vec<f64>,
    filtered: Vec<f64>,
}

pub(super) async fn run(stage: &Stage) -> Result<Vec<Row>> {
    let folder = stage.folder.path().join("hostile");
    fill(&folder).await?;
    let simulated = Simulator::start(stage, 0).await?;
    let mut source = Source::from(&simulated);
    // Sections of their own, behind the source's.
    source.more = principals();
    let log = format!("dir = \"{}\"\nretention_size = \"8 GiB\"", folder.display());
    let pluvio = Deployment::of(source).log(&log).start(stage).await?;
    pluvio.until_ready(PATIENCE).await?;
    let (address, maker) = (pluvio.address(), simulated.address());
    let (mut livez, mut plain, mut filtered) = <(Pairs, Pairs, Pairs)>::default();
    for (number, side) in interleaved(PAIRS).enumerate() {
        let hostile = match side {
            Side::A => Some(Readers::start(address)?),
            Side::B => None,
        };
        sleep(SETTLES).await;
        let seed = number as u64;
        let round = crowd::on_one_thread(move || round(address, maker, seed)).await;
        if let Some(hostile) = hostile {
            hostile.end().await?;
        }
        let round = round?;
        livez.push(side, quantile_of(&round.livez, 0.99));
        plain.push(side, quantile_of(&round.plain, 0.99));
        filtered.push(side, quantile_of(&round.filtered, 0.99));
        let [a, b, c] = [&round.livez, &round.plain, &round.filtered]
            .map(|samples| [0.5, 0.99, 1.0].map(|share| quantile_of(samples, share)));
        servers::tell(&format!(
            "{side:?}: p50, p99, most of /livez {a:.2?}, plain {b:.2?}, filtered {c:.2?}"
        ));
        // What is in flight, and what clients owe.
        sleep(SETTLES).await;
    }
    let row = |name: &str, most, pairs: &Pairs| {
        let (a, b) = (median(&pairs.a), median(&pairs.b));
        let name = format!("{READERS} readers with hostile filters: {name}");
        let figures = format!("p99 {a:.1} ms, without them {b:.1} ms");
        Row::ratio(&name, Goal::AtMost(most), &pairs.ratios(), figures)
    };
    Ok(vec![
        row("/livez", 10.0, &livez),
        row("another watcher", 1.5, &plain),
        row("another watcher with a filter", 1.5, &filtered),
    ])
}

fn principals() -> String {
    let hostile = (0..READERS).map(|number| format!("hostile-{number}"));
    let all = hostile.chain(["honest".to_owned()]);
    all.map(|name| format!("\n[principals.{name}]\ntoken = \"{}\"\n", token(&name))).collect()
}

fn token(name: &str) -> String {
    format!("{name}-0123456789abcdef")
}

/// A log with events of both sizes, so that readers from its beginning meet the large ones first.
async fn fill(folder: &Path) -> Result<()> {
    let log = shelf::open(folder, Compression::Lz4, &Arc::default()).await?;
    let stream = shelf::stream();
    for number in 0..LARGE_EVENTS {
        log.append(&stream, shelf::large_records(number, LARGE_NUMBERS)).await?;
    }
    for from in (0..TYPICAL_EVENTS).step_by(1000) {
        log.append(&stream, shelf::vsphere_records(from, 1000)).await?;
    }
    Ok(())
}

/// What one round measures, with whatever else goes on.
async fn round(address: SocketAddr, maker: SocketAddr, seed: u64) -> Result<Samples> {
    let filtered_target = format!("{WATCH}&{}", parameter("data.Key > 0"));
    let (plain_at, mut plain) = mpsc::unbounded_channel();
    let (filtered_at, mut filtered) = mpsc::unbounded_channel();
    let watches = [
        spawn_local(listen(open(address, WATCH).await?, plain_at)),
        spawn_local(listen(open(address, &filtered_target).await?, filtered_at)),
    ];
    let (probed, mut livez) = mpsc::unbounded_channel();
    let probing = spawn_local(probe(address, StdRng::seed_from_u64(seed), probed));
    let mut random = StdRng::seed_from_u64(seed);
    for _ in 0..EVENTS {
        sleep(Duration::from_micros(random.random_range(EVENT_SPACING_MICROS))).await;
        servers::post(maker, POST).await?;
    }
    probing.abort();
    let mut samples = Samples::default();
    while let Ok(sample) = livez.try_recv() {
        samples.livez.push(sample);
    }
    samples.plain = take(&mut plain).await.context("the watcher")?;
    samples.filtered = take(&mut filtered).await.context("the watcher with a filter")?;
    watches.iter().for_each(JoinHandle::abort);
    Ok(samples)
}

async fn take(latencies: &mut mpsc::UnboundedReceiver<f64>) -> Result<Vec<f64>> {
    let mut samples = Vec::new();
    while samples.len() < EVENTS {
        let latency = timeout(PATIENCE, latencies.recv()).await;
        let latency = latency.with_context(|| format!("{} of {EVENTS} came", samples.len()))?;
        samples.push(latency.context("the watch ended")?);
    }
    Ok(samples)
}

/// Asks for `/livez` on one connection, at random moments.
async fn probe(
    address: SocketAddr,
    mut random: StdRng,
    latencies: mpsc::UnboundedSender<f64>,
) -> Result<()> {
    let mut connection = Connection::open(address).await?;
    loop {
        sleep(Duration::from_micros(random.random_range(PROBE_SPACING_MICROS))).await;
        let begun = Instant::now();
        let answer = connection.ask("GET", "/livez", &[], &[]).await?;
        ensure!(answer.status() == 200, "/livez was answered {}", answer.status());
        latencies.send(millis(begun.elapsed()))?;
    }
}

async fn open(address: SocketAddr, target: &str) -> Result<Watcher> {
    Watcher::ask(address, &request(address, "honest", target)).await
}

/// Tells how long after it was recorded each event came.
async fn listen(mut watch: Watcher, latencies: mpsc::UnboundedSender<f64>) -> Result<()> {
    loop {
        let lines = watch.next().await?;
        let now = Timestamp::now();
        for event in watcher::events(&lines)? {
            let recorded = event.recordedtime.context("an event without its recordedtime")?;
            latencies.send(now.duration_since(recorded).as_secs_f64() * 1e3)?;
        }
    }
}

fn request(address: SocketAddr, name: &str, target: &str) -> String {
    let token = token(name);
    format!("GET {target} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\r\n")
}

fn parameter(cel: &str) -> String {
    form_urlencoded::Serializer::new(String::new()).append_pair("filter", cel).finish()
}

/// The hostile ones, on a thread that has a core only when nobody else wants it: what they cost by reading
/// is not what is measured, and elsewhere they would have machines of their own.
struct Readers {
    end: tokio::sync::oneshot::Sender<()>,
    ended: tokio::sync::oneshot::Receiver<Result<()>>,
}

impl Readers {
    fn start(address: SocketAddr) -> Result<Self> {
        let (end, mut is_over) = tokio::sync::oneshot::channel();
        let (told, ended) = tokio::sync::oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::spawn(move || {
            let outcome = rustix::process::setpriority_process(None, LEAST_PRIORITY);
            let outcome = outcome.context("failed to step back").and_then(|()| {
                runtime.block_on(async {
                    let mut readers = tokio::task::JoinSet::new();
                    for (name, targets, status) in readers_of() {
                        readers.spawn(ask_again_and_again(address, name, targets, status));
                    }
                    tokio::select! {
                        _ = &mut is_over => Ok(()),
                        // Each goes on for ever, unless it is answered as it should not be.
                        Some(ended) = readers.join_next() => ended.context("it panicked")?,
                    }
                })
            });
            let _nobody_waits = told.send(outcome);
        });
        Ok(Self { end, ended })
    }

    async fn end(self) -> Result<()> {
        let _ended_already = self.end.send(());
        self.ended.await.context("the hostile readers panicked")?
    }
}

/// The greatest nice value.
const LEAST_PRIORITY: i32 = 19;

/// Who asks for what, and how that is answered.
type Reader = (String, Vec<String>, Option<u16>);

/// The hostile ones, each a principal of its own, so that each has a budget of its own: three watches
/// of all that there is, three that ask for page after page, two whose filters are refused.
fn readers_of() -> Vec<Reader> {
    let watched = [dearest("data.N.all(x, x != 2{})", " && x != 2"), LOOPS.into(), PATTERN.into()];
    let paged = [
        parameter(&dearest("data.all(k, data[k] != 'a'{})", " && data[k] != 'a'")),
        vec![parameter("[1,2,3,4,5,6,7,8,9].all(i, data.Key != -1)"); 60].join("&"),
        // The cheapest: whatever looking at a record costs beside the filter is all of it.
        parameter("id == ''"),
    ];
    let mut readers = Vec::new();
    let mut name = (0..READERS).map(|number| format!("hostile-{number}"));
    let mut add = |targets: Vec<String>, status| {
        readers.push((name.next().unwrap_or_default(), targets, status));
    };
    for cel in watched {
        add(vec![format!("{WATCH}&offset=earliest&{}", parameter(&cel))], None);
    }
    for (parameters, from) in paged.iter().zip(["offset=earliest", "limit=1000", "offset=earliest"])
    {
        add(vec![format!("/api/v1/events?{from}&{parameters}")], None);
    }
    let refused: Vec<String> =
        refused().iter().map(|cel| format!("{WATCH}&{}", parameter(cel))).collect();
    for _ in 0..2 {
        add(refused.clone(), Some(400));
    }
    readers
}

/// As many repetitions of `more` at `{}` as pass.
fn dearest(cel: &str, more: &str) -> String {
    let cel = |count: usize| cel.replace("{}", &more.repeat(count));
    let passes = |count: &usize| Filter::default().and_expression(&cel(*count)).is_ok();
    cel((1..).take_while(passes).last().unwrap_or_default())
}

/// 729 turns, whatever the event.
const LOOPS: &str = "[1,2,3,4,5,6,7,8,9].all(a, [1,2,3,4,5,6,7,8,9].all(b, \
                     [1,2,3,4,5,6,7,8,9].all(c, a + b + c > 0)))";
/// Its table would be too large: it is run state by state.
const PATTERN: &str = "type.matches('[a-z]*o[a-z]{9}x') || source.matches('[a-z]*o[a-z]{9}x')";

/// What is refused, for other reasons each time.
fn refused() -> Vec<String> {
    let digits = "[1,2,3,4,5,6,7,8,9,0]";
    let mut loops = "true".to_owned();
    for name in ["a", "b", "c", "d", "e", "f"] {
        loops = format!("{digits}.all({name},{loops})");
    }
    vec![
        format!("type.matches(r'{}')", r"\w".repeat(1000)),
        "type.matches('((a{50}){50}){50}')".to_owned(),
        "type.matches('(?i)([a-z]{1,30}[0-9]{1,30}){1,20}')".to_owned(),
        format!("type.matches('{}')", r"[\\pL\\pN]".repeat(200)),
        "data.all(x, data.all(y, x != y))".to_owned(),
        loops,
        format!("{}type{}.nothing()", "(".repeat(15), ")".repeat(15)),
    ]
}

/// Asks for the targets in turn and reads the answers to their ends; at most as fast as they come.
async fn ask_again_and_again(
    address: SocketAddr,
    name: String,
    targets: Vec<String>,
    status: Option<u16>,
) -> Result<()> {
    let mut buffer = vec![0; 64 << 10];
    for target in targets.iter().cycle() {
        let mut stream = TcpStream::connect(address).await?;
        let request = request(address, &name, target);
        let request = request.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let count = stream.read(&mut buffer).await?;
        let told = String::from_utf8_lossy(&buffer[..count]);
        let told = told.split(' ').nth(1).and_then(|status| status.parse().ok());
        let is_right = match status {
            Some(status) => told == Some(status),
            // A page beyond the budget is refused with the cost.
            None => matches!(told, Some(200 | 400)),
        };
        if !is_right {
            bail!("{target} was answered {told:?}");
        }
        while stream.read(&mut buffer).await? > 0 {}
    }
    Ok(())
}
