//! Who may write and how that is proved; and what the topic itself refuses.

use std::sync::Arc;

use anyhow::{Result, ensure};
use pluvio_e2e::{
    arrived,
    kafka::Mechanism,
    servers::{Deployment, Kafka, Machine, Simulator},
    stage::Stage,
    wait,
};

use super::target::{TOPIC, lines, read, secured};
use crate::{
    report::Counts,
    scenarios::{
        crashes::captured,
        sinks::through::{ARRIVAL_MAX, SINK, caught_up, dead_letters, sink},
    },
};

const EVENTS: usize = 300;
/// What the topic takes at once: a few events, and not the one that is too large.
const MESSAGE_BYTES_MAX: usize = 8_000;
const LARGE: usize = 9_000;

pub(super) async fn logins(stage: Arc<Stage>) -> Result<Counts> {
    let kafka = Kafka::guarded(&stage).await?;
    let simulator = Simulator::start(&stage, 0).await?;
    simulator.control(&format!("post?count={EVENTS}")).await?;
    let mut deployment = Deployment::of(&simulator);
    let password = Kafka::PASSWORD;
    for (name, mechanism) in [
        ("plain", Mechanism::Plain),
        ("scram256", Mechanism::Scram256),
        ("scram512", Mechanism::Scram512),
    ] {
        kafka.make_topic(&stage, name).await?;
        kafka.allow(&stage, Kafka::USERNAME, "Write", name).await?;
        let access = kafka.secure(mechanism, password);
        let login = secured(&kafka, Kafka::USERNAME, password, mechanism);
        let lines = lines(&[access.address], name);
        deployment =
            deployment.sink(name, &format!("{lines}\n{login}\nformat = \"cloudevents-binary\""));
    }
    kafka.make_topic(&stage, "mutual").await?;
    kafka.allow(&stage, "CN=client", "Write", "mutual").await?;
    let access = kafka.mutual();
    let tls = kafka.tls();
    let files = format!(
        "tls = {{ ca_file = \"{}\", cert_file = \"{}\", key_file = \"{}\" }}",
        tls.authority.display(),
        tls.client_certificate.display(),
        tls.client_key.display()
    );
    let mutual = format!("{}\n{files}", lines(&[access.address], "mutual"));
    let stranger = secured(&kafka, Kafka::STRANGER, password, Mechanism::Scram512);
    let secure = kafka.secure(Mechanism::Scram512, password).address;
    let stranger = format!("{}\n{stranger}", lines(&[secure], "plain"));
    let deployment = deployment.sink("mutual", &mutual).sink(SINK, &stranger);
    let mut pluvio = deployment.start(&stage).await?;
    let count = captured(&pluvio, &simulator).await?;
    let told = wait::until("the refusal in the status", ARRIVAL_MAX, async || {
        let error = sink(&pluvio, SINK).await?["error"].clone();
        Ok((!error.is_null()).then_some(error))
    })
    .await?;
    let remedy = told["remedy"].as_str().unwrap_or_default();
    ensure!(remedy.contains("kafka-acls"), "no right is named: {told}");
    ensure!(dead_letters(&pluvio).await? == 0, "something became a dead letter");
    for name in ["plain", "scram256", "scram512", "mutual"] {
        caught_up(&pluvio, name).await?;
    }
    pluvio.terminate(ARRIVAL_MAX).await?;
    for name in ["plain", "scram256", "scram512", "mutual"] {
        let messages = read(&stage, &kafka.access(), name).await?;
        // A login of Pluvio's own at the cloud is an event, too.
        ensure!(messages.len() >= count, "{name}: {} of {count} arrived", messages.len());
        let events = arrived::events(&messages)?;
        ensure!(events.is_sorted_by(|a, b| a.sequence < b.sequence), "{name}: not in order");
        for message in messages.iter().filter(|message| message.properties.contains_key("ce_id")) {
            let subject = message.properties.get("ce_subject");
            ensure!(message.key.as_ref() == subject, "the key is not the subject: {message:?}");
        }
    }
    Ok(Counts::default().with("events", count).with("logins", 4).with("told", remedy.to_owned()))
}

pub(super) async fn too_large(stage: Arc<Stage>) -> Result<Counts> {
    let kafka = Kafka::start(&stage, Machine::Light).await?;
    let limit = format!("max.message.bytes={MESSAGE_BYTES_MAX}");
    kafka.make_topic_with(&stage, TOPIC, &["--partitions", "1", "--config", &limit]).await?;
    let simulator = Simulator::start(&stage, 0).await?;
    let half = format!("post?count={}", EVENTS / 2);
    simulator.control(&half).await?;
    simulator.login().await?.post_event("com.example.Flood", &"~".repeat(LARGE)).await?;
    simulator.control(&half).await?;
    let deployment =
        Deployment::of(&simulator).sink(SINK, &lines(&[kafka.access().address], TOPIC));
    let mut pluvio = deployment.start(&stage).await?;
    let count = captured(&pluvio, &simulator).await?;
    caught_up(&pluvio, SINK).await?;
    let letters = dead_letters(&pluvio).await?;
    ensure!(letters == 1, "{letters} dead letters");
    pluvio.terminate(ARRIVAL_MAX).await?;
    let events = arrived::events(&read(&stage, &kafka.access(), TOPIC).await?)?;
    ensure!(events.len() + 1 >= count, "{} of {count} arrived", events.len());
    ensure!(events.is_sorted_by(|a, b| a.sequence < b.sequence), "not in order, or twice");
    Ok(Counts::default().with("events", events.len()).with("dead letters", letters))
}
