//! From the bytes of an HTTP/1.1 answer without end to the bytes of its body.
//!
//! Both servers that are compared are read through this: Pluvio sends chunks, the bare writer an
//! identity body, and a watcher must count the lines of neither's framing.

use anyhow::{Context as _, Result, bail};
use memchr::{memchr, memmem};

/// A longer head is no head.
const HEAD_BYTES_MAX: usize = 16 << 10;

/// One answer while it comes.
#[derive(Debug)]
pub(crate) struct Decoder {
    state: State,
}

#[derive(Debug)]
enum State {
    Head(Vec<u8>),
    Identity,
    /// Within the line that tells the next chunk's size.
    Size(Vec<u8>),
    /// Bytes of the chunk that are still to come.
    Chunk(usize),
    /// Bytes of the line break behind a chunk.
    Break(usize),
    Ended,
}

impl Decoder {
    pub(crate) fn new() -> Decoder {
        Decoder { state: State::Head(Vec::new()) }
    }

    /// Whether the head was read: the watch is open.
    pub(crate) fn is_open(&self) -> bool {
        !matches!(self.state, State::Head(_))
    }

    /// Takes what came from the socket and gives the body's part of it, piece by piece.
    pub(crate) fn feed(&mut self, mut bytes: &[u8], mut body: impl FnMut(&[u8])) -> Result<()> {
        while !bytes.is_empty() {
            bytes = match &mut self.state {
                State::Head(head) => {
                    let before = head.len();
                    head.extend_from_slice(bytes);
                    match memmem::find(head, b"\r\n\r\n") {
                        Some(at) => {
                            let rest = &bytes[at + 4 - before..];
                            self.state = after_head(&head[..at])?;
                            rest
                        }
                        None if head.len() > HEAD_BYTES_MAX => bail!("the answer has no head"),
                        None => return Ok(()),
                    }
                }
                State::Identity => {
                    body(bytes);
                    return Ok(());
                }
                State::Size(line) => match memchr(b'\n', bytes) {
                    Some(at) => {
                        line.extend_from_slice(&bytes[..at]);
                        let text = str::from_utf8(line)?.trim();
                        let size = usize::from_str_radix(text, 16);
                        let size = size.with_context(|| format!("`{text}` is no chunk size"))?;
                        self.state = if size == 0 { State::Ended } else { State::Chunk(size) };
                        &bytes[at + 1..]
                    }
                    None => {
                        line.extend_from_slice(bytes);
                        return Ok(());
                    }
                },
                State::Chunk(left) => {
                    let (now, rest) = bytes.split_at(bytes.len().min(*left));
                    body(now);
                    *left -= now.len();
                    if *left == 0 {
                        self.state = State::Break(2);
                    }
                    rest
                }
                State::Break(left) => {
                    let skipped = bytes.len().min(*left);
                    *left -= skipped;
                    if *left == 0 {
                        self.state = State::Size(Vec::new());
                    }
                    &bytes[skipped..]
                }
                State::Ended => return Ok(()),
            };
        }
        Ok(())
    }
}

fn after_head(head: &[u8]) -> Result<State> {
    let head = str::from_utf8(head)?.to_ascii_lowercase();
    let status = head.lines().next().unwrap_or_default();
    if !status.starts_with("http/1.1 200") {
        bail!("the watch was answered `{status}`");
    }
    let is_chunked = head.lines().any(|line| {
        line.strip_prefix("transfer-encoding:").is_some_and(|value| value.trim() == "chunked")
    });
    Ok(if is_chunked { State::Size(Vec::new()) } else { State::Identity })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(answer: &[u8], portion: usize) -> Vec<u8> {
        let (mut decoder, mut body) = (Decoder::new(), Vec::new());
        for bytes in answer.chunks(portion) {
            let fed = decoder.feed(bytes, |part| body.extend_from_slice(part));
            assert!(fed.is_ok(), "{fed:?}");
        }
        body
    }

    #[test]
    fn chunks_are_unwrapped_however_they_are_cut() {
        let answer = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
            3\r\na\nb\r\na\r\n\ncccccccc\n\r\n0\r\n\r\n";
        for portion in 1..answer.len() {
            assert_eq!(decoded(answer, portion), b"a\nb\ncccccccc\n", "in portions of {portion}");
        }
    }

    #[test]
    fn an_identity_body_is_passed_on() {
        assert_eq!(decoded(b"HTTP/1.1 200 OK\r\nserver: x\r\n\r\na\nb\n", 7), b"a\nb\n");
    }

    #[test]
    fn a_refusal_is_told() {
        let refused = Decoder::new().feed(b"HTTP/1.1 503 Full\r\n\r\n", |_| {});
        assert!(refused.is_err_and(|error| error.to_string().contains("503 full")));
    }
}
