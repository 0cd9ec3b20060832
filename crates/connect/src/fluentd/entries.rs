//! A batch as chunks: neighbors of one tag together, in the order of the stream. Pure.

use std::io::Write as _;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use flate2::{Compression as Level, write::GzEncoder};
use pluvio_event::{Event, whole_characters};
use pluvio_log::Offset;
use pluvio_runtime::{Chain, Delivered, Format, Rejected};
use serde_json::Value as Json;
use uuid::Uuid;

use super::{
    config::{Compression, Form, Settings},
    msgpack,
};
use crate::{
    outbound::message::NO_EVENT,
    outbound::name_template::{NameContext, Template},
};

/// Types of CloudStack's events begin so.
const CLOUDSTACK: &str = "org.apache.cloudstack.";
/// A chunk is closed at this size: a server holds it in memory as a whole.
const CHUNK_BYTES_MAX: usize = 1 << 20;

/// What makes entries of events.
pub(super) struct Shape<'s> {
    pub(super) settings: &'s Settings,
    pub(super) stream: &'s str,
    pub(super) sink: &'s str,
    pub(super) log_id: Uuid,
}

/// Entries of one tag.
pub(super) struct Chunk {
    /// What the server acknowledges.
    pub(super) id: String,
    /// The message as it is sent.
    pub(super) message: Vec<u8>,
    /// The offsets of its entries.
    pub(super) offsets: Vec<Offset>,
}

struct Run {
    tag: String,
    entries: Vec<u8>,
    offsets: Vec<Offset>,
    first: Offset,
    last: Offset,
}

impl Shape<'_> {
    /// The chunks of a batch, and the records that cannot be entries.
    pub(super) fn chunks(&self, batch: &[Delivered]) -> (Vec<Chunk>, Vec<Rejected>) {
        let (mut runs, mut rejected) = (Vec::<Run>::new(), Vec::new());
        for record in batch {
            let offset = record.offset();
            match self.entry(record) {
                Ok((tag, entry)) => match runs.last_mut() {
                    Some(run) if run.takes(&tag, &entry) => {
                        run.entries.extend_from_slice(&entry);
                        run.offsets.push(offset);
                        run.last = offset;
                    }
                    _ => runs.push(Run {
                        tag,
                        entries: entry,
                        offsets: vec![offset],
                        first: offset,
                        last: offset,
                    }),
                },
                Err(reason) => rejected.push(Rejected { offset, reason }),
            }
        }
        (runs.into_iter().map(|run| self.chunk(run)).collect(), rejected)
    }

    /// `[time, record]` with its tag; or why there is none.
    fn entry(&self, record: &Delivered) -> Result<(String, Vec<u8>), String> {
        let event = record.event().ok_or(NO_EVENT)?;
        let place =
            NameContext { stream: self.stream, sink: self.sink, recorded: record.recorded() };
        let mut out = Vec::with_capacity(record.stored().len() + 64);
        msgpack::array(2, &mut out);
        msgpack::event_time(event.time().unwrap_or(record.recorded()), &mut out);
        msgpack::json(&self.record(record)?, &mut out);
        Ok((tag(self.settings.tag.as_ref(), event, place), out))
    }

    fn record(&self, record: &Delivered) -> Result<Json, String> {
        let format = match self.settings.form {
            Form::Native => Format::Native,
            Form::Cloudevents => Format::Cloudevents,
        };
        let mut text = Vec::with_capacity(record.stored().len() + 128);
        format.line(record, &mut text).map_err(|error| Chain(&error).to_string())?;
        let text = String::from_utf8(text).map_err(|error| Chain(&error).to_string())?;
        let value = serde_json::from_str(&whole_characters(&text))
            .map_err(|error| Chain(&error).to_string())?;
        Ok(match value {
            Json::Object(_) => value,
            other => Json::Object([("data".to_owned(), other)].into_iter().collect()),
        })
    }

    /// The message of a run. Its id is the same whenever the same events are sent.
    fn chunk(&self, run: Run) -> Chunk {
        let name = format!("{} {} {} {}", self.sink, self.stream, run.first, run.last);
        let id = BASE64_STANDARD.encode(Uuid::new_v5(&self.log_id, name.as_bytes()));
        let is_packed = self.settings.compression == Compression::Gzip;
        let entries = if is_packed { gzip(&run.entries) } else { run.entries };
        let mut message = Vec::with_capacity(entries.len() + 128);
        msgpack::array(3, &mut message);
        msgpack::text(&run.tag, &mut message);
        msgpack::bytes(&entries, &mut message);
        msgpack::map(if is_packed { 3 } else { 2 }, &mut message);
        msgpack::text("chunk", &mut message);
        msgpack::text(&id, &mut message);
        msgpack::text("size", &mut message);
        msgpack::unsigned(run.offsets.len() as u64, &mut message);
        if is_packed {
            msgpack::text("compressed", &mut message);
            msgpack::text("gzip", &mut message);
        }
        Chunk { id, message, offsets: run.offsets }
    }
}

