//! Kafka as a target: with a proxy before it, or with logins; and how all that is in a topic is read.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Result;
use pluvio_e2e::{
    arrived::Message,
    kafka::{Access, Admin, Client, Consumed, Mechanism, Reading},
    servers::{Kafka, Machine, Service},
    stage::Stage,
};

use crate::scenarios::sinks::through::{Login, Target};

pub(super) const TOPIC: &str = "rain";
/// Written behind everything, so that a reader knows where that ends.
const MARK: &str = "the end";

/// A broker in the clear; `ONCE`: written to in transactions.
pub(super) struct Broker<const ONCE: bool>(pub(super) Kafka);

impl<const ONCE: bool> Broker<ONCE> {
    pub(super) async fn start(stage: &Arc<Stage>) -> Result<Self> {
        let kafka = Kafka::start(stage, Machine::Light).await?;
        kafka.make_topic(stage, TOPIC).await?;
        Ok(Self(kafka))
    }
}

impl<const ONCE: bool> Target for Broker<ONCE> {
    const IS_ONCE: bool = ONCE;

    fn address(&self) -> SocketAddr {
        self.0.distant()
    }

    fn behind(&mut self, proxy: SocketAddr) -> Result<()> {
        self.0.advertise(proxy)
    }

    fn lines(&self, address: SocketAddr, _: Login) -> String {
        format!("{}\ntransactional = {ONCE}\ncompression = \"lz4\"", lines(&[address], TOPIC))
    }

    fn service(&mut self) -> &mut Service {
        self.0.service()
    }

    async fn arrived(&mut self, stage: &Stage) -> Result<Vec<Message>> {
        read(stage, &self.0.access(), TOPIC).await
    }
}

/// A broker that wants a login.
pub(super) struct Guarded(Kafka);

impl Guarded {
    pub(super) async fn start(stage: &Arc<Stage>) -> Result<Self> {
        let kafka = Kafka::guarded(stage).await?;
        kafka.make_topic(stage, TOPIC).await?;
        kafka.allow(stage, Kafka::USERNAME, "Write", TOPIC).await?;
        Ok(Self(kafka))
    }
}

impl Target for Guarded {
    fn address(&self) -> SocketAddr {
        self.0.secure(Mechanism::Scram512, Kafka::PASSWORD).address
    }

    fn lines(&self, address: SocketAddr, login: Login) -> String {
        let password = if login == Login::Right { Kafka::PASSWORD } else { "drought" };
        let login = secured(&self.0, Kafka::USERNAME, password, Mechanism::Scram512);
        format!("{}\n{login}", lines(&[address], TOPIC))
    }

    fn service(&mut self) -> &mut Service {
        self.0.service()
    }

    async fn arrived(&mut self, stage: &Stage) -> Result<Vec<Message>> {
        read(stage, &self.0.access(), TOPIC).await
    }
}

/// Lines of a sink's section that lead to a topic.
pub(super) fn lines(brokers: &[SocketAddr], topic: &str) -> String {
    let brokers: Vec<String> = brokers.iter().map(ToString::to_string).collect();
    format!("type = \"kafka\"\nbrokers = {brokers:?}\ntopic = \"{topic}\"")
}

/// Lines that log in.
pub(super) fn secured(kafka: &Kafka, user: &str, password: &str, mechanism: Mechanism) -> String {
    format!(
        "username = \"{user}\"\npassword = \"{password}\"\nmechanism = \"{}\"\n\
         tls = {{ ca_file = \"{}\" }}",
        mechanism.name(),
        kafka.tls().authority.display()
    )
}

/// Everything that is committed in a topic of one partition.
pub(super) async fn read(stage: &Stage, access: &Access, topic: &str) -> Result<Vec<Message>> {
    Admin::new(stage, access)?.produce(topic, &format!("{MARK}\n")).await?.ok()?;
    let mut session = Client::Confluent.start(stage, access, &Reading::of(topic)).await?;
    let is_mark = |record: &Consumed| record.value == MARK.as_bytes();
    let seen = session.until_that("the mark", |seen| seen.last().is_some_and(is_mark)).await?;
    let records = seen.into_iter().filter(|record| !is_mark(record));
    Ok(records.map(message).collect())
}

/// A record as what has arrived is told everywhere.
pub(super) fn message(record: Consumed) -> Message {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Message {
        place: record.topic.clone(),
        key: record.key.as_deref().map(text),
        content_type: record.header("content-type").map(text),
        properties: record
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), text(value)))
            .collect(),
        body: record.value,
    }
}
