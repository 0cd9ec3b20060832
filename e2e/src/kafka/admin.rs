//! Kafka's command line tools, each a short run of a Java program; and kcat where it produces.

use std::{process::Stdio, time::Duration};

use anyhow::{Context as _, Result, ensure};
use tokio::{io::AsyncWriteExt as _, process::Command};

use super::{Access, java, kcat};
use crate::{process::Process, stage::Stage, wait};

/// How long a tool may take on a busy machine.
const TOOL_MAX: Duration = Duration::from_secs(60);

/// What a tool said.
#[derive(Clone, Debug)]
pub struct Said {
    /// Whether its exit status was 0.
    pub is_success: bool,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Said {
    /// Standard output; an error if it did not end well.
    pub fn ok(self) -> Result<String> {
        ensure!(self.is_success, "a tool failed: {}{}", self.out, self.err);
        Ok(self.out)
    }

    /// Both outputs: which one a tool complains on differs.
    pub fn all(&self) -> String {
        format!("{}{}", self.out, self.err)
    }
}

/// The tools, told where the broker is.
#[derive(Debug)]
pub struct Admin<'s> {
    stage: &'s Stage,
    access: Access,
    properties: std::path::PathBuf,
}

impl<'s> Admin<'s> {
    /// For a broker.
    pub fn new(stage: &'s Stage, access: &Access) -> Result<Self> {
        let properties = stage.folder.write("admin.properties", &access.properties())?;
        Ok(Self { stage, access: access.clone(), properties })
    }

    /// `kafka-topics`.
    pub async fn topics(&self, arguments: &[&str]) -> Result<Said> {
        self.run("TopicCommand", arguments, "").await
    }

    /// `kafka-consumer-groups`.
    pub async fn groups(&self, arguments: &[&str]) -> Result<Said> {
        self.run("consumer.group.ConsumerGroupCommand", arguments, "").await
    }

    /// `kafka-acls`.
    pub async fn acls(&self, arguments: &[&str]) -> Result<Said> {
        self.run("AclCommand", arguments, "").await
    }

    /// `kafka-configs`.
    pub async fn configs(&self, arguments: &[&str]) -> Result<Said> {
        self.say_java("kafka.admin.ConfigCommand", arguments, "").await
    }

    /// `kafka-get-offsets`: the offset of partition 0 at a time in milliseconds, or at `-1` the
    /// next one, at `-2` the earliest, at `-3` that of the largest timestamp.
    pub async fn offset_at(&self, topic: &str, time: &str) -> Result<i64> {
        let arguments = ["--topic-partitions", &format!("{topic}:0"), "--time", time];
        let said = self.run("GetOffsetShell", &arguments, "").await?.ok()?;
        let offset = said.trim().rsplit(':').next().and_then(|digits| digits.parse().ok());
        offset.with_context(|| format!("no offset in `{said}`"))
    }

    /// `kafka-get-offsets`: how many offsets all partitions of a topic have given out.
    pub async fn ends(&self, topic: &str) -> Result<i64> {
        let said = self.run("GetOffsetShell", &["--topic-partitions", topic], "").await?.ok()?;
        let end = |line: &str| line.rsplit(':').next().and_then(|it| it.parse::<i64>().ok());
        let ends: Option<Vec<i64>> = said.lines().map(end).collect();
        Ok(ends.with_context(|| format!("no offsets in `{said}`"))?.into_iter().sum())
    }

    /// `kafka-consumer-perf-test`.
    pub async fn performance(&self, arguments: &[&str]) -> Result<Said> {
        self.run("ConsumerPerformance", arguments, "").await
    }

    /// `kafka-producer-perf-test` as Kafka's own script starts it, to be run by who measures it.
    pub async fn produce_performance(&self, arguments: &[&str]) -> Result<std::process::Command> {
        let jars = self.stage.tools.path(crate::tools::Tool::Kafka).await?;
        let mut java = std::process::Command::new("java");
        java.args(["-Xmx256m", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20"]);
        java.arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn");
        java.arg("-cp").arg(super::class_path(&jars));
        java.arg("org.apache.kafka.tools.ProducerPerformance");
        java.args(["--bootstrap-server", &self.access.address.to_string()]).args(arguments);
        Ok(java)
    }

    /// `kafka-console-producer`, given one line.
    pub async fn produce(&self, topic: &str, line: &str) -> Result<Said> {
        self.run("ConsoleProducer", &["--topic", topic], line).await
    }

    /// `kafka-console-producer`, given one line and waiting for more: it lives until it is ended.
    pub async fn producer(&self, topic: &str, line: &str) -> Result<Process> {
        let mut java = java(&self.stage.tools, "org.apache.kafka.tools.ConsoleProducer").await?;
        java.args(["--bootstrap-server", &self.access.address.to_string(), "--topic", topic]);
        java.arg("--command-config").arg(&self.properties);
        Process::fed("producer", &mut java, self.stage.folder.path(), line)
    }

    /// `kcat -P`, given one line.
    pub async fn produce_by_kcat(&self, topic: &str, line: &str) -> Result<Said> {
        let mut kcat = Command::from(kcat::command(self.stage, &self.access).await?);
        kcat.args(["-P", "-t", topic, "-p", "0", "-X", "message.timeout.ms=10000"]);
        self.say("kcat -P", kcat, line).await
    }

    async fn run(&self, class: &str, arguments: &[&str], input: &str) -> Result<Said> {
        self.say_java(&format!("org.apache.kafka.tools.{class}"), arguments, input).await
    }

    async fn say_java(&self, class: &str, arguments: &[&str], input: &str) -> Result<Said> {
        let mut java = Command::from(java(&self.stage.tools, class).await?);
        java.args(["--bootstrap-server", &self.access.address.to_string()]);
        java.arg("--command-config").arg(&self.properties).args(arguments);
        self.say(class, java, input).await
    }

    async fn say(&self, name: &str, mut command: Command, input: &str) -> Result<Said> {
        let mut child = command
            .current_dir(self.stage.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("failed to start {name}"))?;
        let mut stdin = child.stdin.take().context("no standard input")?;
        let output = wait::at_most(name, TOOL_MAX, async {
            // It may end without reading.
            let _unread = stdin.write_all(input.as_bytes()).await;
            drop(stdin);
            child.wait_with_output().await.with_context(|| format!("failed to run {name}"))
        });
        let output = output.await?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Said {
            is_success: output.status.success(),
            out: text(&output.stdout),
            err: text(&output.stderr),
        })
    }
}
