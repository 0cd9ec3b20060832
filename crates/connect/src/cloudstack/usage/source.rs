//! Takes ticks when they are due, and lists records between them: `tick` and `listing` say how.
//! It waits, and does nothing else.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use pluvio_clouds::cloudstack::Client;
use pluvio_event::Event;
use pluvio_log::{EventId, Position, Record};
use pluvio_runtime::{
    Chain, Connection, History, Pull, Resume, Source, Start, supervise::PULLS_ON_THE_WAY,
};
use tokio::time::Instant;
use tracing::{info, warn};
use uuid::Uuid;

use super::{
    super::{
        Error, access::log_out, lists::Lists as _, meter::Meter, probe, session::Session, span::at,
    },
    config::Settings,
    day::{DAY_S, day_of},
    listing::Listing,
    past::{Note, Past},
    place::Place,
};

/// A source that reads one CloudStack's usage.
#[derive(Clone, Debug)]
pub struct CloudstackUsage {
    settings: Arc<Settings>,
}

/// A CloudStack whose usage is being read.
#[derive(Debug)]
pub struct Metering {
    pub(super) settings: Arc<Settings>,
    pub(super) session: Session,
    pub(super) client: Client,
    pub(super) meter: Meter,
    pub(super) history: History,
    pub(super) place: Place,
    pub(super) unannounced: Option<Position>,
    /// A listing of records under way.
    pub(super) listing: Option<Listing>,
    /// The last whole listing: from when, and how many rows.
    pub(super) listed: Option<(i64, u32)>,
    /// Nothing was captured before this listing.
    pub(super) is_new: bool,
    /// What was captured before, as far as this listing needs it, and by it.
    pub(super) past: Past,
    /// Whether records of the domains below the account's own are asked for.
    pub(super) asks_below: bool,
    /// What the last listing could not read, until it is told.
    pub(super) flaw: Option<String>,
    /// Whether a list came to its end and that was not noted yet.
    pub(super) is_listed: bool,
    pub(super) records_due: i64,
    /// What this connection gave, by its id: the newest may not be stored yet.
    pub(super) given: HashMap<Uuid, Given>,
    pub(super) pulls: u64,
    pub(super) races: u32,
    /// No tick is tried before: the role does not allow what it takes.
    pub(super) tick_due: i64,
}

/// An event that this connection gave.
#[derive(Debug)]
pub(super) struct Given {
    /// The pull that gave it.
    pub(super) pull: u64,
    /// Of a record that can be read.
    pub(super) note: Option<Note>,
}

/// A quiet look ends after this long.
const LOOK_MAX: Duration = Duration::from_secs(50);
/// Events of the last seconds are still arriving when a tick is due.
const SETTLED_S: i64 = 5;
const RACES_MAX: u32 = 5;
const ALLOW_TICKS: &str = "allow it to the role, or set `ticks` = false";

impl CloudstackUsage {
    pub(super) fn new(settings: Settings) -> Self {
        Self { settings: Arc::new(settings) }
    }

    /// The `source` attribute of its events.
    pub fn identity(&self) -> &str {
        &self.settings.mapping.source
    }

    /// The stored place, as far as it counts; at the first start, now for ticks, and `begin` ago for records.
    fn place(&self, start: Start<Place>, scope: &str, now: i64) -> Place {
        let settings = &self.settings;
        let tick = now.div_euclid(settings.interval_s) * settings.interval_s;
        let first = |from: i64| Place::first(self.identity(), scope, at(tick), at(day_of(from)));
        // So long before as a record may be written late.
        let overlap_s = settings.records.map_or(0, |rules| rules.overlap_s);
        let before = |place: &Place| place.records.as_second() - overlap_s;
        let begin = now - settings.begin_s;
        let mut place = match start {
            Start::New => first(begin),
            // A first start took it from a clock that was ahead.
            Start::Here(place) | Start::Elsewhere(place) if place.begin > at(now) => first(begin),
            // No tick of these events was taken before, so none was missed.
            Start::Other(other) => first(begin.min(before(&other))),
            Start::Elsewhere(mut place) => {
                // What was captured before is not in this stream.
                place.begin = place.begin.max(at(day_of(before(&place))));
                place
            }
            Start::Here(place) => place,
        };
        place.ask_for(scope);
        place
    }

    async fn begin(
        &self,
        session: Session,
        resume: Resume,
        may_list: bool,
    ) -> Result<Metering, Error> {
        let now = session.now().as_second();
        let settings = &self.settings;
        let scope = settings.access.scope_mark()?;
        let start = resume.place::<Place, Error>(self.identity(), &scope).await?;
        let is_new = start == Start::New;
        let place = self.place(start, &scope, now);
        let position = place.position()?;
        info!(source = %resume.history.source(), tick = %place.tick, "reading usage");
        Ok(Metering {
            unannounced: Some(position).filter(|it| resume.position.as_ref() != Some(it)),
            meter: Meter::of(resume.history.source()),
            client: session.client.clone(),
            settings: Arc::clone(settings),
            history: resume.history,
            session,
            place,
            listing: None,
            listed: None,
            is_new,
            is_listed: false,
            past: Past::default(),
            asks_below: settings.access.asks_below(),
            flaw: (settings.ticks && !may_list).then(|| {
                let refused = "the account may not call listEvents";
                format!("no ticks are taken, but records are: {refused}; {ALLOW_TICKS}")
            }),
            records_due: now,
            given: HashMap::new(),
            pulls: 0,
            races: 0,
            tick_due: if may_list { 0 } else { now + DAY_S },
        })
    }
}

