//! A simulated cloud, Pluvio with a Kafka listener on it, and what HTTP says is in the log.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use pluvio_e2e::{
    http::{Answer, Connection, Line, Watch},
    kafka::{Access, Consumed, Session},
    servers::{Deployment, Pluvio, Simulator},
    stage::Stage,
    wait,
};
use serde_json::Value;

/// The stream of all sources that name none.
pub(crate) const STREAM: &str = "events";
/// How long captured events may take to arrive on a busy machine.
pub(super) const ARRIVAL_MAX: Duration = Duration::from_secs(30);

/// A cloud and a Pluvio.
pub(super) struct Site {
    pub(super) simulator: Simulator,
    pub(super) deployment: Deployment,
    pub(super) pluvio: Pluvio,
}

impl Site {
    /// With so many events in the log.
    pub(super) async fn start(stage: &Stage, events: usize) -> Result<Self> {
        let simulator = Simulator::start(stage, 0).await?;
        let deployment = Deployment::of(&simulator).kafka()?;
        Self::deploy(stage, simulator, deployment, events).await
    }

    /// As deployed, with so many events in the log.
    pub(super) async fn deploy(
        stage: &Stage,
        simulator: Simulator,
        deployment: Deployment,
        events: usize,
    ) -> Result<Self> {
        let pluvio = deployment.start(stage).await?;
        pluvio.until_ready(ARRIVAL_MAX).await?;
        let site = Self { simulator, deployment, pluvio };
        site.make(events).await?;
        Ok(site)
    }

    pub(super) fn access(&self) -> Access {
        self.deployment.access()
    }

    /// Lets events happen and waits until they are in the log.
    pub(super) async fn make(&self, events: usize) -> Result<()> {
        self.simulator.control(&format!("post?count={events}")).await?;
        self.until_captured().await
    }

    /// Waits until the newest event that happened is in the log.
    pub(super) async fn until_captured(&self) -> Result<()> {
        let produced = self.simulator.produced().await?;
        let Some(last) = produced.last() else { return Ok(()) };
        wait::until(&format!("key {} in the log", last.key), ARRIVAL_MAX, async || {
            // No content, as long as the stream is empty.
            let range = ask(&self.pluvio, "/api/v1/range").await?.json::<Value>();
            let Some(latest) = range.ok().and_then(|range| range["latest"].as_i64()) else {
                return Ok(None);
            };
            let newest = ask(&self.pluvio, &format!("/api/v1/events/{latest}")).await?;
            let key = newest.json::<Value>()?["id"].as_str().and_then(|id| id.parse().ok());
            Ok((key >= Some(last.key)).then_some(()))
        })
        .await
    }

    /// What HTTP serves.
    pub(super) async fn served(&self) -> Result<Vec<Served>> {
        served(&self.pluvio).await
    }

    /// Makes events until a reader that began at the end has seen so many; gives what it saw.
    pub(super) async fn until_seen(
        &self,
        session: &mut Session,
        count: usize,
    ) -> Result<Vec<Consumed>> {
        wait::until("a reader at the end to see something", ARRIVAL_MAX, async || {
            self.make(1).await?;
            Ok((!session.records()?.is_empty()).then_some(()))
        })
        .await?;
        self.make(count).await?;
        session.until(count).await
    }
}

/// Asks, and takes only a good answer.
pub(super) async fn ask(pluvio: &Pluvio, target: &str) -> Result<Answer> {
    let mut connection = Connection::open(pluvio.address()).await?;
    let answer = connection.ask("GET", target, &["Connection: close".to_owned()], &[]).await?;
    ensure!(answer.status() < 300, "`{target}` was answered: {}", answer.text());
    Ok(answer)
}

/// What HTTP serves of the default stream, from the earliest event on.
pub(crate) async fn served(pluvio: &Pluvio) -> Result<Vec<Served>> {
    let range: Value = ask(pluvio, "/api/v1/range").await?.json()?;
    let latest = range["latest"].as_i64().context("the stream is empty")?;
    let mut watch = Watch::open(pluvio.address(), "offset=earliest").await?;
    let mut served = Vec::new();
    wait::at_most("all events by HTTP", ARRIVAL_MAX, async {
        while served.last().is_none_or(|last: &Served| last.offset < latest) {
            let Line::Event(line) = watch.line().await? else { break };
            served.push(Served::parse(&line)?);
        }
        Ok(served)
    })
    .await
}

/// An event as HTTP serves it.
#[derive(Clone, Debug)]
pub(crate) struct Served {
    pub(super) offset: i64,
    /// When Pluvio recorded it, in milliseconds.
    pub(super) recorded: i64,
    /// The line without what HTTP adds to the stored value.
    stored: Vec<u8>,
}

impl Served {
    pub(super) fn parse(line: &[u8]) -> Result<Self> {
        let text = std::str::from_utf8(line).context("a line is no text")?;
        let (rest, sequence) = without(text, "sequence")?;
        let (rest, recorded) = without(&rest, "recordedtime")?;
        let recorded: Timestamp = recorded.parse().context("no recorded time")?;
        Ok(Self {
            offset: sequence.parse().with_context(|| format!("`{sequence}` is no offset"))?,
            recorded: recorded.as_millisecond(),
            stored: rest.into_bytes(),
        })
    }

    /// Whether a Kafka client saw the same: offset, bytes of the value, time and media type.
    pub(super) fn is_seen(&self, record: &Consumed) -> Result<()> {
        let Consumed { offset, timestamp, value, .. } = record;
        ensure!(*offset == self.offset, "offset {offset} instead of {}", self.offset);
        let (seen, stored) =
            (String::from_utf8_lossy(value), String::from_utf8_lossy(&self.stored));
        ensure!(*value == self.stored, "at {offset}, Kafka gives\n{seen}\nand HTTP\n{stored}");
        let recorded = self.recorded;
        ensure!(*timestamp == recorded, "at {offset}, time {timestamp} instead of {recorded}");
        let media_type = record.header("content-type").map(String::from_utf8_lossy);
        let is_event = media_type.as_deref() == Some("application/cloudevents+json");
        ensure!(is_event, "at {offset}, the media type is {media_type:?}");
        Ok(())
    }
}

/// Takes a top-level attribute out of an event's text; gives the rest and the attribute's value.
/// Only attributes with plain text: none of theirs is escaped, and data stands behind them.
fn without(event: &str, attribute: &str) -> Result<(String, String)> {
    let open = format!("\"{attribute}\":\"");
    let (before, behind) = event.split_once(&open).with_context(|| format!("no {attribute}"))?;
    let (value, after) = behind.split_once('"').context("an attribute does not end")?;
    let rest = match after.strip_prefix(',') {
        Some(after) => format!("{before}{after}"),
        None => format!("{}{after}", before.trim_end_matches(',')),
    };
    Ok((rest, value.to_owned()))
}

/// The same events, in the same order, with the same bytes.
pub(crate) fn same(seen: &[Consumed], served: &[Served]) -> Result<()> {
    for (record, event) in seen.iter().zip(served) {
        event.is_seen(record)?;
    }
    ensure!(seen.len() == served.len(), "{} seen, {} served", seen.len(), served.len());
    Ok(())
}

/// The offsets of records.
pub(super) fn offsets(records: &[Consumed]) -> Vec<i64> {
    records.iter().map(|record| record.offset).collect()
}
