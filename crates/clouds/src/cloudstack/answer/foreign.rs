//! Answers of something that is not CloudStack's JSON: a proxy, a login page, XML.
//!
//! What an operator needs to find the culprit is its status, its content type and its first words. Of an
//! answer to `login` there are no words: CloudStack's own holds the session's key, in a form that is not
//! ours to read.

use std::fmt;
use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderValue, StatusCode};

use super::super::mask::masked;

/// How much of the text is shown: a heading and half a sentence.
const WORDS_BYTES_MAX: usize = 160;

/// The longest name of a root element that is told; CloudStack's are commands with `response` behind them.
const ROOT_BYTES_MAX: usize = 64;

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
    /// The name of XML's root element, such as `loginresponse`; 64 bytes at most.
    pub root: Option<String>,
    /// Its first words, without markup and secrets; 160 bytes at most. `None`: it is not to be quoted.
    pub words: Option<String>,
    /// How long it asks us to wait.
    pub retry_after: Option<Duration>,
}

impl ForeignAnswer {
    pub(in super::super) fn new(
        status: StatusCode,
        content_type: Option<&HeaderValue>,
        location: Option<&HeaderValue>,
        retry_after: Option<Duration>,
        text: &str,
        is_quotable: bool,
    ) -> ForeignAnswer {
        let header = |value: &HeaderValue| masked(&String::from_utf8_lossy(value.as_bytes()));
        let text = masked(text);
        let is_html = text.get(..64).unwrap_or(&text).to_ascii_lowercase().contains("<html");
        let is_xml = text.starts_with("<?xml") && !is_html;
        ForeignAnswer {
            status,
            content_type: content_type.map(|it| shortened(&header(it), WORDS_BYTES_MAX)),
            location: location.map(|it| {
                let location = header(it);
                let place = location.split(['?', '#', ';']).next().unwrap_or_default();
                // User info would be a password.
                shortened(place.rsplit('@').next().unwrap_or_default(), WORDS_BYTES_MAX)
            }),
            is_xml,
            root: root(&text).filter(|_| is_xml),
            words: is_quotable.then(|| shortened(&words(&text), WORDS_BYTES_MAX)),
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
        match &self.root {
            Some(root) => write!(f, ", XML with the root element `{root}` instead of JSON")?,
            None if self.is_xml => write!(f, ", XML instead of JSON")?,
            None => {}
        }
        match self.words.as_deref() {
            None => write!(f, "; its text is not shown, for it may hold a session key")?,
            Some("") => write!(f, ", no text")?,
            Some(words) => write!(f, ", \"{words}\"")?,
        }
        // CloudStack's own in XML.
        match self.root.as_ref().is_some_and(|root| root.ends_with("response")) {
            true => write!(f, "; does a proxy drop the parameter `response=json`?"),
            false => Ok(()),
        }
    }
}

/// The header `Retry-After` in seconds; dates in it are not read, for proxies send seconds.
pub(in super::super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
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

/// The name of a document's first element.
fn root(document: &str) -> Option<String> {
    let mut rest = &document[..document.floor_char_boundary(PAGE_BYTES_MAX)];
    loop {
        rest = &rest[rest.find('<')?..];
        if !rest.starts_with("<?") && !rest.starts_with("<!") {
            break;
        }
        rest = &rest[end_of_markup(rest)..];
    }
    let ends = |c: char| !(c.is_ascii_alphanumeric() || "_-.:".contains(c));
    let name = rest[1..].split(ends).next()?;
    (1..=ROOT_BYTES_MAX).contains(&name.len()).then(|| name.to_owned())
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
    fn the_root_is_the_first_element() {
        for (document, expected) in [
            ("<?xml version='1.0'?>\n<!-- <a> --><loginresponse a='1'>", Some("loginresponse")),
            ("<?xml?><a:b/>", Some("a:b")),
            ("<?xml?>text", None),
            ("<?xml?><***", None),
        ] {
            assert_eq!(root(document).as_deref(), expected);
        }
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(shortened("ééé", 3), "é…");
        assert_eq!(shortened(" a\nb\u{7} ", 9), "a b");
    }
}
