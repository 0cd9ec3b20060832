//! The markup of an event that becomes no JSON, without its secrets.
//!
//! What the JSON leaves out must not be kept in another form, so the rules are those of the JSON, taken
//! more strictly where the type table or the rest of the document would have to be asked: any element with
//! a secret name is replaced, whatever it holds; an addition counts by its last part, wherever it stands;
//! and a `value` is kept only behind a `key`, or another name of it, that is not secret.
//!
//! Where markup is broken, nothing tells any more what is a name and what is a value: an element that is still
//! open may be a secret one whose name is damaged, and what looks like a field of the event may be a part
//! of one. So only the fields that every event has are kept, which come first, up to the last that is whole.
//! A text beside an element is none of the API's, but a damaged tag.
//!
//! Attributes other than those of a type, comments and instructions have no place in the JSON and none here.

use quick_xml::Reader;
use quick_xml::events::{BytesEnd, BytesStart, Event};

use super::changes::redact_changes;
use super::redact::{REDACTED, Redaction, is_told_in};
use crate::telling::looks_secret;
use crate::vsphere::{pair::tells, types, xml::decode_text};

/// Markup without its secrets.
pub(in super::super) struct Markup {
    /// What may be kept of it.
    pub(in super::super) text: String,
    /// How many values were replaced in that.
    pub(in super::super) redacted: usize,
    /// What tells it from others: also what could not be read, in which there may be secrets.
    pub(in super::super) identity: String,
}

/// Reads the beginning of an event's markup. `is_broken`: somewhere, maybe behind this beginning, it is not
/// well-formed.
pub(in super::super) fn redact_markup(
    text: &str,
    is_broken: bool,
    redaction: &Redaction,
) -> Markup {
    let mut reader = Reader::from_str(text);
    reader.config_mut().allow_dangling_amp = true;
    reader.config_mut().expand_empty_elements = true;
    let mut kept = Kept::new(redaction);
    let (mut before, mut read_to) = (String::new(), 0);
    loop {
        let at = reader.buffer_position() as usize;
        let Ok(event) = reader.read_event() else { break };
        let end = reader.buffer_position() as usize;
        let is_fit = match event {
            Event::Start(tag) => kept.start(&before, &tag),
            Event::End(tag) => kept.end(&before, &tag),
            Event::Text(_) | Event::CData(_) | Event::GeneralRef(_) => {
                before.push_str(text.get(at..end).unwrap_or_default());
                continue;
            }
            Event::Comment(_) | Event::PI(_) | Event::Decl(_) => continue,
            Event::Empty(_) | Event::DocType(_) | Event::Eof => false,
        };
        if !is_fit {
            break;
        }
        before.clear();
        read_to = end;
    }
    let unread = match kept.hidden {
        Some(_) => "",
        None => text.get(read_to..).unwrap_or_default(),
    };
    let identity = format!("{}{unread}", kept.out);
    match is_broken {
        true => kept.out.truncate(kept.whole.0),
        false if kept.hidden.is_some() => kept.reveal(true),
        // It goes on behind the beginning that was read.
        false => kept.text(&before),
    }
    let redacted = if is_broken { kept.whole.1 } else { kept.redacted };
    Markup { text: kept.out, redacted, identity }
}

/// What may be kept, while it grows.
struct Kept<'r> {
    redaction: &'r Redaction,
    out: String,
    /// The open elements: of each, whether a field of it tells that what stands beside is secret, if one does.
    open: Vec<Option<bool>>,
    hidden: Option<Hidden>,
    redacted: usize,
    /// The length of what was kept when the last field that every event has was whole, and how much was
    /// replaced by then.
    whole: (usize, usize),
    /// Whether a field was seen that not every event has.
    is_special: bool,
}

/// A secret element that is open.
struct Hidden {
    /// How many elements are open around it.
    depth: usize,
    is_empty: bool,
}

