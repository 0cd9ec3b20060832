//! One life for every sink: whatever its target goes through, everything is there in the end, in order,
//! and where the target can tell, once; the feed and the sink beside it notice nothing.
//!
//! ```text
//!  target down ▶ Pluvio starts ▶ target comes ▶ Pluvio killed ▶ target away for long ▶ slow ▶ cut
//!  ──────────────────────────── events, all the time ──────────────────────────────────────────▶
//! ```
//!
//! It refuses to know a target: what leads to one, and what has arrived there, is told by [`Target`].

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use pluvio_e2e::{
    arrived::{self, EventId, Message},
    feed::Seen,
    servers::{Deployment, Pluvio, Proxy, Service, Simulator, Toxic, Toxiproxy, Way},
    stage::Stage,
    wait,
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::Value;

use crate::{report::Counts, scenarios::crashes::captured};

/// The sink under test.
pub(super) const SINK: &str = "target";
/// The one beside it.
const BESIDE: &str = "beside";

const EVENTS_PER_SECOND: u32 = 300;
/// While the target is away.
const RUSH_PER_SECOND: u32 = 3_000;
/// How far the sink falls behind then: a minute's worth.
const MINUTE_EVENTS: i64 = 60 * EVENTS_PER_SECOND as i64;
/// A slow way: less than the events need.
const SLOW_KIB_PER_SECOND: u64 = 200;
const SLOW_MILLIS: u64 = 100;
const KILLS: u32 = 3;
pub(super) const CUTS: u32 = 6;
const LIFE_MILLIS: std::ops::Range<u64> = 200..1_200;
/// Between two cuts: long enough for a connection, too short for a whole load.
const CUT_MILLIS: std::ops::Range<u64> = 100..900;
/// Back-off has grown while the target was away.
pub(super) const ARRIVAL_MAX: Duration = Duration::from_secs(100);
/// A loop without pauses would try more often than this in a [`QUIET`] while.
const TRIES_MAX: u64 = 2;
const QUIET: Duration = Duration::from_secs(4);

/// Whose login the sink has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Login {
    /// One that may write.
    Right,
    /// A wrong password.
    Wrong,
}

/// A system that is written to.
pub(super) trait Target {
    /// Whether what arrives has an order.
    const IS_ORDERED: bool = true;
    /// Whether it tells by itself what it was sent before.
    const IS_ONCE: bool = false;
    /// After how many bytes of a connection it is cut: fewer than the shortest one carries.
    const CUT_BYTES: std::ops::Range<u64> = 1_000..60_000;

    /// Where it listens; a proxy is put before it.
    fn address(&self) -> SocketAddr;

    /// Learns of the proxy before it, while it may still be restarted: for one that tells its clients
    /// where to come.
    fn behind(&mut self, _proxy: SocketAddr) -> Result<()> {
        Ok(())
    }

    /// Lines of the sink's section that lead to `address`, with its `type`.
    fn lines(&self, address: SocketAddr, login: Login) -> String;

    /// To stop it and start it again.
    fn service(&mut self) -> &mut Service;

    /// Everything that has arrived so far. Asked at the end; the events must tell their `sequence`.
    async fn arrived(&mut self, stage: &Stage) -> Result<Vec<Message>>;
}

/// The whole life.
pub(super) async fn through<T: Target>(stage: Arc<Stage>, mut target: T) -> Result<Counts> {
    let mut rng = StdRng::seed_from_u64(stage.seed);
    let simulator = Simulator::start(&stage, 0).await?;
    let toxiproxy = Toxiproxy::start(&stage).await?;
    let proxy = toxiproxy.proxy(target.address()).await?;
    target.behind(proxy.address())?;
    let lines = target.lines(proxy.address(), Login::Right);
    let beside = stage.folder.path().join("beside.ndjson");
    let deployment = Deployment::of(&simulator).sink(SINK, &lines).sink(
        BESIDE,
        &format!("type = \"file\"\npath = \"{}\"\nrotate_size = \"1 GiB\"", beside.display()),
    );
    simulator.control(&format!("rate?per_second={EVENTS_PER_SECOND}")).await?;

    target.service().stop().await.context("before the sink starts")?;
    let mut pluvio = deployment.start(&stage).await?;
    down(&pluvio).await.context("while the target is down")?;
    target.service().start_again().await?;
    delivers(&pluvio).await.context("after the target came")?;
    for _ in 0..KILLS {
        wait::a_moment(Duration::from_millis(rng.random_range(LIFE_MILLIS))).await;
        pluvio.kill().await?;
        pluvio = deployment.start(&stage).await?;
        delivers(&pluvio).await.context("after Pluvio was killed")?;
    }
    target.service().stop().await?;
    falls_behind(&pluvio, &simulator).await.context("while the target is away for long")?;
    target.service().start_again().await?;
    delivers(&pluvio).await.context("after the target came back")?;
    slowed(&proxy, &pluvio).await.context("while the way is slow")?;
    cut::<T>(&proxy, &pluvio, &mut rng).await.context("while connections were cut")?;
    simulator.control("rate?per_second=0").await?;

    let count = captured(&pluvio, &simulator).await?;
    caught_up(&pluvio, SINK).await?;
    caught_up(&pluvio, BESIDE).await?;
    let collector = pluvio.collect().await?;
    let served = collector.until("the log", ARRIVAL_MAX, |feed| feed.len() >= count).await;
    let feed = collector.seen();
    served?;
    ensure!(dead_letters(&pluvio).await? == 0, "something became a dead letter");
    pluvio.terminate(ARRIVAL_MAX).await?;
    let arrived = arrived::events(&target.arrived(&stage).await?)?;
    let twice = compared::<T>(&feed, &arrived)?;
    let lines = std::fs::read(&beside)?;
    let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();
    ensure!(lines == feed.len(), "{lines} lines beside, {} events", feed.len());
    Ok(Counts::default()
        .with("events", feed.len())
        .with("missing", 0)
        .with("twice", twice)
        .with("kills", KILLS)
        .with("cuts", CUTS))
}

