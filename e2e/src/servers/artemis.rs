//! Apache ActiveMQ Artemis, <https://artemis.apache.org>: AMQP 1.0, in the clear and with TLS, and
//! MQTT. What it accepts is synced to its journal before.
//!
//! Its instance is written here instead of being made by its own command, which takes longer than the
//! broker. Queues come into being when somebody uses them.

use std::{net::SocketAddr, process::Command};

use anyhow::Result;

use super::{
    amqp::{Amqp, broker},
    free_address, java,
    service::{Home, Ready, Service},
};
use crate::{arrived::Message, stage::Stage, tls::Certificates, tools::Tool};

const BROKER: &str = include_str!("../../clients/artemis/broker.xml");
const BOOTSTRAP: &str = "<?xml version=\"1.0\"?>\n\
    <broker xmlns=\"http://activemq.apache.org/schema\">\n\
    <jaas-security domain=\"pluvio\"/>\n\
    <server configuration=\"file:${artemis.instance.etc}/broker.xml\"/>\n\
    </broker>\n";
/// Without it the broker does not start.
const MANAGEMENT: &str = "<?xml version=\"1.0\"?>\n\
    <management-context xmlns=\"http://activemq.apache.org/schema\"/>\n";
const LOGIN: &str = "pluvio {\n\
    org.apache.activemq.artemis.spi.core.security.jaas.PropertiesLoginModule required\n\
    org.apache.activemq.jaas.properties.user=\"users.properties\"\n\
    org.apache.activemq.jaas.properties.role=\"roles.properties\";\n};\n";
const LOGGING: &str = "rootLogger.level=INFO\nrootLogger.appenderRef.out.ref=out\n\
    appender.out.type=Console\nappender.out.name=out\nappender.out.layout.type=PatternLayout\n\
    appender.out.layout.pattern=%d %-5level %c{1} %msg%n\n\
    logger.audit.name=org.apache.activemq.audit\nlogger.audit.level=OFF\n";

/// A running broker.
#[derive(Debug)]
pub struct Artemis {
    service: Service,
    amqp: Amqp,
    mqtt: SocketAddr,
}

broker!(Artemis);

impl Artemis {
    /// May do everything.
    pub const USERNAME: &'static str = "admin";
    /// Its password.
    pub const PASSWORD: &'static str = "galoshes";
    /// May write to what is there, and neither read nor make anything.
    pub const WRITER: &'static str = "writer";
    /// Its password.
    pub const WRITER_PASSWORD: &'static str = "umbrella";
    /// A queue that is there from the start.
    pub const QUEUE: &'static str = "events";
    /// A queue that takes no more than a megabyte: senders then get no credit.
    pub const NARROW_QUEUE: &'static str = "narrow";
    /// What it needs to be installed, its reader included.
    pub const TOOLS: [Tool; 2] = [Tool::Artemis, Tool::Amqp];

    /// Starts it.
    pub async fn start(stage: &Stage) -> Result<Self> {
        let program = stage.tools.path(Tool::Artemis).await?;
        let (open, secure, mqtt) = (free_address()?, free_address()?, free_address()?);
        let home = Home::make(&stage.folder, "artemis", open.port())?;
        let users = [
            format!("{}={}", Self::USERNAME, Self::PASSWORD),
            format!("{}={}\n", Self::WRITER, Self::WRITER_PASSWORD),
        ];
        home.write("users.properties", &users.join("\n"))?;
        let roles = format!("all={}\nsend={}\n", Self::USERNAME, Self::WRITER);
        home.write("roles.properties", &roles)?;
        home.write("broker.xml", BROKER)?;
        home.write("bootstrap.xml", BOOTSTRAP)?;
        home.write("management.xml", MANAGEMENT)?;
        let login = home.write("login.config", LOGIN)?;
        let logging = home.write("log4j2.properties", LOGGING)?;
        let mut command: Command = java();
        let path = home.path.display();
        let properties = [
            ("artemis.home", program.display().to_string()),
            ("artemis.instance", path.to_string()),
            ("artemis.instance.etc", path.to_string()),
            ("java.security.auth.login.config", login.display().to_string()),
            ("log4j2.configurationFile", logging.display().to_string()),
            ("pluvio.data", home.data().display().to_string()),
            ("pluvio.open", open.to_string()),
            ("pluvio.secure", secure.to_string()),
            ("pluvio.mqtt", mqtt.to_string()),
            ("pluvio.pair", home.tls.pair.display().to_string()),
        ];
        command.args(properties.map(|(name, value)| format!("-D{name}={value}")));
        command.arg("--add-opens=java.base/jdk.internal.misc=ALL-UNNAMED");
        command.arg("-cp").arg(format!("{}/lib/*:{path}", program.display()));
        command.args(["org.apache.activemq.artemis.cli.Artemis", "run"]);
        // The number of its message "server started".
        let ready = Ready::Says("AMQ221007");
        let service = Service::start(stage, "artemis", command, ready).await?;
        let (username, password) = (Self::USERNAME, Self::PASSWORD);
        let amqp = Amqp { open, secure, tls: home.tls, username, password };
        Ok(Self { service, amqp, mqtt })
    }

    /// Where it listens for MQTT, without TLS.
    pub fn mqtt(&self) -> SocketAddr {
        self.mqtt
    }
}
