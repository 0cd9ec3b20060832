//! The cluster as it told itself when we connected: brokers, leaders, and a connection to each that is
//! needed.
//!
//! What it says is asked for anew with every connection of the sink, so that a leader that moved is
//! found by the supervisor's next attempt. It refuses to make topics.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{StreamExt as _, stream::FuturesUnordered};
use kafka_protocol::{
    ResponseError,
    messages::{
        BrokerId, MetadataRequest, MetadataResponse, ProduceRequest, ProduceResponse, TopicName,
        metadata_request::MetadataRequestTopic, metadata_response::MetadataResponseTopic,
    },
    protocol::StrBytes,
};
use pluvio_net::Dialer;

use super::{
    Error,
    code::Code,
    config::Settings,
    credentials::Credentials,
    lane::TopicPartition,
    wire::{Ask, Connection, Setup},
};

/// After this, topics are asked about again, for partitions that were added; the default of Kafka's own
/// clients (`metadata.max.age.ms`).
const TOPICS_AGE_MAX: Duration = Duration::from_secs(300);
/// Topics remembered; beyond, all are asked for again.
const TOPICS_MAX: usize = 1000;
/// `AclOperation.WRITE`, as a bit.
const MAY_WRITE: i32 = 1 << 4;

/// An address of a node.
type Address = (String, u16);

/// A cluster, and connections to it.
#[derive(Debug)]
pub(super) struct Cluster {
    setup: Setup,
    /// Where to begin.
    brokers: Vec<Address>,
    /// To whoever answered.
    control: Connection,
    /// What the cluster calls itself.
    pub(super) id: String,
    nodes: HashMap<i32, Address>,
    open: HashMap<i32, Connection>,
    topics: HashMap<Arc<str>, Topic>,
    /// Since when topics have been asked about.
    topics_since: Instant,
    /// Until when brokers do not want to be asked.
    throttled_until: Option<Instant>,
}

/// A topic.
#[derive(Debug)]
pub(super) struct Topic {
    /// By partition; none for one without.
    leaders: Vec<Option<i32>>,
    /// Whether the brokers say that we may write; they may not tell.
    may_write: Option<bool>,
}

impl Topic {
    pub(super) fn partitions(&self) -> i32 {
        i32::try_from(self.leaders.len()).unwrap_or(i32::MAX)
    }

    pub(super) fn may_write(&self) -> Option<bool> {
        self.may_write
    }

    pub(super) fn leaderless(&self) -> usize {
        self.leaders.iter().filter(|leader| leader.is_none()).count()
    }
}

impl Cluster {
    /// Reads secrets and files, and connects to the first broker that answers.
    pub(super) async fn connect(settings: &Settings) -> Result<Self, Error> {
        let failed = |key: &'static str| move |source| Error::Secret { key, source };
        let credentials = match &settings.login {
            None => None,
            Some((username, password, mechanism)) => Some(Credentials {
                mechanism: *mechanism,
                username: username.resolve_name().map_err(failed("username"))?,
                password: password.resolve().map_err(failed("password"))?,
            }),
        };
        let setup = Setup {
            dialer: match &settings.tls {
                None => Dialer::plain(),
                Some(options) => Dialer::tls(options)?,
            },
            credentials,
            client_id: StrBytes::from_string(settings.client_id.clone()),
            timeout: settings.timeout,
        };
        let control = begin(&setup, &settings.brokers).await?;
        let mut cluster = Self {
            setup,
            brokers: settings.brokers.clone(),
            control,
            id: String::new(),
            nodes: HashMap::new(),
            open: HashMap::new(),
            topics: HashMap::new(),
            topics_since: Instant::now(),
            throttled_until: None,
        };
        cluster.learn(&[]).await?;
        Ok(cluster)
    }

    /// How many brokers there are.
    pub(super) fn brokers(&self) -> usize {
        self.nodes.len()
    }

