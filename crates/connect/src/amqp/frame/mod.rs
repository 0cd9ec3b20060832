//! Whether a frame of AMQP 1.0 can be handed to the client. Pure, and without recursion.
//!
//! The client decodes with one call a level and reads by counts where the protocol has sizes as well.
//! Here a frame is walked first: nesting has a limit, every size lies within its parent and is exactly
//! what its elements take, so client and walk find the same values at the same places. Refused besides
//! is what the client reads otherwise than it is meant: arrays of anything that has elements of its
//! own, what follows the count of an empty array, and descriptors that are neither a number nor a
//! symbol. No broker sends these. What follows a transfer's performative is payload, not looked at.
//!
//! With what a peer says when it ends a link, a session or a connection the client is careless if the
//! stream ends right behind it, so these words are taken here.

#[cfg(test)]
mod tests;

use super::said::Said;

/// How deep types may be nested: links with filters reach eight.
pub(super) const DEPTH_MAX: usize = 32;
/// How many deliveries may be settled at once: as many as one write can have open, which is the most
/// that `batch_events` takes. The client looks for each number in the range, known or not.
pub(super) const SETTLED_MAX: u64 = 100_000;

/// Why a frame is not handed on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It would be too deep for the client's stack.
    #[error("the peer sent types nested more than {DEPTH_MAX} deep")]
    Nested,
    /// It would keep the client busy for minutes.
    #[error("the peer settled {count} deliveries at once; at most {SETTLED_MAX} can be open")]
    Settled {
        /// How many.
        count: u64,
    },
    /// It is larger than was offered.
    #[error("the peer sent a frame of {bytes} bytes; it was told to send at most {max}")]
    Large {
        /// Its size as it says itself.
        bytes: u32,
        /// The size that was offered.
        max: u32,
    },
    /// There is an array of lists, maps, arrays or described types.
    #[error("the peer sent an array whose elements are not simple, which is not supported")]
    Array,
    /// It is no AMQP 1.0.
    #[error("the peer sent a frame that is not valid")]
    Malformed,
}

/// Checks what stands behind a frame's header; nothing at all is a heartbeat. Gives the error with
/// which the peer ends something.
pub(super) fn check(body: &[u8]) -> Result<Option<Said>, Refusal> {
    if body.is_empty() {
        return Ok(None);
    }
    let mut performative = Reader(body);
    if performative.byte()? != DESCRIBED {
        return Err(Refusal::Malformed);
    }
    let kind = performative.descriptor()?;
    let behind = walk(body)?;
    if !behind.is_empty() && !kind.is(0x14, b"amqp:transfer:list") {
        return Err(Refusal::Malformed);
    }
    if kind.is(0x15, b"amqp:disposition:list") {
        let count = performative.settled().unwrap_or(0);
        if count > SETTLED_MAX {
            return Err(Refusal::Settled { count });
        }
    }
    if kind.is(0x16, b"amqp:detach:list") {
        return Ok(performative.said(2));
    }
    let is_end = kind.is(0x17, b"amqp:end:list") || kind.is(0x18, b"amqp:close:list");
    Ok(if is_end { performative.said(0) } else { None })
}

/// The code before a descriptor.
const DESCRIBED: u8 = 0x00;
/// The code of a list without elements, the one list without a size.
const LIST_OF_NONE: u8 = 0x45;

/// What is not read yet.
#[derive(Clone, Copy)]
struct Reader<'a>(&'a [u8]);

/// What kind a described type is of.
enum Descriptor<'a> {
    Code(u64),
    Name(&'a [u8]),
}

impl Descriptor<'_> {
    fn is(&self, code: u64, name: &[u8]) -> bool {
        match self {
            Self::Code(own) => *own == code,
            Self::Name(own) => *own == name,
        }
    }
}

/// A type whose elements are being walked.
struct Open {
    /// How many elements are still to come.
    elements: u64,
    /// How many bytes of the frame are behind it, if it says a size.
    behind: Option<usize>,
}

