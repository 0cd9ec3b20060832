//! What every component is doing, for `/api/v1/status`, `/readyz` and `pluvio check`.
//!
//! One board, written by the supervisor, read by whoever asks. It holds no secret: errors are
//! written so that they may be shown (`Failure`).

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;
use serde::Serialize;

use crate::{failure::shown, sought::Sought};

/// The state of all components, shared.
#[derive(Clone, Debug, Default)]
pub struct StatusBoard(Arc<Mutex<BTreeMap<String, ComponentStatus>>>);

/// What a component is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Brings events in.
    Source,
    /// Serves readers.
    Listener,
    /// Hands events on.
    Sink,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Source => "source",
            Self::Listener => "listener",
            Self::Sink => "sink",
        })
    }
}

/// What a component is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Trying to connect, or waiting to try again; `error` says why.
    Connecting,
    /// Connected and working.
    Running,
    /// Connected, but it has not looked for new events, or could not store them, for longer than it should take.
    Stalled,
    /// Ended on purpose.
    Stopped,
}

/// One component's status.
#[derive(Clone, Debug, Serialize)]
pub struct ComponentStatus {
    /// The configured name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Its type, for example `vsphere`.
    #[serde(rename = "type")]
    pub component_type: &'static str,
    /// What it is doing.
    pub state: State,
    /// Since when.
    pub since: Timestamp,
    /// The newest failure, or why a sink waits. Of a sink it is gone once something has arrived again;
    /// of others it is kept after recovery: operators ask "what was that last night".
    pub error: Option<ErrorReport>,
    /// When the next attempt is made, while waiting for it.
    pub retry_at: Option<Timestamp>,
    /// How often it was connected again or restarted.
    pub reconnects: u64,
    /// Events appended or delivered since the start of the process.
    pub events: u64,
    /// Event time of the newest event.
    pub latest_event: Option<Timestamp>,
    /// Where it stands, in its own words.
    pub position: Option<String>,
    /// What only a sink has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sink: Option<SinkStatus>,
}

/// How a sink does.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SinkStatus {
    /// The stream that it is handed.
    pub stream: String,
    /// Everything before this offset has arrived, was left out by its filter, or is a dead letter.
    pub offset: Option<i64>,
    /// Records that lie before it, at most: offsets leave gaps, so it may be fewer.
    pub lag_records_max: u64,
    /// How long ago the first of them was stored.
    pub lag_seconds: f64,
    /// Records among them that retention deleted before the sink was handed them, at most: a gap event
    /// tells them when it goes on.
    pub missed_records_max: u64,
    /// Acknowledged writes since the start of the process.
    pub batches: u64,
    /// Stored bytes of the events that arrived, since then.
    pub bytes: u64,
    /// Events that its filter left out, since then.
    pub filtered: u64,
    /// Events that its target rejected, since then.
    pub dead_letters: u64,
    /// How often its target asked for patience, since then.
    pub throttled: u64,
    /// Until when it has it.
    pub throttled_until: Option<Timestamp>,
    /// The last time that an operator moved it with `pluvio sink seek`, also before the start of the
    /// process; `None`: never in this log.
    pub sought: Option<Sought>,
}

/// A failure as shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ErrorReport {
    /// When it happened.
    pub at: Timestamp,
    /// What failed, with its causes.
    pub message: String,
    /// What the operator can do.
    pub remedy: Option<String>,
}

impl ErrorReport {
    /// One that happens now, without secrets that the other side repeated.
    pub fn new(message: &str, remedy: Option<&str>) -> Self {
        Self {
            at: Timestamp::now(),
            message: shown(message).into_owned(),
            remedy: remedy.map(|remedy| shown(remedy).into_owned()),
        }
    }
}

impl StatusBoard {
    /// Puts a component on the board as `connecting`.
    pub fn add(&self, name: &str, kind: Kind, component_type: &'static str) -> Reporter {
        let status = ComponentStatus {
            name: name.to_owned(),
            kind,
            component_type,
            state: State::Connecting,
            since: Timestamp::now(),
            error: None,
            retry_at: None,
            reconnects: 0,
            events: 0,
            latest_event: None,
            position: None,
            sink: None,
        };
        let key = format!("{kind:?}/{name}");
        self.lock().insert(key.clone(), status);
        Reporter { board: self.clone(), key }
    }

    /// All components: by kind, then by name.
    pub fn components(&self) -> Vec<ComponentStatus> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, ComponentStatus>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes one component's line of the board.
#[derive(Clone, Debug)]
pub struct Reporter {
    board: StatusBoard,
    key: String,
}

impl Reporter {
    /// Changes the status; `since` follows a change of state by itself.
    pub fn update(&self, change: impl FnOnce(&mut ComponentStatus)) {
        if let Some(status) = self.board.lock().get_mut(&self.key) {
            let before = status.state;
            change(status);
            if status.state != before {
                status.since = Timestamp::now();
            }
        }
    }

    /// Moves to `state`.
    pub fn state(&self, state: State) {
        self.update(|status| status.state = state);
    }
}
