//! Length-prefixed frames out of a buffer that grows as bytes come.
//!
//! A frame is a part of the buffer's memory, and so is what comes behind it. A buffer that has grown is
//! therefore left to the frame that it grew for, and another one is begun: a connection holds no more between
//! its requests, or while one of them waits, than it did before them.
//!
//! It refuses to reserve what a length promises: a frame takes memory as it arrives.

use bytes::{Buf, Bytes, BytesMut};

use crate::kafka::limits::FRAME_BYTES_FREE;

/// A length that is no request's: negative, or beyond the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("frame of {0} bytes")]
pub(crate) struct FrameTooLarge(i32);

/// What came and is not taken yet.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    bytes: BytesMut,
    /// Most bytes that were in this memory at a time.
    most: usize,
    /// Whether a frame was taken out of this memory.
    is_shared: bool,
}

impl Incoming {
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Where the next bytes go.
    pub(crate) fn space(&mut self) -> &mut BytesMut {
        &mut self.bytes
    }

    /// Takes the next whole frame, if it is there.
    pub(crate) fn take_frame(&mut self, bytes_max: usize) -> Result<Option<Bytes>, FrameTooLarge> {
        self.most = self.most.max(self.bytes.len());
        let frame = take_frame(&mut self.bytes, bytes_max)?;
        self.is_shared |= frame.is_some();
        // A beginning of a frame is copied once at most, for before it is whole none is taken; and so is
        // little behind a frame, for what it is copied to has not grown.
        let is_copied = frame.is_none() || self.bytes.len() <= FRAME_BYTES_FREE;
        if self.is_shared && self.has_grown() && is_copied {
            let bytes = BytesMut::from(&*self.bytes);
            *self = Self { most: bytes.len(), bytes, is_shared: false };
        }
        Ok(frame)
    }

    /// Whether its memory is larger than that which every connection may have.
    pub(crate) fn has_grown(&self) -> bool {
        self.most > FRAME_BYTES_FREE
    }
}

fn take_frame(buffer: &mut BytesMut, bytes_max: usize) -> Result<Option<Bytes>, FrameTooLarge> {
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

    /// So much memory stays with a buffer that `first` and then `rest` came into, once frames are gone.
    fn kept(first: &[u8], rest: &[u8]) -> usize {
        let mut incoming = Incoming::default();
        incoming.space().extend_from_slice(first);
        while let Ok(Some(_)) = incoming.take_frame(1 << 20) {}
        incoming.space().extend_from_slice(rest);
        while let Ok(Some(_)) = incoming.take_frame(1 << 20) {}
        // The most that is there without asking for more.
        let before = incoming.space().len();
        let mut most = 0;
        while incoming.space().try_reclaim(most + 1) {
            most += 1;
        }
        before + most
    }

    #[test]
    fn a_buffer_that_grew_for_a_request_goes_with_it_whatever_comes_behind() {
        let large = [&(1_i32 << 20).to_be_bytes()[..], &vec![7; 1 << 20]].concat();
        let small = [0, 0, 0, 2, 1, 2];
        let begun = [0, 0, 0, 9, 1];
        for behind in [&[][..], &small, &begun, &[&small[..], &begun].concat()] {
            let together = [&large[..], behind].concat();
            for (first, rest) in [(&together[..], &[][..]), (&large, behind)] {
                let kept = kept(first, rest);
                assert!(kept <= 2 * FRAME_BYTES_FREE, "{kept} behind {}", behind.len());
            }
        }
    }

    #[test]
    fn a_buffer_has_let_go_of_a_large_request_before_that_waits_unless_much_came_behind() {
        let large = [&(1_i32 << 20).to_be_bytes()[..], &vec![7; 1 << 20]].concat();
        for (behind, has_grown) in [(0, false), (FRAME_BYTES_FREE, false), (60_000, true)] {
            let mut incoming = Incoming::default();
            incoming.space().extend_from_slice(&large);
            incoming.space().extend_from_slice(&vec![0; behind]);
            let frame = incoming.take_frame(1 << 20);
            assert!(matches!(&frame, Ok(Some(frame)) if frame.len() == 1 << 20));
            assert_eq!((incoming.has_grown(), incoming.len()), (has_grown, behind));
            let is_its_own = frame.is_ok_and(|frame| frame.is_some_and(|frame| frame.is_unique()));
            assert_eq!(is_its_own, !has_grown, "{behind} behind");
        }
    }

    #[test]
    fn a_frame_beyond_the_limit_is_refused_by_its_length_alone() {
        assert_eq!(take_frame(&mut BytesMut::from(&[0, 0, 0, 3][..]), 2), Err(FrameTooLarge(3)));
        // What a browser or a TLS client sends.
        assert!(take_frame(&mut BytesMut::from(&b"GET / HTTP/1.1"[..]), 1 << 20).is_err());
        assert!(take_frame(&mut BytesMut::from(&[255, 255, 255, 255][..]), 1 << 20).is_err());
    }
}
