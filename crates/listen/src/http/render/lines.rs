//! One page: rendered events in one piece of memory, and where each begins.

use std::{borrow::Cow, ops::Range, sync::OnceLock};

use bytes::Bytes;
use jiff::Timestamp;
use pluvio_event::{Event, json};
use pluvio_log::{Chunk, Offset, StoredRecord};
use serde::Deserialize;

use super::{Form, PAGE_OFFSETS, Span};
use crate::room::{Held, Room};

/// Rendered events, ascending.
pub(in crate::http) struct Lines {
    bytes: Bytes,
    index: Vec<Line>,
    /// Where the page after this one begins.
    pub(in crate::http) next: Offset,
    events: OnceLock<Decoded>,
}

/// The events of a page, with their place in the room.
struct Decoded {
    events: Vec<Option<Event>>,
    _held: Held,
}

/// What a filter sees of a page.
pub(in crate::http) struct Events<'l> {
    lines: &'l Lines,
    decoded: Option<&'l Decoded>,
}

impl Events<'_> {
    /// The event of line `at`. `None`: a record that is no event.
    pub(in crate::http) fn get(&self, at: usize) -> Option<Cow<'_, Event>> {
        match self.decoded {
            Some(decoded) => decoded.events.get(at)?.as_ref().map(Cow::Borrowed),
            None => self.lines.decode(self.lines.index.get(at)?).map(Cow::Owned),
        }
    }
}

struct Line {
    offset: Offset,
    /// The event's JSON within the page.
    json: Range<u32>,
    /// Where the line ends, framing included.
    end: u32,
}

impl Lines {
    /// Renders the records of `chunk` within `span`, at most about `bytes_max` and at least one. What
    /// is rendered keeps its `place` as long as any line of it is on its way.
    pub(super) fn render(
        chunk: &Chunk,
        form: Form,
        span: Span,
        bytes_max: usize,
        place: Option<(Held, &Room)>,
    ) -> Self {
        let mut writer = Writer::new(form, capacity_for(chunk, span, bytes_max));
        let mut next = chunk.next.max(span.from.following());
        for record in chunk.records() {
            if record.offset >= span.to {
                // Nothing at all in the span: skip to the page of the first record behind it.
                next = if writer.index.is_empty() { page_of(record.offset) } else { span.to };
                next = next.max(span.to);
                break;
            }
            if writer.out.len() >= bytes_max {
                next = record.offset;
                break;
            }
            writer.push(record);
        }
        if chunk.is_empty() {
            next = span.to;
        }
        let bytes: Bytes = match place {
            Some((mut held, room)) => {
                // One record may be larger than a page; it is not held back for that.
                let _ = held.grow(writer.out.capacity(), room);
                held.shrunk(writer.out.capacity()).with(writer.out)
            }
            None => writer.out.into(),
        };
        Self { bytes, index: writer.index, next, events: OnceLock::new() }
    }

    /// Which lines lie at or behind `from`, at most `count`.
    pub(in crate::http) fn behind(&self, from: Offset, count: usize) -> Range<usize> {
        let first = self.index.partition_point(|line| line.offset < from);
        first..self.index.len().min(first.saturating_add(count))
    }

    /// The offset of line `at`.
    pub(in crate::http) fn offset(&self, at: usize) -> Option<Offset> {
        self.index.get(at).map(|line| line.offset)
    }

    /// Lines as they are sent.
    pub(super) fn get(&self, lines: Range<usize>) -> &[u8] {
        let end_of = |count: usize| {
            count.checked_sub(1).and_then(|at| self.index.get(at)).map_or(0, |l| l.end as usize)
        };
        self.bytes.get(end_of(lines.start)..end_of(lines.end)).unwrap_or_default()
    }

