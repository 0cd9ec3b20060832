//! How Pluvio opens a connection: TLS on both sides, the HTTP client.
//!
//! Every component that talks to a peer needs the same two answers: whom do we trust, and what are the
//! limits of one request. They are given once, here, so that one configuration key means the same in every
//! section and one error reads the same in every status line.
//!
//! What this crate refuses to do: retry, pool across peers, keep state, or speak any protocol above
//! HTTP's requests and answers. Retrying belongs to `runtime`, protocols to the components.
//!
//! Read [`TlsOptions`] first; [`HttpClient`] and [`Dialer`] combine them. [`mod@unit`] is how lengths of time and sizes are
//! written in options.

mod chain;
mod dial;
mod http;
mod thumbprint;
mod tls;
pub mod unit;

pub use crate::dial::{DialError, Dialer, Stream, shown_address};
pub use crate::http::{
    BODY_BYTES_MAX, CONNECT_TIMEOUT, HttpClient, HttpError, HttpReply, Part, Request, authority_of,
};
pub use crate::thumbprint::{Thumbprint, ThumbprintError};
pub use crate::tls::{
    ChangedFiles, PemFault, ServerTls, ServerTlsError, TlsError, TlsOptions, Untrusted,
};
