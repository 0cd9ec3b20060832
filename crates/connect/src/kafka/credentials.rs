//! Who logs in, and how the password is proved.
//!
//! It refuses to prove it; that takes a connection.

use pluvio_secret::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a password is proved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
pub enum Mechanism {
    /// The password itself is sent; for connections with TLS.
    #[serde(rename = "PLAIN")]
    Plain,
    /// The password is proved with SHA-256, and not sent.
    #[serde(rename = "SCRAM-SHA-256")]
    Scram256,
    /// The password is proved with SHA-512, and not sent.
    #[default]
    #[serde(rename = "SCRAM-SHA-512")]
    Scram512,
}

impl Mechanism {
    /// As the protocol calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Scram256 => "SCRAM-SHA-256",
            Self::Scram512 => "SCRAM-SHA-512",
        }
    }
}

/// Who logs in.
#[derive(Debug)]
pub(super) struct Credentials {
    pub(super) mechanism: Mechanism,
    pub(super) username: Secret,
    pub(super) password: Secret,
}
