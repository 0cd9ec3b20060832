//! A listener with a log behind it, made in one line.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use jiff::{SignedDuration, Timestamp};
use pluvio_event::{AttributeName, Data, Event};
use pluvio_listen::{
    Shared,
    component::ListenerConfig as _,
    http::{Config, Context, Limits},
};
use pluvio_log::{
    Embedded, EmbeddedConfig, Log, LogHandle, Memory, MemoryConfig, Offset, Position, Record,
    Retention, SourceName, StreamName, disk::SimulatedDisk,
};
use pluvio_runtime::{Access, AccessTable, Listener, status::StatusBoard};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::client::{Client, Reply, Watching};

/// A running listener.
pub(crate) struct House {
    pub(crate) log: LogHandle,
    pub(crate) address: SocketAddr,
    pub(crate) status: StatusBoard,
    pub(crate) access: Access,
    pub(crate) drain: CancellationToken,
    pub(crate) task: JoinHandle<()>,
}

/// What a house is made of.
pub(crate) struct Plan {
    pub(crate) config: Config,
    pub(crate) access: AccessTable,
    pub(crate) limits: Limits,
    pub(crate) retention: Retention,
    pub(crate) metrics: fn() -> String,
}

/// An open house on a free port of loopback.
pub(crate) fn plan() -> Plan {
    let config = Config { listen: "127.0.0.1:0".parse().unwrap(), ..Config::default() };
    Plan {
        config,
        access: AccessTable::open(),
        limits: Limits::default(),
        retention: Retention::default(),
        metrics: || "# the metrics\n".to_owned(),
    }
}

pub(crate) fn context(log: &LogHandle, access: AccessTable, status: &StatusBoard) -> Context {
    Context {
        log: log.clone(),
        stream: StreamName::events(),
        access: access.into(),
        status: status.clone(),
        metrics: Arc::new(|| "# the metrics\n".to_owned()),
        version: "1.2.3",
        retention: Retention::default(),
        record_bytes_max: 512 << 10,
        shared: Shared::default(),
    }
}

impl Plan {
    /// Keeps at most `records_max` records.
    pub(crate) fn keeping(mut self, records_max: u64) -> Self {
        self.retention.records_max = Some(records_max);
        self
    }

    pub(crate) fn access(mut self, access: AccessTable) -> Self {
        self.access = access;
        self
    }

    pub(crate) fn limits(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(&mut self.limits);
        self
    }

    pub(crate) fn config(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    pub(crate) fn metrics(mut self, text: fn() -> String) -> Self {
        self.metrics = text;
        self
    }

    pub(crate) async fn open(self) -> House {
        let memory = MemoryConfig { retention: self.retention, ..MemoryConfig::default() };
        self.over(LogHandle::new(Memory::new(memory))).await
    }

    /// Opens the house over a log of the test's own.
    pub(crate) async fn over(self, log: LogHandle) -> House {
        log.open(&StreamName::events()).await.unwrap();
        let (status, drain) = (StatusBoard::default(), CancellationToken::new());
        let mut context = context(&log, self.access, &status);
        let access = context.access.clone();
        context.metrics = Arc::new(self.metrics);
        let mut listener = self.config.build(context).unwrap().with_limits(self.limits);
        let (address, token) = (listener.local_addr(), drain.clone());
        let task = tokio::spawn(async move { listener.serve(token).await.unwrap() });
        House { log, address, status, access, drain, task }
    }
}

impl House {
    /// A connection that several requests go over.
    pub(crate) async fn client(&self) -> Client {
        Client::connect(self.address).await
    }

    /// Appends events numbered by `ids`, each by itself.
    pub(crate) async fn append(&self, ids: std::ops::Range<i64>) {
        for id in ids {
            self.append_event(event(id)).await;
        }
    }

    /// Appends one event.
    pub(crate) async fn append_event(&self, event: Event) -> Offset {
        self.append_at(&StreamName::events(), event, None).await
    }

    /// Appends one event at `at_least` or later.
    pub(crate) async fn append_at(
        &self,
        stream: &StreamName,
        event: Event,
        at_least: Option<i64>,
    ) -> Offset {
        let span = self.log.append(stream, vec![record(event, at_least)]).await.unwrap();
        span.start
    }

    pub(crate) async fn get(&self, target: &str) -> Reply {
        Reply::get(self.address, target, &[]).await
    }

    pub(crate) async fn get_with(&self, target: &str, headers: &[(&str, &str)]) -> Reply {
        Reply::get(self.address, target, headers).await
    }

    /// Opens a watch and waits for its headers.
    pub(crate) async fn watch(&self, parameters: &str) -> Watching {
        self.watch_with(parameters, &[]).await
    }

    pub(crate) async fn watch_with(&self, parameters: &str, headers: &[(&str, &str)]) -> Watching {
        let target = format!("/api/v1/events?watch=true{parameters}");
        Watching::open(self.address, &target, headers).await
    }

    /// How many watches the listener counts.
    pub(crate) async fn watches(&self) -> u64 {
        self.get("/api/v1/status").await.json()["watches"].as_u64().unwrap()
    }
}

pub(crate) fn record(event: Event, at_least: Option<i64>) -> Record {
    Record {
        event,
        source: SourceName::new("vcenter").unwrap(),
        position: Position::new("").unwrap(),
        at_least: at_least.and_then(Offset::new),
    }
}

/// Event `id`: even ones are of a machine that is switched on, odd ones of one that is switched off;
/// accounts take turns by three.
pub(crate) fn event(id: i64) -> Event {
    let kind = if id % 2 == 0 { "VmPoweredOnEvent" } else { "VmPoweredOffEvent" };
    let account = ["acme", "globex", "initech"][usize::try_from(id.rem_euclid(3)).unwrap()];
    Event::builder(
        id.to_string(),
        "https://vc.example.org/sdk",
        format!("com.vmware.vsphere.{kind}.v0"),
    )
    .subject(format!("VirtualMachine/vm-{id}"))
    .time(time(id))
    .extension(AttributeName::new("account").unwrap(), account)
    .data(Data::json(format!("{{\"Key\":{id}}}")).unwrap())
    .build()
    .unwrap()
}

/// When event `id` happened.
pub(crate) fn time(id: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + id % 1_000_000).unwrap()
}

/// A log on a disk in memory, of one batch a segment, with a clock that a test sets ahead by seconds.
pub(crate) fn on_disk(disk: &SimulatedDisk, ahead: &Arc<AtomicI64>) -> LogHandle {
    let ahead = Arc::clone(ahead);
    let log = Embedded::open(EmbeddedConfig {
        disk: Arc::new(disk.clone()),
        segment_bytes_max: 1,
        cache_bytes_max: 0,
        reserve_bytes: 0,
        clock: Arc::new(move || {
            let ahead = SignedDuration::from_secs(ahead.load(Ordering::Relaxed));
            Timestamp::now().saturating_add(ahead).unwrap()
        }),
        ..EmbeddedConfig::new("/log")
    });
    LogHandle::new(log.unwrap())
}
