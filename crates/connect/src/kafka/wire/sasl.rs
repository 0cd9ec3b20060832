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

use super::Connection;
use crate::kafka::{
    Error, code,
    credentials::{Credentials, Mechanism},
    scram::Scram,
};

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
    let (user, password) = (credentials.username.expose(), credentials.password.expose());
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