impl<'r> Kept<'r> {
    fn new(redaction: &'r Redaction) -> Kept<'r> {
        let (out, open) = (String::new(), Vec::new());
        let (whole, is_special) = ((0, 0), false);
        Kept { redaction, out, open, hidden: None, redacted: 0, whole, is_special }
    }

    /// Takes a text and the start tag behind it; `false`: it is not to be trusted.
    fn start(&mut self, text: &str, tag: &BytesStart<'_>) -> bool {
        let (name, local) = (tag.name(), tag.local_name());
        let (Some(attributes), true) = (plain_attributes(tag), is_plain(name.as_ref())) else {
            return false;
        };
        if self.open.is_empty() && !self.out.is_empty() {
            return false;
        }
        self.is_special |= self.open.len() == 1 && !is_of_every_event(local.as_ref());
        match &mut self.hidden {
            Some(hidden) => hidden.is_empty = false,
            None if !text.trim().is_empty() => return false,
            None => {
                for part in [text, "<", name.as_ref(), attributes, ">"] {
                    self.out.push_str(part);
                }
                if self.is_secret(local.as_ref()) {
                    self.hidden = Some(Hidden { depth: self.open.len(), is_empty: true });
                }
            }
        }
        self.open.push(None);
        self.note();
        true
    }

    /// Takes a text and the end tag behind it. It belongs to the element that is open, or the reader would
    /// not have given it.
    fn end(&mut self, text: &str, tag: &BytesEnd<'_>) -> bool {
        self.open.pop();
        match &mut self.hidden {
            Some(hidden) => {
                hidden.is_empty &= text.is_empty();
                if hidden.depth < self.open.len() {
                    return true;
                }
                let holds_something = !hidden.is_empty;
                self.reveal(holds_something);
            }
            None => self.text(text),
        }
        for part in ["</", tag.name().as_ref(), ">"] {
            self.out.push_str(part);
        }
        if tells(tag.local_name().as_ref())
            && let Some(key) = self.open.last_mut()
        {
            let name = decode_text(text);
            let is_secret = looks_secret(&name) || self.redaction.may_name(&name);
            *key = Some(is_secret || *key == Some(true));
        }
        self.note();
        true
    }

    /// Takes a text that is in no secret element; as a whole not, if it tells of a machine's changes what is secret, in
    /// whatever escapes.
    fn text(&mut self, text: &str) {
        if redact_changes(&decode_text(text), self.redaction).is_some() {
            self.out.push_str(REDACTED);
            self.redacted += 1;
        } else {
            self.out.push_str(text);
        }
    }

    /// Notes whether only the event itself is open, and nothing but fields of every event came before.
    fn note(&mut self) {
        if self.open.len() <= 1 && self.hidden.is_none() && !self.is_special {
            self.whole = (self.out.len(), self.redacted);
        }
    }

    /// Puts the mark in the place of what was hidden, if that is something.
    fn reveal(&mut self, holds_something: bool) {
        if self.hidden.take().is_some() && holds_something {
            self.out.push_str(REDACTED);
            self.redacted += 1;
        }
    }

    fn is_secret(&self, name: &str) -> bool {
        // Whether a key follows is not known yet.
        let of_pair = || self.open.last().is_some_and(|key| *key != Some(false));
        looks_secret(name) || self.redaction.may_name(name) || (is_told_in(name) && of_pair())
    }
}

/// The attributes of a tag if they say what its type is and nothing else; `None`: they are broken.
fn plain_attributes<'t>(tag: &'t BytesStart<'_>) -> Option<&'t str> {
    let mut is_plain = true;
    for attribute in tag.attributes().with_checks(false) {
        let attribute = attribute.ok().filter(|it| !it.value.contains(['<', '>']))?;
        let name = attribute.key.into_inner();
        is_plain &= attribute.key.local_name().as_ref() == "type"
            || name == "xmlns"
            || name.starts_with("xmlns:");
    }
    Some(if is_plain { tag.attributes_raw().trim_end() } else { "" })
}

/// Whether it is a field that the API's base class of all events has.
fn is_of_every_event(name: &str) -> bool {
    types::class("Event").is_some_and(|event| event.fields().iter().any(|field| field.name == name))
}

/// Whether a name looks like one, and not like a tag that lost its end.
fn is_plain(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is kept, and how much was replaced.
    fn kept(markup: &str, extra: &[&str]) -> (String, usize) {
        let markup = redact_markup(markup, false, &Redaction::with(extra));
        (markup.text, markup.redacted)
    }

    #[test]
    fn an_element_with_a_secret_name_is_replaced_with_all_that_it_holds() {
        for (markup, expected, count) in [
            ("<e><password >a</password></e>", "<e><password>[redacted]</password></e>", 1),
            (
                "<e><v:privateKey><data>a</data></v:privateKey><b>c</b></e>",
                "<e><v:privateKey>[redacted]</v:privateKey><b>c</b></e>",
                1,
            ),
            (
                "<e><secret><secret>a</secret>b</secret><b>c</b></e>",
                "<e><secret>[redacted]</secret><b>c</b></e>",
                1,
            ),
            (
                "<e><token><![CDATA[</token>a]]>&b;</token></e>",
                "<e><token>[redacted]</token></e>",
                1,
            ),
            ("<e><token/><token></token></e>", "<e><token></token><token></token></e>", 0),
        ] {
            assert_eq!(kept(markup, &[]), (expected.to_owned(), count), "{markup}");
        }
    }

    #[test]
    fn additions_count_by_their_last_part_wherever_it_stands() {
        let markup = "<e><userName>a</userName><x><description>b</description><c>d</c></x></e>";
        let expected = "<e><userName>[redacted]</userName><x><description>[redacted]</description>\
            <c>d</c></x></e>";
        assert_eq!(kept(markup, &["username", "spec.Description"]), (expected.to_owned(), 2));
    }

    #[test]
    fn a_value_is_kept_behind_a_key_that_is_not_secret() {
        for (pair, expected) in [
            ("<key>a</key><value>b</value>", "<key>a</key><value>b</value>"),
            (
                "<key>vnc.pass<!---->w&#111;rd</key><value t='1'>b</value>",
                "<key>vnc.passw&#111;rd</key><value>[redacted]</value>",
            ),
            ("<key>pin</key><value>b</value>", "<key>pin</key><value>[redacted]</value>"),
            ("<value>b</value><key>token</key>", "<value>[redacted]</value><key>token</key>"),
            (
                "<key>a</key><x><value>b</value></x><value>c</value>",
                "<key>a</key><x><value>[redacted]</value></x><value>c</value>",
            ),
        ] {
            let (markup, expected) = (format!("<e>{pair}</e>"), format!("<e>{expected}</e>"));
            assert_eq!(kept(&markup, &["x.pin"]).0, expected);
        }
    }

    #[test]
    fn broken_markup_is_kept_up_to_the_last_field_that_is_whole() {
        for (markup, expected) in [
            ("<e><key>2</chainId></e>", "<e>"),
            ("<e><key>2</key><a", "<e><key>2</key>"),
            ("<e><key>2</key><userName>ad", "<e><key>2</key>"),
            ("<e><key>2</key><x><password>a</password></y></e>", "<e><key>2</key>"),
            ("<e><key>2</key><privatKey><data>a</data></privateKey></e>", "<e><key>2</key>"),
            ("<e><key>2</key>privateKey><data>a</data></privateKey></e>", "<e><key>2</key>"),
            ("<e><key>2</key><passwordXa</password></e>", "<e><key>2</key>"),
            ("<e><a type='x><password>b</password><c type='y'/>", "<e>"),
            ("<e><a type='x><password>b</password></a>", "<e>"),
            ("<e><key>2</key><privateKe/><data>a</data></privateKey></e>", "<e><key>2</key>"),
            ("<e><key>2</key><token>a</token><a></b></e>", "<e><key>2</key>"),
            ("<e><vm><token>a</token></vm><a></b></e>", "<e><vm><token>[redacted]</token></vm>"),
            ("<e a=>b</e>", ""),
            ("<e/><vm>a</vm></e>", "<e></e>"),
            ("<!DOCTYPE e><e>a</e>", ""),
            ("<e type='x'><vm b='c' type='x' >d</vm></f>", "<e type='x'><vm>d</vm>"),
        ] {
            assert_eq!(redact_markup(markup, true, &Redaction::default()).text, expected);
        }
    }

    #[test]
    fn the_beginning_of_well_formed_markup_is_kept_to_its_end() {
        for (markup, expected) in [
            ("<e><key>2</key><message>ab", "<e><key>2</key><message>ab"),
            ("<e><message>ab</mess", "<e><message>ab"),
            ("<e><password>ab", "<e><password>[redacted]"),
            ("<e><message>config.a.token: \"x\" -> \"y", "<e><message>[redacted]"),
            ("<e><key>token</key><value><a>b</a>c", "<e><key>token</key><value>[redacted]"),
        ] {
            assert_eq!(redact_markup(markup, false, &Redaction::default()).text, expected);
        }
    }

    #[test]
    fn the_identity_holds_what_could_not_be_read_and_nothing_that_is_known_to_be_secret() {
        let identity = |markup| redact_markup(markup, true, &Redaction::default()).identity;
        assert_eq!(identity("<e><a>1</a>2</b></e>"), "<e><a>1</a>2</b></e>");
        assert_eq!(identity("<e><x><token>1</token></b>2"), "<e><x><token>[redacted]</token></b>2");
        assert_eq!(identity("<e><a>1</a><password>2</b></e>"), "<e><a>1</a><password>");
        assert_eq!(identity("<e a=>1</e>"), "<e a=>1</e>");
    }

    #[test]
    fn deep_and_long_markup_is_read_to_its_end() {
        for piece in ["<a>", "<a/>", "<password>", "&", "<key>", "<value/>"] {
            let markup = format!("<e>{}<token>hunter2", piece.repeat(200_000));
            let kept = redact_markup(&markup, false, &Redaction::default());
            assert!(kept.text.len() > 3 && !kept.text.contains("hunter2"), "{piece}");
        }
    }
}
