//! What each tool is made of: files of ours, a step, and what is there in the end.

use std::{
    hash::{DefaultHasher, Hash, Hasher as _},
    path::Path,
};

use tokio::process::Command;

use super::{
    Tool,
    debian::{self, Packages},
    step::Step,
};

/// The newest version that `go install` takes: later ones have a `replace` in their module.
const GOVMOMI: &str = "v0.46.3";
/// The first release line of librdkafka that does SCRAM with Kafka 4 is 2.6.1.
const CONFLUENT: &str = "2.16.1";
/// Its group is `org.apache.artemis` since 2.50.
const ARTEMIS: &str = "2.56.0";
const BROKER_J: &str = "10.1.0";
const TOXIPROXY: &str = "v2.12.0";
const VERSITYGW: &str = "v1.8.0";

/// Clients for the servers that are not Kafka, and what a webhook is received with. The newest
/// `opensearch-py` brings gRPC along; this one does with HTTP.
const PYTHON: [&str; 7] = [
    "boto3==1.40.76",
    "cloudevents==2.2.0",
    "flask==3.1.2",
    "opensearch-py==2.8.0",
    "paho-mqtt==2.1.0",
    "pika==1.3.2",
    "pymongo==4.15.5",
];

/// The newest of VMware's Python client, of the API 9.1.
const PYVMOMI: &str = "9.1.1.0";
/// What watches a vCenter. The exporter does not say that it needs `requests`, and its scrapes fail with newer
/// releases of Twisted (tried: 26.10); one of its packages has no wheel.
const MONITORS: [&str; 6] = [
    "--no-binary=prometheus-client",
    "vmware-exporter==0.18.4",
    "twisted==22.10.0",
    "requests==2.34.2",
    "checkvsphere==0.3.40",
    "pyvmomi==9.1.1.0",
];
/// Public clients of CloudStack.
const CLOUDSTACK: [&str; 2] = ["apache-libcloud==3.9.1", "cs==5.2.0"];

type Files = &'static [(&'static str, &'static str)];

/// Files of a folder of `e2e/clients`, by name.
macro_rules! files {
    ($folder:literal: $($name:literal),+) => {
        &[$(($name, include_str!(concat!("../../clients/", $folder, "/", $name)))),+]
    };
}

/// Projects whose dependencies are the jars.
const KAFKA: Files = files!("kafka": "pom.xml");
const MIRROR: Files = files!("mirror": "pom.xml");
const OPENSEARCH: Files = files!("opensearch": "pom.xml");
const FRANZ: Files = files!("franz-go": "main.go", "go.mod", "go.sum");
const AMQP: Files = files!("amqp": "main.go", "go.mod", "go.sum");
const FERRETDB: Files = files!("ferretdb": "main.go", "go.mod", "go.sum");
const COLLECTOR: Files = files!("collector": "main.go", "go.mod", "go.sum");
const CLOUDSTACK_GO: Files = files!("cloudstack-go": "main.go", "go.mod", "go.sum");
const CS_CLIENT: Files = files!("csclient": "package.json", "package-lock.json", "order.js");
const JCLOUDS: Files = files!("jclouds": "pom.xml", "Order.java");
const TELEGRAF: Files = files!("telegraf": "main.go", "go.mod", "go.sum");
const FLUENT: Files =
    files!("fluent": "package.json", "package-lock.json", "server.js", "client.js");

/// How a tool is made, in a folder of its own.
#[derive(Debug)]
pub(super) struct Recipe {
    /// The folder's name in the cache.
    pub(super) folder: String,
    /// Files of ours that come into it first.
    pub(super) files: Files,
    /// What is there in the end, and what the tool's path leads to.
    pub(super) product: String,
    /// What makes it.
    step: Step,
}

