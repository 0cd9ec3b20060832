//! What the control URLs of all simulated clouds have in common: how a fault is written, and how the
//! truth is told. It knows no cloud.

use std::collections::HashMap;

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

/// Reads a fault from its name and the parameters of the query.
pub(crate) fn fault<F: DeserializeOwned>(
    name: &str,
    parameters: HashMap<String, String>,
) -> Result<F, serde_json::Error> {
    let mut fields: Map<String, Value> = parameters
        .into_iter()
        .map(|(name, text)| {
            // Numbers are JSON as they stand; everything else is text.
            let value = serde_json::from_str(&text).unwrap_or(Value::String(text));
            (name, value)
        })
        .collect();
    fields.insert("fault".to_owned(), Value::String(name.to_owned()));
    serde_json::from_value(Value::Object(fields))
}

/// Events as NDJSON.
pub(crate) fn lines<E: Serialize>(events: &[E]) -> Response {
    let mut lines = String::new();
    for event in events {
        // An event always has a form in JSON.
        lines.push_str(&serde_json::to_string(event).unwrap_or_default());
        lines.push('\n');
    }
    ([(CONTENT_TYPE, "application/x-ndjson")], lines).into_response()
}
