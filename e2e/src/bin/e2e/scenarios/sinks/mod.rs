//! Sinks: at the other side is everything, in order, and where the target can tell, once.

mod files;
mod kafka;
mod through;

use crate::runner::Scenario;

pub(crate) fn scenarios() -> Vec<Scenario> {
    [files::scenarios(), kafka::scenarios()].concat()
}
