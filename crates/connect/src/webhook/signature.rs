//! What a request is signed with, so that its receiver knows that it came from us, unchanged.
//!
//! HMAC with SHA-256 (RFC 2104), written as the receiver reads it:
//!
//! ```text
//!   hex       X-Pluvio-Signature: sha256=<64 digits>      over the body; GitHub's form
//!   base64    X-CS-Signature: <44 characters>             over the body; CloudStack's form
//!   standard  webhook-signature: v1,<44 characters>       over "<webhook-id>.<webhook-timestamp>.<body>"
//! ```
//!
//! A key is the bytes of `secret` as it stands; for `standard`, what `whsec_` and base64 hide. A
//! retried event is signed anew; its `webhook-id` is the same, so a receiver knows it again. Only
//! `standard` protects from a request that somebody recorded and sends again later: for the others a
//! receiver keeps the ids of events.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use pluvio_secret::{Secret, SecretSource};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::error::{Error, KeyError};
use crate::endpoint::http::{IdentityError, hex};

/// What a Standard Webhooks secret begins with.
const STANDARD_PREFIX: &str = "whsec_";

/// How a signature is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Signature {
    /// `sha256=` and hexadecimal digits.
    #[default]
    Hex,
    /// Base64 alone.
    Base64,
    /// By the Standard Webhooks specification.
    Standard,
}

/// How requests are signed.
#[derive(Debug)]
pub(super) struct Signing {
    pub(super) secret: SecretSource,
    pub(super) signature: Signature,
    pub(super) header: HeaderName,
}

/// Signs requests.
#[derive(Clone)]
pub(super) struct Signer {
    mac: Hmac<Sha256>,
    signature: Signature,
    header: HeaderName,
}

impl Signer {
    /// Reads the key now.
    pub(super) fn new(signing: &Signing) -> Result<Self, Error> {
        let secret = signing.secret.resolve();
        let secret = secret.map_err(|source| IdentityError::Secret { key: "secret", source })?;
        let key = key(&secret, signing.signature)?;
        // A key of any length is one.
        let mac = Hmac::<Sha256>::new_from_slice(&key).map_err(|_| KeyError)?;
        Ok(Self { mac, signature: signing.signature, header: signing.header.clone() })
    }

    /// Adds the signature of `body`, which is called `id`.
    pub(super) fn sign(&self, id: &str, now: Timestamp, body: &[u8], headers: &mut HeaderMap) {
        let mut mac = self.mac.clone();
        if self.signature == Signature::Standard {
            let seconds = now.as_second().to_string();
            mac.update(format!("{id}.{seconds}.").as_bytes());
            for (name, text) in [("webhook-id", id), ("webhook-timestamp", &seconds)] {
                headers.extend(HeaderValue::from_str(text).map(|value| (named(name), value)));
            }
        }
        mac.update(body);
        let digest = mac.finalize().into_bytes();
        let text = match self.signature {
            Signature::Hex => format!("sha256={}", hex(&digest)),
            Signature::Base64 => BASE64_STANDARD.encode(digest),
            Signature::Standard => format!("v1,{}", BASE64_STANDARD.encode(digest)),
        };
        headers.extend(HeaderValue::from_str(&text).map(|value| (self.header.clone(), value)));
    }
}

fn named(name: &'static str) -> HeaderName {
    HeaderName::from_static(name)
}

fn key(secret: &Secret, signature: Signature) -> Result<Vec<u8>, KeyError> {
    if signature != Signature::Standard {
        return Ok(secret.expose().as_bytes().to_vec());
    }
    let encoded = secret.expose().strip_prefix(STANDARD_PREFIX).ok_or(KeyError)?;
    let key = BASE64_STANDARD.decode(encoded).map_err(|_| KeyError)?;
    // Anybody could sign with an empty key.
    if key.is_empty() { Err(KeyError) } else { Ok(key) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(signature: Signature, secret: &str, body: &str) -> Option<HeaderMap> {
        let header = HeaderName::from_static("x-signature");
        let signing = Signing { secret: SecretSource::literal(secret), signature, header };
        let signer = Signer::new(&signing).ok()?;
        let now = Timestamp::from_second(1_614_265_330).unwrap_or_default();
        let mut headers = HeaderMap::new();
        signer.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", now, body.as_bytes(), &mut headers);
        Some(headers)
    }

    fn header(headers: Option<HeaderMap>, name: &str) -> Option<String> {
        Some(headers?.get(name)?.to_str().ok()?.to_owned())
    }

    /// GitHub's own example, from its documentation on validating webhook deliveries.
    #[test]
    fn github_would_take_the_signature() {
        let headers = signed(Signature::Hex, "It's a Secret to Everybody", "Hello, World!");
        let told = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        assert_eq!(header(headers, "x-signature").as_deref(), Some(told));
    }

    /// The example of the Standard Webhooks libraries' tests.
    #[test]
    fn a_standard_webhook_would_take_the_signature() {
        let headers = signed(
            Signature::Standard,
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "{\"test\": 2432232314}",
        );
        let told = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(header(headers.clone(), "x-signature").as_deref(), Some(told));
        assert_eq!(header(headers, "webhook-timestamp").as_deref(), Some("1614265330"));
        assert!(signed(Signature::Standard, "plain", "").is_none(), "that is no such key");
    }

    #[test]
    fn cloudstack_would_take_the_signature() {
        let headers =
            signed(Signature::Base64, "key", "The quick brown fox jumps over the lazy dog");
        let told = "97yD9DBThCSxMpjmqm+xQ+9NWaFJRhdZl0edvC0aPNg=";
        assert_eq!(header(headers, "x-signature").as_deref(), Some(told));
    }
}
