//! Which rows of a listing are news, and the events that they become.
//!
//! A record's first figure is told by its id, which the log's index knows. All else is told by what was captured
//! of it, which is read from the log where a listing needs it: where a row is not known by its id, or where the
//! record has a second revision. A row with a figure that was never captured is a revision. The list is in the
//! order in which its rows were written, so the last row of a record is what the server says now: where that was
//! captured, and something else after it, the figure came **back**, and is told once more. Rows that may be alike
//! though they are several uses, and those of purged resources, wait for the end of the listing: which of them are
//! news is decided by [`purged`](super::purged).

use std::collections::{BTreeMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use pluvio_clouds::cloudstack::{MalformedRow, UsageRecord};
use pluvio_event::Event;
use pluvio_log::Record;
use pluvio_runtime::Chain;
use tracing::warn;
use uuid::Uuid;

use super::{
    super::{Error, lists::Lists as _, span::at, unread::Unread},
    listing::Listing,
    past::{Captured, Note},
    purged::{self, Verdict},
    records,
    source::{Given, Metering},
};

/// A row that can be read, and names its resource.
struct Whole {
    record_id: Uuid,
    figure: Uuid,
    row: UsageRecord,
}

/// Rows that are judged at the end of a listing, and what is to be captured of them.
#[derive(Default)]
struct Judged {
    /// The next revisions of captured records.
    revisions: Vec<(Uuid, UsageRecord)>,
    /// Records that were never captured, as far as the log tells.
    fresh: Vec<(Uuid, UsageRecord)>,
}

/// The event of a row that cannot be read, by its id.
type Unreadable = (Uuid, MalformedRow, Event);

impl Metering {
    /// What is new of a page, but for records of purged resources and for figures that came back.
    pub(super) async fn records_of(
        &mut self,
        rows: Vec<Result<UsageRecord, MalformedRow>>,
        listing: &mut Listing,
    ) -> Result<Vec<Record>, Error> {
        let (whole, unreadable) = self.sorted(rows, listing)?;
        let second = |it: &Whole| records::event_id(it.record_id, 2, it.figure);
        let ids = whole.iter().flat_map(|it| [it.figure, second(it)]);
        let ids: Vec<Uuid> = ids.chain(unreadable.iter().map(|(id, ..)| *id)).collect();
        let stored = self.stored_of(&ids, listing).await?;
        let mut records = self.unreadable(unreadable, &stored, listing)?;
        // Unless nothing was ever captured, another revision of what is not stored may be.
        let is_doubtful = |it: &Whole| !stored.contains(&it.figure) || stored.contains(&second(it));
        if !self.is_new && whole.iter().any(is_doubtful) {
            self.read_past(listing.from).await?;
        }
        for it in whole {
            let is_stored = stored.contains(&it.figure);
            records.extend(self.whole(it, is_stored, listing)?);
        }
        Ok(records)
    }

    /// Takes a page apart; rows that look like others wait for the end of the listing.
    fn sorted(
        &self,
        rows: Vec<Result<UsageRecord, MalformedRow>>,
        listing: &mut Listing,
    ) -> Result<(Vec<Whole>, Vec<Unreadable>), Error> {
        let mapping = &self.settings.mapping;
        let (mut whole, mut unreadable) = (Vec::new(), Vec::new());
        for row in rows {
            match row {
                Ok(row) if row.start.at < self.place.begin => {}
                Ok(row) if records::is_purged(&row) => listing.purged.push(row),
                Ok(row) => {
                    let record_id = records::record_id(mapping, &row);
                    if row.is_shared() {
                        listing.shared.entry(record_id).or_default().push(row);
                        continue;
                    }
                    let alike = listing.whole.entry(records::group(mapping, &row));
                    alike.or_default().insert(record_id);
                    let figure = records::figure(record_id, &row.amount());
                    whole.push(Whole { record_id, figure, row });
                }
                Err(row) => {
                    listing.unread += 1;
                    let event = mapping.malformed(&Unread::of(&row, &mapping.redaction))?;
                    if let Ok(id) = event.id().parse() {
                        unreadable.push((id, row, event));
                    }
                }
            }
        }
        Ok((whole, unreadable))
    }

    /// What is new of what cannot be read.
    fn unreadable(
        &mut self,
        rows: Vec<Unreadable>,
        stored: &HashSet<Uuid>,
        listing: &mut Listing,
    ) -> Result<Vec<Record>, Error> {
        let mut records = Vec::new();
        for (id, row, event) in rows {
            let is_stored = stored.contains(&id) || self.given.contains_key(&id);
            if !is_stored && listing.is_unsure_of(&row) {
                listing.unsure += 1;
                continue;
            }
            if !is_stored {
                warn!(source = %self.history.source(), malformed = %Chain(&row),
                    "a usage record cannot be read; it is kept as text, without its secrets");
                self.given.insert(id, Given { pull: self.pulls, note: None });
                records.push(self.record(event)?);
            }
            listing.flaw.get_or_insert_with(|| Chain(&row).to_string());
        }
        Ok(records)
    }

    /// The event of a row, if it is news. `is_stored`: the record's first event is, and has this figure.
    fn whole(
        &mut self,
        Whole { record_id, figure, row }: Whole,
        is_stored: bool,
        listing: &mut Listing,
    ) -> Result<Option<Record>, Error> {
        let is_unsure = listing.is_unsure(row.end.at);
        match self.past.of(record_id) {
            None if is_stored => Ok(None),
            None if is_unsure => {
                listing.unsure += 1;
                Ok(None)
            }
            Some(_) if listing.machineless.contains_key(&record_id) => {
                listing.machineless.entry(record_id).or_default().push(row);
                Ok(None)
            }
            Some(captured) if captured.newest() == Some(figure) => {
                listing.back.remove(&record_id);
                Ok(None)
            }
            Some(_) if row.may_lack_machine() => {
                listing.machineless.insert(record_id, vec![row]);
                Ok(None)
            }
            Some(_) if is_stored => {
                listing.back.insert(record_id, row);
                Ok(None)
            }
            _ => self.revision(record_id, figure, row, listing),
        }
    }

    /// The event of a figure that is not the newest captured one of its record. One that was captured before, or may
    /// have been, waits for the end of the listing.
    fn revision(
        &mut self,
        record_id: Uuid,
        figure: Uuid,
        row: UsageRecord,
        listing: &mut Listing,
    ) -> Result<Option<Record>, Error> {
        let captured = self.past.of(record_id);
        let is_unsure = listing.is_unsure(row.end.at);
        if captured.is_some_and(|it| it.has(figure) || (is_unsure && !it.is_complete())) {
            listing.back.insert(record_id, row);
            return Ok(None);
        }
        listing.back.remove(&record_id);
        self.give(record_id, &row)
    }

    /// What is new of volumes' rows, when the listing is at its end. One with the amount of a captured record of a
    /// volume's time at a machine that is not listed any more is that record: the machine was purged.
    pub(super) fn machineless(&mut self, listing: &mut Listing) -> Result<Vec<Record>, Error> {
        let (mut records, mut found) = (Vec::new(), HashSet::new());
        for (record_id, rows) in std::mem::take(&mut listing.machineless) {
            for row in rows {
                let figure = records::figure(record_id, &row.amount());
                if self.past.of(record_id).and_then(Captured::newest) == Some(figure) {
                    listing.back.remove(&record_id);
                    continue;
                }
                let group = records::group(&self.settings.mapping, &row);
                let listed = listing.whole.entry(group).or_default();
                let amount = records::amount_name(&row.amount());
                let is_it = |(id, captured): &(Uuid, &Captured)| {
                    let newest = captured.newest().map(|figure| records::amount_in(*id, figure));
                    newest == Some(amount) && (!listed.contains(id) || found.contains(id))
                };
                // One that has no row yet; a job that ran again leaves a second row of each.
                let of_a_machine = self.past.alike(group).filter(is_it).map(|(id, _)| id);
                if let Some(id) = of_a_machine.min_by_key(|id| found.contains(id)) {
                    listed.insert(id);
                    found.insert(id);
                    continue;
                }
                records.extend(self.revision(record_id, figure, row, listing)?);
            }
        }
        Ok(records)
    }

    /// The figures that came back, when the listing is at its end.
    pub(super) fn back(&mut self, listing: &mut Listing) -> Result<Vec<Record>, Error> {
        let back = std::mem::take(&mut listing.back).into_iter();
        let records = back.map(|(record_id, row)| self.give(record_id, &row));
        records.filter_map(Result::transpose).collect()
    }

    /// What is new of the records that look like others, when the listing is at its end.
    pub(super) async fn alike(&mut self, listing: &mut Listing) -> Result<Vec<Record>, Error> {
        if listing.shared.is_empty() && listing.purged.is_empty() {
            return Ok(Vec::new());
        }
        self.read_past(listing.from).await?;
        let mut judged = Judged::default();
        for (record_id, rows) in std::mem::take(&mut listing.shared) {
            self.shared(record_id, rows, listing, &mut judged);
        }
        self.purged(listing, &mut judged);
        let Judged { revisions, mut fresh } = judged;
        let first =
            |(record_id, row): &(Uuid, UsageRecord)| records::figure(*record_id, &row.amount());
        let ids: Vec<Uuid> = fresh.iter().map(first).collect();
        let stored = self.stored_of(&ids, listing).await?;
        fresh.retain(|it| !stored.contains(&first(it)));
        let all = fresh.len();
        fresh.retain(|(_, row)| !listing.is_unsure(row.end.at));
        listing.unsure += all - fresh.len();
        let news = revisions.into_iter().chain(fresh);
        let records = news.map(|(record_id, row)| self.give(record_id, &row));
        records.filter_map(Result::transpose).collect()
    }

    /// Judges rows of one resource that look the same, which are all that there are.
    fn shared(
        &self,
        record_id: Uuid,
        rows: Vec<UsageRecord>,
        listing: &mut Listing,
        judged: &mut Judged,
    ) {
        let Some(group) = rows.first().map(|row| records::group(&self.settings.mapping, row))
        else {
            return;
        };
        // Those that are captured have the first numbers, but for what the log has forgotten.
        let (mut kin, mut unused) = (Vec::new(), Vec::with_capacity(rows.len()));
        let mut ids = (0..).map(|nth| records::shared_id(record_id, nth));
        while unused.len() < rows.len()
            && let Some(id) = ids.next()
        {
            match self.past.of(id) {
                Some(captured) => kin.push((id, captured)),
                None => unused.push(id),
            }
        }
        let mut unused = unused.into_iter();
        let whole = listing.whole.entry(group).or_default();
        whole.extend(kin.iter().map(|(id, _)| *id));
        let verdicts = purged::judge(&kin, &rows);
        for (row, verdict) in rows.into_iter().zip(verdicts) {
            match verdict {
                Verdict::Known => {}
                Verdict::WrittenAgain => listing.written_again += 1,
                Verdict::Revises(record_id) => judged.revisions.push((record_id, row)),
                Verdict::New => judged.fresh.extend(unused.next().map(|id| (id, row))),
            }
        }
    }

    /// Judges the rows whose resources were purged.
    fn purged(&self, listing: &mut Listing, judged: &mut Judged) {
        let mut alike = BTreeMap::<Uuid, Vec<UsageRecord>>::new();
        for row in std::mem::take(&mut listing.purged) {
            let group = records::group(&self.settings.mapping, &row);
            alike.entry(group).or_default().push(row);
        }
        let nothing = HashSet::new();
        for (group, rows) in alike {
            let listed = listing.whole.get(&group).unwrap_or(&nothing);
            let kin = self.past.alike(group).filter(|(record_id, _)| !listed.contains(record_id));
            let kin: Vec<(Uuid, &Captured)> = kin.collect();
            let verdicts = purged::judge(&kin, &rows);
            let mut nth = 0;
            for (row, verdict) in rows.into_iter().zip(verdicts) {
                match verdict {
                    Verdict::Known => {}
                    Verdict::WrittenAgain => listing.written_again += 1,
                    Verdict::Revises(record_id) => judged.revisions.push((record_id, row)),
                    Verdict::New => {
                        let record_id = self.unused_id(&row, &mut nth);
                        judged.fresh.push((record_id, row));
                    }
                }
            }
        }
    }

    /// The name of a record without a resource that was never captured. `nth`: of those that are alike, names from
    /// there on may be unused.
    fn unused_id(&self, row: &UsageRecord, nth: &mut usize) -> Uuid {
        loop {
            let record_id = records::purged_id(&self.settings.mapping, row, *nth);
            *nth += 1;
            if self.past.of(record_id).is_none() {
                return record_id;
            }
        }
    }

    /// The event of a record's next revision.
    fn give(&mut self, record_id: Uuid, row: &UsageRecord) -> Result<Option<Record>, Error> {
        let revision = self.past.next_revision(record_id);
        let event = records::event(&self.settings.mapping, record_id, revision, row)?;
        let figure = records::figure(record_id, &row.amount());
        let id = records::event_id(record_id, revision, figure);
        let note = Note::of(&event);
        if let Some(note) = note {
            self.past.note(note);
        }
        if self.given.contains_key(&id) {
            return Ok(None);
        }
        self.given.insert(id, Given { pull: self.pulls, note });
        self.record(event).map(Some)
    }

    /// Reads what was captured of windows since `from`.
    async fn read_past(&mut self, from: i64) -> Result<(), Error> {
        if self.past.is_read {
            return Ok(());
        }
        let source = &self.settings.mapping.source;
        // No record is captured before its window is over; by our clock, for the log is written by it.
        let ago = self.session.now().duration_since(at(from)) + SignedDuration::from_hours(1);
        let since = Timestamp::now().checked_sub(ago).unwrap_or(Timestamp::MIN);
        let past = &mut self.past;
        self.history.each_since(since, |stored| past.see(source, stored)).await?;
        // What was given last may not be stored yet.
        self.given.values().filter_map(|given| given.note).for_each(|note| past.note(note));
        past.is_read = true;
        Ok(())
    }
}
