//! Pluvio as it is deployed: its log in a folder and its Kafka listener on a port of its own, so that
//! it is the same one after a restart.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Result;
use tokio::net::TcpStream;

use super::{Pluvio, START_MAX, Setup, Source, free_address};
use crate::{
    kafka::{Access, Login, Mechanism},
    stage::Stage,
    tls::Certificates,
    wait,
};

/// Everything that its configuration says.
#[derive(Clone, Debug)]
pub struct Deployment {
    sources: Vec<(&'static str, Source)>,
    /// Sections of other sources.
    sections: Vec<String>,
    /// Lines of `[log]`.
    log: String,
    /// Sinks with their lines.
    sinks: Vec<(&'static str, String)>,
    kafka: Option<SocketAddr>,
    secure: Option<Certificates>,
}

impl Deployment {
    /// The only user of a secured one.
    pub const USERNAME: &'static str = "reader";
    /// Its password.
    pub const PASSWORD: &'static str = "umbrella";
    /// The folder of the log, in the scenario's.
    pub const DATA: &'static str = "data";

    /// One vCenter, and a log in the scenario's folder.
    pub fn of(source: impl Into<Source>) -> Self {
        let log = format!("dir = \"{}\"\nretention_size = \"2 GiB\"", Self::DATA);
        Self {
            sources: vec![("vcenter", source.into())],
            log,
            sections: Vec::new(),
            sinks: Vec::new(),
            kafka: None,
            secure: None,
        }
    }

    /// No vCenter, but the source that this section describes.
    pub fn of_section(section: String) -> Self {
        let log = format!("dir = \"{}\"\nretention_size = \"2 GiB\"", Self::DATA);
        let (sources, sinks) = (Vec::new(), Vec::new());
        Self { sources, log, sections: vec![section], sinks, kafka: None, secure: None }
    }

    /// With another source, as its section says.
    pub fn section(mut self, section: String) -> Self {
        self.sections.push(section);
        self
    }

    /// With other lines of `[log]`.
    pub fn log(self, lines: &str) -> Self {
        Self { log: lines.to_owned(), ..self }
    }

    /// With a second source, which says its stream itself.
    pub fn and(mut self, name: &'static str, source: impl Into<Source>) -> Self {
        self.sources.push((name, source.into()));
        self
    }

    /// With a sink, as its section's lines say.
    pub fn sink(mut self, name: &'static str, lines: &str) -> Self {
        self.sinks.push((name, lines.to_owned()));
        self
    }

    /// With a Kafka listener.
    pub fn kafka(self) -> Result<Self> {
        Ok(Self { kafka: Some(free_address()?), ..self })
    }

    /// With TLS and a login at the Kafka listener; HTTP wants the login, too.
    pub fn secured(self, stage: &Stage) -> Result<Self> {
        Ok(Self { secure: Some(Certificates::make(&stage.folder)?), ..self })
    }

    /// How Kafka clients reach it, without a login.
    pub fn access(&self) -> Access {
        let address = self.kafka.unwrap_or((Ipv4Addr::LOCALHOST, 0).into());
        let authority = self.secure.as_ref().map(|tls| tls.authority.clone());
        Access { authority, ..Access::open(address) }
    }

    /// How its user reaches it, or somebody who has guessed wrong.
    pub fn access_as(&self, mechanism: Mechanism, password: &str) -> Access {
        let (user, password) = (Self::USERNAME.to_owned(), password.to_owned());
        Access { login: Some(Login { mechanism, user, password }), ..self.access() }
    }

    /// Its configuration.
    pub fn setup(&self) -> Setup {
        let mut text = format!("[log]\n{}\n", self.log);
        for (name, source) in &self.sources {
            text += &format!("\n{}\n", source.section(name));
        }
        for section in &self.sections {
            text += &format!("\n{section}\n");
        }
        for (name, lines) in &self.sinks {
            text += &format!("\n[sinks.{name}]\n{lines}\n");
        }
        if let Some(address) = self.kafka {
            text += &format!("\n[listeners.kafka]\ntype = \"kafka\"\nlisten = \"{address}\"\n");
        }
        if let Some(tls) = &self.secure {
            let (user, password) = (Self::USERNAME, Self::PASSWORD);
            text += &format!(
                "tls.cert_file = \"{}\"\ntls.key_file = \"{}\"\n\n[principals.{user}]\n\
                 password = \"{password}\"\nverbs = [\"read\", \"status\"]\n",
                tls.certificate.display(),
                tls.key.display()
            );
        }
        Setup::File(text)
    }

    /// Starts it and waits until it serves, by Kafka's protocol, too.
    pub async fn start(&self, stage: &Stage) -> Result<Pluvio> {
        let pluvio = Pluvio::start(stage, &self.setup()).await?;
        if let Some(address) = self.kafka {
            wait::until("the Kafka listener", START_MAX, async || {
                Ok(TcpStream::connect(address).await.ok().map(|_| ()))
            })
            .await?;
        }
        Ok(pluvio)
    }
}
