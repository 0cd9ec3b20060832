//! Frames of AMQP 0-9-1, as far as whoever only publishes needs them: what they are, and how they are written.
//! Pure.
//!
//! ```text
//!   type │ channel │ size │ payload …                        │ 0xCE
//!    1   │  0 or 1 │      │ class, method, arguments         │       a method
//!    2   │       1 │      │ class, size of the body, properties │    begins a message
//!    3   │       1 │      │ a piece of the body              │
//!    8   │       0 │    0 │                                  │       a heartbeat
//! ```
//!
//! It refuses frames that are larger than agreed. How they are [read](super::read) is told elsewhere, for that needs
//! the [methods](super::method), which are written as frames.

use bytes::{BufMut as _, Bytes, BytesMut};

use super::field::{SHORT_BYTES_MAX, put_field, put_short, put_table};

/// What we agree to at most.
pub(super) const FRAME_BYTES_MAX: u32 = 128 << 10;
/// Type, channel, size and end.
pub(super) const OVERHEAD: usize = 8;
pub(super) const END: u8 = 0xce;
pub(super) const METHOD: u8 = 1;
pub(super) const HEADER: u8 = 2;
pub(super) const BODY: u8 = 3;
pub(super) const HEARTBEAT: u8 = 8;
/// The only channel.
pub(super) const CHANNEL: u16 = 1;
/// Class and method of a publish.
const BASIC_PUBLISH: (u16, u16) = (60, 40);
/// What is said first.
pub(super) const PROTOCOL: &[u8; 8] = b"AMQP\x00\x00\x09\x01";

pub(super) const CONTENT_TYPE: u16 = 1 << 15;
pub(super) const HEADERS: u16 = 1 << 13;
pub(super) const DELIVERY_MODE: u16 = 1 << 12;
pub(super) const MESSAGE_ID: u16 = 1 << 7;

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
    method(out, CHANNEL, BASIC_PUBLISH, &arguments);
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

pub(super) fn content_header(message: &Message) -> BytesMut {
    let mut header = BytesMut::new();
    header.put_u16(BASIC_PUBLISH.0);
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

pub(super) fn begin(out: &mut BytesMut, kind: u8, channel: u16, size: usize) {
    out.reserve(size + OVERHEAD);
    out.put_u8(kind);
    out.put_u16(channel);
    out.put_u32(u32::try_from(size).unwrap_or(u32::MAX));
}

#[cfg(test)]
mod tests {
    use bytes::Buf as _;

    use super::*;

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
