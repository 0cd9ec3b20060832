//! The webhook sink against a receiver on the SDK of CloudEvents' makers: each form of requests, and
//! answers of every kind.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use pluvio_e2e::{
    arrived::{self, Message},
    servers::{Deployment, Pluvio, Reply, Service, Simulator, Toxiproxy, Webhook},
    stage::Stage,
    wait,
};
use serde_json::Value;

use super::through::{Login, SINK, Target, caught_up, dead_letters, sink, through};
use crate::{report::Counts, runner::Scenario};

const ARRIVAL_MAX: Duration = Duration::from_secs(60);
/// Events of each kind of answer.
const POSTED: usize = 20;

pub(super) fn scenarios() -> Vec<Scenario> {
    let tools = [Webhook::TOOLS, Toxiproxy::TOOLS].concat();
    vec![
        Scenario::new(
            "webhook sink: every event, in order, whatever its receiver goes through",
            one_by_one,
        )
        .needs(&tools),
        Scenario::new("webhook sink: the same in batches, over TLS", batches).needs(&tools),
        Scenario::new("webhook sink: the same in headers, with eight in flight", in_flight)
            .needs(&tools),
        Scenario::new(
            "webhook sink: patience, refusals, slowness and a redirect mean what they say",
            answers,
        )
        .needs(&Webhook::TOOLS),
    ]
}

/// A receiver, and how it is written to.
struct Receiver<const IS_ORDERED: bool> {
    webhook: Webhook,
    lines: String,
}

impl<const IS_ORDERED: bool> Target for Receiver<IS_ORDERED> {
    const IS_ORDERED: bool = IS_ORDERED;
    /// The receiver closes a connection behind each request. It takes headers that were cut for whole
    /// ones, so events in headers are cut before them.
    const CUT_BYTES: std::ops::Range<u64> = if IS_ORDERED { 50..600 } else { 5..20 };

    fn address(&self) -> SocketAddr {
        self.webhook.address()
    }

    fn lines(&self, address: SocketAddr, _: Login) -> String {
        let scheme = self.webhook.url();
        let scheme = scheme.split(':').next().unwrap_or_default();
        format!(
            "type = \"webhook\"\nurl = \"{scheme}://localhost:{}/events\"\n{}",
            address.port(),
            self.lines
        )
    }

    fn service(&mut self) -> &mut Service {
        self.webhook.service()
    }

    async fn arrived(&mut self, _: &Stage) -> Result<Vec<Message>> {
        let arrived = self.webhook.read()?;
        ensure!(arrived.iter().all(|message| message.place == "/events"), "another path");
        Ok(arrived)
    }
}

async fn one_by_one(stage: Arc<Stage>) -> Result<Counts> {
    let webhook = Webhook::start(&stage, false).await?;
    let lines = "format = \"cloudevents\"".to_owned();
    through(stage, Receiver::<true> { webhook, lines }).await
}

async fn batches(stage: Arc<Stage>) -> Result<Counts> {
    let webhook = Webhook::start(&stage, true).await?;
    let authority = webhook.tls().authority.clone();
    let lines =
        format!("format = \"cloudevents-batch\"\ntls.ca_file = \"{}\"", authority.display());
    through(stage, Receiver::<true> { webhook, lines }).await
}

async fn in_flight(stage: Arc<Stage>) -> Result<Counts> {
    let webhook = Webhook::start(&stage, false).await?;
    let lines = "format = \"cloudevents-binary\"\nmax_in_flight = 8".to_owned();
    through(stage, Receiver::<false> { webhook, lines }).await
}

/// Everything that one answer after the other is tried on.
struct Trial {
    stage: Arc<Stage>,
    simulator: Simulator,
    webhook: Webhook,
    deployment: Deployment,
    pluvio: Pluvio,
}

