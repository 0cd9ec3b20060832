//! The letters that were asked for, and in which order they are handed over.

use std::{ops::ControlFlow, path::Path};

use pluvio_event::{Event, json as envelope};
use pluvio_log::{Offset, StreamName, disk::RealDisk, inspect};
use pluvio_runtime::supervise::sink::{OFFSET, REASON, SINK};

use super::super::{attribute, visit};
use crate::{
    cli::DeadReplay,
    command::{Failed, log::folder},
};

/// Letters that are in memory at a time, by number and by stored bytes.
const LETTERS_MAX: usize = 1000;
const BYTES_MAX: usize = 8 << 20;

/// What is handed over again.
pub(super) struct Letter {
    /// The letter's own offset.
    pub(super) offset: i64,
    /// The event's offset in its stream.
    pub(super) original: Option<Offset>,
    pub(super) event: Event,
}

/// The letters that were asked for, some at a time.
pub(super) struct Letters<'a> {
    configuration: &'a Path,
    options: &'a DeadReplay,
    stream: StreamName,
    next: Offset,
    /// Letters without an event that could be handed over.
    pub(super) unreadable: u64,
}

impl<'a> Letters<'a> {
    pub(super) fn new(
        configuration: &'a Path,
        options: &'a DeadReplay,
        stream: &StreamName,
    ) -> Result<Self, Failed> {
        let next = i64::try_from(options.from).ok().and_then(Offset::new);
        let next = next.ok_or_else(|| Failed::Usage("`--from` is beyond the last".to_owned()))?;
        Ok(Self { configuration, options, stream: stream.clone(), next, unreadable: 0 })
    }

    /// Visits those that were asked for from `from` on; gives the offset behind the last one looked at.
    fn each(
        &self,
        from: Offset,
        mut visitor: impl FnMut(i64, &Event) -> ControlFlow<()>,
    ) -> Result<Offset, Failed> {
        let DeadReplay { sink, reason, to, dir, .. } = self.options;
        let mut behind = from;
        let mut look = |offset: i64, letter: &Event| {
            if to.is_some_and(|to| offset.unsigned_abs() > to) {
                return ControlFlow::Break(());
            }
            behind = Offset::new(offset + 1).unwrap_or(behind);
            let has_reason = |text: &String| attribute(letter, REASON.as_str()).contains(text);
            let is_meant =
                attribute(letter, SINK.as_str()) == *sink && reason.as_ref().is_none_or(has_reason);
            if is_meant { visitor(offset, letter) } else { ControlFlow::Continue(()) }
        };
        visit(self.configuration, dir.as_deref(), &self.stream, from, &mut look)?;
        Ok(behind)
    }

    /// How many were asked for.
    pub(super) fn count(&self) -> Result<u64, Failed> {
        let mut count = 0;
        self.each(self.next, |_, _| {
            count += 1;
            ControlFlow::Continue(())
        })?;
        Ok(count)
    }

    /// The next ones, in no order; empty behind the last.
    pub(super) fn some(&mut self) -> Result<Vec<Letter>, Failed> {
        let (mut letters, mut bytes) = (Vec::new(), 0);
        let (mut omitted, mut unreadable) = (Vec::new(), 0);
        self.next = self.each(self.next, |offset, letter| {
            match letter.data().map(|data| envelope::decode(data.as_bytes())) {
                Some(Ok(event)) => {
                    bytes += letter.data().map_or(0, pluvio_event::Data::len);
                    letters.push(Letter { offset, original: original_of(letter), event });
                }
                Some(Err(_)) => unreadable += 1,
                None => omitted.push((offset, original_of(letter))),
            }
            let is_enough = letters.len() + omitted.len() >= LETTERS_MAX || bytes >= BYTES_MAX;
            if is_enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        self.unreadable += unreadable;
        for (offset, original) in omitted {
            match self.stored(original)? {
                Some(event) => letters.push(Letter { offset, original, event }),
                None => self.unreadable += 1,
            }
        }
        Ok(letters)
    }

    /// An original that was too large for its letter: it lies in its stream, unless retention took it.
    fn stored(&self, original: Option<Offset>) -> Result<Option<Event>, Failed> {
        let Some(original) = original else { return Ok(None) };
        let folder = folder(self.configuration, self.options.dir.as_deref())?;
        let mut found = None;
        let mut first = |record: inspect::Dumped| {
            if record.offset == original.get() {
                found = record.value.as_deref().and_then(|value| envelope::decode(value).ok());
            }
            ControlFlow::Break(())
        };
        let dumped = inspect::dump(&RealDisk, &folder, &self.stream, original, &mut first);
        dumped.map_err(crate::command::log::failed)?;
        Ok(found)
    }
}

/// Where the event of a letter lay.
pub(super) fn original_of(letter: &Event) -> Option<Offset> {
    attribute(letter, OFFSET.as_str()).parse().ok().and_then(Offset::new)
}

/// Puts letters into the order of their originals, in as many rounds as some offset is that of several
/// originals: of two logs, one of which was put back from a copy. Those that do not say where their
/// original lay go last in the first round.
pub(super) fn rounds(mut letters: Vec<Letter>) -> Vec<Vec<Letter>> {
    letters.sort_by_key(|letter| (letter.original.is_none(), letter.original, letter.offset));
    let mut rounds: Vec<Vec<Letter>> = Vec::new();
    let (mut before, mut round) = (None, 0);
    for letter in letters {
        let is_same = letter.original.is_some() && letter.original == before;
        round = if is_same { round + 1 } else { 0 };
        before = letter.original;
        match rounds.get_mut(round) {
            Some(letters) => letters.push(letter),
            None => rounds.push(vec![letter]),
        }
    }
    rounds
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter((offset, original): (i64, Option<i64>)) -> Letter {
        let event = Event::builder("1", "urn:a", "t").build();
        let event = event.unwrap_or_else(|e| unreachable!("{e}"));
        Letter { offset, original: original.and_then(Offset::new), event }
    }

    #[test]
    fn letters_go_in_the_order_of_their_originals_and_two_of_one_offset_in_a_round_each() {
        let letters =
            [(0, Some(9)), (1, None), (2, Some(4)), (3, Some(9)), (4, None), (5, Some(7))];
        let rounds = rounds(letters.map(letter).into());
        let offsets = |round: &Vec<Letter>| round.iter().map(|it| it.offset).collect::<Vec<_>>();
        assert_eq!(rounds.iter().map(offsets).collect::<Vec<_>>(), [vec![2, 5, 0, 1, 4], vec![3]]);
    }
}
