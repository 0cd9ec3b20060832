//! Records made of rows while the next answer is read: attributes and secrets take about a seventh of a walk's
//! processor time (a profile of 300,000 events), and another core may spend it.
//!
//! It refuses to decide anything: which rows become records, in which order and with which positions was said
//! by the [`ledger`](super::super::ledger) before. Who begins one must give its records on before any other
//! record whose position is behind theirs.

use std::{future::pending, panic::resume_unwind};

use pluvio_log::{Record, SourceName};
use tokio::task::JoinHandle;

use super::super::{
    Error,
    ledger::{Admitted, Ledger},
    map::Mapping,
    order::Row,
    slices::Listed,
};

/// Records in the making.
#[derive(Debug)]
pub(super) struct Building {
    task: JoinHandle<Result<Vec<Record>, Error>>,
    /// What may be noted when they were given on.
    listed: Option<Listed>,
}

impl Building {
    /// Begins with rows that the ledger admitted; `before` comes before them.
    pub(super) fn begin(
        before: Option<Record>,
        admitted: Vec<Admitted>,
        listed: Option<Listed>,
        mapping: &Mapping,
        ledger: &Ledger,
    ) -> Self {
        let (mapping, source) = (mapping.clone(), ledger.history.source().clone());
        let task = tokio::spawn(async move {
            let mut records: Vec<_> = before.into_iter().collect();
            records.extend(records_of(admitted, &mapping, &source)?);
            Ok(records)
        });
        Self { task, listed }
    }

    /// Waits for them.
    pub(super) async fn end(self) -> Result<(Vec<Record>, Option<Listed>), Error> {
        match self.task.await {
            Ok(records) => Ok((records?, self.listed)),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                // The runtime ends, and this future with it.
                Err(_) => pending().await,
            },
        }
    }
}

/// The records that rows become, in their order.
pub(super) fn records_of(
    admitted: Vec<Admitted>,
    mapping: &Mapping,
    source: &SourceName,
) -> Result<Vec<Record>, Error> {
    let record = |Admitted { row, position }| {
        let event = match row {
            Row::Ok(native) => mapping.event(*native)?,
            Row::Err(unread) => mapping.malformed(&unread)?,
        };
        Ok(Record { event, source: source.clone(), position, at_least: None })
    };
    admitted.into_iter().map(record).collect()
}
