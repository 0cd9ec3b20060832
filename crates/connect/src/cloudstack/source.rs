//! Reads a CloudStack's events on and on.
//!
//! One look is: a slice of the walk while there is one; else a poll when it is due, and between
//! polls one step of a check or a sweep. Polls come each second while events do, and ever more
//! seldom while none do. Checks rest as long as they worked, so that they never take more than half
//! of the cloud's attention.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use pluvio_log::{Position, Record, SourceName};
use pluvio_runtime::{Connection, Pull, Resume, Source, Start};
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::{
    Error,
    access::log_out,
    config::Settings,
    ledger::{Ledger, RowIds},
    lists::Lists as _,
    place::{Beginning, Place},
    probe,
    reader::Reader,
    session::Session,
    slices::Slices,
    span::at,
};

/// A source that reads one CloudStack.
#[derive(Clone, Debug)]
pub struct Cloudstack {
    settings: Arc<Settings>,
    /// What the last connection counted: counting a day again would cost the cloud a day's rows.
    kept: Arc<Mutex<Option<Slices>>>,
}

/// A CloudStack that is being read.
#[derive(Debug)]
pub struct Reading {
    settings: Arc<Settings>,
    kept: Arc<Mutex<Option<Slices>>>,
    client: pluvio_clouds::cloudstack::Client,
    reader: Reader<Session>,
    /// A place that is not noted as it is, to be noted before anything is read.
    unannounced: Option<Position>,
    /// How long ago the first start was when this began.
    age: Duration,
    /// The cloud's clock is so far behind the first start that nothing can be captured, which was told.
    is_long_past: bool,
    /// When this began.
    since: Instant,
    interval: Duration,
    poll_due: Instant,
    late_due: Instant,
    /// Broken answers in a row.
    races: u32,
}

/// A quiet look ends after this long, with a checkpoint.
const LOOK_MAX: Duration = Duration::from_secs(50);
/// A poll that brings nothing makes the next one wait by so much longer.
const SLOWER: f64 = 1.5;
/// Longest rest of the checks.
const REST_MAX: Duration = Duration::from_secs(10);
/// Races are rare; so many in a row are something else.
const RACES_MAX: u32 = 5;
/// Part of the time after which the cloud forgets events: downtime beyond it is a warning.
const NEAR_PURGE_PERCENT: i64 = 70;

impl Cloudstack {
    pub(super) fn new(settings: Settings) -> Self {
        Self { settings: Arc::new(settings), kept: Arc::default() }
    }

    /// The `source` attribute of its events.
    pub fn identity(&self) -> &str {
        &self.settings.rules.mapping.source
    }

    /// The stored place, as far as it counts; at the first start, `begin` ago by the cloud's clock.
    fn place(
        &self,
        start: Start<Place>,
        scope: &str,
        session: &Session,
        name: &SourceName,
    ) -> Place {
        let settings = &self.settings;
        // So long before as a row may become visible late.
        let before = |time: Timestamp| {
            let overlap = SignedDuration::from_secs(settings.rules.overlap_s);
            time.checked_sub(overlap).unwrap_or(Timestamp::UNIX_EPOCH)
        };
        let begin = session.begin(settings.begin);
        let mut place = match start {
            Start::New => return Place::first(self.identity(), scope, begin),
            Start::Other(other) => {
                let begin = begin.min(before(other.time));
                return Place::first(self.identity(), scope, begin);
            }
            Start::Elsewhere(mut place) => {
                place.leave_behind(before(place.time));
                place
            }
            Start::Here(place) => place,
        };
        if place.judged(session.latest(), settings.rules.overlap_s) == Beginning::Ahead {
            // Where our clock was ahead, too, it does not tell.
            let overlap = Duration::from_secs(settings.rules.overlap_s.unsigned_abs());
            let begin = session.begin(settings.begin + place.age().unwrap_or(overlap));
            warn_of_clock(name, place.begin, begin);
            place.begin_anew(begin);
        }
        if place.ask_for(scope) {
            info!(source = %name, "the account, `domain_id` or `recursive` changed: what was captured last may not \
                be listed any more");
        }
        place
    }

    async fn begin(&self, mut session: Session, resume: Resume) -> Result<Reading, Error> {
        let client = session.client.clone();
        let scope = self.settings.access.scope_mark()?;
        let start = resume.place::<Place, Error>(self.identity(), &scope).await?;
        let (is_resumed, is_new) = (start.is_resumed(), start == Start::New);
        let place = self.place(start, &scope, &session, resume.history.source());
        let mut rules = self.settings.rules.clone();
        if is_resumed {
            match probe::purge_s(&client).await {
                Some(0) => rules.purge_s = i64::MAX / 4,
                Some(purge_s) => rules.purge_s = purge_s,
                None => {}
            }
            warn_of_purge(&resume, &place, session.now(), rules.purge_s);
        }
        info!(source = %resume.history.source(), from = %place.time, "reading events");
        let (position, age) = (place.position()?, place.age().unwrap_or_default());
        let unannounced = Some(position).filter(|it| resume.position.as_ref() != Some(it));
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).take();
        let past = if is_new { session.before(place.begin).await } else { RowIds::default() };
        let mut reader = Reader::new(session, rules, place, is_resumed, resume.history, kept)?;
        reader.ledger.past = past;
        Ok(Reading {
            reader,
            settings: Arc::clone(&self.settings),
            kept: Arc::clone(&self.kept),
            client,
            unannounced,
            age,
            is_long_past: false,
            since: Instant::now(),
            interval: self.settings.poll_min,
            poll_due: Instant::now(),
            late_due: Instant::now(),
            races: 0,
        })
    }
}

