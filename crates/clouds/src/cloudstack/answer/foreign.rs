//! Answers of something that is not CloudStack's JSON: a proxy, a login page, XML.
//!
//! What an operator needs to find the culprit is its status, its content type and its first words.

use std::fmt;
use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderValue, StatusCode};

use super::super::mask::Mask;

/// How much of the text is shown: a heading and half a sentence.
const WORDS_BYTES_MAX: usize = 160;

/// How much of a page is searched for words; pages begin with scripts and styles.
const PAGE_BYTES_MAX: usize = 64 * 1024;

/// An answer that is not CloudStack's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignAnswer {
    /// HTTP's status.
    pub status: StatusCode,
    /// What it says it is.
    pub content_type: Option<String>,
    /// Where it redirects to, without query: the login's page, or `https`.
    pub location: Option<String>,
    /// Whether it is XML: CloudStack's own, if a proxy drops `response=json`.
    pub is_xml: bool,
    /// Its first words, without markup and secrets; 160 bytes at most.
    pub words: String,
    /// How long it asks us to wait.
    pub retry_after: Option<Duration>,
}

impl ForeignAnswer {
    pub(super) fn new(
        status: StatusCode,
        content_type: Option<&HeaderValue>,
        location: Option<&HeaderValue>,
        retry_after: Option<Duration>,
        text: &str,
        mask: &Mask,
    ) -> ForeignAnswer {
        let header = |value: &HeaderValue| mask.apply(&String::from_utf8_lossy(value.as_bytes()));
        let text = mask.apply(text);
        let is_html = text.get(..64).unwrap_or(&text).to_ascii_lowercase().contains("<html");
        ForeignAnswer {
            status,
            content_type: content_type.map(|it| shortened(&header(it), WORDS_BYTES_MAX)),
            location: location.map(|it| {
                let location = header(it);
                let place = location.split(['?', '#', ';']).next().unwrap_or_default();
                // User info would be a password.
                shortened(place.rsplit('@').next().unwrap_or_default(), WORDS_BYTES_MAX)
            }),
            is_xml: text.starts_with("<?xml") && !is_html,
            words: shortened(&words(&text), WORDS_BYTES_MAX),
            retry_after,
        }
    }
}

impl fmt::Display for ForeignAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HTTP status {}", self.status)?;
        match &self.content_type {
            Some(content_type) => write!(f, ", {content_type}")?,
            None => write!(f, ", no content type")?,
        }
        if let Some(location) = &self.location {
            write!(f, ", leads to {location}")?;
        }
        if self.is_xml {
            write!(f, ", XML instead of JSON")?;
        }
        match self.words.as_str() {
            "" => write!(f, ", no text"),
            words => write!(f, ", \"{words}\""),
        }
    }
}

/// The header `Retry-After` in seconds; dates in it are not read, for proxies send seconds.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse::<u32>().ok()?;
    Some(Duration::from_secs(seconds.min(3600).into()))
}

/// The beginning of a text, on one line.
pub(super) fn shortened(text: &str, bytes_max: usize) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let text = text.trim();
    match text.len() {
        len if len <= bytes_max => text.to_owned(),
        _ => format!("{}…", &text[..text.floor_char_boundary(bytes_max)]),
    }
}

/// What a page says, without its markup.
fn words(page: &str) -> String {
    let mut rest = &page[..page.floor_char_boundary(PAGE_BYTES_MAX)];
    let mut words = Vec::new();
    while !rest.is_empty() {
        let (text, markup) = rest.split_at(rest.find('<').unwrap_or(rest.len()));
        words.extend(text.split_whitespace());
        rest = &markup[end_of_markup(markup)..];
    }
    words.join(" ")
}

/// Where the tag, comment, script or style that the text begins with ends.
fn end_of_markup(markup: &str) -> usize {
    let starts =
        |tag: &str| markup.get(..tag.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(tag));
    let end = match markup {
        _ if starts("<!--") => "-->",
        _ if starts("<script") => "</script>",
        _ if starts("<style") => "</style>",
        _ => ">",
    };
    let found = match end {
        ">" | "-->" => markup.find(end),
        _ => markup.to_ascii_lowercase().find(end),
    };
    found.map_or(markup.len(), |at| at + end.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_without_its_markup() {
        for (page, expected) in [
            ("<html><head><title>502 Bad</title>\n</head><h1>502 Bad</h1>", "502 Bad 502 Bad"),
            ("<SCRIPT>if (a<b) x()</SCRIPT><!-- <b>no</b> --><style>p>a{}</style>Yes", "Yes"),
            ("plain text < and no end", "plain text"),
            ("<script>no end", ""),
        ] {
            assert_eq!(words(page), expected);
        }
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(shortened("ééé", 3), "é…");
        assert_eq!(shortened(" a\nb\u{7} ", 9), "a b");
    }
}
