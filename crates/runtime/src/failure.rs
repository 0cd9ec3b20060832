//! How a component says that an attempt failed, and what would help.

use std::{borrow::Cow, error::Error, fmt, time::Duration};

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

/// How much is told of an error, in bytes: a database may answer with forty megabytes.
const CHAIN_BYTES_MAX: usize = 8 * 1024;

/// Prints an error with its causes, `: ` between them, and without secrets that the other side repeated: once,
/// at the edge. At most 8 KiB of it, and `…` where there is more.
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
        f.write_str(&shown(&text))
    }
}

/// The beginning of what is told, without secrets.
pub(crate) fn shown(text: &str) -> Cow<'_, str> {
    // Secrets first: half of one would not be found.
    let whole = text.get(..text.floor_char_boundary(2 * CHAIN_BYTES_MAX)).unwrap_or(text);
    let hidden = hidden(whole);
    let kept = hidden.get(..hidden.floor_char_boundary(CHAIN_BYTES_MAX)).unwrap_or(&hidden);
    if kept.len() == hidden.len() && whole.len() == text.len() {
        return hidden;
    }
    Cow::Owned(format!("{kept}…"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_megabytes_is_told_by_its_beginning() {
        pluvio_secret::note("Chain/Token-2026");
        let said = format!("no Chain/Token-2026{}", "é".repeat(1 << 20));
        let told = Chain(&std::io::Error::other(said)).to_string();
        assert!(told.starts_with("no ***éé") && told.ends_with("é…"), "{}", &told[..20]);
        assert!(told.len() <= CHAIN_BYTES_MAX + "…".len(), "{}", told.len());
    }
}
