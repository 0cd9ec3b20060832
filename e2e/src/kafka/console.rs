//! Kafka's own console consumer, on kafka-clients.
//!
//! It prints fields in its own order with separators between; two that no event contains are set. It
//! cannot begin at a time, so `GetOffsetShell` is asked for the offset first; and it does not tell
//! which topics its group gave it.

use anyhow::{Context as _, Result};

use super::{Access, Admin, Begin, Consumed, Reading, Session, java, session::Line};
use crate::{process::Process, stage::Stage};

/// Between the fields of a record.
const FIELD: char = '\u{1f}';
/// Between its headers.
const HEADER: char = '\u{1e}';
/// Instead of a key that is not there.
const NULL: &str = "\u{1d}";

pub(super) async fn start(stage: &Stage, access: &Access, reading: &Reading) -> Result<Session> {
    let class = "org.apache.kafka.tools.consumer.ConsoleConsumer";
    let mut java = java(&stage.tools, class).await?;
    let properties = stage.folder.write("console.properties", &access.properties())?;
    java.args(["--bootstrap-server", &access.address.to_string()]);
    java.arg("--command-config").arg(properties).args(["--topic", reading.topic()?]);
    for name in ["timestamp", "offset", "headers", "key"] {
        java.args(["--formatter-property", &format!("print.{name}=true")]);
    }
    java.args(["--formatter-property", &format!("key.separator={FIELD}")]);
    java.args(["--formatter-property", &format!("headers.separator={HEADER}")]);
    java.args(["--formatter-property", &format!("null.literal={NULL}")]);
    if let Some(count) = reading.count {
        java.args(["--max-messages", &count.to_string()]);
    }
    match (&reading.group, reading.begin) {
        (Some(group), begin) => {
            java.args(["--group", group]);
            if begin != Begin::End {
                java.arg("--from-beginning");
            }
        }
        (None, Begin::Beginning) => {
            java.arg("--from-beginning");
        }
        (None, Begin::End) => {}
        (None, Begin::Offset(offset)) => {
            java.args(["--partition", "0", "--offset", &offset.to_string()]);
            java.args(["--command-property", "auto.offset.reset=earliest"]);
        }
        (None, Begin::Time(millis)) => {
            let admin = Admin::new(stage, access)?;
            let offset = admin.offset_at(reading.topic()?, &millis.to_string()).await?;
            java.args(["--partition", "0", "--offset", &offset.to_string()]);
        }
    }
    let process = Process::start("console", &mut java, stage.folder.path())?;
    Ok(Session { process, parse, count: reading.count })
}

/// `CreateTime:<ms>`, `Offset:<n>`, headers, key, value.
fn parse(line: &str) -> Result<Line> {
    let fields: Vec<&str> = line.splitn(5, FIELD).collect();
    let [timestamp, offset, headers, key, value] = fields[..] else { return Ok(Line::Other) };
    let number = |text: &str| -> Result<i64> {
        let (_, digits) = text.split_once(':').context("no number")?;
        digits.parse().with_context(|| format!("`{digits}` is no number"))
    };
    let headers = headers.split(HEADER).filter_map(|header| {
        let (name, value) = header.split_once(':')?;
        Some((name.to_owned(), value.as_bytes().to_owned()))
    });
    Ok(Line::Record(Consumed {
        topic: String::new(),
        offset: number(offset)?,
        timestamp: number(timestamp)?,
        key: Some(key).filter(|key| *key != NULL).map(|key| key.as_bytes().to_owned()),
        value: value.as_bytes().to_owned(),
        headers: headers.collect(),
    }))
}
