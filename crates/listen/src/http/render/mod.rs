//! Pages of rendered events, made once and shared by all watchers.
//!
//! A *page* is a run of events as lines of NDJSON or blocks of Server-Sent Events, in one piece of
//! memory, with an index of where each begins. Where pages begin and end must not depend on who
//! asks, or nothing would be shared:
//!
//! ```text
//!   0        128       256  …            cut   cut cut  next
//!   ├─ page ──┼─ page ──┼─ … ─┼── clip ───┼─────┼───┼────┤
//!             replay: fixed multiples     the tail: as it was appended
//! ```
//!
//! In the past, pages are aligned on multiples of [`PAGE_OFFSETS`]; watchers that begin anywhere
//! meet at the next multiple. At the tail they are the very cuts that the one reader of the stream
//! ([`tail`]) saw, so a thousand woken watchers ask for the same page, the first renders it and the
//! others wait for that ([`cache`]).
//!
//! A filter sees an event as it is sent, `sequence` and `recordedtime` among its attributes.

mod cache;
mod lines;
mod tail;

use std::{pin::pin, sync::Arc};

use metrics::{Counter, counter};
use pluvio_log::{Log, LogHandle, Offset, ReadError, ReadLimit, StreamName};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::{damage::is_damage, limits::RENDERED_BYTES_MAX_TOTAL, meter, watch::Client};
use crate::room::{Held, Room, Shares};
use cache::{Cache, Key};
use lines::{Events, Lines};
pub(super) use lines::{Recorded, append_json};
pub(super) use tail::{Tail, Tails};

/// Offsets of one aligned page: at a kilobyte an event, about one large write.
pub(super) const PAGE_OFFSETS: i64 = 128;
/// Stored bytes after which a page ends early. A watcher that stops reading pins one page.
const PAGE_BYTES_MAX: usize = 256 << 10;
/// What making a page takes, in bytes: what is read, and what is rendered.
const RENDERING_BYTES: usize = 2 * PAGE_BYTES_MAX;
/// All pages of all streams together. It must span the distance between the first and the last of a
/// crowd that replays, or nothing is shared: here about a hundred pages of a typical size.
const CACHE_BYTES_MAX: usize = 16 << 20;

/// How events are framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Form {
    /// One event a line.
    Ndjson,
    /// Server-Sent Events: `id`, `event`, `data`.
    Sse,
}

/// Offsets `from .. to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Span {
    pub(super) from: Offset,
    pub(super) to: Offset,
}

/// Renders pages of a log and keeps the newest used.
pub(super) struct Renderer {
    log: LogHandle,
    cache: Cache,
    /// What [`RENDERED_BYTES_MAX_TOTAL`] leaves.
    pub(super) room: Room,
    /// One for each client whose readers of the past wait for room.
    turns: Shares<Client>,
    reads: Arc<Semaphore>,
    pub(super) tails: Tails,
    hits: Counter,
    misses: Counter,
}

impl Renderer {
    pub(super) fn new(log: &LogHandle, reads: Arc<Semaphore>, drain: CancellationToken) -> Self {
        Self {
            log: log.clone(),
            cache: Cache::new(CACHE_BYTES_MAX),
            room: Room::new(RENDERED_BYTES_MAX_TOTAL),
            turns: Shares::new(1),
            reads,
            tails: Tails::new(log.clone(), drain),
            hits: counter!(meter::PAGES, "cache" => "hit"),
            misses: counter!(meter::PAGES, "cache" => "miss"),
        }
    }

    /// A page that holds or passes `from`, where `shared` is the span that the tail's
    /// [`Bounds`](tail::Bounds) give for it; `past` is whose reader it is of what lies before the tail. Its
    /// [`next`](Lines::next) is always beyond `from`.
    pub(super) async fn page(
        &self,
        stream: &StreamName,
        form: Form,
        from: Offset,
        shared: Span,
        past: Option<&Client>,
    ) -> Result<Page, ReadError> {
        match self.lines(stream, form, shared, past).await {
            Ok(page) if page.lines.next > from => return Ok(page),
            // Too large for one page, or partly purged: go on exactly where the watcher stands.
            Ok(_) => {}
            Err(ReadError::OutOfRange { extent, .. })
                if shared.from < from && extent.start <= from => {}
            // What is damaged may lie before `from`.
            Err(error) if shared.from < from && is_damage(&error) => {}
            Err(error) => return Err(error),
        }
        self.lines(stream, form, Span { from, to: shared.to }, past).await
    }

    async fn lines(
        &self,
        stream: &StreamName,
        form: Form,
        span: Span,
        past: Option<&Client>,
    ) -> Result<Page, ReadError> {
        let key = Key { stream: stream.clone(), form, span };
        let cell = self.cache.cell(&key);
        // A reader of the past waits for its turn, or for another who fills the cell first; the tail is the
        // same for all, and goes on. Nobody waits for a turn while others wait for the cell.
        let mut held = None;
        if let Some(client) = past.filter(|_| cell.lines.get().is_none()) {
            let mut filled = pin!(cell.filled.notified());
            filled.as_mut().enable();
            if cell.lines.get().is_none() {
                let turn = self.turns.of(client);
                held = tokio::select! {
                    biased;
                    () = filled => None,
                    held = self.room.take_in_turn(&turn, RENDERING_BYTES) => held,
                };
            }
        }
        if let Some(lines) = cell.lines.get() {
            self.hits.increment(1);
            return Ok(Page { lines: Arc::clone(lines), key });
        }
        let render = async || {
            self.misses.increment(1);
            let _read = if past.is_some() { self.reads.acquire().await.ok() } else { None };
            let held = held.or_else(|| self.room.try_take(RENDERING_BYTES));
            let lines = self.render(stream, form, span, held).await?;
            self.cache.weigh(&key, lines.weight());
            Ok(Arc::new(lines))
        };
        match cell.lines.get_or_try_init(render).await {
            Ok(lines) => {
                cell.filled.notify_waiters();
                Ok(Page { lines: Arc::clone(lines), key })
            }
            Err(error) => {
                self.cache.forget(&key);
                Err(error)
            }
        }
    }

    async fn render(
        &self,
        stream: &StreamName,
        form: Form,
        span: Span,
        held: Option<Held>,
    ) -> Result<Lines, ReadError> {
        let limit = ReadLimit {
            records_max: PAGE_OFFSETS as usize,
            bytes_max: PAGE_BYTES_MAX,
            ..ReadLimit::default()
        };
        let chunk = match self.log.read(stream, span.from, limit).await {
            // What lies before the damage may fit into a smaller read.
            Err(error) if is_damage(&error) => {
                let one = ReadLimit { records_max: 1, bytes_max: 1, ..limit };
                self.log.read(stream, span.from, one).await?
            }
            chunk => chunk?,
        };
        let place = held.map(|held| (held, &self.room));
        Ok(Lines::render(&chunk, form, span, PAGE_BYTES_MAX, place))
    }

    /// The page's events, decoded by the first who asks and kept for the others where there is room.
    pub(super) fn events<'a>(&self, page: &'a Page) -> Events<'a> {
        page.lines.events(&self.room, |bytes| self.cache.weigh(&page.key, bytes))
    }
}

/// A page out of the cache.
pub(super) struct Page {
    pub(super) lines: Arc<Lines>,
    key: Key,
}
