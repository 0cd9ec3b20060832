//! Our two small consumers, `clients/confluent/consume.py` and `clients/franz-go/main.go`: they take
//! the same arguments and print the same JSON.

use std::{collections::BTreeSet, process::Command};

use anyhow::{Context as _, Result};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::Deserialize;

use super::{Access, Begin, Client, Consumed, Login, Reading, Session, session::Line};
use crate::{process::Process, stage::Stage};

const SCRIPT: &str = include_str!("../../clients/confluent/consume.py");

/// A line of theirs.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Printed {
    Assigned {
        assigned: BTreeSet<String>,
    },
    Record {
        topic: String,
        offset: i64,
        timestamp: i64,
        key: Option<String>,
        value: Option<String>,
        headers: Vec<(String, Option<String>)>,
    },
}

pub(super) async fn start(
    client: Client,
    stage: &Stage,
    access: &Access,
    reading: &Reading,
) -> Result<Session> {
    let program = stage.tools.path(client.tool()).await?;
    let mut command = Command::new(program);
    let name = if client == Client::Confluent {
        command.arg(stage.folder.write("consume.py", SCRIPT)?);
        "confluent"
    } else {
        "franz"
    };
    let begin = match reading.begin {
        Begin::Beginning => "beginning".to_owned(),
        Begin::End => "end".to_owned(),
        Begin::Offset(offset) => format!("offset:{offset}"),
        Begin::Time(millis) => format!("time:{millis}"),
    };
    command.args(["--brokers", &access.address.to_string()]);
    command.args(["--topics", &reading.topics.join(","), "--from", &begin]);
    if let Some(count) = reading.count {
        command.args(["--count", &count.to_string()]);
    }
    if let Some(group) = &reading.group {
        command.args(["--group", group, "--commit"]);
    }
    if let Some(authority) = &access.authority {
        command.arg("--ca").arg(authority);
    }
    if let Some(Login { mechanism, user, password }) = &access.login {
        command.args(["--mechanism", mechanism.name(), "--user", user, "--password", password]);
    }
    let process = Process::start(name, &mut command, stage.folder.path())?;
    Ok(Session { process, parse, count: reading.count })
}

fn parse(line: &str) -> Result<Line> {
    let printed = serde_json::from_str(line).with_context(|| format!("no record: {line}"))?;
    let decoded = |text: &str| BASE64_STANDARD.decode(text).context("no base64");
    match printed {
        Printed::Assigned { assigned } => Ok(Line::Assigned(assigned)),
        Printed::Record { topic, offset, timestamp, key, value, headers } => {
            let headers = headers
                .into_iter()
                .map(|(name, value)| Ok((name, decoded(&value.unwrap_or_default())?)));
            Ok(Line::Record(Consumed {
                topic,
                offset,
                timestamp,
                key: key.as_deref().map(decoded).transpose()?,
                value: decoded(&value.unwrap_or_default())?,
                headers: headers.collect::<Result<_>>()?,
            }))
        }
    }
}
