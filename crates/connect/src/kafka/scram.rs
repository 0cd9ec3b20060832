//! SCRAM (RFC 5802, RFC 7677), the client's side: proves a password without sending it, and asks the
//! server to prove that it knows it, too.
//!
//! Pure but for the nonce. Passwords are taken as they are written: SASLprep changes a few characters
//! beyond ASCII, and neither Kafka nor librdkafka does it. It refuses channel binding, which Kafka does
//! not have, and fewer or more rounds than are sane.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use pbkdf2::pbkdf2_hmac;
use sha2::{Digest as _, Sha256, Sha512};

use super::credentials::Mechanism;

/// Fewest and most rounds of PBKDF2 that are computed. Kafka's own limits are 4,096 and 16,384; with fewer, whoever
/// answers in place of a server could find the password by trying.
const ROUNDS_MIN: u32 = 4096;
const ROUNDS_MAX: u32 = 1 << 20;
const NONCE_BYTES: usize = 18;
/// What `n,,` is in base64: no binding.
const BINDING: &str = "biws";

/// Why an exchange failed that the server did not refuse.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ScramError {
    /// The challenge is none, or for another client.
    #[error("the server's challenge is malformed")]
    Challenge,
    /// More work than is sane, or too little.
    #[error("the server asks for {0} rounds; {ROUNDS_MIN} to {ROUNDS_MAX} are computed")]
    Rounds(u32),
    /// The server does not know the password: it is not the one that it says it is.
    #[error("the server does not prove that it knows the password")]
    Server,
}

/// An exchange that begins.
pub(super) struct Scram {
    mechanism: Mechanism,
    nonce: String,
    bare: String,
}

/// Our proof, and what the server's must be.
pub(super) struct Proof {
    pub(super) message: Vec<u8>,
    server: String,
}

impl Scram {
    pub(super) fn begin(mechanism: Mechanism, user: &str) -> Self {
        Self::with(mechanism, user, BASE64_STANDARD.encode(rand::random::<[u8; NONCE_BYTES]>()))
    }

    fn with(mechanism: Mechanism, user: &str, nonce: String) -> Self {
        let user = user.replace('=', "=3D").replace(',', "=2C");
        Self { mechanism, bare: format!("n={user},r={nonce}"), nonce }
    }

    /// The first message.
    pub(super) fn first(&self) -> Vec<u8> {
        format!("n,,{}", self.bare).into_bytes()
    }

    /// Answers the challenge.
    pub(super) fn prove(&self, password: &str, challenge: &[u8]) -> Result<Proof, ScramError> {
        let challenge = std::str::from_utf8(challenge).map_err(|_| ScramError::Challenge)?;
        let mut parts = challenge.split(',');
        let mut part = |name| parts.next().and_then(|part| part.strip_prefix(name));
        let (Some(nonce), Some(salt), Some(rounds)) = (part("r="), part("s="), part("i=")) else {
            return Err(ScramError::Challenge);
        };
        // Somebody who replays an old challenge does not know our nonce.
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err(ScramError::Challenge);
        }
        let salt = BASE64_STANDARD.decode(salt).map_err(|_| ScramError::Challenge)?;
        let rounds: u32 = rounds.parse().map_err(|_| ScramError::Challenge)?;
        if !(ROUNDS_MIN..=ROUNDS_MAX).contains(&rounds) {
            return Err(ScramError::Rounds(rounds));
        }
        let hash = Hash(self.mechanism);
        let salted = hash.salted(password, &salt, rounds);
        let client = hash.hmac(&salted, b"Client Key");
        let last = format!("c={BINDING},r={nonce}");
        let said = format!("{},{challenge},{last}", self.bare);
        let signature = hash.hmac(&hash.digest(&client), said.as_bytes());
        let proof: Vec<u8> = client.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
        let server = hash.hmac(&hash.hmac(&salted, b"Server Key"), said.as_bytes());
        let message = format!("{last},p={}", BASE64_STANDARD.encode(proof)).into_bytes();
        Ok(Proof { message, server: format!("v={}", BASE64_STANDARD.encode(server)) })
    }
}

impl Proof {
    /// Checks the server's last message.
    pub(super) fn verify(&self, answer: &[u8]) -> Result<(), ScramError> {
        if answer == self.server.as_bytes() { Ok(()) } else { Err(ScramError::Server) }
    }
}

/// The hash of a mechanism.
#[derive(Clone, Copy)]
struct Hash(Mechanism);

impl Hash {
    fn is_short(self) -> bool {
        self.0 == Mechanism::Scram256
    }

    fn digest(self, bytes: &[u8]) -> Vec<u8> {
        if self.is_short() {
            Sha256::digest(bytes).to_vec()
        } else {
            Sha512::digest(bytes).to_vec()
        }
    }

    /// `key` is at most as long as the hash.
    fn hmac(self, key: &[u8], message: &[u8]) -> Vec<u8> {
        if self.is_short() {
            let mut block = [0; 64];
            block.iter_mut().zip(key).for_each(|(into, from)| *into = *from);
            let mut mac = Hmac::<Sha256>::new(&block.into());
            mac.update(message);
            mac.finalize().into_bytes().to_vec()
        } else {
            let mut block = [0; 128];
            block.iter_mut().zip(key).for_each(|(into, from)| *into = *from);
            let mut mac = Hmac::<Sha512>::new(&block.into());
            mac.update(message);
            mac.finalize().into_bytes().to_vec()
        }
    }

    fn salted(self, password: &str, salt: &[u8], rounds: u32) -> Vec<u8> {
        if self.is_short() {
            let mut key = vec![0; 32];
            pbkdf2_hmac::<Sha256>(password.as_bytes(), salt, rounds, &mut key);
            key
        } else {
            let mut key = vec![0; 64];
            pbkdf2_hmac::<Sha512>(password.as_bytes(), salt, rounds, &mut key);
            key
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7677 §3.
    const NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
    const CHALLENGE: &[u8] = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
        s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

    fn exchange() -> Scram {
        Scram::with(Mechanism::Scram256, "user", NONCE.to_owned())
    }

    #[test]
    fn the_example_of_the_rfc_is_proved_on_both_sides() {
        let proof = exchange().prove("pencil", CHALLENGE);
        let proof = proof.unwrap_or_else(|error| unreachable!("{error}"));
        let expected = b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
            p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        assert_eq!(String::from_utf8_lossy(&proof.message), String::from_utf8_lossy(expected));
        let right = proof.verify(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
        assert_eq!(right, Ok(()));
        assert_eq!(proof.verify(b"v="), Err(ScramError::Server));
    }

    #[test]
    fn challenges_that_are_none_or_insane_are_refused() {
        let refused = |challenge: &str| exchange().prove("pencil", challenge.as_bytes()).err();
        for bad in ["", "r=x,s=,i=1", "r=rOprNGfwEbeRWgbNEkqO,s=,i=1"] {
            assert_eq!(refused(bad), Some(ScramError::Challenge), "{bad}");
        }
        for rounds in [0, 1, 4095, 2_000_000] {
            let asked = format!("r={NONCE}x,s=,i={rounds}");
            assert_eq!(refused(&asked), Some(ScramError::Rounds(rounds)));
        }
    }

    #[test]
    fn a_name_with_signs_of_the_protocol_is_written_safely() {
        let scram = Scram::with(Mechanism::Scram512, "a=b,c", "x".to_owned());
        assert_eq!(scram.first(), b"n,,n=a=3Db=2Cc,r=x");
    }
}
