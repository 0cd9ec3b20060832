//! RabbitMQ, <https://www.rabbitmq.com>, as Debian has it: AMQP 0-9-1, with and without TLS.
//!
//! Without plugins, for each costs seconds at every start; what is in a queue is read by the protocol.
//! Erlang's port mapper would be left behind as a daemon: here it is a child like the rest, on a port
//! of its own. The limit on free disk space is taken off, or a full disk would block publishers.

use std::{net::SocketAddr, path::PathBuf, process::Command};

use anyhow::Result;

use super::{
    free_address,
    service::{Home, Ready, Service},
};
use crate::{
    arrived::Message,
    clients::{Client, arguments},
    stage::Stage,
    tls::Certificates,
    tools::Tool,
};

const CLIENT: Client =
    Client::Python("rabbitmq.py", include_str!("../../clients/python/rabbitmq.py"));

/// A running broker.
#[derive(Debug)]
pub struct RabbitMq {
    // Dropped in this order: a node takes its leave of the mapper.
    service: Service,
    _mapper: Service,
    open: SocketAddr,
    secure: SocketAddr,
    tls: Certificates,
}

impl RabbitMq {
    /// The only user.
    pub const USERNAME: &'static str = "writer";
    /// Its password.
    pub const PASSWORD: &'static str = "galoshes";
    /// What it needs to be installed, its reader included.
    pub const TOOLS: [Tool; 2] = [Tool::RabbitMq, Tool::Python];

    /// Starts it with its port mapper.
    pub async fn start(stage: &Stage) -> Result<Self> {
        let program = stage.tools.path(Tool::RabbitMq).await?;
        let (open, secure, mapped) = (free_address()?, free_address()?, free_address()?);
        let home = Home::make(&stage.folder, "rabbitmq", open.port())?;
        let (port, loopback) = (mapped.port().to_string(), mapped.ip().to_string());
        let mut mapper = Command::new(program.with_file_name("epmd"));
        mapper.args(["-port", &port, "-address", &loopback]);
        let mapper = Service::start(stage, "epmd", mapper, Ready::Accepts(mapped)).await?;

        let plugins = home.write("enabled_plugins", "[].\n")?;
        let configuration = home.write("rabbitmq.conf", &configuration(open, secure, &home.tls))?;
        let at = |name: &str| home.path.join(name);
        let paths: [(&str, PathBuf); 8] = [
            ("HOME", home.path.clone()),
            ("RABBITMQ_CONFIG_FILE", configuration),
            ("RABBITMQ_ADVANCED_CONFIG_FILE", at("advanced.config")),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", plugins),
            ("RABBITMQ_GENERATED_CONFIG_DIR", at("generated")),
            ("RABBITMQ_LOG_BASE", at("log")),
            ("RABBITMQ_MNESIA_BASE", home.data()),
            ("RABBITMQ_PID_FILE", at("pid")),
        ];
        let texts = [
            ("ERL_EPMD_PORT", port),
            ("ERL_EPMD_ADDRESS", loopback),
            ("LANG", "C.UTF-8".to_owned()),
            ("RABBITMQ_CONF_ENV_FILE", "/dev/null".to_owned()),
            ("RABBITMQ_DIST_PORT", free_address()?.port().to_string()),
            ("RABBITMQ_NODENAME", format!("pluvio-{}@localhost", open.port())),
            // Other nodes are nobody's business, and idle schedulers shall not spin.
            (
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none".to_owned(),
            ),
        ];
        let mut command = Command::new(program);
        command.env_remove("RABBITMQ_NODE_PORT").envs(paths).envs(texts);
        let ready = Ready::Says("Server startup complete");
        let service = Service::start(stage, "rabbitmq", command, ready).await?;
        Ok(Self { service, _mapper: mapper, open, secure, tls: home.tls })
    }

    /// To stop it and start it again: what was confirmed and is durable is still there.
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

    /// What its certificate is verified with.
    pub fn tls(&self) -> &Certificates {
        &self.tls
    }

    /// Makes a durable queue; with a `limit` in messages, more are refused.
    pub async fn declare(&self, stage: &Stage, queue: &str, limit: Option<u64>) -> Result<()> {
        let mut arguments = self.arguments("declare", queue);
        if let Some(limit) = limit {
            arguments.extend(arguments!["--limit", limit.to_string()]);
        }
        CLIENT.run(stage, &arguments, &[]).await.map(|_| ())
    }

    /// Makes a durable exchange of a kind, and a queue that is bound to it by a key.
    pub async fn bind(
        &self,
        stage: &Stage,
        queue: &str,
        exchange: (&str, &str),
        key: &str,
    ) -> Result<()> {
        let (exchange, kind) = exchange;
        let mut arguments = self.arguments("declare", queue);
        let bound = arguments!["--exchange", exchange, "--kind", kind, "--routing-key", key];
        arguments.extend(bound);
        CLIENT.run(stage, &arguments, &[]).await.map(|_| ())
    }

    /// Everything in a queue, which stays there. Its properties are the headers, and `exchange`,
    /// `routing_key` and `delivery_mode`; the key is the message id.
    pub async fn read(&self, stage: &Stage, queue: &str) -> Result<Vec<Message>> {
        CLIENT.run(stage, &self.arguments("read", queue), &[]).await
    }

    /// Everything in a queue, which is empty afterwards.
    pub async fn take(&self, stage: &Stage, queue: &str) -> Result<Vec<Message>> {
        CLIENT.run(stage, &self.arguments("take", queue), &[]).await
    }

    /// Publishes over TLS by pika, confirmed one by one.
    pub async fn write(&self, stage: &Stage, queue: &str, messages: &[Message]) -> Result<()> {
        let (user, password, port) = (Self::USERNAME, Self::PASSWORD, self.secure.port());
        let url = format!("amqps://{user}:{password}@localhost:{port}/%2F");
        let arguments =
            arguments!["write", "--url", url, "--queue", queue, "--ca", self.tls.authority];
        CLIENT.run(stage, &arguments, messages).await.map(|_| ())
    }

    fn arguments(&self, verb: &str, queue: &str) -> Vec<std::ffi::OsString> {
        let url = format!("amqp://{}:{}@{}/%2F", Self::USERNAME, Self::PASSWORD, self.open);
        arguments![verb, "--url", url, "--queue", queue].to_vec()
    }
}

fn configuration(open: SocketAddr, secure: SocketAddr, tls: &Certificates) -> String {
    let lines = [
        format!("listeners.tcp.1 = {open}"),
        format!("listeners.ssl.1 = {secure}"),
        format!("ssl_options.cacertfile = {}", tls.authority.display()),
        format!("ssl_options.certfile = {}", tls.certificate.display()),
        format!("ssl_options.keyfile = {}", tls.key.display()),
        "ssl_options.verify = verify_peer".to_owned(),
        "ssl_options.fail_if_no_peer_cert = false".to_owned(),
        format!("default_user = {}", RabbitMq::USERNAME),
        format!("default_pass = {}", RabbitMq::PASSWORD),
        "disk_free_limit.absolute = 1MB".to_owned(),
        "vm_memory_high_watermark.absolute = 1GB".to_owned(),
        "log.file = false".to_owned(),
        "log.console = true".to_owned(),
        "log.console.level = info".to_owned(),
    ];
    lines.join("\n") + "\n"
}
