//! Names of finished files and objects, from a template. Pure.
//!
//! A name tells what is in it, so that the same content has the same name whenever it is written.

use jiff::Timestamp;
use pluvio_log::Offset;
use uuid::Uuid;

/// As many digits tell the few logs apart that one bucket ever sees.
const LOG_DIGITS: usize = 8;
/// Of a whole id.
const ID_DIGITS: usize = 32;

/// A template that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    First,
    Last,
    Date,
    Time,
    Stream,
    Sink,
    Log,
    /// Tells objects apart that would have one name otherwise.
    Number,
}

/// A text that is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTemplate {
    /// A placeholder that there is not.
    #[error("no placeholder `{{{0}}}`; valid: first, last, date, time, stream, sink, log")]
    Unknown(String),
    /// A brace without its other half.
    #[error("a `{{` lacks its `}}`")]
    Unclosed,
    /// Two files could have one name.
    #[error("neither {{first}} nor {{last}} is in it, so two files could have one name")]
    NotUnique,
    /// Two objects, or those of two logs, would have one name all the time.
    #[error(
        "{{first}}, {{last}} and {{log}} must be in it, for an object is found by the events that it holds, \
         and by the log that they are of"
    )]
    NotUniqueEver,
    /// It would lie elsewhere, or be hidden.
    #[error("it must be a name without `/` that does not begin with `.`")]
    NoName,
    /// It is no key of an object.
    #[error("it must not begin with `/` or `.`, nor hold `//` or `..`")]
    NoKey,
}

/// What a finished file holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Content<'a> {
    pub(crate) first: Offset,
    pub(crate) last: Offset,
    /// When the first event was recorded.
    pub(crate) recorded: Timestamp,
    pub(crate) stream: &'a str,
    pub(crate) sink: &'a str,
    /// Which incarnation of the stream.
    pub(crate) log_id: Uuid,
    /// Which one of this name, from 1 on; 1 is not written.
    pub(crate) number: u32,
}

impl Template {
    /// A template for files in one folder.
    pub(crate) fn new(text: &str) -> Result<Self, InvalidTemplate> {
        let template = Self::parse(text)?;
        if text.contains(['/', '\0']) || text.starts_with('.') {
            return Err(InvalidTemplate::NoName);
        }
        if !template.has(&Part::First) && !template.has(&Part::Last) {
            return Err(InvalidTemplate::NotUnique);
        }
        Ok(template)
    }

    /// A template for objects, which may lie in folders, and beside those of other logs. Names have a
    /// number before what they all end with, as `.ndjson`.
    pub(crate) fn key(text: &str) -> Result<Self, InvalidTemplate> {
        let template = Self::parse(text)?;
        let is_odd = text.starts_with(['/', '.']) || text.contains("//") || text.contains("..");
        if is_odd || text.contains(char::is_control) {
            return Err(InvalidTemplate::NoKey);
        }
        if ![Part::First, Part::Last, Part::Log].iter().all(|part| template.has(part)) {
            return Err(InvalidTemplate::NotUniqueEver);
        }
        Ok(template.numbered())
    }

    /// The same with a number before the extension.
    fn numbered(mut self) -> Self {
        let Some(Part::Text(end)) = self.0.pop() else { return self };
        let folder = end.rfind('/').map_or(0, |slash| slash + 1);
        let at = end[folder..].find('.').map_or(end.len(), |dot| folder + dot);
        let (before, extension) = end.split_at(at);
        let text = |text: &str| Part::Text(text.to_owned());
        self.0.extend([text(before), Part::Number, text(extension)]);
        self
    }

    fn has(&self, part: &Part) -> bool {
        self.0.contains(part)
    }

    fn parse(text: &str) -> Result<Self, InvalidTemplate> {
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
                "log" => Part::Log,
                other => return Err(InvalidTemplate::Unknown(other.to_owned())),
            });
            rest = tail;
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self(parts))
    }

    /// The name of a file with this content: always the same for the same.
    pub(crate) fn name(&self, content: &Content<'_>) -> String {
        let parts = self.0.iter().map(|part| match part {
            Part::Text(text) => text.clone(),
            Part::First => format!("{:020}", content.first.get()),
            Part::Last => format!("{:020}", content.last.get()),
            Part::Date => content.recorded.strftime("%Y%m%d").to_string(),
            Part::Time => content.recorded.strftime("%H%M%S").to_string(),
            Part::Stream => content.stream.to_owned(),
            Part::Sink => content.sink.to_owned(),
            Part::Log => content.log_id.simple().to_string().chars().take(LOG_DIGITS).collect(),
            Part::Number if content.number > 1 => format!("-{}", content.number),
            Part::Number => String::new(),
        });
        parts.collect()
    }
}

