//! Where a connection begins: the place that the log tells, made right for the vCenter that answers.
//!
//! A re-list may only be expected to show what was stored last where the same list is asked for and its events
//! are in this stream. Everywhere else a place says from when on, and nothing else: it refuses to tell a loss
//! there.

use std::{collections::HashMap, time::Duration};

use jiff::{SignedDuration, Timestamp};
use pluvio_log::{Position, SourceName};
use pluvio_runtime::{Resumable as _, Resume, Start};
use tracing::{info, warn};

use super::{
    Error, config::Settings, cursor::Cursor, ledger::Read, place::Place, session::Session,
};

/// Two writings of one time differ by less.
pub(super) const SAME_SECOND: SignedDuration = SignedDuration::from_secs(1);

/// What a connection begins with.
pub(super) struct Begun {
    pub(super) cursor: Cursor,
    pub(super) place: Place,
    /// How far events were read, also under another filter.
    pub(super) read: Read,
    /// The place, unless it is noted as it is.
    pub(super) unannounced: Option<Position>,
    /// Whether events up to the place were captured before, in whatever stream.
    pub(super) is_resumed: bool,
    pub(super) categories: HashMap<String, String>,
}

impl Begun {
    /// Finds the place and opens a cursor there.
    pub(super) async fn at(
        settings: &Settings,
        session: &Session,
        resume: &Resume,
    ) -> Result<Self, Error> {
        let now = session.current_time().await?;
        let start = resume.place::<Place, Error>(&settings.mapping.source, &settings.scope).await?;
        let is_resumed = start.is_resumed();
        let source = resume.history.source();
        let was = match &start {
            Start::Here(place) | Start::Elsewhere(place) => Some(place.time),
            Start::New | Start::Other(_) => None,
        };
        let (mut place, mut read) = place(settings, &session.uuid(), resume, start, now);
        if was.is_some_and(|was| now < was.max(place.begin)) {
            look_for_what_was_stored_last(settings, session, &mut place, now, source).await?;
            read = Read::up_to(&place);
        }
        let position = place.position()?;
        let unannounced = Some(position).filter(|it| resume.position.as_ref() != Some(it));
        let from = reaches_back_to(settings, &place, now);
        info!(%source, %from, epoch = place.epoch, "reading events");
        let categories = session.categories().await;
        let cursor = Cursor::open(session, settings, from).await?;
        Ok(Self { cursor, place, read, unannounced, is_resumed, categories })
    }
}

/// Where a re-list begins. A vCenter whose clock is behind is listed from its own now, and what it shows of what
/// was before the beginning is left out by its keys.
pub(super) fn reaches_back_to(settings: &Settings, place: &Place, now: Timestamp) -> Timestamp {
    let (from, begin) = (place.time.min(now), place.begin);
    if from < begin { before(from, settings) } else { before(from, settings).max(begin) }
}

/// A vCenter whose clock went back may have been taken back as a whole, to a snapshot with its memory: then it does
/// not show the event that was stored last. What happens there from the `place` on is new, whatever keys it has and
/// even if it is dated before the beginning, and nothing that was stored must be shown again.
async fn look_for_what_was_stored_last(
    settings: &Settings,
    session: &Session,
    place: &mut Place,
    now: Timestamp,
    source: &SourceName,
) -> Result<(), Error> {
    let Some(last) = place.last else { return Ok(()) };
    let from = last.checked_sub(SAME_SECOND).unwrap_or(last);
    let to = last.checked_add(SAME_SECOND).unwrap_or(last);
    if !session.shows_any(settings, from, to).await? {
        warn!(%source, %last, "the vCenter was taken back, its clock and its history: its events have other ids now");
        place.open_epoch();
        place.last = None;
        // Even by less than events come late.
        place.set_back(place.time.min(before(now, settings)), now);
    }
    Ok(())
}

