//! The Kafka sink against Apache Kafka itself, read back by a client that we did not write.

mod access;
mod outage;
mod target;

use std::time::Duration;

use pluvio_e2e::tools::Tool;

use super::through;
use crate::runner::Scenario;
use target::{Broker, Guarded};

/// What all of these need.
const TOOLS: [Tool; 3] = [Tool::Kafka, Tool::Confluent, Tool::Toxiproxy];
/// A life with restarts of a Java machine in it.
const WITHIN: Duration = Duration::from_secs(400);

pub(super) fn scenarios() -> Vec<Scenario> {
    let all = vec![
        Scenario::new("kafka sink: through everything, and everything arrives", |stage| async {
            let broker = Broker::<false>::start(&stage).await?;
            through::through(stage, broker).await
        }),
        Scenario::new("kafka sink: in transactions, through everything, once", |stage| async {
            let broker = Broker::<true>::start(&stage).await?;
            through::through(stage, broker).await
        }),
        Scenario::new("kafka sink: a wrong password is told and loses nothing", |stage| async {
            let guarded = Guarded::start(&stage).await?;
            through::refused(stage, guarded).await
        }),
        Scenario::new(
            "kafka sink: survives a broker bounce, nothing lost and nothing doubled",
            outage::bounce,
        ),
        Scenario::new("kafka sink: cut in mid-produce, nothing is doubled", outage::cut),
        Scenario::new(
            "kafka sink: in transactions, killed again and again, each event once and in order",
            outage::killed,
        ),
        Scenario::new("kafka sink: the leader of three is killed, nothing doubled", outage::leader),
        Scenario::new("kafka sink: every login writes, and no right is told", access::logins),
        Scenario::new("kafka sink: what is too large is one dead letter", access::too_large),
    ];
    all.into_iter().map(|scenario| scenario.needs(&TOOLS).within(WITHIN)).collect()
}
