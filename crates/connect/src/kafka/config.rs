//! What an operator may say about a Kafka cluster, and how that becomes the settings of a sink.

use std::time::Duration;

use pluvio_net::unit::Period;
use pluvio_net::{TlsError, TlsOptions, shown_address};
use pluvio_secret::SecretSource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::credentials::Mechanism;
use crate::{
    component::KeyedError,
    outbound::message::MessageFormat,
    outbound::name_template::{InvalidTemplate, Template},
};

/// Topics of an Apache Kafka cluster, 2.1 or later. A batch is acknowledged when all replicas in sync
/// have it (`acks=all`), in the order of events for each key; the key is the event's subject.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Brokers to begin with, for example `["kafka-1:9092", "kafka-2:9092"]`. One that answers tells
    /// the others, by the addresses that they advertise; 9092 is the port where none is given.
    pub brokers: Vec<String>,
    /// The topic; it must exist. With placeholders it is chosen by each event: `{type}`, `{source}`,
    /// `{subject}`, `{id}`, `{date}`, `{year}`, `{month}`, `{day}`, `{stream}`, `{sink}`, `{ext.NAME}`.
    /// What a topic's name cannot have becomes `-`.
    pub topic: String,
    /// What a message holds: `cloudevents` (the event as JSON), `cloudevents-binary` (the data, and
    /// attributes in headers `ce_…`), `native` (the data alone), `cloudstack-bus` (what CloudStack's
    /// own Kafka plugin would have sent, with the resource's id as the key).
    #[serde(default)]
    pub format: MessageFormat,
    /// How batches are packed: `none` or `lz4`.
    #[serde(default)]
    pub compression: Compression,
    /// Write events and the sink's cursor in one transaction: each event is in the topic once for
    /// readers with `isolation.level=read_committed`, whatever crashes. Needs a topic without
    /// placeholders, and the rights to write to the transactional id, and to read the topic and the
    /// group of the same name, which keeps the cursor. Without, a crash of Pluvio may write again what
    /// was written in the last second.
    #[serde(default)]
    pub transactional: bool,
    /// The transactional id, and the group of the cursor; `pluvio-` and the sink's name if not set. No
    /// other sink of any Pluvio may have the same.
    pub transactional_id: Option<String>,
    /// User name, where brokers want a login.
    pub username: Option<SecretSource>,
    /// Its password.
    pub password: Option<SecretSource>,
    /// How the password is proved: `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`.
    #[serde(default)]
    pub mechanism: Mechanism,
    /// Connections are made with TLS if this is there, even empty: whose certificates are accepted, and
    /// which one is shown.
    pub tls: Option<TlsOptions>,
    /// How long one request may take. Brokers wait for replicas as long.
    #[serde(default = "timeout")]
    pub timeout: Period,
    /// What Pluvio calls itself in the brokers' quotas, logs and metrics.
    #[serde(default = "client_id")]
    pub client_id: String,
}

/// How batches are packed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// With LZ4, which costs little and halves most events.
    Lz4,
}

fn timeout() -> Period {
    Period(Duration::from_secs(30))
}

fn client_id() -> String {
    "pluvio".to_owned()
}

/// Where Kafka listens by itself.
const PORT: u16 = 9092;
/// Longest name of a topic.
pub(super) const TOPIC_BYTES_MAX: usize = 249;
const TIMEOUT_MIN: Duration = Duration::from_secs(1);
/// Two of them must end before the supervisor calls a batch stalled.
const TIMEOUT_MAX: Duration = Duration::from_secs(60);

/// Why a configuration makes no sink.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// No broker, or one that is no address.
    #[error("`brokers` must be addresses, for example [\"kafka-1:9092\"]; {0}")]
    Brokers(String),
    /// The template is none.
    #[error("`topic` is no template")]
    Template(#[from] InvalidTemplate),
    /// Characters that a topic cannot have.
    #[error(
        "`topic` can have letters, digits, `.`, `_` and `-`, at most {TOPIC_BYTES_MAX} of them, and \
         is neither `.` nor `..`"
    )]
    Topic,
    /// The cursor has one place only.
    #[error("`transactional` needs a `topic` without placeholders: the cursor is kept beside it")]
    Transactional,
    /// `transactional_id` is empty, or is set while `transactional` is false.
    #[error("`transactional_id` needs `transactional` = true, and a name")]
    TransactionalId,
    /// A login is not whole.
    #[error("`username` and `password` belong together")]
    Login {
        /// What is missing.
        key: &'static str,
    },
    /// It would be read by whoever listens.
    #[error("`mechanism` PLAIN sends the password as it is; add `tls`, or use SCRAM")]
    Plain,
    /// The TLS options make no sense together, or name a bad file.
    #[error("`tls` cannot be used")]
    Tls(#[source] TlsError),
    /// Too short or too long.
    #[error("`timeout` must be from {} to {}", Period(TIMEOUT_MIN), Period(TIMEOUT_MAX))]
    Timeout,
    /// Too long for a header.
    #[error("`client_id` can have 1 to 200 letters, digits, `.`, `_` and `-`")]
    ClientId,
}

