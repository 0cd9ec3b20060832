//! What a broker says to whoever only publishes.
//!
//! It refuses everything that a consumer would be told.

/// What a broker says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// It wants to know who we are.
    Start,
    /// How large frames may be, and how often it wants one in seconds; 0: it does not care.
    Tune { frame_max: u32, heartbeat_s: u16 },
    /// What was asked for last is done.
    Done,
    /// A publish, or all up to it, has arrived (`ack`), or has not (`nack`).
    Confirmed { tag: u64, is_multiple: bool, is_taken: bool },
    /// A message comes back; the message follows.
    Returned { routing_key: String, refusal: Refusal },
    /// What follows: of a message that comes back, its id, if it has one, and the bytes of its body.
    Header { message_id: Option<String>, bytes: u64 },
    /// Nothing is to be published, and why.
    Blocked(String),
    /// Everything may be published again.
    Unblocked,
    /// It ends the channel.
    ChannelClosed(Refusal),
    /// It ends the connection.
    Closed(Refusal),
    /// Nothing that concerns us.
    Nothing,
}

/// A code and its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// As in HTTP: 403, 404, …
    pub code: u16,
    /// In the broker's words, which begin with the name of the code.
    pub text: String,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.text, self.code)
    }
}

/// What came is no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no frame of AMQP 0-9-1")]
pub struct Malformed;
