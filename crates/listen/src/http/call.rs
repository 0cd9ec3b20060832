//! One request on its way to an answer: who asks, for which stream, with which parameters.

use std::{sync::Arc, time::Duration};

use axum::http::{HeaderMap, header};
use pluvio_event::filter::Conjunction;
use pluvio_log::{Extent, Log, StreamName};
use pluvio_runtime::Principal;
use tokio::time::sleep;

use super::{
    client::Client,
    head::lists,
    limits::READ_UNITS_PER_BYTE,
    problem::{Kind, Problem},
    query::{Query, shown},
    server::Server,
    work::{Allowance, Lane, Turn},
};

/// A request whose path, parameters and sender are known.
pub(super) struct Call {
    pub(super) server: Arc<Server>,
    /// `None` only on routes that are open to all.
    pub(super) principal: Option<Arc<Principal>>,
    pub(super) client: Client,
    pub(super) stream: StreamName,
    /// The path as it came, for links.
    pub(super) path: String,
    /// The `{offset}` of the path.
    pub(super) offset: Option<String>,
    pub(super) query: Query,
    pub(super) headers: HeaderMap,
}

impl Call {
    /// The stream's bounds, after `log=` was compared.
    pub(super) fn extent(&self) -> Result<Extent, Problem> {
        let extent = self.server.context.log.extent(&self.stream)?;
        match self.query.one("log")? {
            Some(wanted) if !wanted.eq_ignore_ascii_case(&extent.log_id.to_string()) => {
                let wanted = shown(wanted);
                let detail = format!(
                    "invalid offset: log `{wanted}` is not here; its offsets mean nothing in this one"
                );
                Err(Problem::new(Kind::OtherLog, detail).range(extent))
            }
            _ => Ok(extent),
        }
    }

    /// The principal's mandatory filter and, behind it, the request's: what the first hides is never
    /// shown to the second. With it what the client may spend on it, of which reading it has taken its part.
    pub(super) async fn filter(&self) -> Result<(Arc<Conjunction>, Allowance), Problem> {
        let mandatory = self.principal.as_ref().map(|p| p.filter.clone()).unwrap_or_default();
        let mut allowance = self.server.budgets.join(&self.client);
        if !self.query.has_expression() {
            return Ok((Arc::new(mandatory.and(self.query.filter()?)), allowance));
        }
        // Reading kilobytes of an expression takes milliseconds: not on a worker, and not for nothing.
        let mut waited = Duration::ZERO;
        while let Some(wait) = allowance.wait() {
            waited += wait;
            if waited > self.server.page_wait {
                return Err(Problem::invalid(format!(
                    "the filters of this client have used up their budget of {} units of work a \
                     second, so that this one was not even read. Come back later",
                    self.server.budgets.units_per_second()
                ))
                .retry_later());
            }
            sleep(wait).await;
        }
        let query = self.query.clone();
        let read =
            self.server.pool.run(&self.client, Lane::Normal, Turn::Last, move |_| query.filter());
        let filter = read.await.map_err(|_| {
            Problem::new(Kind::Internal, "the filter could not be read; the server's log says why")
        })?;
        let units = self.query.expression_bytes() as u64 * READ_UNITS_PER_BYTE;
        allowance.pay(units, allowance.lane());
        Ok((Arc::new(mandatory.and(filter?)), allowance))
    }

    /// Whether events may be hidden from this principal.
    pub(super) fn is_restricted(&self) -> bool {
        self.principal.as_ref().is_some_and(|principal| !principal.filter.passes_all())
    }

    /// Whether `Accept` names `media_type`.
    pub(super) fn accepts(&self, media_type: &str) -> bool {
        lists(&self.headers, header::ACCEPT.as_str(), media_type)
    }
}
