//! What an operator may say about a vCenter, and how that becomes the settings of a source.

use std::{sync::Arc, time::Duration};

use pluvio_clouds::vsphere::{
    DataFormat, Endpoint, EndpointError, MoRef, Redaction, event_classes,
};
use pluvio_event::hint;
use pluvio_net::unit::Period;
use pluvio_net::{TlsError, TlsOptions};
use pluvio_secret::SecretSource;
use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use super::{
    map::{Mapping, TYPE_PREFIX, TYPE_SUFFIX},
    pages::Pages,
};
use crate::{component::KeyedError, inbound::mark::scope_of};

/// A vCenter whose events are captured.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The vCenter's address, for example `https://vc.example.org`; `/sdk` is added if missing. Connected to directly: proxies that the
    /// environment names (`HTTPS_PROXY`, `NO_PROXY`) are not used, for one that was set for something else
    /// would get the login of a cloud that is rarely behind it.
    pub url: String,
    /// User name of an account with the read-only role on the root folder.
    pub username: SecretSource,
    /// Its password.
    pub password: SecretSource,
    /// Whose certificate is accepted.
    #[serde(default)]
    pub tls: TlsOptions,
    /// How far back the first start begins, by the vCenter's clock. Later starts resume where the
    /// last one ended, also where the section was renamed or given another stream meanwhile. Where the section
    /// had another `source`, it begins anew: so far back, or where that one ended if this is earlier.
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
    /// events are told apart by `source` and `id`, and with another one, those that `begin` and `overlap`
    /// reach come again.
    pub source: Option<String>,
    /// Capture only these classes or event type ids, for example `["VmPoweredOnEvent"]`. Ids of `EventEx`
    /// and `ExtendedEvent` have dots. Names are whole and case counts: a class that the vSphere API does
    /// not have is refused, and so are `*` and the `type` that Pluvio gives to an event.
    #[serde(default)]
    pub event_types: Vec<String>,
    /// Capture only what these users caused.
    #[serde(default)]
    pub users: Vec<String>,
    /// Capture only what happened to this object and below, as `Type:id`, for example
    /// `Datacenter:datacenter-2`.
    pub entity: Option<String>,
    /// Further fields of `data` whose values are secret, by an element's name (`userName`) or the end of a
    /// path or of an option (`spec.description`, `guestinfo.pin`); passwords, keys and tokens always are. Of an
    /// event that cannot be read, or is larger than 4 MiB, the beginning (4 KiB) is kept as an event of the
    /// type `com.vmware.vsphere.malformed.v0`, and loses at least the same values: a path counts by its last
    /// name, a `value` is kept only behind a `key` that is not secret, and where the markup is broken, only
    /// fields that every event has are kept. Its id is a digest of its text without these values: after a change
    /// of `redact`, those that are listed again come once more.
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

/// What may be an `entity`: the managed entities of the vSphere API.
const ENTITY_TYPES: [&str; 15] = [
    "ClusterComputeResource",
    "ComputeResource",
    "Datacenter",
    "Datastore",
    "DistributedVirtualPortgroup",
    "DistributedVirtualSwitch",
    "Folder",
    "HostSystem",
    "Network",
    "OpaqueNetwork",
    "ResourcePool",
    "StoragePod",
    "VirtualApp",
    "VirtualMachine",
    "VmwareDistributedVirtualSwitch",
];

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
    /// Nothing that has events is called so.
    #[error("`entity` is `{entity}`: `{kind}` is not a type of managed entity{hint}")]
    EntityType {
        /// As it is written.
        entity: String,
        /// Its type.
        kind: String,
        /// The nearest that there is, if one is near.
        hint: String,
    },
    /// vCenter compares names, and knows no patterns.
    #[error(
        "`event_types` has `{0}`: names are compared as a whole and `*` is not a pattern here; list \
         each class, or capture all and filter by type where events are read"
    )]
    Pattern(String),
    /// As events carry it here, and not as vCenter knows it.
    #[error(
        "`event_types` has `{name}`, which is the `type` that Pluvio gives to events and not a name that \
         vCenter knows; did you mean `{vcenter}`?"
    )]
    OwnType {
        /// As it is written.
        name: String,
        /// Its name at the vCenter.
        vcenter: String,
    },
    /// It would be waited for in vain.
    #[error("`event_types` has `{name}`, which is not a class of events in the vSphere API{hint}")]
    EventType {
        /// As it is written.
        name: String,
        /// The nearest that there is, if one is near.
        hint: String,
    },
}

