//! What is sent to `_bulk`, and what its answer says of each event. Pure.

use std::time::Duration;

use jiff::Timestamp;
use pluvio_event::Event;
use pluvio_log::Offset;
use pluvio_runtime::{Delivered, Format, Rejected};
use pluvio_secret::beginning;
use serde::Deserialize;
use uuid::Uuid;

use super::{
    config::{Settings, is_legal},
    error::Error,
};
use crate::{
    outbound::message::NO_EVENT,
    outbound::name_template::{NameContext, Template},
    outbound::per_event::{Fate, Tally},
};

/// What OpenSearch says with `illegal_argument_exception` of an index and not of a document: an alias
/// half-way through a rollover, a pipeline that is not there, a data stream that only takes `create`.
const INDEX_WORDS: [&str; 4] = [
    "no write index is defined for alias",
    "write index",
    "pipeline with id [",
    "is not a data stream",
];
/// Longest name that an index can have.
const INDEX_BYTES_MAX: usize = 255;
/// How many characters of a reason are told.
const REASON_CHARACTERS_MAX: usize = 400;

/// What tells an event from all others, as a document's `_id`: the name-based UUID (version 5) of
/// `source`, a line feed and `id` in the namespace of URLs.
pub(super) fn document_id(event: &Event) -> Uuid {
    let name = format!("{}\n{}", event.source(), event.id());
    Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes())
}

/// The index of an event.
fn index(template: &Template, event: &Event, place: NameContext<'_>) -> String {
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

/// One document of a request.
#[derive(Debug)]
struct Asked {
    /// Where its event lies.
    offset: Offset,
    index: String,
    id: Uuid,
}

/// A request made of a batch.
#[derive(Debug, Default)]
pub(super) struct Bulk {
    /// Lines of JSON.
    pub(super) body: Vec<u8>,
    items: Vec<Asked>,
    /// Records that no document can be made of.
    rejected: Vec<Rejected>,
}

impl Bulk {
    /// Puts a batch together.
    pub(super) fn of(settings: &Settings, stream: &str, sink: &str, batch: &[Delivered]) -> Self {
        let bytes: usize = batch.iter().map(|record| record.stored().len() + 320).sum();
        let mut bulk = Self { body: Vec::with_capacity(bytes), ..Self::default() };
        for record in batch {
            let place = NameContext { stream, sink, recorded: record.recorded() };
            if let Err(reason) = bulk.push(&settings.index, place, record) {
                bulk.rejected.push(Rejected { offset: record.offset(), reason });
            }
        }
        bulk
    }

    fn push(
        &mut self,
        template: &Template,
        place: NameContext<'_>,
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
        self.items.push(Asked { offset: record.offset(), index, id });
        Ok(())
    }

    /// Gives up those that no document can be made of.
    pub(super) fn rejected(&mut self) -> Vec<Rejected> {
        std::mem::take(&mut self.rejected)
    }

    /// The last event of the request.
    pub(super) fn last(&self) -> Option<Offset> {
        self.items.last().map(|asked| asked.offset)
    }

    /// Notes what the answer says of each, in their order; `false`: it is none to this request.
    pub(super) fn note(self, answer: &Answer, tally: &mut Tally<'_, Error>) -> bool {
        let is_of = |asked: &Asked, item: &Item| {
            item.create.id.as_ref().is_none_or(|id| *id == asked.id.to_string())
        };
        let is_to_this = answer.items.len() == self.items.len()
            && self.items.iter().zip(&answer.items).all(|(asked, item)| is_of(asked, item));
        if is_to_this {
            for (asked, item) in self.items.iter().zip(&answer.items) {
                tally.note(asked.offset, item.create.fate(&asked.index));
            }
        }
        is_to_this
    }
}

/// The answer of `_bulk`, as far as it is asked for.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Answer {
    items: Vec<Item>,
}

/// What of an answer is asked for.
pub(super) const FILTER_PATH: &str = "items.create._id,items.create.status,items.create.error.type,\
     items.create.error.reason,items.create.error.caused_by.reason";

#[derive(Debug, Deserialize)]
struct Item {
    create: Created,
}

#[derive(Debug, Deserialize)]
struct Created {
    /// The document's; absent where something between leaves it out.
    #[serde(rename = "_id")]
    id: Option<String>,
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

impl Created {
    /// What an item says about its event: `docs/sinks-refusals.md` has the table.
    fn fate(&self, index: &str) -> Fate<Error> {
        let kind = self.error.as_ref().map_or("", |error| error.kind.as_str());
        let (name, kind_name) = (index.to_owned(), kind.to_owned());
        match self.status {
            // 409: another document has that id, so an earlier attempt has arrived.
            200..=299 | 409 => Fate::Taken,
            _ if self.is_about_index(kind) => {
                Fate::Failed(Error::Index { index: name, kind: kind_name, reason: self.reason() })
            }
            429 | 503 => {
                let why = format!("index `{index}` takes no events now: {kind}: {}", self.reason());
                Fate::Later(Duration::ZERO, why)
            }
            400..=499 if kind != "resource_already_exists_exception" => {
                Fate::Rejected(format!("{index}: {kind}: {}", self.reason()))
            }
            // Two made the index at once.
            400..=499 => Fate::Later(Duration::ZERO, format!("index `{index}` is being made")),
            status => {
                let reason = self.reason();
                Fate::Suspected(Error::Item { index: name, status, kind: kind_name, reason })
            }
        }
    }

