//! What is sent to `_bulk`, and what its answer says of each event. Pure.

use jiff::Timestamp;
use pluvio_event::Event;
use pluvio_log::Offset;
use pluvio_runtime::{Delivered, Format, Outcome, Rejected};
use serde::Deserialize;
use uuid::Uuid;

use super::{config::Settings, error::Error};
use crate::{
    message::NO_EVENT,
    template::{Place, Template},
};

/// Longest name that an index can have.
const INDEX_BYTES_MAX: usize = 255;
/// How many characters of a reason are told.
const REASON_CHARACTERS_MAX: usize = 400;

/// Whether a character may stand in the name of an index.
pub(super) fn is_legal(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-' | '_')
}

/// What tells an event from all others, as a document's `_id`: the name-based UUID (version 5) of
/// `source`, a line feed and `id` in the namespace of URLs.
pub(super) fn document_id(event: &Event) -> Uuid {
    let name = format!("{}\n{}", event.source(), event.id());
    Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes())
}

/// The index of an event.
fn index(template: &Template, event: &Event, place: Place<'_>) -> String {
    let is_allowed = |c: char| is_legal(c) || c.is_ascii_uppercase();
    let mut name = template.name(event, place, "none", '-', is_allowed);
    name.make_ascii_lowercase();
    // All of it is ASCII.
    name.truncate(INDEX_BYTES_MAX);
    match name.trim_start_matches(['-', '_', '.']) {
        "" => "none".to_owned(),
        name => name.to_owned(),
    }
}

/// A request made of a batch.
#[derive(Debug, Default)]
pub(super) struct Bulk {
    /// Lines of JSON.
    pub(super) body: Vec<u8>,
    /// Where each item's event lies, and its index.
    items: Vec<(Offset, String)>,
    /// Records that no document can be made of.
    rejected: Vec<Rejected>,
}

impl Bulk {
    /// Puts a batch together.
    pub(super) fn of(settings: &Settings, stream: &str, sink: &str, batch: &[Delivered]) -> Self {
        let bytes: usize = batch.iter().map(|record| record.stored().len() + 320).sum();
        let mut bulk = Self { body: Vec::with_capacity(bytes), ..Self::default() };
        for record in batch {
            let place = Place { stream, sink, recorded: record.recorded() };
            if let Err(reason) = bulk.push(&settings.index, place, record) {
                bulk.rejected.push(Rejected { offset: record.offset(), reason });
            }
        }
        bulk
    }

    fn push(
        &mut self,
        template: &Template,
        place: Place<'_>,
        record: &Delivered,
    ) -> Result<(), String> {
        let event = record.event().ok_or(NO_EVENT)?;
        let index = index(template, event, place);
        let id = document_id(event);
        let time: Timestamp = event.time().unwrap_or(record.recorded());
        let action = format!("{{\"create\":{{\"_index\":\"{index}\",\"_id\":\"{id}\"}}}}\n");
        self.body.extend_from_slice(action.as_bytes());
        let at = self.body.len();
        // An event of Pluvio's is an object and not empty.
        let head = format!("{{\"@timestamp\":\"{time}\",");
        self.body.extend_from_slice(&head.as_bytes()[1..]);
        if let Err(error) = Format::Cloudevents.line(record, &mut self.body) {
            self.body.truncate(at - action.len());
            return Err(pluvio_runtime::Chain(&error).to_string());
        }
        // The brace that begins the event goes before the time.
        let brace = at + head.len() - 1;
        self.body[at..=brace].rotate_right(1);
        self.items.push((record.offset(), index));
        Ok(())
    }

