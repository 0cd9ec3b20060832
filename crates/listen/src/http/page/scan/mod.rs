//! Looking through the log for the events of one page, forwards or backwards.
//!
//! Filters are evaluated in slices on threads of their own ([`work`](crate::http::work)), within the
//! client's budget: a page waits for it a while, then ends early. A place of the log that is damaged
//! ends a page, too: what is readable before it is given, and where it stops is told.
//!
//! The log reads forwards only. Backwards is done in windows: find the latest record before a
//! bound, read the window that ends with it, take from its end. Offsets may leave gaps of any size
//! (after a crash 2^20), so the latest record is found by steps that double, then by halving.

mod one;

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use pluvio_event::{filter::Conjunction, json};
use pluvio_log::{Chunk, Log, LogHandle, Offset, ReadError, ReadLimit, StoredRecord, StreamName};
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{sleep, timeout},
};
use tracing::error;

use crate::http::{
    call::Call,
    client::Client,
    damage::{self, is_damage},
    limits::{PAGE_BYTES_FIRST, PAGE_BYTES_MAX, PAGE_READ_BYTES, PAGE_SCAN_RECORDS_MAX},
    problem::{Kind, Problem},
    render::{Recorded, append_json},
    server::Server,
    work::{Allowance, Lane, Slice, Turn},
};
use crate::room::Held;
pub(in crate::http) use one::One;

/// First window when reading backwards, in offsets; each next one is twice as wide.
const WINDOW_OFFSETS_MIN: i64 = 64;
/// Widest window: what one step backwards may read in vain.
const WINDOW_OFFSETS_MAX: i64 = 4096;

/// What is found before room is taken for it, in bytes and beyond one event.
const STEP_BYTES: usize = 64 << 10;

/// The events of a page: all that match in `begin .. end`.
pub(super) struct Found {
    pub(super) begin: Offset,
    pub(super) end: Offset,
    /// The offset that could not be read, behind the last event or before the first one.
    pub(super) damage: Option<Offset>,
    events: VecDeque<Event>,
    bytes: usize,
}

/// An event as it is sent.
struct Event {
    offset: Offset,
    json: Vec<u8>,
}

impl Found {
    fn new(begin: Offset, end: Offset) -> Self {
        Self { begin, end, damage: None, events: VecDeque::new(), bytes: 0 }
    }

    /// The page's body.
    pub(super) fn array(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes + self.events.len() + 2);
        out.push(b'[');
        for (at, event) in self.events.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            out.extend_from_slice(&event.json);
        }
        out.push(b']');
        out
    }

    fn push(&mut self, event: Event) {
        self.bytes += event.json.len();
        self.events.push_back(event);
    }

    fn is_full(&self, limit: usize, bytes_max: usize) -> bool {
        self.events.len() >= limit || self.bytes >= bytes_max
    }

    /// Puts an earlier window's events before these, the newest first, until the page is full.
    fn prepend(&mut self, window: Found, limit: usize, bytes_max: usize) {
        self.begin = window.begin;
        for event in window.events.into_iter().rev() {
            if self.is_full(limit, bytes_max) {
                self.begin = self.events.front().map_or(self.begin, |first| first.offset);
                return;
            }
            self.bytes += event.json.len();
            self.events.push_front(event);
        }
    }
}

/// A search for one page, in the client's turn and with its room.
pub(in crate::http) struct Scan<'a> {
    log: &'a LogHandle,
    stream: &'a StreamName,
    server: Arc<Server>,
    filter: Arc<Conjunction>,
    passes_all: bool,
    client: Client,
    allowance: Allowance,
    /// For a turn, for room, for the budget and in the queue.
    waited: Duration,
    scanned: usize,
    /// One of the client's turns to make a page.
    turn: OwnedSemaphorePermit,
    /// What the page has of the room for pages.
    held: Held,
    /// The page's largest size, in bytes: what is held, once there is no room for more.
    bytes_max: usize,
}

/// Why a page cannot go on.
enum Halt {
    Read(ReadError),
    /// The client's filters have used up what they may, and it was waited for long enough.
    Tired,
    Broken,
}

