//! What became of each event of a batch that was on its way at once, and of the batch therefore. Pure.
//!
//! It refuses to guess: an event without a fate has not arrived.

use std::time::Duration;

use pluvio_log::Offset;
use pluvio_runtime::{Outcome, Rejected};

/// What became of one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It has arrived.
    Taken,
    /// It never will, and why.
    Rejected(String),
    /// Not now.
    Later,
}

/// What became of a batch, by the fates of its events in order; `None`: not known.
pub fn outcome<E>(fates: Vec<(Offset, Option<Fate>)>) -> Outcome<E> {
    let is_settled = fates.iter().all(|(_, fate)| !matches!(fate, None | Some(Fate::Later)));
    if is_settled && fates.iter().any(|(_, fate)| *fate != Some(Fate::Taken)) {
        let rejected = fates.into_iter().filter_map(|(offset, fate)| match fate {
            Some(Fate::Rejected(reason)) => Some(Rejected { offset, reason }),
            _ => None,
        });
        return Outcome::Rejected(rejected.collect());
    }
    // What is rejected behind the last of these comes again, and is told then.
    match fates.iter().take_while(|(_, fate)| *fate == Some(Fate::Taken)).last() {
        Some((last, _)) => Outcome::AckedTo(*last),
        None => Outcome::Throttled(Duration::ZERO),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_fares_as_its_events_do() {
        use Fate::{Later, Taken};
        let bad = || Some(Fate::Rejected("bad".to_owned()));
        let one = "Rejected([Rejected { offset: Offset(1), reason: \"bad\" }])";
        for (fates, expected) in [
            (vec![Some(Taken), Some(Taken)], "AckedTo(Offset(1))"),
            (vec![Some(Taken), bad(), Some(Taken)], one),
            (vec![Some(Taken), bad()], one),
            (vec![Some(Taken), Some(Later), Some(Taken)], "AckedTo(Offset(0))"),
            (vec![Some(Taken), bad(), Some(Later)], "AckedTo(Offset(0))"),
            (vec![Some(Taken), None], "AckedTo(Offset(0))"),
            (vec![Some(Later), Some(Taken)], "Throttled(0ns)"),
            (vec![bad(), None], "Throttled(0ns)"),
        ] {
            let fates = (0..).filter_map(Offset::new).zip(fates).collect();
            let outcome: Outcome<std::io::Error> = outcome(fates);
            assert_eq!(format!("{outcome:?}"), expected);
        }
    }
}
