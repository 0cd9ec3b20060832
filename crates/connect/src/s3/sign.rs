//! AWS Signature Version 4 in the `Authorization` header, as S3 wants it. Pure: time is told.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>: the path is
//! encoded once, the body's digest is always told, and all headers that are given are signed.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use pluvio_secret::SecretSource;
use sha2::{Digest as _, Sha256};

use crate::endpoint::http::{IdentityError, hex};

/// Who signs.
#[derive(Clone)]
pub(super) struct Keys {
    pub(super) access_key: String,
    pub(super) secret_key: String,
    pub(super) session_token: Option<String>,
    pub(super) region: String,
}

/// Reads a secret that headers are made of, one of those of [`Keys`].
pub(super) fn read(key: &'static str, secret: &SecretSource) -> Result<String, IdentityError> {
    let secret = secret.resolve().map_err(|source| IdentityError::Secret { key, source })?;
    let is_text = secret.expose().bytes().all(|byte| byte.is_ascii_graphic());
    let text = is_text.then(|| secret.expose().to_owned());
    text.ok_or(IdentityError::Characters { key })
}

/// What is signed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request<'a> {
    pub(super) method: &'a str,
    pub(super) host: &'a str,
    /// Encoded, from the first `/` on.
    pub(super) path: &'a str,
    /// Headers beside those that are added here; names in lower case.
    pub(super) headers: &'a [(&'static str, String)],
    pub(super) body: &'a [u8],
}

impl Keys {
    /// The headers to send with the request, those that it has already among them.
    pub(super) fn sign(&self, request: Request<'_>, now: Timestamp) -> Vec<(&'static str, String)> {
        let time = now.strftime("%Y%m%dT%H%M%SZ").to_string();
        let digest = hex(&Sha256::digest(request.body));
        let mut headers = request.headers.to_vec();
        headers.push(("x-amz-content-sha256", digest.clone()));
        headers.push(("x-amz-date", time.clone()));
        headers.extend(self.session_token.clone().map(|it| ("x-amz-security-token", it)));
        let mut signed = headers.clone();
        signed.push(("host", request.host.to_owned()));
        signed.sort_unstable();
        let names: Vec<_> = signed.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        let mut canonical = format!("{}\n{}\n\n", request.method, request.path);
        for (name, value) in &signed {
            // Writing to text does not fail.
            let _written = writeln!(canonical, "{name}:{}", value.trim());
        }
        let _written = write!(canonical, "\n{names}\n{digest}");
        let day = &time[..8];
        let scope = format!("{day}/{}/s3/aws4_request", self.region);
        let canonical = hex(&Sha256::digest(canonical));
        let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{canonical}");
        let signature = hex(&hmac(&self.key(day), &to_sign));
        let access_key = &self.access_key;
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={access_key}/{scope},SignedHeaders={names},\
             Signature={signature}"
        );
        headers.push(("authorization", authorization));
        headers
    }

    fn key(&self, day: &str) -> Vec<u8> {
        let first = format!("AWS4{}", self.secret_key).into_bytes();
        [day, &self.region, "s3", "aws4_request"].iter().fold(first, |key, part| hmac(&key, part))
    }
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    // A key of any length is one.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// A key of an object as a path: everything but letters, digits, `-`, `.`, `_`, `~` and `/` is
/// encoded.
pub(super) fn encoded(key: &str) -> String {
    key.bytes().fold(String::with_capacity(key.len()), |mut path, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                path.push(char::from(byte));
            }
            _ => {
                let _written = write!(path, "%{byte:02X}");
            }
        }
        path
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature(
        method: &str,
        path: &str,
        headers: &[(&'static str, String)],
        body: &[u8],
    ) -> String {
        let keys = Keys {
            access_key: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
            session_token: None,
            region: "us-east-1".to_owned(),
        };
        let host = "examplebucket.s3.amazonaws.com";
        let now = "2013-05-24T00:00:00Z".parse().unwrap_or_default();
        let headers = keys.sign(Request { method, host, path, headers, body }, now);
        headers.last().map(|(_, value)| value.clone()).unwrap_or_default()
    }

    /// The examples of Amazon's own documentation of Signature Version 4 for S3.
    #[test]
    fn amazon_would_take_the_signature() {
        let range = [("range", "bytes=0-9".to_owned())];
        assert_eq!(
            signature("GET", "/test.txt", &range, b""),
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,\
             SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,\
             Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
        );
        let put = [
            ("date", "Fri, 24 May 2013 00:00:00 GMT".to_owned()),
            ("x-amz-storage-class", "REDUCED_REDUNDANCY".to_owned()),
        ];
        let told = signature("PUT", &encoded("/test$file.text"), &put, b"Welcome to Amazon S3.");
        let signature = "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd";
        assert!(told.ends_with(signature), "{told}");
    }

    #[test]
    fn a_key_is_encoded_once_and_keeps_its_folders() {
        assert_eq!(encoded("a b/ü+~.%"), "a%20b/%C3%BC%2B~.%25");
    }
}
