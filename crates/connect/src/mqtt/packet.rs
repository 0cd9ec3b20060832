//! Packets of both versions, as far as whoever only publishes needs them. Pure.
//!
//! The codec writes everything, and reads everything but acknowledgements: brokers answer a publish
//! with reasons that the specification keeps for other packets, and the codec takes those for
//! nonsense. It refuses answers that are larger than any broker has reason for.

use std::num::NonZeroU16;

use bytes::{Buf as _, Bytes, BytesMut};
use rmqtt_codec::{
    error::{DecodeError, EncodeError},
    types::{MQTT_LEVEL_311, Protocol, Publish, QoS},
    v3,
    v5::{self, ConnectAckReason, DisconnectReasonCode},
};
use tokio_util::codec::{Decoder as _, Encoder as _};

use super::config::Version;

/// Longest answer that is read: reasons are texts of a line.
const ANSWER_BYTES_MAX: u32 = 64 << 10;
/// So many may be on their way in 3.1.1, where a broker cannot say how many: of more than 20 with
/// quality of service 2, Mosquitto 2.0 completes some and hands them to nobody.
const RECEIVE_MAX_OF_THREE: u16 = 10;
const PUBACK: u8 = 0x40;
const PUBREC: u8 = 0x50;
const PUBREL: u8 = 0x60;
const PUBCOMP: u8 = 0x70;
const PUBLISH: u8 = 0x30;
const REASON_STRING: u8 = 0x1f;

/// The reason code of a topic that the broker does not have.
pub(super) const TOPIC_NAME_INVALID: u8 = 0x90;

/// Writes and reads one version.
#[derive(Debug)]
pub(super) enum Codec {
    Three(v3::Codec),
    Five(v5::Codec),
}

/// What a login says.
#[derive(Debug)]
pub(super) struct Hello<'a> {
    pub(super) client_id: &'a str,
    pub(super) username: Option<&'a str>,
    pub(super) password: Option<&'a str>,
    pub(super) keep_alive_s: u16,
}

/// What a broker says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answer {
    /// We are in.
    Granted(Granted),
    /// We are not, as 5 says it.
    Refused(ConnectAckReason, Option<String>),
    /// We are not, as 3.1.1 says it.
    RefusedThree(v3::ConnectAckReason),
    /// It has a publish (PUBREC); a release is due, unless the reason is an error.
    Received(Ack),
    /// It has a publish for good (PUBACK, PUBCOMP), or says why not.
    Acked(Ack),
    /// It hands us a message that nobody asked for, of which so many bytes are still to come and are
    /// left aside; with an answer that it waits for.
    Unasked { rest: usize, answer: Option<[u8; 4]> },
    /// It is there.
    Pong,
    /// It ends the connection.
    Ended(DisconnectReasonCode, Option<String>),
}

/// What a broker lets us do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Granted {
    /// So many publishes may be on their way.
    pub(super) receive_max: u16,
    pub(super) qos_max: QoS,
    pub(super) can_retain: bool,
    pub(super) packet_bytes_max: Option<u32>,
    /// It wants a packet so often, whatever we said.
    pub(super) keep_alive_s: Option<u16>,
}

/// An answer to a publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ack {
    pub(super) id: u16,
    /// Of MQTT 5; 0 in 3.1.1.
    pub(super) reason: u8,
    pub(super) text: Option<String>,
}

impl Ack {
    /// Reasons from 0x80 on are errors.
    pub(super) fn is_error(&self) -> bool {
        self.reason >= 0x80
    }
}

impl Codec {
    pub(super) fn new(version: Version) -> Self {
        match version {
            Version::Three => Self::Three(v3::Codec::new(ANSWER_BYTES_MAX)),
            Version::Five => Self::Five(v5::Codec::new(ANSWER_BYTES_MAX, 0)),
        }
    }

