//! Names of finished files, from a template. Pure.

use jiff::Timestamp;
use pluvio_log::Offset;

/// A template that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    First,
    Last,
    Date,
    Time,
    Stream,
    Sink,
}

/// A text that is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTemplate {
    /// A placeholder that there is not.
    #[error("no placeholder `{{{0}}}`; valid: first, last, date, time, stream, sink")]
    Unknown(String),
    /// A brace without its other half.
    #[error("a `{{` lacks its `}}`")]
    Unclosed,
    /// Two files could have one name.
    #[error("neither {{first}} nor {{last}} is in it, so two files could have one name")]
    NotUnique,
    /// It would lie elsewhere, or be hidden.
    #[error("it must be a name without `/` that does not begin with `.`")]
    NoName,
}

/// What a finished file holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Content<'a> {
    pub(super) first: Offset,
    pub(super) last: Offset,
    /// When the first event was recorded.
    pub(super) recorded: Timestamp,
    pub(super) stream: &'a str,
    pub(super) sink: &'a str,
}

impl Template {
    pub(super) fn new(text: &str) -> Result<Self, InvalidTemplate> {
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((before, after)) = rest.split_once('{') {
            let (name, tail) = after.split_once('}').ok_or(InvalidTemplate::Unclosed)?;
            parts.push(Part::Text(before.to_owned()));
            parts.push(match name {
                "first" => Part::First,
                "last" => Part::Last,
                "date" => Part::Date,
                "time" => Part::Time,
                "stream" => Part::Stream,
                "sink" => Part::Sink,
                other => return Err(InvalidTemplate::Unknown(other.to_owned())),
            });
            rest = tail;
        }
        parts.push(Part::Text(rest.to_owned()));
        if text.contains(['/', '\0']) || text.starts_with('.') {
            return Err(InvalidTemplate::NoName);
        }
        if !parts.iter().any(|part| matches!(part, Part::First | Part::Last)) {
            return Err(InvalidTemplate::NotUnique);
        }
        Ok(Self(parts))
    }

    /// The name of a file with this content: always the same for the same.
    pub(super) fn name(&self, content: &Content<'_>) -> String {
        let parts = self.0.iter().map(|part| match part {
            Part::Text(text) => text.clone(),
            Part::First => format!("{:020}", content.first.get()),
            Part::Last => format!("{:020}", content.last.get()),
            Part::Date => content.recorded.strftime("%Y%m%d").to_string(),
            Part::Time => content.recorded.strftime("%H%M%S").to_string(),
            Part::Stream => content.stream.to_owned(),
            Part::Sink => content.sink.to_owned(),
        });
        parts.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_what_its_file_holds() {
        let content = Content {
            first: Offset::new(44).unwrap_or_default(),
            last: Offset::new(99).unwrap_or_default(),
            recorded: "2026-11-20T10:31:22Z".parse().unwrap_or_default(),
            stream: "events",
            sink: "archive",
        };
        let name = |text| Template::new(text).map(|template| template.name(&content));
        assert_eq!(name("{stream}-{last}.x"), Ok("events-00000000000000000099.x".to_owned()));
        assert_eq!(
            name("{sink}_{date}T{time}_{first}"),
            Ok("archive_20261120T103122_00000000000000000044".to_owned())
        );
    }

    #[test]
    fn a_template_that_could_name_two_files_alike_or_elsewhere_is_refused() {
        for (text, error) in [
            ("{date}.ndjson", InvalidTemplate::NotUnique),
            ("{first", InvalidTemplate::Unclosed),
            ("{frist}", InvalidTemplate::Unknown("frist".into())),
            ("a/{first}", InvalidTemplate::NoName),
            (".{first}", InvalidTemplate::NoName),
        ] {
            assert_eq!(Template::new(text), Err(error), "{text}");
        }
    }
}
