//! The OpenSearch sink against a node: each event is one document, however often it is sent.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use pluvio_e2e::{
    arrived::Message,
    http::Connection,
    servers::{Deployment, OpenSearch, Produced, Service, Simulator, Toxiproxy},
    stage::Stage,
    wait,
};
use serde_json::{Value, json};

use super::through::{Login, SINK, Target, caught_up, dead_letters, sink, through};
use crate::{report::Counts, runner::Scenario};

const ARRIVAL_MAX: Duration = Duration::from_secs(60);
const INDEX: &str = "sky";
const POSTED: usize = 20;
const MANY: usize = 100;

pub(super) fn scenarios() -> Vec<Scenario> {
    let tools = [&OpenSearch::TOOLS[..], &Toxiproxy::TOOLS].concat();
    vec![
        Scenario::new("opensearch sink: each event is one document, whatever happens", life)
            .needs(&tools),
        Scenario::new(
            "opensearch sink: what does not fit the index is a dead letter, a closed index is told",
            refusals,
        )
        .needs(&OpenSearch::TOOLS),
    ]
}

struct Node(OpenSearch);

impl Target for Node {
    /// Documents come by their `_id`.
    const IS_ORDERED: bool = false;
    const IS_ONCE: bool = true;

    fn address(&self) -> SocketAddr {
        self.0.address()
    }

    fn lines(&self, address: SocketAddr, _: Login) -> String {
        format!(
            "type = \"opensearch\"\nurl = \"http://{address}\"\nindex = \"{INDEX}\"\n\
             compression = \"gzip\""
        )
    }

    fn service(&mut self) -> &mut Service {
        self.0.service()
    }

    async fn arrived(&mut self, stage: &Stage) -> Result<Vec<Message>> {
        self.0.read(stage, INDEX).await
    }
}

async fn life(stage: Arc<Stage>) -> Result<Counts> {
    let node = OpenSearch::start(&stage).await?;
    // Of a vCenter's own records, not all have the same types everywhere.
    let mappings =
        json!({"mappings": {"properties": {"data": {"type": "object", "enabled": false}}}});
    ask(node.address(), "PUT", &format!("/{INDEX}"), &mappings).await?;
    through(stage, Node(node)).await
}

async fn refusals(stage: Arc<Stage>) -> Result<Counts> {
    let simulator = Simulator::start(&stage, 0).await?;
    let node = OpenSearch::start(&stage).await?;
    let address = node.address();
    let properties = json!({
        "id": {"type": "long"}, "data": {"type": "object", "enabled": false},
    });
    let mappings = json!({"mappings": {"properties": properties}});
    ask(address, "PUT", &format!("/{INDEX}"), &mappings).await?;
    let lines = Node(node);
    let deployment = Deployment::of(&simulator).sink(SINK, &lines.lines(address, Login::Right));
    let mut pluvio = deployment.start(&stage).await?;
    pluvio.until_ready(ARRIVAL_MAX).await?;
    simulator.control(&format!("post?count={POSTED}")).await?;
    caught_up(&pluvio, SINK).await?;
    ensure!(dead_letters(&pluvio).await? == 0, "an event was refused that fits");

    ask(address, "POST", &format!("/{INDEX}/_close"), &Value::Null).await?;
    simulator.control(&format!("post?count={POSTED}")).await?;
    let error = wait::until("the closed index in the status", ARRIVAL_MAX, async || {
        let error = sink(&pluvio, SINK).await?["error"].clone();
        Ok((!error.is_null()).then_some(error))
    })
    .await?;
    let told = error["message"].as_str().unwrap_or_default().to_owned();
    ensure!(told.contains("index_closed"), "told is: {told}");
    ensure!(error["remedy"].is_string(), "nothing is said that helps: {error}");
    ask(address, "POST", &format!("/{INDEX}/_open"), &Value::Null).await?;
    caught_up(&pluvio, SINK).await?;
    ensure!(dead_letters(&pluvio).await? == 0, "a closed index made dead letters");

    // From now on the index takes no event with an id beyond a byte.
    ask(address, "DELETE", &format!("/{INDEX}"), &Value::Null).await?;
    let properties = json!({
        "id": {"type": "byte"}, "data": {"type": "object", "enabled": false},
    });
    let mappings = json!({"mappings": {"properties": properties}});
    ask(address, "PUT", &format!("/{INDEX}"), &mappings).await?;
    let before = simulator.produced().await?.len();
    simulator.control(&format!("post?count={MANY}")).await?;
    let collector = pluvio.collect().await?;
    let produced = simulator.produced().await?;
    collector.until("all events", ARRIVAL_MAX, |feed| feed.len() >= produced.len()).await?;
    caught_up(&pluvio, SINK).await?;
    let dead = dead_letters(&pluvio).await?;
    pluvio.terminate(ARRIVAL_MAX).await?;
    let is_beyond = |produced: &&Produced| produced.key > i64::from(i8::MAX);
    let misfits = produced[before..].iter().filter(is_beyond).count();
    ensure!(dead == misfits as u64, "{dead} dead letters, {misfits} ids that are no bytes");
    let documents = lines.0.read(&stage, INDEX).await?.len();
    let fitting = produced.len() - before - misfits;
    ensure!(documents == fitting, "{documents} documents of {fitting}");
    Ok(Counts::default()
        .with("documents", documents)
        .with("dead letters", dead)
        .with("told", format!("`{told}`")))
}

async fn ask(address: SocketAddr, method: &str, target: &str, body: &Value) -> Result<()> {
    let body = if body.is_null() { Vec::new() } else { serde_json::to_vec(body)? };
    let headers = ["Connection: close", "Content-Type: application/json"].map(str::to_owned);
    let mut connection = Connection::open(address).await?;
    let answer = connection.ask(method, target, &headers, &body).await?;
    ensure!(answer.status() == 200, "OpenSearch says: {}", answer.text());
    answer.json::<Value>().context("OpenSearch sends no JSON").map(|_| ())
}
