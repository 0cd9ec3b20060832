//! MessagePack, as far as the forward protocol needs it: JSON values go out, small frames come in.
//!
//! Pure. What comes in is bounded by who reads it, in bytes and here in depth. It refuses extension
//! types inwards: no server of the protocol sends one.

use serde_json::Value as Json;

/// How deeply a frame may be nested: the protocol's own are two deep.
const DEPTH_MAX: usize = 8;

/// Something that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// Nil, or a number, which nobody looks at.
    Other,
    /// A truth value.
    Bool(bool),
    /// Text or bytes: peers do not agree which.
    Bytes(Vec<u8>),
    /// Many.
    Array(Vec<Value>),
    /// Keys with values.
    Map(Vec<(Value, Value)>),
}

/// Why there is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// More bytes must come.
    More,
    /// It is none that is known here.
    Unknown,
}

impl Value {
    /// The text or bytes of a string.
    pub(super) fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// What stands under `key` in a map.
    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        let Self::Map(entries) = self else { return None };
        entries.iter().find(|(name, _)| name.bytes() == Some(key.as_bytes())).map(|(_, it)| it)
    }
}

/// Reads the value at the beginning of `bytes`; tells how long it is.
pub(super) fn read(bytes: &[u8]) -> Result<(Value, usize), Unread> {
    let mut reader = Reader { bytes, at: 0 };
    let value = reader.value(0)?;
    Ok((value, reader.at))
}

struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Result<Value, Unread> {
        if depth > DEPTH_MAX {
            return Err(Unread::Unknown);
        }
        let marker = self.take(1)?[0];
        match marker {
            0x00..=0x7f | 0xc0 | 0xe0..=0xff => Ok(Value::Other),
            0x80..=0x8f => self.map(usize::from(marker & 0x0f), depth),
            0x90..=0x9f => self.array(usize::from(marker & 0x0f), depth),
            0xa0..=0xbf => self.string(usize::from(marker & 0x1f)),
            0xc2 | 0xc3 => Ok(Value::Bool(marker == 0xc3)),
            0xc4 | 0xd9 => self.length(1).and_then(|length| self.string(length)),
            0xc5 | 0xda => self.length(2).and_then(|length| self.string(length)),
            0xc6 | 0xdb => self.length(4).and_then(|length| self.string(length)),
            0xcc | 0xd0 => self.take(1).map(|_| Value::Other),
            0xcd | 0xd1 => self.take(2).map(|_| Value::Other),
            0xca | 0xce | 0xd2 => self.take(4).map(|_| Value::Other),
            0xcb | 0xcf | 0xd3 => self.take(8).map(|_| Value::Other),
            0xdc => self.length(2).and_then(|count| self.array(count, depth)),
            0xdd => self.length(4).and_then(|count| self.array(count, depth)),
            0xde => self.length(2).and_then(|count| self.map(count, depth)),
            0xdf => self.length(4).and_then(|count| self.map(count, depth)),
            _ => Err(Unread::Unknown),
        }
    }

    fn take(&mut self, count: usize) -> Result<&[u8], Unread> {
        let end = self.at.checked_add(count).ok_or(Unread::Unknown)?;
        let taken = self.bytes.get(self.at..end).ok_or(Unread::More)?;
        self.at = end;
        Ok(taken)
    }

    fn length(&mut self, bytes: usize) -> Result<usize, Unread> {
        Ok(self.take(bytes)?.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)))
    }

    fn string(&mut self, length: usize) -> Result<Value, Unread> {
        self.take(length).map(|bytes| Value::Bytes(bytes.to_vec()))
    }

    /// Nothing is reserved by what a peer claims to send.
    fn array(&mut self, count: usize, depth: usize) -> Result<Value, Unread> {
        let mut values = Vec::new();
        for _ in 0..count {
            values.push(self.value(depth + 1)?);
        }
        Ok(Value::Array(values))
    }

    fn map(&mut self, count: usize, depth: usize) -> Result<Value, Unread> {
        let mut entries = Vec::new();
        for _ in 0..count {
            entries.push((self.value(depth + 1)?, self.value(depth + 1)?));
        }
        Ok(Value::Map(entries))
    }
}

/// Appends a JSON value.
pub(super) fn json(value: &Json, out: &mut Vec<u8>) {
    match value {
        Json::Null => out.push(0xc0),
        Json::Bool(value) => out.push(if *value { 0xc3 } else { 0xc2 }),
        Json::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => unsigned(number, out),
            (_, Some(number)) => negative(number, out),
            _ => {
                out.push(0xcb);
                out.extend_from_slice(&number.as_f64().unwrap_or_default().to_be_bytes());
            }
        },
        Json::String(value) => text(value, out),
        Json::Array(values) => {
            array(values.len(), out);
            values.iter().for_each(|value| json(value, out));
        }
        Json::Object(entries) => {
            map(entries.len(), out);
            for (key, value) in entries {
                text(key, out);
                json(value, out);
            }
        }
    }
}

/// Appends text.
pub(super) fn text(value: &str, out: &mut Vec<u8>) {
    head(value.len(), Some((0xa0, 31)), [Some(0xd9), Some(0xda), Some(0xdb)], out);
    out.extend_from_slice(value.as_bytes());
}

/// Appends bytes.
pub(super) fn bytes(value: &[u8], out: &mut Vec<u8>) {
    head(value.len(), None, [Some(0xc4), Some(0xc5), Some(0xc6)], out);
    out.extend_from_slice(value);
}

/// Appends the head of an array, whose values follow.
pub(super) fn array(count: usize, out: &mut Vec<u8>) {
    head(count, Some((0x90, 15)), [None, Some(0xdc), Some(0xdd)], out);
}

