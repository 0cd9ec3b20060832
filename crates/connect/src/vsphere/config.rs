//! What an operator may say about a vCenter, and how that becomes a source.

use std::{
    sync::{Arc, atomic::AtomicU32},
    time::Duration,
};

use pluvio_clouds::vsphere::{DataFormat, Endpoint, EndpointError, MoRef, Redaction};
use pluvio_net::{SecretSource, TlsError, TlsOptions};
use pluvio_runtime::unit::Period;
use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use super::{map::Mapping, session::PAGE_EVENTS_MAX, source::Vsphere};

/// A vCenter whose events are captured.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The vCenter's address, for example `https://vc.example.org`; `/sdk` is added if missing.
    pub url: String,
    /// User name of an account with the read-only role on the root folder.
    pub username: SecretSource,
    /// Its password.
    pub password: SecretSource,
    /// Whose certificate is accepted.
    #[serde(default)]
    pub tls: TlsOptions,
    /// How far back the first start begins, by the vCenter's clock. Later starts resume where the
    /// last one ended.
    #[serde(default = "begin")]
    pub begin: Period,
    /// How far a reconnect reaches back for events that became visible late.
    #[serde(default = "overlap")]
    pub overlap: Period,
    /// How often the last day is searched for events that became visible even later.
    #[serde(default = "sweep")]
    pub sweep: Period,
    /// The JSON that an event's `data` becomes: `govmomi`, as vsphere-event-streaming prints it, or
    /// `vi-json`, as vCenter's own JSON API does.
    #[serde(default)]
    pub format: DataFormat,
    /// The events' `source` attribute; the SOAP URL if not set. Set it before an address changes:
    /// events are told apart by `source` and `id`.
    pub source: Option<String>,
    /// Capture only these classes or event type ids, for example `["VmPoweredOnEvent"]`.
    #[serde(default)]
    pub event_types: Vec<String>,
    /// Capture only what these users caused.
    #[serde(default)]
    pub users: Vec<String>,
    /// Capture only what happened to this object and below, as `Type:id`, for example
    /// `Datacenter:datacenter-2`.
    pub entity: Option<String>,
    /// Further fields of `data` whose values are secret; passwords, keys and tokens always are.
    #[serde(default)]
    pub redact: Vec<String>,
}

fn begin() -> Period {
    Period(Duration::from_secs(600))
}

fn overlap() -> Period {
    Period(Duration::from_secs(60))
}

fn sweep() -> Period {
    Period(Duration::from_secs(3600))
}

/// Why a configuration makes no source. The key is the one that is wrong.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The address is none.
    #[error("`url` is no vCenter address; write for example \"https://vc.example.org\"")]
    Url(#[source] EndpointError),
    /// The address holds a login, which would end up in logs.
    #[error("`url` holds a user or password; give them as `username` and `password`")]
    UserInfo,
    /// The sweep would never end.
    #[error("`sweep` is 0; write how often the last day is searched, for example \"1h\"")]
    Sweep,
    /// The `source` attribute would be empty.
    #[error("`source` is empty; leave it out, or give the URL that events shall carry")]
    Source,
    /// The TLS options make no sense together, or name a bad file.
    #[error("`tls` cannot be used")]
    Tls(#[source] TlsError),
    /// The object is not written as type and id.
    #[error("`entity` is `{0}`; write a type and an id, for example \"Datacenter:datacenter-2\"")]
    Entity(String),
}

impl ConfigError {
    /// The key that is wrong.
    pub fn key(&self) -> &'static str {
        match self {
            Self::Url(_) | Self::UserInfo => "url",
            Self::Source => "source",
            Self::Sweep => "sweep",
            Self::Tls(_) => "tls",
            Self::Entity(_) => "entity",
        }
    }
}

/// A configuration that was checked: nothing in it is left to parse.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) url: Url,
    pub(super) username: SecretSource,
    pub(super) password: SecretSource,
    pub(super) tls: TlsOptions,
    pub(super) begin: Duration,
    pub(super) overlap: Duration,
    pub(super) sweep: Duration,
    pub(super) event_types: Vec<String>,
    pub(super) users: Vec<String>,
    pub(super) entity: Option<MoRef>,
    pub(super) mapping: Mapping,
    pub(super) keys_are_offsets: bool,
    /// Events of one read: the server's limit, halved whenever an answer is too large to take.
    pub(super) page_events: Arc<AtomicU32>,
}

impl Config {
    /// A vCenter at `url` with every default, and no account yet.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            username: SecretSource::literal(""),
            password: SecretSource::literal(""),
            tls: TlsOptions::default(),
            begin: begin(),
            overlap: overlap(),
            sweep: sweep(),
            format: DataFormat::default(),
            source: None,
            event_types: Vec::new(),
            users: Vec::new(),
            entity: None,
            redact: Vec::new(),
        }
    }

    /// Checks everything that can be checked without the vCenter. `keys_are_offsets`: the source is
    /// alone in its stream, so an event's key becomes its offset as long as keys grow.
    pub fn build(self, keys_are_offsets: bool) -> Result<Vsphere, ConfigError> {
        let Endpoint { url, user, password } =
            Endpoint::normalise(&self.url).map_err(ConfigError::Url)?;
        if user.is_some() || password.is_some() {
            return Err(ConfigError::UserInfo);
        }
        if self.sweep.0.is_zero() {
            return Err(ConfigError::Sweep);
        }
        if self.source.as_deref() == Some("") {
            return Err(ConfigError::Source);
        }
        self.tls.client_config().map_err(ConfigError::Tls)?;
        let entity = self.entity.as_deref().map(entity).transpose()?;
        let source = self.source.unwrap_or_else(|| url.to_string());
        let redaction = Redaction::with(self.redact);
        Ok(Vsphere::new(Settings {
            mapping: Mapping { source, format: self.format, redaction },
            url,
            username: self.username,
            password: self.password,
            tls: self.tls,
            begin: self.begin.0,
            overlap: self.overlap.0,
            sweep: self.sweep.0,
            event_types: self.event_types,
            users: self.users,
            entity,
            keys_are_offsets,
            page_events: Arc::new(AtomicU32::new(PAGE_EVENTS_MAX)),
        }))
    }

    /// The secrets, to check that they can be read before anything starts.
    pub fn secrets(&self) -> [(&'static str, &SecretSource); 2] {
        [("username", &self.username), ("password", &self.password)]
    }
}

fn entity(text: &str) -> Result<MoRef, ConfigError> {
    match text.split_once(':') {
        Some((kind, value)) if !kind.is_empty() && !value.is_empty() => Ok(MoRef::new(kind, value)),
        _ => Err(ConfigError::Entity(text.to_owned())),
    }
}
