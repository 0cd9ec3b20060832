//! Frames of AMQP 0-9-1, as far as whoever only publishes needs them. Pure.
//!
//! ```text
//!   type │ channel │ size │ payload …                        │ 0xCE
//!    1   │  0 or 1 │      │ class, method, arguments         │       a method
//!    2   │       1 │      │ class, size of the body, properties │    begins a message
//!    3   │       1 │      │ a piece of the body              │
//!    8   │       0 │    0 │                                  │       a heartbeat
//! ```
//!
//! It refuses frames that are larger than agreed, and everything that a consumer would be told.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

use super::method;

/// What we agree to at most.
pub(super) const FRAME_BYTES_MAX: u32 = 128 << 10;
/// Type, channel, size and end.
const OVERHEAD: usize = 8;
const END: u8 = 0xce;
const METHOD: u8 = 1;
const HEADER: u8 = 2;
const BODY: u8 = 3;
const HEARTBEAT: u8 = 8;
/// The only channel.
pub(super) const CHANNEL: u16 = 1;
/// What is said first.
pub(super) const PROTOCOL: &[u8; 8] = b"AMQP\x00\x00\x09\x01";

const CONTENT_TYPE: u16 = 1 << 15;
const HEADERS: u16 = 1 << 13;
const DELIVERY_MODE: u16 = 1 << 12;
const MESSAGE_ID: u16 = 1 << 7;

/// What a broker says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// It wants to know who we are.
    Start,
    /// How large frames may be, and how often it wants one in seconds; 0: it does not care.
    Tune { frame_max: u32, heartbeat_s: u16 },
    /// What was asked for last is done.
    Done,
    /// A publish, or all up to it, has arrived (`ack`), or has not (`nack`).
    Confirmed { tag: u64, is_multiple: bool, is_taken: bool },
    /// A message comes back; the message follows.
    Returned { routing_key: String, refusal: Refusal },
    /// What follows: of a message that comes back, its id, if it has one, and the bytes of its body.
    Header { message_id: Option<String>, bytes: u64 },
    /// Nothing is to be published, and why.
    Blocked(String),
    /// Everything may be published again.
    Unblocked,
    /// It ends the channel.
    ChannelClosed(Refusal),
    /// It ends the connection.
    Closed(Refusal),
    /// Nothing that concerns us.
    Nothing,
}

/// A code and its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// As in HTTP: 403, 404, …
    pub code: u16,
    /// In the broker's words, which begin with the name of the code.
    pub text: String,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.text, self.code)
    }
}

/// What came is no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no frame of AMQP 0-9-1")]
pub struct Malformed;

/// What is published for one event.
#[derive(Clone, Debug, Default)]
pub(super) struct Message {
    pub(super) routing_key: String,
    pub(super) content_type: Option<String>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) message_id: String,
    pub(super) is_persistent: bool,
    pub(super) body: Bytes,
}

/// Takes the next thing said; `None`: more bytes are needed.
pub(super) fn said(inbox: &mut BytesMut) -> Result<Option<Said>, Malformed> {
    let Some(header) = inbox.first_chunk::<7>() else {
        // Another protocol is told by its first byte.
        let is_frame = inbox.first().is_none_or(|kind| matches!(*kind, 1..=3 | HEARTBEAT));
        return if is_frame { Ok(None) } else { Err(Malformed) };
    };
    let [kind, _, _, size @ ..] = header;
    let (kind, size) = (*kind, u32::from_be_bytes(*size) as usize);
    if !matches!(kind, METHOD | HEADER | BODY | HEARTBEAT) || size > FRAME_BYTES_MAX as usize {
        return Err(Malformed);
    }
    if inbox.len() < size + OVERHEAD {
        return Ok(None);
    }
    let frame = inbox.split_to(size + OVERHEAD);
    if frame.last() != Some(&END) {
        return Err(Malformed);
    }
    let payload = frame.get(7..7 + size).ok_or(Malformed)?;
    match kind {
        METHOD => method::said(payload).map(Some),
        HEADER => Ok(Some(header_of_ours(payload).unwrap_or(Said::Nothing))),
        _ => Ok(Some(Said::Nothing)),
    }
}

