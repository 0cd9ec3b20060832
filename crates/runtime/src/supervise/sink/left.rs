//! What the cursors in a log say to the sinks of a configuration: which were left behind. Pure.
//!
//! A cursor stands under the name of its sink. Who renames a sink has a new one, which begins at its
//! `from` and hands all history over again; who gives a sink another stream has one that begins anew
//! there. Both may be meant, so both are told, and nothing is moved.

use std::fmt;

use pluvio_log::{Entries, StreamName};

use super::cursor::Stored;
use crate::SinkName;

/// Cursors named in one text; the others are counted.
const NAMED_MAX: usize = 8;

/// Cursors and sinks that do not fit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// Cursors that no sink has.
    pub unowned: Vec<Unowned>,
    /// Sinks that have no cursor.
    pub fresh: Vec<String>,
    /// Sinks that are handed another stream than before: the sink, the stream before, the stream now.
    pub moved: Vec<(String, String, String)>,
}

/// A cursor that no sink has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unowned {
    /// The sink that it was of.
    pub sink: String,
    /// The stream that this was handed.
    pub stream: String,
    /// Where it stood; where events are handed over again, where it goes on behind them.
    pub next: i64,
}

impl Left {
    /// Compares the entries of `__cursors` with all sinks and their streams.
    pub fn of(entries: &Entries, sinks: &[(SinkName, StreamName)]) -> Self {
        let stored = |value: &[u8]| serde_json::from_slice::<Stored>(value).ok();
        let mut left = Self::default();
        for (key, value) in entries {
            let sink = String::from_utf8_lossy(key).into_owned();
            let is_owned = sinks.iter().any(|(name, _)| name.as_str() == sink);
            if let (false, Some(Stored { stream, next, again, .. })) = (is_owned, stored(value)) {
                let next = again.map_or(next, |again| again.back_to.max(next));
                left.unowned.push(Unowned { sink, stream, next });
            }
        }
        for (name, stream) in sinks {
            match entries.get(name.as_str().as_bytes()).map(|value| stored(value)) {
                None => left.fresh.push(name.to_string()),
                Some(Some(stored)) if stored.stream != stream.as_str() => {
                    left.moved.push((name.to_string(), stored.stream, stream.to_string()));
                }
                Some(_) => {}
            }
        }
        left
    }

    /// What an operator who has renamed a sink should know; `None`: none was.
    pub fn renamed(&self) -> Option<String> {
        if self.unowned.is_empty() || self.fresh.is_empty() {
            return None;
        }
        let fresh: Vec<_> = self.fresh.iter().take(NAMED_MAX).map(|it| format!("`{it}`")).collect();
        Some(format!(
            "the log knows where sinks stand that are not configured: {}; a sink of a new name begins at its \
             `from`, here {}; if one was renamed, `pluvio sink seek NAME --to OFFSET` moves it to where it stood",
            self.unowned(),
            fresh.join(", ")
        ))
    }

    /// The cursors that no sink has, in words.
    pub fn unowned(&self) -> String {
        let mut named: Vec<_> =
            self.unowned.iter().take(NAMED_MAX).map(Unowned::to_string).collect();
        if let more @ 1.. = self.unowned.len().saturating_sub(NAMED_MAX) {
            named.push(format!("{more} more"));
        }
        named.join(", ")
    }

    /// What an operator who has given sinks other streams should know, one text each.
    pub fn moved(&self) -> impl Iterator<Item = String> {
        self.moved.iter().map(|(sink, before, now)| moved(sink, before, now))
    }
}

impl fmt::Display for Unowned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sink, stream, next } = self;
        write!(f, "`{sink}` (stream `{stream}`, offset {next})")
    }
}

/// A sink is handed another stream than before.
pub(super) fn moved(sink: &str, before: &str, now: &str) -> String {
    format!(
        "sink `{sink}` was handed stream `{before}`, and is now handed `{now}`: its place there means \
         nothing here, and it begins at its `from`"
    )
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use pluvio_log::Offset;
    use uuid::Uuid;

    use super::{super::cursor::Again, *};

    fn entries(cursors: &[(&'static str, &str, i64)]) -> Entries {
        let entry = |(sink, stream, next): &(&'static str, &str, i64)| {
            let stored = Stored::new(stream, Uuid::nil(), Offset::new(*next).unwrap_or_default());
            let value = serde_json::to_vec(&stored).unwrap_or_default();
            (Bytes::from_static(sink.as_bytes()), value.into())
        };
        cursors.iter().map(entry).collect()
    }

    fn sinks(names: &[(&str, &str)]) -> Vec<(SinkName, StreamName)> {
        let sink = |(sink, stream): &(&str, &str)| {
            let sink = SinkName::new(sink).unwrap_or_else(|e| unreachable!("{e}"));
            (sink, StreamName::new(stream).unwrap_or_else(|e| unreachable!("{e}")))
        };
        names.iter().map(sink).collect()
    }

    #[test]
    fn a_renamed_sink_is_told_with_where_it_stood_and_how_to_move_it() {
        let cursors = entries(&[("kept", "events", 9), ("one", "events", 500)]);
        let renamed = Left::of(&cursors, &sinks(&[("kept", "events"), ("two", "events")]));
        let told = renamed.renamed().unwrap_or_default();
        assert!(told.contains("`one` (stream `events`, offset 500)"), "{told}");
        assert!(told.contains("here `two`") && told.contains("`pluvio sink seek"), "{told}");
        assert!(!told.contains("`kept`"), "{told}");
    }

    /// Found by an attack: it said where the stretch stood, and going on there would have doubled all behind it.
    #[test]
    fn a_sink_that_is_renamed_while_a_stretch_is_repeated_is_told_with_where_it_goes_on_behind_that()
     {
        let again = Some(Again { until: 90, back_to: 500, before: 0 });
        let at = Offset::new(40).unwrap_or_default();
        let stored = Stored { again, ..Stored::new("events", Uuid::nil(), at) };
        let value = serde_json::to_vec(&stored).unwrap_or_default();
        let cursors = Entries::from([(Bytes::from_static(b"one"), value.into())]);
        let told = Left::of(&cursors, &sinks(&[("two", "events")])).renamed().unwrap_or_default();
        assert!(told.contains("`one` (stream `events`, offset 500)"), "{told}");
    }

    #[test]
    fn a_sink_that_is_new_or_gone_was_not_renamed() {
        let cursors = entries(&[("kept", "events", 9)]);
        assert_eq!(
            Left::of(&cursors, &sinks(&[("kept", "events"), ("new", "events")])).renamed(),
            None
        );
        let gone = Left::of(&entries(&[("gone", "events", 9)]), &sinks(&[]));
        assert_eq!((gone.renamed(), gone.unowned.len()), (None, 1));
    }

    #[test]
    fn a_sink_that_is_handed_another_stream_is_told_as_that() {
        let cursors = entries(&[("a", "events", 9)]);
        let left = Left::of(&cursors, &sinks(&[("a", "others")]));
        let told: Vec<_> = left.moved().collect();
        assert!(
            told[0].contains("was handed stream `events`, and is now handed `others`"),
            "{told:?}"
        );
        assert_eq!((left.renamed(), left.unowned.len()), (None, 0));
    }
}
