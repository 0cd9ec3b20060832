//! Programs on public client libraries, which write to servers and read from them.
//!
//! They lie in `e2e/clients`. All take and print [`Message`]s, one JSON object a line. One that ends
//! by itself is run; one that goes on until it is told to leave is followed.
//!
//! It refuses to know any protocol, and leaves waiting for arrivals to who asks: a read tells what is
//! there now.

use std::{ffi::OsString, process::Stdio, time::Duration};

use anyhow::{Context as _, Result, ensure};
use rustix::process::Signal;
use tokio::io::AsyncWriteExt as _;

use crate::{
    arrived::{self, Message},
    process::Process,
    stage::Stage,
    tools::Tool,
    wait,
};

/// How long a client may take on a busy machine.
const CLIENT_MAX: Duration = Duration::from_secs(120);

/// What the Python programs share.
const MESSAGES: (&str, &str) = ("messages.py", include_str!("../clients/python/messages.py"));

/// A program.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Client {
    /// A script for [`Tool::Python`]: its name and text.
    Python(&'static str, &'static str),
    /// [`Tool::Amqp`].
    Amqp,
    /// The client of [`Tool::Fluent`].
    Fluent,
}

impl Client {
    /// The command that starts it.
    pub(crate) async fn command(self, stage: &Stage) -> Result<std::process::Command> {
        match self {
            Self::Python(name, text) => {
                let python = stage.tools.path(Tool::Python).await?;
                let mut command = std::process::Command::new(python);
                stage.folder.write(MESSAGES.0, MESSAGES.1)?;
                // Several of them may start at a time, in the same folder.
                command.arg("-B").arg(stage.folder.write(name, text)?);
                Ok(command)
            }
            Self::Amqp => Ok(std::process::Command::new(stage.tools.path(Tool::Amqp).await?)),
            Self::Fluent => {
                let mut command = std::process::Command::new("node");
                let modules = stage.tools.path(Tool::Fluent).await?;
                command.arg(modules.with_file_name("client.js"));
                Ok(command)
            }
        }
    }

    /// Runs it on `input`, and gives what it printed.
    pub(crate) async fn run(
        self,
        stage: &Stage,
        arguments: &[OsString],
        input: &[Message],
    ) -> Result<Vec<Message>> {
        let mut lines = String::new();
        for message in input {
            lines += &serde_json::to_string(message)?;
            lines.push('\n');
        }
        let mut command = tokio::process::Command::from(self.command(stage).await?);
        let mut child = command
            .args(arguments)
            .current_dir(stage.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("failed to start {self}"))?;
        let mut stdin = child.stdin.take().context("no standard input")?;
        let name = self.to_string();
        let output = wait::at_most(&name, CLIENT_MAX, async {
            // It may end without reading, and then says why.
            let _unread = stdin.write_all(lines.as_bytes()).await;
            drop(stdin);
            child.wait_with_output().await.with_context(|| format!("failed to run {self}"))
        });
        let output = output.await?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{self} ended with {}: {errors}", output.status);
        arrived::parse(&String::from_utf8_lossy(&output.stdout))
    }

    /// Starts it and waits until it says `ready` on standard error.
    pub(crate) async fn follow(
        self,
        stage: &Stage,
        arguments: &[OsString],
        ready: &str,
    ) -> Result<Follower> {
        let mut command = self.command(stage).await?;
        let name = self.to_string().replace('.', "-");
        let mut process = Process::start(&name, command.args(arguments), stage.folder.path())?;
        let is_ready = |text: &str| text.contains(ready).then_some(());
        process.says(ready, CLIENT_MAX, is_ready).await?;
        Ok(Follower { process })
    }
}

impl std::fmt::Display for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Python(name, _) => name,
            Self::Amqp => "amqp",
            Self::Fluent => "fluent",
        })
    }
}

/// A client that tells what comes; stopped when dropped.
#[derive(Debug)]
pub struct Follower {
    process: Process,
}

impl Follower {
    /// What has come so far.
    pub fn messages(&self) -> Result<Vec<Message>> {
        arrived::parse(&self.process.stdout())
    }

    /// Waits until so many have come.
    pub async fn until(&mut self, count: usize) -> Result<Vec<Message>> {
        wait::until(&format!("{count} messages"), CLIENT_MAX, async || {
            let ended = self.process.ended()?;
            let messages = self.messages()?;
            let is_enough = messages.len() >= count;
            ensure!(is_enough || ended.is_none(), "a client ended: {}", self.process.stderr());
            Ok(is_enough.then_some(messages))
        })
        .await
    }

    /// Lets it say good-bye; gives all that came.
    pub async fn leave(mut self) -> Result<Vec<Message>> {
        self.process.signal(Signal::TERM)?;
        self.process.end(CLIENT_MAX).await?;
        self.messages()
    }
}

/// Arguments of a command line, of texts and paths alike.
macro_rules! arguments {
    ($($argument:expr),* $(,)?) => {
        [$(::std::ffi::OsString::from(&$argument)),*]
    };
}
pub(crate) use arguments;
