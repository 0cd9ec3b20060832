//! Queues: what a client was told to be accepted is there, before and after a restart, and is gone
//! when it was taken.

use std::sync::Arc;

use anyhow::{Result, ensure};
use pluvio_e2e::{
    servers::{Artemis, BrokerJ, Mosquitto, Mqtt, RabbitMq},
    stage::Stage,
};

use super::{MESSAGES, binary_samples, same, samples, timed, without_properties};
use crate::{report::Counts, runner::Scenario};

const QUEUE: &str = "rain";

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new("servers: RabbitMQ keeps what pika published over a restart", rabbitmq)
            .needs(&RabbitMq::TOOLS),
        Scenario::new("servers: Artemis keeps what go-amqp sent over a restart", artemis)
            .needs(&Artemis::TOOLS),
        Scenario::new("servers: Broker-J keeps what go-amqp sent over a restart", broker_j)
            .needs(&BrokerJ::TOOLS),
        Scenario::new(
            "servers: Mosquitto keeps what paho published for a session over a restart",
            mosquitto,
        )
        .needs(&Mosquitto::TOOLS),
    ]
}

async fn rabbitmq(stage: Arc<Stage>) -> Result<Counts> {
    let (mut broker, start) = timed(RabbitMq::start(&stage)).await?;
    broker.declare(&stage, QUEUE, None).await?;
    let sent = samples(QUEUE);
    broker.write(&stage, QUEUE, &sent).await?;
    same(&broker.read(&stage, QUEUE).await?, &sent)?;
    broker.service().restart().await?;
    let told = broker.read(&stage, QUEUE).await?;
    same(&told, &sent)?;
    for (told, sent) in told.iter().zip(&sent) {
        ensure!(told.key == sent.key && told.content_type == sent.content_type, "{told:?}");
    }
    same(&broker.take(&stage, QUEUE).await?, &sent)?;
    ensure!(broker.read(&stage, QUEUE).await?.is_empty(), "what was taken is still there");

    broker.declare(&stage, "puddle", Some(2)).await?;
    let refused = broker.write(&stage, "puddle", &sent).await;
    ensure!(refused.is_err(), "a full queue takes more");
    ensure!(broker.read(&stage, "puddle").await?.len() == 2, "a full queue is not full");
    broker.bind(&stage, "hills", ("weather", "topic"), "rain.#").await?;
    Ok(Counts::default().with("messages", MESSAGES).with("start s", start))
}

/// For both brokers of AMQP 1.0, which share no trait because nothing else has both.
macro_rules! amqp {
    ($stage:expr, $start:expr) => {{
        let stage = $stage;
        let (mut broker, start) = timed($start).await?;
        for sent in [samples(QUEUE), binary_samples(QUEUE, "cloudEvents:")] {
            broker.write(&stage, QUEUE, &sent).await?;
            same(&broker.read(&stage, QUEUE).await?, &sent)?;
            broker.service().restart().await?;
            let told = broker.read(&stage, QUEUE).await?;
            same(&told, &sent)?;
            for (told, sent) in told.iter().zip(&sent) {
                ensure!(told.key == sent.key, "{told:?}");
                ensure!(told.content_type == sent.content_type, "{told:?}");
            }
            same(&broker.take(&stage, QUEUE).await?, &sent)?;
            ensure!(broker.read(&stage, QUEUE).await?.is_empty(), "what was taken is still there");
        }
        Ok(Counts::default().with("messages", 2 * MESSAGES).with("start s", start))
    }};
}

async fn artemis(stage: Arc<Stage>) -> Result<Counts> {
    amqp!(&stage, Artemis::start(&stage))
}

async fn broker_j(stage: Arc<Stage>) -> Result<Counts> {
    amqp!(&stage, BrokerJ::start(&stage))
}

async fn mosquitto(stage: Arc<Stage>) -> Result<Counts> {
    let (mut broker, start) = timed(Mosquitto::start(&stage)).await?;
    for (version, topic) in [(Mqtt::Three, "sky/north"), (Mqtt::Five, "sky/south")] {
        let sent = samples(topic);
        let sent = if version == Mqtt::Three { without_properties(&sent) } else { sent };
        let mut follower = broker.subscribe(&stage, version, topic, topic).await?;
        broker.write(&stage, version, &sent).await?;
        same(&follower.until(MESSAGES).await?, &sent)?;
        // What comes now waits for the session, and a proper end keeps it.
        follower.leave().await?;
        broker.write(&stage, version, &sent).await?;
        broker.service().restart().await?;
        let mut follower = broker.subscribe(&stage, version, topic, topic).await?;
        let told = follower.until(MESSAGES).await?;
        same(&told, &sent)?;
        if version == Mqtt::Five {
            let is_told = told.iter().zip(&sent).all(|(a, b)| a.content_type == b.content_type);
            ensure!(is_told, "another content type: {told:?}");
        }
    }
    Ok(Counts::default().with("messages", 4 * MESSAGES).with("start s", start))
}
