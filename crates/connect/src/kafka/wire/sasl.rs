//! Who we are: SASL, within Kafka's own requests.
//!
//! It refuses to send a password in the clear by PLAIN without being told so: that is what the
//! configuration's check is for.

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::{
    messages::{SaslAuthenticateRequest, SaslHandshakeRequest},
    protocol::StrBytes,
};
use pluvio_secret::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Connection, scram::Scram};
use crate::kafka::{Error, code};

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
pub(in super::super) struct Credentials {
    pub(in super::super) mechanism: Mechanism,
    pub(in super::super) username: Secret,
    pub(in super::super) password: Secret,
}

/// Logs in; gives how long the login is good, where the broker says so.
pub(super) async fn log_in(
    connection: &mut Connection,
    credentials: &Credentials,
) -> Result<Option<Duration>, Error> {
    let mechanism = credentials.mechanism.name();
    let handshake =
        SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str(mechanism));
    let offered = connection.ask(&handshake).await?;
    if offered.error_code != code::NONE {
        let offered: Vec<_> = offered.mechanisms.iter().map(ToString::to_string).collect();
        let (peer, offered) = (connection.peer().to_owned(), offered.join(", "));
        return Err(Error::Mechanism { peer, mechanism, offered });
    }
    let Secrets { user, password } = credentials.secrets();
    match credentials.mechanism {
        Mechanism::Plain => {
            let message = format!("\0{user}\0{password}");
            Ok(authenticate(connection, message.into()).await?.1)
        }
        Mechanism::Scram256 | Mechanism::Scram512 => {
            let wrong = |peer: &str| {
                let peer = peer.to_owned();
                move |source| Error::Scram { peer, source }
            };
            let scram = Scram::begin(credentials.mechanism, user);
            let (challenge, _) = authenticate(connection, scram.first().into()).await?;
            let proof = scram.prove(password, &challenge).map_err(wrong(connection.peer()))?;
            let (answer, lifetime) = authenticate(connection, proof.message.clone().into()).await?;
            proof.verify(&answer).map_err(wrong(connection.peer()))?;
            Ok(lifetime)
        }
    }
}

struct Secrets<'a> {
    user: &'a str,
    password: &'a str,
}

impl Credentials {
    fn secrets(&self) -> Secrets<'_> {
        Secrets { user: self.username.expose(), password: self.password.expose() }
    }
}

async fn authenticate(
    connection: &mut Connection,
    message: Bytes,
) -> Result<(Bytes, Option<Duration>), Error> {
    let request = SaslAuthenticateRequest::default().with_auth_bytes(message);
    let answer = connection.ask(&request).await?;
    if answer.error_code != code::NONE {
        let said = answer.error_message.map(|text| text.to_string()).unwrap_or_default();
        return Err(Error::Login { peer: connection.peer().to_owned(), said });
    }
    let lifetime = u64::try_from(answer.session_lifetime_ms).ok().filter(|millis| *millis > 0);
    Ok((answer.auth_bytes, lifetime.map(Duration::from_millis)))
}
