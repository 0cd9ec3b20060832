//! The one table of components: what a configuration may name, and what it makes.
//!
//! Adding a component adds a line here and nothing elsewhere in the binary.

use std::{future::Future, pin::Pin, sync::Arc};

use pluvio_connect::vsphere;
use pluvio_listen::{Context, http, kafka};
use pluvio_net::SecretSource;
use pluvio_runtime::{
    Chain, Failure as _,
    supervise::{SourceContext, Supervisor},
};
use schemars::Schema;
use serde::de::DeserializeOwned;

/// A type of source.
pub(crate) struct SourceType {
    /// The `type` in a configuration.
    pub(crate) name: &'static str,
    /// One line for `--help` and the default configuration.
    pub(crate) summary: &'static str,
    /// What its section may hold.
    pub(crate) schema: fn() -> Schema,
    /// Makes it from its section.
    pub(crate) build: fn(toml::Table, SourceSlot) -> Result<BuiltSource, BuildError>,
}

/// A type of listener.
pub(crate) struct ListenerType {
    /// The `type` in a configuration, and the section's name where it has no `type`.
    pub(crate) name: &'static str,
    /// One line for `--help` and the default configuration.
    pub(crate) summary: &'static str,
    /// What its section may hold.
    pub(crate) schema: fn() -> Schema,
    /// Makes it from its section; binds its socket.
    pub(crate) build: fn(toml::Table, Context) -> Result<BuiltListener, BuildError>,
}

/// Every type of source.
pub(crate) const SOURCES: &[SourceType] = &[SourceType {
    name: vsphere::NAME,
    summary: "events of a vCenter, 6.5 to 9",
    schema: || schemars::schema_for!(vsphere::Config),
    build: |section, slot| build_vsphere(section_of(section)?, slot),
}];

/// Every type of listener.
pub(crate) const LISTENERS: &[ListenerType] = &[
    ListenerType {
        name: "http",
        summary: "HTTP: pages, watches, status, metrics",
        schema: || schemars::schema_for!(http::Config),
        build: |section, context| build_http(section_of(section)?, context),
    },
    ListenerType {
        name: "kafka",
        summary: "Kafka's protocol: any consumer reads, and commits its offsets",
        schema: || schemars::schema_for!(kafka::Config),
        build: |section, context| build_kafka(section_of(section)?, context),
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

type Start = Box<dyn FnOnce(&Supervisor, SourceContext) + Send>;
type Probe =
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

type StartListener = Box<dyn FnOnce(&Supervisor, &str) + Send>;

/// What a probe could not do, and what helps.
pub(crate) struct ProbeError {
    pub(crate) message: String,
    pub(crate) remedy: Option<String>,
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
    let secrets = config.secrets().map(|(key, secret)| (key, secret.clone())).to_vec();
    let source = config.build(slot.is_alone).map_err(|error| BuildError {
        key: Some(error.key()),
        message: Chain(&error).to_string(),
    })?;
    let probed = source.clone();
    Ok(BuiltSource {
        identity: source.identity().to_owned(),
        secrets,
        start: Box::new(move |supervisor, context| {
            supervisor.source(context, vsphere::NAME, move || source.clone());
        }),
        probe: Box::new(move || {
            Box::pin(async move {
                probed.probe().await.map(|found| found.to_string()).map_err(|error| ProbeError {
                    message: Chain(&error).to_string(),
                    remedy: error.remedy(),
                })
            })
        }),
    })
}

/// An HTTP listener from a section, or for the environment's `PORT`.
pub(crate) fn build_http(
    config: http::Config,
    context: Context,
) -> Result<BuiltListener, BuildError> {
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    let listener = config
        .build(context)
        .map_err(|error| BuildError { key: Some("listen"), message: Chain(&error).to_string() })?;
    let url = format!("{scheme}://{}", listener.local_addr());
    let start =
        move |supervisor: &Supervisor, name: &str| supervisor.listener(name, "http", listener);
    Ok(BuiltListener { url, start: Box::new(start) })
}

/// A Kafka listener from a section, or the default one.
pub(crate) fn build_kafka(
    config: kafka::Config,
    context: Context,
) -> Result<BuiltListener, BuildError> {
    let scheme = if config.tls.is_some() { "kafka+tls" } else { "kafka" };
    let listener = config.build(context).map_err(|error| BuildError {
        key: Some(error.key()),
        message: Chain(&error).to_string(),
    })?;
    let url = format!("{scheme}://{}", listener.local_addr());
    let start =
        move |supervisor: &Supervisor, name: &str| supervisor.listener(name, "kafka", listener);
    Ok(BuiltListener { url, start: Box::new(start) })
}

/// Renders the Prometheus page.
pub(crate) type Metrics = Arc<dyn Fn() -> String + Send + Sync>;
