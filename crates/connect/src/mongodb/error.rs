//! What can go wrong with a MongoDB, and what the supervisor and the operator should do.

use std::{fmt, io, time::Duration};

use mongodb::error::ErrorKind;
use pluvio_log::Offset;
use pluvio_net::unit::ByteSize;
use pluvio_runtime::{Failure, Outcome, Response};
use pluvio_secret::SecretError;

use super::refusal::Refusal;

const UNAUTHORIZED: i32 = 13;
const AUTHENTICATION_FAILED: i32 = 18;
/// How Atlas says both.
const ATLAS_ERROR: i32 = 8000;

/// What the driver says, without what it tells beside that, and without what it quotes: of a key file whose
/// line ends were lost it prints the whole key, as numbers (mongodb 3.9.1).
#[derive(thiserror::Error)]
pub struct Driver(Box<mongodb::error::Error>);

impl fmt::Display for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0.kind {
            ErrorKind::InvalidTlsConfig { .. } => f.write_str(
                "the certificates, or the key, that it is to use for TLS cannot be used",
            ),
            kind => kind.fmt(f),
        }
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Driver({self})")
    }
}

impl From<mongodb::error::Error> for Driver {
    fn from(error: mongodb::error::Error) -> Self {
        Self(Box::new(error))
    }
}

/// Why documents could not be inserted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A secret cannot be read.
    #[error("failed to read a secret")]
    Secret(#[from] SecretError),
    /// The connection string is none. What the driver says of it may hold the password.
    #[error("`url` is no connection string that can be used")]
    Url,
    /// No database is named.
    #[error("neither `url` nor `database` names a database")]
    NoDatabase,
    /// The client was not made.
    #[error("failed to make a client for {server}")]
    Client {
        /// The hosts.
        server: String,
        /// What went wrong.
        source: Driver,
    },
    /// The collection was not found out about, or not made.
    #[error("failed to look at collection `{collection}` of {server}")]
    Look {
        /// The hosts.
        server: String,
        /// With its database.
        collection: String,
        /// What went wrong.
        source: Driver,
    },
    /// It is there, and not as the configuration says.
    #[error(
        "collection `{collection}` is there, and {}",
        match .bytes { Some(bytes) => format!("capped at {bytes} bytes"), None => "not capped".to_owned() }
    )]
    Other {
        /// With its database.
        collection: String,
        /// How large it may grow.
        bytes: Option<u64>,
        /// How large the configuration wants it.
        wanted: u64,
    },
    /// Documents were not inserted.
    #[error("failed to insert into collection `{collection}`")]
    Insert {
        /// With its database.
        collection: String,
        /// What went wrong.
        source: Driver,
    },
    /// Whether documents that are refused as duplicates are there could not be found out.
    #[error("failed to look for refused documents in collection `{collection}`")]
    Find {
        /// With its database.
        collection: String,
        /// What went wrong.
        source: Driver,
    },
    /// The driver has no threads.
    #[error("failed to run the driver's threads")]
    Threads(#[source] io::Error),
    /// A connection has no end.
    #[error("failed to look at collection `{collection}` within {} s", .within.as_secs())]
    NoAnswer {
        /// Without its database.
        collection: String,
        /// How long it was waited for.
        within: Duration,
    },
    /// An insert has no end.
    #[error("failed to insert into collection `{collection}` within {} s", .within.as_secs())]
    Slow {
        /// With its database.
        collection: String,
        /// How long it was waited for.
        within: Duration,
    },
    /// The answer to an insert cannot be about that insert.
    #[error(
        "the answer to an insert of {count} documents into collection `{collection}` is about \
         document {index}, which is not one of them or was refused before"
    )]
    Foreign {
        /// With its database.
        collection: String,
        /// How many documents were inserted.
        count: usize,
        /// Which one is said to be refused, from 0.
        index: usize,
    },
    /// The server took documents, and not for good.
    #[error("failed to insert into collection `{collection}` for good: {message} ({code})")]
    Refused {
        /// With its database.
        collection: String,
        /// MongoDB's number for it.
        code: i32,
        /// In the server's words.
        message: String,
    },
}

