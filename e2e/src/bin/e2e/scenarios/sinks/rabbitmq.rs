//! RabbitMQ by its own protocol: over a restart, with a full queue, without a queue, with CloudStack's
//! routing keys over TLS.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Result, ensure};
use pluvio_e2e::{
    arrived::{self, Message},
    servers::{Deployment, Pluvio, RabbitMq, Service, Simulator, Toxiproxy},
    stage::Stage,
    wait,
};
use serde_json::Value;

use super::through::{self, Login, Target, caught_up, dead_letters, sink};
use crate::{report::Counts, runner::Scenario, scenarios::crashes::captured};

const LIFE_MAX: Duration = Duration::from_secs(300);
const ARRIVAL_MAX: Duration = Duration::from_secs(60);
const QUEUE: &str = "events";
const EXCHANGE: &str = "pluvio";
/// What the narrow queue takes, of how many.
const NARROW: u64 = 100;
const MANY: usize = 400;

pub(super) fn scenarios() -> Vec<Scenario> {
    let and_proxy = [RabbitMq::TOOLS.as_slice(), &Toxiproxy::TOOLS].concat();
    vec![
        Scenario::new(
            "rabbitmq sink: a broker comes late, is restarted and cut off, and has everything in order",
            async |stage| {
                let target = bound(&stage).await?;
                through::through(stage, target).await
            },
        )
        .needs(&and_proxy)
        .within(LIFE_MAX),
        Scenario::new("rabbitmq sink: a wrong password is told", async |stage| {
            let target = bound(&stage).await?;
            through::refused(stage, target).await
        })
        .needs(&RabbitMq::TOOLS),
        Scenario::new(
            "rabbitmq sink: a full queue is waited for, and everything arrives when there is room",
            a_full_queue,
        )
        .needs(&RabbitMq::TOOLS),
        Scenario::new(
            "rabbitmq sink: without a queue or an exchange nothing is lost, and what helps is told",
            without_a_queue,
        )
        .needs(&RabbitMq::TOOLS),
    ]
}

async fn bound(stage: &Stage) -> Result<RabbitMq> {
    let broker = RabbitMq::start(stage).await?;
    broker.bind(stage, QUEUE, (EXCHANGE, "topic"), "com.vmware.#").await?;
    Ok(broker)
}

fn lines(url: &str, exchange: &str, routing_key: &str, password: &str) -> String {
    format!(
        "type = \"rabbitmq\"\nurl = \"{url}\"\nexchange = \"{exchange}\"\n\
         routing_key = \"{routing_key}\"\nusername = \"{}\"\npassword = \"{password}\"\n",
        RabbitMq::USERNAME
    )
}

impl Target for RabbitMq {
    fn address(&self) -> SocketAddr {
        self.address()
    }

    fn lines(&self, address: SocketAddr, login: Login) -> String {
        let password = if login == Login::Right { Self::PASSWORD } else { "barefoot" };
        lines(&format!("amqp://{address}"), EXCHANGE, "{type}", password)
            + "format = \"cloudevents-binary\"\n"
    }

    fn service(&mut self) -> &mut Service {
        self.service()
    }

    async fn arrived(&mut self, stage: &Stage) -> Result<Vec<Message>> {
        self.take(stage, QUEUE).await
    }
}

