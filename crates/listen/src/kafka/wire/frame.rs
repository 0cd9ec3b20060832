//! Length-prefixed frames out of a buffer that grows as bytes come.
//!
//! It refuses to reserve what a length promises: a frame takes memory as it arrives.

use bytes::{Buf, Bytes, BytesMut};

/// A length that is no request's: negative, or beyond the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("frame of {0} bytes")]
pub(crate) struct FrameTooLarge(i32);

/// Takes the next whole frame, if it is there.
pub(crate) fn take_frame(
    buffer: &mut BytesMut,
    bytes_max: usize,
) -> Result<Option<Bytes>, FrameTooLarge> {
    let Some(prefix) = buffer.first_chunk::<4>() else { return Ok(None) };
    let length = i32::from_be_bytes(*prefix);
    let bytes = usize::try_from(length).ok().filter(|bytes| *bytes <= bytes_max);
    let bytes = bytes.ok_or(FrameTooLarge(length))?;
    if buffer.len() < 4 + bytes {
        return Ok(None);
    }
    buffer.advance(4);
    Ok(Some(buffer.split_to(bytes).freeze()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_whole_or_not_at_all() {
        let mut buffer = BytesMut::from(&[0, 0, 0, 2, 1, 2, 0, 0, 0, 0, 0, 0, 0, 1][..]);
        assert_eq!(take_frame(&mut buffer, 2), Ok(Some(Bytes::from_static(&[1, 2]))));
        assert_eq!(take_frame(&mut buffer, 2), Ok(Some(Bytes::new())));
        assert_eq!(take_frame(&mut buffer, 2), Ok(None));
        buffer.extend_from_slice(&[9]);
        assert_eq!(take_frame(&mut buffer, 2), Ok(Some(Bytes::from_static(&[9]))));
    }

    #[test]
    fn a_frame_beyond_the_limit_is_refused_by_its_length_alone() {
        assert_eq!(take_frame(&mut BytesMut::from(&[0, 0, 0, 3][..]), 2), Err(FrameTooLarge(3)));
        // What a browser or a TLS client sends.
        assert!(take_frame(&mut BytesMut::from(&b"GET / HTTP/1.1"[..]), 1 << 20).is_err());
        assert!(take_frame(&mut BytesMut::from(&[255, 255, 255, 255][..]), 1 << 20).is_err());
    }
}
