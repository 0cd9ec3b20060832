//! The events that a sink's life makes: a dead letter for what its target will never take, a gap for
//! what retention took before it could be handed over. Pure: the clock is told.

use std::ops::RangeInclusive;

use jiff::Timestamp;
use pluvio_event::{AttributeName, Data, Event, InvalidEvent, Json};
use pluvio_log::{Offset, StreamName};
use pluvio_secret::hidden;
use uuid::Uuid;

use crate::{Delivered, SinkName};

pub use pluvio_event::known::DEAD_LETTER_TYPE;

/// The sink that could not hand the event over.
pub const SINK: AttributeName = AttributeName::literal("pluviosink");
/// Why, in the target's words.
pub const REASON: AttributeName = AttributeName::literal("pluvioreason");
/// How often it was tried.
pub const ATTEMPTS: AttributeName = AttributeName::literal("pluvioattempts");
/// Where the original lies; as text, because an attribute's numbers have 32 bits.
pub const OFFSET: AttributeName = AttributeName::literal("pluviooffset");
/// The stream that it lies in.
pub const STREAM: AttributeName = AttributeName::literal("pluviostream");

/// What a letter says of itself, whatever the original says: `dataomitted` is about its own data.
const OWN: [&str; 6] =
    ["dataomitted", "pluvioattempts", "pluviooffset", "pluvioreason", "pluviosink", "pluviostream"];

/// Longest reason that is kept: targets answer with whole pages.
const REASON_BYTES_MAX: usize = 1024;
/// Media type of an original that is an event.
const EVENT_TYPE: &str = pluvio_event::json::MEDIA_TYPE;

/// Whose events these are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin<'a> {
    pub(super) sink: &'a SinkName,
    pub(super) stream: &'a StreamName,
    pub(super) log_id: Uuid,
}

impl Origin<'_> {
    /// The `source` of both kinds. It names the incarnation of the stream, so that a stream that was
    /// wiped and made again has letters of its own.
    pub(super) fn source(&self) -> String {
        format!("pluvio:/streams/{}/{}", self.stream, self.log_id)
    }

    /// The `id` of the letter for a record: always the same, so that it is written once though the sink
    /// may crash between letter and cursor. It names the event, too: a log that was put back from a copy
    /// gives an offset to another event, while the letters may be newer than the copy's end.
    fn letter_id(&self, record: &Delivered) -> String {
        let name = match record.event() {
            // With its length, so that where the one ends and the other begins is told.
            Some(event) => {
                format!("{} {} {}", event.source().len(), event.source(), event.id()).into()
            }
            None => record.stored().clone(),
        };
        let event = Uuid::new_v5(&Uuid::NAMESPACE_OID, &name);
        format!("dead/{}/{}/{}", self.sink, record.offset(), event.simple())
    }

    /// A letter that carries the original, byte for byte, as its data, and has the original's
    /// extension attributes beside its own, so that `account == "acme"` finds it.
    pub(super) fn letter(
        &self,
        record: &Delivered,
        reason: &str,
        attempts: u32,
        now: Timestamp,
    ) -> Result<Event, InvalidEvent> {
        let id = self.letter_id(record);
        let letter = Event::builder(id, self.source(), DEAD_LETTER_TYPE)
            .time(now)
            .extension(SINK, self.sink.as_str())
            .extension(STREAM, self.stream.as_str())
            .extension(OFFSET, record.offset().to_string())
            .extension(REASON, bounded(&hidden(reason)))
            .extension(ATTEMPTS, i32::try_from(attempts).unwrap_or(i32::MAX));
        let Some(original) = record.event() else {
            let data = Data::Binary(record.stored().clone());
            return letter.datacontenttype("application/octet-stream").data(data).build();
        };
        let letter = original
            .extensions()
            .iter()
            .filter(|(name, _)| !OWN.contains(&name.as_str()))
            .fold(letter, |letter, (name, value)| letter.extension(name.clone(), value.clone()));
        let json = String::from_utf8_lossy(record.stored());
        let letter = letter.datacontenttype(EVENT_TYPE).data(Data::Json(Json::as_written(json)));
        match original.subject() {
            Some(subject) => letter.subject(subject).build(),
            None => letter.build(),
        }
    }

    /// What stands in a sink's feed for records that retention took, in the place of the last of them.
    /// `is_again`: they are of a stretch that was to be handed over again.
    pub(super) fn gap(
        &self,
        lost: &RangeInclusive<Offset>,
        is_again: bool,
        now: Timestamp,
    ) -> Result<Delivered, InvalidEvent> {
        let (from, last) = (*lost.start(), *lost.end());
        let reason = match is_again {
            true => "retention deleted these records before the sink could be handed them again",
            false => "retention deleted these records before the sink could be handed them",
        };
        let data = serde_json::json!({
            "stream": self.stream.as_str(),
            "from_offset": from.get(),
            "to_offset": last.get(),
            "reason": reason,
        });
        let gap = Event::builder(
            format!("gap/{}/{from}-{last}", self.sink),
            self.source(),
            pluvio_event::known::GAP_TYPE,
        )
        .time(now)
        .datacontenttype("application/json")
        .extension(SINK, self.sink.as_str())
        .extension(AttributeName::literal("severitytext"), "WARN")
        .extension(AttributeName::literal("severitynumber"), 13)
        .data(Data::Json(Json::as_written(data.to_string())))
        .build()?;
        Ok(Delivered::made(from, last, now, &gap))
    }
}