async fn a_full_queue(stage: Arc<Stage>) -> Result<Counts> {
    let broker = RabbitMq::start(&stage).await?;
    broker.declare(&stage, QUEUE, Some(NARROW)).await?;
    let simulator = Simulator::start(&stage, 0).await?;
    simulator.control(&format!("post?count={MANY}")).await?;
    let url = format!("amqp://{}", broker.address());
    // The default exchange: a routing key is a queue's name.
    let lines = lines(&url, "", QUEUE, RabbitMq::PASSWORD);
    let mut pluvio = Deployment::of(&simulator).sink(through::SINK, &lines).start(&stage).await?;
    let count = captured(&pluvio, &simulator).await?;
    wait::until("the full queue in the status", ARRIVAL_MAX, async || {
        let throttled = sink(&pluvio, through::SINK).await?["sink"]["throttled"].as_u64();
        Ok((throttled > Some(0)).then_some(()))
    })
    .await?;
    let mut messages = Vec::new();
    wait::until("the rest", ARRIVAL_MAX, async || {
        messages.extend(broker.take(&stage, QUEUE).await?);
        let range: Value = pluvio.get("/api/v1/range").await?.json()?;
        let at = sink(&pluvio, through::SINK).await?["sink"]["offset"].as_u64();
        Ok((at > range["latest"].as_u64()).then_some(()))
    })
    .await?;
    messages.extend(broker.take(&stage, QUEUE).await?);
    ensure!(dead_letters(&pluvio).await? == 0, "something became a dead letter");
    pluvio.terminate(ARRIVAL_MAX).await?;
    let mut events = arrived::events(&messages)?;
    let came = events.len();
    events.sort_by(|one, other| one.sequence.cmp(&other.sequence));
    events.dedup();
    // A login at the end is an event, too.
    ensure!(events.len() >= count, "{} of {count}", events.len());
    let twice = came - events.len();
    Ok(Counts::default().with("events", events.len()).with("missing", 0).with("twice", twice))
}

async fn without_a_queue(stage: Arc<Stage>) -> Result<Counts> {
    let broker = RabbitMq::start(&stage).await?;
    let simulator = Simulator::start(&stage, 0).await?;
    simulator.control("post?count=20").await?;
    let url = format!("amqps://localhost:{}", broker.secure().port());
    let lines = lines(&url, EXCHANGE, "cloudstack", RabbitMq::PASSWORD)
        + &format!("tls.ca_file = \"{}\"\n", broker.tls().authority.display());
    let mut pluvio = Deployment::of(&simulator).sink(through::SINK, &lines).start(&stage).await?;
    let exchange = told(&pluvio, "exchange `pluvio` cannot be used").await?;
    broker.bind(&stage, "other", (EXCHANGE, "topic"), "*.UsageEvent.#").await?;
    let queue = told(&pluvio, "no queue is bound to exchange").await?;
    broker.bind(&stage, QUEUE, (EXCHANGE, "topic"), "*.ActionEvent.#").await?;
    let count = captured(&pluvio, &simulator).await?;
    caught_up(&pluvio, through::SINK).await?;
    ensure!(dead_letters(&pluvio).await? == 0, "something became a dead letter");
    pluvio.terminate(ARRIVAL_MAX).await?;
    let messages = broker.take(&stage, QUEUE).await?;
    let events = arrived::events(&messages)?;
    ensure!(events.len() >= count, "{} of {count}", events.len());
    for message in &messages {
        let key = message.properties.get("routing_key").map_or("", String::as_str);
        let words: Vec<_> = key.split('.').collect();
        ensure!(words.len() == 5 && words[..2] == ["management-server", "ActionEvent"], "{key}");
        let media_type = message.content_type.as_deref();
        ensure!(media_type == Some("application/cloudevents+json"), "{media_type:?}");
    }
    Ok(Counts::default().with("events", count).with("told", format!("`{exchange}`, `{queue}`")))
}

/// Waits until the sink says so, with what helps.
async fn told(pluvio: &Pluvio, words: &str) -> Result<String> {
    let error: Value = wait::until(words, ARRIVAL_MAX, async || {
        let error = sink(pluvio, through::SINK).await?["error"].clone();
        let is_told = error["message"].as_str().is_some_and(|message| message.contains(words));
        Ok(is_told.then_some(error))
    })
    .await?;
    ensure!(error["remedy"].is_string(), "nothing is said that helps: {error}");
    Ok(error["message"].as_str().unwrap_or_default().to_owned())
}