    /// How long brokers still do not want to be asked.
    pub(super) fn throttled(&self) -> Option<Duration> {
        let left = self.throttled_until?.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    /// Forgets topics, if there are too many or they have been known for long.
    pub(super) fn forget_topics(&mut self) {
        if self.topics.len() > TOPICS_MAX || self.topics_since.elapsed() > TOPICS_AGE_MAX {
            self.topics.clear();
            self.topics_since = Instant::now();
        }
    }

    /// Whether a partition is there, by what is known of its topic.
    pub(super) fn lacks(&self, place: &TopicPartition) -> bool {
        let topic = self.topics.get(&place.topic);
        topic.is_some_and(|topic| place.partition >= topic.partitions())
    }

    /// A topic that was learned.
    pub(super) fn topic(&self, name: &str) -> Option<&Topic> {
        self.topics.get(name)
    }

    /// Asks about topics: each must be there.
    pub(super) async fn learn(&mut self, names: &[Arc<str>]) -> Result<(), Error> {
        if !self.control.is_fresh() {
            self.control = begin(&self.setup, &self.brokers).await?;
        }
        let topic =
            |name: &Arc<str>| MetadataRequestTopic::default().with_name(Some(topic_name(name)));
        let version = self.control.version::<MetadataRequest>()?;
        let request = MetadataRequest::default()
            .with_topics(Some(names.iter().map(topic).collect()))
            .with_allow_auto_topic_creation(false)
            .with_include_topic_authorized_operations(version >= 8);
        let told = self.control.ask(&request).await?;
        self.note(&told);
        for topic in told.topics {
            let Some(name) = topic.name.as_ref() else { continue };
            let name: Arc<str> = name.as_str().into();
            let learned = learned(&name, &topic, version)?;
            self.topics.insert(name, learned);
        }
        match names.iter().find(|name| !self.topics.contains_key(*name)) {
            Some(name) => Err(Error::NoTopic { topic: name.to_string() }),
            None => Ok(()),
        }
    }

    fn note(&mut self, told: &MetadataResponse) {
        if let Some(id) = &told.cluster_id {
            self.id = id.to_string();
        }
        let address =
            |broker: &kafka_protocol::messages::metadata_response::MetadataResponseBroker| {
                let port = u16::try_from(broker.port).ok()?;
                Some((broker.node_id.0, (broker.host.to_string(), port)))
            };
        self.nodes.extend(told.brokers.iter().filter_map(address));
        self.throttle(told.throttle_time_ms);
    }

    fn throttle(&mut self, millis: i32) {
        let wait = u64::try_from(millis).ok().filter(|millis| *millis > 0);
        if let Some(until) = wait.map(|wait| Instant::now() + Duration::from_millis(wait)) {
            self.throttled_until = self.throttled_until.max(Some(until));
        }
    }

    /// The node that leads a partition.
    pub(super) fn leader(&self, place: &TopicPartition) -> Result<i32, Error> {
        let leaders = self.topics.get(&place.topic).map(|topic| topic.leaders.as_slice());
        let at = usize::try_from(place.partition).unwrap_or(usize::MAX);
        let leader = leaders.and_then(|leaders| *leaders.get(at)?);
        leader.ok_or_else(|| Error::NoLeader {
            topic: place.topic.to_string(),
            partition: place.partition,
        })
    }

    /// Notes where a node is.
    pub(super) fn found(&mut self, node: BrokerId, host: &str, port: i32) {
        if let Ok(port) = u16::try_from(port) {
            self.nodes.insert(node.0, (host.to_owned(), port));
        }
    }

    /// Asks any node.
    pub(super) async fn ask_any<R: Ask>(&mut self, request: &R) -> Result<R::Answer, Error> {
        if !self.control.is_fresh() {
            self.control = begin(&self.setup, &self.brokers).await?;
        }
        self.control.ask(request).await
    }

    /// Asks one node.
    pub(super) async fn ask<R: Ask>(&mut self, node: i32, request: &R) -> Result<R::Answer, Error> {
        self.to(node).await?.ask(request).await
    }

    /// A connection to a node, opened if there is none.
    pub(super) async fn to(&mut self, node: i32) -> Result<&mut Connection, Error> {
        self.reach(node).await?;
        self.open.get_mut(&node).ok_or(Error::NoNode { node })
    }

    /// Forgets open connections: answers may still be under way on them.
    pub(super) fn hang_up(&mut self) {
        self.open.clear();
    }

    async fn reach(&mut self, node: i32) -> Result<(), Error> {
        if self.open.get(&node).is_some_and(Connection::is_fresh) {
            return Ok(());
        }
        let address = self.nodes.get(&node);
        let (host, port) = address.ok_or_else(|| Error::NoNode { node })?;
        let connection = Connection::open(&self.setup, host, *port).await?;
        self.open.insert(node, connection);
        Ok(())
    }

    /// Hands a request to each of several leaders, side by side; each answer is noted when it comes.
    pub(super) async fn produce(
        &mut self,
        mut requests: HashMap<i32, ProduceRequest>,
        mut note: impl FnMut(Result<ProduceResponse, Error>),
    ) -> Result<(), Error> {
        for node in requests.keys() {
            self.reach(*node).await?;
        }
        let asked = self.open.iter_mut().filter_map(|(node, connection)| {
            let request = requests.remove(node)?;
            Some(async move { connection.ask(&request).await })
        });
        let (mut answers, mut throttle_millis) = (asked.collect::<FuturesUnordered<_>>(), 0);
        while let Some(answer) = answers.next().await {
            if let Ok(answer) = &answer {
                throttle_millis = throttle_millis.max(answer.throttle_time_ms);
            }
            note(answer);
        }
        drop(answers);
        self.throttle(throttle_millis);
        Ok(())
    }
}

/// The first broker that answers. An authentication failure is final: the other brokers would refuse too.
async fn begin(setup: &Setup, brokers: &[Address]) -> Result<Connection, Error> {
    let mut first = None;
    for (host, port) in brokers {
        match Connection::open(setup, host, *port).await {
            Ok(connection) => return Ok(connection),
            Err(error) if error.is_final() => return Err(error),
            Err(error) => first = first.or(Some(error)),
        }
    }
    Err(first.unwrap_or(Error::NoNode { node: -1 }))
}

fn learned(name: &str, topic: &MetadataResponseTopic, version: i16) -> Result<Topic, Error> {
    match Code::of(topic.error_code) {
        None | Some(Code(ResponseError::LeaderNotAvailable)) => {}
        Some(Code(ResponseError::UnknownTopicOrPartition)) => {
            return Err(Error::NoTopic { topic: name.to_owned() });
        }
        Some(code) => {
            let object = format!("topic `{name}`");
            return Err(Error::Refused { api: "Metadata", object, code });
        }
    }
    let mut leaders = vec![None; topic.partitions.len()];
    for partition in &topic.partitions {
        let at = usize::try_from(partition.partition_index).unwrap_or(usize::MAX);
        if let Some(leader) = leaders.get_mut(at) {
            *leader = Some(partition.leader_id.0).filter(|node| *node >= 0);
        }
    }
    // The least number means that the broker does not tell.
    let operations = Some(topic.topic_authorized_operations).filter(|it| *it != i32::MIN);
    let may_write = operations.filter(|_| version >= 8).map(|it| it & MAY_WRITE != 0);
    Ok(Topic { leaders, may_write })
}

/// A topic's name, as the codec wants it.
pub(super) fn topic_name(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}
