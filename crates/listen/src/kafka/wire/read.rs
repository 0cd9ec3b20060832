//! The few primitives of the protocol, read from a slice without trust.

/// Bytes that are no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    /// They end too early, or count more than they hold.
    #[error("malformed request: {0}")]
    Bytes(&'static str),
    /// They name more than a request may.
    #[error("the request's lists have too many elements")]
    TooMuch,
}

const ENDS: Malformed = Malformed::Bytes("it ends too early");

/// Reads from the front.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// What was not read yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.0
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(ENDS)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(ENDS)?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(crate) fn i16(&mut self) -> Result<i16, Malformed> {
        self.array().map(i16::from_be_bytes)
    }

    pub(crate) fn i32(&mut self) -> Result<i32, Malformed> {
        self.array().map(i32::from_be_bytes)
    }

    /// Seven bits a byte, the low ones first.
    pub(crate) fn varint(&mut self) -> Result<u32, Malformed> {
        let mut value = 0;
        for shift in (0..35).step_by(7) {
            let [byte] = self.array()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return u32::try_from(value).map_err(|_| Malformed::Bytes("a varint is too large"));
            }
        }
        Err(Malformed::Bytes("a varint does not end"))
    }

    /// A count of bytes or elements in a flexible version: one more than it is; zero is null.
    pub(super) fn compact_count(&mut self) -> Result<usize, Malformed> {
        self.varint().map(|count| count.saturating_sub(1) as usize)
    }

    /// Skips tagged fields, of which there may be `count_max`; how many there were.
    pub(crate) fn tags(&mut self, count_max: usize) -> Result<usize, Malformed> {
        let count = self.varint()? as usize;
        if count > count_max {
            return Err(Malformed::TooMuch);
        }
        for _ in 0..count {
            self.varint()?;
            let bytes = self.varint()?;
            self.take(bytes as usize)?;
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_end_and_fit() {
        assert_eq!(Reader::new(&[0x96, 0x01]).varint(), Ok(150));
        assert_eq!(Reader::new(&[0xff, 0xff, 0xff, 0xff, 0x0f]).varint(), Ok(u32::MAX));
        assert!(Reader::new(&[0xff, 0xff, 0xff, 0xff, 0x1f]).varint().is_err());
        assert!(Reader::new(&[0x80; 9]).varint().is_err());
        assert!(Reader::new(&[0x80]).varint().is_err());
    }
}
