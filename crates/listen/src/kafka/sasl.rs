//! SASL: who is asking, before anything else is answered.
//!
//! ```text
//!  SaslHandshake(mechanism) ─▶ SaslAuthenticate … (PLAIN: once; SCRAM: twice) ─▶ principal
//! ```
//!
//! A state machine without I/O. Which part of a credential was wrong is not told, and the connection
//! ends. It refuses to authenticate again on a connection that is somebody's already, and the raw
//! exchange of version 0 that nothing in use needs.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::{
    ResponseError,
    messages::{SaslAuthenticateResponse, SaslHandshakeResponse},
    protocol::StrBytes,
};
use pluvio_runtime::{
    AccessTable, Credential, Principal, ScramExchange, ScramMechanism, TooManyGuesses,
    Unauthenticated,
};

/// Mechanisms in the order of preference.
const MECHANISMS: [(&str, Mechanism); 3] = [
    ("SCRAM-SHA-512", Mechanism::Scram(ScramMechanism::Sha512)),
    ("SCRAM-SHA-256", Mechanism::Scram(ScramMechanism::Sha256)),
    ("PLAIN", Mechanism::Plain),
];

#[derive(Clone, Copy, Debug)]
enum Mechanism {
    Plain,
    Scram(ScramMechanism),
}

/// How far a connection has come.
#[derive(Debug)]
pub(super) enum Sasl {
    /// Nothing was said.
    Begin,
    /// A mechanism is agreed on.
    Agreed(Chosen),
    /// The challenge of SCRAM was sent.
    Challenged(Box<ScramExchange>),
    /// Known, or wrong: nothing more is accepted.
    Done,
}

/// A mechanism that was agreed on.
#[derive(Debug)]
pub(super) struct Chosen(Mechanism);

/// What one message leads to.
pub(super) struct Step {
    pub(super) response: SaslAuthenticateResponse,
    pub(super) outcome: Outcome,
}

/// Whether it goes on.
pub(super) enum Outcome {
    /// Another message is expected.
    More,
    /// This is who it is.
    Known(Arc<Principal>),
    /// The connection ends after the answer.
    Denied,
}

impl Sasl {
    /// Answers `SaslHandshake`.
    pub(super) fn handshake(&mut self, table: &AccessTable, wanted: &str) -> SaslHandshakeResponse {
        let response = SaslHandshakeResponse::default();
        if !table.demands_authentication() || !matches!(self, Self::Begin) {
            return response.with_error_code(ResponseError::IllegalSaslState.code());
        }
        let names = MECHANISMS.map(|(name, _)| StrBytes::from_static_str(name)).to_vec();
        let response = response.with_mechanisms(names);
        match MECHANISMS.into_iter().find(|(name, _)| *name == wanted) {
            Some((_, mechanism)) => {
                *self = Self::Agreed(Chosen(mechanism));
                response
            }
            None => response.with_error_code(ResponseError::UnsupportedSaslMechanism.code()),
        }
    }

    /// Whom `message` claims to be, where that is what it says: the first one of each mechanism.
    pub(super) fn claimed(&self, message: &[u8]) -> Option<String> {
        let text = std::str::from_utf8(message).ok()?;
        let name = match self {
            Self::Agreed(Chosen(Mechanism::Plain)) => text.split('\0').nth(1),
            // RFC 5802, section 7: `n,,n=user,r=nonce`.
            Self::Agreed(Chosen(Mechanism::Scram(_))) => {
                text.split(',').skip(2).find_map(|part| part.strip_prefix("n="))
            }
            _ => None,
        };
        name.map(str::to_owned)
    }

    /// Answers a message that is not looked at.
    pub(super) fn refuse(&mut self, reason: &TooManyGuesses) -> Step {
        *self = Self::Done;
        let response = SaslAuthenticateResponse::default()
            .with_error_code(ResponseError::SaslAuthenticationFailed.code())
            .with_error_message(Some(StrBytes::from_string(reason.to_string())));
        Step { response, outcome: Outcome::Denied }
    }

    /// Answers `SaslAuthenticate`.
    pub(super) fn authenticate(&mut self, table: &AccessTable, message: &[u8]) -> Step {
        match std::mem::replace(self, Self::Done) {
            Self::Agreed(Chosen(Mechanism::Plain)) => match plain(table, message) {
                Ok(principal) => known(principal, Bytes::new()),
                Err(Unauthenticated) => denied(),
            },
            Self::Agreed(Chosen(Mechanism::Scram(mechanism))) => {
                match table.scram(mechanism, message) {
                    Ok((exchange, challenge)) => {
                        *self = Self::Challenged(Box::new(exchange));
                        Step { response: said(challenge.into()), outcome: Outcome::More }
                    }
                    Err(Unauthenticated) => denied(),
                }
            }
            Self::Challenged(exchange) => match exchange.finish(message) {
                Ok((principal, proof)) => known(principal, proof.into()),
                Err(Unauthenticated) => denied(),
            },
            Self::Begin | Self::Done => Step {
                response: failed(ResponseError::IllegalSaslState, "begin with SaslHandshake"),
                outcome: Outcome::Denied,
            },
        }
    }
}

/// RFC 4616: whom to act for, a zero byte, the name, a zero byte, the password.
fn plain(table: &AccessTable, message: &[u8]) -> Result<Arc<Principal>, Unauthenticated> {
    let text = std::str::from_utf8(message).map_err(|_| Unauthenticated)?;
    let mut parts = text.split('\0');
    let (Some(acts_for), Some(user), Some(password), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Unauthenticated);
    };
    if !acts_for.is_empty() && acts_for != user {
        return Err(Unauthenticated);
    }
    table.authenticate(Credential::Basic { user, password })
}

fn said(bytes: Bytes) -> SaslAuthenticateResponse {
    SaslAuthenticateResponse::default().with_auth_bytes(bytes)
}

fn known(principal: Arc<Principal>, proof: Bytes) -> Step {
    Step { response: said(proof), outcome: Outcome::Known(principal) }
}

fn failed(error: ResponseError, message: &'static str) -> SaslAuthenticateResponse {
    SaslAuthenticateResponse::default()
        .with_error_code(error.code())
        .with_error_message(Some(StrBytes::from_static_str(message)))
}

fn denied() -> Step {
    let message = "credentials are missing or wrong";
    let response = failed(ResponseError::SaslAuthenticationFailed, message);
    Step { response, outcome: Outcome::Denied }
}
