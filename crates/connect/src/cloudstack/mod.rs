//! Apache CloudStack: its events and its usage, each stored exactly once.
//!
//! CloudStack shows its events through `listEvents`, which is a list and no log: newest first,
//! without a number that grows, in whole seconds, paged by counting rows while rows come and go.
//! Rows appear late, because a transaction took long or because a second management server's clock
//! is wrong; they are archived, deleted, purged. So this folder never believes that it has seen
//! a second: it remembers how many rows the server counted in each slice of the last day, asks for
//! the counts again, and lists what differs.
//!
//! ```text
//!                                    ┌── poll: newest first, until something known ──┐
//!  place (in the log) ─▶ walk ─▶ ────┤                                               ├─▶ ledger ─▶ records
//!        slices, oldest first        └── slices: counts differ? last look? list ─────┘
//! ```
//!
//! `source` is the loop's body, `session` what is asked of the cloud (`early`: pages before their turn),
//! `reader` decides what to ask, `slices` remembers what was counted, `ledger` decides what is new, `place` is what a record
//! remembers, `map` makes the event, `unread` is a row of which it cannot make one. [`usage`] is a source of its own.

mod access;
mod clock;
mod config;
mod early;
mod error;
mod invalid;
mod ledger;
mod lists;
mod map;
mod meter;
mod order;
mod people;
mod place;
mod probe;
mod reader;
mod redact;
mod session;
mod slices;
mod source;
mod span;
mod unread;
pub mod usage;

use pluvio_secret::SecretSource;

use crate::component::{SourceConfig, SourceSlot};

pub use config::Config;
pub use error::Error;
pub use invalid::ConfigError;
pub use redact::redact_recorded;
pub use source::Cloudstack;

impl SourceConfig for Config {
    const TYPE: &'static str = "cloudstack";
    const SUMMARY: &'static str = "events of an Apache CloudStack";
    const EXAMPLE: &'static str = r#"
[sources.prod]
type = "cloudstack"
url = "https://cloud.example.org/client/api"
api_key = { file = "/run/secrets/cloudstack/api-key" }
secret_key = { file = "/run/secrets/cloudstack/secret-key" }
begin = "1h"                                    # how far back the first start reaches
"#;
    type Source = Cloudstack;
    type Error = ConfigError;

    fn secrets(&self) -> Vec<(&'static str, &SecretSource)> {
        let secrets = [
            ("api_key", &self.api_key),
            ("secret_key", &self.secret_key),
            ("username", &self.username),
            ("password", &self.password),
        ];
        secrets.into_iter().filter_map(|(key, secret)| Some((key, secret.as_ref()?))).collect()
    }

    fn build(self, _: SourceSlot) -> Result<Cloudstack, ConfigError> {
        Ok(Cloudstack::new(self.resolve()?))
    }

    fn identity(source: &Cloudstack) -> String {
        source.identity().to_owned()
    }
}