/// Takes the place back where the vCenter's clock is behind how far events were read: what happens next has
/// earlier times. Either was that clock ahead, or it is behind now, which ours tells.
///
/// `since`: how long ago this connection was made. A beginning that was taken from a clock that was ahead becomes
/// now, less that and `begin`. Returns whether another listing is to be begun.
pub(super) fn set_back(
    settings: &Settings,
    place: &mut Place,
    now: Timestamp,
    since: Duration,
    source: &SourceName,
) -> bool {
    let (was, latest) = (place.time, latest(settings, now));
    if place.begin > latest {
        let begin = now.checked_sub(settings.begin.saturating_add(since));
        let begin = begin.unwrap_or(Timestamp::UNIX_EPOCH);
        warn!(%source, was = %place.begin, is = %begin,
            "the first start took its beginning from a clock that was ahead: it begins anew");
        place.begin_at(begin);
        return true;
    }
    if before(was, settings) <= now {
        return false;
    }
    // It may have been behind for as long as has passed by our clock.
    let passed = Timestamp::now().duration_since(was).max(SignedDuration::ZERO);
    let from = now.checked_sub(passed).unwrap_or(Timestamp::MIN);
    place.set_back(from, latest);
    let why = if was > latest { "had been ahead" } else { "is behind" };
    warn!(%source, %was, %now, %from, "the vCenter's clock {why}: events are read from there by its own time");
    true
}

/// The latest time at which an event may have happened when a vCenter's clock says `now`.
fn latest(settings: &Settings, now: Timestamp) -> Timestamp {
    let latest = now.max(Timestamp::now());
    latest.checked_add(settings.overlap).unwrap_or(latest)
}

/// So long before `time` as an event may become visible late.
fn before(time: Timestamp, settings: &Settings) -> Timestamp {
    time.checked_sub(settings.overlap).unwrap_or(Timestamp::MIN)
}

fn place(
    settings: &Settings,
    uuid: &str,
    resume: &Resume,
    start: Start<Place>,
    now: Timestamp,
) -> (Place, Read) {
    let source = resume.history.source();
    let begin = now.checked_sub(settings.begin).unwrap_or(Timestamp::UNIX_EPOCH);
    let first =
        |begin| Place::first(&settings.mapping.source, &settings.scope, uuid.to_owned(), begin);
    let mut place = match start {
        Start::New => {
            let place = first(begin);
            let read = Read::up_to(&place);
            return (place, read);
        }
        Start::Other(other) => {
            let mut place = first(begin.min(before(other.time, settings)));
            // Whatever was asked for, and of whichever vCenter: an id is given once under one attribute. Of the
            // same vCenter under another attribute the keys are looked up, too, in whatever life they are.
            let all = resume.places_of::<Place>(&settings.mapping.source);
            let same = Some(&other).filter(|other| other.uuid == uuid && !uuid.is_empty());
            all.chain(same.cloned()).for_each(|read| place.read_before_as(&read));
            let read = Read::up_to(&place);
            let is_same = same.is_some() && other.is_of(&settings.mapping.source);
            return (place, if is_same { read.with_time_of(&other) } else { read });
        }
        Start::Elsewhere(mut place) => {
            place.leave_behind(before(place.time.min(latest(settings, now)), settings));
            place
        }
        Start::Here(place) => place,
    };
    set_back(settings, &mut place, now, Duration::ZERO, source);
    let read = Read::up_to(&place);
    if place.ask_for(&settings.scope) {
        info!(%source, "`event_types`, `users` or `entity` changed: what was captured last may not be listed \
            any more");
    }
    if place.uuid.is_empty() {
        uuid.clone_into(&mut place.uuid);
    }
    if place.uuid != uuid && !uuid.is_empty() {
        warn!(%source, was = place.uuid, is = uuid,
            "this is another vCenter than the one read before: its keys begin anew");
        uuid.clone_into(&mut place.uuid);
        place.open_epoch();
        let read = Read::up_to(&place);
        return (place, read);
    }
    (place, read)
}

/// The earliest time from which a place's last event must be shown again; `None` where none must.
pub(super) fn expects_known_since(settings: &Settings, place: &Place) -> Option<Timestamp> {
    let reaches_back = reaches_back_to(settings, place, Timestamp::MAX);
    place.last.filter(|last| *last >= reaches_back)
}
