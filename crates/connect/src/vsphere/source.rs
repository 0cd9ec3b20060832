//! Reads a vCenter's events on and on.
//!
//! One look is: read the cursor until it is empty; then sweep a page if a sweep runs; then wait for
//! the bell. The bell only says *when* to read, never what: it loses events in a burst, and the
//! cursor does not.
//!
//! A cursor can go deaf: vcsim strands it behind 1,000 unread events, and a run of events that the
//! account may not see can empty a vCenter's pages for ever. So when the bell rings twice for
//! nothing, and after each quiet minute, the newest events are asked for without the cursor, and if
//! there are unknown ones the cursor is replaced.

use std::{collections::HashMap, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use pluvio_clouds::vsphere::{Malformed, NativeEvent, Page, Redaction};
use pluvio_log::{EventId, Offset, Position, Record};
use pluvio_runtime::{Connection, History, Pull, Resume, Source};
use tokio::{task::JoinHandle, time::Instant};
use tracing::{info, warn};

use crate::inbound::remembered::Remembered;

use super::{
    Error,
    begin::{Begun, expects_known_since, set_back},
    config::Settings,
    cursor::Cursor,
    ledger::{Forgotten, Ledger, Read, Verdict, id_of_text},
    listing::Listing,
    map::Mapping,
    place::Place,
    session::Session,
    sweep::Sweep,
};

/// A source that reads one vCenter.
#[derive(Clone, Debug)]
pub struct Vsphere {
    pub(super) settings: Arc<Settings>,
}

/// A vCenter that is being read.
#[derive(Debug)]
pub struct Reading {
    pub(super) settings: Arc<Settings>,
    pub(super) session: Arc<Session>,
    pub(super) cursor: Cursor,
    /// The page after a full one, asked for before the full one is looked at.
    pub(super) ahead: Option<JoinHandle<Result<(Page, Listing), Error>>>,
    pub(super) sweep: Sweep,
    pub(super) ledger: Ledger,
    pub(super) history: History,
    pub(super) categories: HashMap<String, String>,
    /// Since when the re-list must show something known; `None` once it did.
    pub(super) expects_known_since: Option<Timestamp>,
    pub(super) connected: Instant,
    /// The place went back: the cursor does not show what is before where it began.
    pub(super) is_set_back: bool,
    /// What retention took cannot be told any more; looked up now and then.
    pub(super) remembered: Remembered,
    /// A place that is not noted as it is, to be noted before anything is read.
    pub(super) unannounced: Option<Position>,
    /// Looks without the bell that are left since events came.
    pub(super) looks_left: u32,
    /// Looks that gave something.
    pub(super) looks_with_events: u32,
    /// Looks since a ring that gave nothing.
    pub(super) empty_looks_since_ring: u32,
}

/// A quiet look ends after this long, with a checkpoint.
const LOOK_MAX: Duration = Duration::from_secs(50);
/// While events flow the cursor is read without the bell, so often after the last one: under a storm
/// vcsim rings up to a second late (measured 680 to 1,100 ms on two busy cores), and in that time
/// more happens than the 1,000 events that it remembers.
const LOOKS_IN_FLOW: u32 = 5;
/// A sweep lists when the cursor has nothing; where it always has something, a page of the sweep
/// comes after so many of the cursor's.
const SWEEP_EVERY: u32 = 16;
/// The pause between two such looks; the bell's own latency is about this long.
const LOOK_IN_FLOW_AFTER: Duration = Duration::from_millis(20);
/// Looks without an event since a ring that make a cursor suspect; one is normal, because the page
/// may have been read before its bell was heard.
const EMPTY_LOOKS_MAX: u32 = 2;
/// How soon a cursor is read again that gave nothing though its bell rang.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(1);

type Listed = Result<NativeEvent, Malformed>;

impl Vsphere {
    pub(super) fn new(settings: Settings) -> Self {
        Self { settings: Arc::new(settings) }
    }

    /// The `source` attribute of its events.
    pub fn identity(&self) -> &str {
        &self.settings.mapping.source
    }
}

impl Source for Vsphere {
    type Connection = Reading;
    type Error = Error;

    async fn connect(&mut self, resume: Resume) -> Result<Reading, Error> {
        let session = Session::open(&self.settings).await?;
        match Begun::at(&self.settings, &session, &resume).await {
            Ok(Begun { cursor, place, read, unannounced, is_resumed, categories }) => Ok(Reading {
                expects_known_since: expects_known_since(&self.settings, &place),
                sweep: Sweep::new(self.settings.sweep, is_resumed),
                ledger: Ledger::new(place, read),
                history: resume.history,
                settings: Arc::clone(&self.settings),
                connected: Instant::now(),
                is_set_back: false,
                remembered: Remembered::default(),
                unannounced,
                looks_left: 0,
                looks_with_events: 0,
                empty_looks_since_ring: 0,
                ahead: None,
                session: Arc::new(session),
                cursor,
                categories,
            }),
            Err(error) => {
                session.logout().await;
                Err(error)
            }
        }
    }

    async fn probe(&mut self) -> Result<String, Error> {
        let session = Session::open(&self.settings).await?;
        let found = self.look(&session).await;
        session.logout().await;
        Ok(found?.to_string())
    }
}

impl Connection for Reading {
    type Error = Error;

    async fn next(&mut self) -> Result<Pull, Error> {
        if let Some(begin) = self.unannounced.take() {
            // What happens while a first connection is lost must not fall before a new `begin`.
            return Ok(Pull { checkpoint: Some(begin), ..Pull::default() });
        }
        let ends = Instant::now() + LOOK_MAX;
        loop {
            let page = self.next_page().await?;
            if !page.events.is_empty() {
                self.empty_looks_since_ring = 0;
                self.looks_left = LOOKS_IN_FLOW;
                let created: Vec<_> =
                    page.events.iter().filter_map(|listed| key_and_time(listed).1).collect();
                let is_full = page.events.len() >= self.session.page_events() || page.is_cut;
                let mut records = self.records(page, self.ledger.read()).await?;
                // What lies before where the cursor began is not listed by it.
                if !self.is_set_back {
                    self.ledger.has_listed(&created, is_full);
                }
                if let Some(last) = records.last_mut() {
                    // Those before it do not say that the page was read.
                    last.position = self.ledger.place.position()?;
                }
                self.looks_with_events += 1;
                if self.looks_with_events.is_multiple_of(SWEEP_EVERY) {
                    records.extend(self.sweep_a_page().await?.unwrap_or_default());
                }
                if records.is_empty() && Instant::now() < ends {
                    continue;
                }
                return Ok(pull(records));
            }
            if let Some(left) = self.looks_left.checked_sub(1) {
                self.looks_left = left;
                tokio::time::sleep(LOOK_IN_FLOW_AFTER).await;
                continue;
            }
            if let Some(records) = self.instead_of_an_empty_list().await? {
                return Ok(pull(records));
            }
            if let Some(records) = self.sweep_a_page().await? {
                if records.is_empty() && Instant::now() < ends {
                    continue;
                }
                return Ok(pull(records));
            }
            if self.is_set_back {
                continue;
            }
            if self.empty_looks_since_ring >= EMPTY_LOOKS_MAX {
                self.empty_looks_since_ring = 0;
                // The bell of a listing by keys rings for what the listing does not show.
                if !self.cursor.is_by_key() {
                    let records = self.unseen_by_the_cursor().await?;
                    if !records.is_empty() {
                        return Ok(pull(records));
                    }
                }
                // A bell that rings for nothing must not make a loop of questions.
                tokio::time::sleep(LOOK_AGAIN_AFTER).await;
            }
            let left = ends.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return self.quiet_look().await;
            }
            let is_suspect = self.empty_looks_since_ring > 0;
            let wait = if is_suspect { LOOK_AGAIN_AFTER.min(left) } else { left };
            if self.cursor.wait(&self.session, wait).await? || is_suspect {
                self.empty_looks_since_ring += 1;
            }
        }
    }

    fn clock(&self) -> Option<Timestamp> {
        self.session.clock()
    }

    async fn close(mut self) {
        self.forget_ahead();
        if let Some((_, listing)) = self.sweep.listing.take() {
            self.session.close(listing).await;
        }
        self.cursor.close(&self.session).await;
        self.session.logout().await;
    }
}

