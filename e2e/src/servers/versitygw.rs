//! Versity S3 Gateway, <https://github.com/versity/versitygw>: S3 on a folder, one with TLS or one
//! without. It verifies signatures and knows conditional writes and multipart uploads.
//!
//! Over TLS it now and then misreads a request behind one whose checksum came in a trailer
//! (`aws-chunked`), and answers 400: a client that wants to be understood sends the checksum before.

use std::{net::SocketAddr, process::Command};

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

const CLIENT: Client = Client::Python("s3.py", include_str!("../../clients/python/s3.py"));

/// A running gateway.
#[derive(Debug)]
pub struct VersityGw {
    service: Service,
    address: SocketAddr,
    has_tls: bool,
    tls: Certificates,
}

impl VersityGw {
    /// The only access key.
    pub const USERNAME: &'static str = "writer";
    /// Its secret.
    pub const PASSWORD: &'static str = "galoshes";
    /// What it needs to be installed, its reader included.
    pub const TOOLS: [Tool; 2] = [Tool::VersityGw, Tool::Python];

    /// Starts it; it listens on one port, with TLS or without.
    pub async fn start(stage: &Stage, has_tls: bool) -> Result<Self> {
        let address = free_address()?;
        let home = Home::make(&stage.folder, "versitygw", address.port())?;
        let mut command = Command::new(stage.tools.path(Tool::VersityGw).await?);
        command.env("ROOT_ACCESS_KEY", Self::USERNAME).env("ROOT_SECRET_KEY", Self::PASSWORD);
        // Without keep-alive, TLS clients see a connection's end now and then.
        command.args(["--quiet", "--keep-alive", "--health", "/health"]);
        command.args(["--port", &address.to_string()]);
        if has_tls {
            command.arg("--cert").arg(&home.tls.certificate).arg("--key").arg(&home.tls.key);
        }
        command.arg("posix").arg(home.data());
        let ready =
            if has_tls { Ready::Accepts(address) } else { Ready::Answers(address, "/health") };
        let service = Service::start(stage, "versitygw", command, ready).await?;
        Ok(Self { service, address, has_tls, tls: home.tls })
    }

    /// To stop it and start it again: what was put is still there.
    pub fn service(&mut self) -> &mut Service {
        &mut self.service
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL; paths begin with the bucket.
    pub fn url(&self) -> String {
        let scheme = if self.has_tls { "https" } else { "http" };
        format!("{scheme}://localhost:{}", self.address.port())
    }

    /// What its certificate is verified with.
    pub fn tls(&self) -> &Certificates {
        &self.tls
    }

    /// Makes a bucket.
    pub async fn make_bucket(&self, stage: &Stage, bucket: &str) -> Result<()> {
        CLIENT.run(stage, &self.arguments("bucket", bucket), &[]).await.map(|_| ())
    }

    /// All objects below a prefix, in the order of their keys. Properties are the metadata, `etag`
    /// and `content-encoding`; a body that is packed by gzip is told unpacked.
    pub async fn read(&self, stage: &Stage, bucket: &str, prefix: &str) -> Result<Vec<Message>> {
        let mut arguments = self.arguments("read", bucket);
        arguments.extend(arguments!["--prefix", prefix]);
        CLIENT.run(stage, &arguments, &[]).await
    }

    /// Puts objects by boto3.
    pub async fn write(&self, stage: &Stage, bucket: &str, messages: &[Message]) -> Result<()> {
        CLIENT.run(stage, &self.arguments("write", bucket), messages).await.map(|_| ())
    }

    fn arguments(&self, verb: &str, bucket: &str) -> Vec<std::ffi::OsString> {
        let (user, password) = (Self::USERNAME, Self::PASSWORD);
        let mut arguments = arguments![
            verb,
            "--url",
            self.url(),
            "--bucket",
            bucket,
            "--user",
            user,
            "--password",
            password,
        ]
        .to_vec();
        if self.has_tls {
            arguments.extend(arguments!["--ca", self.tls.authority]);
        }
        arguments
    }
}
