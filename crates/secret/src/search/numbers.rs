//! Reading numbers as the bytes that they stand for: `[104, 85, 110]`, `<<104,85,110>>`, `68556e`, `0x68, 0x55`.
//!
//! Debug output of several languages prints bytes so, Erlang's terms too, and dumps. The text between the numbers
//! stays, for whoever looks for letters in a row leaves it out anyway. It refuses numbers that are parts of words.

use super::escape::{Plain, fold};

/// Fewer numbers are no text that is worth a look.
const NUMBERS_MIN: usize = 8;

/// How bytes are written as numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// One to three digits each.
    Decimal,
    /// Two digits each, some behind one another or each by itself; behind `0x` or `u+`, of which folding left
    /// `u `.
    Hexadecimal,
}

/// A folded text with its numbers read; `None` if there are few.
pub(super) fn read(text: &[u8], written: Written) -> Option<Plain> {
    let mut plain = Plain::default();
    let (mut at, mut done, mut count) = (0, 0, 0);
    while at < text.len() {
        let rest = text.get(at..).unwrap_or_default();
        let length = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
        if length == 0 {
            at += 1;
            continue;
        }
        let word = rest.get(..length).unwrap_or_default();
        let digits = digits_of(word, written);
        if written == Written::Hexadecimal && word == b"u" && rest.get(1) == Some(&b' ') {
            plain.put(text, &mut done, at, &[], at + 2);
        } else if let Some((bytes, before)) = digits {
            let width = (length - before) / bytes.len();
            plain.put(text, &mut done, at, &[], at + before);
            for (nth, byte) in bytes.iter().enumerate() {
                let from = at + before + nth * width;
                plain.put(text, &mut done, from, &[*byte], from + width);
            }
            count += bytes.len();
        }
        at += length;
    }
    if count < NUMBERS_MIN {
        return None;
    }
    plain.end(text, done..text.len());
    fold(&mut plain.bytes);
    Some(plain)
}

/// The bytes that a word stands for, if it is nothing but their numbers, all of one width, and how many bytes of
/// it stand before these.
fn digits_of(word: &[u8], written: Written) -> Option<(Vec<u8>, usize)> {
    match written {
        Written::Decimal => {
            let number = std::str::from_utf8(word).ok().filter(|it| it.len() <= 3)?;
            number.parse().ok().map(|byte| (vec![byte], 0))
        }
        Written::Hexadecimal => {
            // Behind a backslash, as PostgreSQL writes bytes, the `x` stands alone.
            let digits = [&b"0x"[..], b"x"].iter().find_map(|mark| word.strip_prefix(*mark));
            let digits = digits.unwrap_or(word);
            let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
            let (pairs, rest) = digits.as_chunks::<2>();
            let bytes: Option<Vec<u8>> = pairs.iter().map(|pair| byte(pair)).collect();
            let bytes = bytes.filter(|bytes| rest.is_empty() && !bytes.is_empty())?;
            Some((bytes, word.len() - digits.len()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_bytes_and_words_and_few_numbers_are_not() {
        let read = |text: &str, written| {
            let mut folded = text.as_bytes().to_vec();
            fold(&mut folded);
            read(&folded, written).map(|it| String::from_utf8_lossy(&it.bytes).into_owned())
        };
        let decimal = |text| read(text, Written::Decimal);
        let hexadecimal = |text| read(text, Written::Hexadecimal);
        assert_eq!(
            decimal("got <<104,85,110,116,101,114,50,33>> at 7000").as_deref(),
            Some("got <<h,u,n,t,e,r,2,!>> at 7000")
        );
        assert_eq!(decimal("1 of 12, 256 of a8"), None);
        assert_eq!(hexadecimal("of 68556E7465723233 x").as_deref(), Some("of hunter23 x"));
        let listed = "0x68, 0x55 6e:74=65=72 U+0032 U+0033";
        assert_eq!(hexadecimal(listed).as_deref(), Some("h, u n:t=e=r \u{0}2 \u{0}3"));
        assert_eq!(hexadecimal("bad beef, 12"), None);
    }
}