async fn answers(stage: Arc<Stage>) -> Result<Counts> {
    let simulator = Simulator::start(&stage, 0).await?;
    let webhook = Webhook::start(&stage, false).await?;
    let lines = format!(
        "type = \"webhook\"\nurl = \"{}\"\ntoken = \"t\"\nsecret = \"s\"\ntimeout = \"2s\"",
        webhook.url()
    );
    let deployment = Deployment::of(&simulator).sink(SINK, &lines);
    let pluvio = deployment.start(&stage).await?;
    pluvio.until_ready(ARRIVAL_MAX).await?;
    let mut trial = Trial { stage, simulator, webhook, deployment, pluvio };

    let begun = tokio::time::Instant::now();
    trial.answered(Reply::status(429).times(1).retry_after(2)).await.context("429")?;
    ensure!(begun.elapsed() >= Duration::from_secs(2), "it did not wait");
    let throttled = sink(&trial.pluvio, SINK).await?["sink"]["throttled"].as_u64();
    ensure!(throttled == Some(1), "throttled {throttled:?} times");
    trial.answered(Reply::status(503).times(2)).await.context("503")?;
    trial.answered(Reply::status(500).times(2)).await.context("500")?;
    trial.answered(Reply { wait: Some(1), times: Some(3), ..Reply::default() }).await?;
    // The answer comes too late, and the event again.
    trial.answered(Reply { wait: Some(4), times: Some(1), ..Reply::default() }).await?;
    ensure!(dead_letters(&trial.pluvio).await? == 0, "patience made a dead letter");

    trial.poisoned().await.context("one event is refused")?;
    let mut told = Vec::new();
    for status in [401, 404, 301, 410] {
        let text = trial.refused(status).await;
        told.push(text.with_context(|| format!("everything is answered with {status}"))?);
    }
    let arrived = trial.webhook.read()?;
    let authorized = arrived.iter().all(|it| it.properties["authorization"] == "Bearer t");
    ensure!(authorized, "not every request says who it is from");
    let events = arrived::events(&arrived)?.len();
    trial.pluvio.terminate(ARRIVAL_MAX).await?;
    Ok(Counts::default()
        .with("events", events)
        .with("dead letters", 1)
        .with("told", told.join("; ")))
}

impl Trial {
    /// Posts events that are answered so at first.
    async fn answered(&self, reply: Reply) -> Result<()> {
        self.webhook.reply(&reply).await?;
        self.simulator.control(&format!("post?count={POSTED}")).await?;
        self.until_arrived().await?;
        self.webhook.reply_well().await
    }

    /// Waits until all that was produced has arrived.
    async fn until_arrived(&self) -> Result<()> {
        let last = self.last().await?.to_string();
        let what = format!("the event {last}");
        let arrived = wait::until(&what, ARRIVAL_MAX, async || {
            let events = arrived::events(&self.webhook.read()?)?;
            Ok(events.iter().any(|event| event.id == last).then_some(()))
        });
        match arrived.await {
            Ok(()) => caught_up(&self.pluvio, SINK).await,
            Err(error) => {
                let status = sink(&self.pluvio, SINK).await?;
                Err(error.context(format!("{status}")))
            }
        }
    }

    async fn last(&self) -> Result<i64> {
        Ok(self.simulator.produced().await?.last().context("nothing was produced")?.key)
    }

    /// One event is refused for ever: it is a dead letter, and the others arrive.
    async fn poisoned(&self) -> Result<()> {
        let before = self.webhook.read()?.len();
        let poison = (self.last().await? + 3).to_string();
        self.webhook.reply(&Reply::status(422).to(&[&poison])).await?;
        self.simulator.control(&format!("post?count={POSTED}")).await?;
        self.until_arrived().await?;
        self.webhook.reply_well().await?;
        ensure!(dead_letters(&self.pluvio).await? == 1, "not one dead letter");
        let arrived = arrived::events(&self.webhook.read()?)?;
        ensure!(arrived.iter().all(|event| event.id != poison), "{poison} has arrived");
        ensure!(arrived.len() == before + POSTED - 1, "{} after {before}", arrived.len());
        Ok(())
    }

    /// Everything is refused: that is told with what helps, and nothing is lost.
    async fn refused(&mut self, status: u16) -> Result<String> {
        self.webhook.reply(&Reply::status(status)).await?;
        self.simulator.control("post?count=2").await?;
        let error = wait::until("the refusal in the status", ARRIVAL_MAX, async || {
            let error = sink(&self.pluvio, SINK).await?["error"].clone();
            let is_told =
                error["message"].as_str().is_some_and(|it| it.contains(&status.to_string()));
            Ok(is_told.then_some(error))
        });
        let error: Value = error.await?;
        ensure!(error["remedy"].is_string(), "nothing is said that helps: {error}");
        ensure!(dead_letters(&self.pluvio).await? <= 1, "a refusal became a dead letter");
        self.webhook.reply_well().await?;
        // What was refused for long would be tried again in an hour only.
        self.pluvio.terminate(ARRIVAL_MAX).await?;
        self.pluvio = self.deployment.start(&self.stage).await?;
        self.pluvio.until_ready(ARRIVAL_MAX).await?;
        self.until_arrived().await?;
        Ok(error["message"].as_str().unwrap_or_default().to_owned())
    }
}
