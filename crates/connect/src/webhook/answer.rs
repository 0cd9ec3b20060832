//! What an answer says about the events of its request. Pure.

use std::time::Duration;

use http::StatusCode;
use jiff::Timestamp;
use pluvio_net::HttpReply;
use url::Url;

use super::error::Error;
use crate::endpoint::http::{excerpt, redirect_target, retry_after};

/// What became of one request.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Its events are there for good.
    Taken,
    /// Its events never will be; why.
    Rejected(String),
    /// Not now; zero: it did not say how long. In its words.
    Throttled(Duration, String),
    /// It says nothing about the events.
    Failed(Error),
}

/// Reads the answer of `host` to a request to `url`.
pub(super) fn judge(host: &str, url: &Url, reply: &HttpReply, now: Timestamp) -> Verdict {
    let status = reply.status;
    let host = host.to_owned();
    match status.as_u16() {
        200..=299 => Verdict::Taken,
        300..=399 => Verdict::Failed(Error::Redirected {
            to: redirect_target(url, &reply.headers),
            host,
            status,
        }),
        410 => Verdict::Failed(Error::Gone { host }),
        // 509: bandwidth limit exceeded, as some hosts have it.
        425 | 429 | 503 | 509 => {
            let wait = retry_after(&reply.headers, now).unwrap_or(Duration::ZERO);
            let why = format!("{host} answered {}{}", status.as_u16(), excerpt(&reply.body));
            Verdict::Throttled(wait, why)
        }
        400..=499 if !would_hit_every_event(status) => {
            let text = excerpt(&reply.body);
            Verdict::Rejected(format!("{host} answered {}{text}", status.as_u16()))
        }
        _ => Verdict::Failed(Error::Answered { host, status, text: excerpt(&reply.body) }),
    }
}

/// Whether it is about the address, the account or us: 402 payment required, 407 and 421 proxies, 418
/// and 451 whole sites, 423 and 424 a resource that is locked or depends on another, 440 and 498 a
/// session or token that ended, 444, 460, 463, 494..=496 and 499 servers that say so of a connection or
/// of headers that all requests have.
fn would_hit_every_event(status: StatusCode) -> bool {
    matches!(
        status.as_u16(),
        401..=408
            | 411
            | 415
            | 417
            | 418
            | 421
            | 423
            | 424
            | 426
            | 428
            | 440
            | 444
            | 450
            | 451
            | 460
            | 463
            | 494..=499
    )
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, header};
    use pluvio_runtime::{Failure as _, Response};

    use super::*;

    fn verdict(status: u16, name: header::HeaderName, value: &'static str) -> Verdict {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_static(value));
        let status = StatusCode::from_u16(status).unwrap_or_default();
        let reply = HttpReply { status, headers, body: "no\nway".into(), is_unended: false };
        let url = Url::parse("https://a.example/x").unwrap_or_else(|e| unreachable!("{e}"));
        judge("a.example", &url, &reply, Timestamp::UNIX_EPOCH)
    }

    fn of(status: u16) -> Verdict {
        verdict(status, header::SERVER, "x")
    }

    #[test]
    fn an_event_is_to_blame_only_for_what_another_would_not_meet() {
        for status in [200, 201, 202, 204] {
            assert!(matches!(of(status), Verdict::Taken), "{status}");
        }
        for status in [400, 409, 412, 413, 414, 422, 431] {
            let Verdict::Rejected(reason) = of(status) else { unreachable!("{status}") };
            assert_eq!(reason, format!("a.example answered {status}: no way"));
        }
        let of_all = [
            401, 402, 403, 404, 405, 406, 407, 408, 410, 411, 415, 417, 418, 421, 423, 424, 426,
            428, 440, 444, 451, 494, 495, 496, 497, 498, 499, 500, 501, 502, 504, 505, 507, 508,
            511, 520, 522, 599, 301, 307, 304,
        ];
        for status in of_all {
            assert!(matches!(of(status), Verdict::Failed(_)), "{status}");
        }
    }

    #[test]
    fn who_asks_for_patience_gets_it() {
        for status in [425, 429, 503, 509] {
            let Verdict::Throttled(wait, why) = verdict(status, header::RETRY_AFTER, "7") else {
                unreachable!("{status}")
            };
            assert_eq!(wait, Duration::from_secs(7));
            assert_eq!(why, format!("a.example answered {status}: no way"));
            assert!(matches!(of(status), Verdict::Throttled(Duration::ZERO, _)));
        }
    }

    #[test]
    fn a_redirect_names_the_host_and_not_the_path() {
        for (location, to) in [
            ("https://b.example:8443/secret?token=1", "https://b.example:8443"),
            ("/login", "https://a.example"),
            ("http://[", "nowhere"),
        ] {
            let Verdict::Failed(error) = verdict(302, header::LOCATION, location) else {
                unreachable!("{location}")
            };
            assert_eq!(error.to_string(), format!("a.example answered 302: it sends on to {to}"));
        }
    }

    #[test]
    fn who_is_gone_is_left_alone_and_wrong_passwords_are_not_repeated_soon() {
        let response = |status| match of(status) {
            Verdict::Failed(error) => Some((error.response(), error.remedy().is_some())),
            _ => None,
        };
        let day = Response::Wait(Duration::from_secs(86_400));
        assert_eq!(response(410), Some((day, true)));
        assert_eq!(response(401), Some((Response::Denied, true)));
        assert_eq!(response(404), Some((Response::Retry, true)));
        assert_eq!(response(500), Some((Response::Retry, true)));
    }
}
