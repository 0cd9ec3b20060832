//! Where a file of lines ends, and which of its last lines are whole. Pure on bytes.
//!
//! Only what lies behind the last sync can be torn, and that is one batch at most: lines are checked
//! as far back as a batch can reach, from there forward, and everything from the first flaw on is
//! cut. After a power cut a flaw may have whole lines behind it.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
};

use jiff::Timestamp;
use pluvio_log::Offset;

/// How far back lines are checked: more than a batch has. The supervisor's batches are smaller, but
/// for a single event, of which the log takes none above 16 MiB; escaping cannot make one longer.
const WINDOW_BYTES: u64 = 40 << 20;
/// `sequence` and `recordedtime` stand within so many bytes of a line's beginning.
const HEAD_BYTES: usize = 160;

/// What a file of lines ends with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tail {
    /// The length up to which all lines are whole.
    pub(super) bytes: u64,
    /// The offset of the last whole line; `None`: there is none.
    pub(super) last: Option<Offset>,
    /// When that was recorded, as it stood there when the file was opened.
    pub(super) recorded: Option<Timestamp>,
    /// The smallest offset of a whole line behind the first flaw.
    pub(super) stranded: Option<Offset>,
}

impl Tail {
    /// Reads the end of `file`.
    pub(super) fn read(file: &mut File) -> io::Result<Self> {
        let length = file.seek(SeekFrom::End(0))?;
        let from = length.saturating_sub(WINDOW_BYTES);
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::with_capacity(usize::try_from(length - from).unwrap_or_default());
        file.take(WINDOW_BYTES).read_to_end(&mut bytes)?;
        // In the middle of a file the first line is a part of one.
        let skipped = match from {
            0 => 0,
            _ => bytes.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1),
        };
        let (whole, last) = whole_lines(&bytes[skipped..]);
        let (last, recorded) = last.map_or((None, None), |line| (sequence(line), recorded(line)));
        let behind = bytes[skipped + whole..].split_inclusive(|byte| *byte == b'\n');
        let stranded = behind.filter(|line| is_whole(line)).filter_map(sequence).min();
        Ok(Self { bytes: from + (skipped + whole) as u64, last, recorded, stranded })
    }
}

/// Bytes of the whole lines at the beginning of `bytes`, and the last one.
fn whole_lines(bytes: &[u8]) -> (usize, Option<&[u8]>) {
    let (mut whole, mut last, mut last_line) = (0, None, None);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let sequence = sequence(line);
        if !is_whole(line) || sequence.is_none() || sequence <= last {
            break;
        }
        whole += line.len();
        (last, last_line) = (sequence, Some(line));
    }
    (whole, last_line)
}

fn is_whole(line: &[u8]) -> bool {
    line.ends_with(b"}\n") && !line.contains(&0)
}

/// The offset that a line carries.
fn sequence(line: &[u8]) -> Option<Offset> {
    let digits = attribute(line, "\"sequence\":\"")?;
    let is_padded = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_padded.then(|| digits.parse().ok())?.and_then(Offset::new)
}

/// Offset and recorded time of a file's first line, from its beginning.
pub(super) fn head(file: &mut File) -> io::Result<Option<(Offset, Timestamp)>> {
    let mut line = Vec::with_capacity(HEAD_BYTES);
    file.seek(SeekFrom::Start(0))?;
    file.take(HEAD_BYTES as u64).read_to_end(&mut line)?;
    Ok(sequence(&line).zip(recorded(&line)))
}

/// When the event of a line was recorded.
fn recorded(line: &[u8]) -> Option<Timestamp> {
    attribute(line, "\"recordedtime\":\"")?.parse().ok()
}

/// The value behind `key` near the beginning of a line.
fn attribute<'l>(line: &'l [u8], key: &str) -> Option<&'l str> {
    let head = line.get(..line.len().min(HEAD_BYTES))?;
    let head = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(head.get(..error.valid_up_to())?).ok()?,
    };
    head.split_once(key)?.1.split_once('"').map(|(value, _)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(bytes: &[u8]) -> (usize, Option<Offset>) {
        let (whole, last) = whole_lines(bytes);
        (whole, last.and_then(sequence))
    }

    fn line(offset: i64) -> Vec<u8> {
        format!(
            "{{\"specversion\":\"1.0\",\"sequence\":\"{offset:020}\",\
             \"recordedtime\":\"2026-11-20T10:00:00Z\",\"id\":\"ä\"}}\n"
        )
        .into_bytes()
    }

    fn at(offset: i64) -> Option<Offset> {
        Offset::new(offset)
    }

    #[test]
    fn a_torn_line_is_found_wherever_it_was_torn() {
        let (first, second) = (line(44), line(46));
        let both = [first.clone(), second].concat();
        assert_eq!(ends(&both), (both.len(), at(46)));
        for cut in first.len()..both.len() {
            assert_eq!(ends(&both[..cut]), (first.len(), at(44)), "{cut}");
        }
        for cut in 0..first.len() {
            assert_eq!(ends(&both[..cut]), (0, None), "{cut}");
        }
    }

    #[test]
    fn what_lies_behind_a_hole_is_not_trusted() {
        let (first, last) = (line(1), line(3));
        for hole in [vec![0; 90], [vec![0; 9], b"}\n".to_vec()].concat(), line(1), b"{}\n".to_vec()]
        {
            let bytes = [first.clone(), hole, last.clone()].concat();
            assert_eq!(ends(&bytes), (first.len(), at(1)));
        }
    }
}
