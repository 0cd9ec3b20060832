//! What an operator may say about a CloudStack, and how that becomes the settings of a source.

use std::time::Duration;

use pluvio_net::TlsOptions;
use pluvio_net::unit::Period;
use pluvio_secret::SecretSource;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    access::{Access, AccessOptions},
    invalid::ConfigError,
    map::Mapping,
    people::People,
    reader::Rules,
    redact::Redaction,
};

/// A CloudStack whose events are captured.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The API's address, for example `https://cloud.example.org/client/api`; `/client/api` is added
    /// if missing. Connected to directly: proxies that the
    /// environment names (`HTTPS_PROXY`, `NO_PROXY`) are not used, for one that was set for something else
    /// would get the login of a cloud that is rarely behind it.
    pub url: String,
    /// API key of the user. What the user's account may see is captured.
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
    /// Capture only events of the domain with this id. Everything that the account may see if not set; of
    /// projects newer releases show the administrator of a domain only those that it is a member of.
    pub domain_id: Option<String>,
    /// Capture events of the domains below `domain_id`, too.
    #[serde(default = "recursive")]
    pub recursive: bool,
    /// How far back the first start begins, by the cloud's clock; now if 0. A cloud that sends no
    /// `Date` (4.11 and later without a proxy) does not tell its clock: now is then its newest event,
    /// which is captured as well. Where the clock is told, and was ahead then or falls back by at most a quarter of
    /// an hour soon after, it begins anew, at the first start by the clock as it is now. Later starts resume where
    /// the last one ended, also where the section was renamed or given another stream meanwhile. Where the section
    /// had another `source`, it begins anew: so far back, or where that one ended if this is earlier.
    #[serde(default = "begin")]
    pub begin: Period,
    /// How late an event may become visible to be found within minutes, and how far a reconnect
    /// reaches back. At least 70 minutes is used for servers before 4.18, which read dates in their
    /// own time zone.
    #[serde(default = "overlap")]
    pub overlap: Period,
    /// How often the last day is searched for events that became visible even later. One that appears just as
    /// another of the same minutes is deleted changes no count: it is found when those minutes leave
    /// `overlap`, or the day.
    #[serde(default = "sweep")]
    pub sweep: Period,
    /// How soon after events the next are asked for.
    #[serde(default = "poll_min")]
    pub poll_min: Period,
    /// How often a cloud without events is asked.
    #[serde(default = "poll_max")]
    pub poll_max: Period,
    /// Rows asked for at once; what the server allows (`default.page.size`), if that is less.
    #[serde(default = "page_size")]
    pub page_size: u32,
    /// After how long the cloud forgets events (`event.purge.delay`), where it does not say so
    /// itself. Downtime beyond it is told as a loss.
    #[serde(default = "purge_after")]
    pub purge_after: Period,
    /// The events' `source` attribute; the API's URL if not set. Set it before an address changes:
    /// events are told apart by `source` and `id`, and with another one, those that `begin` and `overlap`
    /// reach come again.
    pub source: Option<String>,
    /// Further fields of `data` whose values are secret; passwords, keys and tokens always are. A row that
    /// cannot be read loses the same values before its beginning (16 KiB) is kept as an event of the type
    /// `org.apache.cloudstack.malformed`. Its id is a digest of its text without these values: after a change of
    /// `redact`, those that are listed again come once more.
    #[serde(default)]
    pub redact: Vec<String>,
    /// Look up the ids of users and accounts, which events name only by name, and tell them as `userid`
    /// and `accountid`: listUsers and listAccounts are asked at each connect and when a name is new, also in
    /// its domain. A name that nothing tells apart has no id. Sinks with `format = "cloudstack-bus"` need them.
    #[serde(default = "identities")]
    pub identities: bool,
}

fn recursive() -> bool {
    true
}

fn identities() -> bool {
    true
}

fn begin() -> Period {
    Period(Duration::ZERO)
}

fn overlap() -> Period {
    Period(Duration::from_secs(600))
}

fn sweep() -> Period {
    Period(Duration::from_secs(3600))
}

fn poll_min() -> Period {
    Period(Duration::from_secs(1))
}

fn poll_max() -> Period {
    Period(Duration::from_secs(30))
}

fn page_size() -> u32 {
    500
}

fn purge_after() -> Period {
    Period(Duration::from_secs(15 * 86_400))
}

/// How far back the promise reaches (DESIGN §5).
const REACH: Duration = Duration::from_secs(86_400);
/// An overlap must leave a day to the sweeps.
const OVERLAP_MAX: Duration = Duration::from_secs(6 * 3600);
/// A quiet look may not take longer than the supervisor waits.
const POLL_MAX: Duration = Duration::from_secs(50);

