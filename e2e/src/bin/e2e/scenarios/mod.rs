//! All scenarios, by what they try.

mod capture;
mod cloudstack;
mod configuration;
mod crashes;
mod crowd;
mod faults;
mod govc;
mod kafka;
mod lives;
mod log;
mod outage;
mod recorded;
mod requests;
mod servers;
mod sinks;
mod storm;
mod unreachable;

use crate::runner::Scenario;

/// All of them, the longest first in each lane.
///
/// `kills` is how often Pluvio is killed where that is the question.
pub(crate) fn all(kills: u32) -> Vec<Scenario> {
    [
        crashes::scenarios(kills),
        kafka::scenarios(),
        outage::scenarios(),
        storm::scenarios(),
        cloudstack::scenarios(),
        sinks::scenarios(),
        crowd::scenarios(),
        capture::scenarios(),
        lives::scenarios(),
        log::scenarios(),
        govc::scenarios(),
        recorded::scenarios(),
        faults::scenarios(),
        unreachable::scenarios(),
        configuration::scenarios(),
        requests::scenarios(),
        servers::scenarios(),
    ]
    .concat()
}
