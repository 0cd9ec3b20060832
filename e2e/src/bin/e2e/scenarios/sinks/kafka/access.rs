//! Who may write and how that is proved; and what the topic itself refuses.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
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
/// A sink that tells how large events are.
const BESIDE: &str = "beside";
/// What a record batch has beside its value: header, fields, key, header of the record.
const AROUND_BYTES: usize = 130;
/// What the events above the limit are larger by, at least, than those below.
const GAP_BYTES: usize = 120;

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
    let simulator = Simulator::start(&stage, 0).await?;
    simulator.control(&format!("post?count={EVENTS}")).await?;
    let beside = stage.folder.path().join("beside.ndjson");
    let file = format!("type = \"file\"\npath = \"{}\"", beside.display());
    let plain = Deployment::of(&simulator).sink(BESIDE, &file);
    let mut pluvio = plain.start(&stage).await?;
    let count = captured(&pluvio, &simulator).await?;
    caught_up(&pluvio, BESIDE).await?;
    pluvio.terminate(ARRIVAL_MAX).await?;
    // A line of that file is what a record's value will be.
    let lines_of_file = std::fs::read(&beside)?;
    let lines_of_file = lines_of_file.split(|byte| *byte == b'\n').map(<[u8]>::len);
    let mut sizes: Vec<usize> = lines_of_file.filter(|bytes| *bytes > 0).collect();
    sizes.sort_unstable();
    // Between the few largest and all others.
    let at = (sizes.len() * 9 / 10..sizes.len())
        .rev()
        .find(|at| sizes[*at] > sizes[at - 1] + GAP_BYTES)
        .with_context(|| format!("no event is much larger than the others: {sizes:?}"))?;
    let limit = usize::midpoint(sizes[at - 1], sizes[at]) + AROUND_BYTES;
    let limit = format!("max.message.bytes={limit}");
    kafka.make_topic_with(&stage, TOPIC, &["--partitions", "1", "--config", &limit]).await?;
    let deployment = plain.sink(SINK, &lines(&[kafka.access().address], TOPIC));
    let mut pluvio = deployment.start(&stage).await?;
    caught_up(&pluvio, SINK).await?;
    let (letters, large) = (dead_letters(&pluvio).await?, sizes.len() - at);
    ensure!(letters == large as u64, "{letters} dead letters, {large} events are too large");
    pluvio.terminate(ARRIVAL_MAX).await?;
    let events = arrived::events(&read(&stage, &kafka.access(), TOPIC).await?)?;
    ensure!(events.len() >= at, "{} of {at} arrived", events.len());
    ensure!(events.is_sorted_by(|a, b| a.sequence < b.sequence), "not in order, or twice");
    Ok(Counts::default().with("events", count).with("arrived", at).with("dead letters", letters))
}
