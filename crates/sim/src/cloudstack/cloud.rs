//! The state of the cloud, all of it behind one lock.
//!
//! One lock is enough: a page of events takes it for less than a millisecond. Whoever changes
//! something that a client may wait for raises the revision.

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde::Serialize;

use super::config::{CloudStackConfig, Throttle};
use super::directory::Directory;
use super::faults::Troubles;
use super::history::{History, Level, Recorded, State};
use super::inventory::Inventory;
use super::jobs::{Job, signed};
use super::life::Agenda;
use super::recording::Recording;
use super::version::Version;
use crate::clock::Clock;
use crate::error::Error;
use crate::replay::{Progress, Replay};
use crate::shared::Living;
use crate::ticker::EVENTS_PER_LOCK;

/// One event that truly happened, for comparison with what a client captured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Produced {
    /// The identifier, as `listEvents` tells it: a UUID, or a number that an old server had.
    pub id: String,
    /// When the management server says it was created; whole seconds.
    pub created: Timestamp,
    /// The type, as `VM.START`.
    pub kind: std::sync::Arc<str>,
    /// Where in its operation it stands.
    pub state: State,
    /// How bad it is.
    pub level: Level,
    /// The name of the account that owns what it is about.
    pub account: String,
    /// The first event of the same operation.
    pub parent: Option<String>,
    /// Whether only admins see it.
    pub hidden: bool,
    /// Whether the API may show it now: not late, not purged, not deleted.
    pub listed: bool,
}

/// How often a command was called, and what that cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Calls {
    /// Calls answered, errors included.
    pub calls: u64,
    /// Calls answered with an error.
    pub errors: u64,
    /// Rows in the answers.
    pub rows: u64,
    /// Bytes of the answers' bodies.
    pub bytes: u64,
}

/// A session of a user who has logged in.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) user: usize,
    pub(crate) key: String,
}

/// Everything that the cloud is and knows.
#[derive(Debug)]
pub(crate) struct Cloud {
    pub(crate) seed: u64,
    pub(crate) version: Version,
    pub(crate) clock: Clock,
    pub(crate) zone: TimeZone,
    pub(crate) page_rows_max: usize,
    pub(crate) directory: Directory,
    pub(crate) inventory: Inventory,
    pub(crate) history: History,
    pub(crate) jobs: Vec<Job>,
    /// Sessions by cookie.
    pub(crate) sessions: HashMap<String, Session>,
    pub(crate) troubles: Troubles,
    pub(crate) calls: BTreeMap<String, Calls>,
    pub(crate) throttle: Option<Throttle>,
    /// By account: when its interval began, and its calls since.
    pub(crate) windows: HashMap<usize, (Timestamp, u32)>,
    /// Operations that clients started.
    pub(crate) agenda: Agenda,
    /// Operations of the workload.
    pub(crate) workload: Agenda,
    pub(crate) rng: StdRng,
    /// Apart from the workload's, so that clients do not change what it does.
    pub(crate) client_rng: StdRng,
    /// Users who may act, by account.
    pub(crate) users_of: Vec<Vec<usize>>,
    pub(crate) machines_target: usize,
    pub(crate) sends_date: bool,
    pub(crate) failures_percent: u8,
    pub(crate) job_duration: SignedDuration,
    pub(crate) events_per_second: f64,
    /// Grows with every change that a client may be waiting for.
    pub(crate) revision: u64,
    purge_delay: Option<SignedDuration>,
    /// When events are purged next.
    purge_due: Timestamp,
    /// What happens instead of the workload.
    playback: Option<Replay<Recorded>>,
}

/// Between two purges (`event.purge.interval`).
const PURGE_INTERVAL: SignedDuration = SignedDuration::from_hours(24);