/// Appends the head of a map, whose keys and values follow.
pub(super) fn map(count: usize, out: &mut Vec<u8>) {
    head(count, Some((0x80, 15)), [None, Some(0xde), Some(0xdf)], out);
}

/// Appends a number that is not negative.
pub(super) fn unsigned(number: u64, out: &mut Vec<u8>) {
    match number {
        0..=0x7f => out.push(number as u8),
        0x80..=0xff => out.extend_from_slice(&[0xcc, number as u8]),
        0x100..=0xffff => {
            out.push(0xcd);
            out.extend_from_slice(&(number as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            out.push(0xce);
            out.extend_from_slice(&(number as u32).to_be_bytes());
        }
        _ => {
            out.push(0xcf);
            out.extend_from_slice(&number.to_be_bytes());
        }
    }
}

fn negative(number: i64, out: &mut Vec<u8>) {
    match i8::try_from(number) {
        Ok(small @ -32..=-1) => out.push(small as u8),
        _ => {
            out.push(0xd3);
            out.extend_from_slice(&number.to_be_bytes());
        }
    }
}

/// Appends a time with nanoseconds: the protocol's `EventTime`, extension type 0. Times that it cannot
/// tell, before 1970 and after 2106, become its first and its last second.
pub(super) fn event_time(time: jiff::Timestamp, out: &mut Vec<u8>) {
    let seconds = time.as_second().clamp(0, i64::from(u32::MAX)) as u32;
    let nanos = if time.as_second() < 0 { 0 } else { time.subsec_nanosecond().unsigned_abs() };
    out.extend_from_slice(&[0xd7, 0x00]);
    out.extend_from_slice(&seconds.to_be_bytes());
    out.extend_from_slice(&nanos.to_be_bytes());
}

/// Appends what tells kind and length: within the marker, or in 1, 2 or 4 bytes behind it.
fn head(length: usize, fixed: Option<(u8, usize)>, sized: [Option<u8>; 3], out: &mut Vec<u8>) {
    // Bodies are bounded far below 4 GiB.
    let length_32 = u32::try_from(length).unwrap_or(u32::MAX);
    if let Some((marker, _)) = fixed.filter(|(_, max)| length <= *max) {
        return out.push(marker | length as u8);
    }
    match (sized, length) {
        ([Some(marker), ..], 0..=0xff) => out.extend_from_slice(&[marker, length as u8]),
        ([_, Some(marker), _], 0..=0xffff) => {
            out.push(marker);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        ([.., marker], _) => {
            out.push(marker.unwrap_or_default());
            out.extend_from_slice(&length_32.to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        json(&serde_json::from_str(text).unwrap_or_default(), &mut out);
        out
    }

    /// By the examples of msgpack.org and its specification.
    #[test]
    fn json_is_written_as_others_read_it() {
        assert_eq!(packed(r#"{"compact":true,"schema":0}"#), b"\x82\xa7compact\xc3\xa6schema\x00");
        for (text, bytes) in [
            ("null", &b"\xc0"[..]),
            ("-1", b"\xff"),
            ("-33", b"\xd3\xff\xff\xff\xff\xff\xff\xff\xdf"),
            ("128", b"\xcc\x80"),
            ("65535", b"\xcd\xff\xff"),
            ("65536", b"\xce\x00\x01\x00\x00"),
            ("18446744073709551615", b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff"),
            ("1.5", b"\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00"),
            ("[[],\"é\"]", b"\x92\x90\xa2\xc3\xa9"),
        ] {
            assert_eq!(packed(text), bytes, "{text}");
        }
        for (length, head) in [(31, &b"\xbf"[..]), (32, b"\xd9\x20"), (256, b"\xda\x01\x00")] {
            assert!(packed(&format!("\"{}\"", "x".repeat(length))).starts_with(head), "{length}");
        }
        assert!(packed(&format!("\"{}\"", "x".repeat(65_536))).starts_with(b"\xdb\0\x01\0\0"));
    }

    #[test]
    fn a_frame_is_read_only_when_it_is_whole() {
        let mut frame = Vec::new();
        json(&serde_json::json!({"ack": "c1", "n": [1, -7, 1.5, null, 70_000]}), &mut frame);
        for end in 0..frame.len() {
            assert_eq!(read(&frame[..end]), Err(Unread::More), "{end}");
        }
        let value = read(&frame).map(|(value, length)| {
            (value.get("ack").and_then(Value::bytes).map(<[u8]>::to_vec), length)
        });
        assert_eq!(value, Ok((Some(b"c1".to_vec()), frame.len())));
    }

    #[test]
    fn what_is_no_frame_of_the_protocol_is_told() {
        assert_eq!(read(b"\xc7\x01\x00\x00"), Err(Unread::Unknown), "an extension");
        assert_eq!(read(&[0x91; 20]), Err(Unread::Unknown), "too deep");
        assert_eq!(read(b"\xdd\xff\xff\xff\xff"), Err(Unread::More), "nothing is reserved for it");
    }

    #[test]
    fn a_time_keeps_its_nanoseconds_and_one_that_cannot_be_told_is_the_nearest() {
        let packed = |text: &str| {
            let mut out = Vec::new();
            event_time(text.parse().unwrap_or_default(), &mut out);
            out
        };
        let told = b"\xd7\x00\x00\x00\x00\x01\x07\x5b\xcd\x15";
        assert_eq!(packed("1970-01-01T00:00:01.123456789Z"), told);
        assert_eq!(packed("1960-01-01T00:00:01.5Z"), b"\xd7\x00\0\0\0\0\0\0\0\0");
    }
}