    /// Appends a login, always to a new session.
    pub(super) fn hello(
        &mut self,
        hello: &Hello<'_>,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        let text = |text: Option<&str>| text.map(str::to_owned);
        let password = text(hello.password).map(Bytes::from);
        let username = text(hello.username).map(Into::into);
        match self {
            Self::Three(codec) => {
                let connect = v3::Connect {
                    protocol: Protocol(MQTT_LEVEL_311),
                    clean_session: true,
                    keep_alive: hello.keep_alive_s,
                    client_id: hello.client_id.to_owned().into(),
                    username,
                    password,
                    ..v3::Connect::default()
                };
                codec.encode(connect.into(), out)
            }
            Self::Five(codec) => {
                let connect = v5::Connect {
                    clean_start: true,
                    keep_alive: hello.keep_alive_s,
                    client_id: hello.client_id.to_owned().into(),
                    username,
                    password,
                    request_problem_info: true,
                    ..v5::Connect::default()
                };
                codec.encode(connect.into(), out)
            }
        }
    }

    /// Appends a publish, and gives its bytes; what cannot be written leaves nothing behind.
    pub(super) fn publish(
        &mut self,
        publish: Publish,
        bytes_max: usize,
        out: &mut BytesMut,
    ) -> Result<usize, String> {
        let from = out.len();
        let written = match self {
            Self::Three(codec) => codec.encode(publish.into(), out),
            Self::Five(codec) => codec.encode(publish.into(), out),
        };
        let bytes = out.len() - from;
        let refused = match written {
            Ok(()) if bytes <= bytes_max => return Ok(bytes),
            Ok(()) => format!("a packet of {bytes} bytes, and the broker takes {bytes_max}"),
            Err(error) => format!("it cannot be written as a packet of MQTT: {error}"),
        };
        out.truncate(from);
        Err(refused)
    }

    /// Appends the release of a publish that was received.
    pub(super) fn release(
        &mut self,
        id: NonZeroU16,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        match self {
            Self::Three(codec) => codec.encode(v3::Packet::PublishRelease { packet_id: id }, out),
            Self::Five(codec) => {
                let release = v5::PublishAck2 {
                    packet_id: id,
                    reason_code: v5::PublishAck2Reason::Success,
                    properties: Vec::new(),
                    reason_string: None,
                };
                codec.encode(v5::Packet::PublishRelease(release), out)
            }
        }
    }

    /// Appends a ping.
    pub(super) fn ping(&mut self, out: &mut BytesMut) -> Result<(), EncodeError> {
        match self {
            Self::Three(codec) => codec.encode(v3::Packet::PingRequest, out),
            Self::Five(codec) => codec.encode(v5::Packet::PingRequest, out),
        }
    }

    /// Appends a proper end.
    pub(super) fn bye(&mut self, out: &mut BytesMut) -> Result<(), EncodeError> {
        match self {
            Self::Three(codec) => codec.encode(v3::Packet::Disconnect, out),
            Self::Five(codec) => {
                let end = v5::Disconnect::new(DisconnectReasonCode::NormalDisconnection);
                codec.encode(v5::Packet::Disconnect(end), out)
            }
        }
    }

    /// Takes the next answer; `None`: more bytes are needed.
    pub(super) fn answer(&mut self, inbox: &mut BytesMut) -> Result<Option<Answer>, DecodeError> {
        if let Some(kind @ (PUBACK | PUBREC | PUBCOMP)) = inbox.first().copied() {
            let Some(ack) = ack(inbox)? else { return Ok(None) };
            // Who gets an error for an answer to a publish is not asked for a release.
            let is_received = kind == PUBREC && !ack.is_error();
            return Ok(Some(if is_received { Answer::Received(ack) } else { Answer::Acked(ack) }));
        }
        match inbox.first() {
            Some(first) if first & 0xf0 == PUBLISH => return unasked(inbox),
            Some(first) if first & 0xf0 == PUBREL => {
                let released = ack(inbox)?.map(|ack| answer_to(PUBCOMP, ack.id));
                return Ok(released.map(|answer| Answer::Unasked { rest: 0, answer: Some(answer) }));
            }
            _ => {}
        }
        match self {
            Self::Three(codec) => match codec.decode(inbox)? {
                Some((packet, _)) => answer_of_three(&packet).map(Some),
                None => Ok(None),
            },
            Self::Five(codec) => match codec.decode(inbox)? {
                Some((packet, _)) => answer_of_five(packet).map(Some),
                None => Ok(None),
            },
        }
    }
}

