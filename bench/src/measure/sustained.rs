//! Whether everything arrives: at a high rate for a while, and in a burst.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use pluvio_e2e::{
    servers::{Pluvio, START_MAX, Simulator},
    stage::Stage,
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout},
};

use crate::{
    report::Row,
    servers,
    statistics::{median, quantile_of},
    vcenter::{POSTED_TYPE, VCenter},
    watcher::{self, Watcher},
};

const RATE: u64 = 5000;
const LASTS: Duration = Duration::from_secs(20);
/// Connections that post to vcsim; more only queue there.
const POSTERS: usize = 4;
/// How long after the last event is made the last line may come before it counts as missing.
const PATIENCE: Duration = Duration::from_secs(10);

const BURST_EVENTS: usize = 5000;
const BURSTS: usize = 5;
const BURST_MAX: Duration = Duration::from_secs(2);

/// What a watcher saw.
#[derive(Debug, Default)]
struct Seen {
    ids: HashSet<String>,
    lines: usize,
}

pub(super) async fn run(stage: &Stage) -> Result<Vec<Row>> {
    Ok(vec![from_vcsim(stage).await?, from_simulated(stage).await?])
}

async fn from_vcsim(stage: &Stage) -> Result<Row> {
    let vcsim = servers::vcsim(stage).await?;
    let pluvio = servers::pluvio(stage, &vcsim).await?;
    pluvio.until_ready(START_MAX).await?;
    let counting = count(&pluvio, POSTED_TYPE).await?;
    let begun = Instant::now();
    let next = Arc::new(AtomicU64::new(0));
    let mut posters = JoinSet::new();
    for _ in 0..POSTERS {
        let (vcenter, next) = (VCenter::login(&vcsim).await?, Arc::clone(&next));
        posters.spawn(async move {
            let mut posted = 0;
            while begun.elapsed() < LASTS {
                let number = next.fetch_add(1, Ordering::Relaxed);
                sleep_until(begun + Duration::from_secs_f64(number as f64 / RATE as f64)).await;
                vcenter.post(number).await?;
                posted += 1;
            }
            anyhow::Ok(posted)
        });
    }
    let mut made = 0;
    while let Some(posted) = posters.join_next().await {
        made += posted??;
    }
    let rate = made as f64 / begun.elapsed().as_secs_f64();
    let (seen, late) = counting.finish(made).await?;
    Ok(row("sustained, vcsim", &seen, made, rate, late))
}

async fn from_simulated(stage: &Stage) -> Result<Row> {
    let simulated = Simulator::start(stage, 0).await?;
    let pluvio = servers::pluvio_with(stage, &simulated).await?;
    // What the start itself caused is at the watcher before the count begins.
    let counting = count(&pluvio, "").await?;
    let before = simulated.produced().await?.len();
    let begun = Instant::now();
    let target = format!("/control/rate?per_second={RATE}");
    servers::post(simulated.address(), &target).await?;
    sleep(LASTS).await;
    simulated.control("rate?per_second=0").await?;
    let lasted = begun.elapsed();
    let made = simulated.produced().await?.len() - before;
    let (seen, late) = counting.finish(made).await?;
    Ok(row("sustained, simulated vCenter", &seen, made, made as f64 / lasted.as_secs_f64(), late))
}

fn row(name: &str, seen: &Seen, made: usize, rate: f64, late: Duration) -> Row {
    let missing = made.saturating_sub(seen.ids.len());
    let twice = seen.lines - seen.ids.len();
    let is_fast = rate >= 0.99 * RATE as f64;
    let reason = if is_fast { "" } else { "; the generator reached no more" };
    Row {
        name: format!("{name}, {} s", LASTS.as_secs()),
        goal: format!("{RATE}/s, none missing"),
        measured: format!("{rate:.0}/s, {missing} missing, {twice} twice"),
        figures: format!(
            "{made} made, the last {:.0} ms after its making{reason}",
            late.as_secs_f64() * 1e3
        ),
        is_met: is_fast && missing == 0 && twice == 0,
    }
}

/// A watcher that counts in the background.
struct Counting {
    task: tokio::task::JoinHandle<Result<Seen>>,
    count: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
}

async fn count(pluvio: &Pluvio, wanted: &'static str) -> Result<Counting> {
    let mut watch =
        Watcher::open(pluvio.address(), "/api/v1/events?watch=true&heartbeat=1s").await?;
    let (count, is_over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let (counter, over) = (Arc::clone(&count), Arc::clone(&is_over));
    let task = tokio::spawn(async move {
        let mut seen = Seen::default();
        while !over.load(Ordering::Relaxed) {
            for event in watcher::events(&watch.next().await?)? {
                if event.r#type.contains(wanted) {
                    seen.lines += 1;
                    seen.ids.insert(event.id);
                }
            }
            counter.store(seen.ids.len() as u64, Ordering::Relaxed);
        }
        Ok(seen)
    });
    Ok(Counting { task, count, is_over })
}

impl Counting {
    /// Waits for `made` events, or for as long as one may wait, and tells how long that took.
    async fn finish(self, made: usize) -> Result<(Seen, Duration)> {
        let begun = Instant::now();
        while self.count.load(Ordering::Relaxed) < made as u64 && begun.elapsed() < PATIENCE {
            if self.task.is_finished() {
                break;
            }
            sleep(Duration::from_millis(1)).await;
        }
        let late = begun.elapsed();
        self.is_over.store(true, Ordering::Relaxed);
        Ok((self.task.await??, late))
    }
}

pub(super) async fn burst(stage: &Stage) -> Result<Vec<Row>> {
    let simulated = Simulator::start(stage, 0).await?;
    let pluvio = servers::pluvio_with(stage, &simulated).await?;
    let mut watch =
        Watcher::open(pluvio.address(), "/api/v1/events?watch=true&heartbeat=0").await?;
    let mut times = Vec::new();
    for _ in 0..BURSTS {
        let begun = Instant::now();
        let target = format!("/control/post?count={BURST_EVENTS}");
        let post = servers::post(simulated.address(), &target);
        let arrive = async {
            let mut lines = 0;
            while lines < BURST_EVENTS {
                let more = timeout(PATIENCE, watch.next()).await;
                let more = more.with_context(|| format!("{lines} of {BURST_EVENTS} came"))??;
                lines += memchr::memchr_iter(b'\n', &more).count();
            }
            if lines != BURST_EVENTS {
                bail!("{lines} lines of {BURST_EVENTS} events");
            }
            anyhow::Ok(begun.elapsed())
        };
        let (posted, arrived) = tokio::join!(post, arrive);
        posted?;
        times.push(arrived?.as_secs_f64());
    }
    let worst = quantile_of(&times, 1.0);
    Ok(vec![Row {
        name: format!("burst of {BURST_EVENTS}, simulated vCenter"),
        goal: format!("complete in {} s", BURST_MAX.as_secs()),
        measured: format!("{:.2} s, worst {worst:.2} s", median(&times)),
        figures: format!(
            "{:.0} events/s, the making included",
            BURST_EVENTS as f64 / median(&times)
        ),
        is_met: worst <= BURST_MAX.as_secs_f64(),
    }])
}
