//! The Fluentd sink against two servers of the forward protocol, by different people.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Result, ensure};
use jiff::Timestamp;
use pluvio_e2e::{
    arrived::Message,
    servers::{Demand, Deployment, Fluentd, Service, Simulator, Toxiproxy},
    stage::Stage,
    wait,
};
use serde_json::{Value, value::RawValue};

use super::through::{Login, SINK, Target, caught_up, refused, through};
use crate::{report::Counts, runner::Scenario};

const ARRIVAL_MAX: Duration = Duration::from_secs(60);

pub(super) fn scenarios() -> Vec<Scenario> {
    let logger = [Fluentd::LOGGER_TOOLS, Toxiproxy::TOOLS].concat();
    let collector = [&Fluentd::COLLECTOR_TOOLS[..], &Toxiproxy::TOOLS].concat();
    vec![
        Scenario::new(
            "fluentd sink: every record, in order, by TLS, shared key and user, whatever happens",
            secured,
        )
        .needs(&logger),
        Scenario::new("fluentd sink: a wrong key is told, and loses nothing", wrong_key)
            .needs(&Fluentd::LOGGER_TOOLS),
        Scenario::new("fluentd sink: records are the cloud's own, packed or not", native)
            .needs(&Fluentd::LOGGER_TOOLS),
        Scenario::new("fluentd sink: the OpenTelemetry Collector gets every record", by_collector)
            .needs(&collector),
    ]
}

struct Server {
    fluentd: Fluentd,
    demand: Demand,
    /// Whether it writes attributes, and not the record as it came.
    is_collector: bool,
}

impl Target for Server {
    fn address(&self) -> SocketAddr {
        self.fluentd.address()
    }

    fn lines(&self, address: SocketAddr, login: Login) -> String {
        let mut lines = format!(
            "type = \"fluentd\"\nhost = \"localhost\"\nport = {}\nformat = \"cloudevents\"\n\
             tag = \"cloud.{{type}}\"\ntimeout = \"5s\"\n",
            address.port()
        );
        if self.demand != Demand::Nothing {
            let key = if login == Login::Right { Fluentd::KEY } else { "drought" };
            lines += &format!("shared_key = \"{key}\"\n");
        }
        if self.demand == Demand::Everything {
            let (user, password) = (Fluentd::USERNAME, Fluentd::PASSWORD);
            let authority = self.fluentd.tls().authority.display();
            lines += &format!(
                "username = \"{user}\"\npassword = \"{password}\"\ntls.ca_file = \"{authority}\"\n"
            );
        }
        lines
    }

    fn service(&mut self) -> &mut Service {
        self.fluentd.service()
    }

    async fn arrived(&mut self, _: &Stage) -> Result<Vec<Message>> {
        let arrived = self.fluentd.read()?;
        let is_tagged =
            |it: &Message| self.is_collector || it.place.starts_with("cloud.com.vmware.");
        ensure!(arrived.iter().all(is_tagged), "a tag is another");
        Ok(arrived)
    }
}

async fn secured(stage: Arc<Stage>) -> Result<Counts> {
    let demand = Demand::Everything;
    let fluentd = Fluentd::logger(&stage, demand).await?;
    through(stage, Server { fluentd, demand, is_collector: false }).await
}

async fn wrong_key(stage: Arc<Stage>) -> Result<Counts> {
    let demand = Demand::Key;
    let fluentd = Fluentd::logger(&stage, demand).await?;
    refused(stage, Server { fluentd, demand, is_collector: false }).await
}

async fn by_collector(stage: Arc<Stage>) -> Result<Counts> {
    let fluentd = Fluentd::collector(&stage).await?;
    through(stage, Server { fluentd, demand: Demand::Nothing, is_collector: true }).await
}

/// Each record is the event's data, with its time to the nanosecond; the type is the tag.
async fn native(stage: Arc<Stage>) -> Result<Counts> {
    let simulator = Simulator::start(&stage, 50).await?;
    let fluentd = Fluentd::logger(&stage, Demand::Nothing).await?;
    let mut count = 0;
    for compression in ["none", "gzip"] {
        let lines = format!(
            "type = \"fluentd\"\nhost = \"127.0.0.1\"\nport = {}\ncompression = \"{compression}\"",
            fluentd.address().port()
        );
        let before = fluentd.read()?.len();
        let deployment = Deployment::of(&simulator).log("type = \"memory\"").sink(SINK, &lines);
        let mut pluvio = deployment.start(&stage).await?;
        pluvio.until_ready(ARRIVAL_MAX).await?;
        simulator.control("post?count=20").await?;
        let collector = pluvio.collect().await?;
        collector.until("the events", ARRIVAL_MAX, |feed| feed.len() >= 20).await?;
        caught_up(&pluvio, SINK).await?;
        let feed = collector.seen();
        let arrived = wait::until("the records", ARRIVAL_MAX, async || {
            let arrived = fluentd.read()?.split_off(before);
            Ok((arrived.len() >= feed.len()).then_some(arrived))
        })
        .await?;
        for (seen, record) in feed.iter().zip(&arrived) {
            let data = seen.data.as_deref().map_or("null", RawValue::get);
            let (sent, told): (Value, Value) =
                (serde_json::from_str(data)?, serde_json::from_slice(&record.body)?);
            ensure!(sent == told, "{told} instead of {sent}");
            ensure!(record.place == seen.kind, "{} instead of {}", record.place, seen.kind);
            let nanos = seen.time.map(Timestamp::as_nanosecond);
            let told = record.properties["time"].replace('.', "").parse().ok();
            ensure!(told == nanos, "the time {told:?} instead of {nanos:?}");
        }
        count += arrived.len();
        pluvio.terminate(ARRIVAL_MAX).await?;
    }
    Ok(Counts::default().with("records", count))
}