    /// The events, decoded once, as long as there is room for them; `weigh` is told what they cost in
    /// bytes. Without room, each is decoded when it is asked for.
    pub(super) fn events(&self, room: &Room, weigh: impl FnOnce(usize)) -> Events<'_> {
        if self.events.get().is_none() {
            // Each attribute and the payload are copied out, in pieces that round up.
            let text = self.bytes.len() + self.bytes.len() / 4;
            let bytes = text + self.index.len() * size_of::<Event>();
            if let Some(held) = room.try_take(bytes) {
                self.events.get_or_init(|| {
                    weigh(bytes);
                    let events = self.index.iter().map(|line| self.decode(line)).collect();
                    Decoded { events, _held: held }
                });
            }
        }
        Events { lines: self, decoded: self.events.get() }
    }

    fn decode(&self, line: &Line) -> Option<Event> {
        let json = self.bytes.get(line.json.start as usize..line.json.end as usize)?;
        json::decode(json).ok()
    }

    /// What the page costs in bytes.
    pub(super) fn weight(&self) -> usize {
        self.bytes.len() + self.index.len() * size_of::<Line>()
    }
}

/// What a record takes beside what is stored: its place and time, its type once more, line breaks.
const AROUND_BYTES: usize = 200;

/// What a page of `chunk` will take, in bytes. A buffer that grew, and was cut to its length when it is
/// kept, would leave a hole in memory behind each page: thousands of readers held twice as much so.
fn capacity_for(chunk: &Chunk, span: Span, bytes_max: usize) -> usize {
    let mut bytes = 0;
    for record in chunk.records().take_while(|record| record.offset < span.to) {
        if bytes >= bytes_max {
            break;
        }
        bytes += record.value.len() + AROUND_BYTES;
    }
    bytes
}

/// Where the aligned page with `offset` begins.
fn page_of(offset: Offset) -> Offset {
    Offset::new(offset.get() - offset.get() % PAGE_OFFSETS).unwrap_or(offset)
}

struct Writer {
    form: Form,
    out: Vec<u8>,
    index: Vec<Line>,
    recorded: Recorded,
}

impl Writer {
    fn new(form: Form, bytes: usize) -> Self {
        Self {
            form,
            out: Vec::with_capacity(bytes),
            index: Vec::new(),
            recorded: Recorded::default(),
        }
    }

    fn push(&mut self, record: &StoredRecord) {
        if self.form == Form::Sse {
            self.head(record);
        }
        let start = self.out.len();
        append_json(record, &mut self.recorded, &mut self.out);
        // Outside strings a line break is but white space, and inside it is always escaped.
        for byte in self.out.iter_mut().skip(start) {
            if matches!(byte, b'\n' | b'\r') {
                *byte = b' ';
            }
        }
        let end = self.out.len();
        self.out.extend_from_slice(if self.form == Form::Sse { b"\n\n" } else { b"\n" });
        // A page ends before 4 GiB: a record has at most some MiB.
        let json = start as u32..end as u32;
        self.index.push(Line { offset: record.offset, json, end: self.out.len() as u32 });
    }

    /// `id` and `event`: what an event is must be known before its data.
    fn head(&mut self, record: &StoredRecord) {
        #[derive(Deserialize)]
        struct Typed {
            r#type: String,
        }
        self.out.extend_from_slice(format!("id: {}\n", record.offset).as_bytes());
        if let Ok(Typed { r#type }) = serde_json::from_slice(&record.value) {
            let name: String =
                r#type.chars().filter(|c| !matches!(c, '\n' | '\r' | '\0')).collect();
            self.out.extend_from_slice(format!("event: {name}\n").as_bytes());
        }
        self.out.extend_from_slice(b"data: ");
    }
}

/// The text of the newest recorded time: all records of a batch share it.
#[derive(Default)]
pub(in crate::http) struct Recorded(Option<(Timestamp, String)>);

impl Recorded {
    fn text(&mut self, time: Timestamp) -> &str {
        if self.0.as_ref().is_none_or(|(known, _)| *known != time) {
            self.0 = Some((time, time.to_string()));
        }
        self.0.as_ref().map_or("", |(_, text)| text)
    }
}

/// Appends a record as it is sent: the stored event with `sequence` and `recordedtime`.
pub(in crate::http) fn append_json(
    record: &StoredRecord,
    recorded: &mut Recorded,
    out: &mut Vec<u8>,
) {
    let sequence = record.offset.get().unsigned_abs();
    json::splice(&record.value, sequence, recorded.text(record.recorded), out);
}

#[cfg(test)]
impl Lines {
    /// A page of one piece without an index.
    pub(super) fn of(bytes: Bytes) -> Self {
        Self { bytes, index: Vec::new(), next: Offset::ZERO, events: OnceLock::new() }
    }
}