impl Cloud {
    /// A cloud with its inventory and its backlog.
    pub(crate) fn build(config: &CloudStackConfig) -> Result<Self, Error> {
        let zone = TimeZone::posix(&config.time_zone)
            .map_err(|_| Error::TimeZone(config.time_zone.clone()))?;
        let mut rng = StdRng::seed_from_u64(config.seed);
        let directory = Directory::build(&mut rng);
        let clock = Clock::new(config.starts_at);
        let span = signed(config.backlog_span);
        let start = clock.now().saturating_sub(span).unwrap_or(Timestamp::UNIX_EPOCH);
        let mut cloud = Self::quiet(config, zone, directory, clock, start, rng);
        let Self { inventory, directory, rng, .. } = &mut cloud;
        inventory.populate(directory, config.machines, start, rng);
        cloud.furnish(start);
        cloud.work_over(start, span, config.backlog_events);
        Ok(cloud)
    }

    /// A cloud in which a recording happens again; what was due when its clock begins has happened.
    pub(crate) fn replay(config: &CloudStackConfig, recording: Recording) -> Result<Self, Error> {
        recording.check()?;
        let (zone, speed) = (recording.zone(), recording.speed);
        let first = recording.rows.first().map(|row| row.time);
        let begin = recording.begin.or(first).unwrap_or_default();
        let rng = StdRng::seed_from_u64(config.seed);
        let clock = Clock::new(Some(begin));
        let directory = recording.people.directory;
        let mut cloud = Self::quiet(config, zone, directory, clock, begin, rng);
        // Rows are forgotten by a fault alone: the server that purged them was another one.
        cloud.purge_delay = None;
        cloud.furnish(begin);
        for row in &recording.rows {
            cloud.history.kind(&row.kind);
        }
        let replay = Replay::new(recording.rows.into_iter().map(|row| (row.time, row)));
        let end = replay.end();
        cloud.playback = Some(replay);
        cloud.play(begin, usize::MAX);
        // Only now, so that what took long to prepare did not take any of the recording's time.
        cloud.clock = Clock::running(begin, Instant::now(), speed, end);
        Ok(cloud)
    }

    /// A cloud in which nothing has happened yet.
    fn quiet(
        config: &CloudStackConfig,
        zone: TimeZone,
        directory: Directory,
        clock: Clock,
        start: Timestamp,
        mut rng: StdRng,
    ) -> Self {
        let users_of = (0..directory.accounts.len()).map(|a| directory.users_of(a)).collect();
        let mut cloud = Self {
            seed: config.seed,
            version: config.version,
            clock,
            zone,
            page_rows_max: config.page_rows_max,
            directory,
            inventory: Inventory::new(config.seed, start, &mut rng),
            history: History::new(config.seed, config.backlog_events),
            jobs: Vec::new(),
            sessions: HashMap::new(),
            troubles: Troubles::default(),
            calls: BTreeMap::new(),
            throttle: config.throttle,
            windows: HashMap::new(),
            agenda: Agenda::default(),
            workload: Agenda::default(),
            rng,
            client_rng: StdRng::seed_from_u64(!config.seed),
            users_of,
            machines_target: config.machines,
            sends_date: config.sends_date,
            failures_percent: config.failures_percent,
            job_duration: signed(config.job_duration),
            events_per_second: config.events_per_second,
            revision: 0,
            purge_delay: config.event_purge_delay.map(signed),
            purge_due: clock.now().saturating_add(PURGE_INTERVAL).unwrap_or(Timestamp::MAX),
            playback: None,
        };
        if !config.custom_offering {
            cloud.inventory.offers.services.retain(|offering| offering.size.is_some());
        }
        cloud
    }

    fn furnish(&mut self, start: Timestamp) {
        let accounts = self.directory.owners();
        self.inventory.furnish_basic_zone(self.seed, &accounts, start);
    }

    /// Lets at most that many recorded events happen that are due; tells whether more are.
    fn play(&mut self, now: Timestamp, events_max: usize) -> bool {
        for _ in 0..events_max {
            let due = self.playback.as_mut().and_then(|playback| playback.next_due(now));
            let Some(recorded) = due else { return false };
            self.history.replay(recorded);
            self.revision += 1;
        }
        self.playback.as_ref().is_some_and(|playback| playback.is_due(now))
    }