    /// Whether there is anything to be sent.
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// What the answer makes of the batch, whose last offset is `last`.
    pub(super) fn outcome(self, answer: &Answer, last: Offset) -> Option<Outcome<Error>> {
        if answer.items.len() != self.items.len() {
            return None;
        }
        let Self { items, mut rejected, .. } = self;
        let first_rejected = rejected.first().map(|rejected| rejected.offset);
        let (mut is_waiting, mut failure, mut reached) = (false, None, None);
        let mut is_prefix = true;
        for ((offset, index), item) in items.into_iter().zip(&answer.items) {
            let verdict = item.create.verdict(&index);
            is_prefix &= matches!(verdict, Verdict::There)
                && first_rejected.is_none_or(|rejected| offset < rejected);
            if is_prefix {
                reached = Some(offset);
            }
            match verdict {
                Verdict::There => {}
                Verdict::Later => is_waiting = true,
                Verdict::Failed(error) => failure = failure.or(Some(error)),
                Verdict::Rejected(reason) => rejected.push(Rejected { offset, reason }),
            }
        }
        rejected.sort_by_key(|rejected| rejected.offset);
        let is_settled = !is_waiting && failure.is_none();
        Some(match (is_settled, reached, failure) {
            (true, ..) if rejected.is_empty() => Outcome::AckedTo(last),
            (true, ..) => Outcome::Rejected(rejected),
            // The rest comes again; what of it is there already is answered with 409.
            (false, Some(reached), _) => Outcome::AckedTo(reached),
            (false, None, Some(error)) => Outcome::NotConnected(error),
            (false, None, None) => Outcome::Throttled(std::time::Duration::ZERO),
        })
    }
}

/// The answer of `_bulk`, as far as it is asked for.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Answer {
    items: Vec<Item>,
}

/// What of an answer is asked for.
pub(super) const FILTER_PATH: &str = "items.create.status,items.create.error.type,\
     items.create.error.reason,items.create.error.caused_by.reason";

#[derive(Debug, Deserialize)]
struct Item {
    create: Created,
}

#[derive(Debug, Deserialize)]
struct Created {
    status: u16,
    error: Option<Refusal>,
}

#[derive(Debug, Deserialize)]
struct Refusal {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    reason: String,
    caused_by: Option<Cause>,
}

#[derive(Debug, Deserialize)]
struct Cause {
    #[serde(default)]
    reason: String,
}

enum Verdict {
    There,
    Later,
    Failed(Error),
    Rejected(String),
}

impl Created {
    fn verdict(&self, index: &str) -> Verdict {
        let kind = self.error.as_ref().map_or("", |error| error.kind.as_str());
        match (self.status, kind) {
            (200..=299 | 409, _) => Verdict::There,
            (
                _,
                "cluster_block_exception"
                | "index_closed_exception"
                | "index_not_found_exception"
                | "security_exception"
                | "validation_exception",
            )
            | (401 | 403 | 404, _) => {
                let (index, kind) = (index.to_owned(), kind.to_owned());
                Verdict::Failed(Error::Index { index, kind, reason: self.reason() })
            }
            (400..=428 | 430..=499, _) => {
                Verdict::Rejected(format!("{index}: {kind}: {}", self.reason()))
            }
            _ => Verdict::Later,
        }
    }

    fn reason(&self) -> String {
        let Some(error) = &self.error else { return format!("status {}", self.status) };
        let cause = error.caused_by.as_ref().map(|cause| cause.reason.as_str());
        let cause = cause.filter(|cause| !cause.is_empty() && !error.reason.contains(cause));
        let text = match cause {
            Some(cause) => format!("{}: {cause}", error.reason),
            None => error.reason.clone(),
        };
        text.chars().take(REASON_CHARACTERS_MAX).collect()
    }
}

#[cfg(test)]
mod tests {
    use pluvio_event::Data;
    use pluvio_log::StoredRecord;

    use super::*;
    use crate::opensearch::Config;

    fn event(number: i64) -> Event {
        let event = Event::builder(number.to_string(), "urn:A b", "VM.START");
        let event = event.data(Data::json("{\n\"a\": 1}").unwrap_or_else(|e| unreachable!("{e}")));
        let event = event.time("2026-11-20T23:31:22Z".parse().unwrap_or_default());
        event.build().unwrap_or_else(|e| unreachable!("{e}"))
    }

    fn record(number: i64, value: &[u8]) -> Delivered {
        Delivered::new(StoredRecord {
            offset: Offset::new(number).unwrap_or_default(),
            recorded: Timestamp::UNIX_EPOCH,
            key: None,
            value: bytes::Bytes::copy_from_slice(value),
        })
    }

