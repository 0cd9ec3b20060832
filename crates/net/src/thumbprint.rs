//! The digest of a certificate, as people compare it.
//!
//! Two digests are in use: vSphere's own tools print SHA-1 (20 bytes), everything newer SHA-256
//! (32 bytes); the length tells which. Both parse with or without colons, in either case. A pin by
//! SHA-1 is accepted because the operator has no other at hand; what Pluvio prints is SHA-256.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error as _};
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// SHA-1 or SHA-256 over the DER form of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Thumbprint {
    /// 20 bytes, as vSphere's tools print it.
    Sha1([u8; 20]),
    /// 32 bytes.
    Sha256([u8; 32]),
}

/// The text is no thumbprint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ThumbprintError {
    /// A character other than hexadecimal digits and colons.
    #[error("thumbprint holds `{found}`; valid: hexadecimal digits and colons")]
    Digit {
        /// The first wrong character.
        found: char,
    },
    /// Neither 40 nor 64 digits.
    #[error("thumbprint has {digits} hexadecimal digits; valid: 64 (SHA-256) or 40 (SHA-1)")]
    Length {
        /// How many there are.
        digits: usize,
    },
}

impl Thumbprint {
    /// The SHA-256 thumbprint of a certificate in DER form.
    pub fn sha256_of(der: &[u8]) -> Thumbprint {
        Thumbprint::Sha256(Sha256::digest(der).into())
    }

    /// Whether a certificate in DER form has this thumbprint.
    pub fn matches(&self, der: &[u8]) -> bool {
        match self {
            Thumbprint::Sha1(digest) => *digest == <[u8; 20]>::from(Sha1::digest(der)),
            Thumbprint::Sha256(digest) => *digest == <[u8; 32]>::from(Sha256::digest(der)),
        }
    }

    /// The digest's bytes: 20 or 32.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Thumbprint::Sha1(digest) => digest,
            Thumbprint::Sha256(digest) => digest,
        }
    }
}

impl FromStr for Thumbprint {
    type Err = ThumbprintError;

    fn from_str(text: &str) -> Result<Thumbprint, ThumbprintError> {
        let mut nibbles = Vec::with_capacity(64);
        for found in text.trim().chars().filter(|c| *c != ':') {
            let digit = found.to_digit(16).ok_or(ThumbprintError::Digit { found })?;
            // A hexadecimal digit is below 16.
            nibbles.push(digit as u8);
        }
        let bytes: Vec<u8> =
            nibbles.chunks(2).map(|pair| (pair[0] << 4) | pair[pair.len() - 1]).collect();
        let length = ThumbprintError::Length { digits: nibbles.len() };
        match nibbles.len() {
            40 => bytes.try_into().map(Thumbprint::Sha1).map_err(|_| length),
            64 => bytes.try_into().map(Thumbprint::Sha256).map_err(|_| length),
            _ => Err(length),
        }
    }
}

/// Upper case with colons, as browsers, `openssl` and vSphere's tools print it.
impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.as_bytes().iter().enumerate() {
            let colon = if at == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02X}")?;
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Thumbprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Thumbprint, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

impl JsonSchema for Thumbprint {
    fn schema_name() -> Cow<'static, str> {
        "Thumbprint".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "SHA-256 (64 hexadecimal digits) or SHA-1 (40) of a certificate, colons allowed",
            "pattern": "^([0-9A-Fa-f]{2}:?){20}(([0-9A-Fa-f]{2}:?){12})?$"
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn a_printed_thumbprint_parses_back() {
        let print = Thumbprint::sha256_of(b"certificate");
        let text = print.to_string();
        assert_eq!(text.len(), 95);
        assert_eq!(text.parse(), Ok(print));
        assert_eq!(text.replace(':', "").to_lowercase().parse(), Ok(print));
        assert!(print.matches(b"certificate") && !print.matches(b"other"));
    }

    #[test]
    fn sha1_is_told_by_its_length() {
        let text = "A9:99:3E:36:47:06:81:6A:BA:3E:25:71:78:50:C2:6C:9C:D0:D8:9D";
        let print: Thumbprint = text.parse().unwrap();
        assert!(matches!(print, Thumbprint::Sha1(_)));
        assert!(print.matches(b"abc"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!("AG".parse::<Thumbprint>(), Err(ThumbprintError::Digit { found: 'G' }));
        assert_eq!("ABC".parse::<Thumbprint>(), Err(ThumbprintError::Length { digits: 3 }));
    }
}
