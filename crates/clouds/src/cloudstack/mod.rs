//! Apache CloudStack: a client of its signed HTTP API and the decoder of its events.
//!
//! ```text
//!   Endpoint ┐                                       ┌─▶ Page<NativeEvent | UsageRecord | …>
//!            ├─▶ Client ── command, Params ── Reply ─┤
//!   Credentials ┘   │ sign                            └─▶ Apis, Capabilities
//!                   └─▶ Error: Refused, Foreign, Malformed, Unexpected, Transport
//! ```
//!
//! CloudStack of the last twelve years is spoken to alike: ids are numbers or uuids, booleans may be
//! text, offsets have no colon, lists may lack their array. Fields are therefore read one by one,
//! and what cannot be read costs its field or its row, never the page. A row that becomes an event
//! keeps its JSON as it came.
//!
//! What it refuses: retries, waiting, logging in again, remembering what was seen, and judging what
//! an event means. Those are `runtime`'s and `connect`'s. [`Client::all_pages_up_to_rows`] walks
//! pages, which one question needs, and stops at the first error.

mod answer;
mod client;
mod credentials;
mod discovery;
mod endpoint;
mod error;
mod event;
mod inventory;
mod list;
mod mask;
mod names;
mod params;
mod reply;
mod sign;
mod time;
mod usage;

pub use self::answer::{BrokenAnswer, Fault, FaultKind, Flaw, ForeignAnswer, ServerDate};
pub use self::client::{Client, Method, Session};
pub use self::credentials::{ApiKeys, Credentials, Login};
pub use self::discovery::{Api, Apis, Capabilities};
pub use self::endpoint::{Endpoint, EndpointError};
pub use self::error::Error;
pub use self::event::{EventPage, EventQuery, MalformedEvent, NativeEvent};
pub use self::inventory::{
    Account, AccountQuery, Owner, User, UserQuery, VirtualMachine, VirtualMachineQuery, Volume,
    VolumeQuery, Zone, ZoneQuery,
};
pub use self::list::{
    Gathered, MalformedRow, Page, Paging, Projects, Query, ROW_BYTES_MAX, Row, RowFlaw, Scope,
};
pub use self::params::Params;
pub use self::reply::Reply;
pub use self::sign::{EXPIRES_AFTER, encode, expires, signature, string_to_sign};
pub use self::time::{DateFormat, Moment};
pub use self::usage::{UsageQuery, UsageRecord};
