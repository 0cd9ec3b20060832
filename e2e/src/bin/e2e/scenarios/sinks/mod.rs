//! Sinks: at the other side is everything, in order, and where the target can tell, once.

mod files;
mod fluentd;
mod kafka;
mod mqtt;
mod opensearch;
mod s3;
mod through;
mod webhook;

use crate::runner::Scenario;

pub(crate) fn scenarios() -> Vec<Scenario> {
    let all = [
        files::scenarios(),
        fluentd::scenarios(),
        kafka::scenarios(),
        mqtt::scenarios(),
        opensearch::scenarios(),
        s3::scenarios(),
        webhook::scenarios(),
    ];
    all.concat()
}