impl KeyedError for ConfigError {
    fn key(&self) -> &'static str {
        match self {
            Self::Url(_) | Self::UserInfo => "url",
            Self::Source => "source",
            Self::Sweep => "sweep",
            Self::Tls(_) => "tls",
            Self::Entity(_) | Self::EntityType { .. } => "entity",
            Self::Pattern(_) | Self::OwnType { .. } | Self::EventType { .. } => "event_types",
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
    /// The mark of the three.
    pub(super) scope: String,
    pub(super) mapping: Mapping,
    pub(super) keys_are_offsets: bool,
    pub(super) pages: Arc<Pages>,
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

    /// Checks the section; `keys_are_offsets`: an event gets its key as its offset where that is free.
    pub(super) fn resolve(self, keys_are_offsets: bool) -> Result<Settings, ConfigError> {
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
        let scope = self.scope();
        let entity = self.entity.as_deref().map(entity).transpose()?;
        self.event_types.iter().try_for_each(|name| event_type(name))?;
        let source = self.source.unwrap_or_else(|| url.to_string());
        let redaction = Redaction::with(self.redact);
        Ok(Settings {
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
            scope,
            keys_are_offsets,
            pages: Arc::default(),
        })
    }

    /// The mark of what the vCenter is asked for.
    fn scope(&self) -> String {
        let types = self.event_types.iter().map(|name| ("event_types", name.as_str()));
        let users = self.users.iter().map(|name| ("users", name.as_str()));
        let entity = self.entity.iter().map(|entity| ("entity", entity.as_str()));
        scope_of(types.chain(users).chain(entity).collect())
    }
}

fn entity(text: &str) -> Result<MoRef, ConfigError> {
    match text.split_once(':') {
        Some((kind, value)) if ENTITY_TYPES.contains(&kind) && !value.is_empty() => {
            Ok(MoRef::new(kind, value))
        }
        Some((kind, value)) if !kind.is_empty() && !value.is_empty() => {
            let (entity, hint) = (text.to_owned(), hint(kind, ENTITY_TYPES.into_iter()));
            Err(ConfigError::EntityType { entity, kind: kind.to_owned(), hint })
        }
        _ => Err(ConfigError::Entity(text.to_owned())),
    }
}

/// A class of the API, or an id with dots, which any extension of a vCenter may define. The `type` of our
/// own events has dots, too, and no vCenter knows it.
fn event_type(name: &str) -> Result<(), ConfigError> {
    if name.contains('*') {
        return Err(ConfigError::Pattern(name.to_owned()));
    }
    let is_class = |name: &str| event_classes().any(|class| class == name);
    let bare = name.strip_prefix(TYPE_PREFIX).unwrap_or(name);
    let bare = bare.strip_suffix(TYPE_SUFFIX).unwrap_or(bare);
    let is_ours = name.starts_with(TYPE_PREFIX) && name.ends_with(TYPE_SUFFIX);
    if bare != name && (is_ours || is_class(bare)) {
        let (own, vcenter) = (name.to_owned(), bare.to_owned());
        return event_type(bare).and(Err(ConfigError::OwnType { name: own, vcenter }));
    }
    let is_id = name.contains('.') && !name.contains(char::is_whitespace);
    if is_id || is_class(name) {
        return Ok(());
    }
    Err(ConfigError::EventType { name: name.to_owned(), hint: hint(name, event_classes()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(change: impl FnOnce(&mut Config)) -> Option<(&'static str, String)> {
        let mut config = Config::new("http://vc.example.org");
        change(&mut config);
        config.resolve(false).err().map(|error| (error.key(), error.to_string()))
    }

    fn of_type(name: &str) -> Option<String> {
        let (key, said) = refusal(|config| config.event_types = vec![name.to_owned()])?;
        assert_eq!(key, "event_types");
        Some(said)
    }

    #[test]
    fn a_class_that_no_event_has_is_refused_with_the_nearest_name() {
        for (wrong, right) in [
            ("VmPoweredOnEvnt", "VmPoweredOnEvent"),
            ("vmpoweredonevent", "VmPoweredOnEvent"),
            ("VmPoweredOn", "VmPoweredOnEvent"),
            ("UserLoginSession", "UserLoginSessionEvent"),
        ] {
            let said = of_type(wrong).unwrap_or_default();
            assert!(said.contains(wrong) && said.contains(&format!("`{right}`")), "{said}");
        }
        for wrong in ["", " ", "TaskInfo", "a type.of ours"] {
            assert!(of_type(wrong).is_some_and(|said| said.contains("not a class")), "`{wrong}`");
        }
    }

    #[test]
    fn classes_and_ids_with_dots_are_taken_and_patterns_are_not() {
        for name in ["VmPoweredOnEvent", "EventEx", "esx.problem.net.redundancy.lost"] {
            assert_eq!(of_type(name), None);
        }
        for pattern in ["*", "Vm*", "Vm*Event", "esx.problem.*"] {
            assert!(
                of_type(pattern).is_some_and(|said| said.contains("not a pattern")),
                "{pattern}"
            );
        }
    }

    #[test]
    fn the_type_that_pluvio_gives_to_events_is_refused_with_the_name_at_the_vcenter() {
        let hot = "VmBeingHotMigratedEvent";
        for (own, vcenter) in [
            (format!("com.vmware.vsphere.{hot}.v0"), hot),
            (format!("com.vmware.vsphere.{hot}"), hot),
            (format!("{hot}.v0"), hot),
            (
                "com.vmware.vsphere.com.vmware.vc.ha.VmRestarted.v0".to_owned(),
                "com.vmware.vc.ha.VmRestarted",
            ),
            // A typing error in it is told as such.
            ("com.vmware.vsphere.VmPoweredOnEvnt.v0".to_owned(), "VmPoweredOnEvent"),
        ] {
            let said = of_type(&own).unwrap_or_default();
            assert!(said.contains(&format!("did you mean `{vcenter}`?")), "{own}: {said}");
        }
        for id in ["com.vmware.vc.ha.VmRestarted", "com.vmware.vsphere.of.some.extension"] {
            assert_eq!(of_type(id), None);
        }
    }

    #[test]
    fn an_entity_has_a_type_that_the_api_has() {
        let entity = |text: &str| refusal(|config| config.entity = Some(text.to_owned()));
        assert_eq!(entity("Datacenter:datacenter-2"), None);
        let (key, said) = entity("DataCenter:datacenter-2").unwrap_or_default();
        assert!(key == "entity" && said.contains("did you mean `Datacenter`?"), "{said}");
        assert!(entity("datacenter-2").is_some());
    }
}