fn answer_of_three(packet: &v3::Packet) -> Result<Answer, DecodeError> {
    match packet {
        v3::Packet::ConnectAck(ack) => Ok(match ack.return_code {
            v3::ConnectAckReason::ConnectionAccepted => Answer::Granted(Granted {
                receive_max: RECEIVE_MAX_OF_THREE,
                qos_max: QoS::ExactlyOnce,
                can_retain: true,
                packet_bytes_max: None,
                keep_alive_s: None,
            }),
            reason => Answer::RefusedThree(reason),
        }),
        v3::Packet::PingResponse => Ok(Answer::Pong),
        _ => Err(DecodeError::UnsupportedPacketType),
    }
}

fn answer_of_five(packet: v5::Packet) -> Result<Answer, DecodeError> {
    match packet {
        v5::Packet::ConnectAck(ack) => Ok(match ack.reason_code {
            ConnectAckReason::Success => Answer::Granted(Granted {
                receive_max: ack.receive_max.get(),
                qos_max: ack.max_qos,
                can_retain: ack.retain_available,
                packet_bytes_max: ack.max_packet_size,
                keep_alive_s: ack.server_keepalive_sec,
            }),
            reason => Answer::Refused(reason, ack.reason_string.map(|text| text.to_string())),
        }),
        v5::Packet::PingResponse => Ok(Answer::Pong),
        v5::Packet::Disconnect(end) => {
            Ok(Answer::Ended(end.reason_code, end.reason_string.map(|text| text.to_string())))
        }
        _ => Err(DecodeError::UnsupportedPacketType),
    }
}

/// Takes PUBACK, PUBREC or PUBCOMP, in 3.1.1 without anything behind the packet id.
fn ack(inbox: &mut BytesMut) -> Result<Option<Ack>, DecodeError> {
    let Some((length, header)) = remaining_length(inbox)? else { return Ok(None) };
    if length > ANSWER_BYTES_MAX {
        return Err(DecodeError::MaxSizeExceeded { size: length, max: ANSWER_BYTES_MAX });
    }
    if inbox.len() < header + length as usize {
        return Ok(None);
    }
    inbox.advance(header);
    let mut body = inbox.split_to(length as usize);
    if body.len() < 2 {
        return Err(DecodeError::InvalidLength);
    }
    let id = body.get_u16();
    let reason = body.try_get_u8().unwrap_or(0);
    Ok(Some(Ack { id, reason, text: reason_string(&body) }))
}

/// Takes the beginning of a publish: some brokers subscribe whoever connects.
fn unasked(inbox: &mut BytesMut) -> Result<Option<Answer>, DecodeError> {
    let Some((length, header)) = remaining_length(inbox)? else { return Ok(None) };
    if length < 2 {
        return Err(DecodeError::InvalidLength);
    }
    let Some(body) = inbox.get(header..) else { return Ok(None) };
    let (kind, Some(topic)) = (inbox.first().copied().unwrap_or_default(), body.first_chunk())
    else {
        return Ok(None);
    };
    let qos = (kind >> 1) & 3;
    let (length, topic) = (length as usize, 2 + usize::from(u16::from_be_bytes(*topic)));
    let head = if qos == 0 { topic } else { topic + 2 };
    if head > length || qos > 2 {
        return Err(DecodeError::InvalidLength);
    }
    if body.len() < head {
        return Ok(None);
    }
    let id = body.get(topic..topic + 2).and_then(|id| id.first_chunk().copied());
    let id = u16::from_be_bytes(id.unwrap_or_default());
    let answer = match qos {
        0 => None,
        1 => Some(answer_to(PUBACK, id)),
        _ => Some(answer_to(PUBREC, id)),
    };
    let there = body.len().min(length);
    inbox.advance(header + there);
    Ok(Some(Answer::Unasked { rest: length - there, answer }))
}

/// The shortest form of an acknowledgement, which both versions have.
fn answer_to(kind: u8, id: u16) -> [u8; 4] {
    let [high, low] = id.to_be_bytes();
    [kind, 2, high, low]
}

/// The length behind the first byte, and how many bytes both take.
fn remaining_length(bytes: &[u8]) -> Result<Option<(u32, usize)>, DecodeError> {
    let mut length = 0_u32;
    for (at, byte) in bytes.iter().skip(1).take(4).enumerate() {
        length |= u32::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Ok(Some((length, at + 2)));
        }
    }
    if bytes.len() > 4 { Err(DecodeError::InvalidLength) } else { Ok(None) }
}

