//! Applies faults to the cloud, emits events on demand, and tells its state.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::cloud::{Calls, Cloud};
use super::faults::{Fault, Troubles};
use super::history::{Level, State};
use super::life::trail_of;
use super::version::Version;
use super::work::Draft;
use crate::replay::Progress;
use crate::shared::Living;

/// An event to be emitted; the default is a completed `VM.START` of the root admin, now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Emission {
    /// The name of the account that owns it; an unknown one becomes the root admin.
    pub account: String,
    /// The type; it need not be one that CloudStack knows.
    pub kind: String,
    /// Where in its operation it stands.
    pub state: State,
    /// How bad it is.
    pub level: Level,
    /// The description; `None` for the usual one of the type.
    pub description: Option<String>,
    /// When it was created; `None` for now.
    pub created: Option<Timestamp>,
    /// How long after that it becomes visible.
    pub late_seconds: u32,
    /// Whether only admins see it.
    pub hidden: bool,
    /// The first event of its operation.
    pub parent: Option<Uuid>,
}

impl Default for Emission {
    fn default() -> Self {
        Self {
            account: "admin".to_owned(),
            kind: "VM.START".to_owned(),
            state: State::Completed,
            level: Level::Info,
            description: None,
            created: None,
            late_seconds: 0,
            hidden: false,
            parent: None,
        }
    }
}

/// What the cloud is and does.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The release that it behaves like.
    pub version: Version,
    /// The time that the cloud believes it is.
    pub now: Timestamp,
    /// How many events the workload makes per second.
    pub events_per_second: f64,
    /// How many events ever happened.
    pub events_produced: usize,
    /// How many of them the API may show.
    pub events_listed: usize,
    /// How far the recording has been played; absent where none is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recording: Option<Progress>,
    /// Open sessions.
    pub sessions: usize,
    /// Machines that exist now.
    pub machines: usize,
    /// Jobs that were ever started.
    pub jobs: usize,
    /// Calls by command.
    pub calls: BTreeMap<String, Calls>,
    /// Faults that last, as JSON; nothing is named that is not in force.
    pub faults: serde_json::Value,
}

impl Cloud {
    /// Lets something go wrong.
    pub(crate) fn inject(&mut self, fault: Fault) {
        tracing::info!(?fault, "injecting a fault");
        let troubles = &mut self.troubles;
        match fault {
            Fault::Late { seconds, percent } => {
                (troubles.late_seconds, troubles.late_percent) = (seconds, percent);
            }
            Fault::ServerSkew { seconds } => troubles.server_skew_seconds = seconds,
            Fault::Skew { seconds } => self.clock.skew = SignedDuration::from_secs(seconds),
            Fault::Burst { count } => self.work(count),
            Fault::Shift { count } => troubles.shift_events = count,
            Fault::Throttled { count, retry_ms } => {
                (troubles.throttled, troubles.throttled_retry_ms) = (count, retry_ms);
            }
            Fault::Unauthorized { count } => troubles.unauthorized = count,
            Fault::Unavailable { count } => troubles.unavailable = count,
            Fault::Internal { count } => troubles.internal = count,
            Fault::Proxy { count, status } => {
                (troubles.proxied, troubles.proxied_status) = (count, status);
            }
            Fault::Reset { count } => troubles.resets = count,
            Fault::Cut { count } => troubles.cuts = count,
            Fault::Slow { ms } => troubles.slow_ms = ms,
            Fault::Malformed { count } => troubles.malformed = count,
            Fault::WrongCount { by } => troubles.wrong_count_by = by,
            Fault::Purge { older_than_seconds } => {
                self.purge(SignedDuration::from_secs(i64::from(older_than_seconds)));
            }
            Fault::FailJobs { count } => troubles.failing_jobs = count,
            Fault::PurgedMachines { count } => troubles.purged_machines = count,
            Fault::Recounted { seconds } => troubles.recounted_seconds = seconds,
            Fault::UnreadableUsage { count } => troubles.unreadable_usage = count,
            Fault::SessionLost => self.sessions.clear(),
        }
    }

    /// Ends every fault that lasts.
    pub(crate) fn clear_faults(&mut self) {
        self.troubles = Troubles::default();
        self.clock.skew = SignedDuration::ZERO;
    }

    /// Records an event as asked for; returns its identifier.
    pub(crate) fn emit(&mut self, emission: &Emission) -> Uuid {
        let kind = self.history.kind(&emission.kind);
        let (account, user) = self.actor(&emission.account);
        let parent = emission.parent.and_then(|id| self.history.number(id)).map_or(0, |n| n + 1);
        let number = self.record(&Draft {
            kind,
            state: emission.state,
            level: emission.level,
            account,
            user,
            resource: 0,
            parent,
            hidden: emission.hidden,
            text: emission.description.clone(),
            at: emission.created.unwrap_or_else(|| self.now()),
            late: SignedDuration::from_secs(i64::from(emission.late_seconds)),
            second_server: false,
        });
        self.history.id(number)
    }

    /// Records all events of an operation of that type, now.
    pub(crate) fn emit_chain(&mut self, account: &str, kind: &str) -> Vec<Uuid> {
        let steps = trail_of(kind).map_or(&[State::Completed][..], |trail| trail.steps);
        let mut ids: Vec<Uuid> = Vec::new();
        for state in steps {
            ids.push(self.emit(&Emission {
                account: account.to_owned(),
                kind: kind.to_owned(),
                state: *state,
                parent: ids.first().copied(),
                ..Emission::default()
            }));
        }
        ids
    }

    /// An account by its name, and somebody who acts for it.
    fn actor(&self, name: &str) -> (usize, usize) {
        let accounts = &self.directory.accounts;
        let account = accounts.iter().position(|account| account.name == name);
        let account = account.unwrap_or(super::directory::ADMIN);
        let user = self.users_of[account].first().copied();
        (account, user.unwrap_or(super::directory::ADMIN_USER))
    }

    /// What the cloud is and does now.
    pub(crate) fn status(&self) -> Status {
        Status {
            version: self.version,
            now: self.now(),
            events_per_second: Living::events_per_second(self),
            events_produced: self.history.len(),
            events_listed: self.history.listed_len(),
            recording: self.progress(),
            sessions: self.sessions.len(),
            machines: self.inventory.machines.iter().filter(|machine| machine.live).count(),
            jobs: self.jobs.len(),
            calls: self.calls.clone(),
            faults: self.faults_in_force(),
        }
    }

    fn faults_in_force(&self) -> serde_json::Value {
        let mut faults = serde_json::json!(self.troubles);
        faults["skew_seconds"] = self.clock.skew.as_secs().into();
        if let Some(all) = faults.as_object_mut() {
            all.retain(|_, value| *value != serde_json::json!(0));
        }
        faults
    }
}
