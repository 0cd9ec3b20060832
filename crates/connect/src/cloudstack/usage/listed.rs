//! Listing records: when, from where, and which of them are new.
//!
//! Records have no cheap count: `count` is that of the page. But a list of N rows has an N-th and
//! no N+1-th, so two questions of one row each tell whether a listing would show anything new.
//! It knows no order: positions say only up to when everything was listed.

use std::collections::HashSet;

use jiff::Timestamp;
use pluvio_clouds::cloudstack::{
    FaultKind, MalformedRow, Page, Paging, Query, UsageQuery, UsageRecord,
};
use pluvio_log::Record;
use tracing::warn;
use uuid::Uuid;

use super::{
    super::{Error, lists::Lists as _, span::at},
    config::RecordRules,
    day::{DAY_S, day_of},
    listing::Listing,
    past::Past,
    source::Metering,
};

/// No list has so many pages.
const FAR_PAGE: u32 = 1_000_000;
/// Our idea of the cloud's clock is not expected to be further from it.
const CLOCKS_DIFFER_S: i64 = 3600;

impl Metering {
    /// Decides whether records must be listed.
    pub(super) async fn plan(&mut self, rules: RecordRules, now: i64) -> Result<(), Error> {
        let reaches_back = self.place.records.as_second().min(now) - rules.overlap_s;
        let from = day_of(reaches_back).max(self.place.begin.as_second());
        if let Some((_, rows)) = self.listed.filter(|(listed_from, _)| *listed_from == from) {
            let last = rows == 0 || self.records_page(from, now, rows, 1).await?.rows.len() == 1;
            let has_more = !self.records_page(from, now, rows + 1, 1).await?.rows.is_empty();
            if last && !has_more {
                self.records_due = now + rules.interval_s;
                return Ok(());
            }
        }
        self.past = Past::default();
        self.listing = Some(Listing::new(from, now, self.unsure_before(now).await?));
        Ok(())
    }

    /// Of windows that ended before, what the log does not find it may have forgotten.
    async fn unsure_before(&self, now: i64) -> Result<i64, Error> {
        // No record is captured before its window is over. The log's times are by our clock.
        let forgotten = self.history.remembers_from().await?.map_or(i64::MIN, |until| {
            now - Timestamp::now().duration_since(until).as_secs() + CLOCKS_DIFFER_S
        });
        Ok(forgotten.min(self.place.records.as_second()))
    }

    /// Which ids of a listing are stored. Behind it the listing tells what the log had forgotten by then: another
    /// source may have met a damaged index since it was planned.
    pub(super) async fn stored_of(
        &self,
        ids: &[Uuid],
        listing: &mut Listing,
    ) -> Result<HashSet<Uuid>, Error> {
        let stored = self.stored(ids).await?;
        let unsure_before = self.unsure_before(self.session.now().as_second()).await?;
        listing.unsure_before = listing.unsure_before.max(unsure_before);
        Ok(stored)
    }

    /// Lists one page of records.
    pub(super) async fn list(&mut self, mut listing: Listing) -> Result<Vec<Record>, Error> {
        let page_rows = self.session.page_rows();
        // Should it fail, the whole listing is planned again.
        let answer = self.records_page(listing.from, listing.to, listing.page, page_rows).await?;
        let content = content_of(&answer.rows);
        let is_repeated = listing.before.replace(content) == Some(content);
        let mut rows = answer.rows;
        // Rows may be alike on many pages, for those of purged resources name nothing. But a server that shows
        // one page whichever is asked for would go on for ever.
        if is_repeated && !rows.is_empty() {
            let far = self.records_page(listing.from, listing.to, FAR_PAGE, page_rows).await?;
            listing.ignores_pages = !far.rows.is_empty();
        }
        if listing.ignores_pages {
            rows = Vec::new();
        }
        let count = rows.len();
        listing.rows += u32::try_from(count).unwrap_or(u32::MAX);
        listing.page += 1;
        let mut records = self.records_of(rows, &mut listing).await?;
        // A page may be short of rows that the server hides (4.13), so only an empty one is the end.
        if count > 0 {
            self.listing = Some(listing);
            return Ok(records);
        }
        records.extend(self.machineless(&mut listing)?);
        records.extend(self.back(&mut listing)?);
        records.extend(self.alike(&mut listing).await?);
        self.past = Past::default();
        self.listed = Some((listing.from, listing.rows));
        (self.is_new, self.is_listed) = (false, true);
        self.place.records = self.place.records.max(at(listing.to));
        let interval_s = self.settings.records.map_or(DAY_S, |rules| rules.interval_s);
        self.records_due = listing.to + interval_s;
        self.tell_flaws(&mut listing);
        Ok(records)
    }

