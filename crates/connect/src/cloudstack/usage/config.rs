//! What an operator may say about a CloudStack's usage.

use std::time::Duration;

use pluvio_net::TlsOptions;
use pluvio_net::unit::Period;
use pluvio_secret::SecretSource;
use schemars::JsonSchema;
use serde::Deserialize;

use super::super::{
    access::{Access, AccessOptions},
    config::{mapping, seconds, within},
    invalid::ConfigError,
    map::Mapping,
};

/// A CloudStack whose usage is captured.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The API's address, for example `https://cloud.example.org/client/api`; `/client/api` is added
    /// if missing. Connected to directly: proxies that the
    /// environment names (`HTTPS_PROXY`, `NO_PROXY`) are not used, for one that was set for something else
    /// would get the login of a cloud that is rarely behind it.
    pub url: String,
    /// API key of the user. What the user's account may see is counted.
    pub api_key: Option<SecretSource>,
    /// Secret key of the user.
    pub secret_key: Option<SecretSource>,
    /// User name, where there are no keys.
    pub username: Option<SecretSource>,
    /// Its password.
    pub password: Option<SecretSource>,
    /// Path of the user's domain, for example `/customers/acme`; needed with a user name only. The
    /// root domain if not set.
    pub domain: Option<String>,
    /// Whose certificate is accepted.
    #[serde(default)]
    pub tls: TlsOptions,
    /// Count only what belongs to the domain with this id. Everything that the account may see if
    /// not set.
    pub domain_id: Option<String>,
    /// Count what belongs to the domains below `domain_id`, too.
    #[serde(default = "yes")]
    pub recursive: bool,
    /// Between two ticks, which lie at multiples of it since 1970.
    #[serde(default = "interval")]
    pub interval: Period,
    /// Take ticks, which the role must allow (`listEvents`, `listVirtualMachines`, `listVolumes`); where it
    /// does not, they are left out and the status says so.
    #[serde(default = "yes")]
    pub ticks: bool,
    /// Capture the usage server's records, which the role must allow (`listUsageRecords`).
    #[serde(default = "yes")]
    pub records: bool,
    /// How far back the first start begins with records; today if 0. Later starts resume where the
    /// last one ended, also where the section was renamed or given another stream meanwhile. Where the section
    /// had another `source`, it begins anew: so far back, or where that one ended if this is earlier.
    #[serde(default = "begin")]
    pub begin: Period,
    /// How often records are asked for.
    #[serde(default = "records_interval")]
    pub records_interval: Period,
    /// How late records may be written to be found. The log should keep records for longer: of a time that it has
    /// forgotten, none that is late is taken, and the status says how many were left aside.
    #[serde(default = "records_overlap")]
    pub records_overlap: Period,
    /// Rows asked for at once; what the server allows (`default.page.size`), if that is less.
    #[serde(default = "page_size")]
    pub page_size: u32,
    /// The events' `source` attribute; the API's URL if not set. Set it before an address changes:
    /// events are told apart by `source` and `id`, and with another one, records that `begin` and
    /// `records_overlap` reach come again.
    pub source: Option<String>,
    /// Further fields of records whose values are secret; passwords, keys and tokens always are. A record that
    /// cannot be read loses the same values before its beginning (16 KiB) is kept as an event of the type
    /// `org.apache.cloudstack.malformed`. Its id is a digest of its text without these values: after a change of
    /// `redact`, those that are listed again come once more.
    #[serde(default)]
    pub redact: Vec<String>,
}

fn yes() -> bool {
    true
}

fn interval() -> Period {
    Period(Duration::from_secs(300))
}

fn begin() -> Period {
    Period(Duration::ZERO)
}

fn records_interval() -> Period {
    Period(Duration::from_secs(3600))
}

fn records_overlap() -> Period {
    Period(Duration::from_secs(3 * 86_400))
}

fn page_size() -> u32 {
    500
}

const DAY: Duration = Duration::from_secs(86_400);

/// A configuration that was checked.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) access: Access,
    pub(super) mapping: Mapping,
    pub(super) interval_s: i64,
    /// Whether ticks are taken.
    pub(super) ticks: bool,
    /// `None`: no records.
    pub(super) records: Option<RecordRules>,
    pub(super) begin_s: i64,
}

/// How records are captured.
#[derive(Clone, Copy, Debug)]
pub(super) struct RecordRules {
    pub(super) interval_s: i64,
    pub(super) overlap_s: i64,
}

impl Config {
    /// A CloudStack at `url` with every default, and no account yet.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            api_key: None,
            secret_key: None,
            username: None,
            password: None,
            domain: None,
            tls: TlsOptions::default(),
            domain_id: None,
            recursive: yes(),
            interval: interval(),
            ticks: yes(),
            records: yes(),
            begin: begin(),
            records_interval: records_interval(),
            records_overlap: records_overlap(),
            page_size: page_size(),
            source: None,
            redact: Vec::new(),
        }
    }

    /// Checks the section.
    pub(super) fn resolve(self) -> Result<Settings, ConfigError> {
        let second = Duration::from_secs(1);
        within("interval", self.interval, second, DAY)?;
        within("records_interval", self.records_interval, second, DAY)?;
        within("records_overlap", self.records_overlap, DAY, DAY * 60)?;
        let access = AccessOptions {
            url: &self.url,
            api_key: self.api_key,
            secret_key: self.secret_key,
            username: self.username,
            password: self.password,
            domain: self.domain,
            tls: self.tls,
            domain_id: self.domain_id,
            recursive: self.recursive,
            page_size: self.page_size,
        };
        let access = access.build()?;
        let mapping = mapping(self.source, &access, &self.redact)?;
        let records = RecordRules {
            interval_s: seconds(self.records_interval.0),
            overlap_s: seconds(self.records_overlap.0),
        };
        Ok(Settings {
            access,
            mapping,
            interval_s: seconds(self.interval.0),
            ticks: self.ticks,
            records: self.records.then_some(records),
            begin_s: i64::try_from(self.begin.0.as_secs()).unwrap_or(0),
        })
    }
}
