//! The methods of AMQP 0-9-1 that a publisher says and is told. Pure.

use bytes::{Buf as _, BufMut as _, BytesMut};

use super::{
    field::{put_field, put_long, put_short, put_table, short},
    frame::{CHANNEL, method},
    said::{Malformed, Refusal, Said},
};

const START: (u16, u16) = (10, 10);
const START_OK: (u16, u16) = (10, 11);
const TUNE: (u16, u16) = (10, 30);
const TUNE_OK: (u16, u16) = (10, 31);
const OPEN: (u16, u16) = (10, 40);
const OPEN_OK: (u16, u16) = (10, 41);
const CLOSE: (u16, u16) = (10, 50);
const CLOSE_OK: (u16, u16) = (10, 51);
const BLOCKED: (u16, u16) = (10, 60);
const UNBLOCKED: (u16, u16) = (10, 61);
const CHANNEL_OPEN: (u16, u16) = (20, 10);
const CHANNEL_OPEN_OK: (u16, u16) = (20, 11);
const CHANNEL_CLOSE: (u16, u16) = (20, 40);
const EXCHANGE_DECLARE: (u16, u16) = (40, 10);
const EXCHANGE_DECLARE_OK: (u16, u16) = (40, 11);
const BASIC_RETURN: (u16, u16) = (60, 50);
const BASIC_ACK: (u16, u16) = (60, 80);
const BASIC_NACK: (u16, u16) = (60, 120);
const CONFIRM_SELECT: (u16, u16) = (85, 10);
const CONFIRM_SELECT_OK: (u16, u16) = (85, 11);

/// What this client can be told. Without the last, a wrong password is a connection that is cut.
const CAPABILITIES: [&str; 4] =
    ["publisher_confirms", "basic.nack", "connection.blocked", "authentication_failure_close"];

/// Reads a method.
pub(super) fn said(mut payload: &[u8]) -> Result<Said, Malformed> {
    let bytes = &mut payload;
    let id = (u16_of(bytes)?, u16_of(bytes)?);
    Ok(match id {
        START => Said::Start,
        TUNE => {
            u16_of(bytes)?;
            let frame_max = bytes.try_get_u32().map_err(|_| Malformed)?;
            Said::Tune { frame_max, heartbeat_s: u16_of(bytes)? }
        }
        OPEN_OK | CHANNEL_OPEN_OK | EXCHANGE_DECLARE_OK | CONFIRM_SELECT_OK | CLOSE_OK => {
            Said::Done
        }
        BASIC_ACK | BASIC_NACK => {
            let tag = bytes.try_get_u64().map_err(|_| Malformed)?;
            let bits = bytes.try_get_u8().map_err(|_| Malformed)?;
            Said::Confirmed { tag, is_multiple: bits & 1 == 1, is_taken: id == BASIC_ACK }
        }
        BASIC_RETURN => {
            let refusal = refusal(bytes)?;
            let _exchange = short(bytes)?;
            Said::Returned { routing_key: short(bytes)?, refusal }
        }
        BLOCKED => Said::Blocked(short(bytes)?),
        UNBLOCKED => Said::Unblocked,
        CHANNEL_CLOSE => Said::ChannelClosed(refusal(bytes)?),
        CLOSE => Said::Closed(refusal(bytes)?),
        _ => Said::Nothing,
    })
}

/// Says who we are, by PLAIN.
pub(super) fn start_ok(out: &mut BytesMut, name: &str, username: &str, password: &str) {
    let mut arguments = BytesMut::new();
    put_table(&mut arguments, |table| {
        put_field(table, "product", "Pluvio");
        put_field(table, "version", env!("CARGO_PKG_VERSION"));
        put_field(table, "connection_name", name);
        put_short(table, "capabilities");
        table.put_u8(b'F');
        put_table(table, |capabilities| {
            for capability in CAPABILITIES {
                put_short(capabilities, capability);
                capabilities.put_slice(b"t\x01");
            }
        });
    });
    put_short(&mut arguments, "PLAIN");
    put_long(&mut arguments, format!("\0{username}\0{password}").as_bytes());
    put_short(&mut arguments, "en_US");
    method(out, 0, START_OK, &arguments);
}

/// Agrees, and opens a virtual host.
pub(super) fn open(out: &mut BytesMut, frame_max: u32, heartbeat_s: u16, virtual_host: &str) {
    let mut arguments = BytesMut::new();
    arguments.put_u16(CHANNEL);
    arguments.put_u32(frame_max);
    arguments.put_u16(heartbeat_s);
    method(out, 0, TUNE_OK, &arguments);
    arguments.clear();
    put_short(&mut arguments, virtual_host);
    arguments.put_slice(b"\0\0");
    method(out, 0, OPEN, &arguments);
}

/// Opens the channel.
pub(super) fn channel_open(out: &mut BytesMut) {
    method(out, CHANNEL, CHANNEL_OPEN, b"\0");
}

/// Asks whether an exchange is there: passively, and then its kind does not count.
pub(super) fn exchange(out: &mut BytesMut, exchange: &str) {
    const PASSIVE: u8 = 1;
    let mut arguments = BytesMut::new();
    arguments.put_u16(0);
    put_short(&mut arguments, exchange);
    put_short(&mut arguments, "topic");
    arguments.put_u8(PASSIVE);
    arguments.put_u32(0);
    method(out, CHANNEL, EXCHANGE_DECLARE, &arguments);
}

/// Wants confirms from here on.
pub(super) fn confirm_select(out: &mut BytesMut) {
    method(out, CHANNEL, CONFIRM_SELECT, b"\0");
}

/// Says good-bye.
pub(super) fn close(out: &mut BytesMut) {
    const REPLY_SUCCESS: u16 = 200;
    let mut arguments = BytesMut::new();
    arguments.put_u16(REPLY_SUCCESS);
    put_short(&mut arguments, "");
    arguments.put_u32(0);
    method(out, 0, CLOSE, &arguments);
}

fn refusal(bytes: &mut &[u8]) -> Result<Refusal, Malformed> {
    Ok(Refusal { code: u16_of(bytes)?, text: short(bytes)? })
}

fn u16_of(bytes: &mut &[u8]) -> Result<u16, Malformed> {
    bytes.try_get_u16().map_err(|_| Malformed)
}
