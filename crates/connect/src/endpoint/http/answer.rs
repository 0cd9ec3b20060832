//! What an answer says beside its status: how long to wait, and in the other side's own words why.

use std::time::Duration;

use http::{HeaderMap, header};
use jiff::{Timestamp, civil::DateTime, fmt::rfc2822, tz::TimeZone};
use pluvio_event::shown;
use pluvio_secret::hidden;
use url::Url;

/// A longer wait is not believed: a wrong clock there must not stop the sink for a year.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);
/// How many characters of an answer's body are told.
const EXCERPT_CHARACTERS_MAX: usize = 200;

/// How long the other side wants to be left alone (RFC 9110 §10.2.3: seconds, or a date in any of the
/// three forms of §5.6.7); `None`: it does not say.
pub(crate) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        // More than any number of ours holds.
        Err(_) if text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() => {
            RETRY_AFTER_MAX
        }
        // With a fraction, as some write it though the standard has none.
        Err(_) if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') => {
            let seconds: f64 = text.parse().ok()?;
            Duration::try_from_secs_f64(seconds.ceil()).unwrap_or(RETRY_AFTER_MAX)
        }
        Err(_) => {
            let until = http_date(text, now)?;
            Duration::try_from(until.duration_since(now)).unwrap_or_default()
        }
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

/// A date as HTTP writes it: `Sun, 06 Nov 1994 08:49:37 GMT`, and the two obsolete forms that
/// recipients take, too: `Sunday, 06-Nov-94 08:49:37 GMT` and `Sun Nov  6 08:49:37 1994`. The day of
/// the week is not looked at.
fn http_date(text: &str, now: Timestamp) -> Option<Timestamp> {
    if let Ok(date) = rfc2822::parse(text) {
        return Some(date.timestamp());
    }
    let (_, rest) = text.split_once([',', ' '])?;
    let rest = rest.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Ok(date) = DateTime::strptime("%b %d %H:%M:%S %Y", &rest) {
        return in_utc(date);
    }
    let date = DateTime::strptime("%d-%b-%y %H:%M:%S GMT", &rest).ok()?;
    // Of the years with these digits, the one that is at most fifty ahead.
    let latest = now.to_zoned(TimeZone::UTC).year() + 50;
    let year = latest - (latest - date.year()).rem_euclid(100);
    in_utc(date.with().year(year).build().ok()?)
}

fn in_utc(date: DateTime) -> Option<Timestamp> {
    date.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

/// The beginning of an answer's body as one line, behind `: `, with marks that change the direction of
/// writing escaped, for it is shown in the status as well; nothing, if there is none to be read.
pub(crate) fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body.get(..4096).unwrap_or(body));
    // Before it is cut.
    let text = hidden(&text);
    let words: Vec<_> = text.split(|c: char| c.is_whitespace() || c.is_control()).collect();
    let words = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    if words.is_empty() {
        return words;
    }
    let mut line: String = words.chars().take(EXCERPT_CHARACTERS_MAX).collect();
    if line.len() < words.len() {
        line.push('…');
    }
    format!(": {}", shown(&line))
}

/// The host that a redirect leads to; its path may hold a secret.
pub(crate) fn redirect_target(url: &Url, headers: &HeaderMap) -> String {
    let location = headers.get(header::LOCATION).and_then(|value| value.to_str().ok());
    let location = location.and_then(|text| url.join(text).ok());
    match location {
        Some(location) => {
            let host = pluvio_net::authority_of(&location);
            format!("{}://{}", location.scheme(), host.chars().take(255).collect::<String>())
        }
        None => "nowhere".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn wait(text: &'static str) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static(text));
        let now = "1994-11-06T08:49:00Z".parse().unwrap_or_default();
        retry_after(&headers, now).map(|wait| wait.as_secs())
    }

    #[test]
    fn patience_is_asked_for_in_seconds_or_until_a_date_and_has_an_end() {
        assert_eq!(wait("120"), Some(120));
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:37 GMT"), Some(37));
        assert_eq!(wait("Sun, 06 Nov 1994 08:48:00 GMT"), Some(0), "it is over");
        assert_eq!(wait("Sunday, 06-Nov-94 08:49:37 GMT"), Some(37));
        assert_eq!(wait("Sun Nov  6 08:49:37 1994"), Some(37));
        assert_eq!(wait("Saturday, 06-Nov-93 08:49:37 GMT"), Some(0));
        assert_eq!(wait("Tuesday, 06-Nov-44 08:49:37 GMT"), Some(3600), "fifty years ahead");
        assert_eq!(wait("Sunday, 06-Nov-45 08:49:37 GMT"), Some(0), "of the century before");
        assert_eq!(wait("Sunday, 31-Feb-94 08:49:37 GMT"), None);
        assert_eq!(wait("99999999"), Some(3600));
        assert_eq!(wait("99999999999999999999999"), Some(3600));
        assert_eq!((wait("1.5"), wait("0.0")), (Some(2), Some(0)));
        assert_eq!((wait("1.5.2"), wait("."), wait("soon")), (None, None, None));
        assert_eq!(wait(""), None);
        assert_eq!(retry_after(&HeaderMap::new(), Timestamp::UNIX_EPOCH), None);
    }

    #[test]
    fn a_body_is_told_as_one_short_line() {
        assert_eq!(excerpt(b" <p>\r\n no\x1b[2J </p>"), ": <p> no [2J </p>");
        assert_eq!(excerpt("a\u{202e}b\u{2066}".as_bytes()), ": a\\u202eb\\u2066");
        assert_eq!(excerpt(b" \n"), "");
        assert_eq!(excerpt("é".repeat(500).as_bytes()).chars().count(), 203);
    }
}