impl From<ReadError> for Halt {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

/// What one slice of time found in a chunk.
struct Sifted {
    events: Vec<Event>,
    /// Behind the last record that was looked at.
    end: Offset,
    scanned: usize,
    units: u64,
    lane: Lane,
    /// How long it was in the queue.
    waited: Duration,
}

/// What one read gave, apart from the batches that it came in: those may be megabytes, and a filter may
/// take its time.
struct Piece {
    records: Vec<StoredRecord>,
    /// Where the next read goes on.
    next: Offset,
}

impl Piece {
    /// The first records of `chunk` within `limit`, at least one if there is any.
    fn of(chunk: &Chunk, limit: ReadLimit) -> Self {
        let (mut records, mut bytes) = (Vec::new(), 0);
        for record in chunk.records() {
            if !records.is_empty()
                && (records.len() >= limit.records_max || bytes >= limit.bytes_max)
            {
                return Self { records, next: record.offset };
            }
            bytes += record.value.len();
            let value = Bytes::copy_from_slice(&record.value);
            records.push(StoredRecord { key: None, value, ..*record });
        }
        Self { records, next: chunk.next }
    }
}

/// How much a slice may look for.
#[derive(Clone, Copy)]
struct Wanted {
    from: Offset,
    to: Offset,
    events: usize,
    bytes: usize,
    records: usize,
}

impl<'a> Scan<'a> {
    /// Begins when it is the client's turn, and there is room for a page.
    pub(in crate::http) async fn new(
        call: &'a Call,
        filter: Arc<Conjunction>,
        allowance: Allowance,
    ) -> Result<Self, Problem> {
        let server = Arc::clone(&call.server);
        let (began, wait) = (Instant::now(), server.page_wait);
        let turn = timeout(wait, server.page_turns.of(&call.client).acquire_owned()).await;
        let turn = turn.ok().and_then(Result::ok).ok_or_else(Problem::busy)?;
        let part = server.page_parts.of(&call.client);
        let wait = wait.saturating_sub(began.elapsed());
        let held = server.pages.take_of(&part, PAGE_BYTES_FIRST, wait).await;
        let held = held.ok_or_else(Problem::crowded)?;
        Ok(Self {
            log: &call.server.context.log,
            stream: &call.stream,
            passes_all: filter.passes_all(),
            allowance,
            server,
            filter,
            client: call.client.clone(),
            waited: began.elapsed(),
            scanned: 0,
            turn,
            held,
            bytes_max: PAGE_BYTES_MAX,
        })
    }

    /// The place of the page that was found.
    pub(in crate::http) fn held(self) -> Held {
        drop(self.turn);
        self.held
    }

    /// Takes room for `bytes` of events and for the page that is made of them. Without, the page ends.
    fn grow(&mut self, bytes: usize) {
        let part = self.server.page_parts.of(&self.client);
        if !self.held.grow_of(PAGE_READ_BYTES + 2 * bytes, &self.server.pages, &part) {
            self.bytes_max = self.bytes_max.min(bytes);
        }
    }

    /// Up to `limit` events from `from` on.
    pub(super) async fn forward(&mut self, from: Offset, limit: usize) -> Result<Found, Problem> {
        let mut found = Found::new(from, from);
        match self.forward_into(&mut found, limit).await {
            Ok(()) => Ok(found),
            Err(Halt::Tired) if found.end > from => Ok(found),
            Err(Halt::Read(error)) if found.end > from && is_damage(&error) => {
                tell(&error);
                found.damage = Some(found.end);
                Ok(found)
            }
            Err(halt) => Err(self.problem(found.end, halt).await),
        }
    }

    async fn forward_into(&mut self, found: &mut Found, limit: usize) -> Result<(), Halt> {
        let mut read = self.read_limit(limit);
        loop {
            let piece = match self.read(found.end, read).await {
                // What lies before the damage may fit into a smaller read.
                Err(error) if is_damage(&error) && read.records_max > 1 => {
                    read = ReadLimit { records_max: 1, bytes_max: 1, ..read };
                    continue;
                }
                piece => Arc::new(piece?),
            };
            if piece.next == found.end {
                return Ok(());
            }
            while found.end < piece.next {
                let wanted = Wanted {
                    from: found.end,
                    to: piece.next,
                    events: limit - found.events.len(),
                    bytes: self.bytes_max.saturating_sub(found.bytes).min(STEP_BYTES),
                    records: PAGE_SCAN_RECORDS_MAX - self.scanned,
                };
                let sifted = self.sift(&piece, wanted).await?;
                found.end = sifted.end;
                sifted.events.into_iter().for_each(|event| found.push(event));
                self.grow(found.bytes);
                if found.is_full(limit, self.bytes_max) || self.scanned >= PAGE_SCAN_RECORDS_MAX {
                    return Ok(());
                }
            }
            tokio::task::yield_now().await;
        }
    }

    /// The newest `limit` events before `before`, ascending.
    pub(super) async fn backward(
        &mut self,
        before: Offset,
        start: Offset,
        limit: usize,
    ) -> Result<Found, Problem> {
        let mut found = Found::new(before, before);
        match self.backward_into(&mut found, start, limit).await {
            Ok(()) => Ok(found),
            Err(Halt::Tired) if found.begin < before => Ok(found),
            Err(Halt::Read(error)) if found.begin < before && is_damage(&error) => {
                tell(&error);
                found.damage = before_of(found.begin);
                Ok(found)
            }
            Err(halt) => Err(self.problem(before_of(before).unwrap_or(before), halt).await),
        }
    }