/// What the broker says in words, if that is its first property; others are for machines.
fn reason_string(properties: &[u8]) -> Option<String> {
    let first = properties.iter().position(|byte| byte & 0x80 == 0)? + 1;
    let mut rest = properties.get(first..)?;
    if rest.try_get_u8().ok()? != REASON_STRING {
        return None;
    }
    let length = rest.try_get_u16().ok()?;
    String::from_utf8(rest.get(..usize::from(length))?.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(version: Version, bytes: &[u8]) -> Result<Option<Answer>, DecodeError> {
        Codec::new(version).answer(&mut BytesMut::from(bytes))
    }

    fn ack(id: u16, reason: u8, text: Option<&str>) -> Ack {
        Ack { id, reason, text: text.map(str::to_owned) }
    }

    #[test]
    fn acknowledgements_are_read_with_every_reason_that_there_is() {
        for (bytes, expected) in [
            (&b"\x40\x02\x00\x07"[..], Answer::Acked(ack(7, 0, None))),
            (b"\x40\x03\x00\x07\x10", Answer::Acked(ack(7, 0x10, None))),
            (b"\x40\x04\x00\x07\x95\x00", Answer::Acked(ack(7, 0x95, None))),
            (b"\x40\x09\x00\x07\x87\x05\x1f\x00\x02no", Answer::Acked(ack(7, 0x87, Some("no")))),
            (b"\x50\x02\x01\x00", Answer::Received(ack(256, 0, None))),
            (b"\x50\x04\x01\x00\x97\x00", Answer::Acked(ack(256, 0x97, None))),
            (b"\x70\x02\x01\x00", Answer::Acked(ack(256, 0, None))),
            (b"\xd0\x00", Answer::Pong),
            (b"\xe0\x02\x8e\x00", Answer::Ended(DisconnectReasonCode::SessionTakenOver, None)),
        ] {
            let read = answer(Version::Five, bytes);
            assert!(matches!(&read, Ok(Some(read)) if *read == expected), "{bytes:?}: {read:?}");
            let part = answer(Version::Five, &bytes[..bytes.len() - 1]);
            assert!(matches!(part, Ok(None)), "{bytes:?} without its end: {part:?}");
        }
    }

    #[test]
    fn nonsense_is_an_error_and_never_a_large_buffer() {
        for bytes in
            [&b"\x40\x00"[..], b"\x40\xff\xff\xff\xff\x01", b"\x40\xff\xff\xff\x7f", b"\x30\x00"]
        {
            assert!(answer(Version::Five, bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn a_broker_says_what_it_can() {
        let three = answer(Version::Three, b"\x20\x02\x00\x05");
        let expected = Answer::RefusedThree(v3::ConnectAckReason::NotAuthorized);
        assert!(matches!(&three, Ok(Some(read)) if *read == expected), "{three:?}");
        // Receive maximum 10, quality of service up to 1, packets of up to 65,536 bytes.
        let five = b"\x20\x0d\x00\x00\x0a\x21\x00\x0a\x24\x01\x27\x00\x01\x00\x00";
        let expected = Answer::Granted(Granted {
            receive_max: 10,
            qos_max: QoS::AtLeastOnce,
            can_retain: true,
            packet_bytes_max: Some(65_536),
            keep_alive_s: None,
        });
        let five = answer(Version::Five, five);
        assert!(matches!(&five, Ok(Some(read)) if *read == expected), "{five:?}");
    }

    #[test]
    fn a_publish_that_is_too_large_leaves_nothing_behind() {
        let mut out = BytesMut::from(&b"before"[..]);
        let publish = Publish {
            dup: false,
            retain: false,
            qos: QoS::AtMostOnce,
            topic: "a".into(),
            packet_id: None,
            payload: Bytes::from_static(&[0; 100]),
            properties: None,
        };
        let mut codec = Codec::new(Version::Three);
        assert!(codec.publish(publish.clone(), 104, &mut out).is_err());
        assert_eq!(out, "before");
        assert!(codec.publish(publish, 105, &mut out).is_ok());
    }
}
