//! The one task tree, and the only retry loops.
//!
//! ```text
//! Supervisor ─┬─ source "vcenter"     connect ▸ pull ▸ append ▸ …   until drained
//!             ├─ source "prod"
//!             ├─ sink "billing"       connect ▸ read ▸ write ▸ …    until drained
//!             ├─ listener "http"      serve                         until drained
//!             └─ upkeep               retention, once a minute
//! ```
//!
//! Draining goes with the current: sources stop first and what they pulled is appended, then sinks
//! end the batch in flight and note where they stand, while listeners hand the last events to their
//! readers and end. All of it within
//! [`DRAIN_MAX`](Supervisor::DRAIN_MAX).
//!
//! A panic in a component ends that component's attempt, not the process: it is reported like any
//! other failure and the component is made anew.

mod attempt;
mod backoff;
mod listener;
pub mod sink;
mod source;
mod source_context;
mod storing;

use std::{future::Future, time::Duration};

use pluvio_log::{Log, LogHandle};
use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::warn;

pub use backoff::Backoff;
pub use source_context::SourceContext;
pub use storing::PULLS_ON_THE_WAY;

use crate::{
    Listener, Sink, Source,
    status::{Kind, StatusBoard},
};

/// Runs sources and listeners until it is told to drain.
#[derive(Debug)]
pub struct Supervisor {
    status: StatusBoard,
    sources: Branch,
    sinks: Branch,
    listeners: Branch,
    exits: watch::Sender<Exits>,
    seeker: sink::Seeker,
}

/// Sinks, of which one may say that nobody is there to be written to any more.
#[derive(Clone, Copy, Debug, Default)]
struct Exits {
    /// How many were started, and have not ended because nobody is there to be written to.
    open: usize,
    has_ended: bool,
}

/// Tasks that are drained together.
#[derive(Debug, Default)]
struct Branch {
    tasks: TaskTracker,
    drain: CancellationToken,
    /// For those who did not heed `drain` in time.
    kill: CancellationToken,
}

impl Supervisor {
    /// How long [`drain`](Self::drain) may take.
    pub const DRAIN_MAX: Duration = Duration::from_secs(5);
    /// The sources' share of it: appending what was pulled, logging out.
    const DRAIN_SOURCES_MAX: Duration = Duration::from_secs(2);
    /// How long a write of a sink may go without an answer before it is dropped.
    pub const WRITE_MAX: Duration = Duration::from_secs(2 * attempt::STALLED_AFTER.as_secs());
    /// How often retention by age is applied.
    const UPKEEP_INTERVAL: Duration = Duration::from_secs(60);

    /// Starts the upkeep of `log`.
    pub fn new(status: StatusBoard, log: LogHandle) -> Self {
        let supervisor = Self {
            status,
            sources: Branch::default(),
            sinks: Branch::default(),
            listeners: Branch::default(),
            exits: watch::Sender::default(),
            seeker: sink::Seeker::default(),
        };
        let drain = supervisor.listeners.drain.clone();
        supervisor.listeners.spawn(async move {
            let mut ticks = tokio::time::interval(Self::UPKEEP_INTERVAL);
            while drain.run_until_cancelled(ticks.tick()).await.is_some() {
                log.maintain().await;
            }
        });
        supervisor
    }

    /// Runs a source; `make` makes it, at the start and again after a panic.
    pub fn source<S, M>(&self, context: SourceContext, component_type: &'static str, make: M)
    where
        S: Source,
        M: FnMut() -> S + Send + 'static,
    {
        let name = context.ingest.source().to_string();
        let reporter = self.status.add(&name, Kind::Source, component_type);
        let drain = self.sources.drain.clone();
        self.sources.spawn(source::run(context, reporter, make, drain));
    }

    /// Runs a sink; `make` makes it, at the start and again after a panic.
    pub fn sink<S, M>(&self, context: sink::SinkContext, component_type: &'static str, make: M)
    where
        S: Sink,
        M: FnMut() -> S + Send + 'static,
    {
        let reporter = self.status.add(context.name.as_str(), Kind::Sink, component_type);
        let (drain, exits) = (self.sinks.drain.clone(), self.exits.clone());
        exits.send_modify(|exits| exits.open += 1);
        let asks = self.seeker.add(&context);
        // Before anything of this process is stored: what a target has is compared with it.
        let end = Log::extent(&context.log, &context.stream).map(|extent| extent.next).ok();
        self.sinks.spawn(sink::run(context, end, reporter, make, drain, exits, asks));
    }

    /// Moves sinks while they run.
    pub fn seeker(&self) -> sink::Seeker {
        self.seeker.clone()
    }

    /// Returns when every sink has said that nobody is there to be written to any more
    /// ([`Outcome::Ended`](crate::Outcome::Ended)). To be called once all of them were started.
    pub async fn ended(&self) {
        let mut exits = self.exits.subscribe();
        // The sender is ours.
        let _seen = exits.wait_for(|exits| exits.has_ended && exits.open == 0).await;
    }

    /// Runs a listener.
    pub fn listener<L: Listener>(&self, name: &str, component_type: &'static str, listener: L) {
        let reporter = self.status.add(name, Kind::Listener, component_type);
        let drain = self.listeners.drain.clone();
        self.listeners.spawn(listener::run(name.to_owned(), reporter, listener, drain));
    }

    /// Stops everything in order; returns when nothing runs any more, within
    /// [`DRAIN_MAX`](Self::DRAIN_MAX). `false`: something had to be cut off.
    pub async fn drain(self) -> bool {
        let begun = Instant::now();
        let sources = self.sources.drain(begun + Self::DRAIN_SOURCES_MAX, "sources").await;
        let (sinks, listeners) = tokio::join!(
            self.sinks.drain(begun + Self::DRAIN_MAX, "sinks"),
            self.listeners.drain(begun + Self::DRAIN_MAX, "listeners"),
        );
        sources && sinks && listeners
    }
}

impl Branch {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let kill = self.kill.clone();
        self.tasks.spawn(async move {
            let _ended = kill.run_until_cancelled(task).await;
        });
    }

    async fn drain(self, deadline: Instant, what: &str) -> bool {
        self.drain.cancel();
        self.tasks.close();
        let in_time = timeout_at(deadline, self.tasks.wait()).await.is_ok();
        if !in_time {
            warn!(tasks = self.tasks.len(), "{what} did not end in time: cutting them off");
            self.kill.cancel();
            self.tasks.wait().await;
        }
        in_time
    }
}

impl Drop for Branch {
    /// Whoever drops a supervisor without draining it wants nothing of it to go on.
    fn drop(&mut self) {
        self.kill.cancel();
    }
}

/// What a panic said, as far as it said anything.
fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
