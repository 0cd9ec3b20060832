//! The one table of components: what a configuration may name, and what it makes.
//!
//! Adding a component adds a line here and nothing elsewhere in the binary.

use std::{future::Future, io, net::SocketAddr, pin::Pin, sync::Arc};

use pluvio_connect::{
    amqp,
    cloudstack::{self, usage},
    file, fluentd, kafka as kafka_sink, mongodb, mqtt, opensearch, rabbitmq, s3, stdout, vsphere,
    webhook,
};
use pluvio_listen::{Context, http, kafka};
use pluvio_runtime::{
    Chain, Failure, Sink, Source,
    supervise::{
        SourceContext, Supervisor,
        sink::{Repeats, SinkContext},
    },
};
use pluvio_secret::SecretSource;
use schemars::Schema;
use serde::de::DeserializeOwned;

/// A type of source.
pub(crate) struct SourceType {
    /// The `type` in a configuration.
    pub(crate) name: &'static str,
    /// One line for `--help` and the default configuration.
    pub(crate) summary: &'static str,
    /// A configuration that a newcomer can begin with.
    pub(crate) example: &'static str,
    /// What its section may hold.
    pub(crate) schema: fn() -> Schema,
    /// Makes it from its section.
    pub(crate) build: fn(toml::Table, SourceSlot) -> Result<BuiltSource, BuildError>,
}

/// A type of sink.
pub(crate) struct SinkType {
    /// The `type` in a configuration.
    pub(crate) name: &'static str,
    /// One line for `--help` and the default configuration.
    pub(crate) summary: &'static str,
    /// A configuration that a newcomer can begin with.
    pub(crate) example: &'static str,
    /// What it has for a batch unless its section says so, where that is not what all have.
    pub(crate) batch: fn() -> toml::Table,
    /// What its section may hold, beside what every sink's may.
    pub(crate) schema: fn() -> Schema,
    /// Makes it from its own keys.
    pub(crate) build: fn(toml::Table) -> Result<BuiltSink, BuildError>,
}

/// A type of listener.
pub(crate) struct ListenerType {
    /// The `type` in a configuration, and the section's name where it has no `type`.
    pub(crate) name: &'static str,
    /// One line for `--help` and the default configuration.
    pub(crate) summary: &'static str,
    /// What its section may hold.
    pub(crate) schema: fn() -> Schema,
    /// Makes it from its section, all but its socket. `true`: everybody must say who they are.
    pub(crate) resolve: fn(toml::Table, bool) -> Result<UnboundListener, BuildError>,
}

/// Every type of source.
pub(crate) const SOURCES: &[SourceType] = &[
    SourceType {
        name: vsphere::NAME,
        summary: "events of a vCenter, 6.5 to 9",
        example: vsphere::EXAMPLE,
        schema: || schemars::schema_for!(vsphere::Config),
        build: |section, slot| build_vsphere(section_of(section)?, slot),
    },
    SourceType {
        name: cloudstack::NAME,
        summary: "events of an Apache CloudStack",
        example: cloudstack::EXAMPLE,
        schema: || schemars::schema_for!(cloudstack::Config),
        build: |section, _| build_cloudstack(section_of(section)?),
    },
    SourceType {
        name: usage::NAME,
        summary: "usage of an Apache CloudStack: totals by the clock, and the usage server's records",
        example: usage::EXAMPLE,
        schema: || schemars::schema_for!(usage::Config),
        build: |section, _| {
            let config = section_of::<usage::Config>(section)?;
            let secrets = owned(&config.secrets());
            let source = config.build();
            let source = source.map_err(|error| BuildError::of(error.key(), &error))?;
            // Not the events of that name: those may be captured beside it.
            let identity = format!("usage of {}", source.identity());
            let probe = |source: usage::CloudstackUsage| async move {
                source.probe().await.map(|found| found.to_string())
            };
            Ok(BuiltSource::of(usage::NAME, identity, secrets, source, probe))
        },
    },
];

/// A sink whose module follows the pattern: configuration, secrets, nothing that two must not share.
macro_rules! remote {
    ($module:ident, $summary:literal) => {
        SinkType {
            name: $module::NAME,
            summary: $summary,
            example: $module::EXAMPLE,
            batch: toml::Table::new,
            schema: || schemars::schema_for!($module::Config),
            build: |section| {
                let config = section_of::<$module::Config>(section)?;
                let (secrets, only) = (owned(&config.secrets()), config.only());
                let sink = config.build().map_err(|error| BuildError::of(error.key(), &error))?;
                Ok(BuiltSink { secrets, only, ..BuiltSink::of($module::NAME, sink) })
            },
        }
    };
}

