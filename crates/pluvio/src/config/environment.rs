//! The environment variables of vsphere-event-streaming, so that a Deployment only changes its
//! image.
//!
//! | variable | default | meaning |
//! |---|---|---|
//! | `VCENTER_URL` | – | the vCenter; scheme and `/sdk` are added if missing |
//! | `VCENTER_INSECURE` | `false` | accept any certificate |
//! | `VCENTER_SECRET_PATH` | `/var/bindings/vsphere` | folder with the files `username`, `password` |
//! | `VCENTER_STREAM_BEGIN` | `10m` | how far back the first start begins |
//! | `LOG_MAX_RECORD_SIZE_BYTES` | `524288` | larger events are stored without their data |
//! | `LOG_MAX_SEGMENT_SIZE` | `1000` | twice as many events are kept |
//! | `PLUVIO_DATA` | – | folder of a log on disk; without it events live as long as the process |
//! | `PORT` | `8080` | where HTTP is served, on all addresses |
//! | `DEBUG` | `false` | log more |
//!
//! Two things differ on purpose: `VCENTER_STREAM_BEGIN` is honoured, and a too large event does not
//! end the process.

use std::{collections::BTreeMap, net::SocketAddr, path::Path, time::Duration};

use pluvio_connect::{cloudstack, vsphere};
use pluvio_listen::{http, kafka};
use pluvio_log::{SourceName, StreamName};
use pluvio_net::TlsOptions;
use pluvio_net::unit::{ByteSize, Period};
use pluvio_secret::SecretSource;

use super::{
    Configuration, ListenerSection, LogSection, LogType, Principals, Problem, SectionSpans,
    SourceSection, listeners::section,
};
use crate::registry;

/// Reads a variable; given to be replaced in tests.
type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Whether the environment asks for a vCenter.
pub(crate) fn is_configured() -> bool {
    std::env::var_os("VCENTER_URL").is_some()
}

/// The configuration that the environment describes.
pub(crate) fn from_environment() -> Result<Configuration, Vec<Problem>> {
    configuration(&|name| std::env::var(name).ok().filter(|value| !value.trim().is_empty()))
}

fn configuration(lookup: Lookup<'_>) -> Result<Configuration, Vec<Problem>> {
    let mut read = Variables { lookup, problems: Vec::new() };
    let data = (read.lookup)("PLUVIO_DATA");
    let log = LogSection {
        log_type: if data.is_some() { LogType::Disk } else { LogType::Memory },
        dir: data.unwrap_or_default().into(),
        retention_records: Some(read.number("LOG_MAX_SEGMENT_SIZE", 1000).saturating_mul(2).max(1)),
        record_max: ByteSize(read.number("LOG_MAX_RECORD_SIZE_BYTES", 512 << 10)),
        ..LogSection::default()
    };
    if let Some(wrong) = log.wrong_record_max() {
        read.problem("LOG_MAX_RECORD_SIZE_BYTES", wrong);
    }
    if let Some(wrong) = log.wrong_dir() {
        read.problem("PLUVIO_DATA", wrong);
    }
    let port = read.number("PORT", 8080);
    let port = u16::try_from(port).unwrap_or_else(|_| {
        read.problem(
            "PORT",
            format!("`{port}` is no port; use 1 to 65535, or 0 for any that is free"),
        );
        0
    });
    let secrets = (read.lookup)("VCENTER_SECRET_PATH");
    let secrets = secrets.unwrap_or_else(|| "/var/bindings/vsphere".to_owned());
    let secret = |file: &str| SecretSource::File(Path::new(&secrets).join(file));
    let url = (read.lookup)("VCENTER_URL").unwrap_or_default();
    let vcenter = vsphere::Config {
        username: secret("username"),
        password: secret("password"),
        tls: TlsOptions { insecure: read.flag("VCENTER_INSECURE"), ..TlsOptions::default() },
        begin: read.period("VCENTER_STREAM_BEGIN", Duration::from_secs(600)),
        ..vsphere::Config::new(url)
    };
    if !read.problems.is_empty() {
        return Err(read.problems);
    }
    let listener = http::Config {
        listen: SocketAddr::from(([0, 0, 0, 0], port)),
        insecure: true,
        ..http::Config::default()
    };
    Ok(assembled(log, vcenter, listener))
}

