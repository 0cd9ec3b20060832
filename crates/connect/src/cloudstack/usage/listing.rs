//! Listing records: when, from where, and which of them are new.
//!
//! Records have no cheap count: `count` is that of the page. But a list of N rows has an N-th and
//! no N+1-th, so two questions of one row each tell whether a listing would show anything new.
//! It knows no order: positions say only up to when everything was listed.

use pluvio_clouds::cloudstack::{FaultKind, Page, Paging, Query, UsageQuery, UsageRecord};
use pluvio_log::Record;
use tracing::warn;
use uuid::Uuid;

use super::{
    super::{Error, lists::Lists as _, span::at},
    config::RecordRules,
    records,
    source::{DAY_S, Metering, day_of},
};

/// A listing under way.
#[derive(Debug)]
pub(super) struct Listing {
    from: i64,
    to: i64,
    page: u32,
    /// Rows of the pages before.
    rows: u32,
}

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
        self.listing = Some(Listing { from, to: now, page: 1, rows: 0 });
        Ok(())
    }

    /// Lists one page of records.
    pub(super) async fn list(&mut self, listing: Listing) -> Result<Vec<Record>, Error> {
        let Listing { from, to, page, rows } = listing;
        let page_rows = self.session.page_rows();
        // Should it fail, the whole listing is planned again.
        let answer = self.records_page(from, to, page, page_rows).await?;
        let listed = rows + u32::try_from(answer.rows.len()).unwrap_or(u32::MAX);
        let mut read = Vec::new();
        for row in &answer.rows {
            match row {
                Ok(row) if row.start.at < self.place.begin => {}
                Ok(row) => read.push((records::id(&self.settings.mapping, row), row)),
                Err(malformed) => {
                    warn!(source = %self.history.source(), %malformed, "a usage record was left out");
                }
            }
        }
        let ids: Vec<Uuid> = read.iter().map(|(id, _)| *id).collect();
        let stored = self.stored(&ids).await?;
        let mut records = Vec::new();
        for (id, row) in read {
            if !stored.contains(&id) && self.given.insert(id, self.pulls).is_none() {
                records.push(self.record(records::event(&self.settings.mapping, id, row)?)?);
            }
        }
        if answer.rows.len() >= page_rows as usize {
            self.listing = Some(Listing { page: page + 1, rows: listed, ..listing });
            return Ok(records);
        }
        self.listed = Some((from, listed));
        self.place.records = self.place.records.max(at(to));
        let interval_s = self.settings.records.map_or(DAY_S, |rules| rules.interval_s);
        self.records_due = to + interval_s;
        Ok(records)
    }

    async fn records_page(
        &self,
        from: i64,
        to: i64,
        page: u32,
        page_rows: u32,
    ) -> Result<Page<UsageRecord>, Error> {
        let query = UsageQuery {
            dates: self.session.dates(),
            scope: self.session.scope(false),
            ..UsageQuery::between(at(from), at(to))
        };
        let answer = self.client.list_usage_records(&query, Paging { page, page_rows }).await;
        let answer = answer.map_err(|error| match error.kind() {
            // What was allowed before is not the role's fault.
            Some(FaultKind::Unauthorized | FaultKind::UnknownCommand) if self.listed.is_none() => {
                Error::Role { command: UsageQuery::COMMAND, source: Box::new(error) }
            }
            _ => self.session.error(error),
        })?;
        self.meter.call(answer.rows.len());
        Ok(answer)
    }
}
