//! MQTT, at Mosquitto: both versions, with and without TLS, and somebody who may not publish.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use pluvio_e2e::{
    Follower,
    arrived::{self, Message},
    servers::{Deployment, Mosquitto, Mqtt, Service, Simulator, Toxiproxy},
    stage::Stage,
    wait,
};
use serde_json::Value;

use super::through::{self, Login, Target, caught_up, dead_letters, sink};
use crate::{report::Counts, runner::Scenario, scenarios::crashes::captured};

const LIFE_MAX: Duration = Duration::from_secs(300);
/// What the broker takes at once: an event, and not the one that is too large.
const PACKET_BYTES_MAX: usize = 8_000;
const LARGE: usize = 9_000;
const ARRIVAL_MAX: Duration = Duration::from_secs(60);
/// Marks the end of what was published before.
const MARK: &str = "pluvio/mark";

pub(super) fn scenarios() -> Vec<Scenario> {
    let needs = [Mosquitto::TOOLS.as_slice(), &Toxiproxy::TOOLS].concat();
    vec![
        Scenario::new(
            "mqtt sink: a broker comes late, is restarted and cut off, and has everything in order",
            async |stage| {
                let target = Broker::start(&stage, Mqtt::Five, "format = \"cloudevents-binary\"");
                through::through(stage.clone(), target.await?).await
            },
        )
        .needs(&needs)
        .within(LIFE_MAX),
        Scenario::new("mqtt sink: a wrong password is told in 5", async |stage| {
            let target = Broker::start(&stage, Mqtt::Five, "qos = 2").await?;
            through::refused(stage, target).await
        })
        .needs(&Mosquitto::TOOLS),
        Scenario::new("mqtt sink: a wrong password is told in 3.1.1", async |stage| {
            let target = Broker::start(&stage, Mqtt::Three, "").await?;
            through::refused(stage, target).await
        })
        .needs(&Mosquitto::TOOLS),
        Scenario::new(
            "mqtt sink: every quality of service, over TLS and with a certificate",
            every_quality,
        )
        .needs(&Mosquitto::TOOLS),
        Scenario::new(
            "mqtt sink: what is larger than the broker takes is one dead letter",
            too_large,
        )
        .needs(&Mosquitto::TOOLS),
        Scenario::new(
            "mqtt sink: who may not publish is told so, and nothing becomes a dead letter",
            who_may_not_publish,
        )
        .needs(&Mosquitto::TOOLS),
    ]
}

struct Broker {
    mosquitto: Mosquitto,
    follower: Follower,
    version: Mqtt,
    more: &'static str,
}

impl Broker {
    async fn start(stage: &Stage, version: Mqtt, more: &'static str) -> Result<Self> {
        let mosquitto = Mosquitto::start(stage).await?;
        let follower = mosquitto.subscribe(stage, version, "follower", "pluvio/#").await?;
        Ok(Self { mosquitto, follower, version, more })
    }
}

impl Target for Broker {
    fn address(&self) -> SocketAddr {
        self.mosquitto.address()
    }

    fn lines(&self, address: SocketAddr, login: Login) -> String {
        let password = match login {
            Login::Right => Mosquitto::PASSWORD,
            Login::Wrong => "barefoot",
        };
        lines(&format!("mqtt://{address}"), self.version, Mosquitto::USERNAME, password) + self.more
    }

    fn service(&mut self) -> &mut Service {
        self.mosquitto.service()
    }

    async fn arrived(&mut self, stage: &Stage) -> Result<Vec<Message>> {
        // A queue of a broker is in order: what comes behind the mark came twice, or not at all.
        let mark = Message { place: MARK.to_owned(), ..Message::default() };
        self.mosquitto.write(stage, self.version, &[mark]).await?;
        let follower = &mut self.follower;
        let mut messages = wait::until("the mark", ARRIVAL_MAX, async || {
            let messages = follower.messages()?;
            Ok(messages.iter().any(|it| it.place == MARK).then_some(messages))
        })
        .await?;
        messages.retain(|it| it.place != MARK);
        Ok(messages)
    }
}

fn lines(url: &str, version: Mqtt, username: &str, password: &str) -> String {
    let version = if version == Mqtt::Five { "5" } else { "3.1.1" };
    format!(
        "type = \"mqtt\"\nurl = \"{url}\"\nversion = \"{version}\"\nusername = \"{username}\"\n\
         password = \"{password}\"\n"
    )
}

