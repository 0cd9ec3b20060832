//! SCRAM (RFC 5802, RFC 7677), the server's side: proves a password without sending it.
//!
//! ```text
//!  client                         server
//!    n,,n=user,r=A          ─▶            looks the user's keys up, or makes some up
//!                           ◀─  r=AB,s=salt,i=4096
//!    c=biws,r=AB,p=proof    ─▶            H(proof ⊕ HMAC(StoredKey, auth)) = StoredKey?
//!                           ◀─  v=signature
//! ```
//!
//! Pure but for the nonce. The password is needed once, to derive the keys; they prove
//! a password to whoever holds it and are no password themselves.
//!
//! Every user, also one that does not exist, is asked with a salt derived from its name under a secret of
//! this process, and a user that does not exist fails at the same place with the same work: names
//! cannot be probed.
//!
//! It refuses channel binding, whose variants (`-PLUS`) are not offered, and acting for somebody
//! else. Passwords are taken as they are written: SASLprep, which changes a few characters beyond
//! ASCII, is left to clients, of which librdkafka does not do it either.

use std::{fmt, sync::Arc};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use pbkdf2::pbkdf2_hmac;
use sha2::{Digest, Sha256, Sha512};

use crate::{Principal, Unauthenticated};

/// Rounds of PBKDF2. RFC 7677's minimum and Kafka's default. More would protect keys that are
/// stolen; these live in memory only, beside the file with the password. Clients pay for each round
/// at each connection.
const ROUNDS: u32 = 4096;
const SALT_BYTES: usize = 16;
const NONCE_BYTES: usize = 18;
/// Longest message taken: a name, two nonces and a proof have some hundred bytes.
const MESSAGE_BYTES_MAX: usize = 4096;

/// Which hash is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ScramMechanism {
    /// SCRAM-SHA-256.
    Sha256,
    /// SCRAM-SHA-512.
    Sha512,
}

impl ScramMechanism {
    pub(crate) const ALL: [Self; 2] = [Self::Sha256, Self::Sha512];

    fn name(self) -> &'static [u8] {
        match self {
            Self::Sha256 => b"256",
            Self::Sha512 => b"512",
        }
    }

    fn hash(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
            Self::Sha512 => Sha512::digest(bytes).to_vec(),
        }
    }

    /// `key` is at most as long as the hash.
    fn hmac(self, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        match self {
            Self::Sha256 => {
                let mut block = [0; 64];
                block.iter_mut().zip(key).for_each(|(into, from)| *into = *from);
                let mut mac = Hmac::<Sha256>::new(&block.into());
                parts.iter().for_each(|part| mac.update(part));
                mac.finalize().into_bytes().to_vec()
            }
            Self::Sha512 => {
                let mut block = [0; 128];
                block.iter_mut().zip(key).for_each(|(into, from)| *into = *from);
                let mut mac = Hmac::<Sha512>::new(&block.into());
                parts.iter().for_each(|part| mac.update(part));
                mac.finalize().into_bytes().to_vec()
            }
        }
    }

    fn salted(self, password: &str, salt: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => {
                let mut key = vec![0; 32];
                pbkdf2_hmac::<Sha256>(password.as_bytes(), salt, ROUNDS, &mut key);
                key
            }
            Self::Sha512 => {
                let mut key = vec![0; 64];
                pbkdf2_hmac::<Sha512>(password.as_bytes(), salt, ROUNDS, &mut key);
                key
            }
        }
    }
}

/// What is kept of a password for one mechanism.
#[derive(Clone)]
pub(crate) struct ScramKeys {
    salt: Vec<u8>,
    stored: Vec<u8>,
    server: Vec<u8>,
}

impl fmt::Debug for ScramKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScramKeys(…)")
    }
}

impl ScramKeys {
    /// Derives the keys of `user` from its password.
    pub(crate) fn derive(
        mechanism: ScramMechanism,
        secret: &[u8; 32],
        user: &str,
        password: &str,
    ) -> Self {
        let salt = salt_of(mechanism, secret, user);
        let salted = mechanism.salted(password, &salt);
        let stored = mechanism.hash(&mechanism.hmac(&salted, &[b"Client Key"]));
        let server = mechanism.hmac(&salted, &[b"Server Key"]);
        Self { salt, stored, server }
    }