/// What can stand at a place of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Letter {
    This(char),
    Digit,
    HexDigit,
}

impl Letter {
    fn may_be(self, other: Self) -> bool {
        match (self, other) {
            (Self::This(one), Self::This(other)) => one == other,
            (Self::This(one), Self::Digit) | (Self::Digit, Self::This(one)) => one.is_ascii_digit(),
            (Self::This(one), Self::HexDigit) | (Self::HexDigit, Self::This(one)) => {
                one.is_ascii_hexdigit() && !one.is_ascii_uppercase()
            }
            (Self::Digit | Self::HexDigit, Self::Digit | Self::HexDigit) => true,
        }
    }
}

/// Names that a sink can give to what it finishes. Every placeholder has its length, so they all have one.
#[derive(Clone, Debug)]
pub struct Names(Vec<Letter>);

impl Names {
    /// Those of a template, for a sink with its stream, without a number.
    pub(crate) fn new(template: &Template, stream: &str, sink: &str) -> Self {
        Self::numbered(template, stream, sink, 0)
    }

    /// Those whose number has so many digits; 0: without one.
    pub(crate) fn numbered(template: &Template, stream: &str, sink: &str, digits: usize) -> Self {
        let letters = template.0.iter().flat_map(|part| match part {
            Part::Text(text) => these(text),
            Part::First | Part::Last => vec![Letter::Digit; 20],
            Part::Date => vec![Letter::Digit; 8],
            Part::Time => vec![Letter::Digit; 6],
            Part::Stream => these(stream),
            Part::Sink => these(sink),
            Part::Log => vec![Letter::HexDigit; LOG_DIGITS],
            Part::Number if digits == 0 => Vec::new(),
            Part::Number => [these("-"), vec![Letter::Digit; digits]].concat(),
        });
        Self(letters.collect())
    }

    /// Those that have the whole id of a log between two texts.
    pub(crate) fn of_logs(before: &str, behind: &str) -> Self {
        Self(vec![Letter::HexDigit; ID_DIGITS]).between(before, behind)
    }

    /// The same, each with `ending` behind it.
    #[must_use]
    pub(crate) fn ended(mut self, ending: &str) -> Self {
        let ending = these(ending);
        if !self.0.ends_with(&ending) {
            self.0.extend(ending);
        }
        self
    }

    /// The same, each with `prefix` before it and `suffix` behind it.
    #[must_use]
    pub(crate) fn between(self, prefix: &str, suffix: &str) -> Self {
        Self(these(prefix).into_iter().chain(self.0).chain(these(suffix)).collect())
    }

    /// The length of each of them.
    pub(crate) fn bytes(&self) -> usize {
        let bytes = |letter: &Letter| match letter {
            Letter::This(letter) => letter.len_utf8(),
            Letter::Digit | Letter::HexDigit => 1,
        };
        self.0.iter().map(bytes).sum()
    }

    /// Whether one of them can be one of the others.
    pub fn meet(&self, others: &Self) -> bool {
        let mut pairs = self.0.iter().zip(&others.0);
        self.0.len() == others.0.len() && pairs.all(|(one, other)| one.may_be(*other))
    }

    /// Whether `name` can be one of them.
    pub fn contain(&self, name: &str) -> bool {
        self.meet(&Self(these(name)))
    }
}

impl std::fmt::Display for Names {
    /// The first of them, as an example.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|letter| match letter {
            Letter::This(letter) => write!(f, "{letter}"),
            Letter::Digit | Letter::HexDigit => f.write_str("0"),
        })
    }
}

