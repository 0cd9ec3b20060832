//! Why this side ends a connection: in a metric and the log, for Kafka's protocol has no word for it.
//!
//! It refuses reasons of the client's: one that goes away has none here.

use std::fmt;

use super::wire::Malformed;

/// Why this side ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hangup {
    FrameTooLarge,
    Malformed,
    TooMuch,
    UnknownApi,
    UnsupportedVersion,
    NotAuthenticated,
    Denied,
    UnansweredProduce,
    TooSlow,
    Idle,
    NoRoom,
    ShareFull,
    Displaced,
    Unencodable,
}

impl From<Malformed> for Hangup {
    fn from(error: Malformed) -> Self {
        match error {
            Malformed::Bytes(_) => Self::Malformed,
            Malformed::TooMuch => Self::TooMuch,
        }
    }
}

impl Hangup {
    /// For metrics.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::FrameTooLarge => "frame_too_large",
            Self::Malformed => "malformed",
            Self::TooMuch => "too_much",
            Self::UnknownApi => "unknown_api",
            Self::UnsupportedVersion => "unsupported_version",
            Self::NotAuthenticated => "not_authenticated",
            Self::Denied => "denied",
            Self::UnansweredProduce => "unanswered_produce",
            Self::TooSlow => "too_slow",
            Self::Idle => "idle",
            Self::NoRoom => "no_room",
            Self::ShareFull => "share_full",
            Self::Displaced => "displaced",
            Self::Unencodable => "unencodable",
        }
    }
}

impl fmt::Display for Hangup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label().replace('_', " "))
    }
}
