//! What each tool is made of: files of ours, commands, and what is there in the end.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::Path,
};

use tokio::process::Command;

use super::Tool;

/// The newest version that `go install` takes: later ones have a `replace` in their module.
const GOVMOMI: &str = "v0.46.3";
/// The first release line of librdkafka that does SCRAM with Kafka 4 is 2.6.1.
const CONFLUENT: &str = "2.16.1";

/// The project whose dependencies are the jars.
const POM: &str = include_str!("../../clients/kafka/pom.xml");
const FRANZ: [(&str, &str); 3] = [
    ("main.go", include_str!("../../clients/franz-go/main.go")),
    ("go.mod", include_str!("../../clients/franz-go/go.mod")),
    ("go.sum", include_str!("../../clients/franz-go/go.sum")),
];

/// How a tool is made, in a folder of its own.
#[derive(Debug)]
pub(super) struct Recipe {
    /// The folder's name in the cache.
    pub(super) folder: String,
    /// Files of ours that come into it first.
    pub(super) files: Vec<(&'static str, &'static str)>,
    /// What is there in the end, and what the tool's path leads to.
    pub(super) product: &'static str,
    /// Whether commands are those of [`super::debian`].
    pub(super) is_debian: bool,
}

impl Recipe {
    pub(super) fn of(tool: Tool) -> Self {
        let recipe =
            |folder: String, product| Self { folder, files: Vec::new(), product, is_debian: false };
        match tool {
            Tool::Vcsim => recipe(format!("vcsim-{GOVMOMI}"), "vcsim"),
            Tool::Govc => recipe(format!("govc-{GOVMOMI}"), "govc"),
            Tool::Kafka => Self {
                files: vec![("pom.xml", POM)],
                ..recipe(format!("kafka-{}", digest(&[("pom.xml", POM)])), "jars")
            },
            Tool::Kcat => Self { is_debian: true, ..recipe("kcat-debian".to_owned(), "kcat") },
            Tool::Confluent => recipe(format!("confluent-kafka-{CONFLUENT}"), "bin/python"),
            Tool::Franz => Self {
                files: FRANZ.to_vec(),
                ..recipe(format!("franz-go-{}", digest(&FRANZ)), "consume")
            },
        }
    }

    /// The commands that make it in `folder`, one after the other.
    pub(super) fn commands(&self, tool: Tool, folder: &Path) -> Vec<Command> {
        match tool {
            Tool::Vcsim => vec![go_install("vcsim", folder)],
            Tool::Govc => vec![go_install("govc", folder)],
            Tool::Kafka => {
                let mut maven = command("mvn", &["--quiet", "--batch-mode"]);
                maven.arg("dependency:copy-dependencies").arg("-DincludeScope=runtime");
                maven.arg(format!("-DoutputDirectory={}", folder.join("jars").display()));
                vec![maven]
            }
            Tool::Kcat => Vec::new(),
            Tool::Confluent => {
                let mut python = command("python3", &["-m", "venv"]);
                python.arg(folder);
                let mut pip = Command::new(folder.join("bin/python"));
                pip.args(["-m", "pip", "install", "--quiet", "--only-binary", ":all:"]);
                pip.arg(format!("confluent-kafka=={CONFLUENT}"));
                vec![python, pip]
            }
            Tool::Franz => vec![command("go", &["build", "-trimpath", "-o", "consume", "."])],
        }
    }
}

fn go_install(name: &str, folder: &Path) -> Command {
    let mut go = command("go", &["install"]);
    go.arg(format!("github.com/vmware/govmomi/{name}@{GOVMOMI}")).env("GOBIN", folder);
    go
}

fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

/// Tells sources apart; nobody is to be kept from forging it.
fn digest(files: &[(&str, &str)]) -> String {
    let mut hasher = DefaultHasher::new();
    files.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