/// One line, and not too long; secrets are out of it before it is cut.
fn bounded(reason: &str) -> String {
    let cut = reason.get(..reason.floor_char_boundary(REASON_BYTES_MAX)).unwrap_or(reason);
    cut.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use pluvio_event::json;
    use pluvio_log::StoredRecord;

    use super::*;

    fn at(offset: i64) -> Offset {
        Offset::new(offset).unwrap_or_default()
    }

    fn origin(check: impl FnOnce(Origin<'_>)) {
        let (sink, stream) = (SinkName::new("billing"), StreamName::events());
        let sink = sink.unwrap_or_else(|e| unreachable!("{e}"));
        check(Origin { sink: &sink, stream: &stream, log_id: Uuid::from_u128(7) });
    }

    #[test]
    fn a_letter_carries_the_original_byte_for_byte_and_says_who_where_why_how_often() {
        origin(|origin| {
            let event = Event::builder("1", "urn:vc", "t")
                .subject("VirtualMachine/vm-1")
                .extension(AttributeName::literal("account"), "acme")
                .extension(SINK, "another");
            let event = event.data(Data::Json(Json::as_written("{\"a\":1.00}"))).build();
            let event = event.unwrap_or_else(|e| unreachable!("{e}"));
            let record = Delivered::made(at(44), at(44), Timestamp::UNIX_EPOCH, &event);
            let reason = format!("no\nsuch {}", "x".repeat(2000));
            let letter = origin.letter(&record, &reason, 3, Timestamp::UNIX_EPOCH);
            let letter = letter.unwrap_or_else(|e| unreachable!("{e}"));
            assert!(letter.id().starts_with("dead/billing/44/"), "{}", letter.id());
            assert_eq!(letter.subject(), Some("VirtualMachine/vm-1"));
            assert_eq!(letter.extension("account"), Some(&"acme".into()));
            assert_eq!(letter.extension("pluviosink"), Some(&"billing".into()));
            assert_eq!(letter.extension("pluvioattempts"), Some(&3.into()));
            assert_eq!(letter.extension("pluviooffset"), Some(&"44".into()));
            let told = letter.extension("pluvioreason").map(ToString::to_string);
            assert!(told.is_some_and(|told| told.starts_with("no such x") && told.len() == 1024));
            let data = letter.data().map(Data::as_bytes).unwrap_or_default();
            assert_eq!(data, record.stored());
            assert!(json::decode(&json::to_vec(&letter)).is_ok());
        });
    }

    #[test]
    fn the_reason_of_a_letter_holds_no_secret_that_the_target_repeated() {
        origin(|origin| {
            pluvio_secret::note("Letter/Token-2026");
            let event = Event::builder("1", "urn:vc", "t").build();
            let event = event.unwrap_or_else(|e| unreachable!("{e}"));
            let record = Delivered::made(at(44), at(44), Timestamp::UNIX_EPOCH, &event);
            let reason = r"401: no Letter\/Token-2026 here";
            let letter = origin.letter(&record, reason, 3, Timestamp::UNIX_EPOCH);
            let letter = letter.unwrap_or_else(|e| unreachable!("{e}"));
            assert_eq!(letter.extension("pluvioreason"), Some(&"401: no *** here".into()));
        });
    }

    #[test]
    fn a_letter_is_called_by_its_place_and_its_event() {
        origin(|origin| {
            let letter = |offset, id: &str, source: &str, data: &str| {
                let event =
                    Event::builder(id, source, "t").data(Data::Json(Json::as_written(data)));
                let event = event.build().unwrap_or_else(|e| unreachable!("{e}"));
                origin.letter_id(&Delivered::made(
                    at(offset),
                    at(offset),
                    Timestamp::UNIX_EPOCH,
                    &event,
                ))
            };
            let first = letter(44, "1", "urn:vc", "1");
            assert_eq!(first, letter(44, "1", "urn:vc", "2"), "a gap is told with another time");
            for other in [
                letter(45, "1", "urn:vc", "1"),
                letter(44, "2", "urn:vc", "1"),
                letter(44, "1", "urn:other", "1"),
                letter(44, "vc 1", "urn:", "1"),
            ] {
                assert_ne!(first, other);
            }
            let no_event = |value: &'static [u8]| {
                origin.letter_id(&Delivered::new(StoredRecord {
                    offset: at(44),
                    recorded: Timestamp::UNIX_EPOCH,
                    key: None,
                    value: value.into(),
                }))
            };
            assert_eq!(no_event(b"x"), no_event(b"x"));
            assert_ne!(no_event(b"x"), no_event(b"y"));
        });
    }

    #[test]
    fn a_gap_stands_where_the_last_lost_record_stood() {
        origin(|origin| {
            let gap = origin.gap(&(at(5)..=at(99)), false, Timestamp::UNIX_EPOCH);
            let gap = gap.unwrap_or_else(|e| unreachable!("{e}"));
            assert_eq!(gap.offset(), at(99));
            assert_eq!(gap.event().map(Event::event_type), Some("pluvio.gap.v0"));
        });
    }
}