fn assembled(log: LogSection, vcenter: vsphere::Config, http: http::Config) -> Configuration {
    let keys = [
        ("", "VCENTER_URL"),
        ("url", "VCENTER_URL"),
        ("username", "VCENTER_SECRET_PATH"),
        ("password", "VCENTER_SECRET_PATH"),
    ];
    let place = SectionSpans {
        name: "vcenter".to_owned(),
        keys: keys.map(|(key, variable)| (key.to_owned(), variable.to_owned())).into(),
    };
    let sources = SourceName::new("vcenter").ok().map(|name| SourceSection {
        place,
        name,
        stream: StreamName::events(),
        build: Box::new(move |slot| registry::built_source(vcenter, slot)),
    });
    let place = SectionSpans {
        name: "http".to_owned(),
        keys: BTreeMap::from([(String::new(), "PORT".to_owned())]),
    };
    let resolve = Box::new(move |is_closed| registry::unbound_listener(http, is_closed));
    let listeners = vec![ListenerSection { place, resolve }];
    let (principals, sinks) = (Principals::default(), Vec::new());
    let (sources, warnings) = (sources.into_iter().collect(), Vec::new());
    Configuration { log, principals, sources, sinks, listeners, warnings, original: None }
}

/// Reads variables and collects what is wrong with them.
struct Variables<'a> {
    lookup: Lookup<'a>,
    problems: Vec<Problem>,
}

impl Variables<'_> {
    fn problem(&mut self, name: &str, message: String) {
        self.problems.push(Problem { place: name.to_owned(), message });
    }

    fn number(&mut self, name: &str, default: u64) -> u64 {
        let Some(text) = (self.lookup)(name) else { return default };
        text.trim().parse().unwrap_or_else(|_| {
            self.problem(name, format!("`{text}` is no whole number"));
            default
        })
    }

    /// Go's `strconv.ParseBool`, which the original reads flags with.
    fn flag(&mut self, name: &str) -> bool {
        let Some(text) = (self.lookup)(name) else { return false };
        match text.trim().to_ascii_lowercase().as_str() {
            "1" | "t" | "true" => true,
            "0" | "f" | "false" => false,
            _ => {
                self.problem(name, format!("`{text}` is neither true nor false"));
                false
            }
        }
    }

    fn period(&mut self, name: &str, default: Duration) -> Period {
        let Some(text) = (self.lookup)(name) else { return Period(default) };
        text.parse().unwrap_or_else(|error: pluvio_net::unit::InvalidPeriod| {
            self.problem(name, error.to_string());
            Period(default)
        })
    }
}

/// Whether `DEBUG` asks for more log lines.
pub(crate) fn is_debug() -> bool {
    let lookup = |name: &str| std::env::var(name).ok();
    Variables { lookup: &lookup, problems: Vec::new() }.flag("DEBUG")
}

/// The demo: two simulated clouds in one feed, served on this machine only, to HTTP and Kafka clients.
pub(crate) fn demo(
    vcenter: &str,
    cloudstack: cloudstack::Config,
    listen: SocketAddr,
    listen_kafka: SocketAddr,
    data: &Path,
) -> Configuration {
    let vcenter = vsphere::Config {
        username: SecretSource::literal("demo"),
        password: SecretSource::literal("demo"),
        ..vsphere::Config::new(vcenter)
    };
    let listener = http::Config { listen, ..http::Config::default() };
    let log = LogSection { dir: data.to_owned(), ..LogSection::default() };
    let mut configuration = assembled(log, vcenter, listener);
    configuration.sources.extend(SourceName::new("cloudstack").ok().map(|name| SourceSection {
        place: SectionSpans { name: "cloudstack".to_owned(), keys: BTreeMap::new() },
        name,
        stream: StreamName::events(),
        build: Box::new(move |slot| registry::built_source(cloudstack, slot)),
    }));
    let kafka = kafka::Config { listen: listen_kafka, ..kafka::Config::default() };
    let resolve = move |is_closed| registry::unbound_listener(kafka, is_closed);
    configuration.listeners.push(section("kafka", resolve));
    configuration
}
