//! All scenarios, by what they try.

mod capture;
mod configuration;
mod crowd;
mod faults;
mod govc;
mod lives;
mod requests;
mod storm;
mod unreachable;

use crate::runner::Scenario;

/// All of them, the longest first in each lane.
pub(crate) fn all() -> Vec<Scenario> {
    [
        storm::scenarios(),
        crowd::scenarios(),
        capture::scenarios(),
        lives::scenarios(),
        govc::scenarios(),
        faults::scenarios(),
        unreachable::scenarios(),
        configuration::scenarios(),
        requests::scenarios(),
    ]
    .concat()
}
