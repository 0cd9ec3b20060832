//! `pluvio dead`: what sinks could not hand over, and why.
//!
//! Reads the log's folder beside a running Pluvio, and changes nothing there.

mod replay;

use std::{collections::BTreeMap, io::ErrorKind, ops::ControlFlow, path::Path};

use anyhow::Context as _;
use pluvio_event::{Data, Event, json as envelope, shown};
use pluvio_log::{
    Offset, StreamName,
    disk::{Disk as _, RealDisk},
    inspect::{self, Dumped},
};
use pluvio_runtime::supervise::sink::{ATTEMPTS, OFFSET, REASON, SINK, dead_stream};
use serde_json::json;

use super::{
    Failed,
    log::{
        failed, folder,
        table::{aligned, grouped},
    },
    print_line,
};
use crate::cli::{Dead, DeadList, DeadPlace, DeadShow};

/// Does what was asked.
pub(crate) fn dead(configuration: &Path, asked: &Dead) -> Result<(), Failed> {
    let text = match asked {
        Dead::List(options) => list(configuration, options)?,
        Dead::Show(options) => show(configuration, options)?,
        Dead::Replay(options) => return replay::replay(configuration, options),
    };
    print_line(&text);
    Ok(())
}

/// More pairs of sink and reason than these are counted together.
const GROUPS_MAX: usize = 1000;

/// Letters of one sink with one reason.
struct Group {
    count: u64,
    first: i64,
    last: i64,
}

fn list(configuration: &Path, options: &DeadList) -> Result<String, Failed> {
    let mut groups: BTreeMap<(String, String), Group> = BTreeMap::new();
    let (dir, stream) = options.place.resolved()?;
    visit(configuration, dir, &stream, Offset::ZERO, &mut |offset, letter| {
        let sink = attribute(letter, SINK.as_str());
        if options.sink.as_ref().is_none_or(|wanted| *wanted == sink) {
            let mut key = (sink, attribute(letter, REASON.as_str()));
            if groups.len() >= GROUPS_MAX && !groups.contains_key(&key) {
                key.1 = "other reasons".to_owned();
            }
            let new = Group { count: 0, first: offset, last: offset };
            let group = groups.entry(key).or_insert(new);
            (group.count, group.last) = (group.count + 1, offset);
        }
        ControlFlow::Continue(())
    })?;
    if options.place.json {
        let groups = groups.iter().map(|((sink, reason), Group { count, first, last })| {
            json!({ "sink": sink, "reason": reason, "count": count, "first": first, "last": last })
        });
        return Ok(json!(groups.collect::<Vec<_>>()).to_string());
    }
    if groups.is_empty() {
        return Ok("no dead letters".to_owned());
    }
    let mut rows = vec![["sink", "letters", "first", "last", "reason"].map(str::to_owned).to_vec()];
    rows.extend(groups.iter().map(|((sink, reason), Group { count, first, last })| {
        vec![sink.clone(), grouped(*count), first.to_string(), last.to_string(), reason.clone()]
    }));
    Ok(aligned(&rows, &[false, true, true, true, false]).join("\n"))
}

fn show(configuration: &Path, options: &DeadShow) -> Result<String, Failed> {
    let wanted = i64::try_from(options.offset).ok().and_then(Offset::new);
    let wanted = wanted.ok_or_else(|| Failed::Usage("the offset is beyond the last".to_owned()))?;
    let mut shown = None;
    let (dir, stream) = options.place.resolved()?;
    visit(configuration, dir, &stream, wanted, &mut |offset, letter| {
        if offset == wanted.get() {
            shown = Some(letter.clone());
        }
        ControlFlow::Break(())
    })?;
    let Some(letter) = shown else {
        let hint = "`pluvio dead list` shows those that there are";
        return Err(Failed::Usage(format!("there is no dead letter at offset {wanted}; {hint}")));
    };
    if options.place.json {
        return Ok(String::from_utf8_lossy(&envelope::to_vec(&letter)).into_owned());
    }
    let time = letter.time().map(|time| time.to_string());
    let rows = [
        ("sink", attribute(&letter, SINK.as_str())),
        ("reason", attribute(&letter, REASON.as_str())),
        ("attempts", attribute(&letter, ATTEMPTS.as_str())),
        ("rejected", time.unwrap_or_default()),
        ("offset", attribute(&letter, OFFSET.as_str())),
    ];
    let rows = rows.map(|(name, value)| vec![name.to_owned(), value]);
    let original = match letter.data() {
        Some(Data::Json(json)) => json.get().to_owned(),
        Some(Data::Binary(bytes)) => format!("{} bytes that are no event", bytes.len()),
        None => "left out: it was too large; it lies in its stream at the offset".to_owned(),
    };
    Ok(format!("{}\n{original}", aligned(&rows, &[]).join("\n")))
}

