//! How a component says that an attempt failed, and what would help.

use std::{error::Error, fmt, time::Duration};

use pluvio_secret::hidden;

/// An error that tells the supervisor what to do. A component's own error type implements it, so
/// that nothing is boxed and nothing is guessed from text.
pub trait Failure: Error + Send + Sync + 'static {
    /// What the supervisor should do about it.
    fn response(&self) -> Response;

    /// What the operator can do about it, as an imperative clause: `set tls.thumbprint or ca_file`.
    fn remedy(&self) -> Option<String> {
        None
    }
}

/// What to do after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Response {
    /// Close, back off from about a second upwards with jitter, connect again.
    Retry,
    /// The other side knows us and says no: back off for at least a minute, because accounts lock
    /// after a few wrong passwords. Secrets are read again before the next attempt.
    Denied,
    /// The other side asks for patience.
    Wait(Duration),
}

/// Prints an error with its causes, `: ` between them, and without secrets that the other side repeated: once,
/// at the edge.
pub struct Chain<'a>(pub &'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.0.to_string();
        let mut cause = self.0.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        f.write_str(&hidden(&text))
    }
}
