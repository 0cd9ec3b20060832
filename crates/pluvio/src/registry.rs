//! The one table of components: what a configuration may name, and what it makes.
//!
//! Adding a component adds a line here and nothing elsewhere in the binary.

use std::{future::Future, io, net::SocketAddr, pin::Pin, sync::Arc};

use pluvio_connect::{
    amqp,
    cloudstack::{self, usage},
    component::{Batch, KeyedError, SinkConfig, SourceConfig, SourceSlot, Target},
    file, fluentd, kafka as kafka_sink, mongodb, mqtt, opensearch, rabbitmq, s3, stdout, vsphere,
    webhook,
};
use pluvio_listen::{Context, component::ListenerConfig, http, kafka};
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
pub(crate) const SOURCES: &[SourceType] =
    &[source::<vsphere::Config>(), source::<cloudstack::Config>(), source::<usage::Config>()];

/// Every type of sink.
pub(crate) const SINKS: &[SinkType] = &[
    sink::<stdout::Config>(),
    sink::<file::Config>(),
    sink::<webhook::Config>(),
    sink::<kafka_sink::Config>(),
    sink::<rabbitmq::Config>(),
    sink::<amqp::Config>(),
    sink::<mqtt::Config>(),
    sink::<mongodb::Config>(),
    sink::<opensearch::Config>(),
    sink::<s3::Config>(),
    sink::<fluentd::Config>(),
];

/// Every type of listener.
pub(crate) const LISTENERS: &[ListenerType] =
    &[listener::<http::Config>(), listener::<kafka::Config>()];

const fn source<C: SourceConfig>() -> SourceType {
    SourceType {
        name: C::TYPE,
        summary: C::SUMMARY,
        example: C::EXAMPLE,
        schema: || schemars::schema_for!(C),
        build: |section, slot| built_source(section_of::<C>(section)?, slot),
    }
}

const fn sink<C: SinkConfig>() -> SinkType {
    SinkType {
        name: C::TYPE,
        summary: C::SUMMARY,
        example: C::EXAMPLE,
        batch: || batch(C::BATCH),
        schema: || schemars::schema_for!(C),
        build: |section| built_sink(section_of::<C>(section)?),
    }
}

const fn listener<C: ListenerConfig>() -> ListenerType {
    ListenerType {
        name: C::TYPE,
        summary: C::SUMMARY,
        schema: || schemars::schema_for!(C),
        resolve: |section, is_closed| unbound_listener(section_of::<C>(section)?, is_closed),
    }
}

/// The keys of a sink's batches as its section would have them.
fn batch(Batch { events, age, size }: Batch) -> toml::Table {
    let events = events.map(|events| ("batch_events", toml::Value::from(events)));
    let age = age.map(|age| ("batch_age", age.into()));
    let size = size.map(|size| ("batch_size", size.into()));
    let keys = [events, age, size].into_iter().flatten();
    keys.map(|(key, value)| (key.to_owned(), value)).collect()
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

    fn of_section(error: &impl KeyedError) -> Self {
        Self::of(error.key(), error)
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

/// A source from its section, or from the environment.
pub(crate) fn built_source<C: SourceConfig>(
    config: C,
    slot: SourceSlot,
) -> Result<BuiltSource, BuildError> {
    let secrets = owned(&config.secrets());
    let source = config.build(slot).map_err(|error| BuildError::of_section(&error))?;
    let (identity, mut probed) = (C::identity(&source), source.clone());
    Ok(BuiltSource {
        identity,
        secrets,
        start: Box::new(move |supervisor, context| {
            supervisor.source(context, C::TYPE, move || source.clone());
        }),
        probe: Box::new(move || {
            Box::pin(async move { probed.probe().await.map_err(|error| ProbeError::of(&error)) })
        }),
    })
}

fn owned(secrets: &[(&'static str, &SecretSource)]) -> Vec<(&'static str, SecretSource)> {
    secrets.iter().map(|(key, secret)| (*key, (*secret).clone())).collect()
}

type StartSink = Box<dyn Fn(&Supervisor, SinkContext) + Send>;

/// A sink that can be started or asked.
pub(crate) struct BuiltSink {
    /// What it writes to, as far as another sink may be in its way.
    pub(crate) target: Target,
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

fn built_sink<C: SinkConfig>(config: C) -> Result<BuiltSink, BuildError> {
    let (secrets, only) = (owned(&config.secrets()), config.only());
    let sink = config.build().map_err(|error| BuildError::of_section(&error))?;
    let (target, mut probed) = (C::target(&sink), sink.clone());
    let repeats = target
        .local()
        .cloned()
        .map_or_else(Repeats::default, |file| Repeats::judged(move |_| file.refuses_repeats()));
    Ok(BuiltSink {
        target,
        repeats,
        only,
        secrets,
        start: Box::new(move |supervisor, context| {
            let sink = sink.clone();
            supervisor.sink(context, C::TYPE, move || sink.clone());
        }),
        probe: Box::new(move || {
            Box::pin(async move { probed.probe().await.map_err(|error| ProbeError::of(&error)) })
        }),
    })
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

/// A listener from its section, from the environment, or a default one.
pub(crate) fn unbound_listener<C: ListenerConfig>(
    config: C,
    is_closed: bool,
) -> Result<UnboundListener, BuildError> {
    let (scheme, listen) = (config.scheme(), config.listen());
    let connections_max = config.connections_max();
    let unbound = config.resolve(is_closed);
    let unbound = unbound.map_err(|error| BuildError::of(C::key(&error), &error))?;
    let bind = move |context| {
        let listener = C::bind(unbound, context);
        let listener = listener.map_err(|error| BindError::of(C::key(&error), &error))?;
        let url = format!("{scheme}://{}", C::local_addr(&listener));
        let start =
            move |supervisor: &Supervisor, name: &str| supervisor.listener(name, C::TYPE, listener);
        Ok(BuiltListener { url, start: Box::new(start) })
    };
    Ok(UnboundListener { listen, connections_max, bind: Box::new(bind) })
}

/// Renders the Prometheus page.
pub(crate) type Metrics = Arc<dyn Fn() -> String + Send + Sync>;