fn warn_of_clock(source: &SourceName, was: Timestamp, is: Timestamp) {
    warn!(%source, %was, %is, "the cloud's clock is behind the beginning that the first start took from it, so it \
        was ahead then, or is behind now: it begins anew, from that first start by the clock as it is now");
}

fn warn_of_purge(resume: &Resume, place: &Place, now: Timestamp, purge_s: i64) {
    let down_s = now.as_second() - place.time.as_second();
    if place.was_read() && down_s > purge_s / 100 * NEAR_PURGE_PERCENT {
        let (since, forgets) = (place.time, at(now.as_second() - purge_s));
        warn!(source = %resume.history.source(), %since, cloud_forgets_before = %forgets,
            "the cloud was not asked for nearly as long as it keeps events");
    }
}

impl Source for Cloudstack {
    type Connection = Reading;
    type Error = Error;

    async fn connect(&mut self, resume: Resume) -> Result<Reading, Error> {
        let session = Session::open(&self.settings.access, &self.settings.rules.mapping).await?;
        let client = session.client.clone();
        match self.begin(session, resume).await {
            Ok(reading) => Ok(reading),
            Err(error) => {
                log_out(&client).await;
                Err(error)
            }
        }
    }

    async fn probe(&mut self) -> Result<String, Error> {
        let mut session =
            Session::open(&self.settings.access, &self.settings.rules.mapping).await?;
        let found = probe::look(&mut session).await;
        log_out(&session.client).await;
        Ok(found?.to_string())
    }
}

impl Connection for Reading {
    type Error = Error;

    async fn next(&mut self) -> Result<Pull, Error> {
        self.reader.next_pull();
        if let Some(begin) = self.unannounced.take() {
            // What happens while a first connection is lost must not fall before a new `begin`.
            return Ok(Pull { checkpoint: Some(begin), ..Pull::default() });
        }
        let ends = Instant::now() + LOOK_MAX;
        while Instant::now() < ends {
            if !self.reader.is_walking()
                && let Some(told) = self.judge_beginning()?
            {
                return Ok(told);
            }
            match self.step(ends).await {
                Ok(records) if records.is_empty() => self.races = 0,
                Ok(records) => {
                    self.races = 0;
                    return Ok(Pull { records, ..Pull::default() });
                }
                Err(error) if error.is_race() && self.races < RACES_MAX => {
                    self.races += 1;
                    debug!(%error, "asking again");
                    tokio::time::sleep(self.settings.poll_min).await;
                }
                Err(error) => return Err(error),
            }
        }
        // What a walk read comes before the place behind it.
        let records = self.reader.built().await?;
        if !records.is_empty() {
            return Ok(Pull { records, ..Pull::default() });
        }
        // During a walk nothing may be said of what was read: only its records know.
        let place = &self.reader.ledger.place;
        let checkpoint = Some(place.position()?);
        Ok(Pull { checkpoint, seen_up_to: Some(place.time), ..Pull::default() })
    }

    fn clock(&self) -> Option<jiff::Timestamp> {
        self.reader.clock()
    }

    async fn close(self) {
        let certain = self.reader.into_certain();
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(certain);
        log_out(&self.client).await;
    }
}

impl Reading {
    /// Where the cloud's clock went back behind `begin`, the place begins anew. What happened since the first start
    /// is ours, whatever clock it is dated by: until the clock went back, by one that was later than `begin`.
    fn judge_beginning(&mut self) -> Result<Option<Pull>, Error> {
        let (latest, overlap_s) = (self.reader.lists().latest(), self.settings.rules.overlap_s);
        let Ledger { place, history, .. } = &self.reader.ledger;
        let (begin, judged) = (place.begin, place.judged(latest, overlap_s));
        let was_told = std::mem::replace(&mut self.is_long_past, judged == Beginning::LongPast);
        match judged {
            Beginning::LongPast if !was_told => {
                let flaw = format!(
                    "the cloud's clock says {latest}, far behind the first start ({begin}): what happens until it \
                     is right cannot be told from what was before, and is not captured"
                );
                warn!(source = %history.source(), "{flaw}");
                Ok(Some(Pull { flaw: Some(flaw), ..Pull::default() }))
            }
            Beginning::Right | Beginning::LongPast => Ok(None),
            Beginning::Ahead => {
                let before = self.settings.begin + self.age + self.since.elapsed();
                let anew = self.reader.lists().begin(before);
                warn_of_clock(history.source(), begin, anew);
                self.reader.begin_anew(anew)?;
                let checkpoint = Some(self.reader.ledger.place.position()?);
                Ok(Some(Pull { checkpoint, ..Pull::default() }))
            }
        }
    }

    /// Does what is due, or waits for it.
    async fn step(&mut self, ends: Instant) -> Result<Vec<Record>, Error> {
        if self.reader.is_walking() {
            return self.reader.walk().await;
        }
        let now = Instant::now();
        if now >= self.poll_due {
            let records = self.reader.poll().await?;
            self.interval = if records.is_empty() {
                self.interval.mul_f64(SLOWER).min(self.settings.poll_max)
            } else {
                self.settings.poll_min
            };
            // What makes it slow is load that we should not add to.
            let worked = now.elapsed();
            self.poll_due = Instant::now() + self.interval.max(worked);
            return Ok(records);
        }
        if now >= self.late_due {
            let found = self.reader.late().await?;
            let rest = if found.is_some() {
                now.elapsed().min(REST_MAX)
            } else {
                self.settings.poll_min.max(Duration::from_millis(100))
            };
            self.late_due = Instant::now() + rest;
            return Ok(found.unwrap_or_default());
        }
        tokio::time::sleep_until(self.poll_due.min(self.late_due).min(ends)).await;
        Ok(Vec::new())
    }
}
