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
mod pins;
mod tail;

use std::{ops::Range, pin::pin, sync::Arc};

use bytes::Bytes;
use metrics::{Counter, counter};
use pluvio_log::{Log, LogHandle, Offset, ReadError, ReadLimit, StreamName};
use tokio::sync::{MutexGuard, Semaphore};
use tokio_util::sync::CancellationToken;

use super::{
    client::Client,
    damage::is_damage,
    limits::{RENDERED_BYTES_MAX_CLIENT, RENDERED_BYTES_MAX_TOTAL},
    meter,
};
use crate::room::{Held, Room, Shares};
use cache::{Cache, Cell, Key};
use lines::{Events, Lines};
pub(super) use lines::{Recorded, append_json};
use pins::{Parts, Pin};
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
    /// How much of the room the readers of the past of each client may have on their way.
    pub(super) parts: Parts,
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
            parts: Parts::new(RENDERED_BYTES_MAX_CLIENT),
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
        // A reader of the past waits for its client's part, then for its turn, or for another who fills the
        // cell first; the tail is the same for all, and goes on.
        let pin = match past {
            Some(client) => self.pin(&key, client).await,
            None => None,
        };
        let cell = self.cache.cell(&key);
        let (_making, held) = match past.zip(pin.as_deref()) {
            Some((client, pin)) => self.place(&cell, client, pin).await.unzip(),
            None => (None, None),
        };
        if let Some(lines) = cell.lines.get() {
            self.hits.increment(1);
            pin.iter().for_each(|pin| pin.shrink(lines.weight()));
            return Ok(Page::new(lines, key, pin.clone()));
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
                pin.iter().for_each(|pin| pin.shrink(lines.weight()));
                Ok(Page::new(lines, key, pin.clone()))
            }
            Err(error) => {
                self.cache.forget(&key);
                Err(error)
            }
        }
    }

    /// A place for the page in the part of `client`.
    async fn pin(&self, key: &Key, client: &Client) -> Option<Arc<Pin>> {
        let (pins, bytes) = {
            let cell = self.cache.cell(key);
            let bytes = cell.lines.get().map_or(RENDERING_BYTES, |lines| lines.weight());
            (Arc::clone(&cell.pins), bytes.min(RENDERED_BYTES_MAX_CLIENT))
        };
        pins.pin(client, &self.parts, bytes).await
    }

    /// Room to make the page, when it is the turn of `client`, for one of its readers; `None` when another has
    /// made it. Pages that only the cache keeps give way. Nobody waits for a turn while others wait for the
    /// cell.
    async fn place<'p>(
        &self,
        cell: &Cell,
        client: &Client,
        pin: &'p Pin,
    ) -> Option<(MutexGuard<'p, ()>, Held)> {
        let mut filled = pin!(cell.filled.notified());
        filled.as_mut().enable();
        if cell.lines.get().is_some() {
            return None;
        }
        let making = tokio::select! {
            biased;
            () = &mut filled => return None,
            making = pin.making() => making,
        };
        if let Some(held) = self.room.try_take(RENDERING_BYTES) {
            return Some((making, held));
        }
        let turn = self.turns.of(client);
        let mut taken = pin!(self.room.take_in_turn(&turn, RENDERING_BYTES));
        loop {
            // What comes free goes to those who have waited longer first.
            while self.room.lacks(RENDERING_BYTES) && self.cache.give_way(RENDERING_BYTES) {}
            tokio::select! {
                biased;
                () = &mut filled => return None,
                held = &mut taken => return held.map(|held| (making, held)),
                () = self.parts.unpinned() => {}
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
    /// Of a reader of the past.
    pin: Option<Arc<Pin>>,
}

impl Page {
    fn new(lines: &Arc<Lines>, key: Key, pin: Option<Arc<Pin>>) -> Self {
        Self { lines: Arc::clone(lines), key, pin }
    }

    /// Lines as they are sent, without a copy.
    pub(super) fn slice(&self, lines: Range<usize>) -> Bytes {
        let page = Arc::clone(&self.lines);
        Bytes::from_owner(Slice { page, lines, _pin: self.pin.clone() })
    }

    /// `bytes` that were copied out of the page: they count in its place.
    pub(super) fn keep(&self, bytes: Bytes) -> Bytes {
        match &self.pin {
            Some(pin) => Bytes::from_owner(Kept { bytes, _pin: Arc::clone(pin) }),
            None => bytes,
        }
    }
}

/// Some lines of a page, until the last byte has gone to the kernel. The memory goes first, so that what
/// the end of a pin wakes finds it free.
struct Slice {
    page: Arc<Lines>,
    lines: Range<usize>,
    _pin: Option<Arc<Pin>>,
}

impl AsRef<[u8]> for Slice {
    fn as_ref(&self) -> &[u8] {
        self.page.get(self.lines.clone())
    }
}

/// A copy of some.
struct Kept {
    bytes: Bytes,
    _pin: Arc<Pin>,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pluvio_event::{Data, Event};
    use pluvio_log::{Memory, MemoryConfig, Position, Record, SourceName};
    use tokio::time::timeout;

    use super::*;

    /// Events of a page.
    const OF_PAGE: i64 = 8;

    async fn renderer(events: i64) -> Option<Renderer> {
        let log = LogHandle::new(Memory::new(MemoryConfig::default()));
        let stream = StreamName::events();
        log.open(&stream).await.ok()?;
        let text = format!("\"{}\"", "ab".repeat(PAGE_BYTES_MAX / 2 / OF_PAGE as usize));
        for id in 0..events {
            let event = Event::builder(id.to_string(), "urn:example:cloud", "org.example.large")
                .data(Data::json(text.clone()).ok()?)
                .build();
            let (source, position) = (SourceName::new("cloud"), Position::new(""));
            let record = Record {
                event: event.ok()?,
                source: source.ok()?,
                position: position.ok()?,
                at_least: None,
            };
            log.append(&stream, vec![record]).await.ok()?;
        }
        Some(Renderer::new(&log, Arc::new(Semaphore::new(1)), CancellationToken::new()))
    }

    async fn replay(renderer: &Renderer, from: i64, client: &str) -> Option<Bytes> {
        let (from, to) = (Offset::new(from)?, Offset::new(from + OF_PAGE)?);
        let client = Client::Principal(client.to_owned());
        let stream = StreamName::events();
        let span = Span { from, to };
        let page = renderer.page(&stream, Form::Ndjson, from, span, Some(&client));
        let page = timeout(Duration::from_secs(1), page).await.ok()?.ok()?;
        Some(page.slice(page.lines.behind(from, usize::MAX)))
    }

    #[tokio::test(start_paused = true)]
    async fn replays_of_one_client_that_nobody_takes_keep_out_only_its_own() {
        let Some(renderer) = renderer(800).await else { unreachable!("its events are valid") };
        let mut on_their_way = Vec::new();
        let mut place = 0;
        while let Some(bytes) = replay(&renderer, place, "slow").await {
            on_their_way.push(bytes);
            place += OF_PAGE;
        }
        assert!(!on_their_way.is_empty() && place < 400, "{place} events are on their way");
        // What others take stays in the cache, and makes room when it is needed.
        for place in (0..800).step_by(OF_PAGE as usize) {
            assert!(replay(&renderer, place, "other").await.is_some(), "at {place}");
        }
        drop(on_their_way);
        assert!(replay(&renderer, place, "slow").await.is_some());
    }
}