/// Every type of sink.
pub(crate) const SINKS: &[SinkType] = &[
    SinkType {
        name: stdout::NAME,
        summary: "lines on standard output, for people and pipes",
        example: stdout::EXAMPLE,
        batch: toml::Table::new,
        schema: || schemars::schema_for!(stdout::Config),
        build: |section| {
            let sink = section_of::<stdout::Config>(section)?.build();
            let target = "standard output".to_owned();
            Ok(BuiltSink { exclusive: Some(target), ..BuiltSink::of(stdout::NAME, sink) })
        },
    },
    SinkType {
        name: file::NAME,
        summary: "a file of JSON lines, finished by size and age",
        example: file::EXAMPLE,
        batch: toml::Table::new,
        schema: || schemars::schema_for!(file::Config),
        build: |section| {
            let sink = section_of::<file::Config>(section)?.build();
            let sink = sink.map_err(|error| BuildError::of(error.key(), &error))?;
            let (exclusive, file) = (Some(format!("`{}`", sink.identity())), Some(sink.clone()));
            let asked = sink.clone();
            let repeats = Repeats::judged(move |_| asked.refuses_repeats());
            let named = sink.clone();
            let too_long: TooLong = Box::new(move |name, stream| named.too_long(name, stream));
            Ok(BuiltSink { exclusive, file, repeats, too_long, ..BuiltSink::of(file::NAME, sink) })
        },
    },
    remote!(webhook, "requests to an HTTP address: CloudEvents, or the cloud's own records"),
    SinkType {
        name: kafka_sink::NAME,
        summary: "topics of an Apache Kafka cluster",
        example: kafka_sink::EXAMPLE,
        batch: toml::Table::new,
        schema: || schemars::schema_for!(kafka_sink::Config),
        build: |section| {
            let config = section_of::<kafka_sink::Config>(section)?;
            let (secrets, only) = (owned(&config.secrets()), config.only());
            let sink = config.build().map_err(|error| BuildError::of(error.key(), &error))?;
            let exclusive = sink.identity().map(|id| format!("the transactional id `{id}`"));
            Ok(BuiltSink { exclusive, secrets, only, ..BuiltSink::of(kafka_sink::NAME, sink) })
        },
    },
    remote!(rabbitmq, "an exchange of RabbitMQ, with routing keys; also CloudStack's own"),
    remote!(amqp, "a queue or topic of AMQP 1.0: Artemis, RabbitMQ 4, Qpid, Azure Service Bus"),
    SinkType {
        name: mqtt::NAME,
        summary: "topics of an MQTT broker, 3.1.1 and 5",
        example: mqtt::EXAMPLE,
        batch: toml::Table::new,
        schema: || schemars::schema_for!(mqtt::Config),
        build: |section| {
            let config = section_of::<mqtt::Config>(section)?;
            let (secrets, only) = (owned(&config.secrets()), config.only());
            let sink = config.build().map_err(|error| BuildError::of(error.key(), &error))?;
            let exclusive = sink.identity();
            let client = exclusive.clone();
            Ok(BuiltSink { exclusive, client, secrets, only, ..BuiltSink::of(mqtt::NAME, sink) })
        },
    },
    remote!(mongodb, "documents in a MongoDB, each once"),
    remote!(opensearch, "documents in OpenSearch or Elasticsearch, each once"),
    SinkType {
        name: s3::NAME,
        summary: "objects of JSON lines in a bucket of S3, each event once",
        example: s3::EXAMPLE,
        batch: || {
            let mut batch = toml::Table::new();
            batch.extend(s3::BATCH.map(|(key, value)| (key.to_owned(), value.into())));
            batch.insert("batch_events".to_owned(), s3::BATCH_EVENTS.into());
            batch
        },
        schema: || schemars::schema_for!(s3::Config),
        build: |section| {
            let config = section_of::<s3::Config>(section)?;
            let secrets = owned(&config.secrets());
            let sink = config.build().map_err(|error| BuildError::of(error.key(), &error))?;
            let exclusive = Some(format!("`{}`", sink.identity()));
            let (bucket, named) = (Some(sink.clone()), sink.clone());
            let too_long: TooLong = Box::new(move |name, stream| named.too_long(name, stream));
            Ok(BuiltSink { exclusive, bucket, secrets, too_long, ..BuiltSink::of(s3::NAME, sink) })
        },
    },
    remote!(fluentd, "records to Fluentd, Fluent Bit or another server of the forward protocol"),
];

/// Every type of listener.
pub(crate) const LISTENERS: &[ListenerType] = &[
    ListenerType {
        name: "http",
        summary: "HTTP: pages, watches, status, metrics",
        schema: || schemars::schema_for!(http::Config),
        resolve: |section, is_closed| resolve_http(section_of(section)?, is_closed),
    },
    ListenerType {
        name: "kafka",
        summary: "Kafka's protocol: any consumer reads, and commits its offsets",
        schema: || schemars::schema_for!(kafka::Config),
        resolve: |section, is_closed| resolve_kafka(section_of(section)?, is_closed),
    },
];

