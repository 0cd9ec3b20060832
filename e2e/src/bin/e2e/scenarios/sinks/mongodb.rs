//! MongoDB's protocol, at FerretDB: whatever is cut, each event is there once.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use pluvio_e2e::{
    arrived::{self, Message},
    servers::{Deployment, FerretDb, Pluvio, Service, Simulator, Toxiproxy},
    stage::Stage,
    wait,
};
use serde_json::Value;

use super::through::{self, Login, Target, caught_up, dead_letters, sink};
use crate::{report::Counts, runner::Scenario, scenarios::crashes::captured};

const LIFE_MAX: Duration = Duration::from_secs(300);
const ARRIVAL_MAX: Duration = Duration::from_secs(60);
const DATABASE: &str = "pluvio";
const COLLECTION: &str = "events";

pub(super) fn scenarios() -> Vec<Scenario> {
    let and_proxy = [FerretDb::TOOLS.as_slice(), &Toxiproxy::TOOLS].concat();
    vec![
        Scenario::new(
            "mongodb sink: a server comes late, is restarted and cut off, and has everything once",
            async |stage| {
                let target = FerretDb::start_open(&stage).await?;
                through::through(stage, target).await
            },
        )
        .needs(&and_proxy)
        .within(LIFE_MAX),
        Scenario::new("mongodb sink: a wrong password is told", a_wrong_password)
            .needs(&FerretDb::TOOLS),
        Scenario::new(
            "mongodb sink: a capped collection is made over TLS, and one of another size left alone",
            a_capped_collection,
        )
        .needs(&FerretDb::TOOLS),
    ]
}

impl Target for FerretDb {
    /// Documents are told by their key.
    const IS_ORDERED: bool = false;
    const IS_ONCE: bool = true;

    fn address(&self) -> SocketAddr {
        self.address()
    }

    fn lines(&self, address: SocketAddr, _: Login) -> String {
        lines(&format!("mongodb://{address}/{DATABASE}"))
    }

    fn service(&mut self) -> &mut Service {
        self.service()
    }

    async fn arrived(&mut self, stage: &Stage) -> Result<Vec<Message>> {
        self.read(stage, DATABASE, COLLECTION).await
    }
}

fn lines(url: &str) -> String {
    format!("type = \"mongodb\"\ncollection = \"{COLLECTION}\"\nurl = \"{url}\"\n")
}

async fn a_wrong_password(stage: Arc<Stage>) -> Result<Counts> {
    let server = FerretDb::start(&stage).await?;
    let simulator = Simulator::start(&stage, 0).await?;
    simulator.control("post?count=20").await?;
    let (user, address) = (FerretDb::USERNAME, server.address());
    let lines = lines(&format!("mongodb://{user}:barefoot@{address}/{DATABASE}?authSource=admin"));
    let mut pluvio = Deployment::of(&simulator).sink(through::SINK, &lines).start(&stage).await?;
    let message = told(&pluvio, "Authentication failed").await?;
    ensure!(!message.contains("barefoot"), "it says the password: {message}");
    pluvio.terminate(ARRIVAL_MAX).await?;
    Ok(Counts::default().with("told", format!("`{message}`")))
}

/// Waits until the sink says so, with what helps and without a dead letter.
async fn told(pluvio: &Pluvio, words: &str) -> Result<String> {
    let error: Value = wait::until(words, ARRIVAL_MAX, async || {
        let error = sink(pluvio, through::SINK).await?["error"].clone();
        let is_told = error["message"].as_str().is_some_and(|message| message.contains(words));
        Ok(is_told.then_some(error))
    })
    .await?;
    ensure!(error["remedy"].is_string(), "nothing is said that helps: {error}");
    ensure!(dead_letters(pluvio).await? == 0, "something became a dead letter");
    Ok(error["message"].as_str().unwrap_or_default().to_owned())
}

async fn a_capped_collection(stage: Arc<Stage>) -> Result<Counts> {
    let server = FerretDb::start_open(&stage).await?;
    let simulator = Simulator::start(&stage, 0).await?;
    simulator.control("post?count=20").await?;
    let sized = |size: &str| {
        format!(
            "{}database = \"{DATABASE}\"\ncapped_size = \"{size}\"\ntls.ca_file = \"{}\"\n",
            lines(&format!("mongodb://localhost:{}", server.secure().port())),
            server.tls().authority.display()
        )
    };
    let deployment = |size: &str| Deployment::of(&simulator).sink(through::SINK, &sized(size));
    let mut pluvio = deployment("1 MiB").start(&stage).await?;
    let count = captured(&pluvio, &simulator).await?;
    caught_up(&pluvio, through::SINK).await?;
    pluvio.terminate(ARRIVAL_MAX).await?;
    let messages = server.read(&stage, DATABASE, COLLECTION).await?;
    let events = arrived::events(&messages)?;
    ensure!(events.len() >= count, "{} of {count}", events.len());
    let first: Value = serde_json::from_slice(&messages.first().context("nothing")?.body)?;
    ensure!(first["data"].is_object() && !first["time"].is_null(), "{first}");

    let mut pluvio = deployment("2 MiB").start(&stage).await?;
    let message = told(&pluvio, "capped at").await?;
    pluvio.terminate(ARRIVAL_MAX).await?;
    Ok(Counts::default().with("events", count).with("told", format!("`{message}`")))
}
