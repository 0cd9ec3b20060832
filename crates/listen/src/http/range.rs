//! What there is: a stream's bounds, and the streams.

use pluvio_log::Log;
use pluvio_runtime::Verb;
use serde::Serialize;

use super::{
    answer::{self, Answer},
    call::Call,
    problem::{Problem, Range},
};

/// `/range`: 204 while the stream is empty, as vsphere-event-streaming has it.
pub(super) fn range(call: &Call) -> Result<Answer, Problem> {
    let extent = call.extent()?;
    if extent.earliest.is_none() {
        return Ok(answer::nothing());
    }
    Ok(answer::json(&Range::from(extent)))
}

/// `/streams`: those that the principal may read, and where each stands.
pub(super) fn streams(call: &Call) -> Answer {
    #[derive(Serialize)]
    struct Stream {
        name: String,
        #[serde(flatten)]
        range: Range,
    }
    let log = &call.server.context.log;
    let is_readable = |name: &_| call.principal.as_ref().is_some_and(|p| p.may(Verb::Read, name));
    let streams: Vec<Stream> = log
        .streams()
        .into_iter()
        .filter(is_readable)
        .filter_map(|name| {
            let range = log.extent(&name).ok()?.into();
            Some(Stream { name: name.to_string(), range })
        })
        .collect();
    answer::json(&streams)
}