impl DeadPlace {
    /// The folder, if one is named, and the stream.
    fn resolved(&self) -> Result<(Option<&Path>, StreamName), Failed> {
        let stream = StreamName::new(&self.stream);
        let stream = stream.map_err(|error| Failed::Usage(error.to_string()))?;
        Ok((self.dir.as_deref(), stream))
    }
}

/// Gives each letter of `stream` with its offset, from `from` on.
fn visit(
    configuration: &Path,
    dir: Option<&Path>,
    stream: &StreamName,
    from: Offset,
    each: &mut dyn FnMut(i64, &Event) -> ControlFlow<()>,
) -> Result<(), Failed> {
    let folder = folder(configuration, dir)?;
    let stream = dead_stream(stream).map_err(|error| Failed::Usage(error.to_string()))?;
    let place = folder.join(stream.as_str());
    match RealDisk.list(&place) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        listed => listed.with_context(|| format!("failed to read `{}`", place.display()))?,
    };
    let mut visit = |record: Dumped| {
        let letter = record.value.as_deref().and_then(|value| envelope::decode(value).ok());
        letter.map_or(ControlFlow::Continue(()), |letter| each(record.offset, &letter))
    };
    inspect::dump(&RealDisk, &folder, &stream, from, &mut visit).map_err(failed)
}

/// An attribute's text on one line: reasons are in a stranger's words.
fn attribute(letter: &Event, name: &str) -> String {
    let text = letter.extension(name).map(ToString::to_string).unwrap_or_default();
    shown(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use pluvio_log::{Embedded, EmbeddedConfig, Log as _, Position, Record, SourceName};
    use pluvio_runtime::supervise::sink::DEAD_LETTER_TYPE;

    use super::*;

    /// A log with three letters: two of `a`, one of `b`.
    async fn write_letters(folder: &Path) -> anyhow::Result<()> {
        let log = Embedded::open(EmbeddedConfig::new(folder))?;
        let stream = dead_stream(&StreamName::events())?;
        log.open(&stream).await?;
        for (sink, reason, offset) in [
            ("a", "too long", "44"),
            ("b", "no such index", "44"),
            ("a", "too long\u{1b}[1m", "59"),
        ] {
            let event =
                Event::builder(format!("dead/{sink}/{offset}"), "pluvio:/", DEAD_LETTER_TYPE)
                    .extension(SINK, sink)
                    .extension(REASON, reason)
                    .extension(ATTEMPTS, 1)
                    .extension(OFFSET, offset)
                    .data(Data::json(format!("{{\"original\":{offset}}}"))?)
                    .build()?;
            let source = SourceName::new("sink.x")?;
            let position = Position::new(offset)?;
            log.append(&stream, vec![Record { event, source, position, at_least: None }]).await?;
        }
        Ok(())
    }

    fn place(dir: PathBuf) -> DeadPlace {
        DeadPlace { dir: Some(dir), stream: "events".to_owned(), json: false }
    }

    #[tokio::test]
    async fn letters_are_counted_by_sink_and_reason_and_shown_with_the_event_in_them() {
        let folder = std::env::temp_dir().join(format!("pluvio-dead-{}", std::process::id()));
        let _not_there = std::fs::remove_dir_all(&folder);
        let written = write_letters(&folder).await;
        let configuration = Path::new("no-such.toml");
        let list = |sink: Option<&str>| {
            let sink = sink.map(str::to_owned);
            list(configuration, &DeadList { sink, place: place(folder.clone()) }).ok()
        };
        let show =
            |offset| show(configuration, &DeadShow { offset, place: place(folder.clone()) }).ok();
        let (all, only_b, third, missing) = (list(None), list(Some("b")), show(2), show(3));
        let _best_effort = std::fs::remove_dir_all(&folder);
        assert!(written.is_ok(), "{written:?}");
        assert_eq!(
            all.as_deref(),
            Some(
                "sink  letters  first  last  reason\n\
                 a           1      0     0  too long\n\
                 a           1      2     2  too long\\u001b[1m\n\
                 b           1      1     1  no such index"
            )
        );
        assert_eq!(only_b.map(|text| text.lines().count()), Some(2));
        let third = third.unwrap_or_default();
        assert!(
            third.contains("reason    too long\\u001b[1m\n") && third.contains("offset    59\n"),
            "{third}"
        );
        assert!(third.ends_with("{\"original\":59}"), "{third}");
        assert_eq!(missing, None);
    }
}
