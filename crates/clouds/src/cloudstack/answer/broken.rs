//! JSON that is none: where it breaks, and why if that is known.
//!
//! CloudStack counts rows in one query and reads them in another. If rows appear in between, its
//! serializer leaves out the beginning of the list and writes the end (`{"listeventsresponse":]}}`):
//! the first row is gone, so there is nothing to mend; asking again helps.

use std::fmt;

use super::super::mask::masked_around;

/// How much is shown on each side of the place.
const SIDE_BYTES_MAX: usize = 40;

/// Where and how an answer is broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenAnswer {
    /// How.
    pub flaw: Flaw,
    /// The byte at which it cannot be read on, from 0.
    pub at_byte: usize,
    /// How long it is.
    pub bytes: usize,
    /// What stands around the place, without secrets; some 80 bytes. Empty where the answer is not to be quoted.
    pub excerpt: String,
}

/// In which way an answer is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// Rows without the list's beginning: they appeared after the server had counted none. The next
    /// answer will be whole.
    RowsAfterCount,
    /// It ends too soon.
    Truncated,
    /// Anything else.
    Syntax,
}

impl BrokenAnswer {
    pub(in super::super) fn new(
        text: &str,
        error: &serde_json::Error,
        is_quotable: bool,
    ) -> BrokenAnswer {
        let at_byte = place(text, error.line(), error.column());
        let flaw = match error.is_eof() {
            true => Flaw::Truncated,
            false if has_rows_only(text, at_byte) => Flaw::RowsAfterCount,
            false => Flaw::Syntax,
        };
        let excerpt = if is_quotable { excerpt(text, at_byte) } else { String::new() };
        BrokenAnswer { flaw, at_byte, bytes: text.len(), excerpt }
    }
}

fn excerpt(text: &str, at_byte: usize) -> String {
    // Masked before it is cut, because a cut secret would not be found.
    let (before, behind) = masked_around(text, at_byte);
    let start = before.floor_char_boundary(before.len().saturating_sub(SIDE_BYTES_MAX));
    let end = behind.ceil_char_boundary(SIDE_BYTES_MAX.min(behind.len()));
    let excerpt = before[start..].chars().chain(behind[..end].chars());
    excerpt.map(|c| if c.is_control() { ' ' } else { c }).collect()
}

impl fmt::Display for BrokenAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flaw = match self.flaw {
            Flaw::RowsAfterCount => "rows appeared while the server counted them",
            Flaw::Truncated => "it ends too soon",
            Flaw::Syntax => "it is no valid JSON",
        };
        write!(f, "{flaw}: byte {} of {}", self.at_byte, self.bytes)?;
        match self.excerpt.as_str() {
            "" => Ok(()),
            excerpt => write!(f, ", near `{excerpt}`"),
        }
    }
}

/// serde_json counts lines and columns from 1, columns in bytes.
fn place(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    (before + column.saturating_sub(1)).min(text.len())
}

/// Whether the first value is missing where the list's remains stand.
fn has_rows_only(text: &str, at: usize) -> bool {
    let before = text.as_bytes().get(..at).unwrap_or_default().trim_ascii_end();
    let is_first = before.iter().filter(|byte| **byte == b':').count() == 1;
    let rest = text.as_bytes().get(at..).unwrap_or_default().trim_ascii();
    is_first && before.ends_with(b":") && matches!(rest.first(), Some(b',' | b']'))
}
