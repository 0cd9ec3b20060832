//! Signed numbers in zigzag form, seven bits a byte, the least significant first.
//!
//! It refuses numbers that do not end within ten bytes, or that hold more than 64 bits.

/// Appends `number`.
pub(super) fn put(out: &mut Vec<u8>, number: i64) {
    let mut rest = zigzag(number);
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// Bytes that [`put`] appends.
pub(super) fn bytes(number: i64) -> usize {
    (64 - zigzag(number).leading_zeros() as usize).div_ceil(7).max(1)
}

fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

/// Takes a number from the front of `bytes`; `None` when there is none.
#[inline]
pub(super) fn take(bytes: &mut &[u8]) -> Option<i64> {
    let mut number = 0_u64;
    for (at, byte) in bytes.iter().take(10).enumerate() {
        let low = u64::from(byte & 0x7f);
        if at == 9 && low > 1 {
            return None;
        }
        number |= low << (7 * at);
        if byte & 0x80 == 0 {
            *bytes = &bytes[at + 1..];
            return Some((number >> 1) as i64 ^ -((number & 1) as i64));
        }
    }
    None
}

/// Takes a number that must fit 32 bits.
#[inline]
pub(super) fn take_i32(bytes: &mut &[u8]) -> Option<i32> {
    i32::try_from(take(bytes)?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_put_is_taken(number in any::<i64>(), shift in 0..64) {
            let number = number >> shift;
            let mut out = Vec::new();
            put(&mut out, number);
            prop_assert_eq!(out.len(), bytes(number));
            let mut rest = out.as_slice();
            prop_assert_eq!(take(&mut rest), Some(number));
            prop_assert!(rest.is_empty());
        }
    }

    #[test]
    fn a_number_that_does_not_end_is_refused() {
        assert_eq!(take(&mut &[0xff; 9][..]), None);
        assert_eq!(take(&mut &[0xff; 20][..]), None);
        assert_eq!(take(&mut &[][..]), None);
    }

    #[test]
    fn a_number_of_more_than_64_bits_is_refused() {
        let mut longest = [0xff_u8; 10];
        longest[9] = 1;
        assert_eq!(take(&mut &longest[..]), Some(i64::MIN));
        longest[9] = 2;
        assert_eq!(take(&mut &longest[..]), None);
    }

    #[test]
    fn a_number_of_more_than_32_bits_is_no_length() {
        let mut out = Vec::new();
        put(&mut out, i64::from(i32::MAX) + 1);
        assert_eq!(take_i32(&mut out.as_slice()), None);
    }
}
