//! Eclipse Mosquitto, <https://mosquitto.org>, as Debian has it: MQTT 3.1.1 and 5, in the clear, with
//! TLS, and with TLS and a client's certificate, whose name is then the user's.
//!
//! What it acknowledges it stores a moment later: a kill may take that away, a proper end does not.
//! A publish that is not allowed is acknowledged all the same in 3.1.1, and refused in 5.

use std::{net::SocketAddr, process::Command};

use anyhow::{Context as _, Result, ensure};

use super::{
    free_address,
    service::{Home, Ready, Service},
};
use crate::{
    Follower,
    arrived::Message,
    clients::{Client, arguments},
    process::Process,
    stage::Stage,
    tls::Certificates,
    tools::Tool,
};

const CLIENT: Client = Client::Python("mqtt.py", include_str!("../../clients/python/mqtt.py"));

/// A version of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mqtt {
    /// 3.1.1, without properties.
    Three,
    /// 5.
    Five,
}

impl Mqtt {
    fn name(self) -> &'static str {
        match self {
            Self::Three => "3.1.1",
            Self::Five => "5",
        }
    }
}

/// A running broker.
#[derive(Debug)]
pub struct Mosquitto {
    service: Service,
    open: SocketAddr,
    secure: SocketAddr,
    mutual: SocketAddr,
    tls: Certificates,
}

impl Mosquitto {
    /// May write and read everything.
    pub const USERNAME: &'static str = "writer";
    /// Its password.
    pub const PASSWORD: &'static str = "galoshes";
    /// May only read everything.
    pub const READER: &'static str = "reader";
    /// Its password.
    pub const READER_PASSWORD: &'static str = "umbrella";
    /// What it needs to be installed, its reader included.
    pub const TOOLS: [Tool; 2] = [Tool::Mosquitto, Tool::Python];

    /// Starts it.
    pub async fn start(stage: &Stage) -> Result<Self> {
        Self::start_with(stage, "").await
    }

    /// Starts it so that it takes no packet larger than this.
    pub async fn start_narrow(stage: &Stage, packet_bytes_max: usize) -> Result<Self> {
        Self::start_with(stage, &format!("max_packet_size {packet_bytes_max}\n")).await
    }

    async fn start_with(stage: &Stage, more: &str) -> Result<Self> {
        let program = stage.tools.path(Tool::Mosquitto).await?;
        let (open, secure, mutual) = (free_address()?, free_address()?, free_address()?);
        let home = Home::make(&stage.folder, "mosquitto", open.port())?;
        let passwords = home.write("passwords", "")?;
        let users = [(Self::USERNAME, Self::PASSWORD), (Self::READER, Self::READER_PASSWORD)];
        for (user, password) in users {
            let mut hash = Command::new(program.with_file_name("mosquitto_passwd"));
            hash.arg("-b").arg(&passwords).args([user, password]);
            let mut hashing = Process::start("mosquitto_passwd", &mut hash, stage.folder.path())?;
            let status = hashing.end(super::START_MAX).await?;
            ensure!(status.success(), "no password was made: {}", hashing.stderr());
        }
        let (user, reader) = (Self::USERNAME, Self::READER);
        let rights = format!("user {user}\ntopic readwrite #\nuser {reader}\ntopic read #\n");
        home.write("rights", &rights)?;
        let text = configuration(&home, [open, secure, mutual]) + more;
        let mut command = Command::new(&program);
        command.arg("-c").arg(home.write("mosquitto.conf", &text)?);
        let ready = Ready::Accepts(open);
        let service = Service::start(stage, "mosquitto", command, ready).await?;
        Ok(Self { service, open, secure, mutual, tls: home.tls })
    }

    /// To stop it and start it again: sessions and what waits for them are still there.
    pub fn service(&mut self) -> &mut Service {
        &mut self.service
    }

    /// Where it listens without TLS.
    pub fn address(&self) -> SocketAddr {
        self.open
    }

    /// Where it listens with TLS.
    pub fn secure(&self) -> SocketAddr {
        self.secure
    }

    /// Where it wants [`Certificates::client_certificate`] instead of a login.
    pub fn mutual(&self) -> SocketAddr {
        self.mutual
    }

    /// What its certificate is verified with, and a client's.
    pub fn tls(&self) -> &Certificates {
        &self.tls
    }

    /// A subscriber with a session of this name, which the broker keeps when it leaves. Its messages'
    /// properties are the user properties, and `qos` and `retain`.
    pub async fn subscribe(
        &self,
        stage: &Stage,
        version: Mqtt,
        session: &str,
        topic: &str,
    ) -> Result<Follower> {
        let port = self.open.port().to_string();
        let arguments = arguments![
            "follow",
            "--port",
            port,
            "--version",
            version.name(),
            "--client",
            session,
            "--topic",
            topic,
            "--user",
            Self::READER,
            "--password",
            Self::READER_PASSWORD,
        ];
        let follower = CLIENT.follow(stage, &arguments, "subscribed").await;
        follower.with_context(|| format!("failed to subscribe to {topic}"))
    }

    /// Publishes over TLS by paho, acknowledged one by one; a message's place is its topic.
    pub async fn write(&self, stage: &Stage, version: Mqtt, messages: &[Message]) -> Result<()> {
        let port = self.secure.port().to_string();
        let arguments = arguments![
            "write",
            "--port",
            port,
            "--version",
            version.name(),
            "--ca",
            self.tls.authority,
            "--user",
            Self::USERNAME,
            "--password",
            Self::PASSWORD,
        ];
        CLIENT.run(stage, &arguments, messages).await.map(|_| ())
    }
}

fn configuration(home: &Home, listeners: [SocketAddr; 3]) -> String {
    let [open, secure, mutual] =
        listeners.map(|address| format!("listener {} {}", address.port(), address.ip()));
    let at = |name: &str| home.path.join(name).display().to_string();
    let login = format!("password_file {}\nacl_file {}", at("passwords"), at("rights"));
    let tls = format!(
        "cafile {}\ncertfile {}\nkeyfile {}",
        home.tls.authority.display(),
        home.tls.certificate.display(),
        home.tls.key.display()
    );
    let lines = [
        "per_listener_settings true",
        // Another user could not read a temporary folder.
        "user root",
        "persistence true",
        &format!("persistence_location {}/", home.data().display()),
        "autosave_on_changes true",
        "autosave_interval 1",
        "max_queued_messages 100000",
        "log_dest stderr",
        "log_type all",
        &open,
        "allow_anonymous false",
        &login,
        &secure,
        "allow_anonymous false",
        &tls,
        &login,
        &mutual,
        &tls,
        "require_certificate true",
        "use_identity_as_username true",
    ];
    lines.join("\n") + "\n"
}