impl KeyedError for ConfigError {
    fn key(&self) -> &'static str {
        match self {
            Self::Brokers(_) => "brokers",
            Self::Template(_) | Self::Topic => "topic",
            Self::Transactional => "transactional",
            Self::TransactionalId => "transactional_id",
            Self::Login { key } => key,
            Self::Plain => "mechanism",
            Self::Tls(_) => "tls",
            Self::Timeout => "timeout",
            Self::ClientId => "client_id",
        }
    }
}

/// A configuration that was checked.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) brokers: Vec<(String, u16)>,
    pub(super) topic: Template,
    pub(super) format: MessageFormat,
    pub(super) compression: pluvio_log::batch::Compression,
    pub(super) transactions: Transactions,
    pub(super) login: Option<(SecretSource, SecretSource, Mechanism)>,
    pub(super) tls: Option<TlsOptions>,
    pub(super) timeout: Duration,
    pub(super) client_id: String,
}

/// Whether events and cursor are one transaction.
#[derive(Debug)]
pub(super) enum Transactions {
    No,
    /// Under this id, or the sink's own.
    Yes(Option<String>),
}

/// Whether a topic's name can have this.
pub(super) fn is_legal(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-')
}

impl Config {
    /// A topic of a cluster with every default.
    pub fn new(broker: impl Into<String>, topic: impl Into<String>) -> Self {
        Self {
            brokers: vec![broker.into()],
            topic: topic.into(),
            format: MessageFormat::default(),
            compression: Compression::default(),
            transactional: false,
            transactional_id: None,
            username: None,
            password: None,
            mechanism: Mechanism::default(),
            tls: None,
            timeout: timeout(),
            client_id: client_id(),
        }
    }

    /// Checks the section.
    pub(super) fn resolve(self) -> Result<Settings, ConfigError> {
        let topic = Template::new(&self.topic)?;
        if !is_topic(&self.topic, topic.constant().is_some()) {
            return Err(ConfigError::Topic);
        }
        let transactions = transactions(self.transactional, self.transactional_id, &topic)?;
        let login = match (self.username, self.password) {
            (None, None) => None,
            (Some(username), Some(password)) => Some((username, password, self.mechanism)),
            (None, _) => return Err(ConfigError::Login { key: "username" }),
            (_, None) => return Err(ConfigError::Login { key: "password" }),
        };
        let is_plain = login.is_some() && self.mechanism == Mechanism::Plain;
        match &self.tls {
            Some(tls) => drop(tls.client_config().map_err(ConfigError::Tls)?),
            None if is_plain => return Err(ConfigError::Plain),
            None => {}
        }
        if !(TIMEOUT_MIN..=TIMEOUT_MAX).contains(&self.timeout.0) {
            return Err(ConfigError::Timeout);
        }
        let name = &self.client_id;
        if name.is_empty() || name.len() > 200 || !name.chars().all(is_legal) {
            return Err(ConfigError::ClientId);
        }
        Ok(Settings {
            brokers: brokers(&self.brokers)?,
            topic,
            format: self.format,
            compression: match self.compression {
                Compression::None => pluvio_log::batch::Compression::None,
                Compression::Lz4 => pluvio_log::batch::Compression::Lz4,
            },
            transactions,
            login,
            tls: self.tls,
            timeout: self.timeout.0,
            client_id: self.client_id,
        })
    }
}

fn transactions(
    is_on: bool,
    id: Option<String>,
    topic: &Template,
) -> Result<Transactions, ConfigError> {
    match (is_on, id) {
        (false, None) => Ok(Transactions::No),
        (true, _) if topic.constant().is_none() => Err(ConfigError::Transactional),
        (true, id) if id.as_deref() != Some("") => Ok(Transactions::Yes(id)),
        _ => Err(ConfigError::TransactionalId),
    }
}

/// Whether the operator's own words can be in a topic's name.
fn is_topic(text: &str, is_constant: bool) -> bool {
    if is_constant && (text.len() > TOPIC_BYTES_MAX || text == "." || text == "..") {
        return false;
    }
    let mut is_place = false;
    text.chars().all(|letter| match letter {
        '{' => {
            is_place = true;
            true
        }
        '}' => {
            is_place = false;
            true
        }
        letter => is_place || is_legal(letter),
    })
}