    /// Tells what of a listing could not be read, or be told apart.
    fn tell_flaws(&mut self, listing: &mut Listing) {
        self.flaw = listing.flaw.take().map(|flaw| {
            let (unread, kept) = (listing.unread, "kept as `org.apache.cloudstack.malformed`");
            format!("some records cannot be read: {unread} of {} are {kept}: {flaw}", listing.rows)
        });
        let unsure = (listing.unsure > 0).then(|| {
            format!(
                "{} records of windows that ended before {} are left aside: the log does not know any more \
                 whether it had them; retention must be longer than `records_overlap`",
                listing.unsure,
                at(listing.unsure_before)
            )
        });
        let again = (listing.written_again > 0).then(|| {
            format!(
                "{} records have the amounts of captured ones that look the same, and are taken for these, \
                 written again",
                listing.written_again
            )
        });
        let pages = listing.ignores_pages.then(|| {
            "the cloud shows the same page of usage records whichever is asked for, so those behind it are not \
             captured: a larger `page_size` may show them"
                .to_owned()
        });
        for flaw in [pages, unsure, again].into_iter().flatten() {
            warn!(source = %self.history.source(), "{flaw}");
            self.flaw.get_or_insert(flaw);
        }
    }

    async fn records_page(
        &mut self,
        from: i64,
        to: i64,
        page: u32,
        page_rows: u32,
    ) -> Result<Page<UsageRecord>, Error> {
        let answer =
            loop {
                let query = UsageQuery {
                    dates: self.session.dates(),
                    scope: self.session.scope(false),
                    is_recursive: self.asks_below,
                    ..UsageQuery::between(at(from), at(to))
                };
                let page = Paging { page, page_rows: page_rows.min(self.session.page_rows()) };
                let error = match self.client.list_usage_records(&query, page).await {
                    Ok(answer) => break answer,
                    Err(error) => error,
                };
                match error.kind() {
                    // Ordinary users may not ask about domains.
                    Some(
                        FaultKind::Unauthorized | FaultKind::Parameter | FaultKind::AccountDenied,
                    ) if self.asks_below => self.asks_below = false,
                    Some(FaultKind::DateNotUnderstood | FaultKind::PageTooLarge { .. })
                        if page.page == 1 =>
                    {
                        self.session.adapt(error)?;
                    }
                    // What was allowed before is not the role's fault.
                    Some(FaultKind::Unauthorized | FaultKind::UnknownCommand)
                        if self.listed.is_none() =>
                    {
                        return Err(Error::Role {
                            command: UsageQuery::COMMAND,
                            source: Box::new(error),
                        });
                    }
                    _ => return Err(self.session.error(error)),
                }
            };
        self.meter.call(answer.rows.len());
        Ok(answer)
    }
}

/// The same for the same rows in the same order.
fn content_of(rows: &[Result<UsageRecord, MalformedRow>]) -> Uuid {
    let texts = rows.iter().map(|row| match row {
        Ok(row) => row.raw().get(),
        Err(malformed) => malformed.raw().get(),
    });
    Uuid::new_v5(&Uuid::NAMESPACE_OID, texts.collect::<Vec<_>>().join("\n").as_bytes())
}
