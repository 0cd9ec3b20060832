//! kcat, which prints records as JSON.
//!
//! Debian's is built on librdkafka 2.0.2, which cannot do SCRAM with Kafka 4; PLAIN and TLS it can.
//! In a group it takes the topics by itself and says what it was given on standard error only, so
//! groups are watched through other clients.

use std::process::Command;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::{Access, Begin, Consumed, Identity, Login, Reading, Session, session::Line};
use crate::{process::Process, stage::Stage, tools::Tool};

/// A record as `kcat -J` prints it: headers are one list of names and values in turn.
#[derive(Debug, Deserialize)]
struct Printed {
    topic: String,
    offset: i64,
    ts: i64,
    #[serde(default)]
    headers: Vec<Option<String>>,
    key: Option<String>,
    payload: Option<String>,
}

pub(super) async fn start(stage: &Stage, access: &Access, reading: &Reading) -> Result<Session> {
    let mut kcat = command(stage, access).await?;
    kcat.args(["-J", "-u"]);
    if let Some(count) = reading.count {
        kcat.args(["-c", &count.to_string()]);
    }
    match &reading.group {
        Some(group) => {
            let reset = if reading.begin == Begin::End { "latest" } else { "earliest" };
            kcat.args(["-X", &format!("auto.offset.reset={reset}")]);
            kcat.args(["-X", "session.timeout.ms=6000", "-G", group]).args(&reading.topics);
        }
        None => {
            let from = match reading.begin {
                Begin::Beginning => "beginning".to_owned(),
                Begin::End => "end".to_owned(),
                Begin::Offset(offset) => offset.to_string(),
                Begin::Time(millis) => format!("s@{millis}"),
            };
            kcat.args(["-C", "-t", reading.topic()?, "-p", "0", "-o", &from]);
            kcat.args(["-X", "auto.offset.reset=earliest"]);
        }
    }
    let process = Process::start("kcat", &mut kcat, stage.folder.path())?;
    Ok(Session { process, parse, count: reading.count })
}

/// kcat with everything that it needs to connect.
pub(super) async fn command(stage: &Stage, access: &Access) -> Result<Command> {
    let mut kcat = Command::new(stage.tools.path(Tool::Kcat).await?);
    kcat.args(["-b", &access.address.to_string()]);
    kcat.args(["-X", &format!("security.protocol={}", access.protocol())]);
    if let Some(authority) = &access.authority {
        kcat.args(["-X", &format!("ssl.ca.location={}", authority.display())]);
    }
    if let Some(Identity { certificate, key }) = &access.identity {
        kcat.args(["-X", &format!("ssl.certificate.location={}", certificate.display())]);
        kcat.args(["-X", &format!("ssl.key.location={}", key.display())]);
    }
    if let Some(Login { mechanism, user, password }) = &access.login {
        kcat.args(["-X", &format!("sasl.mechanism={}", mechanism.name())]);
        kcat.args(["-X", &format!("sasl.username={user}")]);
        kcat.args(["-X", &format!("sasl.password={password}")]);
    }
    Ok(kcat)
}

fn parse(line: &str) -> Result<Line> {
    let printed: Printed =
        serde_json::from_str(line).with_context(|| format!("kcat printed no record: {line}"))?;
    let bytes = |text: &Option<String>| text.clone().unwrap_or_default().into_bytes();
    let pairs = printed.headers.chunks_exact(2);
    Ok(Line::Record(Consumed {
        topic: printed.topic,
        offset: printed.offset,
        timestamp: printed.ts,
        key: printed.key.map(String::into_bytes),
        value: bytes(&printed.payload),
        headers: pairs.map(|pair| (pair[0].clone().unwrap_or_default(), bytes(&pair[1]))).collect(),
    }))
}
