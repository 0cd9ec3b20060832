//! The sink: settings and memory; and its connection, which writes batches.

use std::{collections::HashMap, sync::Arc, time::Duration};

use pluvio_log::Offset;
use pluvio_runtime::{
    Answers, Connected, Delivered, Outcome, Rejected, Sink, Standing, Taken, TargetCursor, Writer,
};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::{
    cluster::{Cluster, Topic},
    config::{self, Settings, TOPIC_BYTES_MAX, is_legal},
    encode::Encoder,
    error::Error,
    lane::{Memory, TopicPartition},
    partition::partition,
    produce::{Judge, Round, Told, identity},
    transaction::{Mark, Transactions},
};
use crate::outbound::{message::NO_EVENT, name_template};

/// Topics of a Kafka cluster as a sink.
#[derive(Debug)]
pub struct Kafka {
    settings: Arc<Settings>,
    memory: Arc<Mutex<Memory>>,
}

impl Clone for Kafka {
    /// The same settings, and nothing remembered: two that remembered the same would disturb each
    /// other, and one that panicked must not do it again for what it remembers.
    fn clone(&self) -> Self {
        Self { settings: Arc::clone(&self.settings), memory: Arc::default() }
    }
}

impl Kafka {
    pub(super) fn new(settings: Settings) -> Self {
        Self { settings: Arc::new(settings), memory: Arc::default() }
    }

    /// What no other sink may have: the transactional id, where it is given.
    pub fn identity(&self) -> Option<&str> {
        match &self.settings.transactions {
            config::Transactions::Yes(id) => id.as_deref(),
            config::Transactions::No => None,
        }
    }
}

impl Sink for Kafka {
    type Writer = Producer;
    type Error = Error;

    async fn connect(&mut self, standing: Standing) -> Result<Connected<Producer>, Error> {
        let settings = Arc::clone(&self.settings);
        let mut memory = Arc::clone(&self.memory).lock_owned().await;
        memory.of_log(standing.log_id, standing.moves.last);
        let mut cluster = Cluster::connect(&settings).await?;
        let constant: Option<Arc<str>> = settings.topic.constant().map(Into::into);
        cluster.learn(constant.as_slice()).await?;
        let (mut transactions, mut cursor) = (None, None);
        if let (config::Transactions::Yes(id), Some(topic)) = (&settings.transactions, &constant) {
            let id = id.clone().unwrap_or_else(|| format!("pluvio-{}", standing.sink));
            let (topic, mark) = (Arc::clone(topic), Mark::of(&standing));
            let begun =
                Transactions::begin(&mut cluster, &id, topic, mark, settings.timeout).await?;
            memory.transact_as(begun.0.producer());
            // Ours may be ahead: a filter has left out what came after the last transaction.
            let ahead =
                |it: TargetCursor| TargetCursor { next: it.next.max(standing.cursor), ..it };
            (transactions, cursor) = (Some(begun.0), begun.1.map(ahead));
        }
        let limits = HashMap::new();
        let mut writer =
            Producer { settings, standing, memory, cluster, constant, transactions, limits };
        if writer.transactions.is_none() {
            writer.find_out().await?;
        }
        Ok(Connected { writer, cursor })
    }

    async fn probe(&mut self) -> Result<String, Error> {
        let mut cluster = Cluster::connect(&self.settings).await?;
        let brokers = match cluster.brokers() {
            1 => "1 broker".to_owned(),
            count => format!("{count} brokers"),
        };
        let about = format!("Kafka cluster `{}`, {brokers}", cluster.id);
        let Some(name) = self.settings.topic.constant() else {
            return Ok(format!("{about}; topics are chosen by each event"));
        };
        cluster.learn(&[name.into()]).await?;
        let told = cluster.topic(name).map(|topic| told(name, topic)).transpose()?;
        Ok(format!("{about}; {}", told.unwrap_or_default()))
    }
}

