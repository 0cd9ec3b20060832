//! How a broker is reached: its address, a login, and who signed its certificate.

use std::{net::SocketAddr, path::PathBuf};

/// How a SASL login is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// The password as it is.
    Plain,
    /// A proof by SHA-256.
    Scram256,
    /// A proof by SHA-512.
    Scram512,
}

impl Mechanism {
    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Scram256 => "SCRAM-SHA-256",
            Self::Scram512 => "SCRAM-SHA-512",
        }
    }

    /// The Java class that does it.
    fn module(self) -> &'static str {
        match self {
            Self::Plain => "org.apache.kafka.common.security.plain.PlainLoginModule",
            Self::Scram256 | Self::Scram512 => {
                "org.apache.kafka.common.security.scram.ScramLoginModule"
            }
        }
    }
}

/// Who one is, and how that is proven.
#[derive(Clone, Debug)]
pub struct Login {
    /// The mechanism.
    pub mechanism: Mechanism,
    /// The user.
    pub user: String,
    /// The password.
    pub password: String,
}

/// Who one is by a certificate: PEM files.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// How a broker is reached.
#[derive(Clone, Debug)]
pub struct Access {
    /// Where it listens.
    pub address: SocketAddr,
    /// SASL, if it wants that.
    pub login: Option<Login>,
    /// The PEM file of the authority to trust; without it there is no TLS.
    pub authority: Option<PathBuf>,
    /// A client's certificate, if it wants that; kcat alone shows one.
    pub identity: Option<Identity>,
}

impl Access {
    /// In the clear, to everybody.
    pub fn open(address: SocketAddr) -> Self {
        Self { address, login: None, authority: None, identity: None }
    }

    /// The protocol's name, which all clients share.
    pub(super) fn protocol(&self) -> &'static str {
        match (&self.login, &self.authority) {
            (None, None) => "PLAINTEXT",
            (None, Some(_)) => "SSL",
            (Some(_), None) => "SASL_PLAINTEXT",
            (Some(_), Some(_)) => "SASL_SSL",
        }
    }

    /// A properties file for Java.
    pub(super) fn properties(&self) -> String {
        let mut lines = format!("security.protocol={}\n", self.protocol());
        if let Some(authority) = &self.authority {
            let authority = authority.display();
            lines += &format!("ssl.truststore.type=PEM\nssl.truststore.location={authority}\n");
        }
        if let Some(Login { mechanism, user, password }) = &self.login {
            let (name, module) = (mechanism.name(), mechanism.module());
            lines += &format!(
                "sasl.mechanism={name}\nsasl.jaas.config={module} required \
                 username=\"{user}\" password=\"{password}\";\n"
            );
        }
        lines
    }
}
