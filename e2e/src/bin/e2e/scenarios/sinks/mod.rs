//! Sinks: at the other side is everything, in order, and where the target can tell, once.

mod files;
mod kafka;
mod mqtt;
mod opensearch;
mod through;
mod webhook;

use crate::runner::Scenario;

pub(crate) fn scenarios() -> Vec<Scenario> {
    let all = [
        files::scenarios(),
        kafka::scenarios(),
        mqtt::scenarios(),
        opensearch::scenarios(),
        webhook::scenarios(),
    ];
    all.concat()
}
