//! A write on its way: what was sent, what became of it, and whom the end of the link is blamed on.

use std::{collections::BTreeMap, time::Duration};

use fe2o3_amqp::link::SendError;
use fe2o3_amqp_types::messaging::{Outcome as Settled, Rejected as PeerRejected};
use futures::{future::BoxFuture, stream::FuturesUnordered};
use pluvio_log::Offset;
use pluvio_runtime::{Answers, Chain, Outcome};

use super::{
    config::Settings,
    error::{Blame, Error},
    said::Said,
};
use crate::outbound::per_event::{Fate, Tally};

/// An answer to a message that is on its way, with its offset.
type Underway = FuturesUnordered<BoxFuture<'static, (Offset, Result<Settled, SendError>)>>;

/// One write.
pub(super) struct Flight<'a> {
    /// What became of its events.
    pub(super) tally: Tally<'a, Error>,
    /// The answers that are still to come.
    pub(super) underway: Underway,
    /// What is on its way, and how large its event is.
    pub(super) open: BTreeMap<Offset, usize>,
    /// Why no more answers come.
    pub(super) failure: Option<SendError>,
}

impl<'a> Flight<'a> {
    /// Nothing is sent yet.
    pub(super) fn new(answers: &'a Answers) -> Self {
        Self {
            tally: Tally::new(answers),
            underway: FuturesUnordered::new(),
            open: BTreeMap::new(),
            failure: None,
        }
    }

    /// Takes in an answer.
    pub(super) fn note(
        &mut self,
        offset: Offset,
        settled: Result<Settled, SendError>,
        settings: &Settings,
    ) {
        match settled {
            Ok(settled) => {
                self.open.remove(&offset);
                self.tally.note(offset, fate(settled, settings));
            }
            // Settled without an outcome; the link is as good as before.
            Err(SendError::IllegalDeliveryState | SendError::NonTerminalDeliveryState) => {
                self.open.remove(&offset);
                let address = &settings.address;
                let why =
                    format!("`{address}` settled messages and did not say whether it took them");
                self.tally.note(offset, Fate::Later(Duration::ZERO, why));
            }
            Err(error) => self.failure = self.failure.take().or(Some(error)),
        }
    }

    /// What the end of the link says about those without an answer.
    pub(super) fn ended(self, error: Error, answers: &Answers) -> Outcome<Error> {
        let tally = self.tally.outcome();
        if matches!(tally, Outcome::NotConnected(_)) {
            return tally;
        }
        let largest = self.open.iter().max_by_key(|(_, bytes)| **bytes);
        match (error.blame(), self.open.last_key_value(), largest) {
            (Blame::Largest, _, Some((offset, bytes))) => {
                let reason = format!("an event of {bytes} bytes: {}", Chain(&error));
                answers.rejected(*offset, reason);
                Outcome::NotConnected(error)
            }
            (Blame::Some, Some((sent_to, _)), _) => Outcome::Broken { error, sent_to: *sent_to },
            _ => Outcome::NotConnected(error),
        }
    }
}

/// What the peer says to a message: `docs/sinks-refusals.md` has the table.
fn fate(settled: Settled, settings: &Settings) -> Fate<Error> {
    let address = &settings.address;
    let later = |why: String| Fate::Later(Duration::ZERO, why);
    match settled {
        Settled::Accepted(_) => Fate::Taken,
        Settled::Released(_) => later(format!(
            "`{address}` released messages: it does not take them now, or no queue is bound to it"
        )),
        Settled::Modified(_) => later(format!("`{address}` gave messages back as modified")),
        Settled::Rejected(PeerRejected { error: None }) => {
            Fate::Rejected("the broker rejects it, and does not say why".to_owned())
        }
        Settled::Rejected(PeerRejected { error: Some(error) }) => {
            let said = Said::from(&error);
            if said.is_about_all() {
                return Fate::Failed(Error::Refused { address: address.clone(), said });
            }
            match said.is_about_now() {
                true => later(format!("`{address}` does not take messages now: {said}")),
                false => Fate::Rejected(said.to_string()),
            }
        }
        #[expect(unreachable_patterns, reason = "the type has more with transactions")]
        _ => later(format!("`{address}` answered something unknown")),
    }
}