fn pull(records: Vec<Record>) -> Pull {
    Pull { records, ..Pull::default() }
}

impl Reading {
    /// The cursor's next page. A full one is seldom the last, so the one after it is fetched and
    /// decoded while this one is being looked at.
    async fn next_page(&mut self) -> Result<Page, Error> {
        if !self.cursor.listing.goes_on() || self.is_set_back {
            if matches!(self.cursor.listing, Listing::Lost) {
                info!(source = %self.history.source(), "keys no longer tell the order of events: \
                    listing by a collector until the next connection");
                self.session.stop_listing_by_key();
            }
            let now = self.ask_the_time().await?;
            self.replace_cursor(now).await?;
        }
        let (page, behind) = match self.ahead.take() {
            Some(ahead) => match ahead.await {
                Ok(read) => read?,
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Err(_) => self.session.read(&self.settings, self.cursor.listing.clone()).await?,
            },
            None => self.session.read(&self.settings, self.cursor.listing.clone()).await?,
        };
        self.cursor.listing = behind;
        if page.events.len() >= self.session.page_events() && self.cursor.listing.goes_on() {
            let (session, listing) = (Arc::clone(&self.session), self.cursor.listing.clone());
            let settings = Arc::clone(&self.settings);
            self.ahead = Some(tokio::spawn(async move { session.read(&settings, listing).await }));
            // A worker keeps the task it spawned last for itself: give way, and it runs here while
            // another worker takes us along.
            tokio::task::yield_now().await;
        }
        Ok(page)
    }

