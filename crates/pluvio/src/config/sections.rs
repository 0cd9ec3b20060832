//! The sections that belong to no component: `[log]` and `[principals]`.

use std::{sync::Arc, time::Duration};

use pluvio_event::{Filter, Pattern};
use pluvio_log::{MemoryConfig, Retention};
use pluvio_net::{SecretError, SecretSource};
use pluvio_runtime::{
    ATTRIBUTES_BYTES_MAX, AccessTable, Chain, Principal, Streams, Verb,
    unit::{ByteSize, Period},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The log.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LogSection {
    /// Where the log is kept: `memory`, as long as the process lives.
    #[serde(rename = "type")]
    pub(crate) log_type: LogType,
    /// Delete events that were recorded longer ago than this.
    pub(crate) retention_age: Period,
    /// Keep at most this much of each stream.
    pub(crate) retention_size: ByteSize,
    /// Keep at most this many events of each stream; all that fit if not set.
    pub(crate) retention_records: Option<u64>,
    /// An event larger than this is stored without its data, marked with `dataomitted`.
    pub(crate) record_max: ByteSize,
}

/// Where a log is kept.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogType {
    /// In memory.
    #[default]
    Memory,
}

impl Default for LogSection {
    fn default() -> Self {
        Self {
            log_type: LogType::Memory,
            retention_age: Period(Duration::from_secs(30 * 86_400)),
            retention_size: ByteSize(64 << 20),
            retention_records: None,
            record_max: ByteSize(512 << 10),
        }
    }
}

impl LogSection {
    pub(crate) fn memory(&self) -> MemoryConfig {
        let retention = Retention {
            age: Some(self.retention_age.0),
            bytes_max: Some(self.retention_size.0),
            records_max: self.retention_records,
        };
        let record_bytes_max = self.record_bytes_max();
        MemoryConfig { retention, record_bytes_max, ..MemoryConfig::default() }
    }

    /// What is wrong with the limit of records, if anything.
    pub(crate) fn wrong_record_max(&self) -> Option<String> {
        let min = ByteSize(ATTRIBUTES_BYTES_MAX as u64);
        (self.record_max < min).then(|| format!("{} is too small; at least {min}", self.record_max))
    }

    pub(crate) fn record_bytes_max(&self) -> usize {
        usize::try_from(self.record_max.0).unwrap_or(usize::MAX)
    }
}

/// Someone who may connect.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PrincipalSection {
    /// Bearer token that it presents.
    pub(crate) token: Option<SecretSource>,
    /// Password that it presents; the user name is the section's name.
    pub(crate) password: Option<SecretSource>,
    /// Streams that it sees: names, or beginnings followed by `*`.
    #[serde(default = "all")]
    pub(crate) streams: Vec<String>,
    /// What it may do: `read`, `write`, `status`.
    #[serde(default = "read")]
    pub(crate) verbs: Vec<Verb>,
    /// CEL expression that every event it reads must satisfy, for example `account == "acme"`.
    pub(crate) filter: Option<String>,
}

fn all() -> Vec<String> {
    vec!["*".to_owned()]
}

fn read() -> Vec<Verb> {
    vec![Verb::Read]
}

/// Why a principal cannot be: the key and the reason.
pub(crate) type KeyError = (&'static str, String);

impl PrincipalSection {
    /// Lets the principal called `name` in.
    pub(crate) fn add_to(&self, name: &str, table: &mut AccessTable) -> Result<(), KeyError> {
        let mut filter = Filter::default();
        if let Some(cel) = &self.filter {
            filter = filter.and_expression(cel).map_err(|e| ("filter", e.to_string()))?;
        }
        let patterns = self.streams.iter().map(|text| Pattern::new(text)).collect();
        let principal = Arc::new(Principal {
            name: name.to_owned(),
            streams: Streams::Matching(patterns),
            verbs: self.verbs.iter().copied().collect(),
            filter,
        });
        if self.verbs.is_empty() {
            return Err(("verbs", "give at least one of `read`, `write`, `status`".to_owned()));
        }
        if self.token.is_none() && self.password.is_none() {
            return Err(("token", "set `token` or `password`: nobody could be this".to_owned()));
        }
        let secret = |key, source: &SecretSource| match source.resolve() {
            Ok(secret) if secret.is_empty() => Err((key, "is empty".to_owned())),
            resolved => resolved.map_err(|error: SecretError| (key, Chain(&error).to_string())),
        };
        if let Some(token) = &self.token {
            let added = table.add_bearer(secret("token", token)?.expose(), Arc::clone(&principal));
            added.map_err(|error| ("token", error.to_string()))?;
        }
        if let Some(password) = &self.password {
            table.add_password(secret("password", password)?.expose(), principal);
        }
        Ok(())
    }
}
