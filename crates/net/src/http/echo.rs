//! Secrets that come back: some servers, gateways and debug services answer with the request that they got,
//! and what they answer is quoted in errors, logs and dead letters.
//!
//! Blanked are the values of headers that were marked as sensitive, what stands in them behind a scheme's
//! name, and of `Basic` what it stands for. Cookies are left alone: the session that they name is in honest
//! answers, too. Of an address that is said to be secret, blanked are the values of its query, its user and
//! password, and long parts of its path, for some receivers know their senders by nothing else. It refuses to
//! find what was encoded otherwise.

use ::http::{HeaderMap, HeaderValue, header};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use memchr::memmem;
use url::Url;

/// A shorter text is in every answer, and is no secret.
const BYTES_MIN: usize = 6;
/// A shorter part of a path is a word that helps who reads the answer, such as `events` or `2026-11-29`.
const PATH_PART_BYTES_MIN: usize = 16;
const BLANK: &[u8] = b"***";

/// What must not come back.
#[derive(Debug, Default)]
pub(super) struct Secrets(Vec<Vec<u8>>);

impl Secrets {
    /// Those of a request's headers, and of its address where that is secret.
    pub(super) fn of(headers: &HeaderMap, address: Option<&Url>) -> Self {
        let sensitive = headers
            .iter()
            .filter(|(name, value)| value.is_sensitive() && *name != header::COOKIE)
            .flat_map(|(_, value)| Self::in_value(value));
        let sensitive = sensitive.chain(address.into_iter().flat_map(Self::in_address));
        let mut secrets: Vec<_> = sensitive.filter(|secret| secret.len() >= BYTES_MIN).collect();
        // A longer one may hold a shorter one.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self(secrets)
    }

    fn in_value(value: &HeaderValue) -> Vec<Vec<u8>> {
        let mut found = vec![value.as_bytes().to_vec()];
        let text = value.to_str().unwrap_or_default();
        let Some((scheme, credentials)) = text.split_once(' ') else { return found };
        found.push(credentials.as_bytes().to_vec());
        if scheme.eq_ignore_ascii_case("basic")
            && let Ok(pair) = BASE64_STANDARD.decode(credentials)
        {
            let password = pair.iter().position(|byte| *byte == b':').map(|colon| colon + 1);
            found.extend(password.and_then(|at| pair.get(at..)).map(<[u8]>::to_vec));
            found.push(pair);
        }
        found
    }

    /// As they are sent, and what those of the query stand for.
    fn in_address(url: &Url) -> Vec<Vec<u8>> {
        let query = url.query().unwrap_or_default().split('&');
        // A parameter without a value may be nothing but the secret.
        let values = query.map(|pair| pair.split_once('=').map_or(pair, |(_, value)| value));
        let path = url.path().split('/').filter(|part| part.len() >= PATH_PART_BYTES_MIN);
        let user = [url.username(), url.password().unwrap_or_default()];
        let sent = values.chain(path).chain(user).map(|part| part.as_bytes().to_vec());
        let meant = url.query_pairs().map(|(name, value)| {
            let part = if value.is_empty() { name } else { value };
            part.into_owned().into_bytes()
        });
        sent.chain(meant).collect()
    }

    /// The body without them.
    pub(super) fn blank(&self, body: Bytes) -> Bytes {
        let mut body = body;
        for secret in &self.0 {
            if memmem::find(&body, secret).is_none() {
                continue;
            }
            let (mut blanked, mut at) = (Vec::with_capacity(body.len()), 0);
            for found in memmem::find_iter(&body, secret) {
                blanked.extend_from_slice(body.get(at..found).unwrap_or_default());
                blanked.extend_from_slice(BLANK);
                at = found + secret.len();
            }
            blanked.extend_from_slice(body.get(at..).unwrap_or_default());
            body = blanked.into();
        }
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(value: &str, is_sensitive: bool) -> Secrets {
        let mut headers = HeaderMap::new();
        if let Ok(mut value) = HeaderValue::from_str(value) {
            value.set_sensitive(is_sensitive);
            headers.insert(header::AUTHORIZATION, value);
        }
        Secrets::of(&headers, None)
    }

    #[test]
    fn what_was_sent_in_confidence_is_not_quoted_when_it_comes_back() {
        let blanked = |value, body: &str| secrets(value, true).blank(body.to_owned().into());
        let token = "Bearer token-of-mine";
        assert_eq!(blanked(token, "got Bearer token-of-mine, why?"), "got ***, why?");
        assert_eq!(blanked(token, "token-of-mine twice: token-of-mine"), "*** twice: ***");
        assert_eq!(blanked(token, "nothing"), "nothing");
        // "somebody:a-password"
        let basic = "Basic c29tZWJvZHk6YS1wYXNzd29yZA==";
        let body = "c29tZWJvZHk6YS1wYXNzd29yZA== is somebody:a-password, so a-password";
        assert_eq!(blanked(basic, body), "*** is ***, so ***");
        assert_eq!(blanked("a b", "a banana"), "a banana", "too short to be one");
    }

    #[test]
    fn what_is_secret_in_an_address_is_not_quoted_when_it_comes_back() {
        let blanked = |url: &str, body: &str| {
            let url = Url::parse(url).unwrap_or_else(|error| unreachable!("{error}"));
            Secrets::of(&HeaderMap::new(), Some(&url)).blank(body.to_owned().into())
        };
        let url = "https://a.example/services/AbCdEfGh01234567/x?token=s3%20cret&b=1&only-this";
        let told = "no /services/AbCdEfGh01234567/x?token=s3%20cret&b=1&only-this, s3 cret";
        assert_eq!(blanked(url, told), "no /services/***/x?token=***&b=1&***, ***");
        assert_eq!(blanked("https://user-a:pass-a@a.example/", "user-a pass-a"), "*** ***");
    }

    #[test]
    fn what_is_no_secret_is_quoted() {
        let body = "got Bearer token-of-mine";
        assert_eq!(secrets("Bearer token-of-mine", false).blank(body.into()), body);
    }
}
