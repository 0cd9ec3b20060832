//! A simulated CloudStack, a log, and a source between them under the real supervisor.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use pluvio_clouds::cloudstack::{ApiKeys, Client, Credentials, Endpoint};
use pluvio_connect::{
    cloudstack::Config,
    component::{SourceConfig, SourceSlot},
};
use pluvio_event::Event;
use pluvio_log::{
    Log as _, LogHandle, Memory, MemoryConfig, ReadLimit, Record, Seek, SourceName, StreamName,
};
use pluvio_net::unit::Period;
use pluvio_net::{HttpClient, TlsOptions};
use pluvio_runtime::{
    Ingest, Source,
    status::{ComponentStatus, StatusBoard},
    supervise::{SourceContext, Supervisor},
};
use pluvio_secret::{Secret, SecretSource};
use pluvio_sim::{CloudStack, CloudStackConfig};

/// Nothing here takes longer, unless it is broken.
const PATIENCE: Duration = Duration::from_secs(90);

/// A quiet cloud with some history.
pub(crate) fn quiet() -> CloudStackConfig {
    CloudStackConfig {
        events_per_second: 0.0,
        machines: 20,
        backlog_events: 100,
        backlog_span: Duration::from_secs(600),
        // Most of these tests let days pass there.
        sends_date: true,
        ..CloudStackConfig::default()
    }
}

pub(crate) fn period(text: &str) -> Period {
    text.parse().unwrap()
}

pub(crate) struct CloudSite {
    pub(crate) cloud: CloudStack,
    pub(crate) log: LogHandle,
    status: StatusBoard,
    supervisor: Option<Supervisor>,
    pub(crate) config: Config,
    /// What its section is called.
    pub(crate) name: &'static str,
    /// Which stream it writes to.
    pub(crate) stream: StreamName,
}

impl CloudSite {
    /// A quiet cloud with some history, captured from its beginning.
    pub(crate) async fn open() -> Self {
        Self::with(quiet(), |_, _| {}).await
    }

    pub(crate) async fn with(
        cloud: CloudStackConfig,
        change: impl FnOnce(&CloudStack, &mut Config),
    ) -> Self {
        let mut site = Self::stopped(cloud).await;
        change(&site.cloud, &mut site.config);
        site.start();
        site
    }

    /// Nobody reads it yet.
    pub(crate) async fn stopped(cloud: CloudStackConfig) -> Self {
        Self::on(cloud, MemoryConfig::default()).await
    }

    /// The same on a log of its own making.
    pub(crate) async fn on(cloud: CloudStackConfig, memory: MemoryConfig) -> Self {
        let cloud = CloudStack::start(cloud).await.unwrap();
        let keys = cloud.keys().remove(0);
        let mut config = Config::new(cloud.url());
        config.api_key = Some(SecretSource::literal(keys.api_key));
        config.secret_key = Some(SecretSource::literal(keys.secret_key));
        config.begin = period("1h");
        config.poll_min = period("20ms");
        config.poll_max = period("100ms");
        let log = LogHandle::new(Memory::new(memory));
        log.open(&StreamName::events()).await.unwrap();
        let (status, supervisor, name) = (StatusBoard::default(), None, "cloud");
        let stream = StreamName::events();
        Self { cloud, log, status, supervisor, config, name, stream }
    }

    pub(crate) fn start(&mut self) {
        let source = self.config.clone().build(SourceSlot { is_alone: true }).unwrap();
        self.start_source(Config::TYPE, source);
    }

    pub(crate) fn start_source<S: Source + Clone>(&mut self, kind: &'static str, source: S) {
        let supervisor = Supervisor::new(self.status.clone(), self.log.clone());
        let (stream, name) = (self.stream.clone(), SourceName::new(self.name).unwrap());
        let ingest = Ingest::new(self.log.clone(), stream.clone(), name, 1 << 20);
        let context =
            SourceContext { log: self.log.clone(), stream, ingest, running: Arc::default() };
        supervisor.source(context, kind, move || source.clone());
        self.supervisor = Some(supervisor);
    }

    pub(crate) async fn stop(&mut self) {
        if let Some(supervisor) = self.supervisor.take() {
            assert!(supervisor.drain().await, "drained in time");
        }
    }

    pub(crate) fn source_status(&self) -> ComponentStatus {
        self.status.components().into_iter().next().unwrap()
    }

    /// A client of the root administrator, by the cloud's clock.
    pub(crate) async fn client(&self) -> Client {
        let keys = self.cloud.keys().remove(0);
        let keys = ApiKeys {
            api_key: Secret::new(keys.api_key),
            secret_key: Secret::new(keys.secret_key),
        };
        let http = HttpClient::new(&TlsOptions::default()).unwrap();
        let endpoint = Endpoint::parse(&self.cloud.url()).unwrap();
        let now = self.cloud.now();
        let client = Client::connect(http, endpoint, &Credentials::Keys(keys)).await.unwrap();
        client.with_clock(move || now)
    }

