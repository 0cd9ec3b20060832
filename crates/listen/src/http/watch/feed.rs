//! The loop of one watch: deliver what is there, else wait for more.
//!
//! It runs inside the connection's task, polled by hyper when the socket has room; it owns no
//! buffer, and between two pages nothing but its offset.

use std::{
    future::{Future, pending},
    ops::Range,
    pin::Pin,
    sync::Arc,
};

use bytes::Bytes;
use pluvio_event::filter::Conjunction;
use pluvio_log::{Offset, ReadError, StreamName};
use tokio::time::{Instant, sleep_until};

use super::{
    beat::Beat,
    inband::{self, Message},
    slowing::Slowing,
};
use crate::http::{
    admission::Permit,
    client::Client,
    damage,
    problem::{Kind, Problem},
    render::{Form, Page, Span, Tail},
    server::Server,
    work::{Allowance, Lane, Slice, Turn},
};
use crate::room::Held;

/// A watch in progress.
pub(super) struct Feed {
    pub(super) server: Arc<Server>,
    pub(super) stream: StreamName,
    pub(super) form: Form,
    pub(super) filter: Arc<Conjunction>,
    pub(super) client: Client,
    pub(super) allowance: Allowance,
    pub(super) slowing: Slowing,
    pub(super) is_filtered: bool,
    /// All before it was looked at.
    pub(super) from: Offset,
    pub(super) tail: Tail,
    /// Events until the end, if the client asked for one.
    pub(super) left: Option<u64>,
    pub(super) beat: Beat,
    pub(super) ends_at: Option<Instant>,
    pub(super) has_bookmarks: bool,
    pub(super) stage: Stage,
    /// A page of the past that is waited for: it keeps its turn while heartbeats go out.
    pub(super) paging: Option<Paging>,
    /// Of the room for filters.
    pub(super) _held: Option<Held>,
    pub(super) _permit: Permit,
}

/// A page that comes when there is room for it.
pub(super) type Paging = Pin<Box<dyn Future<Output = Result<Page, ReadError>> + Send>>;

/// How far a watch is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Opening,
    Open,
    Ended,
}

