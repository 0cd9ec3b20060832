//! Events as documents in OpenSearch or Elasticsearch, by `_bulk`.
//!
//! ```text
//!   batch ─▶ {"create": {"_index", "_id"}}  ─▶ POST _bulk ─▶ per item: 201 or 409   there
//!            {the event, "@timestamp"}                                 429, 503    later
//!                                                                      400         a dead letter
//!                                                                      403, 404    the index
//! ```
//!
//! **Once.** `_id` is made of the event's `source` and `id`, and `create` never overwrites, so a
//! document that is there already (409) has arrived, and a replay changes nothing. The index must not
//! change between two tries: templates are filled from the event alone. In a data stream, OpenSearch
//! looks for the `_id` in the newest backing index only: a replay from before a rollover doubles.
//!
//! **A document** is the event in structured JSON with `sequence` and `recordedtime`, `data` as the
//! cloud gave it, and `@timestamp`, its `time` or else when it was recorded: data streams demand that
//! and dashboards look for it. Records of unlike events share the names of fields, not always their
//! types; an index template that maps `data` as `flat_object` (OpenSearch) or `flattened`
//! (Elasticsearch) takes them all, and without one some become dead letters.
//!
//! Nothing is read back: a document may become visible to searches a second later.
//!
//! It refuses to make index templates, data streams or policies, which are the cluster's own; to sign
//! requests as clouds of others want (a proxy does); and to speak to several nodes (a load balancer
//! does).

mod bulk;
mod config;
mod error;
mod sink;

use std::sync::Arc;

use pluvio_secret::SecretSource;

use crate::component::SinkConfig;

pub use config::{Compression, Config, ConfigError};
pub use error::Error;
pub use sink::OpenSearch;

impl SinkConfig for Config {
    const TYPE: &'static str = "opensearch";
    const SUMMARY: &'static str = "documents in OpenSearch or Elasticsearch, each once";
    const EXAMPLE: &'static str = r#"
[sinks.search]
type = "opensearch"
url = "https://search.example.org:9200"
username = "pluvio"
password = { file = "/run/secrets/search-password" }
index = "events-{date}"
"#;
    type Sink = OpenSearch;
    type Error = ConfigError;

    fn secrets(&self) -> Vec<(&'static str, &SecretSource)> {
        let secrets = [
            ("username", &self.username),
            ("password", &self.password),
            ("api_key", &self.api_key),
        ];
        secrets.into_iter().filter_map(|(key, secret)| Some((key, secret.as_ref()?))).collect()
    }

    fn build(self) -> Result<OpenSearch, ConfigError> {
        Ok(OpenSearch(Arc::new(self.resolve()?)))
    }
}