/// Reads the header of a message of ours that comes back.
fn header_of_ours(mut bytes: &[u8]) -> Option<Said> {
    let bytes = &mut bytes;
    bytes.try_get_u32().ok()?;
    let body_bytes = bytes.try_get_u64().ok()?;
    let flags = bytes.try_get_u16().ok()?;
    if flags & !(CONTENT_TYPE | HEADERS | DELIVERY_MODE | MESSAGE_ID) != 0 {
        return None;
    }
    if flags & CONTENT_TYPE != 0 {
        short(bytes).ok()?;
    }
    if flags & HEADERS != 0 {
        let length = bytes.try_get_u32().ok()? as usize;
        *bytes = bytes.get(length..)?;
    }
    if flags & DELIVERY_MODE != 0 {
        bytes.try_get_u8().ok()?;
    }
    let message_id = if flags & MESSAGE_ID != 0 { Some(short(bytes).ok()?) } else { None };
    Some(Said::Header { message_id, bytes: body_bytes })
}

/// Appends a method.
pub(super) fn method(out: &mut BytesMut, channel: u16, id: (u16, u16), arguments: &[u8]) {
    let size = arguments.len() + 4;
    begin(out, METHOD, channel, size);
    out.put_u16(id.0);
    out.put_u16(id.1);
    out.put_slice(arguments);
    out.put_u8(END);
}

/// Appends a heartbeat.
pub(super) fn heartbeat(out: &mut BytesMut) {
    begin(out, HEARTBEAT, 0, 0);
    out.put_u8(END);
}

/// Appends a publish; what cannot be written leaves nothing behind.
pub(super) fn publish(
    out: &mut BytesMut,
    exchange: &str,
    is_mandatory: bool,
    message: &Message,
    frame_max: u32,
) -> Result<(), String> {
    let mut arguments = BytesMut::new();
    arguments.put_u16(0);
    put_short(&mut arguments, exchange);
    put_short(&mut arguments, &message.routing_key);
    arguments.put_u8(u8::from(is_mandatory));
    let header = content_header(message);
    let piece_max = (frame_max as usize).saturating_sub(OVERHEAD).max(1);
    if header.len() > piece_max {
        let bytes = header.len();
        return Err(format!("its attributes have {bytes} bytes, and a frame takes {piece_max}"));
    }
    method(out, CHANNEL, method::BASIC_PUBLISH, &arguments);
    begin(out, HEADER, CHANNEL, header.len());
    out.put_slice(&header);
    out.put_u8(END);
    for piece in message.body.chunks(piece_max) {
        begin(out, BODY, CHANNEL, piece.len());
        out.put_slice(piece);
        out.put_u8(END);
    }
    Ok(())
}

fn content_header(message: &Message) -> BytesMut {
    let mut header = BytesMut::new();
    header.put_u16(method::BASIC_PUBLISH.0);
    header.put_u16(0);
    header.put_u64(message.body.len() as u64);
    let is_short = |text: &&String| text.len() <= SHORT_BYTES_MAX;
    let content_type = message.content_type.as_ref().filter(is_short);
    let message_id = Some(&message.message_id).filter(is_short);
    let flag = |is_there, flag| if is_there { flag } else { 0 };
    header.put_u16(
        flag(content_type.is_some(), CONTENT_TYPE)
            | flag(!message.headers.is_empty(), HEADERS)
            | DELIVERY_MODE
            | flag(message_id.is_some(), MESSAGE_ID),
    );
    if let Some(content_type) = content_type {
        put_short(&mut header, content_type);
    }
    if !message.headers.is_empty() {
        put_table(&mut header, |table| {
            for (name, value) in &message.headers {
                put_field(table, name, value);
            }
        });
    }
    header.put_u8(if message.is_persistent { 2 } else { 1 });
    if let Some(message_id) = message_id {
        put_short(&mut header, message_id);
    }
    header
}

/// A short string is no longer.
pub(super) const SHORT_BYTES_MAX: usize = 255;

/// Appends a short string, cut at what one can hold: names are checked before.
pub(super) fn put_short(out: &mut BytesMut, text: &str) {
    let text = text.get(..text.floor_char_boundary(SHORT_BYTES_MAX)).unwrap_or_default();
    out.put_u8(u8::try_from(text.len()).unwrap_or(u8::MAX));
    out.put_slice(text.as_bytes());
}

