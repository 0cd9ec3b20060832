//! What an operator may say about standard output.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Events on standard output, one line each. When its reader ends (`| head`), the sink ends, and Pluvio with it if no
/// other sink and no listener is configured.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What a line is: `text` for people; `cloudevents`, JSON with the event's offset as `sequence`;
    /// `cloudevents-stored`, the same without; `native`, the data alone.
    #[serde(default)]
    pub format: Form,
}

/// What a line is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// Readable.
    #[default]
    Text,
    /// CloudEvents with their place.
    Cloudevents,
    /// CloudEvents as they are stored.
    CloudeventsStored,
    /// The data alone.
    Native,
}
