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
mod pages;
mod place;
mod probe;
mod reach;
mod relist;
mod session;
mod source;
mod sweep;

use pluvio_secret::SecretSource;

use crate::component::{SourceConfig, SourceSlot};

pub use config::{Config, ConfigError};
pub use error::Error;
pub use source::Vsphere;

impl SourceConfig for Config {
    const TYPE: &'static str = "vsphere";
    const SUMMARY: &'static str = "events of a vCenter, 6.5 to 9";
    const EXAMPLE: &'static str = r#"
[sources.vcenter]
type = "vsphere"
url = "https://vc.example.org/sdk"
username = "events@vsphere.local"               # read-only on the root folder is enough
password = { file = "/run/secrets/vcenter" }
begin = "1h"                                    # how far back the first start reaches
"#;
    type Source = Vsphere;
    type Error = ConfigError;

    fn secrets(&self) -> Vec<(&'static str, &SecretSource)> {
        vec![("username", &self.username), ("password", &self.password)]
    }

    fn build(self, slot: SourceSlot) -> Result<Vsphere, ConfigError> {
        Ok(Vsphere::new(self.resolve(slot.is_alone)?))
    }

    fn identity(source: &Vsphere) -> String {
        source.identity().to_owned()
    }
}
