//! Sinks: at the other side is everything, in order, and where the target can tell, once.

mod amqp;
mod files;
mod mongodb;
mod mqtt;
mod rabbitmq;
mod through;

use crate::runner::Scenario;

pub(crate) fn scenarios() -> Vec<Scenario> {
    [
        files::scenarios(),
        amqp::scenarios(),
        mongodb::scenarios(),
        mqtt::scenarios(),
        rabbitmq::scenarios(),
    ]
    .concat()
}