/// A configuration that was checked: nothing in it is left to parse.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) access: Access,
    pub(super) begin: Duration,
    pub(super) poll_min: Duration,
    pub(super) poll_max: Duration,
    pub(super) rules: Rules,
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
            recursive: recursive(),
            begin: begin(),
            overlap: overlap(),
            sweep: sweep(),
            poll_min: poll_min(),
            poll_max: poll_max(),
            page_size: page_size(),
            purge_after: purge_after(),
            source: None,
            redact: Vec::new(),
            identities: identities(),
        }
    }

    /// Checks the section.
    pub(super) fn resolve(self) -> Result<Settings, ConfigError> {
        let millisecond = Duration::from_millis(1);
        let second = Duration::from_secs(1);
        within("overlap", self.overlap, second, OVERLAP_MAX)?;
        within("sweep", self.sweep, second, REACH / 4)?;
        within("poll_max", self.poll_max, millisecond, POLL_MAX)?;
        within("poll_min", self.poll_min, millisecond, self.poll_max.0)?;
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
        let mapping = Mapping {
            people: People::new(self.identities),
            ..mapping(self.source, &access, &self.redact)?
        };
        let rules = Rules {
            mapping,
            overlap_s: seconds(self.overlap.0),
            sweep_s: seconds(self.sweep.0),
            reach_s: seconds(REACH),
            purge_s: seconds(self.purge_after.0),
        };
        Ok(Settings {
            access,
            begin: self.begin.0,
            poll_min: self.poll_min.0,
            poll_max: self.poll_max.0,
            rules,
        })
    }
}

/// What events are made with.
pub(super) fn mapping(
    source: Option<String>,
    access: &Access,
    redact: &[String],
) -> Result<Mapping, ConfigError> {
    if source.as_deref() == Some("") {
        return Err(ConfigError::Source);
    }
    let source = source.unwrap_or_else(|| access.endpoint.url().to_string());
    Ok(Mapping { source, redaction: Redaction::with(redact), people: People::default() })
}

/// Checks a period.
pub(super) fn within(
    key: &'static str,
    period: Period,
    min: Duration,
    max: Duration,
) -> Result<(), ConfigError> {
    if (min..=max).contains(&period.0) {
        return Ok(());
    }
    Err(ConfigError::Range { key, min: Period(min), max: Period(max) })
}

/// Whole seconds, at least one.
pub(super) fn seconds(period: Duration) -> i64 {
    i64::try_from(period.as_secs()).unwrap_or(i64::MAX / 4).clamp(1, i64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::{KeyedError as _, SourceConfig as _};

    fn refused(change: impl FnOnce(&mut Config)) -> Option<&'static str> {
        let mut config = Config::new("https://cloud.example.org");
        config.api_key = Some(SecretSource::literal("key"));
        config.secret_key = Some(SecretSource::literal("hunter2"));
        change(&mut config);
        config.resolve().err().map(|error| error.key())
    }

    #[test]
    fn a_configuration_that_makes_no_sense_is_refused_by_its_key() {
        let secret = || Some(SecretSource::literal("x"));
        assert_eq!(refused(|_| {}), None);
        assert_eq!(refused(|config| config.url = "https://h/?apikey=x".into()), Some("url"));
        assert_eq!(refused(|config| config.secret_key = None), Some("secret_key"));
        assert_eq!(refused(|config| config.api_key = None), Some("api_key"));
        assert_eq!(refused(|config| config.username = secret()), Some("username"));
        assert_eq!(refused(|config| config.password = secret()), Some("password"));
        assert_eq!(refused(|config| config.domain = Some("/acme".into())), Some("domain"));
        assert_eq!(refused(|config| config.sweep = Period(Duration::ZERO)), Some("sweep"));
        assert_eq!(refused(|config| config.overlap = Period(REACH)), Some("overlap"));
        assert_eq!(refused(|config| config.poll_min = Period(POLL_MAX)), Some("poll_min"));
        assert_eq!(refused(|config| config.page_size = 0), Some("page_size"));
        assert_eq!(refused(|config| config.source = Some(String::new())), Some("source"));
    }

    #[test]
    fn the_source_attribute_is_the_address_without_anything_else() {
        let mut config = Config::new("https://cloud.example.org/");
        config.username = Some(SecretSource::literal("u"));
        config.password = Some(SecretSource::literal("p"));
        let keys: Vec<_> = config.secrets().into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["username", "password"]);
        let identity = config.resolve().map(|settings| settings.rules.mapping.source).ok();
        assert_eq!(identity.as_deref(), Some("https://cloud.example.org/client/api"));
    }
}