/// What a source learns of its place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SourceSlot {
    /// No other source writes to its stream.
    pub(crate) is_alone: bool,
}

/// Why a section makes no component: the key, where it is one key's fault, and the reason.
pub(crate) struct BuildError {
    pub(crate) key: Option<&'static str>,
    pub(crate) message: String,
}

impl BuildError {
    /// The fault of one key.
    fn of(key: &'static str, error: &(dyn std::error::Error + 'static)) -> Self {
        Self { key: Some(key), message: Chain(error).to_string() }
    }
}

type Start = Box<dyn FnOnce(&Supervisor, SourceContext) + Send>;
/// Asks the other side what is there.
pub(crate) type Probe =
    Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = Result<String, ProbeError>> + Send>> + Send>;

/// A source that can be started or asked.
pub(crate) struct BuiltSource {
    /// The `source` attribute of its events; two sources with one would store everything twice.
    pub(crate) identity: String,
    /// Its secrets by key, to be checked before anything starts.
    pub(crate) secrets: Vec<(&'static str, SecretSource)>,
    /// Puts it under the supervisor.
    pub(crate) start: Start,
    /// `pluvio check --connect`: asks the cloud and says what it found, in one line.
    pub(crate) probe: Probe,
}

impl BuiltSource {
    fn of<S, F>(
        name: &'static str,
        identity: String,
        secrets: Vec<(&'static str, SecretSource)>,
        source: S,
        probe: impl FnOnce(S) -> F + Send + 'static,
    ) -> Self
    where
        S: Source + Clone,
        F: Future<Output = Result<String, S::Error>> + Send,
    {
        let probed = source.clone();
        Self {
            identity,
            secrets,
            start: Box::new(move |supervisor, context| {
                supervisor.source(context, name, move || source.clone());
            }),
            probe: Box::new(move || {
                Box::pin(async move { probe(probed).await.map_err(|error| ProbeError::of(&error)) })
            }),
        }
    }
}

fn owned(secrets: &[(&'static str, &SecretSource)]) -> Vec<(&'static str, SecretSource)> {
    secrets.iter().map(|(key, secret)| (*key, (*secret).clone())).collect()
}

/// Which key makes names that the target does not take, and why; of the sink's name and its stream's.
type TooLong = Box<dyn Fn(&str, &str) -> Option<(&'static str, String)> + Send>;
type StartSink = Box<dyn Fn(&Supervisor, SinkContext) + Send>;

/// A sink that can be started or asked.
pub(crate) struct BuiltSink {
    /// Where it keeps its place, as people call it. No other sink may write there, except to a bucket, under
    /// other names.
    pub(crate) exclusive: Option<String>,
    /// The client that it connects as, if nobody else can be connected as that.
    pub(crate) client: Option<String>,
    /// The file that it writes, if it is one of this machine; those that it finishes lie beside it.
    pub(crate) file: Option<file::File>,
    /// The bucket that it fills, if it is one of S3.
    pub(crate) bucket: Option<s3::S3>,
    /// Whether what it makes there gets names that are too long.
    pub(crate) too_long: TooLong,
    /// Whether the target can be handed events again.
    pub(crate) repeats: Repeats,
    /// Which events it can be handed at all, in CEL: its format has no form for the others.
    pub(crate) only: Option<&'static str>,
    /// Its secrets by key, to be checked before anything starts.
    pub(crate) secrets: Vec<(&'static str, SecretSource)>,
    /// Puts it under a supervisor.
    pub(crate) start: StartSink,
    /// `pluvio check --connect`: asks the target and says what it found, in one line.
    pub(crate) probe: Probe,
}

impl BuiltSink {
    /// A sink that shares its target with whoever likes, and has no secrets.
    fn of<S: Sink + Clone>(name: &'static str, sink: S) -> Self {
        let mut probed = sink.clone();
        Self {
            exclusive: None,
            client: None,
            file: None,
            bucket: None,
            too_long: Box::new(|_, _| None),
            repeats: Repeats::default(),
            only: None,
            secrets: Vec::new(),
            start: Box::new(move |supervisor, context| {
                let sink = sink.clone();
                supervisor.sink(context, name, move || sink.clone());
            }),
            probe: Box::new(move || {
                Box::pin(
                    async move { probed.probe().await.map_err(|error| ProbeError::of(&error)) },
                )
            }),
        }
    }
}

type StartListener = Box<dyn FnOnce(&Supervisor, &str) + Send>;

/// What a probe could not do, and what helps.
pub(crate) struct ProbeError {
    pub(crate) message: String,
    pub(crate) remedy: Option<String>,
}

impl ProbeError {
    fn of(error: &impl Failure) -> Self {
        Self { message: Chain(error).to_string(), remedy: error.remedy() }
    }
}

/// Why a listener has no socket.
pub(crate) struct BindError {
    pub(crate) error: BuildError,
    /// Whether the same may work later. What this user is not allowed does not pass by itself.
    pub(crate) passes: bool,
}

impl BindError {
    fn of(key: &'static str, error: &(dyn std::error::Error + 'static)) -> Self {
        let mut causes = std::iter::successors(Some(error), |error| error.source());
        let system = causes.find_map(|cause| cause.downcast_ref::<io::Error>());
        let passes = system.is_some_and(|error| error.kind() != io::ErrorKind::PermissionDenied);
        Self { error: BuildError::of(key, error), passes }
    }
}

type Bind = Box<dyn FnOnce(Context) -> Result<BuiltListener, BindError>>;

/// A listener in which nothing is wrong, before it has its socket.
pub(crate) struct UnboundListener {
    pub(crate) listen: SocketAddr,
    /// Most connections that it admits at a time.
    pub(crate) connections_max: usize,
    pub(crate) bind: Bind,
}

/// A listener with its socket bound.
pub(crate) struct BuiltListener {
    pub(crate) url: String,
    pub(crate) start: StartListener,
}

fn section_of<C: DeserializeOwned>(section: toml::Table) -> Result<C, BuildError> {
    C::deserialize(section)
        .map_err(|error| BuildError { key: None, message: error.message().to_owned() })
}

/// A vCenter from a section, or from the environment.
pub(crate) fn build_vsphere(
    config: vsphere::Config,
    slot: SourceSlot,
) -> Result<BuiltSource, BuildError> {
    let secrets = owned(&config.secrets());
    let source = config.build(slot.is_alone);
    let source = source.map_err(|error| BuildError::of(error.key(), &error))?;
    let identity = source.identity().to_owned();
    let probe = |source: vsphere::Vsphere| async move {
        source.probe().await.map(|found| found.to_string())
    };
    Ok(BuiltSource::of(vsphere::NAME, identity, secrets, source, probe))
}

/// A CloudStack from a section, or for the demo.
pub(crate) fn build_cloudstack(config: cloudstack::Config) -> Result<BuiltSource, BuildError> {
    let secrets = owned(&config.secrets());
    let source = config.build();
    let source = source.map_err(|error| BuildError::of(error.key(), &error))?;
    let identity = source.identity().to_owned();
    let probe = |source: cloudstack::Cloudstack| async move {
        source.probe().await.map(|found| found.to_string())
    };
    Ok(BuiltSource::of(cloudstack::NAME, identity, secrets, source, probe))
}

/// An HTTP listener from a section, or for the environment's `PORT`.
pub(crate) fn resolve_http(
    config: http::Config,
    is_closed: bool,
) -> Result<UnboundListener, BuildError> {
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    let unbound = config.resolve(is_closed);
    let unbound = unbound.map_err(|error| BuildError::of(error.key(), &error))?;
    let (listen, connections_max) = (unbound.listen(), unbound.connections_max());
    let bind = move |context| {
        let listener = unbound.bind(context);
        let listener = listener.map_err(|error| BindError::of(error.key(), &error))?;
        let url = format!("{scheme}://{}", listener.local_addr());
        let start =
            move |supervisor: &Supervisor, name: &str| supervisor.listener(name, "http", listener);
        Ok(BuiltListener { url, start: Box::new(start) })
    };
    Ok(UnboundListener { listen, connections_max, bind: Box::new(bind) })
}

/// A Kafka listener from a section, or the default one.
pub(crate) fn resolve_kafka(
    config: kafka::Config,
    is_closed: bool,
) -> Result<UnboundListener, BuildError> {
    let scheme = if config.tls.is_some() { "kafka+tls" } else { "kafka" };
    let unbound = config.resolve(is_closed);
    let unbound = unbound.map_err(|error| BuildError::of(error.key(), &error))?;
    let (listen, connections_max) = (unbound.listen(), unbound.connections_max());
    let bind = move |context| {
        let listener = unbound.bind(context);
        let listener = listener.map_err(|error| BindError::of(error.key(), &error))?;
        let url = format!("{scheme}://{}", listener.local_addr());
        let start =
            move |supervisor: &Supervisor, name: &str| supervisor.listener(name, "kafka", listener);
        Ok(BuiltListener { url, start: Box::new(start) })
    };
    Ok(UnboundListener { listen, connections_max, bind: Box::new(bind) })
}

/// Renders the Prometheus page.
pub(crate) type Metrics = Arc<dyn Fn() -> String + Send + Sync>;
