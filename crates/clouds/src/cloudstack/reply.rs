//! From an HTTP answer to the object inside it, or to the reason why there is none.
//!
//! An answer of CloudStack is a JSON object with one key, whose name varies (`listeventsresponse`,
//! `errorresponse`) and is not relied on; what is inside is the answer, or an error if it has an
//! `errorcode`. The code in there is believed rather than HTTP's status, because proxies rewrite
//! the statuses 430 to 537 that CloudStack invented.
//!
//! Nothing is mended: half an answer that looks whole would lose events silently.

use std::{borrow::Cow, collections::HashMap, fmt, ops::Range};

use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde_json::value::RawValue;

use super::answer::{BrokenAnswer, Fault, Fields, ForeignAnswer, Raw, ServerDate, retry_after};
use super::error::Error;

/// An answer that is no error.
#[derive(Clone)]
pub struct Reply {
    command: String,
    /// The whole answer.
    text: String,
    /// Where in it each field of the object stands that its one field has.
    fields: Vec<(String, Range<usize>)>,
    /// When the server answered, by its clock.
    pub server: Option<ServerDate>,
}

impl Reply {
    /// Understands an answer: pure, for whoever has one from elsewhere. `received`: our clock when
    /// it came.
    pub fn decode(
        command: &str,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
        received: Timestamp,
    ) -> Result<Reply, Error> {
        decode(command, &Raw { status, headers, body, received })
    }

    /// The command that was answered.
    pub fn command(&self) -> &str {
        &self.command
    }

    /// The object inside the answer's one key, as it came: read anew, for few ask for it.
    pub fn object(&self) -> &RawValue {
        let answer = serde_json::from_str::<HashMap<String, &RawValue>>(&self.text);
        answer.ok().and_then(|answer| answer.into_values().next()).unwrap_or(RawValue::NULL)
    }

    /// Whether the command succeeded, where the answer says nothing else: `true`, or `"true"` from
    /// old servers.
    pub fn success(&self) -> Option<bool> {
        self.fields().flag("success")
    }

    /// A text or number in the object, such as `jobid` or `id`.
    pub fn text(&self, name: &str) -> Option<String> {
        self.fields().text(name)
    }

    pub(super) fn fields(&self) -> Fields<'_> {
        Fields::at(&self.text, &self.fields)
    }

    pub(super) fn lacks(&self, expected: impl Into<String>) -> Error {
        Error::Unexpected { command: self.command.clone(), expected: expected.into() }
    }
}

/// Without its content, which may hold passwords.
impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("command", &self.command)
            .field("bytes", &self.text.len())
            .field("server", &self.server)
            .finish()
    }
}

pub(super) fn decode(command: &str, raw: &Raw<'_>) -> Result<Reply, Error> {
    // Bytes that are no UTF-8 are replaced, so that they cost one character and not the page. The check
    // alone is several times as fast as the search for what to replace.
    let text = match std::str::from_utf8(raw.body) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(raw.body),
    };
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let server = raw.server_date();
    // An answer to a login holds the session's key, and what cannot be read tells nothing of where.
    let is_quotable = !command.eq_ignore_ascii_case("login");
    let foreign = || Error::Foreign {
        command: command.to_owned(),
        answer: Box::new(ForeignAnswer::new(
            raw.status,
            raw.headers.get(CONTENT_TYPE),
            raw.headers.get(LOCATION),
            retry_after(raw.headers),
            text,
            is_quotable,
        )),
    };
    if !text.starts_with('{') {
        return Err(foreign());
    }
    let fields = match Fields::of_answer(text) {
        Ok(fields) => fields.ok_or_else(foreign)?,
        // A proxy's error page may begin with anything; a server's own answer is what is broken.
        Err(_) if !raw.status.is_success() && !looks_like_ours(text) => return Err(foreign()),
        Err(error) => {
            let broken = Box::new(BrokenAnswer::new(text, &error, is_quotable));
            return Err(Error::Malformed { command: command.to_owned(), broken });
        }
    };
    if let Some(fault) = Fault::of(&fields, raw) {
        let (command, fault) = (command.to_owned(), Box::new(fault));
        return Err(Error::Refused { command, fault, server });
    }
    if !raw.status.is_success() {
        return Err(foreign());
    }
    let fields = fields.places(text);
    Ok(Reply { command: command.to_owned(), text: text.to_owned(), fields, server })
}

/// `{"listeventsresponse":` and the like.
fn looks_like_ours(text: &str) -> bool {
    let key = text.trim_start_matches(['{', ' ', '\n', '\r', '\t']).strip_prefix('"');
    key.and_then(|key| key.split('"').next())
        .is_some_and(|key| key.to_ascii_lowercase().ends_with("response"))
}
