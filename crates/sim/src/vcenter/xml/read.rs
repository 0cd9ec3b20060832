//! Reads a request into a tree of elements.
//!
//! Names lose their prefixes, because clients choose them freely. Of the attributes two matter:
//! the plain `type` of a managed object reference and `xsi:type` of a polymorphic value; the second
//! is found by its namespace, whatever the client calls the prefix.

use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::name::{Namespace, ResolveResult};
use quick_xml::reader::NsReader;
use quick_xml::{XmlVersion, escape::resolve_xml_entity};

use super::{close, escape};

/// Deeper nesting than any method of the protocol needs; guards the stack.
const DEPTH_MAX: usize = 64;

const XSI: Namespace<'_> = Namespace("http://www.w3.org/2001/XMLSchema-instance");

/// Why a request body is no XML that the simulator can use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// The text is not well-formed XML.
    #[error("parse the request")]
    Syntax(#[from] quick_xml::Error),
    /// An attribute is broken.
    #[error("parse an attribute of the request")]
    Attribute(#[from] quick_xml::events::attributes::AttrError),
    /// The text ends before its root element does, or has none.
    #[error("the request has no complete root element")]
    Incomplete,
    /// Elements are nested beyond [`DEPTH_MAX`].
    #[error("the request is nested more than {DEPTH_MAX} elements deep")]
    TooDeep,
    /// An entity that XML does not define.
    #[error("the request uses the unknown entity `{0}`")]
    UnknownEntity(String),
}

/// One element of a request.
#[derive(Debug, Default, Clone)]
pub(crate) struct Element {
    /// Name without a prefix.
    pub(crate) name: String,
    /// The `type` attribute: the kind of a managed object reference.
    pub(crate) kind: Option<String>,
    /// The `xsi:type` attribute without a prefix: the class of a polymorphic value.
    pub(crate) class: Option<String>,
    /// Character data directly inside the element.
    pub(crate) text: String,
    /// Child elements in document order.
    pub(crate) children: Vec<Element>,
}

impl Element {
    /// Parses a document and returns its root element.
    pub(crate) fn parse(text: &str) -> Result<Self, ReadError> {
        let mut reader = NsReader::from_str(text);
        reader.config_mut().expand_empty_elements = true;
        let mut stack: Vec<Element> = Vec::new();
        loop {
            match reader.read_event()? {
                Event::Start(start) => {
                    if stack.len() >= DEPTH_MAX {
                        return Err(ReadError::TooDeep);
                    }
                    stack.push(begin(&reader, &start)?);
                }
                Event::End(_) => {
                    let done = stack.pop().ok_or(ReadError::Incomplete)?;
                    match stack.last_mut() {
                        Some(parent) => parent.children.push(done),
                        None => return Ok(done),
                    }
                }
                Event::Text(text) => append(&mut stack, &text.xml_content(XmlVersion::default())),
                Event::CData(data) => append(&mut stack, &data),
                Event::GeneralRef(entity) => append(&mut stack, &resolve(&entity)?),
                Event::Eof => return Err(ReadError::Incomplete),
                Event::Empty(_)
                | Event::Comment(_)
                | Event::Decl(_)
                | Event::PI(_)
                | Event::DocType(_) => {}
            }
        }
    }

    /// The first child of that name.
    pub(crate) fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// All children of that name, in order.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The trimmed text of the first child of that name, unless it is empty.
    pub(crate) fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.trim()).filter(|text| !text.is_empty())
    }

    /// Whether the first child of that name says `true`.
    pub(crate) fn flag(&self, name: &str) -> bool {
        matches!(self.text_of(name), Some("true" | "1"))
    }

    /// Appends the element as XML, with both type attributes restored.
    pub(crate) fn write(&self, out: &mut String) {
        out.push('<');
        out.push_str(&self.name);
        if let Some(kind) = &self.kind {
            out.push_str(&format!(" type=\"{}\"", escape(kind)));
        }
        if let Some(class) = &self.class {
            // The XML Schema types keep the prefix that every envelope of the simulator declares.
            let prefix = if class.starts_with(char::is_lowercase) { "xsd:" } else { "" };
            out.push_str(&format!(" xsi:type=\"{prefix}{}\"", escape(class)));
        }
        out.push('>');
        if self.children.is_empty() {
            out.push_str(&escape(&self.text));
        }
        for child in &self.children {
            child.write(out);
        }
        close(out, &self.name);
    }
}

fn begin(reader: &NsReader<&[u8]>, start: &BytesStart<'_>) -> Result<Element, ReadError> {
    let mut element =
        Element { name: start.local_name().into_inner().to_owned(), ..Element::default() };
    for attribute in start.attributes() {
        let attribute = attribute?;
        let (namespace, name) = reader.resolver().resolve_attribute(attribute.key);
        if name.into_inner() != "type" {
            continue;
        }
        let value = attribute.normalized_value(XmlVersion::default())?;
        match namespace {
            ResolveResult::Bound(bound) if bound == XSI => {
                element.class = Some(value.rsplit(':').next().unwrap_or_default().to_owned());
            }
            ResolveResult::Unbound => element.kind = Some(value.into_owned()),
            ResolveResult::Bound(_) | ResolveResult::Unknown(_) => {}
        }
    }
    Ok(element)
}

fn append(stack: &mut [Element], text: &str) {
    if let Some(top) = stack.last_mut() {
        top.text.push_str(text);
    }
}

fn resolve(entity: &BytesRef<'_>) -> Result<String, ReadError> {
    if let Some(character) = entity.resolve_char_ref()? {
        return Ok(character.to_string());
    }
    resolve_xml_entity(entity.as_ref())
        .map(str::to_owned)
        .ok_or_else(|| ReadError::UnknownEntity(entity.as_ref().to_owned()))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::{Element, ReadError};

    #[test]
    fn finds_both_type_attributes_whatever_the_prefix() {
        let text = r#"<e xmlns:q="http://www.w3.org/2001/XMLSchema-instance">
            <a q:type="ns1:TraversalSpec"/><b type="Folder">group-d1</b></e>"#;
        let root = Element::parse(text).unwrap();
        assert_eq!(root.child("a").unwrap().class.as_deref(), Some("TraversalSpec"));
        assert_eq!(root.child("b").unwrap().kind.as_deref(), Some("Folder"));
        assert_eq!(root.text_of("b"), Some("group-d1"));
    }

    #[test]
    fn resolves_references_and_cdata() {
        let root = Element::parse("<p>a&amp;b&#x43;<![CDATA[<d>]]></p>").unwrap();
        assert_eq!(root.text, "a&bC<d>");
    }

    #[test]
    fn refuses_half_a_document() {
        assert!(matches!(Element::parse("<a><b></b>"), Err(ReadError::Incomplete)));
        assert!(Element::parse("<a></b>").is_err());
    }

    #[test]
    fn writes_what_it_read() {
        let written = r#"<v xsi:type="EventEx"><m>a &lt; b</m></v>"#;
        let declared = "<v xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"";
        let text = written.replacen("<v", declared, 1);
        let mut out = String::new();
        Element::parse(&text).unwrap().write(&mut out);
        assert_eq!(out, written);
    }
}
