//! What is asked of a CloudStack that answers: its abilities once, then pages of events.
//!
//! Abilities are found out, not looked up by version: distributions carry features back. A date with
//! an offset that is refused, or that the server cuts to its day, means wall clocks; a page that is refused
//! means a smaller one; whether archived events can be listed, `listApis` tells.

use std::time::Duration;

use jiff::{Timestamp, tz::Offset};
use pluvio_clouds::cloudstack::{
    self as client, Client, DateFormat, EventQuery, FaultKind, Page, Paging, Query, Scope,
};
use tracing::debug;

use super::{
    Error,
    access::{Access, Opened, log_out},
    clock::{ServerClock, UNTOLD_S},
    early::Early,
    ledger::{RowIds, created, id_of},
    lists::{Answer, Expected, List, Lists},
    map::Mapping,
    order::Row,
    people::People,
    redact::Redaction,
    span::{Span, at},
    unread::Unread,
};

/// Attempts to find out how the server wants to be asked: each changes one thing.
const NEGOTIATIONS_MAX: usize = 4;
/// An hour: what a wall clock may be wrong by when summer time begins or ends.
const DST_S: i64 = 3600;
/// What a wall clock may be wrong by as long as the server's zone is not known.
const ZONE_S: i64 = 15 * 3600;
/// How far back events are looked for that prove how dates are read, one span after the other: over much
/// time some servers fail.
const PROOF_S: [i64; 3] = [3600, 86_400, 30 * 86_400];
/// How far back an event is looked for that tells the server's zone.
const ZONE_BEFORE_S: i64 = 90 * 86_400;
/// By how much the clocks of a cloud's servers, which keep time, may differ.
const CLOCKS_S: i64 = 10;

/// A CloudStack that answers.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) client: Client,
    pub(super) version: Option<String>,
    access: Access,
    people: People,
    redaction: Redaction,
    clock: ServerClock,
    early: Early,
    dates: DateFormat,
    knows_archived: bool,
    slack_s: i64,
    /// When the newest event was created that was shown.
    newest: Option<Timestamp>,
}

impl Session {
    /// What a refusal of one command means, where others are allowed.
    pub(super) fn refused(&self, command: &'static str, error: client::Error) -> Error {
        let is_of_role =
            matches!(error.kind(), Some(FaultKind::Unauthorized | FaultKind::UnknownCommand));
        match self.error(error) {
            Error::Call(source) if is_of_role => Error::Role { command, source: Box::new(source) },
            error => error,
        }
    }

    /// Opens it for whoever needs no events: how they can be listed is found out only where the role allows
    /// it, and `false` where it does not.
    pub(super) async fn open_for_usage(access: &Access) -> Result<(Self, bool), Error> {
        let mut session = Self::enter(access, &People::default(), &Redaction::default()).await?;
        match session.negotiate().await {
            Ok(()) => Ok((session, true)),
            Err(Error::Role { .. }) => Ok((session, false)),
            Err(error) => {
                log_out(&session.client).await;
                Err(error)
            }
        }
    }

    /// Opens it, and finds out how its events can be listed.
    pub(super) async fn open(access: &Access, mapping: &Mapping) -> Result<Self, Error> {
        let mut session = Self::enter(access, &mapping.people, &mapping.redaction).await?;
        match session.negotiate().await {
            Ok(()) => Ok(session),
            Err(error) => {
                log_out(&session.client).await;
                Err(error)
            }
        }
    }

    async fn enter(access: &Access, people: &People, redaction: &Redaction) -> Result<Self, Error> {
        let Opened { client, capabilities } = access.open().await?;
        people.session_begins();
        Ok(Self {
            version: capabilities.version,
            access: access.clone(),
            people: people.clone(),
            redaction: redaction.clone(),
            clock: ServerClock::new(),
            early: Early::default(),
            dates: DateFormat::Iso,
            knows_archived: false,
            slack_s: 0,
            newest: None,
            client,
        })
    }

    /// The format in which the server reads dates.
    pub(super) fn dates(&self) -> DateFormat {
        self.dates
    }