impl Recipe {
    pub(super) fn of(tool: Tool) -> Self {
        let govmomi = |name: &str| {
            Self::go_install(name, GOVMOMI, &format!("github.com/vmware/govmomi/{name}"))
        };
        match tool {
            Tool::Vcsim => govmomi("vcsim"),
            Tool::Govc => govmomi("govc"),
            Tool::Kafka => Self::of_files("kafka", KAFKA, "jars", Step::Jars),
            Tool::MirrorMaker => Self::of_files("mirror", MIRROR, "jars", Step::Jars),
            Tool::Kcat => Self::of_debian("kcat", debian::KCAT),
            Tool::Confluent => {
                let packages = vec![format!("confluent-kafka=={CONFLUENT}")];
                Self::python(format!("confluent-kafka-{CONFLUENT}"), packages)
            }
            Tool::Franz => Self::go_build("franz-go", FRANZ, "consume", ""),
            Tool::RabbitMq => Self::of_debian("rabbitmq-server", debian::RABBITMQ),
            Tool::Faketime => Self::of_debian("faketime", debian::FAKETIME),
            Tool::Mosquitto => Self::of_debian("mosquitto", debian::MOSQUITTO),
            Tool::Artemis => Self::archive("org.apache.artemis", "apache-artemis", ARTEMIS, ""),
            Tool::BrokerJ => {
                let product = format!("qpid-broker/{BROKER_J}");
                Self::archive("org.apache.qpid", "apache-qpid-broker-j", BROKER_J, &product)
            }
            Tool::FerretDb => {
                Self::go_build("ferretdb", FERRETDB, "ferretdb", "ferretdb_no_postgresql")
            }
            Tool::OpenSearch => Self::of_files("opensearch", OPENSEARCH, "jars", Step::Jars),
            Tool::VersityGw => {
                let package = "github.com/versity/versitygw/cmd/versitygw";
                Self::go_install("versitygw", VERSITYGW, package)
            }
            Tool::Toxiproxy => {
                let package = "github.com/Shopify/toxiproxy/v2/cmd/server";
                Self {
                    product: "server".into(),
                    ..Self::go_install("toxiproxy", TOXIPROXY, package)
                }
            }
            Tool::Fluent => Self::of_files("fluent", FLUENT, "node_modules", Step::Npm),
            Tool::Collector => Self::go_build("collector", COLLECTOR, "fluentforward", ""),
            Tool::Amqp => Self::go_build("amqp", AMQP, "amqp", ""),
            Tool::Python => {
                let folder = format!("python-{}", digest(&PYTHON));
                Self::python(folder, PYTHON.map(str::to_owned).to_vec())
            }
            Tool::PyVmomi => {
                Self::python(format!("pyvmomi-{PYVMOMI}"), vec![format!("pyvmomi=={PYVMOMI}")])
            }
            Tool::Monitors => {
                let folder = format!("monitors-{}", digest(&MONITORS));
                Self::python(folder, MONITORS.map(str::to_owned).to_vec())
            }
            Tool::CloudstackGo => Self::go_build("cloudstack-go", CLOUDSTACK_GO, "order", ""),
            Tool::CsClient => Self::of_files("csclient", CS_CLIENT, "order.js", Step::Npm),
            Tool::Jclouds => Self::of_files("jclouds", JCLOUDS, "jars", Step::Jars),
            Tool::Telegraf => Self::go_build("telegraf", TELEGRAF, "telegraf", ""),
            Tool::Cloudstack => {
                let folder = format!("cloudstack-{}", digest(&CLOUDSTACK));
                Self::python(folder, CLOUDSTACK.map(str::to_owned).to_vec())
            }
        }
    }

    /// The commands that make it in `folder`, one after the other.
    pub(super) fn commands(&self, folder: &Path) -> Vec<Command> {
        self.step.commands(folder, &self.product)
    }

    /// The packages that it is unpacked from, if it is.
    pub(super) fn packages(&self) -> Option<&Packages> {
        if let Step::Debian(packages) = &self.step { Some(packages) } else { None }
    }

    /// Whether it is compiled, which keeps a processor busy for a minute.
    pub(super) fn is_compiled(&self) -> bool {
        matches!(self.step, Step::GoInstall { .. } | Step::GoBuild { .. })
    }

    fn of_files(name: &str, files: Files, product: &str, step: Step) -> Self {
        Self { folder: format!("{name}-{}", digest(files)), files, product: product.into(), step }
    }

    fn of_debian(program: &str, packages: Packages) -> Self {
        let folder = format!("{program}-debian-{}", digest(&packages));
        Self { folder, files: &[], product: program.into(), step: Step::Debian(packages) }
    }

    fn go_build(name: &str, files: Files, product: &str, tags: &'static str) -> Self {
        Self::of_files(name, files, product, Step::GoBuild { tags })
    }

    fn go_install(name: &str, version: &str, package: &str) -> Self {
        let step = Step::GoInstall { package: format!("{package}@{version}") };
        Self { folder: format!("{name}-{version}"), files: &[], product: name.into(), step }
    }

    fn python(folder: String, packages: Vec<String>) -> Self {
        Self { folder, files: &[], product: "bin/python".into(), step: Step::Python { packages } }
    }

    /// An archive of Maven's, which holds a folder: `product`, or one that is called like it.
    fn archive(group: &str, name: &str, version: &str, product: &str) -> Self {
        let folder = format!("{name}-{version}");
        let product = if product.is_empty() { folder.clone() } else { product.to_owned() };
        let step = Step::Archive {
            artifact: format!("{group}:{name}:{version}:tar.gz:bin"),
            file: format!("{folder}-bin.tar.gz"),
        };
        Self { folder, files: &[], product, step }
    }
}

/// Tells sources apart; nobody is to be kept from forging it.
fn digest(sources: &(impl Hash + ?Sized)) -> String {
    let mut hasher = DefaultHasher::new();
    sources.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
