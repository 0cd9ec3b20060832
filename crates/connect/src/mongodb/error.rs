//! What can go wrong with a MongoDB, and what the supervisor and the operator should do.

use mongodb::error::ErrorKind;
use pluvio_net::SecretError;
use pluvio_runtime::{Failure, Response, unit::ByteSize};

const UNAUTHORIZED: i32 = 13;
const AUTHENTICATION_FAILED: i32 = 18;
/// How Atlas says both.
const ATLAS_ERROR: i32 = 8000;

/// What the driver says, without what it tells beside that.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.kind)]
pub struct Driver(Box<mongodb::error::Error>);

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

    /// Whether the connection ended while documents were on their way.
    pub(super) fn is_of_network(&self) -> bool {
        matches!(self, Self::Insert { .. }) && self.is_of(|kind| matches!(kind, ErrorKind::Io(_)))
    }

    fn is_of(&self, is: impl Fn(&ErrorKind) -> bool) -> bool {
        match self {
            Self::Client { source, .. }
            | Self::Look { source, .. }
            | Self::Insert { source, .. } => is(&source.0.kind),
            _ => false,
        }
    }
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
            (_, Some(AUTHENTICATION_FAILED | ATLAS_ERROR)) => {
                "check user and password, and `authSource` in `url`"
            }
            (_, Some(UNAUTHORIZED)) => "give the user the role readWrite on that database",
            _ if self.is_of(|kind| matches!(kind, ErrorKind::ServerSelection { .. })) => {
                "check hosts and ports in `url`, that MongoDB runs there, and whether it wants TLS"
            }
            _ if self.is_of(|kind| matches!(kind, ErrorKind::InvalidTlsConfig { .. })) => {
                "mend the files that `tls` names"
            }
            _ => return None,
        };
        Some(text.to_owned())
    }
}