    /// Waits until the source has noted where it begins.
    pub(crate) async fn until_begun(&self) {
        let noted = async {
            while self.log.positions(&StreamName::events()).await.unwrap().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, noted).await.unwrap();
    }

    /// Where sections of these names began to capture.
    pub(crate) async fn begins(&self) -> Vec<(String, String)> {
        let positions = self.log.positions(&StreamName::events()).await.unwrap();
        let begin = |position: pluvio_log::Position| -> serde_json::Value {
            serde_json::from_str(position.as_str()).unwrap()
        };
        let begins = positions.into_iter().map(|(name, it)| (name, begin(it)["begin"].to_string()));
        begins.map(|(name, begin)| (name.to_string(), begin)).collect()
    }

    /// Everything in the source's stream.
    pub(crate) async fn captured(&self) -> Vec<Event> {
        let stream = self.stream.clone();
        let mut from = self.log.seek(&stream, Seek::Start).await.unwrap();
        let mut events = Vec::new();
        loop {
            let chunk = self.log.read(&stream, from, ReadLimit::default()).await.unwrap();
            if chunk.is_empty() {
                return events;
            }
            events.extend(chunk.records().map(|record| record.event().unwrap()));
            from = chunk.next;
        }
    }

    /// Another log, with all that this one holds of the source.
    pub(crate) async fn copied_to(&self, log: LogHandle) -> LogHandle {
        log.open(&self.stream).await.unwrap();
        let (source, position) = {
            let mut positions = self.log.positions(&self.stream).await.unwrap();
            positions.pop_first().unwrap()
        };
        let record = |event| Record {
            event,
            source: source.clone(),
            position: position.clone(),
            at_least: None,
        };
        let records = self.captured().await.into_iter().map(record).collect();
        log.append(&self.stream, records).await.unwrap();
        log
    }

    /// Waits until the log is as wished.
    pub(crate) async fn until(&self, what: &str, wish: impl Fn(&[Event]) -> bool) {
        let waited = tokio::time::timeout(PATIENCE, async {
            loop {
                let next = self.log.extent(&self.stream).unwrap().next;
                if wish(&self.captured().await) {
                    return;
                }
                let wait = Duration::from_millis(100);
                let limit = ReadLimit { wait, ..ReadLimit::default() };
                self.log.read(&self.stream, next, limit).await.unwrap();
            }
        });
        if waited.await.is_err() {
            let captured = self.captured().await.len();
            unreachable!("{what}: {captured} captured; status: {:?}", self.source_status());
        }
    }

    /// Waits until so many records were stored, whether retention took them or not.
    pub(crate) async fn until_stored(&self, records: i64) {
        let stored = || self.log.extent(&self.stream).unwrap().next;
        let waited = tokio::time::timeout(PATIENCE, async {
            while stored().get() < records {
                let wait = Duration::from_millis(100);
                let limit = ReadLimit { wait, ..ReadLimit::default() };
                self.log.read(&self.stream, stored(), limit).await.unwrap();
            }
        });
        let is_stored = waited.await.is_ok();
        assert!(is_stored, "{:?} of {records}; status: {:?}", stored(), self.source_status());
    }

    /// Waits until the log holds exactly what the cloud produced, each once.
    pub(crate) async fn until_complete(&self) {
        self.until("all that was produced", |captured| {
            let captured = counted(captured);
            let produced = self.cloud.events();
            captured.len() == produced.len()
                && produced.iter().all(|event| captured.get(&event.id.to_string()) == Some(&1))
        })
        .await;
    }

    pub(crate) async fn gaps(&self) -> usize {
        self.captured().await.iter().filter(|event| is_gap(event)).count()
    }

    /// Waits until the source tells an error, and gives message and remedy.
    pub(crate) async fn error(&self) -> (String, String) {
        let told = tokio::time::timeout(PATIENCE, async {
            loop {
                let status = self.status.components().into_iter().next();
                if let Some(error) = status.and_then(|status| status.error) {
                    return (error.message, error.remedy.unwrap_or_default());
                }
                tokio::task::yield_now().await;
            }
        });
        told.await.unwrap()
    }
}

pub(crate) fn is_gap(event: &Event) -> bool {
    event.event_type() == "pluvio.gap.v0"
}

/// How often each of the cloud's own events is there.
fn counted(captured: &[Event]) -> BTreeMap<String, usize> {
    let native = captured.iter().filter(|event| !is_gap(event));
    native.fold(BTreeMap::new(), |mut counts, event| {
        *counts.entry(event.id().to_owned()).or_default() += 1;
        counts
    })
}
