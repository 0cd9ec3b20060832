//! The fields of methods and headers: short strings, long ones, and tables of texts. Pure.
//!
//! It refuses fields of other types, which whoever only publishes does not need.

use bytes::{Buf as _, BufMut as _, BytesMut};

use super::said::Malformed;

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
