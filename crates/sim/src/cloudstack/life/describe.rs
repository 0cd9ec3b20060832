//! The description of an event, in the words of CloudStack.
//!
//! It is made of the operation and its resource when it is asked for, because a history has millions of rows; only
//! a text that cannot be made so is kept.

use super::{Trail, trail_of};
use crate::cloudstack::history::{History, Level, State};

/// Writes the description of an event.
pub(crate) fn describe(history: &History, number: u32, out: &mut String) {
    if let Some(text) = history.text(number) {
        out.push_str(text);
        return;
    }
    let row = history.row(number);
    let kind = history.kind_name(row.kind);
    let phrase = trail_of(kind).map_or(kind.as_ref(), |trail: &Trail| trail.phrase);
    out.push_str(match (row.mark.state(), row.level) {
        (State::Created, _) => "Successfully created entity for ",
        (State::Scheduled, _) => "",
        (State::Started, _) => "Starting job for ",
        (State::Completed, Level::Error) => "Error while ",
        (State::Completed, _) => "Successfully completed ",
    });
    out.push_str(phrase);
    if let Some(resource) = history.resource(row) {
        let mut buffer = uuid::Uuid::encode_buffer();
        out.push_str(resource.id.hyphenated().encode_lower(&mut buffer));
    }
}
