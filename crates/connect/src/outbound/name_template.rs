//! Names made from events: a topic, a routing key, an index, a tag. Pure.
//!
//! `cloud/{source}/{type}` is text with placeholders; each sink says which characters its target
//! cannot have, and they become one that it can, so that no event is lost for its name. It refuses
//! conditions and functions: who needs those has a filter and several sinks.

use std::borrow::Cow;

use jiff::{Timestamp, tz::TimeZone};
use pluvio_event::{AttributeName, AttributeValue, Event};

/// A template that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(Box<str>),
    Id,
    Type,
    Source,
    Subject,
    /// The event's own time, or else when it was recorded, in UTC.
    Time(&'static str),
    Stream,
    Sink,
    Extension(AttributeName),
}

/// A text that is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTemplate {
    /// A placeholder that there is not.
    #[error(
        "no placeholder `{{{0}}}`; valid: id, type, source, subject, date, year, month, day, stream, \
         sink, ext.NAME"
    )]
    Unknown(String),
    /// A brace without its other half.
    #[error("a `{{` lacks its `}}`")]
    Unclosed,
    /// There is nothing in it.
    #[error("it is empty")]
    Empty,
}

/// What a name is made for, beside the event.
#[derive(Clone, Copy, Debug)]
pub struct NameContext<'a> {
    /// The stream that the sink is handed.
    pub stream: &'a str,
    /// The sink's configured name.
    pub sink: &'a str,
    /// When the event was recorded.
    pub recorded: Timestamp,
}

impl Template {
    /// Checks `text`.
    pub fn new(text: &str) -> Result<Self, InvalidTemplate> {
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((before, after)) = rest.split_once('{') {
            let (name, tail) = after.split_once('}').ok_or(InvalidTemplate::Unclosed)?;
            push_text(&mut parts, before);
            parts.push(Part::of(name).ok_or_else(|| InvalidTemplate::Unknown(name.to_owned()))?);
            rest = tail;
        }
        push_text(&mut parts, rest);
        if parts.is_empty() { Err(InvalidTemplate::Empty) } else { Ok(Self(parts)) }
    }

    /// The operator's own words in it, in order: what a sink checks once, at the start.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Text(text) => Some(&**text),
            _ => None,
        })
    }

    /// The name, if it is the same for every event.
    pub fn constant(&self) -> Option<&str> {
        match self.0.as_slice() {
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The name for `event`. Of what comes from the event, each character that `is_allowed` does not
    /// allow becomes `substitute`; an absent or empty attribute becomes `absent`.
    pub fn name(
        &self,
        event: &Event,
        place: NameContext<'_>,
        absent: &str,
        substitute: char,
        is_allowed: impl Fn(char) -> bool,
    ) -> String {
        let mut name = String::new();
        for part in &self.0 {
            let text = match part {
                // The operator's own words are not changed.
                Part::Text(text) => {
                    name.push_str(text);
                    continue;
                }
                Part::Id => Cow::Borrowed(event.id()),
                Part::Type => event.event_type().into(),
                Part::Source => event.source().into(),
                Part::Subject => event.subject().unwrap_or_default().into(),
                Part::Time(format) => {
                    let time = event.time().unwrap_or(place.recorded).to_zoned(TimeZone::UTC);
                    time.strftime(format).to_string().into()
                }
                Part::Stream => place.stream.into(),
                Part::Sink => place.sink.into(),
                Part::Extension(extension) => match event.extension(extension.as_str()) {
                    Some(AttributeValue::String(text)) => text.as_str().into(),
                    Some(value) => value.to_string().into(),
                    None => "".into(),
                },
            };
            if text.is_empty() {
                name.push_str(absent);
            } else {
                name.extend(text.chars().map(|c| if is_allowed(c) { c } else { substitute }));
            }
        }
        name
    }
}

impl Part {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "id" => Self::Id,
            "type" => Self::Type,
            "source" => Self::Source,
            "subject" => Self::Subject,
            "date" => Self::Time("%Y.%m.%d"),
            "year" => Self::Time("%Y"),
            "month" => Self::Time("%m"),
            "day" => Self::Time("%d"),
            "stream" => Self::Stream,
            "sink" => Self::Sink,
            other => Self::Extension(AttributeName::new(other.strip_prefix("ext.")?).ok()?),
        })
    }
}

fn push_text(parts: &mut Vec<Part>, text: &str) {
    if !text.is_empty() {
        parts.push(Part::Text(text.into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &str) -> Result<String, InvalidTemplate> {
        let event = Event::builder("7", "https://vc.example/sdk", "VM.START")
            .time("2026-11-20T23:31:22Z".parse().unwrap_or_default())
            .extension(AttributeName::literal("account"), "ad min")
            .extension(AttributeName::literal("severitynumber"), 9)
            .build()
            .unwrap_or_else(|e| unreachable!("{e}"));
        let place =
            NameContext { stream: "events", sink: "archive", recorded: Timestamp::UNIX_EPOCH };
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || c == '.';
        Ok(Template::new(text)?.name(&event, place, "none", '-', is_allowed))
    }

    #[test]
    fn a_name_tells_of_its_event_in_characters_that_the_target_has() {
        for (text, name) in [
            ("a b/{type}", "a b/VM.START"),
            ("{source}", "https---vc.example-sdk"),
            ("{stream}-{date}", "events-2026.11.20"),
            ("{year}{month}{day}", "20261120"),
            ("{subject}.{ext.account}.{ext.severitynumber}.{ext.domain}", "none.ad-min.9.none"),
        ] {
            assert_eq!(named(text), Ok(name.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_no_template_is_told() {
        for (text, error) in [
            ("", InvalidTemplate::Empty),
            ("{type", InvalidTemplate::Unclosed),
            ("{tpye}", InvalidTemplate::Unknown("tpye".into())),
            ("{ext.}", InvalidTemplate::Unknown("ext.".into())),
        ] {
            assert_eq!(named(text), Err(error), "{text}");
        }
    }

    #[test]
    fn only_text_is_the_same_for_every_event() {
        let constant = |text| Template::new(text).ok()?.constant().map(str::to_owned);
        assert_eq!(constant("cs").as_deref(), Some("cs"));
        assert_eq!(constant("cs-{date}"), None);
    }
}
