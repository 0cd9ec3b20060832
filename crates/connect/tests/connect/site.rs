//! A simulated vCenter, a log, and the source between them under the real supervisor.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use pluvio_connect::{
    component::{SourceConfig as _, SourceSlot},
    vsphere::Config,
};
use pluvio_event::Event;
use pluvio_log::{
    Log as _, LogHandle, Memory, MemoryConfig, Offset, ReadLimit, Seek, SourceName, StreamName,
};
use pluvio_net::unit::Period;
use pluvio_runtime::{
    Ingest,
    status::{ComponentStatus, StatusBoard},
    supervise::{SourceContext, Supervisor},
};
use pluvio_secret::SecretSource;
use pluvio_sim::{VCenter, VCenterConfig};

/// Nothing here takes longer, unless it is broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// What identifies an event for both sides: key and creation time.
type Identity = (i64, Timestamp);

pub(crate) struct Site {
    pub(crate) vcenter: VCenter,
    pub(crate) log: LogHandle,
    status: StatusBoard,
    supervisor: Option<Supervisor>,
    pub(crate) config: Config,
    /// What its section is called.
    pub(crate) name: &'static str,
    /// Which stream it writes to.
    pub(crate) stream: StreamName,
}

impl Site {
    /// A quiet vCenter with some history, captured from its beginning.
    pub(crate) async fn open() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::on(MemoryConfig::default(), change).await
    }

    /// On a log of its own making.
    pub(crate) async fn on(memory: MemoryConfig, change: impl FnOnce(&mut Config)) -> Self {
        Self::at(Self::quiet(), memory, change).await
    }

    /// What a vCenter is made of: some history, and nothing that happens by itself.
    pub(crate) fn quiet() -> VCenterConfig {
        VCenterConfig {
            events_per_second: 0.0,
            machines: 20,
            backlog_events: 100,
            backlog_span: Duration::from_secs(600),
            ..VCenterConfig::default()
        }
    }

    /// At a vCenter that speaks an API version.
    pub(crate) async fn of_version(api_version: &str) -> Self {
        let vcenter = VCenterConfig { api_version: api_version.to_owned(), ..Self::quiet() };
        Self::at(vcenter, MemoryConfig::default(), |_| {}).await
    }

    pub(crate) async fn at(
        vcenter: VCenterConfig,
        memory: MemoryConfig,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let mut site = Self::stopped(vcenter, memory, change).await;
        site.start();
        site
    }

    /// The same before anything is captured.
    pub(crate) async fn stopped(
        vcenter: VCenterConfig,
        memory: MemoryConfig,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let vcenter = VCenter::start(vcenter).await.unwrap();
        let mut config = Config::new(vcenter.url());
        config.username = SecretSource::literal("user");
        config.password = SecretSource::literal("secret");
        config.begin = Period(Duration::from_secs(3600));
        change(&mut config);
        let log = LogHandle::new(Memory::new(memory));
        log.open(&StreamName::events()).await.unwrap();
        let status = StatusBoard::default();
        let (supervisor, name) = (None, "vcenter");
        let stream = StreamName::events();
        Self { vcenter, log, status, supervisor, config, name, stream }
    }

    pub(crate) fn start(&mut self) {
        let supervisor = Supervisor::new(self.status.clone(), self.log.clone());
        let source = self.config.clone().build(SourceSlot { is_alone: true }).unwrap();
        let (stream, name) = (self.stream.clone(), SourceName::new(self.name).unwrap());
        let ingest = Ingest::new(self.log.clone(), stream.clone(), name, 1 << 20);
        let context =
            SourceContext { log: self.log.clone(), stream, ingest, running: Arc::default() };
        supervisor.source(context, "vsphere", move || source.clone());
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

    /// Waits until the source has a position in the log, and gives it.
    pub(crate) async fn position(&self) -> serde_json::Value {
        let stored = tokio::time::timeout(PATIENCE, async {
            loop {
                let positions = self.log.positions(&StreamName::events()).await.unwrap();
                if let Some(position) = positions.into_values().next() {
                    return serde_json::from_str(position.as_str()).unwrap();
                }
                tokio::task::yield_now().await;
            }
        });
        stored.await.unwrap()
    }

    /// Another vCenter takes the place of this one, under the same name of a section.
    pub(crate) async fn replace(&mut self, vcenter: VCenterConfig) {
        self.vcenter = VCenter::start(vcenter).await.unwrap();
        self.config.url = self.vcenter.url();
    }

    /// Everything in the stream `events`.
    pub(crate) async fn captured(&self) -> Vec<(Offset, Event)> {
        self.captured_in(&StreamName::events()).await
    }

    /// Everything in a stream.
    pub(crate) async fn captured_in(&self, stream: &StreamName) -> Vec<(Offset, Event)> {
        let mut from = self.log.seek(stream, Seek::Start).await.unwrap();
        let mut events = Vec::new();
        loop {
            let chunk = self.log.read(stream, from, ReadLimit::default()).await.unwrap();
            if chunk.is_empty() {
                return events;
            }
            events.extend(chunk.records().map(|r| (r.offset, r.event().unwrap())));
            from = chunk.next;
        }
    }

    /// Waits until something is in the log for which `wish` holds.
    pub(crate) async fn until(&self, wish: impl Fn(&[(Offset, Event)]) -> bool) {
        let waited = tokio::time::timeout(PATIENCE, async {
            loop {
                let next = self.log.extent(&StreamName::events()).unwrap().next;
                if wish(&self.captured().await) {
                    return;
                }
                // A wish may come true without a new record, when the cloud forgets something.
                let wait = Duration::from_millis(100);
                let limit = ReadLimit { wait, ..ReadLimit::default() };
                self.log.read(&StreamName::events(), next, limit).await.unwrap();
            }
        });
        if waited.await.is_err() {
            let captured = identities(&self.captured().await);
            let missing: Vec<_> =
                self.produced().into_keys().filter(|id| !captured.contains_key(id)).collect();
            unreachable!("not captured: {missing:?}; status: {:?}", self.source_status());
        }
    }

    /// Waits until so many records were stored, whether retention took them or not.
    pub(crate) async fn until_stored(&self, records: i64) {
        let stored = || self.log.extent(&StreamName::events()).unwrap().next;
        let waited = tokio::time::timeout(PATIENCE, async {
            while stored().get() < records {
                let wait = Duration::from_millis(100);
                let limit = ReadLimit { wait, ..ReadLimit::default() };
                self.log.read(&StreamName::events(), stored(), limit).await.unwrap();
            }
        });
        let is_stored = waited.await.is_ok();
        assert!(is_stored, "{:?} of {records}; status: {:?}", stored(), self.source_status());
    }

    /// Waits until each of the cloud's events is in one of the streams.
    pub(crate) async fn until_nothing_is_missing(&self) {
        let waited = tokio::time::timeout(PATIENCE, async {
            loop {
                let next = self.log.extent(&self.stream).unwrap().next;
                let mut captured = Vec::new();
                for stream in self.log.streams() {
                    captured.extend(self.captured_in(&stream).await);
                }
                let captured = identities(&captured);
                if self.produced().keys().all(|id| captured.contains_key(id)) {
                    return;
                }
                let wait = Duration::from_millis(100);
                let limit = ReadLimit { wait, ..ReadLimit::default() };
                self.log.read(&self.stream, next, limit).await.unwrap();
            }
        });
        assert!(waited.await.is_ok(), "status: {:?}", self.source_status());
    }

    /// Waits until the log holds exactly what the cloud produced, each once, under unique ids.
    pub(crate) async fn until_complete(&self) {
        self.until(|captured| identities(captured) == self.produced()).await;
        let captured = self.captured().await;
        let ids: BTreeMap<&str, usize> =
            captured.iter().fold(BTreeMap::new(), |mut counts, (_, event)| {
                *counts.entry(event.id()).or_default() += 1;
                counts
            });
        let twice: Vec<_> = ids.iter().filter(|(_, count)| **count > 1).collect();
        assert!(twice.is_empty(), "ids given twice: {twice:?}");
    }

    /// What the cloud produced, whatever it still shows.
    fn produced(&self) -> BTreeMap<Identity, usize> {
        let produced = self.vcenter.events().into_iter();
        counted(produced.map(|event| (i64::from(event.key), event.created_time)))
    }

    pub(crate) async fn gaps(&self) -> usize {
        self.captured().await.iter().filter(|(_, event)| is_gap(event)).count()
    }
}

pub(crate) fn is_gap(event: &Event) -> bool {
    event.event_type() == "pluvio.gap.v0"
}

/// The vCenter's events among `captured`, counted.
fn identities(captured: &[(Offset, Event)]) -> BTreeMap<Identity, usize> {
    let native = captured.iter().filter(|(_, event)| !is_gap(event));
    counted(native.map(|(_, event)| {
        let data: serde_json::Value =
            serde_json::from_slice(event.data().unwrap().as_bytes()).unwrap_or_default();
        (data["Key"].as_i64().unwrap_or_default(), event.time().unwrap_or_default())
    }))
}

fn counted(identities: impl Iterator<Item = Identity>) -> BTreeMap<Identity, usize> {
    identities.fold(BTreeMap::new(), |mut counts, identity| {
        *counts.entry(identity).or_default() += 1;
        counts
    })
}
