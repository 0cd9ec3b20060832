//! Sinks: at the other side is everything, in order, and where the target can tell, once.

mod amqp;
mod files;
mod fluentd;
mod kafka;
mod mongodb;
mod mqtt;
mod opensearch;
mod rabbitmq;
mod replay;
mod s3;
mod seek;
mod through;
mod webhook;

use crate::runner::Scenario;

pub(crate) fn scenarios() -> Vec<Scenario> {
    [
        amqp::scenarios(),
        files::scenarios(),
        fluentd::scenarios(),
        kafka::scenarios(),
        mongodb::scenarios(),
        mqtt::scenarios(),
        opensearch::scenarios(),
        rabbitmq::scenarios(),
        replay::scenarios(),
        s3::scenarios(),
        seek::scenarios(),
        webhook::scenarios(),
    ]
    .concat()
}