    async fn backward_into(
        &mut self,
        found: &mut Found,
        start: Offset,
        limit: usize,
    ) -> Result<(), Halt> {
        let mut width = WINDOW_OFFSETS_MIN.max(i64::try_from(limit).unwrap_or(i64::MAX));
        let mut is_near_damage = false;
        while !found.is_full(limit, self.bytes_max) && self.scanned < PAGE_SCAN_RECORDS_MAX {
            let Some(last) = self.latest_before(found.begin, start).await? else {
                found.begin = start;
                break;
            };
            let end = last.following();
            // A window of so many offsets has at most so many records.
            let rest = PAGE_SCAN_RECORDS_MAX.saturating_sub(self.scanned);
            let width_now = width.min(i64::try_from(rest).unwrap_or(i64::MAX));
            let begin = Offset::new(end.get() - width_now).unwrap_or(Offset::ZERO).max(start);
            let window = match self.window(begin, end, limit, found.bytes).await {
                // What lies behind the damage may fit into a smaller window.
                Err(Halt::Read(error)) if is_damage(&error) && width_now > 1 => {
                    (width, is_near_damage) = (width_now / 4, true);
                    width = width.max(1);
                    continue;
                }
                window => window?,
            };
            let Some(window) = window else { break };
            found.prepend(window, limit, self.bytes_max);
            if !is_near_damage {
                width = (width * 2).min(WINDOW_OFFSETS_MAX);
            }
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// The newest events of `begin .. end`, as many as a page may need. `None`: purged meanwhile.
    async fn window(
        &mut self,
        begin: Offset,
        end: Offset,
        limit: usize,
        bytes_before: usize,
    ) -> Result<Option<Found>, Halt> {
        let mut window = Found::new(begin, end);
        let mut at = begin;
        let read = self.read_limit(usize::MAX);
        while at < end {
            let piece = match self.read(at, read).await {
                Ok(piece) if piece.next == at => break,
                Ok(piece) => Arc::new(piece),
                Err(ReadError::OutOfRange { .. }) => return Ok(None),
                Err(error) => return Err(error.into()),
            };
            let to = piece.next.min(end);
            while at < to {
                let (events, bytes, records) = (usize::MAX, STEP_BYTES, usize::MAX);
                let sifted = self.sift(&piece, Wanted { from: at, to, events, bytes, records });
                let sifted = sifted.await?;
                at = sifted.end;
                for event in sifted.events {
                    window.push(event);
                    self.grow(bytes_before + window.bytes);
                    // What will not fit is let go at once, so that a window is no larger than a page.
                    while window.events.len() > limit
                        || (window.bytes > self.bytes_max && window.events.len() > 1)
                    {
                        let first = window.events.pop_front();
                        window.bytes -= first.map_or(0, |event| event.json.len());
                        window.begin = window.events.front().map_or(end, |event| event.offset);
                    }
                }
            }
            at = piece.next;
        }
        Ok(Some(window))
    }

    /// One slice of time over the records of `piece`: here where nothing is filtered, else on the
    /// threads for filters and within the budget.
    async fn sift(&mut self, piece: &Arc<Piece>, wanted: Wanted) -> Result<Sifted, Halt> {
        let sifted = if self.passes_all {
            sift(piece, wanted, None)
        } else {
            self.wait_for_budget().await?;
            let (piece, filter) = (Arc::clone(piece), Arc::clone(&self.filter));
            let (lane, queued) = (self.allowance.lane(), Instant::now());
            let sifted = self.server.pool.run(&self.client, lane, Turn::Last, move |is_left| {
                let waited = queued.elapsed();
                let slice = Slice::begin(lane, is_left);
                Sifted { waited, ..sift(&piece, wanted, Some((&filter, slice))) }
            });
            let sifted = sifted.await.map_err(|_| Halt::Broken)?;
            self.waited += sifted.waited;
            sifted
        };
        self.scanned += sifted.scanned;
        self.allowance.pay(sifted.units, sifted.lane);
        Ok(sifted)
    }

    /// Waits until the client may go on filtering, in all no longer than a page waits.
    async fn wait_for_budget(&mut self) -> Result<(), Halt> {
        loop {
            let wait = self.allowance.wait();
            self.waited += wait.unwrap_or_default();
            if self.waited > self.server.page_wait {
                return Err(Halt::Tired);
            }
            match wait {
                Some(wait) => sleep(wait).await,
                None => return Ok(()),
            }
        }
    }

    /// Reads when it is this one's turn.
    async fn read(&self, from: Offset, limit: ReadLimit) -> Result<Piece, ReadError> {
        let _turn = self.server.reads.acquire().await.ok();
        Ok(Piece::of(&self.log.read(self.stream, from, limit).await?, limit))
    }

    /// Why there is no page, where nothing could be read at `at`.
    async fn problem(&self, at: Offset, halt: Halt) -> Problem {
        match halt {
            Halt::Read(error) => {
                damage::problem(
                    &self.server.context.log,
                    &self.server.reads,
                    self.stream,
                    at,
                    error,
                )
                .await
            }
            Halt::Tired => Problem::invalid(format!(
                "the filters of this client have used up their budget of {} units of work a \
                 second, or wait for one another; this one can cost {} units an event. Come back \
                 later, or with a cheaper filter",
                self.server.budgets.units_per_second(),
                self.filter.units_max()
            ))
            .retry_later(),
            Halt::Broken => Problem::new(
                Kind::Internal,
                "the filter could not be evaluated; the server's log says why",
            ),
        }
    }

    /// The offset of the latest record before `bound`.
    async fn latest_before(
        &self,
        bound: Offset,
        start: Offset,
    ) -> Result<Option<Offset>, ReadError> {
        let (mut step, mut upper) = (1_i64, bound);
        let mut last = loop {
            let low = Offset::new(bound.get().saturating_sub(step)).unwrap_or(Offset::ZERO);
            let low = low.max(start);
            match self.first_at(low).await? {
                Some(found) if found < bound => break found,
                _ if low <= start => return Ok(None),
                _ => (upper, step) = (low, step.saturating_mul(2)),
            }
        };
        while last.following() < upper {
            let middle = last.get() + (upper.get() - last.get()) / 2;
            let middle = Offset::new(middle).unwrap_or(last).max(last.following());
            match self.first_at(middle).await? {
                Some(found) if found < upper => last = found,
                _ => upper = middle,
            }
        }
        Ok(Some(last))
    }

    /// The first record at or after `offset`; `None` also if it was purged meanwhile.
    async fn first_at(&self, offset: Offset) -> Result<Option<Offset>, ReadError> {
        let one = ReadLimit { records_max: 1, bytes_max: 1, ..ReadLimit::default() };
        let _turn = self.server.reads.acquire().await.ok();
        match self.log.read(self.stream, offset, one).await {
            Ok(chunk) => Ok(chunk.records().next().map(|record| record.offset)),
            Err(ReadError::OutOfRange { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn read_limit(&self, limit: usize) -> ReadLimit {
        let default = ReadLimit::default();
        let records_max =
            if self.passes_all { limit.min(default.records_max) } else { default.records_max };
        ReadLimit { records_max, bytes_max: PAGE_READ_BYTES, ..default }
    }
}

/// Renders records and keeps those that the filter lets through.
fn sift(piece: &Piece, wanted: Wanted, mut filtered: Option<(&Conjunction, Slice<'_>)>) -> Sifted {
    let mut sifted = Sifted {
        events: Vec::new(),
        end: wanted.from,
        scanned: 0,
        units: 0,
        lane: Lane::Light,
        waited: Duration::ZERO,
    };
    let (mut bytes, mut recorded) = (0, Recorded::default());
    let behind = |record: &&StoredRecord| record.offset < wanted.from;
    let mut is_through = true;
    for record in piece.records.iter().skip_while(behind).take_while(|r| r.offset < wanted.to) {
        let is_over = filtered.as_ref().is_some_and(|(_, slice)| slice.is_over());
        let is_full = sifted.events.len() >= wanted.events || bytes >= wanted.bytes;
        if is_full || sifted.scanned >= wanted.records || (is_over && sifted.scanned > 0) {
            is_through = false;
            break;
        }
        let mut json = Vec::with_capacity(record.value.len() + 96);
        append_json(record, &mut recorded, &mut json);
        let passes = match &mut filtered {
            None => true,
            Some((filter, slice)) => {
                match slice.passes(filter, json::decode(&json).ok().as_ref()) {
                    Ok(passes) => passes,
                    // Nobody waits for the page any more.
                    Err(_) => return sifted,
                }
            }
        };
        sifted.scanned += 1;
        sifted.end = record.offset.following();
        if passes {
            bytes += json.len();
            sifted.events.push(Event { offset: record.offset, json });
        }
    }
    if is_through {
        sifted.end = wanted.to;
    }
    if let Some((_, slice)) = filtered {
        (sifted.units, sifted.lane) = (slice.units(), slice.lane());
    }
    sifted
}

fn before_of(offset: Offset) -> Option<Offset> {
    Offset::new(offset.get() - 1)
}

/// What is damaged the log itself tells, once a minute.
fn tell(error: &ReadError) {
    if !matches!(error, ReadError::Damaged { .. }) {
        error!(error = %pluvio_runtime::Chain(error), "a page ends where the log cannot be read");
    }
}