fn told(name: &str, topic: &Topic) -> Result<String, Error> {
    if topic.may_write() == Some(false) {
        return Err(Error::MayNotWrite { topic: name.to_owned() });
    }
    let partitions = match topic.partitions() {
        1 => "1 partition".to_owned(),
        count => format!("{count} partitions"),
    };
    let rights = if topic.may_write().is_some() { ", may be written" } else { "" };
    let leaderless = match topic.leaderless() {
        0 => String::new(),
        count => format!(", {count} of them without a leader"),
    };
    Ok(format!("topic `{name}` has {partitions}{leaderless}{rights}"))
}

/// A connected producer.
#[derive(Debug)]
pub struct Producer {
    settings: Arc<Settings>,
    standing: Standing,
    memory: OwnedMutexGuard<Memory>,
    cluster: Cluster,
    /// The topic, where every event has the same.
    constant: Option<Arc<str>>,
    transactions: Option<Transactions>,
    /// What was learned about the size that batches of a place may have.
    limits: HashMap<TopicPartition, usize>,
}

/// The least that is waited, so that "no wait" is not taken for "the target did not say".
const THROTTLE_MIN: Duration = Duration::from_millis(1);

impl Writer for Producer {
    type Error = Error;

    async fn write(&mut self, batch: &[Delivered], answers: &Answers) -> Outcome<Error> {
        // Brokers say so together with an acknowledgement; so the next batch is what waits.
        if let Some(wait) = self.cluster.throttled() {
            let why = "the broker throttles this producer: a quota is used up".to_owned();
            return Outcome::Throttled { wait: wait.max(THROTTLE_MIN), why };
        }
        let Some(last) = batch.last() else {
            return Outcome::BatchRejected("the batch is empty".to_owned());
        };
        if let Err(error) = self.look_again().await {
            return Outcome::NotConnected(error);
        }
        self.memory.trim();
        let is_transaction = self.transactions.is_some();
        let refused = match is_transaction {
            true => self.transact(batch, last).await,
            false => self.deliver(batch, answers).await,
        };
        match refused {
            Err(error) => Outcome::NotConnected(error),
            Ok(Some(reason)) => Outcome::BatchRejected(reason),
            Ok(None) if is_transaction => Outcome::AckedTo(last.offset()),
            Ok(None) => Outcome::Answered,
        }
    }

    fn arrived(&mut self) -> Vec<Offset> {
        self.memory.take_found()
    }

    /// A transaction that stays open would keep readers waiting.
    async fn close(mut self) {
        if let Some(transactions) = &mut self.transactions {
            self.cluster.hang_up();
            let _best_effort = transactions.abort(&mut self.cluster).await;
        }
    }
}

impl Producer {
    /// Asks about topics again where it was asked long ago.
    async fn look_again(&mut self) -> Result<(), Error> {
        self.cluster.forget_topics();
        match &self.constant {
            Some(topic) => self.know(vec![Arc::clone(topic)]).await,
            None => Ok(()),
        }
    }

    /// Finds out what became of what an earlier connection left without an answer: it is sent again as
    /// it was. Before the stream is read, because what is there must not be told as lost, though
    /// retention took it.
    async fn find_out(&mut self) -> Result<(), Error> {
        self.memory.forget_waiting();
        self.know(self.memory.open().map(|place| Arc::clone(&place.topic)).collect()).await?;
        let cluster = &self.cluster;
        self.memory.forget(|place| cluster.lacks(place));
        let _refused_and_so_not_there = self.send(Told::OnceConnected).await?;
        Ok(())
    }

    /// Sends the batch; gives why a piece of it was refused.
    async fn deliver(
        &mut self,
        batch: &[Delivered],
        answers: &Answers,
    ) -> Result<Option<String>, Error> {
        let rejected = self.encode(batch).await?;
        let refused = self.send(Told::Now(answers)).await?;
        // Behind what was taken, so that they alone do not end the write.
        rejected.into_iter().for_each(|it| answers.rejected(it.offset, it.reason));
        Ok(refused)
    }