async fn every_quality(stage: Arc<Stage>) -> Result<Counts> {
    let mosquitto = Mosquitto::start(&stage).await?;
    let mut follower = mosquitto.subscribe(&stage, Mqtt::Five, "follower", "q/#").await?;
    let simulator = Simulator::start(&stage, 0).await?;
    simulator.control("post?count=50").await?;
    let secure = format!("mqtts://localhost:{}", mosquitto.secure().port());
    let mutual = format!("mqtts://localhost:{}", mosquitto.mutual().port());
    let authority = format!("tls.ca_file = \"{}\"\n", mosquitto.tls().authority.display());
    let certificate = format!(
        "type = \"mqtt\"\nurl = \"{mutual}\"\ntls.cert_file = \"{}\"\ntls.key_file = \"{}\"\n",
        mosquitto.tls().client_certificate.display(),
        mosquitto.tls().client_key.display(),
    );
    let login = lines(&secure, Mqtt::Five, Mosquitto::USERNAME, Mosquitto::PASSWORD);
    let three = lines(&secure, Mqtt::Three, Mosquitto::USERNAME, Mosquitto::PASSWORD);
    let quality = |login: &str, name: &str, qos: u8| {
        format!("{login}{authority}qos = {qos}\ntopic = \"q/{name}\"\n")
    };
    let deployment = Deployment::of(&simulator)
        .sink("zero", &quality(&login, "zero", 0))
        .sink("one", &quality(&certificate, "one", 1))
        .sink("two", &quality(&login, "two", 2))
        .sink("three", &quality(&three, "three", 2));
    let mut pluvio = deployment.start(&stage).await?;
    let count = captured(&pluvio, &simulator).await?;
    for name in ["zero", "one", "two", "three"] {
        caught_up(&pluvio, name).await.context(name)?;
    }
    let messages = follower.until(4 * count).await?;
    pluvio.terminate(ARRIVAL_MAX).await?;
    for name in ["q/zero", "q/one", "q/two", "q/three"] {
        let of_one: Vec<_> = messages.iter().filter(|it| it.place == name).cloned().collect();
        let events = arrived::events(&of_one)?;
        ensure!(events.len() == count, "{name}: {} of {count}", events.len());
        ensure!(events.is_sorted_by_key(|event| &event.sequence), "{name} is not in order");
        let media_type = of_one.iter().filter_map(|it| it.content_type.as_deref()).next();
        ensure!(
            media_type == Some("application/cloudevents+json") || name == "q/three",
            "{of_one:?}"
        );
    }
    Ok(Counts::default().with("events", messages.len()).with("missing", 0).with("twice", 0))
}

async fn too_large(stage: Arc<Stage>) -> Result<Counts> {
    let mosquitto = Mosquitto::start_narrow(&stage, PACKET_BYTES_MAX).await?;
    let mut follower = mosquitto.subscribe(&stage, Mqtt::Five, "follower", "pluvio/#").await?;
    let simulator = Simulator::start(&stage, 0).await?;
    simulator.control("post?count=20").await?;
    simulator.login().await?.post_event("com.example.Flood", &"~".repeat(LARGE)).await?;
    simulator.control("post?count=20").await?;
    let url = format!("mqtt://{}", mosquitto.address());
    let lines = lines(&url, Mqtt::Five, Mosquitto::USERNAME, Mosquitto::PASSWORD);
    let mut pluvio = Deployment::of(&simulator).sink(through::SINK, &lines).start(&stage).await?;
    let count = captured(&pluvio, &simulator).await?;
    caught_up(&pluvio, through::SINK).await?;
    let letters = dead_letters(&pluvio).await?;
    ensure!(letters == 1, "{letters} dead letters");
    let messages = follower.until(count - 1).await?;
    pluvio.terminate(ARRIVAL_MAX).await?;
    let events = arrived::events(&messages)?;
    ensure!(events.is_sorted_by(|a, b| a.sequence < b.sequence), "not in order, or twice");
    Ok(Counts::default().with("events", events.len()).with("dead letters", letters))
}

async fn who_may_not_publish(stage: Arc<Stage>) -> Result<Counts> {
    let mosquitto = Mosquitto::start(&stage).await?;
    let simulator = Simulator::start(&stage, 0).await?;
    simulator.control("post?count=20").await?;
    let url = format!("mqtt://{}", mosquitto.address());
    let reader = lines(&url, Mqtt::Five, Mosquitto::READER, Mosquitto::READER_PASSWORD);
    let mut pluvio = Deployment::of(&simulator).sink(through::SINK, &reader).start(&stage).await?;
    let error: Value = wait::until("the refusal in the status", ARRIVAL_MAX, async || {
        let error = sink(&pluvio, through::SINK).await?["error"].clone();
        Ok((!error.is_null()).then_some(error))
    })
    .await?;
    let message = error["message"].as_str().unwrap_or_default().to_owned();
    ensure!(message.contains("not allowed to publish"), "it says `{message}`");
    ensure!(error["remedy"].is_string(), "nothing is said that helps: {error}");
    ensure!(dead_letters(&pluvio).await? == 0, "something became a dead letter");
    pluvio.terminate(ARRIVAL_MAX).await?;
    Ok(Counts::default().with("told", format!("`{message}`")))
}