    /// Keys that no password has, the same each time for one name.
    fn invented(mechanism: ScramMechanism, secret: &[u8; 32], user: &str) -> Self {
        let of = |what: &[u8]| mechanism.hmac(secret, &[mechanism.name(), what, user.as_bytes()]);
        let salt = salt_of(mechanism, secret, user);
        Self { salt, stored: of(b"stored"), server: of(b"server") }
    }
}

/// The salt of a user, whether it exists or not: one that changed with a password would tell that there
/// is such a user.
fn salt_of(mechanism: ScramMechanism, secret: &[u8; 32], user: &str) -> Vec<u8> {
    let mut salt = mechanism.hmac(secret, &[mechanism.name(), b"salt", user.as_bytes()]);
    salt.truncate(SALT_BYTES);
    salt
}

/// An exchange after the challenge.
pub struct ScramExchange {
    mechanism: ScramMechanism,
    keys: ScramKeys,
    principal: Option<Arc<Principal>>,
    /// What the client's last message must begin with: its binding, and its own nonce.
    beginning: String,
    /// The nonce that ends the client's.
    nonce: String,
    /// The client's first message without its head, and the challenge.
    said: String,
}

impl fmt::Debug for ScramExchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScramExchange").field("mechanism", &self.mechanism).finish_non_exhaustive()
    }
}

impl ScramExchange {
    /// Reads the client's first message and gives the challenge. `known` finds a user's keys.
    pub(crate) fn begin<'k>(
        mechanism: ScramMechanism,
        message: &[u8],
        secret: &[u8; 32],
        known: impl FnOnce(&str) -> Option<(&'k ScramKeys, &'k Arc<Principal>)>,
    ) -> Result<(Self, Vec<u8>), Unauthenticated> {
        let nonce = BASE64_STANDARD.encode(rand::random::<[u8; NONCE_BYTES]>());
        Self::begin_with(mechanism, message, secret, &nonce, known)
    }

    fn begin_with<'k>(
        mechanism: ScramMechanism,
        message: &[u8],
        secret: &[u8; 32],
        nonce: &str,
        known: impl FnOnce(&str) -> Option<(&'k ScramKeys, &'k Arc<Principal>)>,
    ) -> Result<(Self, Vec<u8>), Unauthenticated> {
        let First { head, bare, user, acts_for, nonce: theirs } = First::read(message)?;
        if acts_for.is_some_and(|other| other != user) {
            return Err(Unauthenticated);
        }
        let found = known(&user);
        let invented = ScramKeys::invented(mechanism, secret, &user);
        let principal = found.map(|(_, principal)| Arc::clone(principal));
        let keys = found.map_or(invented, |(keys, _)| keys.clone());
        let salt = BASE64_STANDARD.encode(&keys.salt);
        let challenge = format!("r={theirs}{nonce},s={salt},i={ROUNDS}");
        let beginning = format!("c={},r={theirs}", BASE64_STANDARD.encode(head));
        let (said, nonce) = (format!("{bare},{challenge}"), nonce.to_owned());
        let exchange = Self { mechanism, keys, principal, beginning, nonce, said };
        Ok((exchange, challenge.into_bytes()))
    }

    /// Whether the client's last message answers the challenge. librdkafka up to 2.0.2 (Debian 12's) puts its
    /// own nonce before both once more; Apache Kafka looks at the end only (`ScramSaslServer`), and so may
    /// we: the proof covers what was sent, and nobody else knows our nonce.
    fn is_answer(&self, before: &str) -> bool {
        let rest = before.strip_prefix(&self.beginning);
        rest.is_some_and(|rest| rest.ends_with(&self.nonce) && !rest.contains(','))
    }

    /// Checks the client's proof; gives who it is and the server's own proof.
    pub fn finish(self, message: &[u8]) -> Result<(Arc<Principal>, Vec<u8>), Unauthenticated> {
        let text = text_of(message)?;
        let (before, proof) = text.rsplit_once(",p=").ok_or(Unauthenticated)?;
        let proof = BASE64_STANDARD.decode(proof).map_err(|_| Unauthenticated)?;
        let mechanism = self.mechanism;
        let said = [self.said.as_bytes(), b",", before.as_bytes()];
        let signature = mechanism.hmac(&self.keys.stored, &said);
        let client: Vec<u8> = proof.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
        let is_right = is_equal(&mechanism.hash(&client), &self.keys.stored)
            && proof.len() == signature.len()
            && self.is_answer(before);
        let principal = self.principal.filter(|_| is_right).ok_or(Unauthenticated)?;
        let signature = BASE64_STANDARD.encode(mechanism.hmac(&self.keys.server, &said));
        Ok((principal, format!("v={signature}").into_bytes()))
    }
}

