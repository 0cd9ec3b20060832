//! A listener with a log behind it, made in one line.

use std::{collections::BTreeSet, net::SocketAddr, sync::Arc};

use pluvio_event::{Data, Event, Filter, Pattern};
use pluvio_listen::{
    Context, Shared,
    component::ListenerConfig as _,
    kafka::{Config, Limits},
};
use pluvio_log::{
    Log, LogHandle, Memory, MemoryConfig, Offset, Position, Record, Retention, SourceName,
    StreamName,
};
use pluvio_runtime::{AccessTable, Listener, Principal, Streams, Verb, status::StatusBoard};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::client::Client;

/// A running listener.
pub(crate) struct House {
    pub(crate) log: LogHandle,
    context: Context,
    pub(crate) address: SocketAddr,
    pub(crate) drain: CancellationToken,
    pub(crate) task: JoinHandle<()>,
}

/// What a house is made of.
pub(crate) struct Plan {
    pub(crate) config: Config,
    pub(crate) access: AccessTable,
    pub(crate) limits: Limits,
}

/// An open house on a free port of loopback.
pub(crate) fn plan() -> Plan {
    let config = Config { listen: "127.0.0.1:0".parse().unwrap(), ..Config::default() };
    Plan { config, access: AccessTable::open(), limits: Limits::default() }
}

pub(crate) fn memory() -> LogHandle {
    LogHandle::new(Memory::new(MemoryConfig::default()))
}

pub(crate) fn context(log: &LogHandle, access: AccessTable) -> Context {
    Context {
        log: log.clone(),
        stream: StreamName::events(),
        access: access.into(),
        status: StatusBoard::default(),
        metrics: Arc::new(String::new),
        version: "1.2.3",
        retention: Retention::default(),
        record_bytes_max: 512 << 10,
        shared: Shared::default(),
    }
}

impl Plan {
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

    pub(crate) async fn open(self) -> House {
        self.over(memory()).await
    }

    /// Opens the house over a log of the test's own.
    pub(crate) async fn over(self, log: LogHandle) -> House {
        log.open(&StreamName::events()).await.unwrap();
        let context = context(&log, self.access.clone());
        self.with(context)
    }

    /// Opens another listener of the same process.
    pub(crate) fn beside(self, other: &House) -> House {
        self.with(other.context.clone())
    }

    fn with(self, context: Context) -> House {
        let (log, drain) = (context.log.clone(), CancellationToken::new());
        let listener = self.config.build(context.clone()).unwrap();
        let mut listener = listener.with_limits(self.limits);
        let (address, token) = (listener.local_addr(), drain.clone());
        let task = tokio::spawn(async move { listener.serve(token).await.unwrap() });
        House { log, context, address, drain, task }
    }
}

impl House {
    pub(crate) async fn client(&self) -> Client {
        Client::connect(self.address).await
    }

    /// Appends events to the stream `events`, each by itself.
    pub(crate) async fn append(&self, ids: std::ops::Range<i64>) {
        for id in ids {
            append(&self.log, "events", &[(id, None)]).await;
        }
    }

    pub(crate) fn id(&self) -> Uuid {
        self.log.extent(&StreamName::events()).unwrap().log_id
    }

    /// Ends the listener; the log stays.
    pub(crate) async fn end(self) -> LogHandle {
        self.drain.cancel();
        crate::client::within(self.task).await.unwrap();
        self.log
    }
}

/// Appends events with their wished-for offsets, all in one batch.
pub(crate) async fn append(log: &LogHandle, stream: &str, events: &[(i64, Option<i64>)]) {
    let stream = StreamName::new(stream).unwrap();
    log.open(&stream).await.unwrap();
    let records = events.iter().map(|(id, at_least)| Record {
        event: event(*id),
        source: SourceName::new("vcenter").unwrap(),
        position: Position::new("").unwrap(),
        at_least: at_least.and_then(Offset::new),
    });
    log.append(&stream, records.collect()).await.unwrap();
}

fn event(id: i64) -> Event {
    Event::builder(id.to_string(), "https://vc.example.org/sdk", "com.example.Happened.v0")
        .subject(format!("VirtualMachine/vm-{id}"))
        .data(Data::json(format!("{{\"Key\":{id}}}")).unwrap())
        .build()
        .unwrap()
}

/// `operator` reads all, `guest` only the stream `public`, `tenant` its own events of all streams,
/// `scraper` sees status and reads nothing; the password is the name.
pub(crate) fn table() -> AccessTable {
    let principal = |name: &str, verb: Verb, pattern: &str, filter| {
        let streams = Streams::Matching(vec![Pattern::new(pattern)]);
        Arc::new(Principal {
            name: name.to_owned(),
            streams,
            verbs: BTreeSet::from([verb]),
            filter,
        })
    };
    let own = Filter::default().and_expression("account == 'acme'").unwrap();
    let mut table = AccessTable::closed();
    table.add_password("operator", principal("operator", Verb::Read, "*", Filter::default()));
    table.add_password("guest", principal("guest", Verb::Read, "public", Filter::default()));
    table.add_password("tenant", principal("tenant", Verb::Read, "*", own));
    let scraper = principal("scraper", Verb::Status, "*", Filter::default());
    table.add_password("scraper", scraper);
    table
}