    /// How far the recording has been played, if there is one.
    pub(crate) fn progress(&self) -> Option<Progress> {
        self.playback.as_ref().map(Replay::progress)
    }

    /// The time by which requests are judged: that of clients, whatever the time in a recording is.
    pub(crate) fn time_of_requests(&self) -> Timestamp {
        match self.playback {
            None => self.now(),
            Some(_) => Timestamp::now().saturating_add(self.clock.skew).unwrap_or(Timestamp::MAX),
        }
    }

    /// Makes that many events, spread over a span of time that has passed.
    pub(crate) fn work_over(&mut self, start: Timestamp, span: SignedDuration, count: usize) {
        if self.playback.is_some() {
            return;
        }
        let step = span.as_micros() / i128::try_from(count.max(1)).unwrap_or(i128::MAX);
        let step = SignedDuration::from_micros(i64::try_from(step).unwrap_or(i64::MAX));
        let mut at = start;
        for _ in 0..count {
            at = at.saturating_add(step).unwrap_or(at);
            self.work_once(at, true);
        }
    }

    /// The time that the cloud believes it is.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Moves the clock; the workload does what it would have done in that time.
    pub(crate) fn advance(&mut self, by: SignedDuration) {
        let start = self.now();
        self.clock.advance(by);
        let due = (by.as_secs_f64() * self.events_per_second).max(0.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative, and no history is as long"
        )]
        self.work_over(start, by, due as usize);
        self.settle();
    }

    /// What happened after the first `from` events.
    pub(crate) fn produced(&self, from: usize) -> Vec<Produced> {
        let numbers = from..self.history.len();
        numbers.filter_map(|n| u32::try_from(n).ok()).map(|n| self.told(n)).collect()
    }

    fn told(&self, number: u32) -> Produced {
        let row = self.history.row(number);
        Produced {
            id: self.history.name(number),
            created: Timestamp::from_second(row.created).unwrap_or_default(),
            kind: self.history.kind_name(row.kind).clone(),
            state: row.mark.state(),
            level: row.level,
            account: self.directory.accounts[usize::from(row.account)].name.clone(),
            parent: row.parent.checked_sub(1).map(|first| self.history.name(first)),
            hidden: row.mark.is_hidden(),
            listed: self.history.is_listed(number),
        }
    }

    /// After how many days events are purged; 0: never (`event.purge.delay`).
    pub(crate) fn purge_days(&self) -> i64 {
        self.purge_delay.map_or(0, |delay| delay.as_hours() / 24)
    }

    /// Deletes events that are older than that; returns how many.
    pub(crate) fn purge(&mut self, older_than: SignedDuration) -> usize {
        let limit = self.now().saturating_sub(older_than).unwrap_or(Timestamp::MIN).as_second();
        self.history.forget(|_, row| row.created < limit)
    }
}

impl Living for Cloud {
    fn revision(&self) -> u64 {
        self.revision
    }

    fn events_per_second(&self) -> f64 {
        // Where no time passes nothing happens; `advance` makes up for it.
        let rests = self.clock.stands() || self.playback.is_some();
        if rests { 0.0 } else { self.events_per_second }
    }

    fn work(&mut self, count: usize) {
        if self.playback.is_some() {
            return;
        }
        let now = self.now();
        for _ in 0..count {
            self.work_once(now, false);
        }
    }

    fn settle(&mut self) -> bool {
        let now = self.now();
        self.run_jobs(now);
        if self.history.commit(now) {
            self.revision += 1;
        }
        if let Some(delay) = self.purge_delay.filter(|_| now >= self.purge_due) {
            self.purge(delay);
            self.purge_due = now.saturating_add(PURGE_INTERVAL).unwrap_or(Timestamp::MAX);
        }
        self.play(self.clock.right(), EVENTS_PER_LOCK)
    }
}