impl Source for CloudstackUsage {
    type Connection = Metering;
    type Error = Error;

    async fn connect(&mut self, resume: Resume) -> Result<Metering, Error> {
        let (session, may_list) = Session::open_for_usage(&self.settings.access).await?;
        let client = session.client.clone();
        match self.begin(session, resume, may_list).await {
            Ok(metering) => Ok(metering),
            Err(error) => {
                log_out(&client).await;
                Err(error)
            }
        }
    }

    async fn probe(&mut self) -> Result<String, Error> {
        let (mut session, may_list) = Session::open_for_usage(&self.settings.access).await?;
        let reads_records = self.settings.records.is_some();
        let found = probe::look_for_usage(&mut session, reads_records, may_list).await;
        log_out(&session.client).await;
        Ok(found?.to_string())
    }
}

impl Connection for Metering {
    type Error = Error;

    async fn next(&mut self) -> Result<Pull, Error> {
        self.pulls += 1;
        // What was given longer ago is stored; one pull more is margin.
        let pulls = self.pulls;
        self.given.retain(|_, given| given.pull + PULLS_ON_THE_WAY as u64 + 1 >= pulls);
        if let Some(begin) = self.unannounced.take() {
            return Ok(Pull { checkpoint: Some(begin), ..Pull::default() });
        }
        let ends = Instant::now() + LOOK_MAX;
        while Instant::now() < ends {
            match self.step(ends).await {
                Ok(records) => {
                    self.races = 0;
                    // How far a list that came to its end has read is noted with its last records, or alone.
                    let is_listed = std::mem::take(&mut self.is_listed);
                    if !records.is_empty() || self.flaw.is_some() || is_listed {
                        self.meter.new_rows(records.len());
                        let flaw = self.flaw.take();
                        let checkpoint = is_listed.then(|| self.place.position()).transpose()?;
                        return Ok(Pull { records, flaw, checkpoint, ..Pull::default() });
                    }
                }
                Err(error) if error.is_race() && self.races < RACES_MAX => self.races += 1,
                Err(error) => return Err(error),
            }
        }
        let (checkpoint, flaw) = (Some(self.place.position()?), self.flaw.take());
        let seen_up_to = Some(self.session.now());
        Ok(Pull { checkpoint, seen_up_to, flaw, ..Pull::default() })
    }

    fn clock(&self) -> Option<jiff::Timestamp> {
        self.session.clock()
    }

    async fn close(self) {
        log_out(&self.client).await;
    }
}

impl Metering {
    /// Does what is due, or waits for it.
    async fn step(&mut self, ends: Instant) -> Result<Vec<Record>, Error> {
        let now = self.session.now().as_second();
        let interval_s = self.settings.interval_s;
        let due = (now - SETTLED_S.min(interval_s / 2)).div_euclid(interval_s) * interval_s;
        if self.settings.ticks && due > self.place.tick.as_second() && now >= self.tick_due {
            return match self.tick(due).await {
                Err(Error::Role { command, source }) => {
                    self.no_ticks(&Error::Role { command, source }, now);
                    Ok(Vec::new())
                }
                ticked => ticked,
            };
        }
        if let Some(listing) = self.listing.take() {
            return self.list(listing).await;
        }
        let rules = self.settings.records.filter(|_| now >= self.records_due);
        if let Some(rules) = rules {
            self.plan(rules, now).await?;
            return Ok(Vec::new());
        }
        let wait = Duration::from_secs(1);
        tokio::time::sleep_until((Instant::now() + wait).min(ends)).await;
        Ok(Vec::new())
    }

    /// Records need no other right than their own.
    fn no_ticks(&mut self, error: &Error, now: i64) {
        let message =
            format!("no ticks are taken, but records are: {}; {ALLOW_TICKS}", Chain(error));
        warn!(source = %self.history.source(), "{message}");
        (self.tick_due, self.flaw) = (now + DAY_S, Some(message));
    }

    /// Which ids are stored, or about to be.
    pub(super) async fn stored(&self, ids: &[Uuid]) -> Result<HashSet<Uuid>, Error> {
        let source = &self.settings.mapping.source;
        let name = |id: &Uuid| EventId { source: source.clone(), id: id.to_string() };
        let names: Vec<EventId> = ids.iter().map(name).collect();
        let found = if names.is_empty() { Vec::new() } else { self.history.find(&names).await? };
        let is_known =
            |(id, found): &(&Uuid, Option<_>)| found.is_some() || self.given.contains_key(id);
        Ok(ids.iter().zip(found).filter(is_known).map(|(id, _)| *id).collect())
    }

    pub(super) fn record(&self, event: Event) -> Result<Record, Error> {
        let position = self.place.position()?;
        Ok(Record { event, source: self.history.source().clone(), position, at_least: None })
    }
}
