//! How both sides show that they know the shared key, without sending it: HELO, PING, PONG. Pure.
//!
//! ```text
//!   server  ["HELO", {nonce, auth, keepalive}]
//!   client  ["PING", hostname, salt, sha512(salt + hostname + nonce + key), user, sha512(auth + user + password)]
//!   server  ["PONG", accepted, reason, hostname, sha512(salt + hostname + nonce + key)]
//! ```

use pluvio_secret::beginning;
use sha2::{Digest as _, Sha512};
use uuid::Uuid;

use super::msgpack::{self, Value};

/// What is shown.
pub(super) struct Proof {
    pub(super) hostname: String,
    pub(super) shared_key: String,
    /// Name and password.
    pub(super) user: Option<(String, String)>,
    salt: [u8; 16],
    nonce: Vec<u8>,
}

/// What the server said to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pong {
    /// It accepts us, and knows the key.
    Accepted,
    /// It does not, and says why.
    Refused(String),
    /// It does not know the key.
    Impostor,
}

/// The nonce and the salt for passwords of a HELO; `None`: it is none.
pub(super) fn helo(frame: &Value) -> Option<(Vec<u8>, Vec<u8>)> {
    let Value::Array(parts) = frame else { return None };
    let [kind, options] = parts.as_slice() else { return None };
    if kind.bytes() != Some(b"HELO") {
        return None;
    }
    let text = |key| options.get(key).and_then(Value::bytes).unwrap_or_default().to_vec();
    Some((text("nonce"), text("auth")))
}

impl Proof {
    pub(super) fn new(hostname: &str, shared_key: &str, user: Option<(String, String)>) -> Self {
        // 122 of the bits are random.
        let salt = Uuid::new_v4().into_bytes();
        let (hostname, shared_key) = (hostname.to_owned(), shared_key.to_owned());
        Self { hostname, shared_key, user, salt, nonce: Vec::new() }
    }

    /// The PING to a HELO.
    pub(super) fn ping(&mut self, nonce: Vec<u8>, auth: &[u8]) -> Vec<u8> {
        self.nonce = nonce;
        let mut out = Vec::new();
        msgpack::array(6, &mut out);
        msgpack::text("PING", &mut out);
        msgpack::text(&self.hostname, &mut out);
        msgpack::bytes(&self.salt, &mut out);
        msgpack::text(&self.digest(self.hostname.as_bytes()), &mut out);
        let (name, password) = match &self.user {
            Some((name, password)) => {
                let parts = [auth, name.as_bytes(), password.as_bytes()];
                (name.as_str(), sha512(&parts))
            }
            None => ("", String::new()),
        };
        msgpack::text(name, &mut out);
        msgpack::text(&password, &mut out);
        out
    }

    /// What a PONG says; `None`: it is none.
    pub(super) fn pong(&self, frame: &Value) -> Option<Pong> {
        let Value::Array(parts) = frame else { return None };
        let [kind, Value::Bool(is_accepted), reason, rest @ ..] = parts.as_slice() else {
            return None;
        };
        if kind.bytes() != Some(b"PONG") {
            return None;
        }
        if !is_accepted {
            let reason = String::from_utf8_lossy(reason.bytes().unwrap_or_default());
            return Some(Pong::Refused(beginning(&reason, 200)));
        }
        let [hostname, digest] = rest else { return None };
        let is_same = digest.bytes() == Some(self.digest(hostname.bytes()?).as_bytes());
        Some(if is_same { Pong::Accepted } else { Pong::Impostor })
    }

    fn digest(&self, hostname: &[u8]) -> String {
        sha512(&[&self.salt, hostname, &self.nonce, self.shared_key.as_bytes()])
    }
}

fn sha512(parts: &[&[u8]]) -> String {
    let mut hash = Sha512::new();
    parts.iter().for_each(|part| hash.update(part));
    crate::endpoint::http::hex(&hash.finalize())
}
