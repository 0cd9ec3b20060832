//! Apache Kafka as something to deliver to: with rights, with a client's certificate, over a restart,
//! and with three nodes of which the leader is killed.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use pluvio_e2e::{
    kafka::{Access, Admin, Client, Mechanism, Reading},
    servers::{Kafka, KafkaCluster},
    stage::Stage,
    tools::Tool,
    wait,
};

use super::{ARRIVAL_MAX, MESSAGES, timed};
use crate::{report::Counts, runner::Scenario};

const TOPIC: &str = "rain";

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new("servers: a guarded Kafka lets write who may, over a restart", guarded)
            .needs(&[Tool::Kafka, Tool::Kcat, Tool::Confluent]),
        Scenario::new(
            "servers: three nodes of Kafka keep what they took without the leader",
            cluster,
        )
        .needs(&[Tool::Kafka, Tool::Confluent]),
    ]
}

async fn guarded(stage: Arc<Stage>) -> Result<Counts> {
    let (mut kafka, start) = timed(Kafka::guarded(&stage)).await?;
    kafka.make_topic(&stage, TOPIC).await?;
    kafka.allow(&stage, Kafka::USERNAME, "Write", TOPIC).await?;
    kafka.allow(&stage, "CN=client", "Write", TOPIC).await?;
    let login = |user| kafka.secure_as(user, Mechanism::Plain, Kafka::PASSWORD);
    let wrong = kafka.secure_as(Kafka::USERNAME, Mechanism::Plain, "drought");
    let nobody = Access { identity: None, ..kafka.mutual() };
    let (user, stranger) = (login(Kafka::USERNAME), login(Kafka::STRANGER));
    for (access, is_allowed) in [
        (&user, true),
        (&kafka.mutual(), true),
        (&stranger, false),
        (&wrong, false),
        (&nobody, false),
    ] {
        let said = Admin::new(&stage, access)?.produce_by_kcat(TOPIC, "drop\n").await?;
        ensure!(said.is_success == is_allowed, "{access:?}: {}", said.all());
    }
    let scram = kafka.secure(Mechanism::Scram512, Kafka::PASSWORD);
    Admin::new(&stage, &scram)?.produce(TOPIC, "drop\n").await?.ok()?;
    kafka.service().restart().await?;
    let reading = Reading::of(TOPIC).count(MESSAGES);
    let told = Client::Confluent.read(&stage, &kafka.access(), &reading).await?;
    ensure!(told.iter().all(|record| record.value == b"drop"), "{told:?}");
    Ok(Counts::default().with("records", told.len()).with("start s", start))
}

async fn cluster(stage: Arc<Stage>) -> Result<Counts> {
    let (mut kafka, start) = timed(KafkaCluster::start(&stage)).await?;
    kafka.make_topic(&stage, TOPIC).await?;
    let leader = kafka.leader(&stage, 0, TOPIC).await?.context("there is no leader")?;
    let other = (leader + 1) % 3;
    let access = kafka.access(other)?;
    let produce = async |line: &str| {
        Admin::new(&stage, &access)?.produce(TOPIC, line).await?.ok().map(|_| ())
    };
    produce("first\n").await?;
    kafka.node(leader)?.kill().await?;
    wait::until("another leader", ARRIVAL_MAX, async || {
        let now = kafka.leader(&stage, other, TOPIC).await?;
        Ok(now.filter(|now| *now != leader))
    })
    .await?;
    produce("second\n").await?;
    kafka.node(leader)?.start_again().await?;
    produce("third\n").await?;
    let reading = Reading::of(TOPIC).count(MESSAGES);
    let told = Client::Confluent.read(&stage, &access, &reading).await?;
    let told: Vec<_> = told.iter().map(|it| String::from_utf8_lossy(&it.value)).collect();
    ensure!(told == ["first", "second", "third"], "{told:?}");
    Ok(Counts::default().with("records", told.len()).with("start s", start))
}