    pub(super) fn forget_ahead(&mut self) {
        if let Some(ahead) = self.ahead.take() {
            ahead.abort();
        }
    }

    /// A minute without news: is the cursor deaf? If not, everything up to now was seen.
    async fn quiet_look(&mut self) -> Result<Pull, Error> {
        let now = self.ask_the_time().await?;
        if self.is_set_back {
            // Nothing is known of the time from there on until it is listed.
            return Ok(Pull { checkpoint: Some(self.ledger.place.position()?), ..Pull::default() });
        }
        let records = self.unseen_by_the_cursor().await?;
        if !records.is_empty() {
            return Ok(pull(records));
        }
        let place = &mut self.ledger.place;
        place.read_up_to(Some(now.min(Timestamp::now())));
        let checkpoint = Some(place.position()?);
        Ok(Pull { checkpoint, seen_up_to: Some(now), ..Pull::default() })
    }

    /// The vCenter's time, by which the place is judged.
    pub(super) async fn ask_the_time(&mut self) -> Result<Timestamp, Error> {
        let now = self.session.current_time().await?;
        self.set_back(now);
        Ok(now)
    }

    /// Takes the place back where the vCenter's clock, which says `now`, is behind it.
    fn set_back(&mut self, now: Timestamp) {
        let since = self.connected.elapsed();
        let (place, source) = (&mut self.ledger.place, self.history.source());
        self.is_set_back |= set_back(&self.settings, place, now, since, source);
    }

    /// Turns a page into records of what is new in it. `read`: how far events were read when its listing began.
    pub(super) async fn records(&mut self, page: Page, read: Read) -> Result<Vec<Record>, Error> {
        let stored = self.stored(&page.events).await?;
        // Behind the look-up, which may find that ids are lost.
        let before = self.remembered_from().await?;
        let overlap = self.settings.overlap;
        self.ledger.set_forgotten(before.map(|before| Forgotten { before, read, overlap }));
        if let Some(now) = self.session.clock() {
            self.set_back(now);
            self.ledger.set_now(self.last(now), self.last(Timestamp::now()));
        }
        let before = self.ledger.place.clone();
        let mut records = Vec::with_capacity(page.events.len());
        let (mut has_known, mut is_ours) = (false, false);
        for listed in &page.events {
            let (key, created) = key_and_time(listed);
            let dated = created.or_else(|| listed.as_ref().err()?.created_time());
            let answer = |id: &str| stored.get(id).copied();
            let redaction = &self.settings.mapping.redaction;
            let raw_id = || raw_id(listed, redaction);
            let verdict = self.ledger.judge(key, created, dated, raw_id, answer);
            is_ours |= verdict != Verdict::Before;
            match verdict {
                Verdict::Known => has_known = true,
                Verdict::Before => {}
                Verdict::New(id) => records.push(self.record(&id, key, listed)?),
            }
        }
        self.ledger.close_pull();
        if page.is_cut && records.is_empty() {
            self.session.ask_for_fewer();
        }
        // What cannot be read says nothing of where the list begins.
        let begins = page.events.iter().find_map(|listed| key_and_time(listed).1);
        let is_told = is_ours && (has_known || begins.is_some());
        if let Some(since) = self.expects_known_since.take_if(|_| is_told)
            && !has_known
        {
            // What begins before it is no history that was cut: the vCenter's clock went back.
            if begins.is_some_and(|begins| begins > since) {
                records.insert(0, self.gap(before, since, begins)?);
            }
        }
        Ok(records)
    }