impl Feed {
    /// The next bytes; `None` ends the body cleanly.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        match self.stage {
            Stage::Ended => return None,
            Stage::Opening if self.form == Form::Sse => {
                self.stage = Stage::Open;
                return Some(inband::greeting());
            }
            Stage::Opening | Stage::Open => self.stage = Stage::Open,
        }
        loop {
            let now = Instant::now();
            if self.is_over(now) {
                return self.end();
            }
            let (shared, is_past, is_draining) = {
                let bounds = self.tail.borrow_and_update();
                (bounds.span(self.from), bounds.is_past(self.from), bounds.is_draining)
            };
            if let Some(shared) = shared {
                match self.pause().await {
                    Pause::None => {}
                    Pause::Told(bytes) => return Some(bytes),
                    Pause::Woken => continue,
                }
                match self.deliver(shared, is_past).await {
                    Ok(bytes) if bytes.is_empty() => {}
                    Ok(bytes) => {
                        self.beat.reset(now);
                        return Some(bytes);
                    }
                    Err(problem) => return Some(self.fail(&problem)),
                }
                if self.beat.is_due(Instant::now()) {
                    return Some(self.heartbeat());
                }
                // A filter may let nothing through for a million records; others want the core.
                tokio::task::yield_now().await;
                continue;
            }
            if is_draining {
                return self.end();
            }
            match self.wait().await {
                Woken::Moved => {}
                Woken::Due if self.is_over(Instant::now()) => return self.end(),
                Woken::Due => return Some(self.heartbeat()),
                Woken::Broken => return Some(self.fail(&broken())),
            }
        }
    }

    /// The page at `from`; `None` if something else is due first.
    async fn page(&mut self, shared: Span, is_past: bool) -> Option<Result<Page, ReadError>> {
        if !is_past {
            let renderer = &self.server.renderer;
            return Some(renderer.page(&self.stream, self.form, self.from, shared, None).await);
        }
        let mut paging = self.paging.take().unwrap_or_else(|| self.page_of_past(shared));
        let due = [self.beat.due(), self.ends_at].into_iter().flatten().min();
        let is_due = async {
            match due {
                Some(due) => sleep_until(due).await,
                None => pending().await,
            }
        };
        tokio::select! {
            biased;
            page = &mut paging => Some(page),
            () = self.server.cut.cancelled() => None,
            () = is_due => {
                self.paging = Some(paging);
                None
            }
        }
    }

    fn page_of_past(&self, shared: Span) -> Paging {
        let (server, stream) = (Arc::clone(&self.server), self.stream.clone());
        let (form, from, client) = (self.form, self.from, self.client.clone());
        Box::pin(
            async move { server.renderer.page(&stream, form, from, shared, Some(&client)).await },
        )
    }

    /// What passes of the next page; maybe nothing.
    async fn deliver(&mut self, shared: Span, is_past: bool) -> Result<Bytes, Problem> {
        let page = match self.page(shared, is_past).await {
            Some(Ok(page)) => page,
            None => return Ok(Bytes::new()),
            // Named by where the watch stands, not by where the shared page would have begun.
            Some(Err(ReadError::OutOfRange { extent, .. })) => {
                return Err(Problem::purged(self.from, *extent));
            }
            Some(Err(error)) => {
                return Err(damage::problem(
                    &self.server.context.log,
                    &self.server.reads,
                    &self.stream,
                    self.from,
                    error,
                )
                .await);
            }
        };
        let wanted = self.left.and_then(|left| usize::try_from(left).ok()).unwrap_or(usize::MAX);
        if self.is_filtered {
            return self.pick(page, wanted, is_past).await;
        }
        let lines = page.lines.behind(self.from, wanted);
        self.advance(&page, lines.end, lines.len() as u64);
        Ok(page.slice(lines))
    }

    /// The lines that match, as one piece: a slice of the page if they lie side by side, else a
    /// copy; where there is no room for one, only the first that lie side by side. One slice of time
    /// looks at a part of the page, and the next call goes on there.
    async fn pick(&mut self, page: Page, wanted: usize, is_past: bool) -> Result<Bytes, Problem> {
        let page = Arc::new(page);
        let lines = page.lines.behind(self.from, usize::MAX);
        let (server, filter) = (Arc::clone(&self.server), Arc::clone(&self.filter));
        let shared = Arc::clone(&page);
        let (lane, turn) = (self.allowance.lane(), if is_past { Turn::Last } else { Turn::First });
        let picked = self.server.pool.run(&self.client, lane, turn, move |is_left| {
            let mut slice = Slice::begin(lane, is_left);
            let events = server.renderer.events(&shared);
            let (mut runs, mut count, mut end) = (Vec::<Range<usize>>::new(), 0, lines.start);
            let first = lines.start;
            for at in lines {
                if count >= wanted || (at > first && slice.is_over()) {
                    break;
                }
                let event = events.get(at);
                let Ok(passes) = slice.passes(&filter, event.as_deref()) else { break };
                end = at + 1;
                if passes {
                    count += 1;
                    match runs.last_mut() {
                        Some(run) if run.end == at => run.end = end,
                        _ => runs.push(at..end),
                    }
                }
            }
            Picked { runs, count, end, units: slice.units(), lane: slice.lane() }
        });
        let Picked { runs, count, end, units, lane } = picked.await.map_err(|_| broken())?;
        self.allowance.pay(units, lane);
        self.slowing.used(units);
        let pieces = || runs.iter().map(|run| page.slice(run.clone()));
        let held = match runs.as_slice() {
            [] | [_] => None,
            _ => self.server.renderer.room.try_take(pieces().map(|piece| piece.len()).sum()),
        };
        match (runs.first(), held) {
            (Some(_), Some(held)) => {
                let copy = pieces().collect::<Vec<Bytes>>().concat();
                self.advance(&page, end, count as u64);
                Ok(page.keep(held.with(copy)))
            }
            (Some(run), None) => {
                let end = if runs.len() > 1 { run.end } else { end };
                self.advance(&page, end, run.len() as u64);
                Ok(page.slice(run.clone()))
            }
            (None, _) => {
                self.advance(&page, end, 0);
                Ok(Bytes::new())
            }
        }
    }

    /// Moves behind line `end - 1`, or behind the page if that was its last.
    fn advance(&mut self, page: &Page, end: usize, events: u64) {
        self.from = page.lines.offset(end).unwrap_or(page.lines.next);
        self.left = self.left.map(|left| left.saturating_sub(events));
    }

    /// Waits for the client's budget, and says so now and then.
    async fn pause(&mut self) -> Pause {
        if !self.is_filtered {
            return Pause::None;
        }
        let Some(wait) = self.allowance.wait() else { return Pause::None };
        let now = Instant::now();
        if let Some(slowed) =
            self.slowing.tell(now, self.from, self.server.budgets.units_per_second())
        {
            self.beat.reset(now);
            return Pause::Told(inband::render(
                &Message::Slowed(&slowed),
                self.form,
                &self.stream,
                self.from,
            ));
        }
        let due = [self.beat.due(), self.ends_at].into_iter().flatten().min();
        let until = due.map_or(now + wait, |due| due.min(now + wait));
        tokio::select! {
            () = sleep_until(until) => {}
            () = self.server.cut.cancelled() => {}
        }
        let now_after = Instant::now();
        self.slowing.waited(now_after - now);
        if self.beat.is_due(now_after) { Pause::Told(self.heartbeat()) } else { Pause::Woken }
    }

    async fn wait(&mut self) -> Woken {
        let due = [self.beat.due(), self.ends_at].into_iter().flatten().min();
        let Some(due) = due else {
            return self.tail.changed().await.map_or(Woken::Broken, |()| Woken::Moved);
        };
        tokio::select! {
            changed = self.tail.changed() => changed.map_or(Woken::Broken, |()| Woken::Moved),
            () = sleep_until(due) => Woken::Due,
        }
    }

    fn is_over(&self, now: Instant) -> bool {
        self.left == Some(0)
            || self.ends_at.is_some_and(|end| end <= now)
            || self.server.cut.is_cancelled()
    }

    fn heartbeat(&mut self) -> Bytes {
        self.beat.reset(Instant::now());
        if self.has_bookmarks { self.bookmark() } else { inband::heartbeat(self.form) }
    }

    fn bookmark(&self) -> Bytes {
        inband::render(&Message::Bookmark, self.form, &self.stream, self.from)
    }

    /// The end that was asked for: silent, but for a last bookmark where bookmarks are wanted.
    fn end(&mut self) -> Option<Bytes> {
        self.stage = Stage::Ended;
        self.has_bookmarks.then(|| self.bookmark())
    }

    fn fail(&mut self, problem: &Problem) -> Bytes {
        self.stage = Stage::Ended;
        inband::render(&Message::Error(problem), self.form, &self.stream, self.from)
    }
}

/// What is found in a page in one slice of time.
struct Picked {
    runs: Vec<Range<usize>>,
    count: usize,
    end: usize,
    units: u64,
    lane: Lane,
}

/// What waiting for the budget came to.
enum Pause {
    /// The next slice may begin.
    None,
    /// The client is told something first.
    Told(Bytes),
    /// Some time passed; look again.
    Woken,
}

enum Woken {
    Moved,
    Due,
    Broken,
}

fn broken() -> Problem {
    Problem::new(Kind::Internal, "the stream cannot be followed; the server's log says why")
}
