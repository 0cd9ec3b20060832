//! For whoever finds the port: what is here, by links and as an OpenAPI document.

use bytes::Bytes;
use serde::Serialize;

use super::{
    answer::{self, Answer, Payload},
    call::Call,
    routes::ROUTES,
};

/// Written by hand; a test compares it with the list of routes.
const OPENAPI: &str = include_str!("openapi.json");

/// `/openapi.json`.
pub(super) fn openapi() -> Answer {
    let text = Payload::Shared(Bytes::from_static(OPENAPI.as_bytes()));
    answer::payload("application/json", text)
}

/// `/`: the paths.
pub(super) fn index(call: &Call) -> Answer {
    #[derive(Serialize)]
    struct Index {
        name: &'static str,
        /// Not for strangers: a version is a list of known weaknesses.
        #[serde(skip_serializing_if = "Option::is_none")]
        version: Option<&'static str>,
        documentation: &'static str,
        watch: &'static str,
        paths: Vec<&'static str>,
    }
    answer::json(&Index {
        name: "pluvio",
        version: call.principal.as_ref().map(|_| call.server.context.version),
        documentation: "/openapi.json",
        watch: "/api/v1/events?watch=true&offset=earliest",
        paths: ROUTES.iter().map(|route| route.path).collect(),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn what_strangers_can_ask_for_again_and_again_is_there_once() {
        assert!(matches!(openapi().body(), Payload::Shared(_)));
    }

    #[test]
    fn the_openapi_document_describes_every_route_and_parameter_and_no_other() {
        let document: serde_json::Value = serde_json::from_str(OPENAPI).unwrap_or_default();
        let resolve = |parameter: &serde_json::Value| {
            let name = parameter["$ref"].as_str().and_then(|path| path.rsplit('/').next());
            name.map_or(parameter.clone(), |n| document["components"]["parameters"][n].clone())
        };
        let mut described = BTreeSet::new();
        for (path, item) in document["paths"].as_object().into_iter().flatten() {
            described.insert((path.clone(), String::new()));
            for parameter in item["get"]["parameters"].as_array().into_iter().flatten() {
                let parameter = resolve(parameter);
                if parameter["in"] == "query" {
                    let name = parameter["name"].as_str().unwrap_or_default();
                    described.insert((path.clone(), name.to_owned()));
                }
            }
        }
        let mut served = BTreeSet::new();
        for route in ROUTES {
            served.insert((route.path.to_owned(), String::new()));
            let pairs = route.parameters.iter().map(|name| (route.path.to_owned(), (*name).into()));
            served.extend(pairs);
        }
        assert_eq!(described, served);
    }
}
