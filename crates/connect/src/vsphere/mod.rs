//! vCenter: its events, each stored exactly once.
//!
//! vCenter keeps its events in a database behind SOAP and hands them out through *collectors*:
//! cursors with a filter by time. A collector is not a log: its cursor dies with the session, reads
//! can be short or empty though more is there, keys overflow, and a restore from backup counts
//! again from an old key. From API 9.0 on events are also told behind a key, without a cursor at the
//! server; keys are no log either. So this folder never trusts a cursor further than one connection:
//!
//! ```text
//!  place (in the log) ─▶ list again from time − overlap ─▶ ledger: known? new? new epoch? ─▶ records
//!                              ▲                                                          │
//!                              └───────── wake-up, stall check, sweep ◀───────────────────┘
//! ```
//!
//! [`source`](self) is the loop's body, `session` asks the vCenter, `listing` is how far events were read
//! and `cursor` the listing that never ends, with its bell; `ledger` decides what is new,
//! `place` is what a record remembers and `begin` where a connection takes it up, `sweep` looks a day
//! back, `map` makes the event.

mod begin;
mod config;
mod cursor;
mod error;
mod ledger;
mod listing;
mod map;
mod place;
mod reach;
mod session;
mod source;
mod sweep;

pub use config::{Config, ConfigError};
pub use error::Error;
pub use source::Vsphere;

/// The `type` in a configuration.
pub const NAME: &str = "vsphere";

/// A configuration to begin with.
pub const EXAMPLE: &str = r#"
[sources.vcenter]
type = "vsphere"
url = "https://vc.example.org/sdk"
username = "events@vsphere.local"               # read-only on the root folder is enough
password = { file = "/run/secrets/vcenter" }
begin = "1h"                                    # how far back the first start reaches
"#;
