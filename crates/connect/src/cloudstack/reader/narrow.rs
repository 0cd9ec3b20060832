//! Asking for less where the server fails: one bad answer costs itself, and progress comes from everything
//! else.
//!
//! One row that a server cannot print makes each page with it an error (apache/cloudstack#13455), and a span
//! that is too wide for its database does so too (#1387). Spans are halved, down to a second, as long as the
//! server answers anything at all. A second that fails alone is left out, told by a gap event, and stays
//! unknown: checks and sweeps ask for it again.

use std::slice;

use jiff::Timestamp;
use pluvio_clouds::cloudstack::Paging;
use pluvio_log::{EventId, Record};
use pluvio_runtime::Chain;
use tracing::{debug, warn};

use super::{
    super::{
        Error,
        lists::{List, Lists},
        slices::Listed,
        span::Span,
    },
    Ahead, Ask, Reader,
    late::Task,
};

/// So many failures in a row are the server's, whatever it is asked for: a day is halved 17 times to come
/// to a second.
const FAILURES_MAX: u32 = 24;
/// Beside a second that fails, another that answers is looked for so far away.
const ELSEWHERE_S: i64 = 3600;

impl<L: Lists> Reader<L> {
    /// Whether to go on with a smaller question.
    pub(super) fn bears(&self, error: &Error) -> bool {
        error.may_be_of_span() && self.failures <= FAILURES_MAX
    }

    /// Walks the halves of a span that failed; leaves out what cannot be halved.
    pub(super) async fn narrow_walk(
        &mut self,
        span: Span,
        error: Error,
    ) -> Result<Vec<Record>, Error> {
        self.listing = None;
        debug!(%error, seconds = span.to - span.from + 1, "asking for less");
        if let Some((before, after)) = span.halves() {
            self.walk.pop();
            self.walk.extend([after, before].map(|span| Ahead { span, ask: Ask::Counts }));
            return Ok(Vec::new());
        }
        let error = self.only_here(span, error).await?;
        self.walk.pop();
        let now = self.lists.now();
        self.slices.note(Listed { span, said: 0, is_whole: false, at: now.as_second() });
        self.reach(span, now);
        self.left_out(span, &error).await
    }

    /// Takes the halves of a task that failed; what cannot be halved waits for the next check or sweep.
    pub(super) async fn narrow_task(&mut self, task: Task, error: Error) -> Result<(), Error> {
        self.listing = None;
        self.tasks.pop();
        let halves = match task {
            // Its slices: what lies between was counted with them.
            Task::Compare(span) => match self.slices.within(span).as_slice() {
                [] | [_] => None,
                slices => {
                    let (before, after) = slices.split_at(slices.len() / 2);
                    let whole = |half: &[(Span, Option<u64>)]| {
                        let (first, last) = (half.first()?.0, half.last()?.0);
                        Span::new(first.from, last.to)
                    };
                    whole(before).zip(whole(after))
                }
            },
            Task::List(span) | Task::LastLook(span) => span.halves(),
        };
        match halves {
            Some((before, after)) => self.tasks.extend([task.of(after), task.of(before)]),
            None => {
                self.only_here(task.span(), error).await?;
            }
        }
        Ok(())
    }

    /// The error, if the server answers for other seconds: else it is the server that fails.
    async fn only_here(&mut self, span: Span, error: Error) -> Result<Error, Error> {
        let now = self.lists.now().as_second();
        let list = List { projects: false, archived: false };
        for second in [now, span.from - ELSEWHERE_S] {
            let elsewhere = Span { from: second, to: second };
            let paging = Paging { page: 1, page_rows: 1 };
            if self.ask(list, elsewhere, paging).await.is_ok() {
                return Ok(error);
            }
        }
        Err(error)
    }

    /// Tells, once, that what happened in a span is missing.
    async fn left_out(&mut self, span: Span, error: &Error) -> Result<Vec<Record>, Error> {
        let source = self.ledger.history.source().clone();
        let (from, to): (Timestamp, Timestamp) = (span.start(), span.end());
        let reason = "the cloud fails to list what happened then";
        let event = self.rules.mapping.gap(from, to, reason)?;
        let id = EventId { source: event.source().to_owned(), id: event.id().to_owned() };
        let stored = self.ledger.history.find(slice::from_ref(&id)).await?;
        if stored.iter().any(Option::is_some) {
            return Ok(Vec::new());
        }
        warn!(%source, %from, %to, error = %Chain(error), "events were left out: {reason}");
        let position = self.ledger.place.position()?;
        Ok(vec![Record { event, source, position, at_least: None }])
    }
}