/// Appends a long string.
pub(super) fn put_long(out: &mut BytesMut, bytes: &[u8]) {
    out.put_u32(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
    out.put_slice(bytes);
}

/// Appends a text under a name.
pub(super) fn put_field(table: &mut BytesMut, name: &str, value: &str) {
    put_short(table, name);
    table.put_u8(b'S');
    put_long(table, value.as_bytes());
}

/// Appends a table.
pub(super) fn put_table(out: &mut BytesMut, fill: impl FnOnce(&mut BytesMut)) {
    let mut table = BytesMut::new();
    fill(&mut table);
    put_long(out, &table);
}

/// Takes a short string.
pub(super) fn short(bytes: &mut &[u8]) -> Result<String, Malformed> {
    let length = usize::from(bytes.try_get_u8().map_err(|_| Malformed)?);
    let text = bytes.get(..length).ok_or(Malformed)?;
    let text = String::from_utf8_lossy(text).into_owned();
    bytes.advance(length);
    Ok(text)
}

fn begin(out: &mut BytesMut, kind: u8, channel: u16, size: usize) {
    out.reserve(size + OVERHEAD);
    out.put_u8(kind);
    out.put_u16(channel);
    out.put_u32(u32::try_from(size).unwrap_or(u32::MAX));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(payload: &[u8]) -> BytesMut {
        let mut out = BytesMut::new();
        begin(&mut out, METHOD, 1, payload.len());
        out.put_slice(payload);
        out.put_u8(END);
        out
    }

    #[test]
    fn what_a_broker_says_is_read_whole_or_not_at_all() {
        let refusal = |code, text: &str| Refusal { code, text: text.to_owned() };
        for (payload, expected) in [
            (
                &b"\0\x0a\0\x1e\0\0\0\x02\0\0\0\x3c"[..],
                Said::Tune { frame_max: 131_072, heartbeat_s: 60 },
            ),
            (
                b"\0\x3c\0\x50\0\0\0\0\0\0\0\x07\x01",
                Said::Confirmed { tag: 7, is_multiple: true, is_taken: true },
            ),
            (
                b"\0\x3c\0\x78\0\0\0\0\0\0\0\x07\0",
                Said::Confirmed { tag: 7, is_multiple: false, is_taken: false },
            ),
            (b"\0\x0a\0\x3c\x03low", Said::Blocked("low".to_owned())),
            (b"\0\x14\0\x28\x01\x94\x02no\0\0\0\0", Said::ChannelClosed(refusal(404, "no"))),
            (b"\0\x0a\0\x32\x01\x93\x02no\0\0\0\0", Said::Closed(refusal(403, "no"))),
            (
                b"\0\x3c\0\x32\x01\x38\x08NO_ROUTE\x01x\x01k",
                Said::Returned { routing_key: "k".into(), refusal: refusal(312, "NO_ROUTE") },
            ),
        ] {
            let mut inbox = frame(payload);
            let mut part = BytesMut::from(&inbox[..inbox.len() - 1]);
            assert_eq!(said(&mut part), Ok(None), "{expected:?} without its end");
            assert_eq!(said(&mut inbox), Ok(Some(expected)));
            assert!(inbox.is_empty());
        }
    }

    #[test]
    fn the_header_of_a_message_that_comes_back_is_the_one_that_was_sent() {
        let headers = vec![("ce-a".to_owned(), "b".to_owned())];
        for content_type in [None, Some("application/json".to_owned())] {
            let message = Message {
                content_type,
                headers: headers.clone(),
                message_id: "urn:a 7".to_owned(),
                body: vec![7; 250].into(),
                ..Message::default()
            };
            let message_id = Some(message.message_id.clone());
            let sent = header_of_ours(&content_header(&message));
            assert_eq!(sent, Some(Said::Header { message_id, bytes: 250 }));
        }
    }

    #[test]
    fn another_protocol_and_nonsense_are_told() {
        let mut cut = frame(b"\0\x3c\0\x50\0");
        assert_eq!(said(&mut cut), Err(Malformed));
        for bytes in [&b"HTTP/1.1"[..], b"AMQP\0\x01\0\0", b"\x01\0\x01\xff\xff\xff\xff", b"\x15"] {
            assert_eq!(said(&mut BytesMut::from(bytes)), Err(Malformed), "{bytes:?}");
        }
    }

    #[test]
    fn a_large_body_goes_in_pieces() {
        let message = Message { body: vec![7; 250].into(), ..Message::default() };
        let mut out = BytesMut::new();
        assert_eq!(publish(&mut out, "x", true, &message, 108), Ok(()));
        let mut kinds = Vec::new();
        while out.len() > 7 {
            let size = u32::from_be_bytes([out[3], out[4], out[5], out[6]]) as usize;
            kinds.push((out[0], size));
            out.advance(size + OVERHEAD);
        }
        assert_eq!(kinds[2..], [(BODY, 100), (BODY, 100), (BODY, 50)]);
        let many = vec![("ce-a".to_owned(), "x".repeat(200))];
        let large = Message { headers: many, ..Message::default() };
        assert!(publish(&mut out, "x", true, &large, 108).is_err());
        assert!(out.is_empty());
    }
}
