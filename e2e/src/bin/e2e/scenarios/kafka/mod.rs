//! Kafka clients that we did not write read Pluvio, and see what HTTP serves.

mod apache;
mod ground;
mod groups;
mod mirror;
mod read;
mod secure;
mod site;
mod tools;

use crate::runner::Scenario;

pub(crate) use site::{STREAM, same, served};

pub(crate) fn scenarios() -> Vec<Scenario> {
    [
        groups::scenarios(),
        read::scenarios(),
        secure::scenarios(),
        tools::scenarios(),
        mirror::scenarios(),
        apache::scenarios(),
    ]
    .concat()
}