/// A wrong login is told with what helps, is not tried in a loop, and loses nothing: with the right
/// one, all is there.
pub(super) async fn refused<T: Target>(stage: Arc<Stage>, mut target: T) -> Result<Counts> {
    let simulator = Simulator::start(&stage, 0).await?;
    simulator.control("post?count=20").await?;
    let address = target.address();
    let deployment = |lines: &str| Deployment::of(&simulator).sink(SINK, lines);
    let mut pluvio = deployment(&target.lines(address, Login::Wrong)).start(&stage).await?;
    let error = wait::until("the refusal in the status", ARRIVAL_MAX, async || {
        let error = sink(&pluvio, SINK).await?["error"].clone();
        Ok((!error.is_null()).then_some(error))
    })
    .await?;
    ensure!(error["remedy"].is_string(), "nothing is said that helps: {error}");
    let before = tries(&pluvio).await?;
    wait::throughout(QUIET, async || {
        let more = tries(&pluvio).await? - before;
        ensure!(more <= TRIES_MAX, "it tried {more} times within {}s", QUIET.as_secs());
        Ok(())
    })
    .await?;
    ensure!(dead_letters(&pluvio).await? == 0, "something became a dead letter");
    let message = error["message"].as_str().unwrap_or_default().to_owned();
    pluvio.terminate(ARRIVAL_MAX).await?;

    let mut pluvio = deployment(&target.lines(address, Login::Right)).start(&stage).await?;
    let count = captured(&pluvio, &simulator).await?;
    caught_up(&pluvio, SINK).await?;
    pluvio.terminate(ARRIVAL_MAX).await?;
    let arrived = arrived::events(&target.arrived(&stage).await?)?;
    ensure!(arrived.len() >= count, "{} of {count} arrived", arrived.len());
    Ok(Counts::default().with("events", arrived.len()).with("told", format!("`{message}`")))
}

/// The sink's part of the status.
pub(super) async fn sink(pluvio: &Pluvio, name: &str) -> Result<Value> {
    let status = pluvio.status().await?;
    let components = status["components"].as_array().into_iter().flatten();
    let mut sinks = components.filter(|it| it["kind"] == "sink" && it["name"] == name);
    sinks.next().cloned().with_context(|| format!("the status names no sink `{name}`"))
}

/// Waits until a sink has handed over everything that is in the log now.
pub(super) async fn caught_up(pluvio: &Pluvio, name: &str) -> Result<()> {
    let next = wait::until("the first event", ARRIVAL_MAX, async || {
        // Before it, the answer is empty.
        let range = pluvio.get("/api/v1/range").await?.json::<Value>();
        Ok(range.ok().and_then(|range| range["latest"].as_i64()).map(|latest| latest + 1))
    })
    .await?;
    let what = format!("`{name}` to reach {next}");
    let caught_up = wait::until(&what, ARRIVAL_MAX, async || {
        let sink = sink(pluvio, name).await?;
        Ok((sink["sink"]["offset"].as_i64() >= Some(next)).then_some(()))
    });
    let caught_up = caught_up.await;
    if caught_up.is_err() {
        let last = sink(pluvio, name).await?;
        return caught_up.with_context(|| last.to_string());
    }
    Ok(())
}

/// How many dead letters the sink has written.
pub(super) async fn dead_letters(pluvio: &Pluvio) -> Result<u64> {
    let sink = sink(pluvio, SINK).await?;
    sink["sink"]["dead_letters"].as_u64().context("the status counts no dead letters")
}

/// While the target is away: that is told, and neither the feed nor the sink beside notices.
async fn down(pluvio: &Pluvio) -> Result<()> {
    pluvio.until_ready(ARRIVAL_MAX).await?;
    wait::until("the failure in the status", ARRIVAL_MAX, async || {
        let sink = sink(pluvio, SINK).await?;
        let is_told = sink["state"] == "connecting" && sink["error"]["message"].is_string();
        Ok(is_told.then_some(()))
    })
    .await?;
    caught_up(pluvio, BESIDE).await?;
    let arrived = sink(pluvio, SINK).await?["events"].as_u64();
    ensure!(arrived == Some(0), "{arrived:?} events arrived nowhere");
    Ok(())
}

