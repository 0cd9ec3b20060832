//! The harness itself on Apache Kafka: what the clients tell there is right, so what they tell of
//! Pluvio can be believed.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use pluvio_e2e::{
    kafka::{Access, Admin, Begin, Client, Consumed, Mechanism, Reading},
    servers::{Kafka, Machine},
    stage::Stage,
    tools::Tool,
};

use crate::{report::Counts, runner::Scenario};

const TOPIC: &str = "rain";
const RECORDS: usize = 40;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new("kafka: the four clients tell the same of Apache Kafka", same_of_kafka)
            .needs(&[Tool::Kafka, Tool::Kcat, Tool::Confluent, Tool::Franz]),
    ]
}

async fn same_of_kafka(stage: Arc<Stage>) -> Result<Counts> {
    let kafka = Kafka::start(&stage, Machine::Light).await?;
    kafka.make_topic(&stage, TOPIC).await?;
    let admin = Admin::new(&stage, &kafka.access())?;
    let lines: Vec<String> = (0..RECORDS).map(|n| format!("{{\"drop\":\"{n} ½ \\t\"}}")).collect();
    admin.produce(TOPIC, &(lines.join("\n") + "\n")).await?.ok()?;
    let all = Client::Confluent.read(&stage, &kafka.access(), &whole()).await?;
    ensure!(all.len() == RECORDS, "{} of {RECORDS} records", all.len());
    for (record, line) in all.iter().zip(&lines) {
        ensure!(record.value == line.as_bytes(), "{record:?} instead of `{line}`");
    }
    let middle = all.get(RECORDS / 2).context("no middle")?;
    for client in Client::ALL {
        agrees(&stage, client, &kafka.access(), &all, Begin::Beginning).await?;
        agrees(&stage, client, &kafka.access(), &all, Begin::Offset(middle.offset)).await?;
        agrees(&stage, client, &kafka.access(), &all, Begin::Time(middle.timestamp)).await?;
        let mechanism = if client == Client::Kcat { Mechanism::Plain } else { Mechanism::Scram256 };
        let secure = kafka.secure(mechanism, Kafka::PASSWORD);
        agrees(&stage, client, &secure, &all, Begin::Beginning).await?;
        refused(&stage, client, &kafka.secure(mechanism, "drought")).await?;
        grouped(&stage, client, &kafka.access(), &all).await?;
    }
    Ok(Counts::default().with("clients", Client::ALL.len()).with("records", all.len()))
}

fn whole() -> Reading {
    Reading::of(TOPIC).count(RECORDS)
}

async fn agrees(
    stage: &Stage,
    client: Client,
    access: &Access,
    all: &[Consumed],
    begin: Begin,
) -> Result<()> {
    let is_wanted = |record: &&Consumed| match begin {
        Begin::Beginning | Begin::End => true,
        Begin::Offset(offset) => record.offset >= offset,
        Begin::Time(millis) => record.timestamp >= millis,
    };
    let wanted: Vec<&Consumed> = all.iter().filter(is_wanted).collect();
    let reading = whole().from(begin).count(wanted.len());
    let seen = client.read(stage, access, &reading).await;
    let seen = seen.with_context(|| format!("{client:?} from {begin:?}"))?;
    for (seen, wanted) in seen.iter().zip(wanted) {
        let wanted = Consumed { topic: seen.topic.clone(), ..wanted.clone() };
        ensure!(*seen == wanted, "{client:?} from {begin:?}: {seen:?} instead of {wanted:?}");
    }
    Ok(())
}

async fn refused(stage: &Stage, client: Client, access: &Access) -> Result<()> {
    let mut session = client.start(stage, access, &whole()).await?;
    session.until_said("uthentication").await.with_context(|| format!("{client:?}"))
}

/// Half of it, then the rest: the second begins behind what the first committed.
async fn grouped(stage: &Stage, client: Client, access: &Access, all: &[Consumed]) -> Result<()> {
    let reading = whole().group(&format!("{client:?}")).count(RECORDS / 2);
    let mut seen = client.read(stage, access, &reading).await?;
    seen.extend(client.read(stage, access, &reading).await?);
    let offsets = |records: &[Consumed]| records.iter().map(|it| it.offset).collect::<Vec<_>>();
    ensure!(offsets(&seen) == offsets(all), "{client:?} in a group: {:?}", offsets(&seen));
    Ok(())
}