fn these(text: &str) -> Vec<Letter> {
    text.chars().map(Letter::This).collect()
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
            log_id: Uuid::from_u128(0xabcd << 112),
            number: 1,
        };
        let name = |text| Template::new(text).map(|template| template.name(&content));
        assert_eq!(name("{stream}-{last}.x"), Ok("events-00000000000000000099.x".to_owned()));
        assert_eq!(
            name("{sink}_{date}T{time}_{first}"),
            Ok("archive_20261120T103122_00000000000000000044".to_owned())
        );
        let key = Template::key("{stream}/{first}-{last}-{log}").map(|it| it.name(&content));
        let spanned = "events/00000000000000000044-00000000000000000099-abcd0000";
        assert_eq!(key, Ok(spanned.to_owned()));
    }

    #[test]
    fn a_number_stands_before_the_extension() {
        let content = |number| Content {
            first: Offset::ZERO,
            last: Offset::ZERO,
            recorded: Timestamp::UNIX_EPOCH,
            stream: "events.dead",
            sink: "archive",
            log_id: Uuid::nil(),
            number,
        };
        for (end, second) in [
            (".ndjson", "-2.ndjson"),
            ("", "-2"),
            ("/all.v1.ndjson", "/all-2.v1.ndjson"),
            (".d/all", ".d/all-2"),
            (".{stream}", ".events.dead-2"),
        ] {
            let template = Template::key(&format!("{{first}}{{last}}{{log}}{end}"));
            let template = template.unwrap_or_else(|_| unreachable!("{end}"));
            let name = |number| template.name(&content(number));
            let begin = "0".repeat(48);
            assert_eq!(name(2), format!("{begin}{second}"));
            assert_eq!(name(1), name(2).replace("-2", ""), "{end}");
            for (number, digits) in [(1, 0), (2, 1), (10, 2)] {
                let names = Names::numbered(&template, "events.dead", "archive", digits);
                assert!(names.contain(&name(number)), "{end}: {number}");
            }
        }
    }

    #[test]
    fn names_of_two_sinks_meet_where_one_name_fits_both() {
        let names = |text, stream, sink| {
            let template = Template::new(text);
            Names::new(&template.unwrap_or_else(|_| unreachable!("{text}")), stream, sink)
        };
        let default = |stream, sink| names("{stream}-{sink}-{first}.ndjson", stream, sink);
        assert!(!default("events", "a").meet(&default("events", "b")));
        assert!(!default("events", "a").meet(&default("other", "a")));
        assert!(default("events", "a-b").meet(&default("events-a", "b")));
        let first = |stream, sink| names("{stream}-{first}", stream, sink);
        assert!(first("events", "a").meet(&first("events", "b")));
        assert!(!first("events", "a").meet(&first("others", "b")));
        assert!(!first("events", "a").meet(&first("events", "b").ended(".gz")));
        let dated = names("{date}{time}{last}", "events", "a");
        let logged = names("{log}11-{first}", "events", "b");
        assert!(!dated.meet(&logged));
        assert!(dated.meet(&names("20261120103122{first}", "events", "b")));
        assert!(first("events", "a").contain("events-00000000000000000044"));
        assert!(!first("events", "a").contain("events-0000000000000000004x"));
        assert!(!first("events", "a").contain("events.ndjson"));
        assert_eq!(first("events", "a").to_string(), "events-00000000000000000000");
        assert_eq!(names("ä{stream}-{first}", "events", "a").bytes(), 2 + 7 + 20);
        let content = Content {
            first: Offset::new(i64::MAX).unwrap_or_default(),
            last: Offset::new(7).unwrap_or_default(),
            recorded: Timestamp::MAX,
            stream: "events",
            sink: "a",
            log_id: Uuid::from_u128(u128::MAX),
            number: 1,
        };
        let text = "{first}{last}{date}{time}{stream}{sink}{log}";
        let name = Template::new(text).map(|template| template.name(&content));
        assert!(names(text, "events", "a").contain(&name.unwrap_or_default()));
    }

    #[test]
    fn a_template_that_could_overwrite_another_object_is_refused() {
        for (text, error) in [
            ("{first}{last}", InvalidTemplate::NotUniqueEver),
            ("{first}-{log}", InvalidTemplate::NotUniqueEver),
            ("{last}-{log}", InvalidTemplate::NotUniqueEver),
            ("/{log}{first}{last}", InvalidTemplate::NoKey),
            ("a/../{log}{first}{last}", InvalidTemplate::NoKey),
        ] {
            assert_eq!(Template::key(text), Err(error), "{text}");
        }
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