    /// What the log knows of the events that may be stored already.
    async fn stored(&self, events: &[Listed]) -> Result<HashMap<String, Option<Timestamp>>, Error> {
        let Mapping { source, redaction, .. } = &self.settings.mapping;
        let ids: Vec<EventId> = events
            .iter()
            .flat_map(|listed| {
                let (key, created) = key_and_time(listed);
                self.ledger.questions(key, created, || raw_id(listed, redaction))
            })
            .map(|id| EventId { source: source.clone(), id })
            .collect();
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let found = self.history.find(&ids).await?;
        let known = ids.into_iter().zip(found);
        Ok(known.filter_map(|(id, found)| found.map(|found| (id.id, found.time))).collect())
    }

    fn record(&self, id: &str, key: Option<i64>, listed: &Listed) -> Result<Record, Error> {
        let event = match listed {
            Ok(native) => {
                let category = self.categories.get(native.type_name()).map(String::as_str);
                self.settings.mapping.event(id, native, category)?
            }
            Err(malformed) => self.settings.mapping.malformed(id, malformed)?,
        };
        // Keys have 32 bits; what claims to be a greater one must not use up the offsets.
        let is_key = |key: &i64| self.settings.keys_are_offsets && i32::try_from(*key).is_ok();
        let wished = key.filter(is_key);
        let at_least = wished.and_then(Offset::new);
        let position = self.ledger.place.position()?;
        Ok(Record { event, source: self.history.source().clone(), position, at_least })
    }

    /// The re-list shows none of what we stored in its span: what lay between is lost.
    pub(super) fn gap(
        &self,
        at: Place,
        from: Timestamp,
        to: Option<Timestamp>,
    ) -> Result<Record, Error> {
        let to = to.unwrap_or(from).max(from);
        let reason = "the vCenter's history no longer holds the events captured last";
        warn!(source = %self.history.source(), %from, %to, "events were lost: {reason}");
        let event = self.settings.mapping.gap(from, to, reason)?;
        // No re-list can show what is lost: the next one must not expect it.
        let mut place = at;
        place.last = None;
        let position = place.position()?;
        Ok(Record { event, source: self.history.source().clone(), position, at_least: None })
    }

    /// What was created earlier may be stored without the log's knowing it; `None`: nothing may.
    pub(super) async fn remembered_from(&mut self) -> Result<Option<Timestamp>, Error> {
        let forgotten = self.remembered.from(&self.history).await?;
        // The log's times are ours: a vCenter whose clock is ahead dates later what it holds.
        let ahead = self.session.clock().map(|now| now.duration_since(Timestamp::now()));
        let ahead = ahead.unwrap_or_default().max(SignedDuration::ZERO);
        let later = |until: Timestamp| until.checked_add(self.settings.overlap)?.checked_add(ahead);
        Ok(forgotten.map(|until| later(until).unwrap_or(Timestamp::MAX)))
    }
}

pub(super) fn key_and_time(listed: &Listed) -> (Option<i64>, Option<Timestamp>) {
    match listed {
        Ok(native) => (native.key, native.created_time),
        Err(_) => (None, None),
    }
}

/// The same text listed again is the same record.
fn raw_id(listed: &Listed, redaction: &Redaction) -> String {
    match listed {
        Ok(native) => id_of_text(native.raw()),
        Err(malformed) => id_of_text(&malformed.identity(redaction)),
    }
}