fn brokers(texts: &[String]) -> Result<Vec<(String, u16)>, ConfigError> {
    let broker = |text: &String| {
        let wrong = || ConfigError::Brokers(format!("{} is none", shown_address(text)));
        let is_bare = !text.contains(':') || text.ends_with(']');
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !is_bare => (host, port.parse().map_err(|_| wrong())?),
            _ => (text.as_str(), PORT),
        };
        let is_odd = |c: char| c.is_whitespace() || matches!(c, '/' | ',' | '@');
        let is_bracketed = host.starts_with('[') && host.ends_with(']');
        if host.is_empty() || host.contains(is_odd) || host.contains(':') && !is_bracketed {
            return Err(wrong());
        }
        Ok((host.to_owned(), port))
    };
    if texts.is_empty() {
        return Err(ConfigError::Brokers("there is none".to_owned()));
    }
    texts.iter().map(broker).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(change: impl FnOnce(&mut Config)) -> Option<(&'static str, String)> {
        let mut config = Config::new("kafka:9092", "events");
        change(&mut config);
        config.resolve().err().map(|error| (error.key(), error.to_string()))
    }

    fn key(change: impl FnOnce(&mut Config)) -> Option<&'static str> {
        wrong(change).map(|(key, _)| key)
    }

    #[test]
    fn what_is_wrong_is_told_by_its_key() {
        assert_eq!(key(|_| {}), None);
        assert_eq!(key(|it| it.brokers.clear()), Some("brokers"));
        assert_eq!(key(|it| it.topic = "a b".into()), Some("topic"));
        assert_eq!(key(|it| it.topic = "..".into()), Some("topic"));
        assert_eq!(key(|it| it.topic = "{tpye}".into()), Some("topic"));
        assert_eq!(key(|it| it.topic = "cloud.{ext.kind}".into()), None);
        assert_eq!(key(|it| it.timeout = Period(Duration::ZERO)), Some("timeout"));
        assert_eq!(key(|it| it.client_id = "a b".into()), Some("client_id"));
        assert_eq!(key(|it| it.transactional_id = Some("a".into())), Some("transactional_id"));
        let secret = || Some(SecretSource::literal("x"));
        assert_eq!(key(|it| it.username = secret()), Some("password"));
        assert_eq!(key(|it| it.password = secret()), Some("username"));
    }

    #[test]
    fn a_transaction_has_one_topic() {
        let change = |it: &mut Config| (it.transactional, it.topic) = (true, "{type}".into());
        assert_eq!(key(change), Some("transactional"));
        assert_eq!(key(|it| it.transactional = true), None);
    }

    #[test]
    fn a_password_is_not_sent_in_the_clear() {
        let plain = |it: &mut Config| {
            it.username = Some(SecretSource::literal("u"));
            it.password = Some(SecretSource::literal("p"));
            it.mechanism = Mechanism::Plain;
        };
        assert_eq!(key(plain), Some("mechanism"));
        let with_tls = |it: &mut Config| {
            plain(it);
            it.tls = Some(TlsOptions { insecure: true, ..TlsOptions::default() });
        };
        assert_eq!(key(with_tls), None);
    }

    #[test]
    fn brokers_are_hosts_with_or_without_a_port() {
        let parsed = |text: &str| brokers(&[text.to_owned()]).ok().and_then(|mut all| all.pop());
        let of = |host: &str, port| Some((host.to_owned(), port));
        assert_eq!(parsed("kafka-1:9093"), of("kafka-1", 9093));
        assert_eq!(parsed("kafka-1"), of("kafka-1", 9092));
        assert_eq!(parsed("[::1]:9094"), of("[::1]", 9094));
        assert_eq!(parsed("[::1]"), of("[::1]", 9092));
        for bad in ["", ":9092", "kafka:port", "kafka://a:1", "a:1,b:2", "::1"] {
            assert_eq!(parsed(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_password_in_a_brokers_address_is_refused_and_not_told() {
        for broker in ["kafka://u:SECRET@h:9092", "u:SECRET@h", "u:SECRET@h:x", "SECRET@h:9092"] {
            let told = wrong(|it| it.brokers = vec![broker.to_owned()]);
            let (key, text) = told.unwrap_or_default();
            assert_eq!(key, "brokers");
            assert!(text.contains("an address with a user or password is none"), "{text}");
            assert!(!text.contains("SECRET"), "{text}");
        }
    }
}