    /// Puts a batch into pieces; gives what cannot be.
    async fn encode(&mut self, batch: &[Delivered]) -> Result<Vec<Rejected>, Error> {
        let topics = self.topics(batch).await?;
        let Settings { format, compression, .. } = *self.settings;
        let mut encoder = Encoder::new(format, compression, &self.limits);
        let mut rejected = Vec::new();
        for (at, record) in batch.iter().enumerate() {
            let topic = self.constant.as_ref().or_else(|| topics.get(at)?.as_ref());
            let pushed = match topic.and_then(|name| Some((name, self.cluster.topic(name)?))) {
                None => Err(NO_EVENT.to_owned()),
                Some((name, topic)) => {
                    let key = record.key().map(AsRef::as_ref);
                    let partition = partition(key, record.offset(), topic.partitions());
                    encoder.push(name, partition, record, &mut self.memory)
                }
            };
            if let Err(reason) = pushed {
                rejected.push(Rejected { offset: record.offset(), reason });
            }
        }
        encoder.finish(&mut self.memory);
        Ok(rejected)
    }

    /// The topic of each record, where it is chosen by the event; none for a record that is no event.
    async fn topics(&mut self, records: &[Delivered]) -> Result<Vec<Option<Arc<str>>>, Error> {
        if self.constant.is_some() {
            return Ok(Vec::new());
        }
        let (stream, sink) = (self.standing.stream.as_str(), self.standing.sink.as_str());
        let mut topics: Vec<Option<Arc<str>>> = Vec::with_capacity(records.len());
        for record in records {
            let place = name_template::NameContext { stream, sink, recorded: record.recorded() };
            let topic = record.event().map(|event| {
                let name = self.settings.topic.name(event, place, "none", '-', is_legal);
                legal(name).into()
            });
            topics.push(topic);
        }
        self.know(topics.iter().flatten().cloned().collect()).await?;
        Ok(topics)
    }

    /// Asks about those topics that were not asked about yet.
    async fn know(&mut self, mut topics: Vec<Arc<str>>) -> Result<(), Error> {
        topics.sort_unstable();
        topics.dedup();
        topics.retain(|name| self.cluster.topic(name).is_none());
        if topics.is_empty() { Ok(()) } else { self.cluster.learn(&topics).await }
    }

    /// Sends what is open.
    async fn send(&mut self, told: Told<'_>) -> Result<Option<String>, Error> {
        let producer = match self.memory.producer() {
            Some(producer) => producer,
            None => {
                let producer = identity(&mut self.cluster).await?;
                self.memory.produce_as(producer);
                producer
            }
        };
        let (memory, limits) = (&mut *self.memory, &mut self.limits);
        let round = Round {
            cluster: &mut self.cluster,
            producer,
            transactional_id: self.transactions.as_ref().map(|it| &it.id),
            timeout: self.settings.timeout,
            judge: Judge { memory, limits, told, refused: None },
        };
        round.send().await
    }

    /// One batch, one transaction; gives why it was aborted.
    async fn transact(
        &mut self,
        batch: &[Delivered],
        last: &Delivered,
    ) -> Result<Option<String>, Error> {
        let result = self.transact_all(batch, last).await;
        match &self.transactions {
            Some(transactions) => result.map_err(|error| transactions.failed(error)),
            None => result,
        }
    }

    async fn transact_all(
        &mut self,
        batch: &[Delivered],
        last: &Delivered,
    ) -> Result<Option<String>, Error> {
        let rejected = self.encode(batch).await?;
        if let Some(first) = rejected.into_iter().next() {
            self.memory.ended();
            return Ok(Some(first.reason));
        }
        if let Some(transactions) = &mut self.transactions {
            transactions.add(&mut self.cluster, self.memory.open()).await?;
        }
        let refused = self.send(Told::AtTheEnd).await?;
        self.memory.ended();
        if let Some(transactions) = &mut self.transactions {
            match &refused {
                Some(_) => transactions.abort(&mut self.cluster).await?,
                None => {
                    let last = Taken { offset: last.offset(), recorded: last.recorded() };
                    transactions.commit(&mut self.cluster, last).await?;
                }
            }
        }
        Ok(refused)
    }
}

/// A name that a topic can have.
fn legal(mut name: String) -> String {
    name.truncate(TOPIC_BYTES_MAX);
    if name == "." || name == ".." { "-".to_owned() } else { name }
}