    fn bulk(batch: &[Delivered]) -> Bulk {
        let sink = Config::new("http://search").build().unwrap_or_else(|e| unreachable!("{e}"));
        Bulk::of(&sink.0, "events", "archive", batch)
    }

    fn batch(count: i64) -> Vec<Delivered> {
        (0..count)
            .map(|number| record(number, &pluvio_event::json::to_vec(&event(number))))
            .collect()
    }

    #[test]
    fn a_document_is_the_event_with_its_time_where_dashboards_look_for_it() {
        let text = String::from_utf8(bulk(&batch(1)).body).unwrap_or_default();
        assert_eq!(
            text,
            "{\"create\":{\"_index\":\"events-2026.11.20\",\
             \"_id\":\"bae6fb6d-c37b-5961-8b42-3bb43b42954e\"}}\n\
             {\"@timestamp\":\"2026-11-20T23:31:22Z\",\"specversion\":\"1.0\",\
             \"sequence\":\"00000000000000000000\",\"recordedtime\":\"1970-01-01T00:00:00Z\",\
             \"id\":\"0\",\"source\":\"urn:A b\",\"type\":\"VM.START\",\
             \"time\":\"2026-11-20T23:31:22Z\",\
             \"data\":{ \"a\": 1}}\n"
        );
    }

    #[test]
    fn every_index_has_a_legal_name() {
        let place = Place { stream: "events", sink: "s", recorded: Timestamp::UNIX_EPOCH };
        for (template, name) in [
            ("{type}", "vm.start"),
            ("{source}-x", "urn-a-b-x"),
            ("{ext.none}", "none"),
            ("{stream}-{year}.{month}", "events-2026.11"),
        ] {
            let template = Template::new(template).unwrap_or_else(|e| unreachable!("{e}"));
            assert_eq!(index(&template, &event(1), place), name);
        }
    }

    /// What becomes of four events of which the second is no event, if the others are answered so.
    fn told(answers: [(u16, &str); 3]) -> String {
        let mut batch = batch(4);
        batch[3] = record(3, b"no event");
        let items = answers.map(|(status, kind)| {
            let error = if kind.is_empty() {
                String::new()
            } else {
                format!(",\"error\":{{\"type\":\"{kind}\",\"reason\":\"no\"}}")
            };
            format!("{{\"create\":{{\"status\":{status}{error}}}}}")
        });
        let answer = serde_json::from_str(&format!("{{\"items\":[{}]}}", items.join(",")));
        let answer: Answer = answer.unwrap_or_else(|e| unreachable!("{e}"));
        match bulk(&batch).outcome(&answer, Offset::new(3).unwrap_or_default()) {
            Some(Outcome::AckedTo(offset)) => format!("to {offset}"),
            Some(Outcome::Rejected(rejected)) => {
                let offsets = rejected.iter().map(|rejected| rejected.offset.to_string());
                format!("not {}", offsets.collect::<Vec<_>>().join(" "))
            }
            Some(Outcome::Throttled(_)) => "wait".to_owned(),
            Some(Outcome::NotConnected(error)) => error.to_string(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn each_item_is_judged_alone_and_what_is_there_already_has_arrived() {
        let there = (201, "");
        let again = (409, "version_conflict_engine_exception");
        let (busy, bad) = ((429, "rejected_execution"), (400, "mapper_parsing_exception"));
        let blocked = (403, "cluster_block_exception");
        assert_eq!(told([there, again, there]), "not 3");
        assert_eq!(told([there, bad, there]), "not 1 3");
        assert_eq!(told([there, again, busy]), "to 1");
        assert_eq!(told([busy, there, there]), "wait");
        assert_eq!(told([bad, there, busy]), "wait");
        assert_eq!(told([there, blocked, there]), "to 0");
        let text = "index `events-2026.11.20` takes nothing: cluster_block_exception: no";
        assert_eq!(told([blocked, there, there]), text);
        assert_eq!(told([(400, "validation_exception"), there, there]).split(':').count(), 3);
    }
}