    /// Where a first look begins that is to show what happens from `before` now on. Where the server does
    /// not tell its clock, ours may be ahead of it, and what it dates next would lie before our now; but
    /// what happens next is not older than the newest event there is.
    pub(super) fn begin(&self, before: Duration) -> Timestamp {
        let now = self.clock.now();
        let now = match (self.clock.told(), self.newest) {
            (Some(now), _) => now,
            (None, Some(newest)) => newest.min(now),
            (None, None) => at(now.as_second() - UNTOLD_S),
        };
        now.checked_sub(before).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// What there is already that was created before `begin`, as far back as clocks are wrong and as a page
    /// reaches: only what is listed before anything of ours happened is surely history. What cannot be listed now
    /// may be taken for ours later.
    pub(super) async fn before(&mut self, begin: Timestamp) -> RowIds {
        let to = begin.as_second() - 1;
        let span = Span { from: to - UNTOLD_S, to }.widened(self.slack_s);
        let mut ids = RowIds::default();
        for (projects, archived) in [(false, false), (true, false), (false, true), (true, true)] {
            if archived && !self.knows_archived {
                continue;
            }
            let paging = Paging { page: 1, page_rows: self.access.page_rows() };
            match self.page(List { projects, archived }, span, paging).await {
                Ok(Answer { rows, .. }) => {
                    let rows = rows.iter().filter(|row| created(row).is_some_and(|it| it < begin));
                    ids.extend(rows.map(id_of));
                }
                Err(error) => debug!(%error, "what was there before is not known"),
            }
        }
        ids
    }

    /// Everything in scope, in one of the two lists that together hold it.
    pub(super) fn scope(&self, projects: bool) -> Scope {
        self.access.scope(projects)
    }

    /// A refusal in the middle of a session is most likely its end.
    pub(super) fn error(&self, error: client::Error) -> Error {
        match error.kind() {
            Some(FaultKind::Unauthorized) if self.access.has_session() => {
                Error::SessionEnded(Box::new(error))
            }
            _ => error.into(),
        }
    }

    async fn negotiate(&mut self) -> Result<(), Error> {
        let apis = self.client.list_apis(Some("listEvents")).await;
        self.knows_archived = match apis {
            Ok(apis) => apis.knows("listEvents", "archived"),
            Err(error) => {
                debug!(%error, "the cloud does not tell what listEvents can do");
                self.version.as_deref().is_some_and(|version| release(version) >= (4, 19))
            }
        };
        for attempt in 1.. {
            let now = self.clock.now().as_second();
            let span = Span { from: now - 1, to: now };
            let paging = Paging { page: 1, page_rows: self.access.page_rows() };
            let list = List { projects: false, archived: false };
            let Err(error) = self.page(list, span, paging).await else { break };
            match error {
                _ if attempt >= NEGOTIATIONS_MAX => return Err(error),
                Error::Call(call) => self.adapt(call)?,
                // The session was opened a moment ago.
                Error::SessionEnded(source) => {
                    return Err(Error::Role { command: EventQuery::COMMAND, source });
                }
                error => return Err(error),
            }
        }
        if self.slack_s == 0 {
            self.prove_dates().await?;
        }
        // Refused, or in doubt.
        if self.slack_s == ZONE_S {
            self.find_zone().await?;
        }
        Ok(())
    }

    /// Finds out whether dates with an offset are read as what they are: their form is proven by what they
    /// bring, for servers that cut them to their day refuse nothing.
    async fn prove_dates(&mut self) -> Result<(), Error> {
        let one = Paging { page: 1, page_rows: 1 };
        let now = self.clock.now().as_second();
        for reach_s in PROOF_S {
            for projects in [false, true] {
                let list = List { projects, archived: false };
                let span = Span { from: now - reach_s, to: self.latest().as_second() };
                let rows = match self.page(list, span, one).await {
                    Ok(Answer { rows, .. }) => rows,
                    Err(Error::Call(error)) if !error.is_denied() => {
                        debug!(%error, "the cloud does not tell how it reads dates");
                        return self.doubt_dates();
                    }
                    Err(error) => return Err(error),
                };
                let Some(event) = rows.into_iter().flatten().next() else { continue };
                let created = event.created;
                let is_cut = !span.holds(created.at) || {
                    // Beside the event, on its day in the server's zone.
                    let second = created.at.as_second();
                    let of_day = (second + i64::from(created.offset.seconds())).rem_euclid(86_400);
                    let from = if of_day >= 2 { second - 2 } else { second + 1 };
                    let beside = Span { from, to: from + 1 };
                    self.dates = DateFormat::IsoAt(created.offset);
                    let rows = self.page(list, beside, one).await;
                    self.dates = DateFormat::Iso;
                    rows?.rows.iter().flatten().any(|event| !beside.holds(event.created.at))
                };
                if is_cut {
                    debug!("the cloud cuts dates to days: asking by its wall clock");
                    self.dates = DateFormat::WallClock(created.offset);
                    self.slack_s = DST_S;
                }
                return Ok(());
            }
        }
        self.doubt_dates()
    }

    /// Nothing proves how dates are read. Every release reads wall clocks; those that read offsets as well
    /// are asked so, for nothing has to be known of their zone.
    fn doubt_dates(&mut self) -> Result<(), Error> {
        if self.version.as_deref().is_none_or(|version| release(version) < (4, 20)) {
            (self.dates, self.slack_s) = (DateFormat::WallClock(Offset::UTC), ZONE_S);
        }
        Ok(())
    }

    /// Asks otherwise from now on, if the refusal says how.
    pub(super) fn adapt(&mut self, error: client::Error) -> Result<(), Error> {
        match error.kind() {
            Some(FaultKind::DateNotUnderstood) if self.dates == DateFormat::Iso => {
                (self.dates, self.slack_s) = (DateFormat::WallClock(Offset::UTC), ZONE_S);
                Ok(())
            }
            Some(FaultKind::PageTooLarge { rows_max }) => {
                self.access.lower_page_rows(rows_max);
                Ok(())
            }
            // The keys were accepted a moment ago.
            Some(FaultKind::Unauthorized | FaultKind::UnknownCommand) => {
                Err(Error::Role { command: EventQuery::COMMAND, source: Box::new(error) })
            }
            _ => {
                let error = Error::from(error);
                if error.is_race() { Ok(()) } else { Err(error) }
            }
        }
    }

    /// The newest event tells the server's zone; without any there is nothing to miss either.
    async fn find_zone(&mut self) -> Result<(), Error> {
        let now = self.clock.now().as_second();
        let to = self.latest().as_second();
        let span = Span { from: now - ZONE_BEFORE_S, to }.widened(ZONE_S);
        for projects in [false, true] {
            let list = List { projects, archived: false };
            self.page(list, span, Paging { page: 1, page_rows: 1 }).await?;
        }
        Ok(())
    }

    fn query(&self, list: List, span: Span) -> EventQuery {
        EventQuery {
            scope: self.access.scope(list.projects),
            start: Some(span.start()),
            end: Some(span.end()),
            dates: self.dates,
            archived: list.archived.then_some(true),
            ..EventQuery::default()
        }
    }

    /// A time that is over by the server's clock, and by those of its database and other servers.
    fn over(&self) -> Timestamp {
        let ahead_s = if self.clock.told().is_some() { CLOCKS_S } else { UNTOLD_S };
        at(self.clock.now().as_second() - ahead_s)
    }

    fn learn_zone(&mut self, rows: &[Row]) {
        let newest = rows.iter().flatten().max_by_key(|event| event.created.at);
        if let Some(event) = newest.filter(|_| self.slack_s == ZONE_S) {
            // Kept as it is until the next connection, so that spans stay next to each other.
            self.dates = DateFormat::WallClock(event.created.offset);
            self.slack_s = DST_S;
        }
    }
}

/// The first two numbers of a version.
fn release(version: &str) -> (u32, u32) {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

impl Lists for Session {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn clock(&self) -> Option<Timestamp> {
        self.clock.told()
    }

    fn latest(&self) -> Timestamp {
        match self.clock.told() {
            Some(now) => now,
            None => at(self.clock.now().as_second() + UNTOLD_S),
        }
    }

    fn knows_archived(&self) -> bool {
        self.knows_archived
    }

    fn page_rows(&self) -> u32 {
        self.access.page_rows()
    }

    fn slack_s(&self) -> i64 {
        self.slack_s
    }

    fn expect(&mut self, pages: &[Expected]) {
        let pages = pages.iter().map(|page| (self.query(page.list, page.span), page.paging));
        let pages = pages.collect();
        self.early.expect(&self.client, pages);
    }

    async fn page(&mut self, list: List, span: Span, paging: Paging) -> Result<Answer, Error> {
        let query = self.query(list, span);
        let page = self.early.page(&self.client, query, paging).await;
        let Page { count, rows, server } = page.map_err(|error| self.error(error))?;
        let unread = |malformed| Box::new(Unread::of(&malformed, &self.redaction));
        let rows: Vec<Row> =
            rows.into_iter().map(|row| row.map(Box::new).map_err(unread)).collect();
        if let Some(server) = server {
            self.clock.set(server.at);
        }
        let newest = rows.iter().flatten().map(|event| event.created.at).max();
        if let Some(newest) = newest {
            self.clock.saw(newest);
            self.newest = self.newest.max(Some(newest));
        }
        self.learn_zone(&rows);
        let (scope, events) = (self.access.scope(false), rows.iter().flatten().map(|row| &**row));
        let page_rows = self.access.page_rows();
        self.people.look_up(&self.client, &scope, page_rows, self.over(), events).await;
        let count = count.unwrap_or(rows.len() as u64);
        Ok(Answer { count, rows })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        assert_eq!(["4.9.3.1", "4.22.0.0-SNAPSHOT", "5.0"].map(release), [(4, 9), (4, 22), (5, 0)]);
        assert_eq!(release("x"), (0, 0));
    }
}
