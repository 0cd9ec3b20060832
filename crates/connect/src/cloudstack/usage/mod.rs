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
mod day;
mod listed;
mod listing;
mod news;
mod past;
mod place;
mod purged;
mod records;
mod source;
mod tick;
mod totals;

use pluvio_secret::SecretSource;

use super::ConfigError;
use crate::component::{SourceConfig, SourceSlot};

pub use config::Config;
pub use source::CloudstackUsage;

impl SourceConfig for Config {
    const TYPE: &'static str = "cloudstack-usage";
    const SUMMARY: &'static str =
        "usage of an Apache CloudStack: totals by the clock, and the usage server's records";
    const EXAMPLE: &'static str = r#"
[sources.usage]
type = "cloudstack-usage"
url = "https://cloud.example.org/client/api"
api_key = { file = "/run/secrets/cloudstack/api-key" }
secret_key = { file = "/run/secrets/cloudstack/secret-key" }
"#;
    type Source = CloudstackUsage;
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

    fn build(self, _: SourceSlot) -> Result<CloudstackUsage, ConfigError> {
        Ok(CloudstackUsage::new(self.resolve()?))
    }

    fn identity(source: &CloudstackUsage) -> String {
        // Not the events of that name: those may be captured beside it.
        format!("usage of {}", source.identity())
    }
}
