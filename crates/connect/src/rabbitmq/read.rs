//! From bytes to what a broker says, frame by frame. Pure.
//!
//! It refuses frames that are larger than agreed, and another protocol at its first byte.

use bytes::{Buf as _, BytesMut};

use super::{
    field::short,
    frame::{
        BODY, CONTENT_TYPE, DELIVERY_MODE, END, FRAME_BYTES_MAX, HEADER, HEADERS, HEARTBEAT,
        MESSAGE_ID, METHOD, OVERHEAD,
    },
    method,
    said::{Malformed, Said},
};

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

#[cfg(test)]
mod tests {
    use bytes::BufMut as _;

    use super::*;
    use crate::rabbitmq::{
        frame::{Message, begin, content_header},
        said::Refusal,
    };

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
}
