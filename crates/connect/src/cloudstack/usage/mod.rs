//! CloudStack's usage: what there is on the tick of the clock, and the usage server's own records.
//!
//! **Ticks** are those of fluent-plugin-cloudstack, byte for byte, two each interval: how many events
//! happened (`{"events_flow":3}`) and what there is (`{"vm_sum":1,…}`). They are taken at aligned
//! instants under ids made of the instant, so a restart repeats an id instead of adding a tick. A
//! tick that nobody took cannot be taken later: a `pluvio.gap.v0` event tells it.
//!
//! **Records** are the usage server's (`listUsageRecords`), written once a day for each resource,
//! hours late, sometimes again. Each is stored once, and once more when its figure is another one than was
//! stored last.
//!
//! It is a source of its own because a bill must not wait for events, nor they for it.

mod config;
mod listing;
mod news;
mod past;
mod place;
mod purged;
mod records;
mod source;
mod tick;
mod totals;

pub use config::Config;
pub use source::CloudstackUsage;

/// The `type` in a configuration.
pub const NAME: &str = "cloudstack-usage";

/// A configuration to begin with.
pub const EXAMPLE: &str = r#"
[sources.usage]
type = "cloudstack-usage"
url = "https://cloud.example.org/client/api"
api_key = { file = "/run/secrets/cloudstack/api-key" }
secret_key = { file = "/run/secrets/cloudstack/secret-key" }
"#;
