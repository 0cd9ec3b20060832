//! One tick: how many events happened since the last one, and what there is now.
//!
//! All that is needed is asked for before a tick is taken, so that a question that fails leaves the
//! tick to be taken again.

use std::collections::HashSet;

use pluvio_clouds::cloudstack::{
    MalformedRow, Paging, Query, Row, VirtualMachine, VirtualMachineQuery, Volume, VolumeQuery,
};
use pluvio_event::{Data, Event, Json};
use pluvio_log::Record;
use tracing::warn;
use uuid::Uuid;

use super::{
    super::{
        Error,
        lists::{List, Lists as _},
        map::{FLAW, bounded, built},
        session::Session,
        span::{Span, at},
    },
    source::Metering,
    totals::add_up,
};

const TYPE: &str = "org.apache.cloudstack.usage";
const MISSED: &str = "no usage ticks were taken";

/// What there is.
struct Inventory {
    machines: Vec<VirtualMachine>,
    volumes: Vec<Volume>,
    /// Rows that cannot be read, and so are not counted.
    unread: usize,
}

impl Metering {
    /// Takes the tick that was due at `due`.
    pub(super) async fn tick(&mut self, due: i64) -> Result<Vec<Record>, Error> {
        let interval_s = self.settings.interval_s;
        let (flow_id, totals_id) = (self.tick_id(due, "flow"), self.tick_id(due, "totals"));
        let stored = self.stored(&[flow_id, totals_id]).await?;
        let mut flow = None;
        if !stored.contains(&flow_id) {
            flow = Some(self.events_between(due - interval_s, due - 1).await?);
        }
        let mut inventory = None;
        if !stored.contains(&totals_id) {
            inventory = Some(self.inventory().await?);
        }
        let mut records = Vec::new();
        if self.place.tick.as_second() < due - interval_s {
            let (from, to) = (self.place.tick, at(due));
            warn!(source = %self.history.source(), %from, %to, "{MISSED}");
            let gap = self.settings.mapping.gap(from, to, MISSED)?;
            self.place.tick = at(due - interval_s);
            records.push(self.record(gap)?);
        }
        if let Some(count) = flow {
            let flow = self.tick_event(flow_id, due, format!("{{\"events_flow\":{count}}}"), "")?;
            records.push(self.record(flow)?);
        }
        if let Some(Inventory { machines, volumes, unread }) = inventory {
            let totals = add_up(&machines, &volumes, &self.place.seen);
            let mut flaw = totals.flaw.unwrap_or_default();
            if unread > 0 {
                flaw = format!("{unread} rows cannot be read and are not counted; {flaw}");
            }
            self.place.see(totals.gone, totals.there.into_iter());
            self.place.tick = at(due);
            let totals = self.tick_event(totals_id, due, totals.json, &flaw)?;
            records.push(self.record(totals)?);
        }
        self.place.tick = at(due);
        Ok(records)
    }

    fn tick_id(&self, due: i64, kind: &str) -> Uuid {
        let name = format!("{} usage {} {kind}", self.settings.mapping.source, at(due));
        Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes())
    }

    fn tick_event(&self, id: Uuid, due: i64, json: String, flaw: &str) -> Result<Event, Error> {
        let id = id.to_string();
        let mut event = self.settings.mapping.start(&id, TYPE).time(at(due));
        if !flaw.is_empty() {
            event = event.extension(FLAW, bounded(flaw));
        }
        Ok(built(&id, event.data(Data::Json(Json::as_written(json))))?)
    }

    /// Each event once, whether or not the server lists all with those of projects.
    async fn events_between(&mut self, from: i64, to: i64) -> Result<u64, Error> {
        let span = Span { from, to };
        let archived: &[bool] =
            if self.session.knows_archived() { &[false, true] } else { &[false] };
        let mut sum = 0;
        for archived in archived {
            let mut counts = [0; 2];
            for (projects, count) in [false, true].into_iter().zip(&mut counts) {
                let list = List { projects, archived: *archived };
                let answer =
                    self.session.page(list, span, Paging { page: 1, page_rows: 1 }).await?;
                self.meter.call(answer.rows.len());
                *count = if answer.rows.is_empty() { 0 } else { answer.count };
            }
            let [others, projects] = counts;
            let holds_all = others > 0
                && projects >= others
                && self.lists_others_with_projects(span, *archived).await?;
            sum += if holds_all { projects } else { others + projects };
        }
        Ok(sum)
    }

    async fn lists_others_with_projects(
        &mut self,
        span: Span,
        archived: bool,
    ) -> Result<bool, Error> {
        let page_rows = self.session.page_rows();
        for page in 1.. {
            let list = List { projects: true, archived };
            let answer = self.session.page(list, span, Paging { page, page_rows }).await?;
            self.meter.call(answer.rows.len());
            if answer.rows.iter().flatten().any(|event| event.project_id.is_none()) {
                return Ok(true);
            }
            if answer.rows.len() < page_rows as usize {
                break;
            }
        }
        Ok(false)
    }

    async fn inventory(&self) -> Result<Inventory, Error> {
        let machines = self.all(|session, projects| VirtualMachineQuery {
            scope: session.scope(projects),
            details: vec!["servoff".to_owned()],
            ..VirtualMachineQuery::default()
        });
        let (machines, unread_machines) = machines.await?;
        let volumes = self.all(|session, projects| VolumeQuery {
            scope: session.scope(projects),
            ..VolumeQuery::default()
        });
        let (volumes, unread_volumes) = volumes.await?;
        Ok(Inventory { machines, volumes, unread: unread_machines + unread_volumes })
    }

    /// All rows of both lists that together hold everything, and how many cannot be read.
    async fn all<Q: Query>(
        &self,
        query: impl Fn(&Session, bool) -> Q,
    ) -> Result<(Vec<Q::Row>, usize), Error> {
        let page_rows = self.session.page_rows();
        let (mut ids, mut rows, mut unread) = (HashSet::new(), Vec::new(), 0);
        for projects in [false, true] {
            let query = query(&self.session, projects);
            // Newer servers list everything once more with those of projects, so a page without anything new is
            // no end; one that is shown again is, or it would go on for ever.
            let mut before = Vec::new();
            for page in 1.. {
                let answer = self.client.list(&query, Paging { page, page_rows }).await;
                let answer = answer.map_err(|error| self.session.refused(Q::COMMAND, error))?;
                self.meter.call(answer.rows.len());
                // A page can be short of rows that went while the server made it.
                let asked = u64::from(page).saturating_mul(u64::from(page_rows));
                let is_last = answer.rows.len() < page_rows as usize
                    && answer.count.is_none_or(|count| count <= asked);
                let shown: Vec<String> = answer.rows.iter().map(name_of).collect();
                if before == shown {
                    break;
                }
                before = shown;
                unread += answer.rows.iter().filter(|row| row.is_err()).count();
                let fresh = answer.rows.into_iter().flatten();
                rows.extend(fresh.filter(|row| ids.insert(row.id())));
                if is_last {
                    break;
                }
            }
        }
        Ok((rows, unread))
    }
}

/// What tells a row from others.
fn name_of<R: Row>(row: &Result<R, MalformedRow>) -> String {
    match row {
        Ok(row) => row.id(),
        Err(malformed) => malformed.raw().get().to_owned(),
    }
}
