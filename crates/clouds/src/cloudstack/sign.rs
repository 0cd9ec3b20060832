//! Signature version 3, as the management server computes it again (`ApiServer.verifyRequest`).
//!
//! The server decodes the request and builds the signed text from what it decoded, by rules of Java
//! that no other encoder shares: `java.net.URLEncoder` leaves `*` and escapes `~`, where RFC 3986
//! has it the other way round; names are not encoded at all; and names are sorted as they are
//! written, before everything is put into lower case. A client that encodes by the RFC works until
//! the first value with a tilde.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::{SignedDuration, Timestamp, tz::Offset};
use pluvio_secret::Secret;
use sha1::Sha1;

use super::params::Params;

/// How long a signed request stays valid. Servers which enforce it take at most 15 minutes; ten
/// leave room for clocks that differ in either direction.
pub const EXPIRES_AFTER: SignedDuration = SignedDuration::from_mins(10);

/// The parameter `expires`: [`EXPIRES_AFTER`] from now, with the offset `+0000`, which all versions
/// understand.
pub fn expires(now: Timestamp) -> String {
    let until = now.checked_add(EXPIRES_AFTER).unwrap_or(Timestamp::MAX);
    Offset::UTC.to_datetime(until).strftime("%Y-%m-%dT%H:%M:%S+0000").to_string()
}

/// A value as `java.net.URLEncoder` writes it in UTF-8, with `%20` for a space.
///
/// It is also right for names and values in a URL or a form: it escapes more than those need.
pub fn encode(value: &str) -> String {
    let mut encoded = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'*' => {
                encoded.push(char::from(byte));
            }
            // Writing to a string does not fail.
            _ => drop(write!(encoded, "%{byte:02X}")),
        }
    }
    encoded
}

/// The text that is signed: parameters without `signature`, sorted, encoded, in lower case.
pub fn string_to_sign(params: &Params) -> String {
    let mut pairs: Vec<_> =
        params.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("signature")).collect();
    // Java compares UTF-16 code units.
    pairs.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
    let pairs = pairs.iter().map(|(name, value)| format!("{name}={}", encode(value)));
    pairs.collect::<Vec<_>>().join("&").to_lowercase()
}

/// The value of `signature` for these parameters, not yet encoded: Base64 of HMAC-SHA1.
pub fn signature(secret_key: &Secret, params: &Params) -> String {
    // A key of any length is one for HMAC, so the error cannot be; an empty signature is refused.
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(secret_key.expose().as_bytes()) else {
        return String::new();
    };
    mac.update(string_to_sign(params).as_bytes());
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}

/// The parameters as a query or a form.
pub(super) fn form(params: &Params) -> String {
    let pairs = params.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
    pairs.collect::<Vec<_>>().join("&")
}