/// The client's first message, taken apart.
struct First<'m> {
    /// Up to and with the second comma: binding, and whom to act for.
    head: &'m str,
    bare: &'m str,
    user: String,
    acts_for: Option<String>,
    nonce: &'m str,
}

impl<'m> First<'m> {
    fn read(message: &'m [u8]) -> Result<Self, Unauthenticated> {
        let text = text_of(message)?;
        let mut commas = text.match_indices(',').map(|(at, _)| at);
        let (first, second) = commas.next().zip(commas.next()).ok_or(Unauthenticated)?;
        let (head, bare) = text.split_at(second + 1);
        let (binding, acts_for) = (&text[..first], &text[first + 1..second]);
        // `y`: the client could bind, and knows that we do not offer it.
        if binding != "n" && binding != "y" {
            return Err(Unauthenticated);
        }
        let acts_for = match acts_for.strip_prefix("a=") {
            Some(name) => Some(name_of(name)?),
            None if acts_for.is_empty() => None,
            None => return Err(Unauthenticated),
        };
        let mut attributes = bare.split(',');
        let mut next = |name| {
            let value = attributes.next().and_then(|attribute| attribute.strip_prefix(name));
            value.filter(|value| !value.is_empty()).ok_or(Unauthenticated)
        };
        let (user, nonce) = (name_of(next("n=")?)?, next("r=")?);
        Ok(Self { head, bare, user, acts_for, nonce })
    }
}

fn text_of(message: &[u8]) -> Result<&str, Unauthenticated> {
    if message.len() > MESSAGE_BYTES_MAX {
        return Err(Unauthenticated);
    }
    std::str::from_utf8(message).map_err(|_| Unauthenticated)
}

/// A name in which `,` and `=` are written `=2C` and `=3D`.
fn name_of(written: &str) -> Result<String, Unauthenticated> {
    let mut parts = written.split('=');
    let mut name = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (sign, rest) = match part.strip_prefix("2C") {
            Some(rest) => (',', rest),
            None => ('=', part.strip_prefix("3D").ok_or(Unauthenticated)?),
        };
        name.push(sign);
        name.push_str(rest);
    }
    Ok(name)
}

