//! Bytes from the network, made safe: frames, request heads, and the shape of each request.
//!
//! ```text
//!  socket ─▶ frame (length, limit) ─▶ head (api, version, correlation) ─▶ shape ─▶ kafka-protocol
//! ```
//!
//! The codec `kafka-protocol` takes a list's length at its word and allocates for it: four bytes from
//! anybody could ask for 200 GB. So each request is first walked with its [shape](shape): every
//! length is checked against the bytes that are there, and the elements are counted. What passes
//! costs the codec no more than a small multiple of its bytes.
//!
//! Pure: nothing in here does I/O.

pub(super) mod api;
mod frame;
mod read;
pub(super) mod shape;

pub(super) use api::Api;
pub(super) use frame::Incoming;
pub(super) use read::{Malformed, Reader};

use bytes::Bytes;

use super::limits::{CLIENT_CHARS_MAX, REQUEST_ITEMS_MAX};

/// The beginning of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Which API, whether we know it or not.
    pub(super) key: i16,
    /// In which version.
    pub(super) version: i16,
    /// What the answer must repeat.
    pub(super) correlation: i32,
    /// What the client calls itself, as far as that is kept.
    pub(super) client: String,
}

impl Head {
    /// Reads a head of an API and version that are known to be flexible or not; `is_flexible` is
    /// asked once both are read.
    pub(super) fn read(
        reader: &mut Reader<'_>,
        is_flexible: impl FnOnce(i16, i16) -> bool,
    ) -> Result<Self, Malformed> {
        let (key, version) = (reader.i16()?, reader.i16()?);
        let correlation = reader.i32()?;
        let client = match reader.i16()? {
            length @ 0.. => reader.take(length.unsigned_abs().into())?,
            _ => &[],
        };
        let client = String::from_utf8_lossy(client).chars().take(CLIENT_CHARS_MAX).collect();
        if is_flexible(key, version) {
            reader.tags(REQUEST_ITEMS_MAX)?;
        }
        Ok(Self { key, version, correlation, client })
    }
}

/// Puts length and correlation before an answer's pieces; `None` if they are more bytes than a length
/// can say.
pub(super) fn framed(correlation: i32, has_tags: bool, body: Vec<Bytes>) -> Option<Vec<Bytes>> {
    let after_length = 4 + usize::from(has_tags) + body.iter().map(Bytes::len).sum::<usize>();
    let length = i32::try_from(after_length).ok()?;
    let mut head = Vec::with_capacity(9);
    head.extend_from_slice(&length.to_be_bytes());
    head.extend_from_slice(&correlation.to_be_bytes());
    if has_tags {
        head.push(0);
    }
    let mut pieces = Vec::with_capacity(1 + body.len());
    pieces.push(Bytes::from(head));
    pieces.extend(body);
    Some(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_up_to_its_tags_and_no_further() {
        let bytes = [0, 3, 0, 9, 0, 0, 0, 7, 0, 2, b'h', b'i', 1, 5, 2, 9, 9, 42];
        let mut reader = Reader::new(&bytes);
        let head = Head::read(&mut reader, |key, version| key == 3 && version >= 9);
        let client = "hi".to_owned();
        assert_eq!(head, Ok(Head { key: 3, version: 9, correlation: 7, client }));
        assert_eq!(reader.rest(), [42]);
        assert!(Head::read(&mut Reader::new(&bytes[..11]), |_, _| false).is_err());
    }

    #[test]
    fn a_name_that_a_client_has_is_kept_as_far_as_somebody_reads_it() {
        let bytes = [&[0, 3, 0, 9, 0, 0, 0, 7, 0x7f, 0xff][..], &[255; 0x7fff]].concat();
        let head = Head::read(&mut Reader::new(&bytes), |_, _| false);
        assert_eq!(head.map(|head| head.client.chars().count()), Ok(CLIENT_CHARS_MAX));
    }

    #[test]
    fn a_frame_counts_all_its_pieces() {
        let pieces = framed(7, true, vec![Bytes::from_static(b"ab"), Bytes::from_static(b"c")]);
        assert_eq!(
            pieces.unwrap_or_default().concat(),
            [0, 0, 0, 8, 0, 0, 0, 7, 0, b'a', b'b', b'c']
        );
    }
}
