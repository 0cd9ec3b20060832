//! Undoing what texts are wrapped in on their way: escapes of JSON, of XML and HTML, and of addresses.
//!
//! All of them are undone at once, and with them go the differences that no secret lives by: letter case, and
//! `+` for a space. Whoever compares does the same to both sides, so that what was undone too much is
//! undone too much on both. It refuses to guess: what is no whole escape stays as it is.

use std::ops::Range;

use memchr::memchr3_iter;

/// The longest reference to a character that is read, `&#x0000002f;`, in bytes.
const REFERENCE_BYTES_MAX: usize = 12;

/// The characters that XML and HTML have a name for and that stand in secrets and addresses.
const NAMED: [(&[u8], u8); 37] = [
    (b"amp", b'&'),
    (b"apos", b'\''),
    (b"ast", b'*'),
    (b"bsol", b'\\'),
    (b"colon", b':'),
    (b"comma", b','),
    (b"commat", b'@'),
    (b"dollar", b'$'),
    (b"equals", b'='),
    (b"excl", b'!'),
    (b"grave", b'`'),
    (b"gt", b'>'),
    (b"hat", b'^'),
    (b"hyphen", b'-'),
    (b"lbrace", b'{'),
    (b"lbrack", b'['),
    (b"lcub", b'{'),
    (b"lowbar", b'_'),
    (b"lpar", b'('),
    (b"lsqb", b'['),
    (b"lt", b'<'),
    (b"num", b'#'),
    (b"percnt", b'%'),
    (b"period", b'.'),
    (b"plus", b'+'),
    (b"quest", b'?'),
    (b"quot", b'"'),
    (b"rbrace", b'}'),
    (b"rbrack", b']'),
    (b"rcub", b'}'),
    (b"rpar", b')'),
    (b"rsqb", b']'),
    (b"semi", b';'),
    (b"sol", b'/'),
    (b"tilde", b'~'),
    (b"verbar", b'|'),
    (b"vert", b'|'),
];

/// A text in which escapes were undone, and the way back.
#[derive(Default)]
pub(super) struct Plain {
    pub(super) bytes: Vec<u8>,
    /// For each escape, where it ends here and where it ended before; in between, both go on alike.
    steps: Vec<(usize, usize)>,
}

impl Plain {
    /// Undoes the escapes of a folded text; `None` if there are none.
    pub(super) fn of(escaped: &[u8]) -> Option<Self> {
        let mut plain = Self::default();
        let mut done = 0;
        for at in memchr3_iter(b'%', b'\\', b'&', escaped) {
            // The second half of an escape.
            if at < done {
                continue;
            }
            let Some((length, meant)) = escaped.get(at..).and_then(escape) else { continue };
            match meant {
                Meant::Byte(byte) => plain.put(escaped, &mut done, at, &[byte], at + length),
                Meant::Char(c) => {
                    let mut buffer = [0; 4];
                    let bytes = c.encode_utf8(&mut buffer).as_bytes();
                    plain.put(escaped, &mut done, at, bytes, at + length);
                }
            }
        }
        if plain.steps.is_empty() {
            return None;
        }
        plain.end(escaped, done..escaped.len());
        fold(&mut plain.bytes);
        Some(plain)
    }

    /// What stood before from `done` to `from` stays, and what stood from there to `to` becomes `bytes`.
    pub(super) fn put(
        &mut self,
        before: &[u8],
        done: &mut usize,
        from: usize,
        bytes: &[u8],
        to: usize,
    ) {
        self.end(before, *done..from);
        self.bytes.extend_from_slice(bytes);
        *done = to;
        self.steps.push((self.bytes.len(), to));
    }

    /// What stood there before stays.
    pub(super) fn end(&mut self, before: &[u8], stays: Range<usize>) {
        self.bytes.extend_from_slice(before.get(stays).unwrap_or_default());
    }

    /// Where in the text before stood what stands `at` here.
    pub(super) fn back(&self, at: usize) -> usize {
        let behind = self.steps.partition_point(|(here, _)| *here <= at);
        let step = behind.checked_sub(1).and_then(|step| self.steps.get(step));
        step.map_or(at, |(here, before)| before + (at - here))
    }
}

/// Takes away the differences that no secret lives by.
pub(super) fn fold(text: &mut [u8]) {
    for byte in text {
        *byte = if *byte == b'+' { b' ' } else { byte.to_ascii_lowercase() };
    }
}

/// A letter or digit of a text.
#[derive(Clone, Copy)]
pub(super) struct Letter {
    /// In lower case.
    pub(super) c: char,
    /// The byte that it begins at.
    pub(super) at: usize,
}

/// The letters and digits of a folded text, and where they stand. One that a combining accent follows is left out,
/// and so are, by whoever looks for ASCII alone, those with an accent of their own: they are written in too many
/// ways.
pub(super) fn letters(text: &[u8]) -> Vec<Letter> {
    let mut letters: Vec<Letter> = Vec::with_capacity(text.len());
    let mut begin = 0;
    for chunk in text.utf8_chunks() {
        for (at, c) in chunk.valid().char_indices() {
            match c {
                '\u{300}'..='\u{36f}' => {
                    let before = letters.last().map(|it| it.at + it.c.len_utf8());
                    if before == Some(begin + at) {
                        letters.pop();
                    }
                }
                c if c.is_alphanumeric() => {
                    let c = c.to_lowercase().next().unwrap_or(c);
                    letters.push(Letter { c, at: begin + at });
                }
                _ => {}
            }
        }
        begin += chunk.valid().len() + chunk.invalid().len();
    }
    letters
}

