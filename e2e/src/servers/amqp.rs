//! A broker of AMQP 1.0 as go-amqp sees it, whichever broker it is.

use std::net::SocketAddr;

use anyhow::Result;

use crate::{
    arrived::Message,
    clients::{Client, arguments},
    stage::Stage,
    tls::Certificates,
};

/// Where it is, and who is allowed everything.
#[derive(Debug)]
pub(super) struct Amqp {
    pub(super) open: SocketAddr,
    pub(super) secure: SocketAddr,
    pub(super) tls: Certificates,
    pub(super) username: &'static str,
    pub(super) password: &'static str,
}

impl Amqp {
    /// Everything in a queue, which stays there (`read`) or not (`take`).
    pub(super) async fn read(
        &self,
        stage: &Stage,
        verb: &str,
        address: &str,
    ) -> Result<Vec<Message>> {
        let url = format!("amqp://{}:{}@{}", self.username, self.password, self.open);
        // A busy broker takes its time with thousands.
        let arguments = arguments![verb, "-url", url, "-address", address, "-quiet", "3s"];
        Client::Amqp.run(stage, &arguments, &[]).await
    }

    /// Writes durable messages over TLS, each accepted.
    pub(super) async fn write(
        &self,
        stage: &Stage,
        address: &str,
        messages: &[Message],
    ) -> Result<()> {
        let (user, password, port) = (self.username, self.password, self.secure.port());
        let url = format!("amqps://{user}:{password}@localhost:{port}");
        let arguments =
            arguments!["write", "-url", url, "-address", address, "-ca", self.tls.authority];
        Client::Amqp.run(stage, &arguments, messages).await.map(|_| ())
    }
}

/// What every broker of AMQP 1.0 can be asked for, on a type with `service` and `amqp`.
macro_rules! broker {
    ($broker:ident) => {
        impl $broker {
            /// To stop it and start it again: what is durable and was accepted is still there.
            pub fn service(&mut self) -> &mut Service {
                &mut self.service
            }

            /// Where it listens without TLS.
            pub fn address(&self) -> SocketAddr {
                self.amqp.open
            }

            /// Where it listens with TLS.
            pub fn secure(&self) -> SocketAddr {
                self.amqp.secure
            }

            /// What its certificate is verified with.
            pub fn tls(&self) -> &Certificates {
                &self.amqp.tls
            }

            /// Everything in a queue, which stays there. Its properties are the application
            /// properties; the key is the message id.
            pub async fn read(&self, stage: &Stage, address: &str) -> Result<Vec<Message>> {
                self.amqp.read(stage, "read", address).await
            }

            /// Everything in a queue, which is empty afterwards.
            pub async fn take(&self, stage: &Stage, address: &str) -> Result<Vec<Message>> {
                self.amqp.read(stage, "take", address).await
            }

            /// Writes over TLS by go-amqp, durable and accepted one by one.
            pub async fn write(
                &self,
                stage: &Stage,
                address: &str,
                messages: &[Message],
            ) -> Result<()> {
                self.amqp.write(stage, address, messages).await
            }
        }
    };
}
pub(super) use broker;