impl Error {
    fn code(&self) -> Option<i32> {
        let source = match self {
            Self::Client { source, .. }
            | Self::Look { source, .. }
            | Self::Find { source, .. }
            | Self::Insert { source, .. } => source,
            Self::Refused { code, .. } => return Some(*code),
            _ => return None,
        };
        match &*source.0.kind {
            ErrorKind::Command(error) => Some(error.code),
            ErrorKind::Authentication { .. } => Some(AUTHENTICATION_FAILED),
            _ => None,
        }
    }

    /// How a write of `count` documents ends that failed as a whole; the last of them is that of the event
    /// at `sent_to`. Where the command may be to blame, halves are tried as well, but the document that
    /// ends up alone is only suspected.
    pub(super) fn outcome(self, count: usize, sent_to: Offset) -> Outcome<Self> {
        let Self::Insert { collection, source } = &self else { return Outcome::NotConnected(self) };
        match &*source.0.kind {
            ErrorKind::Io(_) => Outcome::Broken { error: self, sent_to },
            // The driver knows how large a document the server takes, and sends none that is larger.
            ErrorKind::InvalidArgument { message, .. } => Outcome::BatchRejected(message.clone()),
            ErrorKind::Command(said) => match Refusal::of_insert(said.code) {
                Refusal::OfEither if count == 1 => Outcome::Broken { error: self, sent_to },
                Refusal::OfDocument | Refusal::OfEither => {
                    Outcome::BatchRejected(format!("{} ({})", said.message, said.code))
                }
                Refusal::NotNow => {
                    let why = not_now(collection, said.code, &said.message);
                    Outcome::Throttled { wait: Duration::ZERO, why }
                }
                Refusal::OfAll => Outcome::NotConnected(self),
            },
            _ => Outcome::NotConnected(self),
        }
    }

    fn is_of(&self, is: impl Fn(&ErrorKind) -> bool) -> bool {
        match self {
            Self::Client { source, .. }
            | Self::Look { source, .. }
            | Self::Find { source, .. }
            | Self::Insert { source, .. } => is(&source.0.kind),
            _ => false,
        }
    }
}

/// What the status says while documents are not taken.
pub(super) fn not_now(collection: &str, code: i32, message: &str) -> String {
    format!("`{collection}` does not take documents now: {message} ({code})")
}

impl Failure for Error {
    fn response(&self) -> Response {
        match self.code() {
            Some(UNAUTHORIZED | AUTHENTICATION_FAILED | ATLAS_ERROR) => Response::Denied,
            _ => Response::Retry,
        }
    }

    fn remedy(&self) -> Option<String> {
        let text = match (self, self.code()) {
            (Self::Url, _) => {
                "write it as mongodb://user:password@host:27017/database; characters as @ : / in a \
                 password are percent-encoded"
            }
            (Self::NoDatabase, _) => "set `database`",
            (Self::Other { wanted, .. }, _) => {
                return Some(format!(
                    "leave `capped_size` out, choose another `collection`, or convert this one \
                     (convertToCapped) to {}",
                    ByteSize(*wanted)
                ));
            }
            (Self::Slow { .. }, _) => {
                "check the load of the server and of its secondaries, and that it says in `n` how many \
                 documents it has inserted"
            }
            (Self::NoAnswer { .. }, _) => {
                "check that `url` names the server that is meant, and its load; a login that takes so long is asked \
                 for by no MongoDB"
            }
            (_, Some(AUTHENTICATION_FAILED | ATLAS_ERROR)) => {
                "check user and password, and `authSource` in `url`"
            }
            (_, Some(UNAUTHORIZED)) => "give the user the role readWrite on that database",
            _ if self.is_of(|kind| matches!(kind, ErrorKind::ServerSelection { .. })) => {
                "check hosts and ports in `url`, that MongoDB runs there, and whether it wants TLS"
            }
            _ if self.is_of(|kind| matches!(kind, ErrorKind::InvalidTlsConfig { .. })) => {
                "mend the files that `tls`, or tlsCAFile and tlsCertificateKeyFile in `url`, name: PEM, \
                 with its line ends"
            }
            _ => return None,
        };
        Some(text.to_owned())
    }
}