    /// Whether any event for this index would be answered so.
    fn is_about_index(&self, kind: &str) -> bool {
        let is_kind = matches!(
            kind,
            "cluster_block_exception"
                | "index_block_exception"
                | "index_create_block_exception"
                | "index_closed_exception"
                | "index_not_found_exception"
                | "invalid_alias_name_exception"
                | "routing_missing_exception"
                | "security_exception"
                | "validation_exception"
        );
        // These come as what a bad document is told with, too: only the words tell them apart.
        let says = |words: &[&str]| {
            let reason = self.error.as_ref().map_or("", |error| error.reason.as_str());
            words.iter().any(|words| reason.contains(words))
        };
        is_kind
            || matches!(self.status, 401 | 403 | 404)
            || kind == "illegal_argument_exception" && says(&INDEX_WORDS)
    }

    fn reason(&self) -> String {
        let Some(error) = &self.error else { return format!("status {}", self.status) };
        let cause = error.caused_by.as_ref().map(|cause| cause.reason.as_str());
        let cause = cause.filter(|cause| !cause.is_empty() && !error.reason.contains(cause));
        let text = match cause {
            Some(cause) => format!("{}: {cause}", error.reason),
            None => error.reason.clone(),
        };
        beginning(&text, REASON_CHARACTERS_MAX)
    }
}

#[cfg(test)]
mod tests {
    use pluvio_event::Data;
    use pluvio_log::StoredRecord;

    use super::*;
    use crate::{component::SinkConfig as _, opensearch::Config};

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
        let place = NameContext { stream: "events", sink: "s", recorded: Timestamp::UNIX_EPOCH };
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

    /// What becomes of an event whose item is answered so.
    fn told(status: u16, kind: &str, reason: &str) -> String {
        let error = format!(",\"error\":{{\"type\":\"{kind}\",\"reason\":\"{reason}\"}}");
        let error = if kind.is_empty() { String::new() } else { error };
        let item = format!("{{\"items\":[{{\"create\":{{\"status\":{status}{error}}}}}]}}");
        let answer: Answer = serde_json::from_str(&item).unwrap_or_else(|e| unreachable!("{e}"));
        let answers = pluvio_runtime::Answers::default();
        let mut tally = Tally::new(&answers);
        assert!(bulk(&batch(1)).note(&answer, &mut tally));
        let news = answers.take();
        match (tally.outcome(), news.taken.len(), news.rejected.len()) {
            (pluvio_runtime::Outcome::Answered, 1, 0) => "taken".to_owned(),
            (pluvio_runtime::Outcome::Answered, 0, 1) => "rejected".to_owned(),
            (pluvio_runtime::Outcome::Throttled { .. }, 0, 0) => "waits".to_owned(),
            (pluvio_runtime::Outcome::NotConnected(error), 0, 0) => error.to_string(),
            (pluvio_runtime::Outcome::Broken { error, .. }, 0, 0) => format!("suspected: {error}"),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn what_hits_one_document_is_told_from_what_would_hit_every_one() {
        for (status, kind, reason, expected) in [
            (201, "", "", "taken"),
            (409, "version_conflict_engine_exception", "no", "taken"),
            (400, "mapper_parsing_exception", "no", "rejected"),
            (400, "strict_dynamic_mapping_exception", "no", "rejected"),
            (400, "illegal_argument_exception", "Limit of total fields [1000]", "rejected"),
            (413, "too_large", "no", "rejected"),
            (429, "rejected_execution_exception", "no", "waits"),
            (429, "circuit_breaking_exception", "no", "waits"),
            (503, "unavailable_shards_exception", "no", "waits"),
            (400, "resource_already_exists_exception", "no", "waits"),
        ] {
            assert_eq!(told(status, kind, reason), expected, "{status} {kind}");
        }
        for (status, kind, reason) in [
            (403, "cluster_block_exception", "no"),
            (429, "cluster_block_exception", "flood stage"),
            (400, "index_closed_exception", "no"),
            (404, "index_not_found_exception", "no"),
            (400, "validation_exception", "maximum shards open"),
            (400, "routing_missing_exception", "no"),
            (400, "illegal_argument_exception", "no write index is defined for alias [al]"),
            (400, "illegal_argument_exception", "pipeline with id [p] does not exist"),
        ] {
            let text = format!("index `events-2026.11.20` takes nothing: {kind}: {reason}");
            assert_eq!(told(status, kind, reason), text);
        }
        let text = told(500, "null_pointer_exception", "no");
        assert!(text.starts_with("suspected: an event was answered with 500"), "{text}");
    }

    #[test]
    fn an_answer_to_another_request_says_nothing() {
        let item = |id: &str| format!("{{\"create\":{{\"_id\":\"{id}\",\"status\":201}}}}");
        let [first, second] = [0, 1].map(|number| document_id(&event(number)).to_string());
        for (ids, is_to_this) in [
            (vec![&first, &second], true),
            (vec![&second, &first], false),
            (vec![&first], false),
            (vec![], false),
        ] {
            let items: Vec<String> = ids.iter().map(|id| item(id)).collect();
            let answer = serde_json::from_str(&format!("{{\"items\":[{}]}}", items.join(",")));
            let answer: Answer = answer.unwrap_or_else(|e| unreachable!("{e}"));
            let answers = pluvio_runtime::Answers::default();
            assert_eq!(
                bulk(&batch(2)).note(&answer, &mut Tally::new(&answers)),
                is_to_this,
                "{ids:?}"
            );
            assert_eq!(answers.take().taken.len(), if is_to_this { 2 } else { 0 }, "{ids:?}");
        }
    }
}