/// A minute's worth of events, faster than in a minute: neither the feed nor the sink beside notices.
async fn falls_behind(pluvio: &Pluvio, simulator: &Simulator) -> Result<()> {
    simulator.control(&format!("rate?per_second={RUSH_PER_SECOND}")).await?;
    wait::until("a minute's worth of events", ARRIVAL_MAX, async || {
        let range = pluvio.get("/api/v1/range").await?.json::<Value>()?;
        let at = sink(pluvio, SINK).await?["sink"]["offset"].as_i64().unwrap_or_default();
        Ok((range["latest"].as_i64() >= Some(at + MINUTE_EVENTS)).then_some(()))
    })
    .await?;
    simulator.control(&format!("rate?per_second={EVENTS_PER_SECOND}")).await?;
    caught_up(pluvio, BESIDE).await
}

/// Events go on arriving over a way that takes fewer than there are; the sink beside does not notice.
async fn slowed(proxy: &Proxy, pluvio: &Pluvio) -> Result<()> {
    let toxics = [
        (Toxic::Bandwidth(SLOW_KIB_PER_SECOND), Way::ToServer),
        (Toxic::Latency(SLOW_MILLIS), Way::ToClient),
    ];
    for (toxic, way) in toxics {
        proxy.add(toxic, way).await?;
    }
    delivers(pluvio).await?;
    delivers(pluvio).await?;
    caught_up(pluvio, BESIDE).await?;
    for (toxic, way) in toxics {
        proxy.remove(toxic, way).await?;
    }
    delivers(pluvio).await
}

/// Waits until something more has arrived.
pub(super) async fn delivers(pluvio: &Pluvio) -> Result<()> {
    pluvio.until_ready(ARRIVAL_MAX).await?;
    let before = sink(pluvio, SINK).await?["events"].as_u64();
    wait::until("more events to arrive", ARRIVAL_MAX, async || {
        Ok((sink(pluvio, SINK).await?["events"].as_u64() > before).then_some(()))
    })
    .await
}

/// Cuts connections in the middle: by closing them, by resetting them, and after some bytes.
pub(super) async fn cut<T: Target>(proxy: &Proxy, pluvio: &Pluvio, rng: &mut StdRng) -> Result<()> {
    for number in 0..CUTS {
        wait::a_moment(Duration::from_millis(rng.random_range(CUT_MILLIS))).await;
        let bytes = rng.random_range(T::CUT_BYTES);
        let (toxic, way) = match number % 3 {
            0 => (None, Way::ToServer),
            1 => (Some(Toxic::Reset(0)), Way::ToClient),
            _ => (Some(Toxic::LimitBytes(bytes)), Way::ToServer),
        };
        let before = sink(pluvio, SINK).await?["reconnects"].as_u64();
        match toxic {
            None => proxy.open(false).await?,
            Some(toxic) => proxy.add(toxic, way).await?,
        }
        wait::until("the sink to notice", ARRIVAL_MAX, async || {
            let sink = sink(pluvio, SINK).await?;
            let has_noticed = sink["state"] != "running" || sink["reconnects"].as_u64() > before;
            Ok(has_noticed.then_some(()))
        })
        .await?;
        match toxic {
            None => proxy.open(true).await?,
            Some(toxic) => proxy.remove(toxic, way).await?,
        }
        delivers(pluvio).await?;
    }
    Ok(())
}

async fn tries(pluvio: &Pluvio) -> Result<u64> {
    sink(pluvio, SINK).await?["reconnects"].as_u64().context("the status counts no tries")
}

/// Everything of the log has arrived; in order, if the target has one: whatever arrived first, arrived
/// behind everything before it. Gives how many came twice.
pub(super) fn compared<T: Target>(feed: &[Seen], arrived: &[EventId]) -> Result<usize> {
    let mut firsts = std::collections::HashMap::new();
    let mut order = Vec::new();
    for event in arrived {
        let sequence = event.sequence.as_deref().context("an event does not tell its sequence")?;
        if firsts.insert(sequence, event.id.as_str()).is_none() {
            order.push(sequence);
        }
    }
    let missing: Vec<_> =
        feed.iter().filter(|seen| firsts.get(seen.sequence.as_str()) != Some(&&*seen.id)).collect();
    let first = missing.first().map(|seen| &seen.sequence);
    ensure!(missing.is_empty(), "{} events are missing, first {first:?}", missing.len());
    ensure!(order.len() == feed.len(), "{} came, {} were sent", order.len(), feed.len());
    if T::IS_ORDERED {
        let turn = order.windows(2).find(|pair| pair[0] >= pair[1]);
        ensure!(turn.is_none(), "the order breaks at {turn:?}");
    }
    let twice = arrived.len() - order.len();
    ensure!(!T::IS_ONCE || twice == 0, "{twice} events are there twice");
    Ok(twice)
}
