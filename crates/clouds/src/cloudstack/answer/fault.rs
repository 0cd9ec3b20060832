//! CloudStack's own errors, by what a caller can do about them.
//!
//! The codes are those of `ApiErrorCode`. They are coarse: 401 is a wrong key, a wrong clock, a
//! disabled user or a command that the role lacks; 431 is nearly everything. Where the text tells
//! more and a caller acts on it, there is a kind for it.

use std::fmt;
use std::time::Duration;

use super::super::mask::masked;
use super::fields::Fields;
use super::{Raw, foreign};

/// How much of a server's error text is kept.
const TEXT_BYTES_MAX: usize = 1024;

/// The longest wait that a server is believed: its intervals are seconds, and a wrong number must
/// not silence a source for a year.
const WAIT_MAX: Duration = Duration::from_secs(3600);

/// An error that CloudStack answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The code: of `errorcode`, else HTTP's status.
    pub code: u16,
    /// The exception's code (`cserrorcode`); 9999 says nothing.
    pub cs_code: Option<u32>,
    /// What the server says, without secrets, 1 KiB at most. May be empty.
    pub text: String,
    /// What it means.
    pub kind: FaultKind,
}

/// What an error means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// 401: a wrong key, a clock that differs by more than the ten minutes a signature lives, an
    /// ended session, a disabled user, or a command that the role may not call. The server does not
    /// tell which.
    Unauthorized,
    /// 411: the second factor was not given; the session is ended.
    SecondFactor,
    /// 429: too many calls of this account; wait as long as this, if the server told.
    RateLimited {
        /// How long.
        wait: Option<Duration>,
    },
    /// 430 or 431: a date in a format that this version does not read; see
    /// [`DateFormat`](crate::cloudstack::DateFormat).
    DateNotUnderstood,
    /// 431: more rows asked for than `default.page.size` allows.
    PageTooLarge {
        /// The most that is allowed, if the server told.
        rows_max: Option<u32>,
    },
    /// 400, 430 or 431: a parameter is wrong, or names what does not exist.
    Parameter,
    /// 432: this version has no such command, or the role may not call it.
    UnknownCommand,
    /// 531: the account may not do that to this object, or the login is wrong.
    AccountDenied,
    /// 503: the management server is in maintenance or shuts down.
    Unavailable,
    /// 530: something broke in the server.
    Internal,
    /// 532 or 535: a limit of the account is reached.
    LimitReached,
    /// 533, 534 or 536: capacity or a resource is missing, or in use.
    Resource,
    /// Any other code.
    Other,
}

impl Fault {
    /// The error in an answer's object, if it is one.
    pub(in super::super) fn of(fields: &Fields<'_>, raw: &Raw<'_>) -> Option<Fault> {
        let is_error = fields.has("errorcode")
            || (fields.has("errortext") && !raw.status.is_success())
            || fields.has("errortext") && fields.has("uuidList");
        if !is_error {
            return None;
        }
        let code = fields.number("errorcode").unwrap_or(raw.status.as_u16());
        let text = masked(&fields.text("errortext").unwrap_or_default());
        let text = foreign::shortened(&text, TEXT_BYTES_MAX);
        let mut kind = kind(code, &text.to_ascii_lowercase());
        if let FaultKind::RateLimited { wait } = &mut kind {
            *wait = wait.or_else(|| foreign::retry_after(raw.headers)).map(|it| it.min(WAIT_MAX));
        }
        Some(Fault { code, cs_code: fields.number("cserrorcode"), text, kind })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.text.trim().trim_end_matches('.');
        match (self.kind.words(), text) {
            (words, "") => write!(f, "{words} (code {})", self.code),
            (words, text) => write!(f, "{words} (code {}: {text})", self.code),
        }
    }
}

impl FaultKind {
    fn words(self) -> &'static str {
        match self {
            FaultKind::Unauthorized => {
                "the credentials or the clock are not accepted, or the role may not do it"
            }
            FaultKind::SecondFactor => "the account's second factor was not given",
            FaultKind::RateLimited { .. } => "the account has called too often",
            FaultKind::DateNotUnderstood => "the date's format is not understood",
            FaultKind::PageTooLarge { .. } => "the page is larger than allowed",
            FaultKind::Parameter => "a parameter is not accepted",
            FaultKind::UnknownCommand => "this version or this role has no such command",
            FaultKind::AccountDenied => "the account may not do it",
            FaultKind::Unavailable => "the management server is not available",
            FaultKind::Internal => "the management server failed",
            FaultKind::LimitReached => "a limit of the account is reached",
            FaultKind::Resource => "capacity is missing or in use",
            FaultKind::Other => "no reason that is known",
        }
    }
}

fn kind(code: u16, text: &str) -> FaultKind {
    match code {
        401 => FaultKind::Unauthorized,
        411 => FaultKind::SecondFactor,
        429 => FaultKind::RateLimited { wait: milliseconds(text) },
        430 | 431 if is_about_a_date(text) => FaultKind::DateNotUnderstood,
        431 if text.contains("page size can't exceed") => {
            FaultKind::PageTooLarge { rows_max: last_number(text) }
        }
        400 | 430 | 431 => FaultKind::Parameter,
        432 => FaultKind::UnknownCommand,
        503 => FaultKind::Unavailable,
        530 => FaultKind::Internal,
        531 => FaultKind::AccountDenied,
        532 | 535 => FaultKind::LimitReached,
        533 | 534 | 536 => FaultKind::Resource,
        _ => FaultKind::Other,
    }
}

fn is_about_a_date(text: &str) -> bool {
    text.contains("unable to parse date") || text.contains("please pass dates in the format")
}

/// `…please retry after [N] ms.`
fn milliseconds(text: &str) -> Option<Duration> {
    let (_, rest) = text.split_once('[')?;
    let (number, unit) = rest.split_once(']')?;
    let is_ms = unit.trim_start().starts_with("ms");
    number.trim().parse().ok().filter(|_| is_ms).map(Duration::from_millis)
}

fn last_number(text: &str) -> Option<u32> {
    text.rsplit(|c: char| !c.is_ascii_digit()).find(|part| !part.is_empty())?.parse().ok()
}
