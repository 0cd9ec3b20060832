//! What a target says to each event, and how a write ends therefore: what all sinks share whose target
//! answers for single events.
//!
//! Answers are reported as they come. What says nothing for good about an event, trouble and patience,
//! is kept until the end of the write, because others may be answered for meanwhile. It refuses to
//! remember anything longer: the supervisor does.

use std::time::Duration;

use pluvio_log::Offset;
use pluvio_runtime::{Answers, Outcome};

/// What became of one event.
#[derive(Debug)]
pub enum Fate<E> {
    /// It has arrived.
    Taken,
    /// It never will, and why.
    Rejected(String),
    /// Not now; zero: it is not said for how long. Why, in the target's words.
    Later(Duration, String),
    /// The target says no, as it would to any event.
    Failed(E),
    /// The target says that it failed at this event, and not that it is the event's fault.
    Suspected(E),
}

/// The fates of one write.
#[derive(Debug)]
pub struct Tally<'a, E> {
    answers: &'a Answers,
    later: Option<(Duration, String)>,
    failure: Option<E>,
    suspected: Option<(E, Offset)>,
}

impl<'a, E> Tally<'a, E> {
    /// Nothing is known yet.
    pub fn new(answers: &'a Answers) -> Self {
        Self { answers, later: None, failure: None, suspected: None }
    }

    /// Reports or notes what became of an event. Of several troubles the first is told, and the
    /// longest patience.
    pub fn note(&mut self, offset: Offset, fate: Fate<E>) {
        match fate {
            Fate::Taken => self.answers.taken(offset),
            Fate::Rejected(reason) => self.answers.rejected(offset, reason),
            Fate::Later(wait, why) => {
                if self.later.as_ref().is_none_or(|(longest, _)| wait > *longest) {
                    self.later = Some((wait, why));
                }
            }
            Fate::Failed(error) => self.failure = self.failure.take().or(Some(error)),
            Fate::Suspected(error) => {
                let (error, last) = self.suspected.take().unwrap_or((error, offset));
                self.suspected = Some((error, last.max(offset)));
            }
        }
    }

    /// Whether more of the batch may be sent: not after what would hit every event, and not while
    /// Pluvio drains.
    pub fn may_send(&self) -> bool {
        self.failure.is_none() && self.answers.may_send()
    }

    /// Whether the target asked for patience.
    pub fn must_wait(&self) -> bool {
        self.later.is_some()
    }

    /// How the write ends: what was said of an event that has no answer is told.
    pub fn outcome(self) -> Outcome<E> {
        let Self { later, failure, suspected, .. } = self;
        match (failure, suspected, later) {
            (Some(error), ..) => Outcome::NotConnected(error),
            (None, Some((error, sent_to)), _) => Outcome::Broken { error, sent_to },
            (None, None, Some((wait, why))) => Outcome::Throttled { wait, why },
            (None, None, None) => Outcome::Answered,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How a write ends in which events fared so: `t`aken, `r`ejected, `w`ait, `f`ailed, `s`uspected.
    fn ends(fates: &str) -> (String, usize, usize) {
        let answers = Answers::default();
        let mut tally = Tally::new(&answers);
        for (offset, fate) in (0..).filter_map(Offset::new).zip(fates.chars()) {
            let fate = match fate {
                't' => Fate::Taken,
                'r' => Fate::Rejected("no".to_owned()),
                'w' => Fate::Later(Duration::ZERO, "busy".to_owned()),
                'f' => Fate::Failed("wrong address"),
                _ => Fate::Suspected("odd"),
            };
            tally.note(offset, fate);
        }
        let outcome = format!("{:?}", tally.outcome());
        let news = answers.take();
        (outcome, news.taken.len(), news.rejected.len())
    }

    #[test]
    fn answers_are_reported_whatever_else_happens_and_the_worst_of_it_is_told() {
        let broken = "Broken { error: \"odd\", sent_to: Offset(3) }";
        for (fates, outcome, taken, rejected) in [
            ("tttt", "Answered", 4, 0),
            ("trtr", "Answered", 2, 2),
            ("wtrt", "Throttled { wait: 0ns, why: \"busy\" }", 2, 1),
            ("wtft", "NotConnected(\"wrong address\")", 2, 0),
            ("wtst", "Broken { error: \"odd\", sent_to: Offset(2) }", 2, 0),
            ("wsrs", broken, 0, 1),
        ] {
            assert_eq!(ends(fates), (outcome.to_owned(), taken, rejected), "{fates}");
        }
    }
}