/// Compares in a time that does not depend on where they differ.
fn is_equal(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len() && left.iter().zip(right).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: [u8; 32] = [7; 32];

    /// The exchange of RFC 7677, section 3.
    #[test]
    fn the_example_of_the_standard_is_reproduced() {
        let salt = BASE64_STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap_or_default();
        let mechanism = ScramMechanism::Sha256;
        let salted = mechanism.salted("pencil", &salt);
        let stored = mechanism.hash(&mechanism.hmac(&salted, &[b"Client Key"]));
        let server = mechanism.hmac(&salted, &[b"Server Key"]);
        let keys = ScramKeys { salt, stored, server };
        let principal = Arc::new(Principal::anonymous());
        let begun = ScramExchange::begin_with(
            mechanism,
            b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
            &SECRET,
            "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
            |user| (user == "user").then_some((&keys, &principal)),
        );
        let (exchange, challenge) = begun.unwrap_or_else(|_| unreachable!("the message is right"));
        let nonces = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let expected = format!("r={nonces},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
        assert_eq!(String::from_utf8_lossy(&challenge), expected);
        let proof = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        let last = format!("c=biws,r={nonces},p={proof}");
        let (known, proof) = exchange.finish(last.as_bytes()).unwrap_or_else(|_| unreachable!());
        assert_eq!(known.name, "anonymous");
        assert_eq!(proof, b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    }

    #[test]
    fn a_client_that_says_its_nonce_twice_is_let_in_and_one_without_ours_is_not() {
        let mechanism = ScramMechanism::Sha256;
        let keys = ScramKeys::derive(mechanism, &SECRET, "user", "pencil");
        let principal = Arc::new(Principal::anonymous());
        let is_let_in = |nonces: &str| {
            let first = b"n,,n=user,r=theirs";
            let known = |_: &str| Some((&keys, &principal));
            let begun = ScramExchange::begin_with(mechanism, first, &SECRET, "ours", known);
            let (exchange, challenge) = begun.unwrap_or_else(|_| unreachable!("it is right"));
            let challenge = String::from_utf8_lossy(&challenge).into_owned();
            let before = format!("c=biws,r={nonces}");
            let said = format!("n=user,r=theirs,{challenge},{before}");
            let client = mechanism.hmac(&mechanism.salted("pencil", &keys.salt), &[b"Client Key"]);
            let signature = mechanism.hmac(&keys.stored, &[said.as_bytes()]);
            let proof: Vec<u8> = client.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
            let last = format!("{before},p={}", BASE64_STANDARD.encode(proof));
            exchange.finish(last.as_bytes()).is_ok()
        };
        assert!(is_let_in("theirsours"));
        assert!(is_let_in("theirstheirsours"), "as librdkafka 2.0.2 does");
        for wrong in ["theirs", "ours", "theirsour", "theirsours2", "theirs,x=ours"] {
            assert!(!is_let_in(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_user_that_does_not_exist_is_challenged_like_any_other_and_always_the_same() {
        let challenge = |mechanism, user: &str| {
            let message = format!("n,,n={user},r=x");
            let begun =
                ScramExchange::begin_with(mechanism, message.as_bytes(), &SECRET, "y", |_| None);
            begun.map(|(_, challenge)| String::from_utf8(challenge)).ok()
        };
        let (a, b) = (ScramMechanism::Sha256, ScramMechanism::Sha512);
        assert_eq!(challenge(a, "nobody"), challenge(a, "nobody"));
        assert_ne!(challenge(a, "nobody"), challenge(a, "no1"));
        assert_ne!(challenge(a, "nobody"), challenge(b, "nobody"));
        let length = |user| challenge(a, user).and_then(Result::ok).map(|text| text.len());
        let real = ScramKeys::derive(a, &SECRET, "user", "pencil");
        assert_eq!(length("nobody"), Some("r=xy,s=,i=4096".len() + 24));
        assert_eq!(BASE64_STANDARD.encode(&real.salt).len(), 24);
    }

    #[test]
    fn messages_that_are_none_are_refused() {
        let begin = |message: &str| {
            let (mechanism, message) = (ScramMechanism::Sha512, message.as_bytes());
            ScramExchange::begin(mechanism, message, &SECRET, |_| None).is_ok()
        };
        for good in ["n,,n=u,r=x", "y,,n=u,r=x,ext=1", "n,a=u,n=u,r=x", "n,,n=a=2Cb=3Dc,r=x"] {
            assert!(begin(good), "{good}");
        }
        let bad = [
            "",
            "n,,",
            "n,,n=,r=x",
            "n,,n=u,r=",
            "n,,r=x,n=u",
            "p=tls-unique,,n=u,r=x",
            "n,a=other,n=u,r=x",
            "n,,m=ext,n=u,r=x",
            "n,,n=a=2Db,r=x",
            "n,x,n=u,r=x",
        ];
        for bad in bad {
            assert!(!begin(bad), "{bad}");
        }
        assert!(!begin(&format!("n,,n=u,r={}", "x".repeat(MESSAGE_BYTES_MAX))));
    }

    #[test]
    fn keys_are_not_printed() {
        let keys = ScramKeys::derive(ScramMechanism::Sha256, &SECRET, "user", "p");
        assert_eq!(format!("{keys:?}"), "ScramKeys(…)");
    }
}