/// What an escape stands for.
enum Meant {
    /// One of an encoded character's.
    Byte(u8),
    Char(char),
}

/// The escape that a folded text begins with, and how long it is.
fn escape(text: &[u8]) -> Option<(usize, Meant)> {
    match text {
        [b'\\', b'u', b'{', rest @ ..] => {
            let end = rest.iter().take(REFERENCE_BYTES_MAX).position(|byte| *byte == b'}')?;
            let c = char::from_u32(number(rest.get(..end)?, 16)?)?;
            // With `\u{` and `}`.
            Some((end + 4, Meant::Char(c)))
        }
        [b'%' | b'\\', b'u', rest @ ..] => {
            let unit = number(rest.get(..4)?, 16)?;
            let next = rest.get(4..).unwrap_or_default();
            if let Some(c) = char::from_u32(unit) {
                return Some((6, Meant::Char(c)));
            }
            let [b'%' | b'\\', b'u', rest @ ..] = next else { return None };
            let units = [unit, number(rest.get(..4)?, 16)?].map(|unit| unit as u16);
            let c = char::decode_utf16(units).next()?.ok()?;
            Some((12, Meant::Char(c)))
        }
        [b'%', digits @ ..] => byte(digits).map(|byte| (3, byte)),
        [b'\\', b'x', b'{', rest @ ..] => {
            let end = rest.iter().take(REFERENCE_BYTES_MAX).position(|byte| *byte == b'}')?;
            let c = char::from_u32(number(rest.get(..end)?, 16)?)?;
            Some((end + 4, Meant::Char(c)))
        }
        [b'\\', b'x', digits @ ..] => byte(digits).map(|byte| (4, byte)),
        // In octal digits, as Python, C and git write a byte.
        [b'\\', b'0'..=b'3', ..] => {
            let byte = u8::try_from(number(text.get(1..4)?, 8)?).ok()?;
            Some((4, Meant::Byte(byte)))
        }
        [b'\\', b'n', ..] => Some((2, Meant::Byte(b'\n'))),
        [b'\\', b'r', ..] => Some((2, Meant::Byte(b'\r'))),
        [b'\\', b't', ..] => Some((2, Meant::Byte(b'\t'))),
        [b'\\', mark, ..] if mark.is_ascii_punctuation() => Some((2, Meant::Byte(*mark))),
        [b'&', rest @ ..] => {
            let end = rest.iter().take(REFERENCE_BYTES_MAX).position(|byte| *byte == b';')?;
            let meant = match rest.get(..end)? {
                [b'#', b'x', digits @ ..] => char::from_u32(number(digits, 16)?).map(Meant::Char),
                [b'#', digits @ ..] => char::from_u32(number(digits, 10)?).map(Meant::Char),
                name => match NAMED.iter().find(|it| it.0 == name) {
                    Some(it) => Some(Meant::Byte(it.1)),
                    // Most have a name for a letter with an accent, or for a sign.
                    None if is_name(name) => Some(Meant::Char(char::REPLACEMENT_CHARACTER)),
                    None => None,
                },
            };
            // With `&` and `;`.
            meant.map(|meant| (end + 2, meant))
        }
        _ => None,
    }
}

fn is_name(name: &[u8]) -> bool {
    name.len() > 1 && name.iter().all(u8::is_ascii_alphanumeric)
}

fn byte(digits: &[u8]) -> Option<Meant> {
    let byte = number(digits.get(..2)?, 16)?;
    u8::try_from(byte).ok().map(Meant::Byte)
}

fn number(digits: &[u8], radix: u32) -> Option<u32> {
    // A sign is none here.
    let is_digit = |byte: &u8| char::from(*byte).is_digit(radix);
    let text = std::str::from_utf8(digits).ok().filter(|_| digits.iter().all(is_digit))?;
    u32::from_str_radix(text, radix).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_escape_is_undone_and_what_is_none_stays() {
        for (escaped, expected) in [
            (r"a\/b\u002fc\u002Fd\x2fe\\", Some("a/b/c/d/e\\")),
            (r"\ud83d\ude00 \u00e9", Some("\u{1f600} \u{e9}")),
            ("%2f%2F%c3%a9%u002f", Some("//\u{e9}/")),
            ("&amp;&AMP;&#x2F;&#47;&#0047;&sol;", Some("&&////")),
            ("%2B", Some(" ")),
            (r"\u{e9}\x{e9}\303\251&eacute;", Some("\u{e9}\u{e9}\u{e9}\u{fffd}")),
            (r"100% \q \ud83d \u12 \u{} %2 &amplitude= &#x; &#+1; &; & \", None),
        ] {
            let mut folded = escaped.as_bytes().to_vec();
            fold(&mut folded);
            let plain =
                Plain::of(&folded).map(|it| String::from_utf8_lossy(&it.bytes).into_owned());
            assert_eq!(plain.as_deref(), expected, "{escaped}");
        }
    }

    #[test]
    fn the_way_back_leads_to_where_a_text_stood() {
        let plain = Plain::of(b"ab&amp;c%2fd").map(|it| [0, 2, 3, 4, 5, 6].map(|at| it.back(at)));
        assert_eq!(plain, Some([0, 2, 7, 8, 11, 12]));
    }
}
