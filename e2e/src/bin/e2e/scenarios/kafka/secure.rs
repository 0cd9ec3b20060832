//! TLS and logins, with the same principals as HTTP.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use pluvio_e2e::{
    http::Connection,
    kafka::{Client, Mechanism, Reading},
    servers::{Deployment, Pluvio, Simulator},
    stage::Stage,
    wait,
};
use serde_json::{Value, value::RawValue};

use super::site::{ARRIVAL_MAX, STREAM, Served, same};
use crate::{report::Counts, runner::Scenario};

const EVENTS: usize = 100;

/// A client, what it can do, and the scenario's name.
const CASES: [(Client, &[Mechanism], &str); 4] = [
    (Client::Kcat, &[Mechanism::Plain], "kafka: kcat reads over TLS with PLAIN"),
    (Client::Confluent, &ALL, "kafka: confluent-kafka reads over TLS with PLAIN and SCRAM"),
    (Client::Console, &ALL, "kafka: Kafka's console consumer reads over TLS with PLAIN and SCRAM"),
    (Client::Franz, &ALL, "kafka: franz-go reads over TLS with PLAIN and SCRAM"),
];
const ALL: [Mechanism; 3] = [Mechanism::Plain, Mechanism::Scram256, Mechanism::Scram512];

pub(super) fn scenarios() -> Vec<Scenario> {
    let scenario = |(client, mechanisms, name): (Client, &'static [Mechanism], _)| {
        let run = move |stage| secured(stage, client, mechanisms);
        Scenario::new(name, run).needs(&[client.tool()])
    };
    CASES.into_iter().map(scenario).collect()
}

async fn secured(
    stage: Arc<Stage>,
    client: Client,
    mechanisms: &'static [Mechanism],
) -> Result<Counts> {
    let simulator = Simulator::start(&stage, 0).await?;
    let deployment = Deployment::of(&simulator).kafka()?.secured(&stage)?;
    let pluvio = deployment.start(&stage).await?;
    simulator.control(&format!("post?count={EVENTS}")).await?;
    let last = simulator.produced().await?.last().context("nothing happened")?.key;
    let served = served(&pluvio, last).await?;
    for mechanism in mechanisms {
        let reading = Reading::of(STREAM).count(served.len());
        let access = deployment.access_as(*mechanism, Deployment::PASSWORD);
        let seen = client.read(&stage, &access, &reading).await;
        same(&seen.with_context(|| format!("{mechanism:?}"))?, &served)?;
        let wrong = deployment.access_as(*mechanism, "drought");
        let mut session = client.start(&stage, &wrong, &reading).await?;
        // The client's own word for it.
        session.until_said("uthentication").await.with_context(|| format!("{mechanism:?}"))?;
        ensure!(session.records()?.is_empty(), "a wrong password was let in");
    }
    Ok(Counts::default().with("mechanisms", mechanisms.len()).with("events", served.len()))
}

/// What HTTP serves to the same user, as soon as the key `last` is there.
async fn served(pluvio: &Pluvio, last: i64) -> Result<Vec<Served>> {
    let login = format!("{}:{}", Deployment::USERNAME, Deployment::PASSWORD);
    let login = format!("Authorization: Basic {}", BASE64_STANDARD.encode(login));
    let (headers, target) = ([login], "/api/v1/events?offset=earliest&limit=1000");
    wait::until(&format!("key {last} by HTTP"), ARRIVAL_MAX, async || {
        let mut connection = Connection::open(pluvio.address()).await?;
        let answer = connection.ask("GET", target, &headers, &[]).await?;
        ensure!(answer.status() < 300, "HTTP refuses: {}", answer.text());
        // No content, as long as the stream is empty.
        let page: Vec<Box<RawValue>> = answer.json().unwrap_or_default();
        let newest: Value = page
            .last()
            .map(|event| serde_json::from_str(event.get()))
            .transpose()?
            .unwrap_or_default();
        let key: Option<i64> = newest["id"].as_str().and_then(|id| id.parse().ok());
        if key < Some(last) {
            return Ok(None);
        }
        let served = page.iter().map(|event| Served::parse(event.get().as_bytes()));
        served.collect::<Result<_>>().map(Some)
    })
    .await
}
