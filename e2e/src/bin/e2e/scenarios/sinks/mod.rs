//! Sinks: at the other side is everything, in order, and where the target can tell, once.

mod amqp;
mod files;
mod mongodb;
mod mqtt;
mod opensearch;
mod rabbitmq;
mod through;
mod webhook;

use crate::runner::Scenario;

pub(crate) fn scenarios() -> Vec<Scenario> {
    [
        files::scenarios(),
        amqp::scenarios(),
        mongodb::scenarios(),
        mqtt::scenarios(),
        opensearch::scenarios(),
        rabbitmq::scenarios(),
        webhook::scenarios(),
    ]
    .concat()
}