impl Run {
    fn takes(&self, tag: &str, entry: &[u8]) -> bool {
        self.tag == tag && self.entries.len() + entry.len() <= CHUNK_BYTES_MAX
    }
}

/// The tag of an event.
fn tag(template: Option<&Template>, event: &Event, place: NameContext<'_>) -> String {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let Some(template) = template else {
        return match event.event_type().strip_prefix(CLOUDSTACK) {
            Some("usage") => "cloudstack.usages".to_owned(),
            Some("usagerecord") => "cloudstack.usagerecords".to_owned(),
            Some(_) => "cloudstack.event".to_owned(),
            None => {
                let replaced = |c: char| if is_allowed(c) { c } else { '_' };
                event.event_type().chars().map(replaced).collect()
            }
        };
    };
    template.name(event, place, "none", '_', is_allowed)
}

/// The fastest level: it is packed for the way.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Level::fast());
    // Writing to memory does not fail.
    let _written = packer.write_all(bytes);
    packer.finish().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use pluvio_log::StoredRecord;

    use super::*;
    use crate::{component::SinkConfig as _, fluentd::Config};

    fn record(number: i64, event_type: &str, value: Option<&[u8]>) -> Delivered {
        let event = Event::builder(number.to_string(), "urn:a", event_type);
        let data =
            pluvio_event::Data::json(r#"{"vm_sum":1}"#).unwrap_or_else(|e| unreachable!("{e}"));
        let event = event.data(data).build().unwrap_or_else(|e| unreachable!("{e}"));
        let stored = pluvio_event::json::to_vec(&event);
        Delivered::new(StoredRecord {
            offset: Offset::new(number).unwrap_or_default(),
            recorded: Timestamp::UNIX_EPOCH,
            key: None,
            value: bytes::Bytes::copy_from_slice(value.unwrap_or(&stored)),
        })
    }

    fn chunks(config: Config, batch: &[Delivered]) -> (Vec<Chunk>, Vec<Rejected>) {
        let sink = config.build().unwrap_or_else(|e| unreachable!("{e}"));
        let (stream, sink_name, log_id) = ("events", "archive", Uuid::nil());
        Shape { settings: &sink.0, stream, sink: sink_name, log_id }.chunks(batch)
    }

    #[test]
    fn neighbors_of_one_tag_share_a_chunk_and_the_order_is_kept() {
        let types = ["USER.LOGIN", "VM.START", "usage", "VM.STOP", "usagerecord"];
        let batch: Vec<_> = types
            .iter()
            .zip(0..)
            .map(|(it, number)| record(number, &format!("{CLOUDSTACK}{it}"), None))
            .chain([record(5, "com.vmware vsphere", None), record(6, "x", Some(b"no event"))])
            .collect();
        let (chunks, rejected) = chunks(Config::new("a", 1), &batch);
        let end = |chunk: &Chunk| chunk.offsets.last().map_or(0, |last| last.get());
        let ends: Vec<_> = chunks.iter().map(end).collect();
        assert_eq!(ends, [1, 2, 3, 4, 5]);
        for (chunk, tag) in chunks.iter().zip([
            "cloudstack.event",
            "cloudstack.usages",
            "cloudstack.event",
            "cloudstack.usagerecords",
            "com.vmware_vsphere",
        ]) {
            let head = [&[0x93, 0xa0 | tag.len() as u8], tag.as_bytes()].concat();
            assert!(chunk.message.starts_with(&head), "{tag}");
        }
        assert_eq!(rejected.first().map(|rejected| rejected.offset.get()), Some(6));
    }

    #[test]
    fn the_same_events_make_the_same_chunk() {
        let batch = [record(1, "a", None), record(2, "a", None)];
        let id = |batch: &[Delivered]| chunks(Config::new("a", 1), batch).0.remove(0).id;
        assert_eq!(id(&batch), id(&batch));
        assert_ne!(id(&batch), id(&batch[1..]));
    }
}