/// Walks one value; gives what follows it.
fn walk(body: &[u8]) -> Result<&[u8], Refusal> {
    let mut reader = Reader(body);
    let mut open = vec![Open { elements: 1, behind: None }];
    while let Some(innermost) = open.last_mut() {
        if innermost.elements == 0 {
            if innermost.behind.is_some_and(|behind| behind != reader.0.len()) {
                return Err(Refusal::Malformed);
            }
            open.pop();
            continue;
        }
        innermost.elements -= 1;
        match reader.byte()? {
            DESCRIBED => {
                reader.descriptor()?;
                open.push(Open { elements: 1, behind: None });
            }
            code @ (0xc0 | 0xc1 | 0xd0 | 0xd1) => {
                let (elements, behind) = reader.compound(code)?;
                open.push(Open { elements, behind: Some(behind) });
            }
            code @ (0xe0 | 0xf0) => reader.array(code)?,
            code => reader.simple(code)?,
        }
        // The first is the frame itself.
        if open.len() > DEPTH_MAX + 1 {
            return Err(Refusal::Nested);
        }
    }
    Ok(reader.0)
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Refusal> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Refusal::Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Refusal> {
        self.take(1)?.first().copied().ok_or(Refusal::Malformed)
    }

    /// A number of up to eight bytes.
    fn number(&mut self, bytes: usize) -> Result<u64, Refusal> {
        Ok(self.take(bytes)?.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte)))
    }

    /// As many bytes as a number of `width` bytes says.
    fn sized(&mut self, width: usize) -> Result<&'a [u8], Refusal> {
        let bytes = self.number(width)?;
        self.take(usize::try_from(bytes).map_err(|_| Refusal::Malformed)?)
    }

    fn descriptor(&mut self) -> Result<Descriptor<'a>, Refusal> {
        Ok(match self.byte()? {
            0x44 => Descriptor::Code(0),
            0x53 => Descriptor::Code(self.number(1)?),
            0x80 => Descriptor::Code(self.number(8)?),
            0xa3 => Descriptor::Name(self.sized(1)?),
            0xb3 => Descriptor::Name(self.sized(4)?),
            _ => return Err(Refusal::Malformed),
        })
    }

    /// Passes a value without elements. The high half of the code says its width.
    fn simple(&mut self, code: u8) -> Result<(), Refusal> {
        match code >> 4 {
            0x4 => self.take(0)?,
            0x5 => self.take(1)?,
            0x6 => self.take(2)?,
            0x7 => self.take(4)?,
            0x8 => self.take(8)?,
            0x9 => self.take(16)?,
            0xa => self.sized(1)?,
            0xb => self.sized(4)?,
            _ => return Err(Refusal::Malformed),
        };
        Ok(())
    }

    /// The head of a list or a map: its count of elements, and how many bytes are behind it.
    fn compound(&mut self, code: u8) -> Result<(u64, usize), Refusal> {
        let width = if code < 0xd0 { 1 } else { 4 };
        let size = usize::try_from(self.number(width)?).map_err(|_| Refusal::Malformed)?;
        let behind = self.0.len().checked_sub(size).ok_or(Refusal::Malformed)?;
        let elements = self.number(width)?;
        // A map's elements are pairs.
        let is_map = code & 1 == 1;
        if is_map && elements % 2 == 1 { Err(Refusal::Malformed) } else { Ok((elements, behind)) }
    }

    /// Passes an array: all its elements have one code, and none has elements of its own.
    fn array(&mut self, code: u8) -> Result<(), Refusal> {
        let width = if code < 0xf0 { 1 } else { 4 };
        let mut content = Reader(self.sized(width)?);
        let size = content.0.len() as u64;
        let count = content.number(width)?;
        if count == 0 {
            // The client leaves a code unread here, so nothing may follow it.
            let is_read = content.0.is_empty() || content.0.len() == 1 && self.0.is_empty();
            return if is_read { Ok(()) } else { Err(Refusal::Malformed) };
        }
        let code = content.byte()?;
        if code == LIST_OF_NONE || !(0x40..0xc0).contains(&code) {
            return Err(Refusal::Array);
        }
        // Elements may take no bytes at all.
        if count > size {
            return Err(Refusal::Malformed);
        }
        for _ in 0..count {
            content.simple(code)?;
        }
        if content.0.is_empty() { Ok(()) } else { Err(Refusal::Malformed) }
    }

    /// The head of a list, if it is one with elements: their count.
    fn list(&mut self) -> Option<u64> {
        let code = self.byte().ok().filter(|code| matches!(code, 0xc0 | 0xd0))?;
        self.compound(code).ok().map(|(elements, _)| elements)
    }

    /// How many deliveries the disposition whose list comes next is about. `None`: it does not say,
    /// and the client refuses it.
    fn settled(mut self) -> Option<u64> {
        self.list()?;
        let role = self.byte().ok()?;
        self.simple(role).ok()?;
        let first = self.unsigned()?;
        let last = self.unsigned().unwrap_or(first);
        Some(last.checked_sub(first)? + 1)
    }

    /// The error that is element number `place` of the list that comes next, behind simple ones.
    fn said(mut self, place: u64) -> Option<Said> {
        let elements = self.list()?;
        for _ in 0..place {
            let code = self.byte().ok()?;
            self.simple(code).ok()?;
        }
        if elements <= place || self.byte().ok()? != DESCRIBED {
            return None;
        }
        if !self.descriptor().ok()?.is(0x1d, b"amqp:error:list") {
            return None;
        }
        let elements = self.list()?;
        let condition = self.text()?;
        let description = if elements > 1 { self.text() } else { None };
        Some(Said { condition, description })
    }

    /// A symbol or a string.
    fn text(&mut self) -> Option<String> {
        let text = match self.byte().ok()? {
            0xa1 | 0xa3 => self.sized(1),
            0xb1 | 0xb3 => self.sized(4),
            _ => return None,
        };
        Some(String::from_utf8_lossy(text.ok()?).into_owned())
    }

    fn unsigned(&mut self) -> Option<u64> {
        match self.byte().ok()? {
            0x43 => Some(0),
            0x52 => self.number(1).ok(),
            0x70 => self.number(4).ok(),
            _ => None,
        }
    }
}
