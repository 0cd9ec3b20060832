//! AMQP 1.0, at Artemis and at Broker-J, which other people made: over a restart, full, and without
//! rights.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Result, ensure};
use pluvio_e2e::{
    arrived::{self, Message},
    servers::{Artemis, BrokerJ, Deployment, Service, Simulator, Toxiproxy},
    stage::Stage,
    wait,
};
use serde_json::Value;

use super::through::{self, Login, Target, caught_up, dead_letters, sink};
use crate::{report::Counts, runner::Scenario, scenarios::crashes::captured};

const LIFE_MAX: Duration = Duration::from_secs(300);
const ARRIVAL_MAX: Duration = Duration::from_secs(60);
/// More than [`Artemis::NARROW_QUEUE`] takes at once.
const MANY: usize = 4_000;

pub(super) fn scenarios() -> Vec<Scenario> {
    let and_proxy = |needs: &[_]| [needs, &Toxiproxy::TOOLS].concat();
    vec![
        Scenario::new(
            "amqp sink: Artemis comes late, is restarted and cut off, and has everything in order",
            async |stage| {
                let target = Artemis::start(&stage).await?;
                through::through(stage, target).await
            },
        )
        .needs(&and_proxy(&Artemis::TOOLS))
        .within(LIFE_MAX),
        Scenario::new(
            "amqp sink: Broker-J comes late, is restarted and cut off, and has everything in order",
            async |stage| {
                let target = BrokerJ::start(&stage).await?;
                through::through(stage, target).await
            },
        )
        .needs(&and_proxy(&BrokerJ::TOOLS))
        .within(LIFE_MAX),
        Scenario::new("amqp sink: a wrong password is told", async |stage| {
            let target = Artemis::start(&stage).await?;
            through::refused(stage, target).await
        })
        .needs(&Artemis::TOOLS),
        Scenario::new(
            "amqp sink: a full queue is waited for, and everything arrives over TLS when there is room",
            a_full_queue,
        )
        .needs(&Artemis::TOOLS),
        Scenario::new(
            "amqp sink: who may not make a queue is told so, and nothing becomes a dead letter",
            without_rights,
        )
        .needs(&Artemis::TOOLS),
    ]
}

fn lines(url: &str, address: &str, login: (&str, &str)) -> String {
    let (username, password) = login;
    format!(
        "type = \"amqp\"\nurl = \"{url}\"\naddress = \"{address}\"\nusername = \"{username}\"\n\
         password = \"{password}\"\n"
    )
}

impl Target for Artemis {
    fn address(&self) -> SocketAddr {
        self.address()
    }

    fn lines(&self, address: SocketAddr, login: Login) -> String {
        let password = if login == Login::Right { Self::PASSWORD } else { "barefoot" };
        let url = format!("amqp://{address}");
        lines(&url, Self::QUEUE, (Self::USERNAME, password)) + "format = \"cloudevents-binary\"\n"
    }

    fn service(&mut self) -> &mut Service {
        self.service()
    }

    async fn arrived(&mut self, stage: &Stage) -> Result<Vec<Message>> {
        self.take(stage, Self::QUEUE).await
    }
}

impl Target for BrokerJ {
    fn address(&self) -> SocketAddr {
        self.address()
    }

    fn lines(&self, address: SocketAddr, login: Login) -> String {
        let password = if login == Login::Right { Self::PASSWORD } else { "barefoot" };
        lines(&format!("amqp://{address}"), "events", (Self::USERNAME, password))
    }

    fn service(&mut self) -> &mut Service {
        self.service()
    }

    async fn arrived(&mut self, stage: &Stage) -> Result<Vec<Message>> {
        self.take(stage, "events").await
    }
}

async fn a_full_queue(stage: Arc<Stage>) -> Result<Counts> {
    let broker = Artemis::start(&stage).await?;
    let simulator = Simulator::start(&stage, 0).await?;
    simulator.control(&format!("post?count={MANY}")).await?;
    let url = format!("amqps://localhost:{}", broker.secure().port());
    let lines = lines(&url, Artemis::NARROW_QUEUE, (Artemis::USERNAME, Artemis::PASSWORD))
        + &format!("tls.ca_file = \"{}\"\n", broker.tls().authority.display());
    let mut pluvio = Deployment::of(&simulator).sink(through::SINK, &lines).start(&stage).await?;
    let count = captured(&pluvio, &simulator).await?;
    wait::until("the full queue in the status", ARRIVAL_MAX, async || {
        let throttled = sink(&pluvio, through::SINK).await?["sink"]["throttled"].as_u64();
        Ok((throttled > Some(0)).then_some(()))
    })
    .await?;
    let mut messages = broker.take(&stage, Artemis::NARROW_QUEUE).await?;
    wait::until("the rest", ARRIVAL_MAX, async || {
        messages.extend(broker.take(&stage, Artemis::NARROW_QUEUE).await?);
        Ok((messages.len() >= count).then_some(()))
    })
    .await?;
    caught_up(&pluvio, through::SINK).await?;
    ensure!(dead_letters(&pluvio).await? == 0, "something became a dead letter");
    pluvio.terminate(ARRIVAL_MAX).await?;
    let events = arrived::events(&messages)?;
    ensure!(events.len() >= count, "{} of {count}", events.len());
    ensure!(events.is_sorted_by_key(|event| &event.sequence), "they are not in order");
    let media_type = messages.first().and_then(|it| it.content_type.as_deref());
    ensure!(media_type == Some("application/cloudevents+json"), "{media_type:?}");
    Ok(Counts::default().with("events", count).with("missing", 0).with("twice", 0))
}

async fn without_rights(stage: Arc<Stage>) -> Result<Counts> {
    let broker = Artemis::start(&stage).await?;
    let simulator = Simulator::start(&stage, 0).await?;
    simulator.control("post?count=20").await?;
    let url = format!("amqp://{}", broker.address());
    let lines = lines(&url, "absent", (Artemis::WRITER, Artemis::WRITER_PASSWORD));
    let mut pluvio = Deployment::of(&simulator).sink(through::SINK, &lines).start(&stage).await?;
    let error: Value = wait::until("the refusal in the status", ARRIVAL_MAX, async || {
        let error = sink(&pluvio, through::SINK).await?["error"].clone();
        Ok((!error.is_null()).then_some(error))
    })
    .await?;
    let message = error["message"].as_str().unwrap_or_default().to_owned();
    ensure!(message.contains("`absent` refuses"), "it says `{message}`");
    ensure!(error["remedy"].is_string(), "nothing is said that helps: {error}");
    ensure!(dead_letters(&pluvio).await? == 0, "something became a dead letter");
    pluvio.terminate(ARRIVAL_MAX).await?;
    Ok(Counts::default().with("told", format!("`{message}`")))
}
