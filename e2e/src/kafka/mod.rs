//! Kafka clients that we did not write, each asked what it sees.
//!
//! ```text
//!  Reading (topics, from where, how many, which group)
//!    └─ Client::start ──▶ Session (a process) ──▶ Consumed, Consumed, …
//!         Kcat       librdkafka of Debian, in C
//!         Confluent  librdkafka of PyPI, under Python
//!         Console    kafka-clients, in Java, by Kafka's own console consumer
//!         Franz      franz-go, in Go
//! ```
//!
//! All four are told the same and tell the same, so that a scenario is written once. What one of
//! them cannot be asked, or cannot tell, its module says.

mod access;
mod admin;
mod confluent;
mod console;
mod kcat;
mod session;

use std::{path::Path, process::Command};

use anyhow::{Context as _, Result, ensure};

pub use access::{Access, Identity, Login, Mechanism};
pub use admin::{Admin, Said};
pub use session::Session;

use crate::{
    stage::Stage,
    tools::{Tool, Tools},
};

/// A record as a client tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumed {
    /// The topic.
    pub topic: String,
    /// The offset.
    pub offset: i64,
    /// The record's timestamp in milliseconds.
    pub timestamp: i64,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The value; empty if there is none.
    pub value: Vec<u8>,
    /// The headers, in order.
    pub headers: Vec<(String, Vec<u8>)>,
}

impl Consumed {
    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_slice())
    }
}

/// Where reading begins when no commit says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// At the earliest record.
    Beginning,
    /// Behind the last record.
    End,
    /// At the first record at or behind this offset.
    Offset(i64),
    /// At the first record of this millisecond or later.
    Time(i64),
}

/// What a client is told to read.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The topics, all of one partition.
    pub topics: Vec<String>,
    /// From where.
    pub begin: Begin,
    /// After so many records the client ends by itself; else when it is told to.
    pub count: Option<usize>,
    /// As a member of this group, which commits what it printed when it ends properly.
    pub group: Option<String>,
}

impl Reading {
    /// From the beginning, without an end.
    pub fn of(topic: &str) -> Self {
        let topics = vec![topic.to_owned()];
        Self { topics, begin: Begin::Beginning, count: None, group: None }
    }

    /// From there.
    pub fn from(self, begin: Begin) -> Self {
        Self { begin, ..self }
    }

    /// So many records.
    pub fn count(self, count: usize) -> Self {
        Self { count: Some(count), ..self }
    }

    /// In this group.
    pub fn group(self, group: &str) -> Self {
        Self { group: Some(group.to_owned()), ..self }
    }

    /// The only topic; some clients can be told no more.
    fn topic(&self) -> Result<&str> {
        ensure!(self.topics.len() == 1, "this client reads one topic at a time");
        self.topics.first().map(String::as_str).context("no topic")
    }
}

/// A kind of client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// librdkafka's command line.
    Kcat,
    /// librdkafka under Python.
    Confluent,
    /// kafka-clients' console consumer.
    Console,
    /// franz-go.
    Franz,
}

impl Client {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Kcat, Self::Confluent, Self::Console, Self::Franz];

    /// What it needs to be installed.
    pub fn tool(self) -> Tool {
        match self {
            Self::Kcat => Tool::Kcat,
            Self::Confluent => Tool::Confluent,
            Self::Console => Tool::Kafka,
            Self::Franz => Tool::Franz,
        }
    }

    /// Begins to read.
    pub async fn start(self, stage: &Stage, access: &Access, reading: &Reading) -> Result<Session> {
        let is_able = access.identity.is_none() || self == Self::Kcat;
        ensure!(is_able, "{self:?} is not told here how to show a certificate");
        match self {
            Self::Kcat => kcat::start(stage, access, reading).await,
            Self::Confluent | Self::Franz => confluent::start(self, stage, access, reading).await,
            Self::Console => console::start(stage, access, reading).await,
        }
    }

    /// Reads to its end; `reading` has a count.
    pub async fn read(
        self,
        stage: &Stage,
        access: &Access,
        reading: &Reading,
    ) -> Result<Vec<Consumed>> {
        self.start(stage, access, reading).await?.finish().await
    }
}

/// A Java program out of Kafka's jars, with a small and quick machine.
pub(crate) async fn java(tools: &Tools, class: &str) -> Result<Command> {
    java_of(tools, Tool::Kafka, class).await
}

/// The same out of the jars of `tool`.
pub(crate) async fn java_of(tools: &Tools, tool: Tool, class: &str) -> Result<Command> {
    let jars = tools.path(tool).await?;
    let mut java = Command::new("java");
    java.args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
    java.arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn");
    java.arg("-cp").arg(class_path(&jars)).arg(class);
    Ok(java)
}

/// All jars of a folder; Java itself expands the star.
pub(crate) fn class_path(jars: &Path) -> String {
    format!("{}/*", jars.display())
}
